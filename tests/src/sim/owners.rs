//! The owner bucket: public, read without credentials, and not ours.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lead::{LeadId, OwnerStatus};
use pipeline::ports::{Clock, OtherRegion, OwnerAnswer, OwnerDirectory, OwnerUnreachable};
use serde_json::json;

use super::{
    Model, oracle,
    process::ProcessFaults,
    truth::{Answer, End},
};
use crate::faulty::{Call, Moment};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What the bucket holds for a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A good one, from this time on.
    From(Duration),
    /// None, ever.
    Never,
    /// No JSON, until this time; a good one then.
    Broken(Duration),
    /// Another lead's, until this time; a good one then.
    OfAnother(Duration),
    /// Another answer than a document or the lack of one, until this time; a good one then.
    Strange(Strange, Duration),
    /// One without an owner.
    Unowned,
    /// A good one from the first time on, whose owner is by turns one of two from each of the others on.
    Changing(Duration, Vec<Duration>),
}

/// An answer that says nothing of whether somebody owns the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strange {
    /// A document whose owner is a list.
    List,
    /// A document that has the owner under another name.
    OtherName,
    /// A firewall's page.
    Page,
    /// A page to sign in, with success.
    Login,
    /// A redirect to somebody else, whose body names an owner.
    Elsewhere,
    /// The bucket is in another region.
    Region,
}

impl Strange {
    const ALL: [Self; 6] =
        [Self::List, Self::OtherName, Self::Page, Self::Login, Self::Elsewhere, Self::Region];

    fn answer(self, lead: &LeadId) -> OwnerAnswer {
        let stranger = json!({"lead_id": lead, "lead_owner": "A stranger"}).to_string();
        match self {
            Self::List => {
                let body = json!({"lead_id": lead, "lead_owner": [format!("Owner of {lead}")]});
                OwnerAnswer::new(200, body.to_string())
            }
            Self::OtherName => {
                let body = json!({"lead_id": lead, "owner": format!("Owner of {lead}")});
                OwnerAnswer::new(200, body.to_string())
            }
            Self::Page => OwnerAnswer::new(403, "<!doctype html><title>Blocked</title>"),
            Self::Login => OwnerAnswer::new(200, "<!doctype html><title>Sign in</title>"),
            Self::Elsewhere => {
                let points_to = Some("http://127.0.0.1:9000".to_owned());
                OwnerAnswer { points_to, ..OwnerAnswer::new(302, stranger) }
            }
            Self::Region => {
                let base = "https://owners.s3.eu-west-1.amazonaws.com".to_owned();
                let region = Some(OtherRegion { region: "eu-west-1".to_owned(), base });
                OwnerAnswer { region, ..OwnerAnswer::new(301, stranger) }
            }
        }
    }
}

/// The bucket.
pub struct SimOwners {
    model: Arc<Model>,
    documents: Mutex<BTreeMap<LeadId, Document>>,
    /// Whether it is down, and until when that holds.
    down: Mutex<(bool, Duration)>,
}

impl SimOwners {
    /// An empty one.
    pub fn new(model: Arc<Model>) -> Arc<Self> {
        Arc::new(Self { model, documents: Mutex::default(), down: Mutex::default() })
    }

    /// Decides what there will be for a new lead. When its owner changes.
    pub fn expect(&self, lead: &LeadId) -> Vec<Duration> {
        let (dice, now) = (&self.model.dice, self.model.clock.elapsed());
        let document = if dice.chance(self.model.fault_profile.changing_owner) {
            let mut changes = vec![now + dice.between(MINUTE * 8, MINUTE * 30)];
            for _ in 0..dice.below(3) {
                changes.extend(changes.last().map(|last| *last + dice.between(SECOND * 10, MINUTE * 20)));
            }
            Document::Changing(now, changes)
        } else if dice.chance(self.model.fault_profile.odd_owner) {
            // Up to a day late: the last look-up comes after some 33 hours.
            let soon = now + dice.between(MINUTE * 5, MINUTE * 90);
            let late = now + dice.between(MINUTE * 90, MINUTE * 60 * 20);
            match dice.below(9) {
                0 => Document::Never,
                1 => Document::Broken(soon),
                2 => Document::OfAnother(soon),
                3 => Document::Unowned,
                4 => Document::From(late),
                5..=7 => {
                    let which = usize::try_from(dice.below(Strange::ALL.len() as u64)).unwrap();
                    Document::Strange(Strange::ALL[which], soon)
                }
                _ => Document::From(soon),
            }
        } else {
            Document::From(now)
        };
        match document {
            Document::From(from) if from == now => {}
            Document::Changing(..) => self.model.count_fault("owner who changes"),
            Document::Strange(..) => self.model.count_fault("owner directory strange"),
            _ => self.model.count_fault("odd owner document"),
        }
        self.model.note(|| format!("owner document of {lead}: {document:?}"));
        let changes = if let Document::Changing(_, changes) = &document { changes.clone() } else { vec![] };
        self.documents.lock().unwrap().insert(lead.clone(), document);
        changes
    }

