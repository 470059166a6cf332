//! A destination whose settings are wrong.

use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    CheckOutcome, Fault,
    destination::{Destination, Limits, MessageFormat, NotReady, Outgoing, Verdict},
};

/// Replaces a destination that cannot be made from its settings: its alerts become dead letters that say why.
pub(super) struct Misconfigured(pub(super) Fault);

#[async_trait]
impl Destination for Misconfigured {
    fn limits(&self) -> Limits {
        Limits {
            longest_send: Duration::ZERO,
            pace: None,
            together: 1,
            at_once: 1,
            has_plain_form: false,
            busy: self.0.code,
            shows_all: false,
        }
    }

    async fn ready(&self) -> Result<(), NotReady> {
        Err(NotReady::NotConfigured(self.0.clone()))
    }

    async fn send(&self, _: &[Outgoing<'_>], _: MessageFormat) -> Verdict {
        Verdict::Refused { code: self.0.code, reason: self.0.what.clone(), payload: false }
    }

    async fn check(&self, _: bool) -> CheckOutcome {
        CheckOutcome::Failed(self.0.clone())
    }
}
