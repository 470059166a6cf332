//! What a mail server's answers mean, and what keeps from getting one.

use std::{error::Error as _, io};

use lead::text;
use lettre::transport::smtp::Error;
use pipeline::{
    Code,
    destination::{LeftOut, Pause, Verdict},
};

use super::settings::{SmtpSettings, Tls};

/// How much of what the server or the network said is passed on, in characters.
const REASON: usize = 200;
/// The port for TLS from the start: <https://www.rfc-editor.org/rfc/rfc8314#section-3.3>.
const TLS_PORT: u16 = 465;

/// Where in the dialogue something failed, before the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The greeting, and ours.
    Greeting,
    /// Encrypting after that.
    StartTls,
    /// User and password.
    Login,
    /// Sender and recipients.
    Envelope,
}

/// It refuses the mail for good.
pub(super) fn refused(said: &str) -> Verdict {
    refusal(Code::MailRefused, said)
}

/// It could not be reached or asks to try later. The mail was not sent.
pub(super) fn unavailable(said: &str) -> Verdict {
    again(Code::MailUnavailable, "unavailable", said, false)
}

/// No confirmation came: the mail may have been sent.
pub(super) fn unknown(said: &str) -> Verdict {
    again(Code::MailUnknown, "no confirmation", said, true)
}

/// None of its addresses took a connection.
pub(super) fn no_connection(why: &str) -> Verdict {
    unavailable(&format!("no connection: {why}"))
}

/// It did not come to the content in time.
pub(super) fn slow(settings: &SmtpSettings) -> Verdict {
    let is_mute = settings.port == TLS_PORT && !matches!(settings.tls, Tls::FromTheStart(_));
    let hint = if is_mute { ": port 465 speaks TLS from the start, smtps://" } else { "" };
    unavailable(&format!("the server did not get ready in time{hint}"))
}

/// There is no TLS from the start.
pub(super) fn no_tls(settings: &SmtpSettings, error: &io::Error) -> Verdict {
    let is_plain = error.kind() == io::ErrorKind::InvalidData && !is_about_trust(&error.to_string());
    let hint = match () {
        () if is_plain && settings.port != TLS_PORT => ": it does not begin with TLS, smtp://…?tls=required",
        () if is_plain => ": it does not begin with TLS",
        () => "",
    };
    unencrypted(&error.to_string(), hint)
}

/// What a failure before the content means, with the code that says where to look.
pub(super) fn failed(step: Step, settings: &SmtpSettings, error: &Error) -> Verdict {
    let words = said(error);
    // A login is wanted, or TLS before it.
    let is_for_a_login = error.status().is_some_and(|status| status.to_string() == "530");
    // Whatever a server says of certificates in a reply is not about ours.
    let is_about_tls = error.is_tls() || error.status().is_none() && is_about_trust(&words);
    match step {
        _ if is_about_tls => unencrypted(&words, ""),
        Step::StartTls if error.is_client() => {
            refusal(Code::MailUnencrypted, "the server offers no STARTTLS")
        }
        Step::StartTls if error.is_permanent() => refusal(Code::MailUnencrypted, &words),
        Step::Login if error.is_client() && matches!(settings.tls, Tls::None | Tls::Opportunistic(_)) => {
            refusal(Code::MailLoginRefused, "the server takes no login here; many do over TLS alone")
        }
        Step::Login if error.is_client() => {
            refusal(Code::MailLoginRefused, "the server offers no login with user and password")
        }
        Step::Login if error.is_permanent() => refusal(Code::MailLoginRefused, &words),
        _ if is_for_a_login => refusal(Code::MailLoginRefused, &words),
        _ if error.is_permanent() || error.is_client() => refused(&words),
        _ => unavailable(&words),
    }
}

/// What it means that none of those whom a mail is for is taken: that it is refused, unless one of them may be taken later.
pub(super) fn nobody(left_out: &[LeftOut]) -> Verdict {
    let all = LeftOut::line(left_out);
    let wants_a_login = |one: &LeftOut| one.reason.starts_with("530");
    match () {
        () if left_out.iter().any(|one| one.again) => unavailable(&all),
        () if left_out.iter().any(wants_a_login) => refusal(Code::MailLoginRefused, &all),
        () => refused(&all),
    }
}

/// The server's own words, or the network's: one line.
pub(super) fn said(error: &Error) -> String {
    let words = match (error.status(), error.source()) {
        (Some(status), Some(words)) => format!("{status} {words}"),
        _ => error.to_string(),
    };
    text::shorten(&words, REASON)
}

/// Whether somebody's certificate is not believed, as rustls says it.
fn is_about_trust(words: &str) -> bool {
    words.contains("certificate")
}

fn unencrypted(words: &str, hint: &str) -> Verdict {
    let hint = if is_about_trust(words) {
        ": SSL_CERT_FILE names the authorities that this machine is to trust"
    } else {
        hint
    };
    again(Code::MailUnencrypted, "no TLS", &format!("{words}{hint}"), false)
}

fn refusal(code: Code, said: &str) -> Verdict {
    Verdict::Refused { code, reason: reason("refused", said), payload: false }
}

fn again(code: Code, kind: &str, said: &str, may_have_arrived: bool) -> Verdict {
    Verdict::Again { code, reason: reason(kind, said), pause: Pause::Growing, may_have_arrived }
}

fn reason(kind: &str, said: &str) -> String {
    format!("mail server: {}", text::shorten(&format!("{kind}: {said}"), REASON))
}
