//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use host::output;
use pipeline::{Code, Fault};

use crate::cli::Confirmation;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Act.
    Act,
    /// Only show what would be done.
    DryRun,
}

/// Prints to stderr what would be done, and asks whether to.
///
/// # Errors
/// [`Code::NotConfirmed`] without a yes.
pub(crate) fn ask(confirmation: Confirmation, what: &str) -> Result<Answer, Fault> {
    if confirmation.dry_run {
        output::aside(&format!("would {what}"));
        return Ok(Answer::DryRun);
    }
    if confirmation.yes {
        return Ok(Answer::Act);
    }
    let not_confirmed = || Fault::new(Code::NotConfirmed, format!("nothing was done; this would {what}"));
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(not_confirmed());
    }
    output::prompt(&format!("This will {what}. Continue? [y/N]"));
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") => Ok(Answer::Act),
        _ => Err(not_confirmed()),
    }
}
