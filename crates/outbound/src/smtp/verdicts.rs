//! What a mail server's replies mean, and failures to get one.

use std::{error::Error as _, io};

use lettre::transport::smtp::Error;
use outside::text;
use pipeline::{
    Code,
    destination::{LeftOut, RetryDelay, Verdict},
};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible};

use super::{
    greeting::{Capabilities, Failure, Handshake},
    reply::{Reply, ReplyError},
    settings::{SmtpSettings, Tls},
};

/// How much of the server's reply or of an error is shown, in characters.
const REASON: usize = 200;
/// The port for TLS from the start: <https://www.rfc-editor.org/rfc/rfc8314#section-3.3>.
const TLS_PORT: u16 = 465;
/// Authentication is required, or TLS before it: <https://www.rfc-editor.org/rfc/rfc4954#section-6>.
const WANTS_A_LOGIN: &str = "530";
/// The server closes the connection, whatever the command was: <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>.
const GOODBYE: &str = "421";

/// Where in the dialogue something failed, before the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Authentication.
    Login,
    /// Sender, recipients and DATA.
    Envelope,
}

/// The server refuses the mail permanently.
pub(super) fn refused(said: &str) -> Verdict {
    refusal(Code::MailRefused, said)
}

/// The server could not be reached or asks to retry later. The mail was not sent.
pub(super) fn unavailable(said: &str) -> Verdict {
    again(Code::MailUnavailable, "unavailable", said, false)
}

/// There was no confirmation: the mail may have been sent.
pub(super) fn unknown(said: &str) -> Verdict {
    again(Code::MailUnknown, "no confirmation", said, true)
}

/// None of the server's addresses accepted a connection.
pub(super) fn no_connection(why: &str) -> Verdict {
    unavailable(&format!("no connection: {why}"))
}

/// The server was not ready for the content in time.
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
        Failure::Lost(error) => return unavailable(&text::shorten(&settings.redact(&lost(error)), REASON)),
        Failure::Rejected(to, reply) => (to, reply, text::shorten(&settings.redact(&reply.said()), REASON)),
    };
    match (to, status) {
        (_, 530) => refusal(Code::MailLoginRefused, &said),
        // It serves no one, or no one from here, and has not seen the envelope yet.
        (Handshake::Connection, 500..) => refusal(Code::MailUnavailable, &said),
        (Handshake::Greeting, 500..) => refused(&said),
        (Handshake::StartTls, 500..) => refusal(Code::MailUnencrypted, &said),
        (_, 400..) => unavailable(&said),
        _ => unavailable(&out_of_sync(settings, &said)),
    }
}

/// The text for a reply that does not answer the command.
pub(super) fn out_of_sync(settings: &SmtpSettings, said: &str) -> String {
    let said = text::shorten(&settings.redact(said), REASON);
    format!("the server answers out of step: {said}")
}

/// The server does not offer STARTTLS, and without TLS nothing is sent.
pub(super) fn not_offered(capabilities: &Capabilities) -> Verdict {
    let why = knows_no_ehlo(capabilities);
    refusal(Code::MailUnencrypted, &format!("the server offers no STARTTLS{why}"))
}

/// The server offers no authentication mechanism that we support.
pub(super) fn no_login(settings: &SmtpSettings, capabilities: &Capabilities) -> Verdict {
    let others = capabilities.logins();
    let why = if !others.is_empty() {
        format!("the server offers no login with user and password, but {}", others.join(", "))
    } else if capabilities.knows_no_ehlo.is_some() {
        format!("the server takes no login here{}", knows_no_ehlo(capabilities))
    } else if matches!(settings.tls, Tls::None | Tls::Opportunistic(_)) {
        "the server takes no login here; many accept one only over TLS".to_owned()
    } else {
        "the server offers no login with user and password".to_owned()
    };
    refusal(Code::MailLoginRefused, &settings.redact(&why))
}

fn knows_no_ehlo(capabilities: &Capabilities) -> String {
    capabilities
        .knows_no_ehlo
        .as_ref()
        .map_or_else(String::new, |said| format!(", as it does not know EHLO: {said}"))
}

