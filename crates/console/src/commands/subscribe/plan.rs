//! What there is to do for Close to call the webhook.

use close::client::{CloseApi, CloseSecret, Subscription};
use close::signature::Keys;
use outbound::address::{Similarity, similarity, unreachable_reason};
use pipeline::{Code, Fault};
use url::Url;
use web::shown;

use super::{keys::KeyPlace, trial};

/// What there is to do.
#[derive(Debug)]
pub(super) enum Plan {
    Create,
    /// The subscription, and its key where Close shows it.
    Use(Box<Subscription>, Option<CloseSecret>),
}

/// What a plan is made with.
pub(super) struct Planner<'a> {
    pub(super) api: &'a CloseApi,
    /// The keys that the pipeline has.
    pub(super) known: &'a Keys,
    /// Where it has them.
    pub(super) keys: &'a KeyPlace,
    /// The stack's own webhook, where the pipeline is one.
    pub(super) of_stack: Option<&'a Url>,
    /// Whether somebody insists.
    pub(super) force: bool,
}

impl Planner<'_> {
    /// Looks for a subscription that posts to `url`, and adds to `notes` what is worth knowing.
    ///
    /// # Errors
    /// That of Close's API, [`Code::CloseRefuses`] where there is one for nearly the same address and nobody insists, or
    /// as [`Planner::adopt`].
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
        // The one that works best is the one to keep.
        same.sort_by_key(|it| (!it.is_active, !it.has_leads, it.filter.is_some(), !self.knows(it)));
        let mut same = same.into_iter();
        let best = same.next();
        if !near.is_empty() {
            let usable = near
                .iter()
                .any(|(_, it)| it.url.as_ref().is_some_and(|url| unreachable_reason(url).is_none()));
            let near = near.into_iter().map(|(named, _)| named).collect::<Vec<_>>().join("; ");
            // It may be meant for this webhook, and then every lead would come twice or by the wrong way.
            if best.is_none() && !self.force {
                let use_it = if usable { "subscribe to that address, " } else { "" };
                let what = format!("{near}: {use_it}delete it in Close, or make a second one with --force");
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
        let (subscription, key) = self.adopt(subscription, url, notes).await?;
        Ok(Plan::Use(Box::new(subscription), key))
    }

    /// A subscription for the address that is to be used, and its key where Close shows it. Its own spelling of the
    /// address is tried where it is another.
    ///
    /// # Errors
    /// [`Code::SubscriptionKeyUnknown`] where its key is not to be had, as [`trial::of`], or that of Close's API.
    pub(super) async fn adopt(
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
        notes.extend(remarks(&subscription));
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
                "Close does not show the key of {} again; if it is none of those in {keys}, delete the \
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

/// A subscription that is nearly the one.
fn named(subscription: &Subscription, differences: &[&str]) -> String {
    let (id, url) = (&subscription.id, subscription.shown_url());
    let paused = if subscription.is_active { "" } else { "the paused " };
    format!("Close has {paused}{id}, which posts to {url} and differs in {}", differences.join(" and "))
}

/// What is worth knowing of a subscription that is used.
fn remarks(subscription: &Subscription) -> Vec<String> {
    let id = &subscription.id;
    let mut notes = Vec::new();
    if let Some(filter) = &subscription.filter {
        notes.push(format!(
            "{id} sends only the new leads where {filter}; no other arrives. To have them all, delete it in Close and \
             run this again, or give its events without the filter to Close's API"
        ));
    }
    if !subscription.verifies_certificate {
        notes.push(format!(
            "Close does not check the certificate of the webhook (verify_ssl of {id} is false), so anybody in between \
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

/// What is missing once a paused subscription is set active again: Close drops what it could not deliver.
pub(super) fn missed(subscription: &Subscription) -> String {
    let id = &subscription.id;
    let since = match &subscription.changed_at {
        Some(at) => format!("Close shows {id} as last changed at {at} UTC, and "),
        None => String::new(),
    };
    format!(
        "Close does not send what it could not deliver to {id}, nor the leads that were created while it was paused: \
         {since}a subscription that it pauses by itself has failed for three days before. LookupOptions in Close for the leads \
         created since then, and take in each that `leadops leads` lacks: its entry of GET \
         /api/v1/event/?object_type=lead&action=created, where Close has it for 30 days, goes as \
         {{\"subscription_id\": \"{id}\", \"event\": …}} into a file for `leadops send`"
    )
}

/// What it is called that a subscription is used, once it is done and before.
pub(super) fn outcome(subscription: &Subscription) -> (&'static str, &'static str) {
    match subscription.is_active && subscription.has_leads {
        true => ("unchanged", "unchanged"),
        false => ("activated", "would activate"),
    }
}

impl Plan {
    /// The subscription that is there already.
    pub(super) fn subscription(&self) -> Option<&Subscription> {
        match self {
            Self::Create => None,
            Self::Use(subscription, _) => Some(subscription),
        }
    }

    /// What will be done, for people, and what it is called once it is done and before.
    pub(super) fn steps(
        &self,
        url: &Url,
        known: &Keys,
        keys: &KeyPlace,
    ) -> (Vec<String>, &'static str, &'static str) {
        let url = shown(url);
        match self {
            Self::Create => {
                let create = format!("subscribe Close to {url} for new leads");
                (vec![create, format!("keep its key in {keys}")], "created", "would create")
            }
            Self::Use(subscription, _) => {
                let id = &subscription.id;
                let mut steps = Vec::new();
                if self.keeps(known) {
                    steps.push(format!("keep the key of {id} in {keys}"));
                }
                let (done, before) = outcome(subscription);
                let change = match (subscription.is_active, subscription.has_leads) {
                    (true, true) => return (steps, done, before),
                    (false, true) => {
                        let why = subscription.pause_reason.as_deref();
                        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                        format!("set the paused subscription {id}{why} active again")
                    }
                    (_, false) => format!("have the subscription {id} send new leads"),
                };
                steps.push(format!("{change} at {url}"));
                (steps, done, before)
            }
        }
    }

    /// Whether a key is to be kept that is not there yet.
    pub(super) fn keeps(&self, known: &Keys) -> bool {
        match self {
            Self::Create => true,
            Self::Use(subscription, Some(key)) => !known.has(&subscription.id, key.expose()),
            Self::Use(_, None) => false,
        }
    }

    /// Whether the pipeline uses the key with its present configuration; of a subscription that is yet to be made it does
    /// not.
    pub(super) fn is_in_force(&self, keys: &KeyPlace) -> bool {
        match self {
            Self::Create => false,
            Self::Use(subscription, key) => {
                keys.is_in_force(&subscription.id, key.as_ref().map(CloseSecret::expose))
            }
        }
    }

    /// How it stands with the key, `new` where it was kept just now.
    pub(super) fn key_state(&self, known: &Keys, new: bool) -> &'static str {
        match self {
            _ if new => "kept",
            Self::Use(subscription, None) if !known.has_own(&subscription.id) => "unknown",
            _ => "already kept",
        }
    }
}
