//! `subscribe`: has Close call the webhook, and keeps the key that it signs with.

mod keys;

use std::sync::Arc;

use outbound::{CloseApi, CloseBase, CloseSecret, Subscription};
use pipeline::{Code, Fault, signature::Keys};
use serde::Serialize;
use system::SystemClock;
use url::Url;

use super::confirm::{Answer, ask};
use crate::{
    cli::SubscribeArgs,
    config::{Config, Location, Place, api_keys},
    output, wiring,
};
use keys::KeyPlace;

/// What came of it.
#[derive(Debug, Serialize)]
struct Subscribed {
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

/// What there is to do.
enum Plan {
    Create,
    /// The subscription, and its key where Close shows it.
    Use(Subscription, Option<CloseSecret>),
}

/// `leadops subscribe`.
///
/// # Errors
/// [`Code::CloseKeyMissing`], the fault of Close's API, [`Code::SubscriptionKeyUnknown`], or why the key
/// cannot be kept, after which no subscription was made.
pub async fn run(config: &Config, place: &Place, args: &SubscribeArgs, as_json: bool) -> anyhow::Result<()> {
    let api = api(config)?;
    let (url, keys) = target(config, place, args).await?;
    let known = keys.present().await?;
    let mut notes = Vec::new();
    let plan = plan(&api, &url, &known, &keys, &mut notes).await?;
    let (steps, result, dry_result) = steps(&plan, &url, &known, &keys);
    let mut subscribed = Subscribed {
        url: url.to_string(),
        subscription_id: match &plan {
            Plan::Create => None,
            Plan::Use(subscription, _) => Some(subscription.id.clone()),
        },
        result,
        key: "already kept",
        kept_in: keys.to_string(),
        notes,
    };
    if steps.is_empty() {
        subscribed.key = key_state(&plan, &known, false);
        return report(&subscribed, as_json);
    }
    if ask(args.consent, &steps.join(" and "))? == Answer::DryRun {
        subscribed.result = dry_result;
        subscribed.key = if keeps(&plan, &known) { "would keep" } else { key_state(&plan, &known, false) };
        return report(&subscribed, as_json);
    }
    let new = match &plan {
        Plan::Create => {
            let (id, new) = create(&api, &url, &keys).await?;
            subscribed.subscription_id = Some(id);
            new
        }
        Plan::Use(subscription, key) => {
            // The key first: what Close delivers from then on is understood.
            let new = match key {
                Some(key) => keys.keep(&subscription.id, key.expose()).await?,
                None => false,
            };
            if !(subscription.is_active && subscription.has_leads) {
                api.activate(&subscription.id, !subscription.has_leads).await?;
            }
            new
        }
    };
    subscribed.key = key_state(&plan, &known, new);
    if new {
        subscribed.notes.extend(keys.what_next(config));
    }
    report(&subscribed, as_json)
}

/// Close's API as configured.
///
/// # Errors
/// [`Code::CloseKeyMissing`], or as [`CloseApi::new`].
pub fn api(config: &Config) -> Result<CloseApi, Fault> {
    let keys =
        api_keys(config)?.ok_or_else(|| Fault::new(Code::CloseKeyMissing, "CLOSE_API_KEY is not set"))?;
    let base = CloseBase::parse(config.get("CLOSE_API_URL").unwrap_or(CloseBase::URL))?;
    CloseApi::new(base, keys, Arc::new(SystemClock))
}

/// Whether a subscription posts to this address, however it is written.
pub fn posts_to(subscription: &Subscription, url: &Url) -> bool {
    Url::parse(&subscription.url).is_ok_and(|posts_to| posts_to == *url)
}

/// The webhook, and where its keys are kept.
async fn target(config: &Config, place: &Place, args: &SubscribeArgs) -> Result<(Url, KeyPlace), Fault> {
    let usage = |what: String| Fault::new(Code::Usage, what);
    let read = |text: &str| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| usage(format!("{:?} is no http(s) URL", lead::text::shorten(text, 200))))
    };
    let given = args.url.as_deref().map(read).transpose()?;
    match &place.at {
        Location::Stack(stack) => {
            let aws = wiring::on_aws(stack).await?;
            let url = given.map_or_else(|| aws.webhook(), Ok)?;
            Ok((url, KeyPlace::Secret(aws.signature_secret())))
        }
        Location::Folder(folder) => {
            let url = given.ok_or_else(|| {
                usage("--url is needed: only you know how Close reaches this machine".to_owned())
            })?;
            Ok((url, KeyPlace::of_folder(config, folder)?))
        }
    }
}

