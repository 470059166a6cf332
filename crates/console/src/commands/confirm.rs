//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use host::output;
use pipeline::{Code, Fault};

use crate::cli::Consent;

/// What to do after asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Act.
    Act,
    /// Only say what would be touched.
    DryRun,
}

/// Says on stderr what would be touched, and finds out whether to.
///
/// # Errors
/// [`Code::NotConfirmed`] where nobody said yes.
pub(crate) fn ask(consent: Consent, what: &str) -> Result<Answer, Fault> {
    if consent.dry_run {
        output::aside(&format!("would {what}"));
        return Ok(Answer::DryRun);
    }
    if consent.yes {
        return Ok(Answer::Act);
    }
    let not_confirmed = || Fault::new(Code::NotConfirmed, format!("nothing was done; this would {what}"));
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(not_confirmed());
    }
    output::prompt(&format!("This will {what}. Go on? [y/N]"));
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") => Ok(Answer::Act),
        _ => Err(not_confirmed()),
    }
}
