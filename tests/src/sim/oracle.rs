//! The oracle: it sees what truly happens and says which promise is broken.
//!
//! Some promises are checked where they could be broken, the moment a destination takes an alert or the owner
//! directory is asked. That nothing is lost is checked after each step: every accepted lead that a destination
//! has not been told of must still be carried by something, a queued message, a dead letter, a copy of a
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
    said::Said,
    truth::{Answer, End, LeadTruth, Members, Promise, Told, Truth},
};

const MINUTE: Duration = Duration::from_secs(60);

/// How long a lead that was opened again may not be in the waiting room.
const UNSEEN: Duration = Duration::from_secs(15 * 60);

/// A destination is about to be handed these alerts: which of them do their receipts say were sent?
pub fn sent_before(faults: &ProcessFaults, destination: &DestinationId, said: &[Said]) -> Vec<bool> {
    said.iter()
        .map(|said| {
            // It is one of these, and the message does not say which.
            let receipts = receipts(&faults.model, destination, said);
            !receipts.is_empty() && receipts.iter().all(|receipt| receipt.state == ReceiptState::Sent)
        })
        .collect()
}

/// The receipts that can be that of an alert: none for a resend, each of which has an id of its own.
fn receipts(model: &Model, destination: &DestinationId, said: &Said) -> Vec<Receipt> {
    let stored = |alert: &AlertId| {
        let key = keys::receipt(&said.lead, destination.as_str(), alert.as_str());
        serde_json::from_slice::<Receipt>(&model.stored(&key)?).ok()
    };
    match said.kind {
        AlertKind::New => stored(&AlertId::new_lead()).into_iter().collect(),
        AlertKind::FollowUp => {
            let owners = model.truth().leads.get(&said.lead).map(|known| known.owners.clone());
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
fn is_claimed(model: &Model, destination: &DestinationId, said: &Said) -> bool {
    let now = pipeline::ports::Clock::now(model.clock.as_ref());
    let receipts = receipts(model, destination, said);
    let claimed = |receipt: &Receipt| matches!(receipt.state, ReceiptState::Claimed { until } if until > now);
    matches!(said.kind, AlertKind::Resend | AlertKind::Trial) || receipts.iter().any(claimed)
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
    alerts: Vec<Said>,
    sent_before: &[bool],
    is_rest: bool,
) {
    let at = model.clock.elapsed();
    let claimed: Vec<bool> = alerts.iter().map(|said| is_claimed(model, destination, said)).collect();
    let mut truth = model.truth();
    let members = truth.members.clone();
    for ((said, sent_before), claimed) in alerts.into_iter().zip(sent_before).zip(claimed) {
        model.trace.line(at, || format!("{} has taken {said:?}", destination.label()));
        let lead = said.lead.clone();
        if said.kind == AlertKind::Trial {
            if !is_rest {
                tried(&mut truth, destination, &said, at);
            }
            continue;
        }
        let Some(known) = truth.leads.get_mut(&lead) else {
            let what = "an alert about a lead that nobody sent".to_owned();
            truth.broken(Promise::NobodyIn, Some(&lead), at, what);
            continue;
        };
        let same =
            |told: &&Told| told.destination == *destination && told.said.kind == said.kind && !told.is_rest;
        let before = known.told.iter().filter(same).count() as u64;
        let unlabelled = known.told.iter().filter(same).filter(|told| !told.said.repeat).count() as u64;
        let allowed = match said.kind {
            AlertKind::Resend => known.resends.get(destination).copied().unwrap_or(0),
            AlertKind::New => 1,
            // One for each change of the owner.
            AlertKind::FollowUp => known.owners.len().saturating_sub(1) as u64,
            AlertKind::Trial => 0,
        };
        let doubled = !said.repeat && !is_rest && unlabelled >= allowed;
        let wrong_owner = wrong_owner(known, &members, &said);
        let (repeat, kind) = (said.repeat, said.kind);
        known.told.push(Told { at, destination: destination.clone(), said, claimed, is_rest });
        if repeat && !is_rest {
            truth.labelled.0 += 1;
            truth.labelled.1 += u64::from(before >= allowed);
        }
        if doubled {
            let what = format!("{} was told too often, {kind:?}, without a label", destination.label());
            truth.broken(Promise::Once, Some(&lead), at, what);
        }
        if *sent_before {
            let what =
                format!("{} was told again, {kind:?}, though its receipt says sent", destination.label());
            truth.broken(Promise::Once, Some(&lead), at, what);
        }
        if let Some(what) = wrong_owner {
            truth.broken(Promise::Owner, Some(&lead), at, what);
        }
    }
}

/// A trial was taken: no more of them than were asked for, but for labelled ones.
fn tried(truth: &mut Truth, destination: &DestinationId, said: &Said, at: Duration) {
    let (asked, taken) = truth.trials.entry(destination.clone()).or_default();
    *taken += u64::from(!said.repeat);
    if taken > asked {
        let what = format!("{} trials of {asked} on {}, without a label", taken, destination.label());
        truth.broken(Promise::Trial, Some(&said.lead), at, what);
    }
}

/// A mail that was for `meant` has reached `got` of them; `receipt` is the key of its receipt.
pub fn reached(model: &Model, receipt: &str, said: &Said, meant: &[&str], got: &[&str]) {
    let at = model.clock.elapsed();
    let mut truth = model.truth();
    let reached = truth.reached.entry(receipt.to_owned()).or_default();
    if reached.meant.is_empty() {
        reached.meant = meant.iter().map(|one| (*one).to_owned()).collect();
    }
    let mut twice = None;
    for one in got {
        let times = reached.got.entry((*one).to_owned()).or_default();
        *times += u64::from(!said.repeat);
        if *times > 1 {
            twice = Some(format!("{one} got the alert of {receipt} {times} times, without a label"));
        }
    }
    if let Some(what) = twice {
        truth.broken(Promise::Once, Some(&said.lead), at, what);
    }
}

/// What is wrong with what an alert says of the owner.
fn wrong_owner(lead: &LeadTruth, members: &[Members], said: &Said) -> Option<String> {
    let says = |answer: &Answer| match said.status {
        Some(status) => (answer.status, &answer.owner) == (status, &said.owner),
        None => answer.short == said.owner,
    };
    let right = said.status.is_none() && said.owner == UNASSIGNED || possible(lead, members).iter().any(says);
    (!right).then(|| {
        format!(
            "the alert says {:?} ({:?}), and what was read is {:?}",
            said.owner,
            said.status,
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
pub fn met(model: &Model, members: Members) {
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
    let kept = stored.is_some_and(|stored| stored == known.body);
    known.accepted.get_or_insert((at, forward));
    if !kept {
        truth.broken(Promise::Kept, Some(lead), at, "answered 2xx without the exact bytes stored".to_owned());
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
    /// First alerts that will be told.
    tell: BTreeSet<(LeadId, DestinationId)>,
    /// Leads with a dead letter.
    dead: BTreeSet<LeadId>,
    /// Leads with a copy of a deleted dead letter.
    kept: BTreeSet<LeadId>,
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
                    Meaning::Tell(lead, destination) => {
                        carried.tell.insert((lead.clone(), destination.clone()));
                        lead
                    }
                    Meaning::Recheck(lead) | Meaning::Further(lead) => lead,
                };
                match place {
                    Place::Queue => {}
                    Place::Dead => drop(carried.dead.insert(lead.clone())),
                    Place::Kept => drop(carried.kept.insert(lead.clone())),
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
            let told = model.settings.destinations.iter().any(|id| known.is_told(id));
            if (told || carried.dead.contains(lead)) && self.recovering.remove(lead) {
                self.recovered.push(at - fault_phase_ended.unwrap_or(at));
            }
            if known.accepted.is_none() || carried.process.contains(lead) {
                continue;
            }
            for destination in &model.settings.destinations {
                let carries = carried.tell.contains(&(lead.clone(), destination.clone()));
                if !carries && !known.is_told(destination) {
                    let promise = if truth.acts.is_empty() { Promise::Kept } else { Promise::Operator };
                    let what = format!("lost: nothing will ever tell it on {}", destination.label());
                    broken.get_or_insert((promise, lead.clone(), what));
                }
            }
        }
        let room = deployment.open_leads();
        for (lead, known) in &truth.leads {
            let told = model.settings.destinations.iter().any(|id| known.is_told(id));
            let elsewhere = told || carried.dead.contains(lead) || carried.kept.contains(lead);
            // A worker that died between saying so and making the dead letter: it is tried again.
            let dying = || deployment.progress(lead).is_some_and(|progress| progress.ended.is_some());
            if known.accepted.is_none() || elsewhere || room.contains(lead) || dying() {
                self.unseen.remove(lead);
                continue;
            }
            // What an operator's command that was killed left unsaid the next entry makes up for. What
            // Close was told is accepted has to be seen at once.
            let since = *self.unseen.entry(lead.clone()).or_insert(at);
            let new = known.accepted.is_some_and(|(accepted, _)| accepted == at);
            if new || at - since > UNSEEN {
                let what = format!("accepted, and not in the waiting room for {} s", (at - since).as_secs());
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
            let told = self.model.settings.destinations.iter().any(|id| known.is_told(id));
            let due = known.accepted.is_some_and(|(at, _)| at + self.model.settings.delay <= now);
            if due && !told && !carried.dead.contains(lead) && !carried.kept.contains(lead) {
                self.recovering.insert(lead.clone());
            }
        }
    }

    /// Some time after the fault phase every accepted lead has ended, and the journal says how.
    pub fn check_ends(&mut self, deployment: &dyn Deployment) {
        let carried = self.carried(deployment);
        let model = Arc::clone(&self.model);
        let (at, now) = (model.clock.elapsed(), pipeline::ports::Clock::now(model.clock.as_ref()));
        let room = deployment.open_leads();
        let mut truth = model.truth();
        let mut broken = Vec::new();
        for (lead, known) in &truth.leads {
            let ill = |promise, what: String| (promise, lead.clone(), what);
            if known.accepted.is_none() {
                broken.push(ill(
                    Promise::Kept,
                    "Close could not deliver it in the fault-free phase".to_owned(),
                ));
                continue;
            }
            // A new alert that an operator asked for tells the team of it, too.
            let told = !known.told.is_empty();
            let dead = carried.dead.contains(lead) || carried.kept.contains(lead);
            let progress = deployment.progress(lead);
            let state = progress.as_ref().map(|p| p.state(now, model.settings.overdue_after));
            // What the destination took and never said so nobody could know.
            let known_told = model.settings.destinations.iter().any(|destination| {
                let key = keys::receipt(lead, destination.as_str(), AlertId::new_lead().as_str());
                is_sent(&model, &key)
            });
            let right = match state {
                Some(State::Notified) => told,
                Some(State::Dead) => dead && !known_told,
                // The store failed while it died, or SQS itself put it among the dead letters.
                // An operator opens a lead again whether or not it was told.
                Some(State::Overdue) => dead && (!known_told || known.requeued),
                Some(State::Pending | State::Processing) | None => false,
            };
            if !right {
                let what =
                    format!("in the fault-free phase it is {state:?}, told: {told}, dead letter: {dead}");
                broken.push(ill(Promise::Ends, what));
            }
            let (ended, seen) =
                (progress.is_some_and(|progress| progress.ended.is_some()), room.contains(lead));
            if (ended && seen) || !(ended || seen || dead) {
                let what = format!("ended: {ended}, in the waiting room: {seen}, dead letter: {dead}");
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

    /// All that died has been redriven: every lead whose dead letters nobody deleted has been told.
    pub fn check_redriven(&mut self, deployment: &dyn Deployment) {
        let model = Arc::clone(&self.model);
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let mut broken = Vec::new();
        for (lead, known) in truth.leads.iter().filter(|(_, known)| !known.deleted) {
            let untold = model.settings.destinations.iter().find(|id| !known.is_told(id));
            let ended = deployment.progress(lead).and_then(|progress| progress.ended);
            let right = untold.is_none() && matches!(ended, Some((Ended::Notified, _)));
            if !right {
                let what = format!("after all was redriven it has ended {ended:?}, untold on {untold:?}");
                broken.push((Promise::Operator, lead.clone(), what));
            }
        }
        for (promise, lead, what) in broken {
            truth.broken(promise, Some(&lead), at, what);
        }
    }

    /// All whose owners have changed were processed again: the last word at each destination is the owner that
    /// the lead has now.
    pub fn check_last_words(&mut self, leads: &[LeadId]) {
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
                let last = known.told.iter().rfind(|told| told.destination == *destination);
                // What somebody posted who had stood still for long nobody could know of.
                let Some(last) = last.filter(|last| last.claimed && known.is_told(destination)) else {
                    continue;
                };
                let named = enriched.owner_label();
                let in_digest =
                    last.said.status.is_none() && last.said.owner.starts_with(&enriched.lead_owner);
                if last.said.owner != named && !in_digest {
                    let what = format!(
                        "{} was notified of {:?} last, and the lead has {named:?}",
                        destination.label(),
                        last.said.owner,
                    );
                    broken.push((lead.clone(), what));
                }
            }
        }
        for (lead, what) in broken {
            truth.broken(Promise::Owner, Some(&lead), at, what);
        }
    }

    /// Days later: late owners have been found and told, nobody got in, nothing is left.
    pub fn check_last(&mut self, deployment: &dyn Deployment, ends: impl Fn(&LeadId) -> End) {
        let model = Arc::clone(&self.model);
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let members = truth.members.clone();
        let mut broken = Vec::new();
        for (lead, known) in &truth.leads {
            let stored = model.stored(&keys::raw(&model.settings.source_prefix, lead));
            if stored.as_ref() != Some(&known.body) {
                broken.push((Promise::Kept, lead.clone(), "the raw event is not the bytes sent".to_owned()));
            }
            if known.deleted {
                continue;
            }
            let named = |told: &&Told| match told.said.status {
                Some(status) => status == OwnerStatus::Assigned,
                None => [UNASSIGNED, "(departed)", "Close user"]
                    .iter()
                    .all(|part| !told.said.owner.contains(part)),
            };
            let end = ends(lead);
            let found = end == End::Owned;
            for destination in &model.settings.destinations {
                let there = known.told.iter().filter(|told| told.destination == *destination);
                if found && !there.clone().any(|told| named(&told)) {
                    let what = format!("its owner turned up, and {} was not told", destination.label());
                    broken.push((Promise::Owner, lead.clone(), what));
                }
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
