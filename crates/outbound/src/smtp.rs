use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::{
    email::{Mail, mail},
    text,
};
use lettre::{
    Address, Message,
    message::{
        Mailbox, Mailboxes,
        header::{ContentType, HeaderName, HeaderValue, MessageId},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters},
        commands,
        extension::ClientId,
    },
};
use pipeline::{
    Code, Fault,
    destination::{Checked, Destination, Form, Limits, Outgoing, Pause, Verdict},
};
use tokio_rustls::rustls::ClientConfig;
use url::{ParseError, Url};

use crate::{
    client,
    destinations::{MadeOne, Making, SecretSetting},
};

mod connect;

/// The server's URL. A function has none, as its mail goes by a topic.
pub(crate) const URL: SecretSetting = SecretSetting { value: "SMTP_URL", in_functions: "SNS_TOPIC_ARN" };

/// How long the server may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// From connecting to its word that it is ready for the content.
    ready: Duration,
    /// From the content's first byte to the confirmation.
    confirm: Duration,
}

const PATIENCE: Patience = Patience { ready: Duration::from_secs(15), confirm: Duration::from_secs(15) };
/// How long the server may take over a goodbye, on which nothing depends.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a look at the server may take.
const LOOK: Duration = Duration::from_secs(5);

/// How the connection is encrypted.
#[derive(Clone)]
enum Tls {
    FromTheStart(Arc<ClientConfig>),
    /// By STARTTLS, or nothing is sent.
    Required(TlsParameters),
    /// By STARTTLS where the server offers it.
    Opportunistic(TlsParameters),
    None,
}

