//! The oracle: it sees what truly happens and says which promise is broken.
//!
//! Some promises are checked where they could be broken, the moment a destination takes an alert or the owner
//! directory is asked. That nothing is lost is checked after each step: every accepted lead that a destination
//! has not been notified of must still be carried by something, a queued message, a dead letter, a copy of a
//! deleted one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lead::{AlertKind, EnrichedLead, LeadId, OwnerStatus, UNASSIGNED, keys};
use pipeline::{
    Code, Ended, Entry, JournalEvent, State,
    destination::DestinationId,
    job::AlertId,
    ports::Queue,
    receipt::{Receipt, ReceiptState},
};

use super::{
    Model,
    deployment::{Deployment, Place},
    messages::{Meaning, Meanings},
    process::ProcessFaults,
    shown::ShownAlert,
    truth::{Answer, End, LeadTruth, Members, Promise, SentAlert, Truth},
};

const MINUTE: Duration = Duration::from_secs(60);

/// How long a lead that was opened again may not be among the open leads.
const UNSEEN: Duration = Duration::from_secs(15 * 60);

/// A destination is about to be given these alerts: which of them do their receipts say were sent?
pub fn sent_before(faults: &ProcessFaults, destination: &DestinationId, shown: &[ShownAlert]) -> Vec<bool> {
    shown
        .iter()
        .map(|shown| {
            // It is one of these, and the message does not say which.
            let receipts = receipts(&faults.model, destination, shown);
            !receipts.is_empty() && receipts.iter().all(|receipt| receipt.state == ReceiptState::Sent)
        })
        .collect()
}

/// The receipts that can be that of an alert: none for a resend, each of which has an id of its own.
fn receipts(model: &Model, destination: &DestinationId, shown: &ShownAlert) -> Vec<Receipt> {
    let stored = |alert: &AlertId| {
        let key = keys::receipt(&shown.lead, destination.as_str(), alert.as_str());
        serde_json::from_slice::<Receipt>(&model.stored(&key)?).ok()
    };
    match shown.kind {
        AlertKind::New => stored(&AlertId::new_lead()).into_iter().collect(),
        AlertKind::FollowUp => {
            let owners = model.truth().leads.get(&shown.lead).map(|known| known.owners.clone());
            let owners: BTreeSet<String> = owners.unwrap_or_default().into_iter().collect();
            let numbered = |owner: &String| {
                (1..).map_while(|number| stored(&AlertId::follow_up(owner, number))).collect()
            };
            owners.iter().flat_map::<Vec<Receipt>, _>(numbered).collect()
        }
        AlertKind::Resend | AlertKind::Trial => Vec::new(),
    }
}

/// Whether somebody may be sending an alert now.
fn is_claimed(model: &Model, destination: &DestinationId, shown: &ShownAlert) -> bool {
    let now = pipeline::ports::Clock::now(model.clock.as_ref());
    let receipts = receipts(model, destination, shown);
    let claimed = |receipt: &Receipt| matches!(receipt.state, ReceiptState::Claimed { until } if until > now);
    matches!(shown.kind, AlertKind::Resend | AlertKind::Trial) || receipts.iter().any(claimed)
}

/// An enriched lead was written.
pub fn enriched(model: &Model, key: &str) {
    let Some(body) = model.stored(key) else { return };
    let Ok(enriched) = serde_json::from_slice::<EnrichedLead>(&body) else { return };
    let at = model.clock.elapsed();
    let mut truth = model.truth();
    let Some(known) = truth.leads.get_mut(&enriched.lead_id) else { return };
    known.enriched.get_or_insert(at);
    let named = enriched.named_owner().into_owned();
    if known.owners.last() != Some(&named) {
        known.owners.push(named);
    }
}

/// Whether a receipt says that its alert was sent.
fn is_sent(model: &Model, key: &str) -> bool {
    let receipt = model.stored(key).and_then(|body| serde_json::from_slice::<Receipt>(&body).ok());
    receipt.is_some_and(|receipt| receipt.state == ReceiptState::Sent)
}

