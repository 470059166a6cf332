use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use lead::LeadId;
use pipeline::ports::{OwnerAnswer, OwnerDirectory, OwnerUnreachable};
use serde_json::json;

type Answer = Result<OwnerAnswer, OwnerUnreachable>;

/// An owner directory. Knows nobody, as the real one does (403), until scripted.
#[derive(Default)]
pub struct ScriptedOwners {
    next: Mutex<BTreeMap<LeadId, VecDeque<Answer>>>,
    asked: Mutex<Vec<LeadId>>,
}

impl ScriptedOwners {
    /// An empty directory.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The answer of a bucket to the question for a key that it does not hold.
    pub fn missing() -> Answer {
        Self::answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    }

    /// An answer.
    pub fn answer(status: u16, body: impl AsRef<str>) -> Answer {
        Ok(OwnerAnswer::new(status, body.as_ref().to_owned()))
    }

    /// No answer.
    pub fn unreachable() -> Answer {
        Err(OwnerUnreachable("timed out".to_owned()))
    }

    /// A complete document.
    pub fn document(lead: &LeadId, owner: &str) -> Answer {
        let document = json!({
            "lead_id": lead, "lead_owner": owner, "lead_email": "lead@example.org", "funnel": "Trade fair",
        });
        Self::answer(200, document.to_string())
    }

    /// Answers the next questions for a lead like this, in this order, and all later ones like the last.
    pub fn script(&self, lead: &LeadId, answers: impl IntoIterator<Item = Answer>) {
        self.next.lock().unwrap().insert(lead.clone(), answers.into_iter().collect());
    }

    /// Names the owner of a lead from now on.
    pub fn assign(&self, lead: &LeadId, owner: &str) {
        self.script(lead, [Self::document(lead, owner)]);
    }

    /// How often a lead was asked for.
    pub fn asked(&self, lead: &LeadId) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == lead).count()
    }
}

#[async_trait]
impl OwnerDirectory for ScriptedOwners {
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        self.asked.lock().unwrap().push(lead.clone());
        let mut next = self.next.lock().unwrap();
        let Some(answers) = next.get_mut(lead) else { return Self::missing() };
        let last = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        last.unwrap_or_else(Self::missing)
    }
}