/// Where mail goes out, who it is from and who it is for. Printed without the password.
#[derive(Clone)]
pub struct SmtpSettings {
    host: String,
    port: u16,
    tls: Tls,
    hello: ClientId,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Mailboxes,
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
        let parameters = || TlsParameters::new(host.clone()).map_err(|error| no_tls(&error));
        let (tls, port) = match (url.scheme(), mode.as_deref()) {
            ("smtps", None | Some("required")) => {
                (Tls::FromTheStart(connect::trust().map_err(|error| no_tls(&error))?), 465)
            }
            ("smtps", Some(_)) => {
                return Err("smtps:// is TLS from the start, and its tls says otherwise".to_owned());
            }
            ("smtp", Some("required")) => (Tls::Required(parameters()?), 587),
            ("smtp", Some("opportunistic")) if is_exposed => (Tls::Required(parameters()?), 587),
            ("smtp", Some("opportunistic")) => (Tls::Opportunistic(parameters()?), 587),
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
        Ok(Self { port: url.port().unwrap_or(port), host, tls, hello, credentials, from, to })
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

/// Percent-decoding, which the url crate does for queries only.
fn decode(text: &str) -> Result<String, String> {
    let query = format!("x={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded
        .filter(|value| !value.contains(char::REPLACEMENT_CHARACTER))
        .ok_or_else(|| "its user or password is not percent-encoded UTF-8".to_owned())
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

/// Mail through an SMTP server, one connection a mail.
///
/// Speaks lettre's connection rather than its transport: the transport bounds the connecting alone,
/// and does not say whether a silence came before the mail was handed over or after.
#[derive(Debug, Clone)]
pub struct SmtpMailer {
    settings: SmtpSettings,
    patience: Patience,
}

impl SmtpMailer {
    /// A mailer that gives the server 15 s to get ready for a mail, and 15 s to confirm it.
    pub fn new(settings: SmtpSettings) -> Self {
        Self { settings, patience: PATIENCE }
    }

    fn message(&self, mail: &Mail) -> Result<Message, Verdict> {
        let settings = &self.settings;
        let mut builder = Message::builder().from(settings.from.clone());
        for to in settings.to.iter() {
            builder = builder.to(to.clone());
        }
        builder
            .subject(&mail.subject)
            .date_now()
            .header(MessageId::from(message_id(settings.from.email.domain())))
            // RFC 3834: keeps holiday notices from answering.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|error| refused(&format!("the mail cannot be written: {error}")))
    }

    /// Everything up to the server's word that it is ready for the mail's content. Nothing is sent
    /// unless the content follows.
    async fn prepare(&self) -> Result<AsyncSmtpConnection, Verdict> {
        let settings = &self.settings;
        let (encrypted, start_tls) = match &settings.tls {
            Tls::FromTheStart(config) => (Some(config), None),
            Tls::Required(parameters) | Tls::Opportunistic(parameters) => (None, Some(parameters.clone())),
            Tls::None => (None, None),
        };
        let host = settings.host.trim_matches(['[', ']']);
        let stream = connect::connect(host, settings.port, encrypted)
            .await
            .map_err(|error| unavailable(&format!("Connection error: {error}")))?;
        self.greet(stream, start_tls).await.map_err(|error| {
            // A STARTTLS or a way to log in that the server does not have is not about to come.
            if error.is_permanent() || error.is_client() {
                refused(&error.to_string())
            } else {
                unavailable(&error.to_string())
            }
        })
    }

    /// The dialogue up to the mail's content.
    async fn greet(
        &self,
        stream: Box<dyn AsyncTokioStream>,
        start_tls: Option<TlsParameters>,
    ) -> Result<AsyncSmtpConnection, Error> {
        let settings = &self.settings;
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &settings.hello).await?;
        if let Some(parameters) = start_tls
            && (matches!(settings.tls, Tls::Required(_)) || connection.can_starttls())
        {
            connection.starttls(parameters, &settings.hello).await?;
        }
        if let Some(credentials) = &settings.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        let from = settings.from.email.clone();
        connection.command(commands::Mail::new(Some(from), Vec::new())).await?;
        // All or none: a recipient that is refused shows up as a failure instead of missing out quietly.
        for to in settings.to.iter() {
            connection.command(commands::Rcpt::new(to.email.clone(), Vec::new())).await?;
        }
        connection.command(commands::Data).await?;
        Ok(connection)
    }
}

#[async_trait]
impl Destination for SmtpMailer {
    fn limits(&self) -> Limits {
        let Patience { ready, confirm } = self.patience;
        Limits {
            longest_send: ready + confirm + GOODBYE,
            pace: None,
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::MailUnavailable,
            shows_all: false,
        }
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: Form) -> Verdict {
        let [one] = alerts else { return refused("a mail is about one lead") };
        self.send_mail(&mail(&one.alert)).await.map_or_else(|verdict| verdict, |()| Verdict::Sent)
    }

    async fn check(&self, in_use: bool) -> Checked {
        if !in_use {
            return Checked::Well("switched off".to_owned());
        }
        let server = self.settings.server();
        let connected = tokio::time::timeout(LOOK, tokio::net::TcpStream::connect(&server)).await;
        let failed = |what| Checked::Failed(Fault::new(Code::MailUnavailable, what));
        match connected {
            Ok(Ok(stream)) => {
                let peer = stream.peer_addr().ok().map_or_else(String::new, |peer| format!(" ({peer})"));
                Checked::Well(format!("{server}{peer} can be reached"))
            }
            Ok(Err(error)) => failed(format!("{server}: {error}")),
            Err(_) => failed(format!("{server} does not answer")),
        }
    }
}

impl SmtpMailer {
    async fn send_mail(&self, mail: &Mail) -> Result<(), Verdict> {
        let message = self.message(mail)?.formatted();
        // A connection that is dropped before the content went out has sent nothing.
        let ready = tokio::time::timeout(self.patience.ready, self.prepare()).await;
        let mut connection =
            ready.unwrap_or_else(|_| Err(unavailable("the server did not get ready in time")))?;
        let confirmed = tokio::time::timeout(self.patience.confirm, connection.message(&message)).await;
        match confirmed {
            Ok(Ok(_)) => {
                let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
                Ok(())
            }
            Ok(Err(error)) if error.is_permanent() => Err(refused(&error.to_string())),
            Ok(Err(error)) if error.is_transient() => Err(unavailable(&error.to_string())),
            Ok(Err(error)) => Err(unknown(&error.to_string())),
            Err(_) => Err(unknown("the server did not confirm the mail in time")),
        }
    }
}

/// Reads `SMTP_URL`, `EMAIL_FROM` and `EMAIL_TO`.
pub(crate) fn make(making: &mut Making<'_>) -> MadeOne {
    let missing = |name: &str| making.none_is_set(name);
    let variables = making.variables();
    let Some(url) = making.origin.secret(&URL)? else { return missing(making.origin.name_of(&URL)) };
    let Some(url) = url.constant() else { return missing(URL.value) };
    let Some(from) = variables.get("EMAIL_FROM") else { return missing("EMAIL_FROM") };
    let Some(to) = variables.get("EMAIL_TO") else { return missing("EMAIL_TO") };
    let settings = SmtpSettings::parse(url.expose(), &from, &to);
    let settings = settings.map_err(|what| Fault::new(Code::SettingBad, what))?;
    Ok(Some(Arc::new(SmtpMailer::new(settings))))
}

/// How much of what the server or the network said is passed on, in characters.
const REASON: usize = 200;

fn reason(kind: &str, said: &str) -> String {
    format!("mail server: {}", text::shorten(&format!("{kind}: {said}"), REASON))
}

/// It refuses the mail for good.
fn refused(said: &str) -> Verdict {
    Verdict::Refused { code: Code::MailRefused, reason: reason("refused", said), payload: false }
}

/// It could not be reached or asks to try later. The mail was not sent.
fn unavailable(said: &str) -> Verdict {
    let reason = reason("unavailable", said);
    Verdict::Again { code: Code::MailUnavailable, reason, pause: Pause::Growing, may_have_arrived: false }
}

/// No confirmation came: the mail may have been sent.
fn unknown(said: &str) -> Verdict {
    let reason = reason("no confirmation", said);
    Verdict::Again { code: Code::MailUnknown, reason, pause: Pause::Growing, may_have_arrived: true }
}

/// An identity in the sender's domain, as lettre would make it in the machine's.
fn message_id(domain: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Keyed with fresh randomness by the standard library.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now);
    format!("<{:x}.{random:016x}@{domain}>", now.as_nanos())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
        net::TcpListener,
        task::JoinHandle,
    };

    use tokio_rustls::{
        TlsAcceptor,
        rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
    };

    use super::*;
    use crate::recorded::{self, Expected, Recorded};

    const FROM: &str = "leadops <alerts@example.com>";
    const TO: &str = "sales@example.com, Partner Desk <partners@example.org>";

    fn a_mail() -> Mail {
        Mail {
            subject: "New Lead Alert: Zoe & Sohne".to_owned(),
            body: "New Lead Alert\n\nName: Zoë & Söhne\n.\n..two dots\nend\n".to_owned(),
        }
    }

    /// Where in the dialogue the server does something else than going on.
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Greeting,
        Recipient,
        Content,
        Elsewhere,
        Never,
    }

