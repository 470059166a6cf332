//! The follow-up: what a destination was last notified of is compared with the lead as it is now.
//!
//! A follow-up is due where the last alert at a destination named another owner than the lead has. Whoever
//! sends an alert claims its receipt first and reads the lead after that, until the claim names whom the lead
//! does; here the lead is written first and the receipts are read after that. So an alert that is claimed later
//! than the receipts are read names the lead's present owner by itself, and every other shows in its receipt.
//! What was given up without an answer may have been read or not: it is corrected where it names another owner,
//! and sent once more where it is all that names this one.

use std::time::Duration;

use jiff::SignedDuration;
use lead::{AlertKind, EnrichedLead, Timestamp};
use outside::time_left;

use super::Process;
use crate::{
    Fault,
    alert_queue::AlertOptions,
    destination::DestinationId,
    job::{AlertId, AlertJob, OwnerDigest},
    receipt::{LONGEST_CLAIM, Receipt, ReceiptState},
};

/// How much later than the alert that it corrects a follow-up is at the least.
const NEXT: SignedDuration = SignedDuration::from_millis(1);

/// A follow-up that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Due {
    /// Its identity: of one that waits for its turn already, or a new one.
    alert: AlertId,
    /// Its receipt is of no earlier time, even where the clock has stepped back since the alert that it
    /// corrects: the later receipt has the last word.
    not_before: Timestamp,
    /// How long an alert that names another owner may still be on its way to the destination.
    wait: Duration,
}

impl Process {
    /// Queues a follow-up at a destination where that was last notified of another owner. `first` is the receipt of the
    /// lead's first alert there; none where it cannot be read.
    pub(super) async fn follow_up(
        &self,
        lead: &EnrichedLead,
        destination: &DestinationId,
        first: Option<Receipt>,
    ) -> Result<(), Fault> {
        let others =
            self.alerting.receipts.others_at(&lead.lead_id, destination, &AlertId::new_lead()).await?;
        let receipts: Vec<Receipt> = first.into_iter().chain(others).collect();
        let Some(due) = due(&receipts, &lead.named_owner(), self.recorder.clock.now()) else { return Ok(()) };
        let job = AlertJob {
            lead_id: lead.lead_id.clone(),
            destination: destination.clone(),
            alert: due.alert,
            kind: AlertKind::FollowUp,
            due_at: None,
            owner: Some(OwnerDigest::of(&lead.named_owner())),
        };
        let options = AlertOptions { not_before: due.not_before, wait: due.wait, ..AlertOptions::default() };
        self.alerting.queue_with(&job, options).await?;
        Ok(())
    }
}

/// The follow-up that is due at a destination with these receipts, the first alert's first, where the lead has
/// this owner.
fn due(receipts: &[Receipt], owner: &str, now: Timestamp) -> Option<Due> {
    let announced = || receipts.iter().filter(|receipt| receipt.may_have_arrived());
    let named = || announced().filter(|receipt| receipt.names(owner).is_some());
    let last = named().max_by_key(|receipt| receipt.at)?;
    let is_other = |receipt: &&Receipt| receipt.names(owner) == Some(false);
    let wait = announced().filter(is_other).filter_map(|receipt| left_of_claim(receipt, now)).max();
    let is_given_up = |receipt: &&Receipt| receipt.state == ReceiptState::Failed;
    let certain = named().filter(|receipt| !is_given_up(receipt)).max_by_key(|receipt| receipt.at);
    let is_in_doubt = is_given_up(&last) && certain.is_some_and(|receipt| is_other(&receipt));
    if !is_other(&last) && wait.is_none() && !is_in_doubt {
        return None;
    }
    // It names whoever owns the lead when its turn comes. Its message may have been lost in a crash.
    let waiting = |receipt: &&Receipt| {
        receipt.kind == AlertKind::FollowUp
            && receipt.state == ReceiptState::Queued
            && !receipt.may_have_arrived()
    };
    // Sent once more under its own receipt, it is marked as a possible repeat.
    let in_doubt = is_in_doubt.then(|| {
        let of_this_owner = |receipt: &&Receipt| receipt.kind == AlertKind::FollowUp && !is_other(receipt);
        announced().filter(is_given_up).filter(of_this_owner).max_by_key(|receipt| receipt.at)
    });
    let alert = match receipts.iter().find(waiting) {
        Some(receipt) => receipt.alert.clone(),
        None => in_doubt.flatten().map_or_else(|| unread(receipts, owner), |receipt| receipt.alert.clone()),
    };
    let not_before = announced().map(|receipt| receipt.at).max()?.checked_add(NEXT).ok()?;
    Some(Due { alert, not_before, wait: wait.unwrap_or_default() })
}

/// The first follow-up that names this owner and that nobody can have read: one that was given up, or a
/// new one. Who decides twice on the same receipts comes to the same.
fn unread(receipts: &[Receipt], owner: &str) -> AlertId {
    let is_read = |alert: &AlertId| receipts.iter().any(|one| one.alert == *alert && one.may_have_arrived());
    let mut number = 1;
    loop {
        let alert = AlertId::follow_up(owner, number);
        if !is_read(&alert) {
            return alert;
        }
        number += 1;
    }
}