/// A destination has taken these alerts: for everybody there, or for those alone whom they had not reached before.
pub fn taken(
    model: &Model,
    destination: &DestinationId,
    alerts: Vec<ShownAlert>,
    sent_before: &[bool],
    is_rest: bool,
) {
    let at = model.clock.elapsed();
    let claimed: Vec<bool> = alerts.iter().map(|shown| is_claimed(model, destination, shown)).collect();
    let mut truth = model.truth();
    let members = truth.members.clone();
    for ((shown, sent_before), claimed) in alerts.into_iter().zip(sent_before).zip(claimed) {
        model.trace.line(at, || format!("{} has taken {shown:?}", destination.label()));
        let lead = shown.lead.clone();
        if shown.kind == AlertKind::Trial {
            if !is_rest {
                tried(&mut truth, destination, &shown, at);
            }
            continue;
        }
        let Some(known) = truth.leads.get_mut(&lead) else {
            let what = "an alert about a lead that nobody sent".to_owned();
            truth.broken(Promise::NobodyIn, Some(&lead), at, what);
            continue;
        };
        let same = |alert: &&SentAlert| {
            alert.destination == *destination && alert.shown.kind == shown.kind && !alert.is_rest
        };
        let before = known.alerts.iter().filter(same).count() as u64;
        let unlabelled = known.alerts.iter().filter(same).filter(|alert| !alert.shown.repeat).count() as u64;
        let allowed = match shown.kind {
            AlertKind::Resend => known.resends.get(destination).copied().unwrap_or(0),
            AlertKind::New => 1,
            // One for each change of the owner.
            AlertKind::FollowUp => known.owners.len().saturating_sub(1) as u64,
            AlertKind::Trial => 0,
        };
        let doubled = !shown.repeat && !is_rest && unlabelled >= allowed;
        let wrong_owner = wrong_owner(known, &members, &shown);
        let (repeat, kind) = (shown.repeat, shown.kind);
        known.alerts.push(SentAlert { at, destination: destination.clone(), shown, claimed, is_rest });
        if repeat && !is_rest {
            truth.labelled.0 += 1;
            truth.labelled.1 += u64::from(before >= allowed);
        }
        if doubled {
            let what = format!("{} was sent it too often, {kind:?}, without a label", destination.label());
            truth.broken(Promise::Once, Some(&lead), at, what);
        }
        if *sent_before {
            let what =
                format!("{} was sent it again, {kind:?}, though its receipt says sent", destination.label());
            truth.broken(Promise::Once, Some(&lead), at, what);
        }
        if let Some(what) = wrong_owner {
            truth.broken(Promise::Owner, Some(&lead), at, what);
        }
    }
}

/// A trial was taken: no more of them than were asked for, but for labelled ones.
fn tried(truth: &mut Truth, destination: &DestinationId, shown: &ShownAlert, at: Duration) {
    let (asked, taken) = truth.trials.entry(destination.clone()).or_default();
    *taken += u64::from(!shown.repeat);
    if taken > asked {
        let what = format!("{} trials of {asked} on {}, without a label", taken, destination.label());
        truth.broken(Promise::Trial, Some(&shown.lead), at, what);
    }
}

/// A mail that was for `meant` has reached `got` of them; `receipt` is the key of its receipt.
pub fn reached(model: &Model, receipt: &str, shown: &ShownAlert, meant: &[&str], got: &[&str]) {
    let at = model.clock.elapsed();
    let mut truth = model.truth();
    let reached = truth.reached.entry(receipt.to_owned()).or_default();
    if reached.meant.is_empty() {
        reached.meant = meant.iter().map(|one| (*one).to_owned()).collect();
    }
    let mut twice = None;
    for one in got {
        let times = reached.got.entry((*one).to_owned()).or_default();
        *times += u64::from(!shown.repeat);
        if *times > 1 {
            twice = Some(format!("{one} got the alert of {receipt} {times} times, without a label"));
        }
    }
    if let Some(what) = twice {
        truth.broken(Promise::Once, Some(&shown.lead), at, what);
    }
}

