//! The settings of mail: server, sender and recipients.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lettre::{
    message::{Mailbox, Mailboxes},
    transport::smtp::{authentication::Credentials, extension::ClientId},
};
use outside::text;
use pipeline::SecretText;
use tokio_rustls::rustls::ClientConfig;
use url::{ParseError, Position, Url};

use super::{addresses, connect, reply};
use crate::secret_url::{redacted, unescaped};

/// How the connection is encrypted.
#[derive(Clone)]
pub(super) enum Tls {
    FromTheStart(Arc<ClientConfig>),
    /// By STARTTLS; without it nothing is sent.
    Required(Arc<ClientConfig>),
    /// By STARTTLS where the server offers it.
    Opportunistic(Arc<ClientConfig>),
    None,
}

/// The server, the sender and the recipients. Printed without the password.
#[derive(Clone)]
pub struct SmtpSettings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
    /// The forms of the password, to be redacted from the server's replies.
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
    /// | `smtp` | | 25 | in the clear, for a relay of your own; with a password only on this machine |
    ///
    /// # Errors
    /// A line for the operator that names the variable and shows nothing of the URL's user and
    /// password.
    pub fn parse(url: &str, from: &str, to: &str) -> Result<Self, String> {
        let (from, to) = (addresses::sender(from)?, addresses::recipients(to)?);
        Self::parse_url(url.trim(), from, to).map_err(|error| format!("SMTP_URL: {error}"))
    }

    /// `text` without the password in any form in which it is sent.
    pub(super) fn redact(&self, text: &str) -> String {
        redacted(text, self.secrets.iter().map(SecretText::expose))
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
        let is_exposed = credentials.is_some() && !web::is_on_this_machine(&as_http(&host)?);
        let trust = || connect::trust().map_err(|error| format!("no TLS: {}", text::shorten(&error, 200)));
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
                return Err("its tls is not required, opportunistic or none".to_owned());
            }
            _ => return Err("it begins with neither smtp:// nor smtps://".to_owned()),
        };
        let hello = hello(&url)?.unwrap_or_else(|| from.email.domain().to_owned());
        let hello = ClientId::Domain(hello);
        let secrets = credentials.iter().flat_map(|_| secrets(url.username(), url.password())).collect();
        Ok(Self { secrets, port: url.port().unwrap_or(port), host, tls, hello, credentials, from, to })
    }
}

/// Parses the URL, with errors that say what to change.
fn parse_url(text: &str) -> Result<Url, String> {
    let encode =
        "a user or password with one of / ? # @ : % in it has those percent-encoded, / as %2F for instance";
    let is_server = |rest: &str| rest.starts_with("smtp://") || rest.starts_with("smtps://");
    let is_list = text.split([',', ';', ' ']).skip(1).any(is_server);
    match Url::parse(text) {
        _ if is_list => Err("it names one server, not a list".to_owned()),
        Ok(url) if url.host_str().is_some_and(|host| host.contains([',', ';'])) => {
            Err("it names one server, followed by nothing but a port".to_owned())
        }
        Ok(url) if !matches!(url.scheme(), "smtp" | "smtps") => {
            Err("it begins with neither smtp:// nor smtps://".to_owned())
        }
        // One that ends the password too early, so that what follows stands behind the host.
        Ok(url) if url[Position::BeforePath..].contains('@') => Err(encode.to_owned()),
        Ok(url) if url.username().is_empty() && url.as_str().contains('@') => Err(encode.to_owned()),
        Ok(url) => Ok(url),
        Err(_) if text.contains('@') && text.contains("://") => Err(encode.to_owned()),
        Err(ParseError::RelativeUrlWithoutBase) => {
            Err("it begins with neither smtp:// nor smtps://".to_owned())
        }
        Err(error) => Err(format!("it is not a URL: {error}")),
    }
}

/// The name in the path, for EHLO (<https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1>). Anything else there is a
/// mistake.
fn hello(url: &Url) -> Result<Option<String>, String> {
    if url.fragment().is_some() {
        return Err("the part after # has no meaning; ask for TLS with ?tls=required".to_owned());
    }
    let written = url.path().trim_matches('/');
    if written.is_empty() {
        return Ok(None);
    }
    let name = decode(written).ok().filter(|name| is_domain(name) || is_literal(name));
    name.map(Some).ok_or_else(|| {
        let written = text::shorten(written, 40);
        format!(
            "{written:?} after its host is not a name for EHLO, such as crm.example.com; ask for TLS with \
             ?tls=required"
        )
    })
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(is_inner)
    };
    name.contains('.') && name.split('.').all(is_label)
}

/// An address in brackets: <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3>.
fn is_literal(name: &str) -> bool {
    let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let six = address.strip_prefix("IPv6:").is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    six || address.parse::<Ipv4Addr>().is_ok()
}

/// The value of `tls` in the query. Anything else in the query is an error.
fn tls_mode(url: &Url) -> Result<Option<String>, String> {
    let mut mode = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            let name = text::shorten(&name, 40);
            return Err(format!(
                "{name:?} is not a parameter of it: expected tls=required, opportunistic or none"
            ));
        }
        if mode.replace(value.into_owned()).is_some() {
            return Err("it has tls twice".to_owned());
        }
    }
    Ok(mode)
}

