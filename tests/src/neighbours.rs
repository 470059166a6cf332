//! The neighbours of a real pipeline, spoken to over HTTP.

use demo::{DirectoryAnswer, FakeOwnerDirectory, FakeSlack, Sample, Scenario};
use lead::{LeadId, Timestamp};

use crate::process::until;

/// An owner directory and a Slack, and leads for them.
pub struct Neighbours {
    /// The owner directory.
    pub owners: FakeOwnerDirectory,
    /// Slack.
    pub slack: FakeSlack,
    scenario: Scenario,
}

impl Neighbours {
    /// Starts them.
    pub async fn start() -> Self {
        Self {
            owners: FakeOwnerDirectory::start().await.unwrap(),
            slack: FakeSlack::start().await.unwrap(),
            scenario: Scenario::new(7),
        }
    }

    /// A lead whose owner the directory knows.
    pub fn sample(&mut self) -> Sample {
        let sample = self.scenario.next_with(Timestamp::now(), None);
        self.owners.add_lead(&sample);
        sample
    }

    /// A lead that nobody owns.
    pub fn ownerless(&mut self) -> Sample {
        let sample = self.sample();
        self.owners.set_answer(sample.lead_id.clone(), DirectoryAnswer::Nothing);
        sample
    }

    /// How often Slack took an alert about a lead, and how many of those were unlabelled first alerts.
    pub fn alert_counts(&self, lead: &LeadId) -> (usize, usize) {
        let messages = self.slack.messages();
        let about: Vec<_> = messages
            .iter()
            .flat_map(|message| &message.leads)
            .filter(|mention| mention.lead_id == *lead)
            .collect();
        (about.len(), about.iter().filter(|mention| mention.is_first()).count())
    }

    /// Waits until Slack has been notified of these leads.
    pub async fn until_notified(&self, leads: &[LeadId]) {
        until("every lead is notified", || async { leads.iter().all(|lead| self.alert_counts(lead).0 > 0) })
            .await;
    }
}