/// What is wrong with what an alert says of the owner.
fn wrong_owner(lead: &LeadTruth, members: &[Members], shown: &ShownAlert) -> Option<String> {
    let says = |answer: &Answer| match shown.status {
        Some(status) => (answer.status, &answer.owner) == (status, &shown.owner),
        None => answer.short == shown.owner,
    };
    let right =
        shown.status.is_none() && shown.owner == UNASSIGNED || possible(lead, members).iter().any(says);
    (!right).then(|| {
        format!(
            "the alert says {:?} ({:?}), and what was read is {:?}",
            shown.owner,
            shown.status,
            possible(lead, members)
        )
    })
}

/// Everything that may be said of a lead's owner, after what has been read of it and of the members.
fn possible(lead: &LeadTruth, members: &[Members]) -> Vec<Answer> {
    let read = lead.read.iter().flat_map(|users| members.iter().map(|members| meant(users, members)));
    // Where the members could not be read, an owner is somebody whom nobody knows.
    let failed = lead.answers.iter().any(|answer| answer.status == OwnerStatus::LookupFailed);
    let unread = lead.read.iter().filter(|_| failed).map(|users| {
        let owner = stranger(users.first().unwrap());
        Answer { status: OwnerStatus::LookupFailed, short: owner.clone(), owner }
    });
    lead.answers.iter().cloned().chain(read).chain(unread).collect()
}

/// How a user is named whom nobody knows.
fn stranger(user: &str) -> String {
    format!("Close user …{}", user.get(user.len() - 6..).unwrap())
}

/// What it means that the owner field names these users, where these are the members.
fn meant(users: &[String], members: &Members) -> Answer {
    // How each is named, and how much each counts.
    let named: Vec<(String, OwnerStatus)> = users
        .iter()
        .map(|user| match members.get(user) {
            Some((name, true)) => (name.clone(), OwnerStatus::Assigned),
            None => (stranger(user), OwnerStatus::LookupFailed),
            Some((name, false)) => (format!("{name} (departed)"), OwnerStatus::Departed),
        })
        .collect();
    let by_weight = [OwnerStatus::Assigned, OwnerStatus::LookupFailed, OwnerStatus::Departed];
    let first = by_weight.iter().find_map(|status| named.iter().find(|(_, other)| other == status));
    let Some(first) = first else { return Answer::none(OwnerStatus::Missing) };
    let others = named.iter().filter(|other| *other != first).map(|(name, _)| name.clone());
    let owner = [first.0.clone()].into_iter().chain(others).collect::<Vec<_>>().join(", ");
    let more = if named.len() > 1 { format!(" and {} more", named.len() - 1) } else { String::new() };
    Answer { status: first.1, owner, short: first.0.clone() + &more }
}

/// The pipeline has read whom the owner field of a lead names.
pub fn read(model: &Model, lead: &LeadId, users: Vec<String>) {
    if let Some(known) = model.truth().leads.get_mut(lead)
        && !known.read.contains(&users)
    {
        known.read.push(users);
    }
}

/// The pipeline has read the members.
pub fn members_read(model: &Model, members: Members) {
    let mut truth = model.truth();
    if !truth.members.contains(&members) {
        truth.members.push(members);
    }
}

/// A worker asks for a lead's owner: it processes the lead.
pub fn looked_up(model: &Model, lead: &LeadId) {
    let at = model.clock.elapsed();
    let mut truth = model.truth();
    let forward = truth.forward;
    let Some(known) = truth.leads.get(lead) else {
        truth.broken(Promise::NobodyIn, Some(lead), at, "a forged lead is processed".to_owned());
        return;
    };
    let Some((offered, forward_then)) = known.offered else { return };
    // A clock that was set forward has skipped some of the time.
    let waited = (at - offered) + (forward - forward_then);
    if waited < model.settings.delay && !known.requeued {
        let what = format!("processed {} ms after its webhook", waited.as_millis());
        truth.broken(Promise::NotEarly, Some(lead), at, what);
    }
}