async fn plan(
    api: &CloseApi,
    url: &Url,
    known: &Keys,
    keys: &KeyPlace,
    notes: &mut Vec<String>,
) -> Result<Plan, Fault> {
    let mut found = api.subscriptions().await?;
    found.retain(|subscription| posts_to(subscription, url));
    // The one that works best is the one to keep.
    found.sort_by_key(|subscription| (!subscription.is_active, !subscription.has_leads));
    let mut found = found.into_iter();
    let Some(mut subscription) = found.next() else { return Ok(Plan::Create) };
    let others: Vec<String> = found.map(|other| other.id).collect();
    if !others.is_empty() {
        notes.push(format!(
            "Close has more subscriptions for this address, each with a key of its own; delete what is not \
             needed: {}",
            others.join(", ")
        ));
    }
    if subscription.others > 0 {
        notes.push(format!(
            "{} also sends {} other kinds of events, which the webhook ignores",
            subscription.id, subscription.others
        ));
    }
    if let Some(error) = &subscription.latest_error {
        notes.push(format!("Close's latest error with {}: {error}", subscription.id));
    }
    let mut key = subscription.key.take();
    if key.is_none() {
        key = api.subscription(&subscription.id).await?.key;
    }
    if key.is_none() && !known.has_own(&subscription.id) {
        if !known.has_general() {
            let what = format!("{} posts to {url}, and {keys} has no key for it", subscription.id);
            return Err(Fault::new(Code::SubscriptionKeyUnknown, what));
        }
        notes.push(format!(
            "Close does not show the key of {} again; if it is none of those in {keys}, delete the \
             subscription in Close and run this again",
            subscription.id
        ));
    }
    Ok(Plan::Use(subscription, key))
}

/// What will be done, for people, and what it is called once it is done and before.
fn steps(plan: &Plan, url: &Url, known: &Keys, keys: &KeyPlace) -> (Vec<String>, &'static str, &'static str) {
    let keep = || format!("keep its key in {keys}");
    match plan {
        Plan::Create => {
            let create = format!("subscribe Close to {url} for new leads");
            (vec![create, keep()], "created", "would create")
        }
        Plan::Use(subscription, _) => {
            let id = &subscription.id;
            let mut steps = Vec::new();
            if keeps(plan, known) {
                steps.push(format!("keep the key of {id} in {keys}"));
            }
            let change = match (subscription.is_active, subscription.has_leads) {
                (true, true) => return (steps, "unchanged", "unchanged"),
                (false, true) => {
                    let why = subscription.pause_reason.as_deref();
                    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                    format!("set the paused subscription {id}{why} active again")
                }
                (_, false) => format!("have the subscription {id} send new leads"),
            };
            steps.push(format!("{change} at {url}"));
            (steps, "activated", "would activate")
        }
    }
}

/// Whether a key is to be kept that is not there yet.
fn keeps(plan: &Plan, known: &Keys) -> bool {
    match plan {
        Plan::Create => true,
        Plan::Use(subscription, Some(key)) => !known.has(&subscription.id, key.expose()),
        Plan::Use(_, None) => false,
    }
}

fn key_state(plan: &Plan, known: &Keys, new: bool) -> &'static str {
    match plan {
        _ if new => "kept",
        Plan::Use(subscription, None) if !known.has_own(&subscription.id) => "unknown",
        _ => "already kept",
    }
}

/// Makes the subscription, and takes it away again where its key cannot be kept: what it signs would be
/// refused for three days.
async fn create(api: &CloseApi, url: &Url, keys: &KeyPlace) -> Result<(String, bool), Fault> {
    let made = api.subscribe(url).await?;
    let kept = async {
        let key = match made.key {
            Some(key) => Some(key),
            None => api.subscription(&made.id).await?.key,
        };
        let key = key.ok_or_else(|| {
            Fault::new(Code::SubscriptionKeyUnknown, format!("Close made {} and showed no key", made.id))
        })?;
        keys.keep(&made.id, key.expose()).await
    };
    match kept.await {
        Ok(new) => Ok((made.id, new)),
        Err(fault) => {
            let undone = match api.unsubscribe(&made.id).await {
                Ok(()) => format!("the new subscription {} was taken away again", made.id),
                Err(other) => format!("delete the new subscription {} in Close ({})", made.id, other.what),
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