/// TLS could not be established: why, and what to do.
pub(super) fn no_tls(settings: &SmtpSettings, error: &io::Error) -> Verdict {
    use CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    let why = match tls_error(error) {
        Some(TlsError::InvalidCertificate(UnknownIssuer)) => {
            "its certificate is signed by no authority that this machine trusts; SSL_CERT_FILE names further ones"
                .to_owned()
        }
        Some(TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
            format!("its certificate is not for {}, the name in SMTP_URL", settings.host)
        }
        Some(TlsError::InvalidCertificate(Expired | ExpiredContext { .. })) => {
            "its certificate has expired".to_owned()
        }
        Some(TlsError::InvalidCertificate(other)) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's (CA:TRUE), and has to be a server certificate".to_owned()
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
        ) => "it does not support TLS 1.2 or 1.3, only an older version".to_owned(),
        Some(TlsError::AlertReceived(AlertDescription::CertificateRequired)) => {
            "it requires a client certificate, and leadops has none".to_owned()
        }
        // Before TLS 1.3 the server does not say more.
        Some(TlsError::AlertReceived(AlertDescription::HandshakeFailure)) => {
            "it breaks off (HandshakeFailure): it may require a client certificate, and leadops has none, or \
             ciphers that are out of use"
                .to_owned()
        }
        Some(other) => other.to_string(),
        None => lost(error),
    };
    again(Code::MailUnencrypted, "no TLS", &why, false)
}

/// What a failure before the content means, with the matching code.
pub(super) fn failed(step: Step, settings: &SmtpSettings, error: &Error) -> Verdict {
    let words = said(settings, error);
    let is_for_a_login = error.status().is_some_and(|status| status.to_string() == WANTS_A_LOGIN);
    match step {
        Step::Login if error.is_permanent() => refusal(Code::MailLoginRefused, &words),
        // lettre has nothing left to send, or does not understand the challenge.
        Step::Login if error.is_response() || error.is_client() => {
            unavailable("the server answers out of step: it asks for more after the complete login")
        }
        _ if is_for_a_login => refusal(Code::MailLoginRefused, &words),
        _ if error.is_permanent() || error.is_client() => refused(&words),
        _ => unavailable(&words),
    }
}

/// The verdict where no recipient is accepted: refused, unless one of them may be accepted later.
pub(super) fn nobody(left_out: &[LeftOut]) -> Verdict {
    let all = LeftOut::line(left_out);
    let wants_a_login = |one: &LeftOut| one.reason.starts_with(WANTS_A_LOGIN);
    match () {
        () if left_out.iter().any(|one| one.again) => unavailable(&all),
        () if left_out.iter().any(wants_a_login) => refusal(Code::MailLoginRefused, &all),
        () => refused(&all),
    }
}

/// Whether the server has closed the connection, whatever the command was.
pub(super) fn is_goodbye(error: &Error) -> bool {
    error.status().is_none_or(|status| status.to_string() == GOODBYE)
}

/// The server's reply, or the connection's error: one line, without secrets.
pub(super) fn said(settings: &SmtpSettings, error: &Error) -> String {
    let words = match (error.status(), io_error(error), error.source()) {
        (Some(status), _, Some(words)) => format!("{status} {words}"),
        (None, Some(error), _) => lost(error),
        _ => error.to_string(),
    };
    text::shorten(&settings.redact(&words), REASON)
}

/// Whether a command failed because of an unsolicited reply. It has not been sent.
pub(super) fn is_unsolicited(error: &Error) -> bool {
    let error = io_error(error).and_then(|error| error.get_ref()?.downcast_ref::<ReplyError>());
    matches!(error, Some(ReplyError::Unsolicited(_)))
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
            (TlsError::AlertReceived(AlertDescription::ProtocolVersion), "does not support TLS 1.2 or 1.3"),
            (PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), "does not support TLS 1.2 or 1.3"),
            (TlsError::AlertReceived(AlertDescription::CertificateRequired), "requires a client certificate"),
            (TlsError::AlertReceived(AlertDescription::HandshakeFailure), "may require a client certificate"),
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
