//! What has to be done so that Close calls the webhook.

use close::client::{CloseApi, CloseSecret, Subscription};
use close::signature::Keys;
use outbound::address::{Similarity, similarity, unreachable_reason};
use pipeline::{Code, Fault};
use url::Url;
use web::shown;

use super::{keys::KeyPlace, trial};

/// What has to be done.
#[derive(Debug)]
pub(super) enum Plan {
    Create,
    /// The subscription, and its key where Close shows it.
    Use(Box<Subscription>, Option<CloseSecret>),
}

/// What a plan is made from.
pub(super) struct Planner<'a> {
    pub(super) api: &'a CloseApi,
    /// The keys that the pipeline has.
    pub(super) known: &'a Keys,
    /// Where they are stored.
    pub(super) keys: &'a KeyPlace,
    /// The stack's own webhook, if the pipeline is a stack.
    pub(super) of_stack: Option<&'a Url>,
    /// Whether `--force` is given.
    pub(super) force: bool,
}

impl Planner<'_> {
    /// Looks for a subscription that posts to `url`, and adds what is worth knowing to `notes`.
    ///
    /// # Errors
    /// That of Close's API, [`Code::CloseRefuses`] where there is one for a similar address and no `--force`, or as
    /// [`Planner::reuse`].
    pub(super) async fn plan(&self, url: &Url, notes: &mut Vec<String>) -> Result<Plan, Fault> {
        let mut same = Vec::new();
        let mut near = Vec::new();
        for subscription in self.api.subscriptions().await? {
            match subscription.url.as_ref().map(|there| similarity(there, url)) {
                Some(Similarity::Same) => same.push(subscription),
                Some(Similarity::Similar(differences)) => {
                    near.push((named(&subscription, &differences), subscription))
                }
                Some(Similarity::Different) | None => {}
            }
        }
        // The one that works best comes first.
        same.sort_by_key(|it| (!it.is_active, !it.has_leads, it.filter.is_some(), !self.knows(it)));
        let mut same = same.into_iter();
        let best = same.next();
        if !near.is_empty() {
            let usable = near
                .iter()
                .any(|(_, it)| it.url.as_ref().is_some_and(|url| unreachable_reason(url).is_none()));
            let near = near.into_iter().map(|(named, _)| named).collect::<Vec<_>>().join("; ");
            // It may be meant for this webhook, and then every lead would arrive twice or at the wrong address.
            if best.is_none() && !self.force {
                let use_it = if usable { "subscribe to that address, " } else { "" };
                let what = format!("{near}: {use_it}delete it in Close, or create a second one with --force");
                return Err(Fault::new(Code::CloseRefuses, what));
            }
            notes.push(near);
        }
        let Some(subscription) = best else { return Ok(Plan::Create) };
        let others: Vec<String> = same.map(|other| other.id).collect();
        if !others.is_empty() {
            notes.push(format!(
                "Close has more subscriptions for this address, each with a key of its own; delete what is not \
                 needed: {}",
                others.join(", ")
            ));
        }
        let (subscription, key) = self.reuse(subscription, url, notes).await?;
        Ok(Plan::Use(Box::new(subscription), key))
    }

    /// A subscription for the address that is to be used, and its key if Close shows it. If it spells the address
    /// differently, that spelling is tried.
    ///
    /// # Errors
    /// [`Code::SubscriptionKeyUnknown`] where its key cannot be had, as [`trial::of`], or that of Close's API.
    pub(super) async fn reuse(
        &self,
        mut subscription: Subscription,
        url: &Url,
        notes: &mut Vec<String>,
    ) -> Result<(Subscription, Option<CloseSecret>), Fault> {
        if let Some(there) = subscription.url.as_ref().filter(|there| *there != url) {
            let id = &subscription.id;
            notes.push(format!("{id} posts to {}, which is the same webhook", subscription.shown_url()));
            notes.extend(trial::of(there, self.of_stack, self.known, self.force).await?);
        }
        notes.extend(notes_about(&subscription));
        let mut key = subscription.key.take();
        if key.is_none() {
            key = self.api.subscription(&subscription.id).await?.key;
        }
        if key.is_none() && !self.known.has_own(&subscription.id) {
            let keys = self.keys;
            if !self.known.has_general() {
                let what =
                    format!("{} posts to {}, and {keys} has no key for it", subscription.id, shown(url));
                return Err(Fault::new(Code::SubscriptionKeyUnknown, what));
            }
            notes.push(format!(
                "Close does not show the key of {} again; if it is not one of those in {keys}, delete the \
                 subscription in Close and run this again",
                subscription.id
            ));
        }
        Ok((subscription, key))
    }

    fn knows(&self, subscription: &Subscription) -> bool {
        match &subscription.key {
            Some(key) => self.known.has(&subscription.id, key.expose()),
            None => self.known.has_own(&subscription.id),
        }
    }
}

