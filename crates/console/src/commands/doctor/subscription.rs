//! What Close says of its subscriptions, and whether the pipeline holds the keys that they sign with.

mod address;
mod key;

use close::client::{CloseApi, Subscription};
use close::signature::Keys;
use futures_util::future::{join_all, ready};
use outbound::address::{Similarity, leads_to_webhook, similarity};
use pipeline::{Code, Fault, webhook};
use url::Url;

use super::Check;
use crate::{
    commands::subscribe::api,
    config::{Config, signature_keys},
};
use key::KeyState;

const NAME: &str = "close";

/// The subscriptions that post to `webhook`, or, where nobody but its proxy knows the pipeline's address, to one with
/// the webhook's path; and those that the pipeline holds a key for. `keys` is asked where Close is.
pub(super) async fn check(
    config: &Config,
    webhook: Option<&Url>,
    keys: impl Future<Output = Result<Keys, Fault>>,
) -> Vec<Check> {
    if !config.has_secret("CLOSE_API_KEY") {
        let what =
            "whether Close posts here, and with which key, was not looked at: CLOSE_API_KEY is not set";
        return vec![Check::note(NAME, what)];
    }
    let asked = async {
        let api = api(config)?;
        let all = api.subscriptions().await?;
        Ok((api, all))
    };
    let (api, all) = match asked.await {
        Ok(found) => found,
        Err(fault) => return vec![Check::bad(NAME, "failed", &fault)],
    };
    let keys = keys.await;
    let known = keys.as_ref().ok();
    let strays = known.map(|keys| key::strays(keys, &all)).unwrap_or_default();
    let ours = all.iter().filter(|subscription| is_ours(subscription, webhook, known)).cloned();
    let ours = join_all(ours.map(|subscription| with_key(&api, subscription))).await;
    if ours.is_empty() {
        return [vec![missing(webhook, &all)], strays].concat();
    }
    let found: Vec<Found> = ours
        .into_iter()
        .map(|subscription| Found { key: KeyState::of(&subscription, keys.as_ref()), subscription })
        .collect();
    let mut checks: Vec<Check> = found.iter().flat_map(|it| of(it, &found)).collect();
    checks.extend(strays);
    // The stack's own address is tried by a check of its own.
    let elsewhere = found.iter().filter(|it| it.subscription.is_active && !is_of_others(it, &found));
    let elsewhere =
        elsewhere.filter_map(|it| it.subscription.url.as_ref()).filter(|url| Some(*url) != webhook);
    let none = Keys::none();
    checks.extend(address::checks(elsewhere, known.unwrap_or(&none)).await);
    checks
}

/// The keys of an embedded pipeline: those of its configuration.
pub(super) fn configured(config: &Config) -> impl Future<Output = Result<Keys, Fault>> {
    ready(signature_keys(config))
}

/// A subscription, and how the pipeline stands to its key.
struct Found {
    subscription: Subscription,
    key: KeyState,
}

fn is_ours(subscription: &Subscription, webhook: Option<&Url>, keys: Option<&Keys>) -> bool {
    let posts_to_us = subscription.url.as_ref().is_some_and(|url| match webhook {
        Some(webhook) => similarity(url, webhook) == Similarity::Same,
        None => leads_to_webhook(url),
    });
    posts_to_us || keys.is_some_and(|keys| keys.has_own(&subscription.id))
}

/// The subscription with its key, which Close may show of a single one alone.
async fn with_key(api: &CloseApi, subscription: Subscription) -> Subscription {
    if subscription.key.is_some() {
        return subscription;
    }
    // One that cannot be asked for is one whose key is not shown.
    let key = api.subscription(&subscription.id).await.ok().and_then(|single| single.key);
    Subscription { key, ..subscription }
}