/// How long an alert may still be under way to its destination, if it is.
fn left_of_claim(receipt: &Receipt, now: Timestamp) -> Option<Duration> {
    let ReceiptState::Claimed { until } = receipt.state else { return None };
    let left = time_left(until, now);
    // Longer than a claim can last means that the clock has stepped back.
    (!left.is_zero()).then_some(left.min(LONGEST_CLAIM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn receipt(alert: AlertId, state: ReceiptState, owner: Option<&str>, second: i64) -> Receipt {
        let kind = if alert == AlertId::new_lead() { AlertKind::New } else { AlertKind::FollowUp };
        Receipt {
            lead_id: "lead_a".parse().unwrap(),
            destination: "slack".parse().unwrap(),
            alert,
            kind,
            state,
            at: at(second),
            attempts: 1,
            code: None,
            reason: None,
            owner: owner.map(str::to_owned),
            names: None,
            unsure: false,
            alone: false,
            left_out: Vec::new(),
            reached: Vec::new(),
            partly_sent: false,
        }
    }

    fn sent(alert: AlertId, owner: &str, second: i64) -> Receipt {
        receipt(alert, ReceiptState::Sent, Some(owner), second)
    }

    fn alert(receipts: &[Receipt], owner: &str) -> Option<AlertId> {
        due(receipts, owner, at(1_000)).map(|due| due.alert)
    }

    #[test]
    fn the_last_owner_that_was_named_is_compared_and_each_return_has_a_number() {
        let mut receipts = vec![sent(AlertId::new_lead(), "Anna", 1)];
        assert_eq!(alert(&receipts, "Anna"), None);
        for (second, owner, number) in
            [(2, "Bert", 1), (3, "Anna", 1), (4, "Bert", 2), (5, "Anna", 2), (6, "Carl", 1)]
        {
            let expected = AlertId::follow_up(owner, number);
            assert_eq!(alert(&receipts, owner), Some(expected.clone()), "{second}");
            receipts.push(sent(expected, owner, second));
            assert_eq!(alert(&receipts, owner), None, "{second}");
        }
    }

    #[test]
    fn a_follow_up_that_waits_is_the_one() {
        let mut receipts = vec![
            sent(AlertId::new_lead(), "Anna", 1),
            receipt(AlertId::follow_up("Bert", 1), ReceiptState::Queued, None, 2),
        ];
        for owner in ["Bert", "Carl"] {
            assert_eq!(alert(&receipts, owner), Some(AlertId::follow_up("Bert", 1)), "it names {owner}");
        }
        assert_eq!(alert(&receipts, "Anna"), None);
        receipts[1].state = ReceiptState::Failed;
        assert_eq!(alert(&receipts, "Bert"), Some(AlertId::follow_up("Bert", 1)), "nobody has read it");
    }

    #[test]
    fn a_follow_up_that_was_given_up_without_an_answer_counts_neither_as_read_nor_as_unread() {
        let mut receipts = vec![
            sent(AlertId::new_lead(), "Anna", 1),
            receipt(AlertId::follow_up("Bert", 1), ReceiptState::Queued, Some("Bert"), 2),
        ];
        receipts[1].unsure = true;
        assert_eq!(alert(&receipts, "Bert"), None, "it is tried again by itself");
        receipts[1].state = ReceiptState::Failed;
        assert_eq!(alert(&receipts, "Bert"), Some(AlertId::follow_up("Bert", 1)), "with its mark");
        assert_eq!(alert(&receipts, "Anna"), Some(AlertId::follow_up("Anna", 1)));
        receipts.push(receipt(AlertId::resend(1), ReceiptState::Sent, Some("Bert"), 3));
        receipts[2].kind = AlertKind::Resend;
        assert_eq!(alert(&receipts, "Bert"), None, "a later one was sent");
        assert_eq!(alert(&receipts, "Anna"), Some(AlertId::follow_up("Anna", 1)));
        receipts[2].state = ReceiptState::Failed;
        receipts[2].unsure = true;
        assert_eq!(alert(&receipts, "Bert"), Some(AlertId::follow_up("Bert", 1)), "nor is this one sure");
    }

    #[test]
    fn a_first_alert_that_was_given_up_needs_no_follow_up() {
        let mut given_up = receipt(AlertId::new_lead(), ReceiptState::Failed, Some("Anna"), 1);
        given_up.unsure = true;
        assert_eq!(alert(&[given_up], "Anna"), None, "it is queued again itself");
    }

    #[test]
    fn an_alert_that_is_on_its_way_with_another_owner_is_waited_for() {
        let claimed = |until| ReceiptState::Claimed { until };
        let mut receipts = vec![
            receipt(AlertId::new_lead(), claimed(at(1_030)), Some("Anna"), 985),
            sent(AlertId::follow_up("Bert", 1), "Bert", 990),
        ];
        let found = due(&receipts, "Bert", at(1_000)).unwrap();
        let expected = (
            AlertId::follow_up("Bert", 2),
            Duration::from_secs(30),
            at(990) + SignedDuration::from_millis(1),
        );
        assert_eq!((found.alert.clone(), found.wait, found.not_before), expected);
        assert_eq!(due(&receipts, "Bert", at(1_031)), None, "whoever had it is gone");
        let named = receipts[0].owner.take();
        receipts[0].names = named.as_deref().map(OwnerDigest::of);
        assert_eq!(due(&receipts, "Bert", at(1_000)), Some(found), "its lead has not been read yet");
        receipts[0].state = claimed(at(9_000));
        assert_eq!(
            due(&receipts, "Bert", at(1_000)).unwrap().wait,
            LONGEST_CLAIM,
            "the clock has stepped back"
        );
    }
}
