//! What a mail server's answers mean, and what keeps from getting one.

use std::{error::Error as _, io};

use lettre::transport::smtp::Error;
use outside::text;
use pipeline::{
    Code,
    destination::{LeftOut, RetryDelay, Verdict},
};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible};

use super::{
    greeting::{Failure, Offers, To},
    reply::{Reply, Trouble},
    settings::{SmtpSettings, Tls},
};

/// How much of what the server or the network said is passed on, in characters.
const REASON: usize = 200;
/// The port for TLS from the start: <https://www.rfc-editor.org/rfc/rfc8314#section-3.3>.
const TLS_PORT: u16 = 465;
/// A login is wanted, or TLS before it: <https://www.rfc-editor.org/rfc/rfc4954#section-6>.
const WANTS_A_LOGIN: &str = "530";
/// The server's goodbye, whatever it was asked: <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>.
const GOODBYE: &str = "421";

/// Where in the dialogue something failed, before the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// User and password.
    Login,
    /// Sender and recipients, and the wish to send the content.
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
pub(super) fn slow(settings: &SmtpSettings, is_mute: bool) -> Verdict {
    let hint = match &settings.tls {
        Tls::FromTheStart(_) => "",
        _ if !is_mute => "",
        _ if settings.port == TLS_PORT => ": port 465 speaks TLS from the start, smtps://",
        _ => "; one that speaks TLS from the start waits for us, smtps://",
    };
    unavailable(&format!("the server did not get ready in time{hint}"))
}

/// The server is not ready for a mail.
pub(super) fn not_ready(settings: &SmtpSettings, failure: Failure) -> Verdict {
    let (to, Reply { status, .. }, said) = match &failure {
        Failure::Late { is_mute } => return slow(settings, *is_mute),
        Failure::NoTls(error) => return no_tls(settings, error),
        Failure::Lost(error) if tls_error(error).is_some() => return no_tls(settings, error),
        Failure::Lost(error) => return unavailable(&text::shorten(&settings.hide_in(&lost(error)), REASON)),
        Failure::Says(to, reply) => (to, reply, text::shorten(&settings.hide_in(&reply.said()), REASON)),
    };
    match (to, status) {
        (_, 530) => refusal(Code::MailLoginRefused, &said),
        // It serves nobody, or nobody from here, and has not heard of anybody yet.
        (To::Connection, 500..) => refusal(Code::MailUnavailable, &said),
        (To::Greeting, 500..) => refused(&said),
        (To::StartTls, 500..) => refusal(Code::MailUnencrypted, &said),
        (_, 400..) => unavailable(&said),
        _ => unavailable(&out_of_step(settings, &said)),
    }
}

/// That the server said this, which answers nothing that it was asked.
pub(super) fn out_of_step(settings: &SmtpSettings, said: &str) -> String {
    let said = text::shorten(&settings.hide_in(said), REASON);
    format!("the server answers out of step: {said}")
}

/// The server knows nothing of TLS after its greeting, and without it nothing is sent.
pub(super) fn not_offered(offers: &Offers) -> Verdict {
    let why = knows_no_ehlo(offers);
    refusal(Code::MailUnencrypted, &format!("the server offers no STARTTLS{why}"))
}

/// The server offers no login that we know.
pub(super) fn no_login(settings: &SmtpSettings, offers: &Offers) -> Verdict {
    let others = offers.logins();
    let why = if !others.is_empty() {
        format!("the server offers no login with user and password, but {}", others.join(", "))
    } else if offers.knows_no_ehlo.is_some() {
        format!("the server takes no login here{}", knows_no_ehlo(offers))
    } else if matches!(settings.tls, Tls::None | Tls::Opportunistic(_)) {
        "the server takes no login here; many do over TLS alone".to_owned()
    } else {
        "the server offers no login with user and password".to_owned()
    };
    refusal(Code::MailLoginRefused, &settings.hide_in(&why))
}

fn knows_no_ehlo(offers: &Offers) -> String {
    offers.knows_no_ehlo.as_ref().map_or_else(String::new, |said| format!(", as it knows no EHLO: {said}"))
}