    /// The leads whose owners change.
    pub fn changing(&self) -> Vec<LeadId> {
        let documents = self.documents.lock().unwrap();
        let changing = documents.iter().filter(|(_, document)| matches!(document, Document::Changing(..)));
        changing.map(|(lead, _)| lead.clone()).collect()
    }

    /// Whether the bucket has a good document in the end.
    pub fn end(&self, lead: &LeadId) -> End {
        match self.documents.lock().unwrap().get(lead) {
            Some(
                Document::From(_)
                | Document::Broken(_)
                | Document::OfAnother(_)
                | Document::Strange(..)
                | Document::Changing(..),
            ) => End::Owned,
            Some(Document::Never | Document::Unowned) | None => End::Unowned,
        }
    }

    fn is_down(&self) -> bool {
        let (model, now) = (&self.model, self.model.clock.elapsed());
        if model.is_fault_free() {
            return false;
        }
        let mut down = self.down.lock().unwrap();
        if down.1 <= now {
            let dice = &model.dice;
            *down =
                (dice.chance(model.fault_profile.directory_down), now + dice.between(MINUTE, MINUTE * 20));
        }
        down.0
    }

    fn document(&self, lead: &LeadId) -> (OwnerAnswer, Answer) {
        let now = self.model.clock.elapsed();
        let document = self.documents.lock().unwrap().get(lead).cloned().unwrap_or(Document::Never);
        let answer = |status, body: String| OwnerAnswer::new(status, body);
        let none = |status| Answer::none(status);
        let owned = |owner: String| {
            let body = json!({"lead_id": lead, "lead_owner": owner, "lead_email": "a@example.org"});
            (answer(200, body.to_string()), Answer::owner(owner))
        };
        match document {
            Document::From(at)
            | Document::Broken(at)
            | Document::OfAnother(at)
            | Document::Strange(_, at)
                if at <= now =>
            {
                owned(format!("Owner of {lead}"))
            }
            Document::Changing(_, changes) => {
                let changed = changes.iter().filter(|at| **at <= now).count();
                owned(format!("{} owner of {lead}", ["First", "Second"][changed % 2]))
            }
            Document::Broken(_) => (answer(200, "{\"lead_ow".to_owned()), none(OwnerStatus::LookupFailed)),
            Document::OfAnother(_) => {
                let body = json!({"lead_id": "lead_somebodyelse", "lead_owner": "Somebody else"});
                (answer(200, body.to_string()), none(OwnerStatus::Mismatch))
            }
            Document::Strange(strange, _) => (strange.answer(lead), none(OwnerStatus::LookupFailed)),
            Document::Unowned => {
                let body = json!({"lead_id": lead, "lead_owner": null});
                (answer(200, body.to_string()), none(OwnerStatus::Missing))
            }
            Document::From(_) | Document::Never => {
                let body = "<Error><Code>AccessDenied</Code></Error>".to_owned();
                (answer(403, body), none(OwnerStatus::Missing))
            }
        }
    }
}

/// The bucket as one process reaches it.
pub struct OwnersOf {
    /// The bucket.
    pub owners: Arc<SimOwners>,
    /// The faults of the process.
    pub faults: Arc<ProcessFaults>,
}

#[async_trait]
impl OwnerDirectory for OwnersOf {
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        let model = &self.owners.model;
        let unreachable = |what: &str| {
            oracle::answered(model, lead, Answer::none(OwnerStatus::LookupFailed));
            Err(OwnerUnreachable(what.to_owned()))
        };
        if self.faults.pass(Call::Fetch, Moment::Before, lead.as_str()).await {
            return unreachable("connection refused");
        }
        if self.owners.is_down() {
            model.count_fault("owner directory down");
            return match model.dice.below(3) {
                0 => {
                    model.clock.sleep(SECOND * 5).await;
                    unreachable("timed out")
                }
                1 => unreachable("connection refused"),
                _ => {
                    oracle::answered(model, lead, Answer::none(OwnerStatus::LookupFailed));
                    Ok(OwnerAnswer::new(503, "slow down"))
                }
            };
        }
        let (answer, meaning) = self.owners.document(lead);
        if self.faults.pass(Call::Fetch, Moment::After, lead.as_str()).await {
            return unreachable("the connection broke");
        }
        oracle::answered(model, lead, meaning);
        Ok(answer)
    }
}
