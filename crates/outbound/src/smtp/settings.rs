//! The settings of mail: its server, who it is from and who it is for.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lead::text;
use lettre::{
    Address,
    message::{Mailbox, Mailboxes},
    transport::smtp::{authentication::Credentials, extension::ClientId},
};
use pipeline::SecretText;
use tokio_rustls::rustls::ClientConfig;
use url::{ParseError, Url};

use super::connect;
use crate::{client, secret_url::hidden};

/// How the connection is encrypted.
#[derive(Clone)]
pub(super) enum Tls {
    FromTheStart(Arc<ClientConfig>),
    /// By STARTTLS, or nothing is sent.
    Required(Arc<ClientConfig>),
    /// By STARTTLS where the server offers it.
    Opportunistic(Arc<ClientConfig>),
    None,
}

/// Where mail goes out, who it is from and who it is for. Printed without the password.
#[derive(Clone)]
pub struct SmtpSettings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
    /// What of them nobody is to read, should the server say it.
    secrets: Vec<SecretText>,
    pub(super) from: Mailbox,
    pub(super) to: Mailboxes,
}

impl SmtpSettings {
    /// Reads `SMTP_URL`, `EMAIL_FROM` and `EMAIL_TO` (several, separated by commas).
    ///
    /// The URL is `scheme://user:password@host:port/ehlo-name?tls=…`, user and password
    /// percent-encoded, as lettre's `from_url` reads it. Without a name in its path the server is greeted with the domain
    /// of `EMAIL_FROM`, as an address in brackets is refused by many.
    ///
    /// | scheme | `tls` | default port | |
    /// | --- | --- | --- | --- |
    /// | `smtps` | | 465 | TLS from the start |
    /// | `smtp` | `required` | 587 | STARTTLS, or nothing is sent |
    /// | `smtp` | `opportunistic` | 587 | STARTTLS where the server offers it; with a password as `required` |
    /// | `smtp` | `none` | 25 | in the clear |
    /// | `smtp` | | 25 | in the clear, for a relay of one's own; with a password on this machine alone |
    ///
    /// # Errors
    /// A line for the operator that names the variable and shows nothing of the URL's user and
    /// password.
    pub fn parse(url: &str, from: &str, to: &str) -> Result<Self, String> {
        let from: Mailbox = from.trim().parse().map_err(|error| about_address("EMAIL_FROM", from, &error))?;
        let to: Mailboxes = to.trim().parse().map_err(|error| about_address("EMAIL_TO", to, &error))?;
        let to = once_each(to);
        if to.iter().next().is_none() {
            return Err("EMAIL_TO names nobody".to_owned());
        }
        for (name, mailbox) in to.iter().map(|to| ("EMAIL_TO", to)).chain([("EMAIL_FROM", &from)]) {
            let address: &Address = &mailbox.email;
            if !AsRef::<str>::as_ref(address).is_ascii() {
                return Err(format!("{name}: {} is not ASCII", text::shorten(address.as_ref(), 80)));
            }
        }
        Self::parse_url(url.trim(), from, to).map_err(|error| format!("SMTP_URL: {error}"))
    }

    /// What was said, without the password in any form in which it is sent.
    pub(super) fn hide_in(&self, said: &str) -> String {
        hidden(said, self.secrets.iter().map(SecretText::expose))
    }

