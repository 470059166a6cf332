//! Close's subscriptions, and whether the pipeline has the keys that they sign with.

mod address;
mod key;

use close::client::{CloseApi, Subscription};
use close::signature::Keys;
use futures_util::future::{join_all, ready};
use outbound::address::{Similarity, leads_to_webhook, similarity};
use pipeline::{Code, Fault, webhook};
use url::Url;

use super::{Check, Grade};
use crate::{
    commands::subscribe::api,
    config::{Config, signature_keys},
};
use key::KeyState;

const NAME: &str = "close";

/// Checks the subscriptions that post to `webhook`, or, if only its proxy knows the pipeline's address, to any address
/// with the webhook's path; and those that the pipeline has a key for. `keys` is read only if Close is asked.
pub(super) async fn check(
    config: &Config,
    webhook: Option<&Url>,
    keys: impl Future<Output = Result<Keys, Fault>>,
) -> Vec<Check> {
    if config.secret_source("CLOSE_API_KEY").is_none() {
        let what = "not checked whether Close posts here, and with which key: CLOSE_API_KEY is not set";
        return vec![Check::note(NAME, what)];
    }
    let asked = async {
        let api = api(config)?;
        let all = api.subscriptions().await?;
        Ok((api, all))
    };
    let (api, all) = match asked.await {
        Ok(found) => found,
        Err(fault) => return vec![Check::bad(NAME, Grade::Failed, &fault)],
    };
    let keys = keys.await;
    let known = keys.as_ref().ok();
    let orphaned_keys = known.map(|keys| key::orphaned_keys(keys, &all)).unwrap_or_default();
    let ours = all.iter().filter(|subscription| is_ours(subscription, webhook, known)).cloned();
    let ours = join_all(ours.map(|subscription| with_key(&api, subscription))).await;
    if ours.is_empty() {
        return [vec![missing(webhook, &all)], orphaned_keys].concat();
    }
    let found: Vec<CheckedSubscription> = ours
        .into_iter()
        .map(|subscription| CheckedSubscription {
            key: KeyState::of(&subscription, keys.as_ref()),
            subscription,
        })
        .collect();
    let mut checks: Vec<Check> = found.iter().flat_map(|it| of(it, &found)).collect();
    checks.extend(orphaned_keys);
    // The stack's own address has its own check.
    let addresses = found.iter().filter(|it| it.subscription.is_active && !is_of_others(it, &found));
    let addresses =
        addresses.filter_map(|it| it.subscription.url.as_ref()).filter(|url| Some(*url) != webhook);
    let none = Keys::none();
    checks.extend(address::checks(addresses, known.unwrap_or(&none)).await);
    checks
}

/// The keys of an embedded pipeline: those of its configuration.
pub(super) fn configured(config: &Config) -> impl Future<Output = Result<Keys, Fault>> {
    ready(signature_keys(config))
}

/// A subscription, and whether the pipeline has its key.
struct CheckedSubscription {
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

/// The subscription with its key, which Close may show only for a single one.
async fn with_key(api: &CloseApi, subscription: Subscription) -> Subscription {
    if subscription.key.is_some() {
        return subscription;
    }
    // If it cannot be read, its key counts as not shown.
    let key = api.subscription(&subscription.id).await.ok().and_then(|single| single.key);
    Subscription { key, ..subscription }
}

fn missing(webhook: Option<&Url>, all: &[Subscription]) -> Check {
    let Some(webhook) = webhook else {
        let what = format!("Close has no subscription that posts to an address ending in {}", webhook::PATH);
        return Check::bad(NAME, Grade::Failed, &Fault::new(Code::SubscriptionMissing, what));
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
    Check::bad(NAME, Grade::Failed, &Fault::new(Code::SubscriptionMissing, what))
}

/// Whether it looks like the subscription of another pipeline in the same organisation: it posts elsewhere, with a key
/// that this pipeline does not have, and another subscription certainly belongs to this pipeline.
fn is_of_others(it: &CheckedSubscription, all: &[CheckedSubscription]) -> bool {
    let certain = |other: &&CheckedSubscription| {
        other.subscription.is_active && matches!(other.key, KeyState::Held | KeyState::HeldForSubscription)
    };
    let Some(url) = &it.subscription.url else { return false };
    let posts_elsewhere = |other: &CheckedSubscription| {
        other.subscription.url.as_ref().is_some_and(|other| similarity(other, url) == Similarity::Different)
    };
    let mut certain = all.iter().filter(certain).peekable();
    matches!(it.key, KeyState::Different | KeyState::Missing)
        && certain.peek().is_some()
        && certain.all(posts_elsewhere)
}

/// The checks of a subscription: one, unless several things are wrong with it.
fn of(it: &CheckedSubscription, all: &[CheckedSubscription]) -> Vec<Check> {
    let Subscription { id, is_active, has_leads, health, pause_reason, latest_error, .. } = &it.subscription;
    let mut parts = vec![format!("{id} is {}", if *is_active { "active" } else { "paused" })];
    parts.extend(pause_reason.clone());
    parts.extend(health.clone());
    parts.extend(latest_error.as_ref().map(|error| format!("latest error: {error}")));
    if !it.subscription.verifies_certificate {
        parts.push("without checking the certificate".to_owned());
    }
    let detail = format!("{}, to {}", parts.join(", "), it.subscription.shown_url());
    if is_of_others(it, all) {
        let what = format!("{detail}: its key is not ours, which is fine if it belongs to another pipeline");
        return vec![Check::note(NAME, what)];
    }
    // No failure if another subscription makes up for it.
    let others = || all.iter().filter(|other| other.subscription.id != *id);
    let posts_here = |other: &CheckedSubscription| match (&other.subscription.url, &it.subscription.url) {
        (Some(other), Some(url)) => similarity(other, url) == Similarity::Same,
        _ => false,
    };
    let is_ours = |other: &CheckedSubscription| {
        matches!(other.key, KeyState::Held | KeyState::HeldForSubscription) || posts_here(other)
    };
    let is_compensated =
        others().any(|other| other.subscription.is_complete() && other.key.is_good() && is_ours(other));
    let grade = if is_compensated { Grade::Warning } else { Grade::Failed };
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
        problems.push(Check::bad(NAME, if *is_active { Grade::Warning } else { grade }, &unwell));
    }
    let (key, ending) =
        it.key.check(&it.subscription, if *is_active { Grade::Failed } else { Grade::Warning });
    problems.extend(key);
    if problems.is_empty() { vec![Check::ok(NAME, format!("{detail}, {ending}"))] } else { problems }
}