/// The directory's answer has reached the worker.
pub fn answered(model: &Model, lead: &LeadId, answer: Answer) {
    if let Some(known) = model.truth().leads.get_mut(lead)
        && !known.answers.contains(&answer)
    {
        known.answers.push(answer);
    }
}

/// A genuine webhook about a lead was answered 2xx.
pub fn accepted(model: &Model, lead: &LeadId) {
    let at = model.clock.elapsed();
    let stored = model.stored(&keys::raw(&model.settings.source_prefix, lead));
    let mut truth = model.truth();
    let forward = truth.forward;
    let Some(known) = truth.leads.get_mut(lead) else { return };
    let stored_whole = stored.is_some_and(|stored| stored == known.body);
    known.accepted.get_or_insert((at, forward));
    if !stored_whole {
        truth.broken(
            Promise::Stored,
            Some(lead),
            at,
            "answered 2xx without the exact bytes stored".to_owned(),
        );
    }
}

/// The process `name` writes this to the journal.
pub fn journals(model: &Model, name: &str, entry: &Entry) {
    if entry.lead_id == Some(LeadId::of_trial()) {
        let (at, what) = (model.clock.elapsed(), format!("{name} wrote down what happened to one"));
        model.truth().broken(Promise::Trial, entry.lead_id.as_ref(), at, what);
    }
    let (JournalEvent::Duplicate { .. }, Some(lead)) = (&entry.event, &entry.lead_id) else { return };
    let at = model.clock.elapsed();
    let mut truth = model.truth();
    let sets = truth.clock_sets;
    let last = truth.repeated.insert((lead.clone(), name.to_owned()), (entry.at, sets));
    // Across a clock that was set nobody can say how long ago it was.
    if let Some((last, _)) = last.filter(|(_, then)| *then == sets)
        && entry.at.duration_since(last).unsigned_abs() < MINUTE
    {
        let what = format!("{name} wrote twice within a minute that its webhook had come again");
        truth.broken(Promise::Quiet, Some(lead), at, what);
    }
}

/// What the oracle remembers from step to step.
pub struct Oracle {
    model: Arc<Model>,
    meanings: Meanings,
    /// The leads that had not ended when the fault phase did, and how long after it each has.
    pub recovering: BTreeSet<LeadId>,
    /// How long after the fault phase leads ended.
    pub recovered: Vec<Duration>,
    /// Since when leads have not been where an operator sees them.
    unseen: BTreeMap<LeadId, Duration>,
}

/// What carries leads on.
#[derive(Default)]
struct Carried {
    /// Leads that will be processed.
    process: BTreeSet<LeadId>,
    /// First alerts that will be sent.
    notify: BTreeSet<(LeadId, DestinationId)>,
    /// Leads with a dead letter.
    dead: BTreeSet<LeadId>,
    /// Leads with a copy of a deleted dead letter.
    copies: BTreeSet<LeadId>,
}

impl Oracle {
    /// An oracle for a run.
    pub fn new(model: Arc<Model>) -> Self {
        Self {
            model,
            meanings: Meanings::default(),
            recovering: BTreeSet::new(),
            recovered: Vec::new(),
            unseen: BTreeMap::new(),
        }
    }

    fn carried(&mut self, deployment: &dyn Deployment) -> Carried {
        let mut carried = Carried::default();
        let meanings = &mut self.meanings;
        deployment.bodies(&mut |place, body| {
            for meaning in meanings.of(body) {
                let lead = match meaning {
                    Meaning::Process(lead) => {
                        carried.process.insert(lead.clone());
                        lead
                    }
                    Meaning::Notify(lead, destination) => {
                        carried.notify.insert((lead.clone(), destination.clone()));
                        lead
                    }
                    Meaning::Recheck(lead) | Meaning::Further(lead) => lead,
                };
                match place {
                    Place::Queue => {}
                    Place::Dead => drop(carried.dead.insert(lead.clone())),
                    Place::DeletedCopy => drop(carried.copies.insert(lead.clone())),
                }
            }
        });
        carried
    }