    #[derive(Clone, Copy)]
    enum Does {
        Says(&'static str),
        Silence,
        HangsUp,
    }

    /// A server for one mail; gives back the lines that it received.
    async fn server(at: At, does: Does) -> (SmtpMailer, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::spawn(async move { dialogue(listener.accept().await.unwrap().0, at, does).await });
        let settings = SmtpSettings::parse(&format!("smtp://{address}/crm.example.com"), FROM, TO).unwrap();
        (SmtpMailer::new(settings), heard)
    }

    /// The server's part; gives back the lines that it received.
    async fn dialogue(stream: impl AsyncRead + AsyncWrite, at: At, does: Does) -> Vec<String> {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut lines = BufReader::new(reader).lines();
        let mut heard = Vec::new();
        let mut in_content = false;
        let mut now = (At::Greeting, "220 mail.example.com ready");
        loop {
            let reply = match does {
                Does::Says(reply) if now.0 == at => reply,
                Does::HangsUp if now.0 == at => return heard,
                Does::Silence if now.0 == at => {
                    while let Ok(Some(line)) = lines.next_line().await {
                        heard.push(line);
                    }
                    return heard;
                }
                _ => now.1,
            };
            if !reply.is_empty() && writer.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                return heard;
            }
            let Ok(Some(line)) = lines.next_line().await else { return heard };
            now = match line.as_str() {
                "." if in_content => {
                    in_content = false;
                    (At::Content, "250 queued")
                }
                _ if in_content => (At::Elsewhere, ""),
                "DATA" => {
                    in_content = true;
                    (At::Elsewhere, "354 go ahead")
                }
                "QUIT" => (At::Elsewhere, "221 bye"),
                line if line.starts_with("RCPT") => (At::Recipient, "250 ok"),
                _ => (At::Elsewhere, "250 ok"),
            };
            heard.push(line);
        }
    }

