//! `subscribe`: subscribes the webhook in Close, and stores the key that Close signs with.

mod keys;
mod plan;
mod trial;

use close::client::{CloseApi, CloseBase, Subscription};
use host::output;
use outbound::address::{Similarity, similarity};
use pipeline::{Code, Fault, ports::Clock as _};
use serde::Serialize;
use system::SystemClock;
use url::Url;

use super::confirm::{Answer, ask};
use crate::{
    cli::SubscribeArgs,
    config::{Config, Location, Place, needed_api_keys},
    wiring,
};
use keys::KeyPlace;
use plan::{Plan, Planner};

/// The outcome.
#[derive(Debug, Serialize)]
struct Subscribed {
    /// Without a user, a password and a query, which may be secrets.
    url: String,
    subscription_id: Option<String>,
    /// `created`, `activated` or `unchanged`; with `--dry-run` `would create` and so on.
    result: &'static str,
    /// Whether the pipeline has the key that Close signs with: `kept`, `already kept`, or `unknown` where
    /// Close does not show it again and it may be one of those that the pipeline has.
    key: &'static str,
    /// Where the key is.
    kept_in: String,
    /// What else is worth knowing.
    notes: Vec<String>,
}

/// `leadops subscribe`.
///
/// # Errors
/// [`Code::CloseKeyMissing`], [`Code::WebhookOutOfReach`] and [`Code::WebhookElsewhere`] for an address through which
/// nothing would arrive, the fault of Close's API, [`Code::CloseRefuses`], [`Code::SubscriptionKeyUnknown`], or why the
/// key cannot be stored, in which case no subscription is left behind.
pub(crate) async fn run(
    config: &Config,
    place: &Place,
    args: &SubscribeArgs,
    as_json: bool,
) -> anyhow::Result<()> {
    let api = api(config)?;
    let Target { url, of_stack, keys } = target(config, place, args).await?;
    let known = keys.present().await?;
    let mut notes = trial::of(&url, of_stack.as_ref(), &known, args.force).await?;
    let planner =
        Planner { api: &api, known: &known, keys: &keys, of_stack: of_stack.as_ref(), force: args.force };
    let plan = planner.plan(&url, &mut notes).await?;
    let (steps, result, dry_result) = plan.steps(&url, &known, &keys);
    let mut subscribed = Subscribed {
        url: web::shown(&url),
        subscription_id: plan.subscription().map(|subscription| subscription.id.clone()),
        result,
        key: plan.key_state(&known, false),
        kept_in: keys.to_string(),
        notes,
    };
    let (plan, new) = if steps.is_empty() {
        (plan, false)
    } else if ask(args.confirmation, &steps.join(" and "))? == Answer::DryRun {
        subscribed.result = dry_result;
        if plan.stores_key(&known) {
            subscribed.key = "would keep";
        }
        return report(&subscribed, as_json);
    } else {
        act(&planner, plan, &url, &mut subscribed).await?
    };
    // The most urgent note comes first.
    if new || !plan.is_in_use(&keys) {
        subscribed.notes.splice(0..0, keys.next_steps(config));
    }
    report(&subscribed, as_json)
}

/// Carries out the plan. Returns the resulting plan, and whether the key was not there before.
async fn act(
    planner: &Planner<'_>,
    plan: Plan,
    url: &Url,
    subscribed: &mut Subscribed,
) -> Result<(Plan, bool), Fault> {
    let Planner { api, known, keys, .. } = planner;
    let (subscription, key) = match plan {
        Plan::Use(subscription, key) => (*subscription, key),
        Plan::Create => match api.subscribe(url).await {
            Ok(made) => {
                let new = store_new_key(api, &made, keys).await?;
                subscribed.key = "kept";
                subscribed.subscription_id = Some(made.id);
                return Ok((Plan::Create, new));
            }
            Err(error) => {
                let found = duplicate(api, url, error).await?;
                let note = format!("Close already had {} for this address, and did not list it", found.id);
                subscribed.notes.push(note);
                let (subscription, key) = planner.reuse(found, url, &mut subscribed.notes).await?;
                subscribed.result = plan::outcome(&subscription).0;
                (subscription, key)
            }
        },
    };
    subscribed.subscription_id = Some(subscription.id.clone());
    // The key first: what Close delivers from then on can be verified.
    let new = match &key {
        Some(key) => keys.store(&subscription.id, key.expose()).await?,
        None => false,
    };
    if !(subscription.is_active && subscription.has_leads) {
        api.activate(&subscription.id, !subscription.has_leads).await?;
    }
    if !subscription.is_active {
        subscribed.notes.push(plan::missed(&subscription));
    }
    let plan = Plan::Use(Box::new(subscription), key);
    subscribed.key = plan.key_state(known, new);
    Ok((plan, new))
}