/// A subscription for a similar address.
fn named(subscription: &Subscription, differences: &[&str]) -> String {
    let (id, url) = (&subscription.id, subscription.shown_url());
    let paused = if subscription.is_active { "" } else { "the paused " };
    format!("Close has {paused}{id}, which posts to {url} and differs in {}", differences.join(" and "))
}

/// What is worth knowing about a subscription that is used.
fn notes_about(subscription: &Subscription) -> Vec<String> {
    let id = &subscription.id;
    let mut notes = Vec::new();
    if let Some(filter) = &subscription.filter {
        notes.push(format!(
            "{id} sends only the new leads where {filter}; no others arrive. To receive all of them, delete it in Close \
             and run this again, or set its events without the filter through Close's API"
        ));
    }
    if !subscription.verifies_certificate {
        notes.push(format!(
            "Close does not check the certificate of the webhook (verify_ssl of {id} is false), so anyone in between \
             could read the leads"
        ));
    }
    if subscription.others > 0 {
        notes.push(format!(
            "{id} also sends {} other kinds of events, which the webhook ignores",
            subscription.others
        ));
    }
    if let Some(error) = &subscription.latest_error {
        notes.push(format!("Close's latest error with {id}: {error}"));
    }
    notes
}

/// What is missing once a paused subscription is active again: Close drops what it could not deliver.
pub(super) fn missed(subscription: &Subscription) -> String {
    let id = &subscription.id;
    let since = match &subscription.changed_at {
        Some(at) => format!("Close shows {id} as last changed at {at} UTC, and "),
        None => String::new(),
    };
    format!(
        "Close does not send what it could not deliver to {id}, nor the leads that were created while it was paused: \
         {since}a subscription that it pauses on its own has failed for three days before. Look in Close for the leads \
         created since then, and add each that `leadops leads` lacks: its entry of GET \
         /api/v1/event/?object_type=lead&action=created, where Close has it for 30 days, goes as \
         {{\"subscription_id\": \"{id}\", \"event\": …}} into a file for `leadops send`"
    )
}

/// The result of using a subscription, once it is done and for a dry run.
pub(super) fn outcome(subscription: &Subscription) -> (&'static str, &'static str) {
    match subscription.is_active && subscription.has_leads {
        true => ("unchanged", "unchanged"),
        false => ("activated", "would activate"),
    }
}

impl Plan {
    /// The existing subscription.
    pub(super) fn subscription(&self) -> Option<&Subscription> {
        match self {
            Self::Create => None,
            Self::Use(subscription, _) => Some(subscription),
        }
    }

    /// What will be done, for people, and the result once it is done and for a dry run.
    pub(super) fn steps(
        &self,
        url: &Url,
        known: &Keys,
        keys: &KeyPlace,
    ) -> (Vec<String>, &'static str, &'static str) {
        let url = shown(url);
        match self {
            Self::Create => {
                let create = format!("create a subscription in Close that sends new leads to {url}");
                (vec![create, format!("store its key in {keys}")], "created", "would create")
            }
            Self::Use(subscription, _) => {
                let id = &subscription.id;
                let mut steps = Vec::new();
                if self.stores_key(known) {
                    steps.push(format!("store the key of {id} in {keys}"));
                }
                let (done, before) = outcome(subscription);
                let change = match (subscription.is_active, subscription.has_leads) {
                    (true, true) => return (steps, done, before),
                    (false, true) => {
                        let why = subscription.pause_reason.as_deref();
                        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                        format!("reactivate the paused subscription {id}{why}")
                    }
                    (_, false) => format!("add new leads to the events of the subscription {id}"),
                };
                steps.push(format!("{change}, which posts to {url}"));
                (steps, done, before)
            }
        }
    }

    /// Whether a key is to be stored that is not there yet.
    pub(super) fn stores_key(&self, known: &Keys) -> bool {
        match self {
            Self::Create => true,
            Self::Use(subscription, Some(key)) => !known.has(&subscription.id, key.expose()),
            Self::Use(_, None) => false,
        }
    }

    /// Whether the pipeline uses the key with its present configuration; never for a subscription that is not created yet.
    pub(super) fn is_in_use(&self, keys: &KeyPlace) -> bool {
        match self {
            Self::Create => false,
            Self::Use(subscription, key) => {
                keys.is_in_use(&subscription.id, key.as_ref().map(CloseSecret::expose))
            }
        }
    }

    /// The state of the key; `new` if it was stored just now.
    pub(super) fn key_state(&self, known: &Keys, new: bool) -> &'static str {
        match self {
            _ if new => "kept",
            Self::Use(subscription, None) if !known.has_own(&subscription.id) => "unknown",
            _ => "already kept",
        }
    }
}
