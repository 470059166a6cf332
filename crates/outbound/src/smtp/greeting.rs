//! The server's greeting and ours: <https://www.rfc-editor.org/rfc/rfc5321#section-3.1>. Done here and not by lettre, which
//! does not know HELO and reads capabilities in one spelling only.

use std::io;

use lettre::transport::smtp::extension::ClientId;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{reply::Reply, reply_stream::ReplyStream};

/// The authentication mechanisms that lettre supports.
const OUR_LOGINS: [&str; 2] = ["PLAIN", "LOGIN"];

/// The step before the mail that a server has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The connection.
    Connection,
    /// EHLO or HELO.
    Greeting,
    /// STARTTLS.
    StartTls,
}

/// Why a server is not ready for a mail.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection failed, or what came over it is not a reply.
    Lost(io::Error),
    /// The server does not let us continue.
    Rejected(Handshake, Reply),
    /// TLS could not be established.
    NoTls(io::Error),
    /// Its greeting did not come in time.
    Late {
        /// Whether nothing at all was received.
        is_mute: bool,
    },
}

/// The capabilities that a server announces.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    lines: Vec<String>,
    /// Its reply where it does not know EHLO: then it has no extensions.
    pub(super) knows_no_ehlo: Option<String>,
}

impl Capabilities {
    /// Whether it offers STARTTLS.
    pub(super) fn is_tls_offered(&self) -> bool {
        self.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"))
    }

    /// Its authentication mechanisms, in capitals. Old servers write `AUTH=`, which is in no standard
    /// (<https://www.postfix.org/postconf.5.html#broken_sasl_auth_clients>).
    pub(super) fn logins(&self) -> Vec<String> {
        let after = |line: &String| {
            let line = line.trim().to_ascii_uppercase();
            line.strip_prefix("AUTH").filter(|rest| rest.starts_with([' ', '=', '\t'])).map(str::to_owned)
        };
        let mut logins: Vec<String> = Vec::new();
        for rest in self.lines.iter().filter_map(after) {
            for login in rest.split([' ', '=', '\t']).filter(|login| !login.is_empty()) {
                if !logins.iter().any(|one| one == login) {
                    logins.push(login.to_owned());
                }
            }
        }
        logins
    }

    /// Whether it offers a mechanism that we support.
    pub(super) fn is_login_offered(&self) -> bool {
        self.logins().iter().any(|login| OUR_LOGINS.contains(&login.as_str()))
    }

    /// The part that lettre needs.
    pub(super) fn for_lettre(&self) -> Reply {
        let logins = OUR_LOGINS.into_iter().filter(|ours| self.logins().iter().any(|login| login == ours));
        let logins = logins.map(|login| format!("AUTH {login}"));
        Reply { status: 250, lines: ["server".to_owned()].into_iter().chain(logins).collect() }
    }
}

/// Reads the server's greeting.
pub(super) async fn read_greeting<S: AsyncRead + Unpin>(
    replies: &mut ReplyStream<S>,
    until: Instant,
) -> Result<(), Failure> {
    match timeout_at(until, replies.reply()).await {
        Ok(Ok(reply)) if reply.status == 220 => Ok(()),
        Ok(Ok(reply)) => Err(Failure::Rejected(Handshake::Connection, reply)),
        Ok(Err(error)) => Err(Failure::Lost(error)),
        Err(_) => Err(Failure::Late { is_mute: !replies.has_received() }),
    }
}

/// Sends EHLO, and HELO where the server does not know EHLO
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1>).
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    replies: &mut ReplyStream<S>,
    name: &ClientId,
) -> Result<Capabilities, Failure> {
    let ehlo = replies.ask(&format!("EHLO {name}")).await.map_err(Failure::Lost)?;
    if ehlo.status == 250 {
        return Ok(Capabilities { lines: ehlo.lines.into_iter().skip(1).collect(), knows_no_ehlo: None });
    }
    if !matches!(ehlo.status, 500 | 502) {
        return Err(Failure::Rejected(Handshake::Greeting, ehlo));
    }
    let helo = replies.ask(&format!("HELO {name}")).await.map_err(Failure::Lost)?;
    if helo.status != 250 {
        return Err(Failure::Rejected(Handshake::Greeting, helo));
    }
    Ok(Capabilities { lines: Vec::new(), knows_no_ehlo: Some(ehlo.said()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_understood_in_every_spelling() {
        for (lines, logins, is_offered) in [
            (vec!["AUTH PLAIN LOGIN"], vec!["PLAIN", "LOGIN"], true),
            (vec!["auth plain login"], vec!["PLAIN", "LOGIN"], true),
            (vec!["AUTH=PLAIN LOGIN"], vec!["PLAIN", "LOGIN"], true),
            (vec!["AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"], vec!["LOGIN", "PLAIN"], true),
            (vec!["AUTH XOAUTH2 CRAM-MD5"], vec!["XOAUTH2", "CRAM-MD5"], false),
            (vec!["AUTH"], vec![], false),
            (vec!["AUTHENTICATED PLAIN", "SIZE 1000"], vec![], false),
        ] {
            let capabilities = Capabilities {
                lines: lines.iter().map(|line| (*line).to_owned()).collect(),
                ..Capabilities::default()
            };
            assert_eq!(capabilities.logins(), logins);
            assert_eq!(capabilities.is_login_offered(), is_offered, "{lines:?}");
        }
        let tls = Capabilities {
            lines: vec!["SIZE 10".to_owned(), "StartTLS ".to_owned()],
            ..Capabilities::default()
        };
        assert!(tls.is_tls_offered());
    }
}
