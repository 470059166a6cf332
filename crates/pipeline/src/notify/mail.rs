//! Telling the team by e-mail.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lead::{Timestamp, email};

use super::{Notify, Outcomes, Verdict};
use crate::{
    Code, Fault,
    job::AlertJob,
    ports::{Disposition, MailError},
};

/// How many mails are under way at once. A mailer with a pace keeps it by itself.
const AT_ONCE: usize = 4;

impl Notify {
    /// Sends a mail for each alert.
    pub(super) async fn tell_by_mail(
        &self,
        jobs: Vec<(usize, AlertJob)>,
        deadline: Option<Timestamp>,
    ) -> Outcomes {
        stream::iter(jobs)
            .map(|(index, job)| async move {
                if self.is_too_late(deadline) {
                    return (index, Disposition::Retry(Duration::ZERO));
                }
                self.mail(index, job).await
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    async fn mail(&self, index: usize, job: AlertJob) -> (usize, Disposition) {
        let Some(mailer) = &self.mailer else {
            let fault = Fault::new(Code::MailNotConfigured, "no mail server is configured");
            return (index, self.give_up(job, fault).await);
        };
        let ready = match self.prepare(index, job).await {
            Ok(ready) => ready,
            Err(disposition) => return (index, disposition),
        };
        let mut outcomes = Outcomes::new();
        let ours = self.claim(vec![ready], &mut outcomes).await;
        if let [one] = ours.as_slice() {
            let verdict = classify(mailer.send(&email::mail(&one.alert())).await);
            outcomes.extend(self.conclude(ours, &verdict).await);
        }
        // One alert went in, so one outcome came out: its claim was refused or it was concluded.
        outcomes.pop().unwrap_or((index, Disposition::Retry(Duration::ZERO)))
    }
}

/// What the mail server's answer means.
fn classify(answer: Result<(), MailError>) -> Verdict {
    let (code, error) = match answer {
        Ok(()) => return Verdict::Sent,
        Err(error @ MailError::Refused(_)) => {
            return Verdict::Refused { code: Code::MailRefused, reason: reason(&error), payload: false };
        }
        Err(error @ MailError::Unavailable(_)) => (Code::MailUnavailable, error),
        Err(error @ MailError::Unknown(_)) => (Code::MailUnknown, error),
    };
    Verdict::Again { code, reason: reason(&error), pause: Duration::ZERO }
}

fn reason(error: &MailError) -> String {
    format!("mail server: {}", lead::text::shorten(&error.to_string(), 200))
}