    /// Checks what must hold at any time.
    pub fn look(&mut self, deployment: &dyn Deployment, fault_phase_ended: Option<Duration>) {
        let carried = self.carried(deployment);
        let at = self.model.clock.elapsed();
        let model = Arc::clone(&self.model);
        let mut truth = model.truth();
        let mut broken = None;
        for (lead, known) in &truth.leads {
            let notified = model.settings.destinations.iter().any(|id| known.is_notified(id));
            if (notified || carried.dead.contains(lead)) && self.recovering.remove(lead) {
                self.recovered.push(at - fault_phase_ended.unwrap_or(at));
            }
            if known.accepted.is_none() || carried.process.contains(lead) {
                continue;
            }
            for destination in &model.settings.destinations {
                let carries = carried.notify.contains(&(lead.clone(), destination.clone()));
                if !carries && !known.is_notified(destination) {
                    let promise = if truth.acts.is_empty() { Promise::Stored } else { Promise::Operator };
                    let what = format!("lost: nothing will ever send its alert to {}", destination.label());
                    broken.get_or_insert((promise, lead.clone(), what));
                }
            }
        }
        let open = deployment.open_leads();
        for (lead, known) in &truth.leads {
            let notified = model.settings.destinations.iter().any(|id| known.is_notified(id));
            let elsewhere = notified || carried.dead.contains(lead) || carried.copies.contains(lead);
            // A worker that died between saying so and making the dead letter: it is tried again.
            let dying = || deployment.progress(lead).is_some_and(|progress| progress.ended.is_some());
            if known.accepted.is_none() || elsewhere || open.contains(lead) || dying() {
                self.unseen.remove(lead);
                continue;
            }
            // What an operator's command that was killed left unsaid the next entry makes up for. What
            // Close knows to be accepted has to be seen at once.
            let since = *self.unseen.entry(lead.clone()).or_insert(at);
            let new = known.accepted.is_some_and(|(accepted, _)| accepted == at);
            if new || at - since > UNSEEN {
                let what = format!("accepted, and not among the open leads for {} s", (at - since).as_secs());
                broken.get_or_insert((Promise::Ends, lead.clone(), what));
            }
        }
        if let Some((promise, lead, what)) = broken {
            truth.broken(promise, Some(&lead), at, what);
        }
    }

    /// The fault phase is over: whoever is due now has to end soon.
    pub fn fault_phase_ended(&mut self, deployment: &dyn Deployment) {
        let carried = self.carried(deployment);
        let truth = self.model.truth();
        let now = self.model.clock.elapsed();
        for (lead, known) in &truth.leads {
            let notified = self.model.settings.destinations.iter().any(|id| known.is_notified(id));
            let due = known.accepted.is_some_and(|(at, _)| at + self.model.settings.delay <= now);
            if due && !notified && !carried.dead.contains(lead) && !carried.copies.contains(lead) {
                self.recovering.insert(lead.clone());
            }
        }
    }