    fn position(lines: &[String], start: &str) -> usize {
        lines.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {lines:#?}"))
    }

    #[tokio::test]
    async fn a_mail_has_its_headers_and_arrives_as_written() {
        let (mailer, dialogue) = server(At::Never, Does::Silence).await;
        mailer.send_mail(&a_mail()).await.unwrap();
        let heard = dialogue.await.unwrap();
        assert_eq!(heard[0], "EHLO crm.example.com");
        for line in [
            "MAIL FROM:<alerts@example.com>",
            "RCPT TO:<sales@example.com>",
            "RCPT TO:<partners@example.org>",
        ] {
            position(&heard, line);
        }
        let content = heard.get(position(&heard, "DATA") + 1..position(&heard, "QUIT")).unwrap();
        let (headers, body) = content.split_at(content.iter().position(String::is_empty).unwrap());
        let names: Vec<_> =
            headers.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
                "Auto-Submitted",
                "Content-Type",
                "Content-Transfer-Encoding"
            ]
        );
        for line in [
            "From: leadops <alerts@example.com>",
            "Subject: New Lead Alert: Zoe & Sohne",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        ] {
            assert!(headers.iter().any(|header| header == line), "{line}: {headers:#?}");
        }
        assert!(headers[position(headers, "Message-ID")].ends_with("@example.com>"));
        assert!(headers[position(headers, "Date")].ends_with(" +0000"));
        assert_eq!(
            body,
            ["", "New Lead Alert", "", "Name: Zo=C3=AB & S=C3=B6hne", "..", "...two dots", "end", "", "."]
        );
        assert!(content.iter().all(|line| line.is_ascii() && line.len() < 998));
    }

    #[tokio::test]
    async fn the_server_is_greeted_with_the_senders_domain_unless_it_is_told_otherwise() {
        for (path, hello) in [("", "EHLO example.com"), ("/crm.example.org", "EHLO crm.example.org")] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("smtp://{}{path}", listener.local_addr().unwrap());
            let heard = tokio::spawn(async move {
                dialogue(listener.accept().await.unwrap().0, At::Never, Does::Silence).await
            });
            let mailer = SmtpMailer::new(SmtpSettings::parse(&url, FROM, TO).unwrap());
            mailer.send_mail(&a_mail()).await.unwrap();
            assert_eq!(heard.await.unwrap()[0], hello);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_for_good_and_nothing_was_sent() {
        for (at, reply) in [
            (At::Greeting, "554 no service"),
            (At::Recipient, "550 no such user"),
            (At::Content, "550 looks like spam"),
        ] {
            let (mailer, dialogue) = server(at, Does::Says(reply)).await;
            let error = mailer.send_mail(&a_mail()).await.unwrap_err();
            let said = reply.split_once(' ').unwrap().1;
            assert!(
                matches!(&error, Verdict::Refused { reason: why, .. } if why.contains(said)),
                "{error:?}"
            );
            let heard = dialogue.await.unwrap();
            assert_eq!(heard.iter().any(|line| line == "DATA"), at == At::Content);
        }
    }

    #[tokio::test]
    async fn whoever_asks_to_come_back_later_is_unavailable() {
        for at in [At::Greeting, At::Recipient, At::Content] {
            let (mailer, _) = server(at, Does::Says("421 try again later")).await;
            let error = mailer.send_mail(&a_mail()).await.unwrap_err();
            assert!(
                matches!(&error, Verdict::Again { code: Code::MailUnavailable, reason: why, may_have_arrived: false, .. } if why.contains("again")),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn silence_before_the_content_is_unavailable_and_after_it_unknown() {
        for does in [Does::Silence, Does::HangsUp] {
            for at in [At::Greeting, At::Recipient] {
                let (mut mailer, _) = server(at, does).await;
                mailer.patience.ready = Duration::from_millis(200);
                let error = mailer.send_mail(&a_mail()).await.unwrap_err();
                assert!(
                    matches!(
                        error,
                        Verdict::Again { code: Code::MailUnavailable, may_have_arrived: false, .. }
                    ),
                    "{error:?}"
                );
            }
            let (mut mailer, _) = server(At::Content, does).await;
            mailer.patience.confirm = Duration::from_millis(200);
            let error = mailer.send_mail(&a_mail()).await.unwrap_err();
            assert!(
                matches!(error, Verdict::Again { code: Code::MailUnknown, may_have_arrived: true, .. }),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let (mailer, dialogue) = server(At::Never, Does::Silence).await;
        dialogue.abort();
        let _ = dialogue.await;
        let error = mailer.send_mail(&a_mail()).await.unwrap_err();
        assert!(
            matches!(error, Verdict::Again { code: Code::MailUnavailable, may_have_arrived: false, .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn what_tls_required_demands_is_not_given_up() {
        let (mailer, dialogue) = server(At::Never, Does::Silence).await;
        let url = format!("smtp://127.0.0.1:{}?tls=required", mailer.settings.port);
        let settings = SmtpSettings::parse(&url, FROM, TO).unwrap();
        let error = SmtpMailer { settings, ..mailer }.send_mail(&a_mail()).await.unwrap_err();
        assert!(
            matches!(&error, Verdict::Refused { reason: why, .. } if why.contains("STARTTLS")),
            "{error:?}"
        );
        assert_eq!(dialogue.await.unwrap().len(), 1);
    }

    /// A server that speaks TLS from the start, and a mailer that trusts it where `trusted`.
    async fn tls_server(trusted: bool) -> (SmtpMailer, JoinHandle<Option<Vec<String>>>) {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
            Some(dialogue(stream, At::Never, Does::Silence).await)
        });
        let mut roots = RootCertStore::empty();
        if trusted {
            roots.add(signed.cert.der().clone()).unwrap();
        }
        let mut settings = SmtpSettings::parse(&format!("smtp://localhost:{port}"), FROM, TO).unwrap();
        settings.tls = Tls::FromTheStart(connect::config(roots).unwrap());
        (SmtpMailer::new(settings), heard)
    }

    #[tokio::test]
    async fn tls_from_the_start_carries_the_mail_to_whom_it_trusts_and_nothing_to_others() {
        let (mailer, heard) = tls_server(true).await;
        mailer.send_mail(&a_mail()).await.unwrap();
        let heard = heard.await.unwrap().unwrap();
        assert!(position(&heard, "DATA") < position(&heard, "Subject: New Lead Alert"));
        let (mailer, heard) = tls_server(false).await;
        let error = mailer.send_mail(&a_mail()).await.unwrap_err();
        assert!(
            matches!(&error, Verdict::Again { code: Code::MailUnavailable, reason: why, may_have_arrived: false, .. } if why.contains("certificate")),
            "{error:?}"
        );
        assert_eq!(heard.await.unwrap(), None);
    }

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

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Refusal {
        at: String,
        reply: Vec<String>,
    }

    /// A server that goes along until the step `at`, and says `reply` there.
    async fn refusing(listener: TcpListener, at: String, reply: Vec<String>) {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = tokio::io::split(stream);
        let mut lines = BufReader::new(reader).lines();
        let (mut step, mut usual) = ("greeting", "220 mail.example.com ready");
        loop {
            let said = if step == at { reply.join("\r\n") } else { usual.to_owned() };
            if !said.is_empty() && writer.write_all(format!("{said}\r\n").as_bytes()).await.is_err() {
                return;
            }
            let Ok(Some(line)) = lines.next_line().await else { return };
            let is_content = matches!(step, "data" | "text");
            (step, usual) = match line.split(' ').next().unwrap_or_default() {
                "." if is_content => ("content", "250 queued"),
                _ if is_content => ("text", ""),
                "EHLO" | "HELO" => ("ehlo", "250-mail.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"),
                "STARTTLS" => ("starttls", "220 go ahead"),
                "AUTH" => ("auth", "235 welcome"),
                "MAIL" => ("mail", "250 ok"),
                "RCPT" => ("rcpt", "250 ok"),
                "DATA" => ("data", "354 go ahead"),
                _ => ("other", "250 ok"),
            };
        }
    }

    #[tokio::test]
    async fn every_recorded_refusal_gets_its_verdict() {
        for Recorded { name, answer, verdict: expected } in recorded::all("smtp", 12) {
            let Refusal { at, reply } = answer;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let url = match at.as_str() {
                "starttls" => format!("smtp://{address}?tls=required"),
                "auth" => format!("smtp://user:secret@{address}"),
                _ => format!("smtp://{address}"),
            };
            let server = tokio::spawn(refusing(listener, at.clone(), reply.clone()));
            let settings = SmtpSettings::parse(&url, FROM, "b@example.org").unwrap();
            let verdict = SmtpMailer::new(settings).send_mail(&a_mail()).await.unwrap_err();
            server.abort();
            let found = Expected::from(&verdict);
            let (Verdict::Again { reason, .. } | Verdict::Refused { reason, .. }) = verdict else {
                panic!("{name}: {verdict:?}");
            };
            assert_eq!(found, expected, "{name}: {reason}");
            let word = reply[0].split([' ', '-']).nth(1).unwrap_or_default();
            assert!(reason.contains(word), "{name}: {reason}");
        }
    }
}