fn missing(webhook: Option<&Url>, all: &[Subscription]) -> Check {
    let Some(webhook) = webhook else {
        let what = format!("Close has no subscription that posts to an address ending in {}", webhook::PATH);
        return Check::bad(NAME, "failed", &Fault::new(Code::SubscriptionMissing, what));
    };
    let near = all.iter().filter_map(|subscription| {
        let Similarity::Similar(differences) = similarity(subscription.url.as_ref()?, webhook) else {
            return None;
        };
        let (id, url) = (&subscription.id, subscription.shown_url());
        Some(format!("{id} posts to {url}, which differs in {}", differences.join(" and ")))
    });
    let near: Vec<String> = near.collect();
    let near = if near.is_empty() { String::new() } else { format!("; {}", near.join("; ")) };
    let what = format!("Close has no subscription that posts to {}{near}", web::shown(webhook));
    Check::bad(NAME, "failed", &Fault::new(Code::SubscriptionMissing, what))
}

/// Whether it looks like the subscription of another pipeline in the same organisation: one that posts elsewhere, with
/// a key that is not held here, beside one that is this pipeline's for certain.
fn is_of_others(it: &Found, all: &[Found]) -> bool {
    let certain =
        |other: &&Found| other.subscription.is_active && matches!(other.key, KeyState::Ours | KeyState::Own);
    let Some(url) = &it.subscription.url else { return false };
    let posts_elsewhere = |other: &Found| {
        other.subscription.url.as_ref().is_some_and(|other| similarity(other, url) == Similarity::Different)
    };
    let mut certain = all.iter().filter(certain).peekable();
    matches!(it.key, KeyState::Foreign | KeyState::None)
        && certain.peek().is_some()
        && certain.all(posts_elsewhere)
}

/// One line, unless several things are wrong with it.
fn of(it: &Found, all: &[Found]) -> Vec<Check> {
    let Subscription { id, is_active, has_leads, health, pause_reason, latest_error, .. } = &it.subscription;
    let mut told = vec![format!("{id} is {}", if *is_active { "active" } else { "paused" })];
    told.extend(pause_reason.clone());
    told.extend(health.clone());
    told.extend(latest_error.as_ref().map(|error| format!("latest error: {error}")));
    if !it.subscription.verifies_certificate {
        told.push("without checking the certificate".to_owned());
    }
    let detail = format!("{}, to {}", told.join(", "), it.subscription.shown_url());
    if is_of_others(it, all) {
        let what = format!("{detail}: its key is not ours, which is right where that is another pipeline's");
        return vec![Check::note(NAME, what)];
    }
    // What another one makes up for is no failure.
    let others = || all.iter().filter(|other| other.subscription.id != *id);
    let posts_here = |other: &Found| match (&other.subscription.url, &it.subscription.url) {
        (Some(other), Some(url)) => similarity(other, url) == Similarity::Same,
        _ => false,
    };
    let is_ours = |other: &Found| matches!(other.key, KeyState::Ours | KeyState::Own) || posts_here(other);
    let made_up_for =
        others().any(|other| other.subscription.is_complete() && other.key.is_good() && is_ours(other));
    let grade = if made_up_for { "warning" } else { "failed" };
    let mut problems = Vec::new();
    if !has_leads {
        let what = format!("{detail}: new leads are not among its events");
        problems.push(Check::bad(NAME, grade, &Fault::new(Code::SubscriptionMissing, what)));
    }
    let is_well = latest_error.is_none() && health.as_deref().is_none_or(|health| health == "healthy");
    let filter = it.subscription.filter.as_ref();
    let filtered =
        filter.map_or_else(String::new, |filter| format!(": it sends only the new leads where {filter}"));
    if !is_active || !is_well || filter.is_some() {
        let unwell = Fault::new(Code::SubscriptionUnwell, format!("{detail}{filtered}"));
        problems.push(Check::bad(NAME, if *is_active { "warning" } else { grade }, &unwell));
    }
    let (key, said) = it.key.check(&it.subscription, if *is_active { "failed" } else { "warning" });
    problems.extend(key);
    if problems.is_empty() { vec![Check::ok(NAME, format!("{detail}, {said}"))] } else { problems }
}