    /// The host, an address without its brackets.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Host and port of the server.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn parse_url(url: &str, from: Mailbox, to: Mailboxes) -> Result<Self, String> {
        let url = parse_url(url)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?.to_owned();
        let mode = tls_mode(&url)?;
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) => return Err("it has a password but no user".to_owned()),
            (_, None) => return Err("it names a user but no password".to_owned()),
            (user, Some(password)) => Some(Credentials::new(decode(user)?, decode(password)?)),
        };
        let is_exposed = credentials.is_some() && !client::is_on_this_machine(&as_http(&host)?);
        let no_tls = |error: &dyn fmt::Display| format!("no TLS: {}", text::shorten(&error.to_string(), 200));
        let trust = || connect::trust().map_err(|error| no_tls(&error));
        let (tls, port) = match (url.scheme(), mode.as_deref()) {
            ("smtps", None | Some("required")) => (Tls::FromTheStart(trust()?), 465),
            ("smtps", Some(_)) => {
                return Err("smtps:// is TLS from the start, and its tls says otherwise".to_owned());
            }
            ("smtp", Some("required")) => (Tls::Required(trust()?), 587),
            ("smtp", Some("opportunistic")) if is_exposed => (Tls::Required(trust()?), 587),
            ("smtp", Some("opportunistic")) => (Tls::Opportunistic(trust()?), 587),
            ("smtp", None) if is_exposed => {
                return Err(
                    "it has a password, which would travel in the clear: begin it with smtps://, add \
                            ?tls=required, or say ?tls=none where that is meant"
                        .to_owned(),
                );
            }
            ("smtp", None | Some("none")) => (Tls::None, 25),
            ("smtp", Some(_)) => {
                return Err("its tls is none of required, opportunistic and none".to_owned());
            }
            _ => return Err("it begins with neither smtp:// nor smtps://".to_owned()),
        };
        let name = url.path().trim_matches('/');
        let hello = if name.is_empty() {
            ClientId::Domain(from.email.domain().to_owned())
        } else {
            ClientId::Domain(text::ascii(name).replace(' ', "-"))
        };
        let secrets = credentials.iter().flat_map(|_| secrets(url.username(), url.password())).collect();
        Ok(Self { secrets, port: url.port().unwrap_or(port), host, tls, hello, credentials, from, to })
    }
}

/// Reads the address, and says what is wrong with it in other words than a parser's.
fn parse_url(text: &str) -> Result<Url, String> {
    let encode =
        "a user or password with one of / ? # @ : % in it has those percent-encoded, / as %2F for instance";
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "smtp" | "smtps") => {
            Err("it begins with neither smtp:// nor smtps://".to_owned())
        }
        Ok(url) if url.username().is_empty() && url.as_str().contains('@') => Err(encode.to_owned()),
        Ok(url) => Ok(url),
        Err(_) if text.contains('@') && text.contains("://") => Err(encode.to_owned()),
        Err(ParseError::RelativeUrlWithoutBase) => {
            Err("it begins with neither smtp:// nor smtps://".to_owned())
        }
        Err(error) => Err(format!("it is no URL: {error}")),
    }
}

/// How its query wants the connection encrypted. What is not understood is not passed over.
fn tls_mode(url: &Url) -> Result<Option<String>, String> {
    let mut mode = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            let name = text::shorten(&name, 40);
            return Err(format!(
                "{name:?} is no parameter of it: there is tls=required, opportunistic or none"
            ));
        }
        if mode.replace(value.into_owned()).is_some() {
            return Err("it says tls twice".to_owned());
        }
    }
    Ok(mode)
}

/// A host as an address that says where it is.
fn as_http(host: &str) -> Result<Url, String> {
    Url::parse(&format!("http://{host}/")).map_err(|error| format!("its host is none: {error}"))
}

/// A password as it is, as it stands in the URL, and as AUTH PLAIN and AUTH LOGIN send it.
fn secrets(user: &str, password: Option<&str>) -> Vec<SecretText> {
    let (Ok(user), Some(written)) = (decode(user), password) else { return Vec::new() };
    let Ok(password) = decode(written) else { return Vec::new() };
    let plain = BASE64.encode(format!("\0{user}\0{password}"));
    let login = BASE64.encode(&password);
    let forms = [password, written.to_owned(), plain, login];
    forms.iter().map(|form| SecretText::new(form)).collect()
}