/// The subscription that Close says exists already, if it is for this address.
async fn duplicate(api: &CloseApi, url: &Url, error: close::Error) -> Result<Subscription, Fault> {
    let close::Error::Refused { duplicate: Some(id), .. } = &error else { return Err(error.into()) };
    // Close's message is what a person needs, even if it shows nothing more of the subscription.
    let Ok(found) = api.subscription(id).await else { return Err(error.into()) };
    match found.url.as_ref().map(|there| similarity(there, url)) {
        Some(Similarity::Same) => Ok(found),
        _ => {
            let what = format!("{error}; {id} posts to {}", found.shown_url());
            Err(Fault::new(Code::CloseRefuses, what))
        }
    }
}

/// Close's API as configured.
///
/// # Errors
/// [`Code::CloseKeyMissing`], or as [`CloseApi::new`].
pub(crate) fn api(config: &Config) -> Result<CloseApi, Fault> {
    let keys = needed_api_keys(config)?;
    let base = CloseBase::parse(config.get("CLOSE_API_URL").unwrap_or(CloseBase::URL))?;
    Ok(CloseApi::new(base, keys, Box::new(|time| Box::pin(async move { SystemClock.sleep(time).await })))?)
}

/// What Close should call.
struct Target {
    /// The address.
    url: Url,
    /// The stack's own, where the pipeline is one.
    of_stack: Option<Url>,
    /// Where the keys are stored.
    keys: KeyPlace,
}

async fn target(config: &Config, place: &Place, args: &SubscribeArgs) -> Result<Target, Fault> {
    let usage = |what: String| Fault::new(Code::Usage, what);
    let read = |text: &str| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| {
            usage("--url is not an http(s) URL, such as https://leads.example.com/crm/webhook".to_owned())
        })
    };
    let given = args.url.as_deref().map(read).transpose()?;
    match &place.at {
        Location::Stack(stack) => {
            let aws = wiring::on_aws(stack).await?;
            let of_stack = aws.webhook();
            let url = given.map_or_else(|| of_stack.clone(), Ok)?;
            Ok(Target { url, of_stack: of_stack.ok(), keys: KeyPlace::Secret(aws.signature_secret()) })
        }
        Location::Folder(folder) => {
            let url = given.ok_or_else(|| {
                usage(
                    "--url is required: leadops cannot know at which address Close reaches this machine"
                        .to_owned(),
                )
            })?;
            Ok(Target { url, of_stack: None, keys: KeyPlace::of_folder(config, folder)? })
        }
    }
}

/// Stores the key of a new subscription, and deletes the subscription if the key cannot be stored: what it signs would
/// be refused for three days.
async fn store_new_key(api: &CloseApi, made: &Subscription, keys: &KeyPlace) -> Result<bool, Fault> {
    let id = &made.id;
    let kept = async {
        let key = match &made.key {
            Some(key) => Some(key.clone()),
            None => api.subscription(id).await?.key,
        };
        let key = key.ok_or_else(|| {
            Fault::new(Code::SubscriptionKeyUnknown, format!("Close created {id} and returned no key"))
        })?;
        keys.store(id, key.expose()).await
    };
    match kept.await {
        Ok(new) => Ok(new),
        Err(fault) => {
            let undone = match api.unsubscribe(id).await {
                Ok(()) => format!("the new subscription {id} was deleted again"),
                Err(other) => format!("delete the new subscription {id} in Close ({other})"),
            };
            Err(Fault::new(fault.code, format!("{}; {undone}", fault.what)))
        }
    }
}

fn report(subscribed: &Subscribed, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(subscribed);
    }
    let id = subscribed.subscription_id.as_deref().unwrap_or("a subscription");
    output::line(&format!("{:<13} {id} for {}", subscribed.result, subscribed.url))?;
    output::line(&format!("{:<13} {} in {}", "key", subscribed.key, subscribed.kept_in))?;
    subscribed.notes.iter().try_for_each(|note| output::line(&format!("{:<13} {note}", "note")))
}
