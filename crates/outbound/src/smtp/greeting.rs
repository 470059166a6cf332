//! The server's greeting and ours: <https://www.rfc-editor.org/rfc/rfc5321#section-3.1>. Here and not by lettre, which
//! knows no HELO, and offers of a server's in one spelling alone.

use std::io;

use lettre::transport::smtp::extension::ClientId;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{replies::Replies, reply::Reply};

/// The ways to log in that lettre knows.
const OUR_LOGINS: [&str; 2] = ["PLAIN", "LOGIN"];

/// What of the dialogue before the mail a server has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// Being connected to.
    Connection,
    /// Our greeting.
    Greeting,
    /// The wish to begin with TLS.
    StartTls,
}

/// Why a server is not ready for a mail.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection broke, or what came over it is no reply.
    Lost(io::Error),
    /// The server says something else than to go on.
    Says(To, Reply),
    /// It goes on, and there is no TLS.
    NoTls(io::Error),
    /// Its greeting did not come in time.
    Late {
        /// Whether nothing at all came.
        is_mute: bool,
    },
}

/// What a server says that it can do.
#[derive(Debug, Default)]
pub(super) struct Offers {
    lines: Vec<String>,
    /// Its words where it knows no EHLO: then it can do nothing beyond taking mail.
    pub(super) knows_no_ehlo: Option<String>,
}

impl Offers {
    /// Whether it begins with TLS when asked to.
    pub(super) fn is_tls_offered(&self) -> bool {
        self.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"))
    }

    /// How one can log in, in capitals. Old servers have `AUTH=` before it, which no standard knows
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

    /// Whether one of the ways to log in is one of ours.
    pub(super) fn is_login_offered(&self) -> bool {
        self.logins().iter().any(|login| OUR_LOGINS.contains(&login.as_str()))
    }

    /// What lettre has to know of it.
    pub(super) fn for_lettre(&self) -> Reply {
        let logins = OUR_LOGINS.into_iter().filter(|ours| self.logins().iter().any(|login| login == ours));
        let logins = logins.map(|login| format!("AUTH {login}"));
        Reply { status: 250, lines: ["server".to_owned()].into_iter().chain(logins).collect() }
    }
}

/// Hears the server's greeting.
pub(super) async fn hear<S: AsyncRead + Unpin>(
    replies: &mut Replies<S>,
    until: Instant,
) -> Result<(), Failure> {
    match timeout_at(until, replies.reply()).await {
        Ok(Ok(reply)) if reply.status == 220 => Ok(()),
        Ok(Ok(reply)) => Err(Failure::Says(To::Connection, reply)),
        Ok(Err(error)) => Err(Failure::Lost(error)),
        Err(_) => Err(Failure::Late { is_mute: !replies.is_heard() }),
    }
}

/// Greets a server that has greeted, in the old way where it does not know the new one
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1>).
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    replies: &mut Replies<S>,
    name: &ClientId,
) -> Result<Offers, Failure> {
    let ehlo = replies.ask(&format!("EHLO {name}")).await.map_err(Failure::Lost)?;
    if ehlo.status == 250 {
        return Ok(Offers { lines: ehlo.lines.into_iter().skip(1).collect(), knows_no_ehlo: None });
    }
    if !matches!(ehlo.status, 500 | 502) {
        return Err(Failure::Says(To::Greeting, ehlo));
    }
    let helo = replies.ask(&format!("HELO {name}")).await.map_err(Failure::Lost)?;
    if helo.status != 250 {
        return Err(Failure::Says(To::Greeting, helo));
    }
    Ok(Offers { lines: Vec::new(), knows_no_ehlo: Some(ehlo.said()) })
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
            let offers =
                Offers { lines: lines.iter().map(|line| (*line).to_owned()).collect(), ..Offers::default() };
            assert_eq!(offers.logins(), logins);
            assert_eq!(offers.is_login_offered(), is_offered, "{lines:?}");
        }
        let tls = Offers { lines: vec!["SIZE 10".to_owned(), "StartTLS ".to_owned()], ..Offers::default() };
        assert!(tls.is_tls_offered());
    }
}