    /// Some time after the fault phase every accepted lead has ended, and the journal says how.
    pub fn check_ends(&mut self, deployment: &dyn Deployment) {
        let carried = self.carried(deployment);
        let model = Arc::clone(&self.model);
        let (at, now) = (model.clock.elapsed(), pipeline::ports::Clock::now(model.clock.as_ref()));
        let open = deployment.open_leads();
        let mut truth = model.truth();
        let mut broken = Vec::new();
        for (lead, known) in &truth.leads {
            let ill = |promise, what: String| (promise, lead.clone(), what);
            if known.accepted.is_none() {
                broken.push(ill(
                    Promise::Stored,
                    "Close could not deliver it in the fault-free phase".to_owned(),
                ));
                continue;
            }
            // A new alert that an operator asked for notifies the team of it, too.
            let notified = !known.alerts.is_empty();
            let dead = carried.dead.contains(lead) || carried.copies.contains(lead);
            let progress = deployment.progress(lead);
            let state = progress.as_ref().map(|p| p.state(now, model.settings.overdue_after));
            // What the destination took and never said so nobody could know.
            let known_notified = model.settings.destinations.iter().any(|destination| {
                let key = keys::receipt(lead, destination.as_str(), AlertId::new_lead().as_str());
                is_sent(&model, &key)
            });
            let right = match state {
                Some(State::Notified) => notified,
                Some(State::Dead) => dead && !known_notified,
                // The store failed while it died, or SQS itself put it among the dead letters.
                // An operator opens a lead again whether or not it was notified.
                Some(State::Overdue) => dead && (!known_notified || known.requeued),
                Some(State::Pending | State::Processing) | None => false,
            };
            if !right {
                let what = format!(
                    "in the fault-free phase it is {state:?}, notified: {notified}, dead letter: {dead}"
                );
                broken.push(ill(Promise::Ends, what));
            }
            let (ended, seen) =
                (progress.is_some_and(|progress| progress.ended.is_some()), open.contains(lead));
            if (ended && seen) || !(ended || seen || dead) {
                let what = format!("ended: {ended}, among the open leads: {seen}, dead letter: {dead}");
                broken.push(ill(Promise::Ends, what));
            }
        }
        if carried.dead.contains(&LeadId::of_trial()) {
            broken.push((Promise::Trial, LeadId::of_trial(), "a trial is among the dead letters".to_owned()));
        }
        for (key, reached) in &truth.reached {
            let receipt = model.stored(key).and_then(|body| serde_json::from_slice::<Receipt>(&body).ok());
            let Some(receipt) = receipt.filter(|receipt| receipt.state == ReceiptState::Sent) else {
                continue;
            };
            let is_named = |one: &str| receipt.left_out.iter().any(|left_out| left_out.recipient == one);
            let mut unreached = reached.meant.iter().filter(|one| !reached.got.contains_key(*one));
            if let Some(one) = unreached.find(|one| !is_named(one)) {
                let what = format!("{key} is sent, and {one} has not got it and is not named");
                broken.push((Promise::LeftOut, receipt.lead_id.clone(), what));
            }
        }
        for letter in deployment.dead_letters() {
            let of_a_store = [Code::StorageFailed, Code::AwsFailed, Code::AwsThrottled];
            if letter.queue == Queue::Delay && of_a_store.contains(&letter.code) {
                let what = format!("it died of a store that was away: {}", letter.reason);
                broken.push((Promise::Ends, letter.lead_id.clone().unwrap_or_else(unknown), what));
            }
            if letter.reason.is_empty() || letter.attempts == 0 {
                let what = format!("the dead letter {} says not why it died", letter.id);
                broken.push((Promise::Ends, letter.lead_id.clone().unwrap_or_else(unknown), what));
            }
        }
        for (promise, lead, what) in broken {
            truth.broken(promise, Some(&lead), at, what);
        }
    }

    /// All that died has been redriven: every lead whose dead letters nobody deleted has been notified.
    pub fn check_redriven(&mut self, deployment: &dyn Deployment) {
        let model = Arc::clone(&self.model);
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let mut broken = Vec::new();
        for (lead, known) in truth.leads.iter().filter(|(_, known)| !known.deleted) {
            let missing = model.settings.destinations.iter().find(|id| !known.is_notified(id));
            let ended = deployment.progress(lead).and_then(|progress| progress.ended);
            let right = missing.is_none() && matches!(ended, Some((Ended::Notified, _)));
            if !right {
                let what =
                    format!("after all was redriven it has ended {ended:?}, not notified at {missing:?}");
                broken.push((Promise::Operator, lead.clone(), what));
            }
        }
        for (promise, lead, what) in broken {
            truth.broken(promise, Some(&lead), at, what);
        }
    }

