//! In a build without AWS there is no stack to check.

use super::Check;
use crate::{config::Config, wiring::OnAws};

/// Never called.
pub(super) async fn checks(_: &Config, aws: &OnAws) -> Vec<Check> {
    aws.none()
}