/// There is no TLS: why, in words that say what to do.
pub(super) fn no_tls(settings: &SmtpSettings, error: &io::Error) -> Verdict {
    use CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    let why = match tls_error(error) {
        Some(TlsError::InvalidCertificate(UnknownIssuer)) => {
            "nobody whom this machine trusts has signed its certificate; SSL_CERT_FILE names others"
                .to_owned()
        }
        Some(TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
            format!("its certificate is for another name than {}, which SMTP_URL says", settings.host)
        }
        Some(TlsError::InvalidCertificate(Expired | ExpiredContext { .. })) => {
            "its certificate has expired".to_owned()
        }
        Some(TlsError::InvalidCertificate(other)) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority (CA:TRUE), and has to be one of its own".to_owned()
        }
        Some(TlsError::InvalidCertificate(other)) => format!("its certificate is not accepted: {other}"),
        Some(TlsError::InvalidMessage(_)) if settings.port == TLS_PORT => {
            "it does not begin with TLS".to_owned()
        }
        Some(TlsError::InvalidMessage(_)) => {
            "it does not begin with TLS, as smtp://…?tls=required expects".to_owned()
        }
        Some(
            TlsError::AlertReceived(AlertDescription::ProtocolVersion)
            | TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
        ) => "it speaks no TLS of today, 1.2 or 1.3, but an older one".to_owned(),
        Some(TlsError::AlertReceived(AlertDescription::CertificateRequired)) => {
            "it wants a certificate of ours, and leadops has none".to_owned()
        }
        // Before TLS 1.3 that is all that one hears.
        Some(TlsError::AlertReceived(AlertDescription::HandshakeFailure)) => {
            "it breaks off (HandshakeFailure): it may want a certificate of ours, and leadops has none, or \
             ciphers that are out of use"
                .to_owned()
        }
        Some(other) => other.to_string(),
        None => lost(error),
    };
    again(Code::MailUnencrypted, "no TLS", &why, false)
}

/// What a failure before the content means, with the code that says where to look.
pub(super) fn failed(step: Step, settings: &SmtpSettings, error: &Error) -> Verdict {
    let words = said(settings, error);
    let is_for_a_login = error.status().is_some_and(|status| status.to_string() == WANTS_A_LOGIN);
    match step {
        Step::Login if error.is_permanent() => refusal(Code::MailLoginRefused, &words),
        // lettre has nothing left to say, or does not understand what is wanted.
        Step::Login if error.is_response() || error.is_client() => {
            unavailable("the server answers out of step: it asks for more where the login has said all")
        }
        _ if is_for_a_login => refusal(Code::MailLoginRefused, &words),
        _ if error.is_permanent() || error.is_client() => refused(&words),
        _ => unavailable(&words),
    }
}

/// What it means that none of those whom a mail is for is taken: that it is refused, unless one of them may be taken later.
pub(super) fn nobody(left_out: &[LeftOut]) -> Verdict {
    let all = LeftOut::line(left_out);
    let wants_a_login = |one: &LeftOut| one.reason.starts_with(WANTS_A_LOGIN);
    match () {
        () if left_out.iter().any(|one| one.again) => unavailable(&all),
        () if left_out.iter().any(wants_a_login) => refusal(Code::MailLoginRefused, &all),
        () => refused(&all),
    }
}

/// Whether the server has gone, whatever it was asked.
pub(super) fn is_goodbye(error: &Error) -> bool {
    error.status().is_none_or(|status| status.to_string() == GOODBYE)
}

/// The server's own words, or the network's: one line, without what is secret.
pub(super) fn said(settings: &SmtpSettings, error: &Error) -> String {
    let words = match (error.status(), io_error(error), error.source()) {
        (Some(status), _, Some(words)) => format!("{status} {words}"),
        (None, Some(error), _) => lost(error),
        _ => error.to_string(),
    };
    text::shorten(&settings.hide_in(&words), REASON)
}

/// Whether what failed is that the server had said something that nobody asked for. What was to be sent has not been.
pub(super) fn is_unasked(error: &Error) -> bool {
    let trouble = io_error(error).and_then(|error| error.get_ref()?.downcast_ref::<Trouble>());
    matches!(trouble, Some(Trouble::Unasked(_)))
}

fn io_error(error: &Error) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>()
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref::<TlsError>()
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
        _ => error.to_string(),
    }
}

fn refusal(code: Code, said: &str) -> Verdict {
    Verdict::Refused { code, reason: reason("refused", said), payload: false }
}

fn again(code: Code, kind: &str, said: &str, may_have_arrived: bool) -> Verdict {
    Verdict::Retry { code, reason: reason(kind, said), pause: RetryDelay::Backoff, may_have_arrived }
}

fn reason(kind: &str, said: &str) -> String {
    format!("mail server: {}", text::shorten(&format!("{kind}: {said}"), REASON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::tests::{FROM, TO};

    #[test]
    fn why_there_is_no_tls_is_said_in_words_that_help() {
        let settings = SmtpSettings::parse("smtps://mail.example.com", FROM, TO).unwrap();
        for (error, words) in [
            (TlsError::AlertReceived(AlertDescription::ProtocolVersion), "no TLS of today"),
            (PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), "no TLS of today"),
            (TlsError::AlertReceived(AlertDescription::CertificateRequired), "wants a certificate of ours"),
            (TlsError::AlertReceived(AlertDescription::HandshakeFailure), "may want a certificate of ours"),
        ] {
            for failure in [Failure::NoTls, Failure::Lost] {
                let verdict = not_ready(&settings, failure(io::Error::other(error.clone())));
                let Verdict::Retry { code: Code::MailUnencrypted, reason, .. } = verdict else {
                    panic!("{verdict:?}")
                };
                assert!(reason.contains(words), "{reason}");
            }
        }
    }
}