    /// All whose owners have changed were processed again: the last word at each destination is the owner that
    /// the lead has now.
    pub fn check_last_owners(&mut self, leads: &[LeadId]) {
        let model = Arc::clone(&self.model);
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let mut broken = Vec::new();
        for lead in leads {
            let key = keys::enriched(&model.settings.target_prefix, lead);
            let enriched = model.stored(&key);
            let enriched = enriched.and_then(|body| serde_json::from_slice::<EnrichedLead>(&body).ok());
            let Some((known, enriched)) = truth.leads.get(lead).zip(enriched) else { continue };
            for destination in &model.settings.destinations {
                let last = known.alerts.iter().rfind(|alert| alert.destination == *destination);
                // What somebody posted who had stood still for long nobody could know of.
                let Some(last) = last.filter(|last| last.claimed && known.is_notified(destination)) else {
                    continue;
                };
                let named = enriched.owner_label();
                let in_digest =
                    last.shown.status.is_none() && last.shown.owner.starts_with(&enriched.lead_owner);
                if last.shown.owner != named && !in_digest {
                    let what = format!(
                        "{} was notified of {:?} last, and the lead has {named:?}",
                        destination.label(),
                        last.shown.owner,
                    );
                    broken.push((lead.clone(), what));
                }
            }
        }
        for (lead, what) in broken {
            truth.broken(Promise::Owner, Some(&lead), at, what);
        }
    }

    /// Days later: late owners have been found and announced, nobody got in, nothing is left.
    pub fn check_last(&mut self, deployment: &dyn Deployment, ends: impl Fn(&LeadId) -> End) {
        let model = Arc::clone(&self.model);
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let members = truth.members.clone();
        let mut broken = Vec::new();
        for (lead, known) in &truth.leads {
            let stored = model.stored(&keys::raw(&model.settings.source_prefix, lead));
            if stored.as_ref() != Some(&known.body) {
                broken.push((
                    Promise::Stored,
                    lead.clone(),
                    "the raw event is not the bytes sent".to_owned(),
                ));
            }
            if known.deleted {
                continue;
            }
            let named = |alert: &&SentAlert| match alert.shown.status {
                Some(status) => status == OwnerStatus::Assigned,
                None => [UNASSIGNED, "(departed)", "Close user"]
                    .iter()
                    .all(|part| !alert.shown.owner.contains(part)),
            };
            let end = ends(lead);
            let found = end == End::Owned;
            for destination in &model.settings.destinations {
                let there = known.alerts.iter().filter(|alert| alert.destination == *destination);
                if found && !there.clone().any(|alert| named(&alert)) {
                    let what = format!("its owner turned up, and {} was not notified", destination.label());
                    broken.push((Promise::Owner, lead.clone(), what));
                }
            }
            let progress = deployment.progress(lead);
            if progress.as_ref().is_some_and(|progress| progress.notified) && known.alerts.is_empty() {
                let what = "it counts as announced, and nobody was sent an alert".to_owned();
                broken.push((Promise::Ends, lead.clone(), what));
            }
            if progress.is_some_and(|progress| progress.notified && !progress.enriched) {
                let what = "it was announced, and nothing says that it was enriched".to_owned();
                broken.push((Promise::Ends, lead.clone(), what));
            }
            let key = keys::enriched(&model.settings.target_prefix, lead);
            let enriched = model.stored(&key);
            let enriched = enriched.and_then(|body| serde_json::from_slice::<EnrichedLead>(&body).ok());
            let status = enriched.as_ref().map(|lead| lead.owner_status);
            let possible = possible(known, &members);
            let right = match status {
                Some(OwnerStatus::Assigned) => end != End::Unowned,
                Some(status) => !found && possible.iter().any(|answer| answer.status == status),
                None => false,
            };
            if !right {
                let what = format!("enriched as {status:?}, and what was read is {possible:?}");
                broken.push((Promise::Owner, lead.clone(), what));
            }
        }
        for lead in &truth.forged {
            if deployment.mentions(lead.as_str()) {
                broken.push((Promise::NobodyIn, lead.clone(), "a forged webhook left something".to_owned()));
            }
        }
        let mut left = 0;
        deployment.bodies(&mut |place, _| left += u32::from(matches!(place, Place::Queue)));
        if left > 0 {
            broken.push((Promise::Ends, unknown(), format!("{left} messages are left in the queues")));
        }
        for (promise, lead, what) in broken {
            truth.broken(promise, Some(&lead), at, what);
        }
    }
}

/// Stands for the lead where there is none.
fn unknown() -> LeadId {
    "lead_unknown".parse().unwrap()
}