/// A host as an HTTP URL.
fn as_http(host: &str) -> Result<Url, String> {
    Url::parse(&format!("http://{host}/")).map_err(|error| format!("its host is invalid: {error}"))
}

/// A password in plain text, as it is in the URL, as AUTH PLAIN and AUTH LOGIN send it, and as it is read from a reply.
fn secrets(user: &str, password: Option<&str>) -> Vec<SecretText> {
    let (Ok(user), Some(written)) = (decode(user), password) else { return Vec::new() };
    let Ok(password) = decode(written) else { return Vec::new() };
    let plain = BASE64.encode(format!("\0{user}\0{password}"));
    let login = BASE64.encode(&password);
    // Replies are read as ASCII.
    let as_ascii = reply::ascii(password.as_bytes());
    let as_latin = password.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let forms = [password, written.to_owned(), plain, login, as_ascii, as_latin];
    forms.iter().map(|form| SecretText::new(form)).collect()
}

fn decode(text: &str) -> Result<String, String> {
    let plain = unescaped(text);
    let is_utf8 = !plain.contains(char::REPLACEMENT_CHARACTER);
    is_utf8.then_some(plain).ok_or_else(|| "its user or password is not percent-encoded UTF-8".to_owned())
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
        let settings = SmtpSettings::parse("smtps://u:h%C3%BCnter2@h", FROM, TO).unwrap();
        for said in ["hünter2", "h??nter2", "h?nter2", "h%C3%BCnter2"] {
            assert_eq!(settings.redact(&format!("535 no {said} here")), "535 no … here");
        }
        let settings = SmtpSettings::parse("smtps://a%40b.c:p%2B%3A+%25@h", FROM, TO).unwrap();
        assert!(settings.credentials == Some(Credentials::new("a@b.c".to_owned(), "p+:+%".to_owned())));
        let settings = SmtpSettings::parse("smtps://u&v:p&w=x@h", FROM, TO).unwrap();
        assert!(settings.credentials == Some(Credentials::new("u&v".to_owned(), "p&w=x".to_owned())));
    }

    #[test]
    fn the_server_is_greeted_with_a_name_or_an_address_in_brackets() {
        for (path, hello) in [
            ("", "example.com"),
            ("/", "example.com"),
            ("/crm.example.org", "crm.example.org"),
            ("/crm%2Dtwo.example.org", "crm-two.example.org"),
            ("/[192.0.2.1]", "[192.0.2.1]"),
            ("/%5BIPv6:2001:db8::1%5D", "[IPv6:2001:db8::1]"),
        ] {
            let settings = SmtpSettings::parse(&format!("smtp://h{path}"), FROM, TO).unwrap();
            assert_eq!(settings.hello.to_string(), hello);
        }
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
            ("smtp://user:hunter2@h?TLS=required", FROM, TO, "SMTP_URL: \"TLS\" is not a parameter"),
            ("smtp://user:hunter2@h?starttls=true", FROM, TO, "SMTP_URL: \"starttls\" is not a parameter"),
            ("smtp://user:hunter2@h?tls=required&tls=none", FROM, TO, "SMTP_URL: it has tls twice"),
            ("smtps://user:hunter2@h?tls=none", FROM, TO, "SMTP_URL: smtps:// is TLS from the start"),
            ("smtps://AKIA:a/hunter2#c@h", FROM, TO, "SMTP_URL: a user or password with"),
            ("smtps://AKIA:12/hunter2@h", FROM, TO, "SMTP_URL: a user or password with"),
            ("smtps://AKIA:p@ss/hunter2@mail.example.com", FROM, TO, "SMTP_URL: a user or password with"),
            ("smtps://AKIA:p@ss?hunter2@mail.example.com", FROM, TO, "SMTP_URL: a user or password with"),
            ("smtps://AKIA:p@ss#hunter2@mail.example.com", FROM, TO, "SMTP_URL: a user or password with"),
            ("mail.example.com:587", FROM, TO, "SMTP_URL: it begins with neither"),
            ("smtp://h/starttls", FROM, TO, "SMTP_URL: \"starttls\" after its host is not a name"),
            ("smtp://h/tls=required", FROM, TO, "SMTP_URL: \"tls=required\" after its host is not a name"),
            ("smtp://h/crm.example.com/x", FROM, TO, "SMTP_URL: \"crm.example.com/x\" after its host"),
            ("smtp://h/a.b%0d%0aQUIT", FROM, TO, "SMTP_URL: \"a.b%0d%0aQUIT\" after its host"),
            ("smtp://h/[300.1.1.1]", FROM, TO, "SMTP_URL: \"[300.1.1.1]\" after its host"),
            ("smtp://h#tls=required", FROM, TO, "SMTP_URL: the part after # has no meaning"),
            ("smtp://user:hunter2@h?tls=none#x", FROM, TO, "SMTP_URL: the part after #"),
            ("smtp://relay:25,smtp://relay2", FROM, TO, "SMTP_URL: it names one server, not a list"),
            ("smtp://relay:25, smtp://relay2", FROM, TO, "SMTP_URL: it names one server, not a list"),
            ("smtp://relay,relay2", FROM, TO, "SMTP_URL: it names one server, followed by nothing"),
            (
                "smtp://mail.example.com;user=x",
                FROM,
                TO,
                "SMTP_URL: it names one server, followed by nothing",
            ),
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