/// Percent-decoding, which the url crate does for queries only.
fn decode(text: &str) -> Result<String, String> {
    let query = format!("x={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded
        .filter(|value| !value.contains(char::REPLACEMENT_CHARACTER))
        .ok_or_else(|| "its user or password is not percent-encoded UTF-8".to_owned())
}

/// Each address once, however often it is named.
fn once_each(mailboxes: Mailboxes) -> Mailboxes {
    let mut known: Vec<Mailbox> = Vec::new();
    for mailbox in mailboxes {
        let address: &str = mailbox.email.as_ref();
        if !known.iter().any(|one| address.eq_ignore_ascii_case(one.email.as_ref())) {
            known.push(mailbox);
        }
    }
    known.into_iter().collect()
}

fn about_address(name: &str, address: &str, error: &dyn fmt::Display) -> String {
    format!("{name}: {:?} is no address: {error}", text::shorten(address, 80))
}

impl fmt::Display for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.tls {
            Tls::FromTheStart(_) => ("smtps", ""),
            Tls::Required(_) => ("smtp", "?tls=required"),
            Tls::Opportunistic(_) => ("smtp", "?tls=opportunistic"),
            Tls::None if self.credentials.is_some() => ("smtp", "?tls=none"),
            Tls::None => ("smtp", ""),
        };
        write!(f, "{scheme}://{}:{}{query}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} from {} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{
        SmtpMailer,
        tests::{FROM, TO},
    };

    #[test]
    fn every_form_of_the_url_is_read_and_its_password_is_not_shown() {
        for (url, shown) in [
            ("smtps://user:hunter2@mail.example.com", "smtps://mail.example.com:465"),
            ("smtp://user:hunter2@mail.example.com?tls=required", "smtp://mail.example.com:587?tls=required"),
            (
                "smtp://mail.example.com:2525?tls=opportunistic",
                "smtp://mail.example.com:2525?tls=opportunistic",
            ),
            ("smtp://localhost", "smtp://localhost:25"),
            ("smtp://user:hunter2@localhost", "smtp://localhost:25?tls=none"),
            ("smtp://user:hunter2@127.0.0.1:2525", "smtp://127.0.0.1:2525?tls=none"),
            ("smtp://user:hunter2@[::1]", "smtp://[::1]:25?tls=none"),
            ("smtp://user:hunter2@mail.example.com?tls=none", "smtp://mail.example.com:25?tls=none"),
            (
                "smtp://user:hunter2@mail.example.com?tls=opportunistic",
                "smtp://mail.example.com:587?tls=required",
            ),
            ("smtps://user:hunter2@mail.example.com?tls=required", "smtps://mail.example.com:465"),
        ] {
            let settings = SmtpSettings::parse(url, FROM, TO).unwrap();
            assert_eq!(settings.to_string(), shown);
            let all = format!("{settings:?} {:?}", SmtpMailer::new(settings.clone()));
            assert!(!all.contains("hunter2") && !all.contains("user"), "{all}");
        }
        let settings = SmtpSettings::parse("smtps://a%40b.c:p%2B%3A+%25@h", FROM, TO).unwrap();
        assert!(settings.credentials == Some(Credentials::new("a@b.c".to_owned(), "p+:+%".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_named_without_the_password() {
        for (url, from, to, name) in [
            ("", FROM, TO, "SMTP_URL"),
            ("mail.example.com", FROM, TO, "SMTP_URL"),
            ("http://user:hunter2@h", FROM, TO, "SMTP_URL"),
            ("smtp://user:hunter2@h?tls=maybe", FROM, TO, "SMTP_URL"),
            ("smtp://user:hunter2@h:99999", FROM, TO, "SMTP_URL"),
            ("smtp://hunter2@h", FROM, TO, "SMTP_URL"),
            ("smtp://:hunter2@h", FROM, TO, "SMTP_URL"),
            ("smtp://user:hunter2%ff@h", FROM, TO, "SMTP_URL"),
            ("smtp:///x", FROM, TO, "SMTP_URL"),
            (
                "smtp://user:hunter2@h",
                FROM,
                TO,
                "SMTP_URL: it has a password, which would travel in the clear",
            ),
            ("smtp://user:hunter2@h?TLS=required", FROM, TO, "SMTP_URL: \"TLS\" is no parameter"),
            ("smtp://user:hunter2@h?starttls=true", FROM, TO, "SMTP_URL: \"starttls\" is no parameter"),
            ("smtp://user:hunter2@h?tls=required&tls=none", FROM, TO, "SMTP_URL: it says tls twice"),
            ("smtps://user:hunter2@h?tls=none", FROM, TO, "SMTP_URL: smtps:// is TLS from the start"),
            ("smtps://AKIA:a/hunter2#c@h", FROM, TO, "SMTP_URL: a user or password with"),
            ("smtps://AKIA:12/hunter2@h", FROM, TO, "SMTP_URL: a user or password with"),
            ("mail.example.com:587", FROM, TO, "SMTP_URL: it begins with neither"),
            ("smtp://h", "nobody", TO, "EMAIL_FROM"),
            ("smtp://h", FROM, "", "EMAIL_TO"),
            ("smtp://h", FROM, "a@example.com, b", "EMAIL_TO"),
            ("smtp://h", FROM, "zoë@example.com", "EMAIL_TO"),
        ] {
            let error = SmtpSettings::parse(url, from, to).unwrap_err();
            assert!(error.starts_with(name) && !error.contains("hunter2"), "{error:?}");
        }
    }
}
