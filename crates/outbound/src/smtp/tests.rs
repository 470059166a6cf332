use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer,
        server::WebPkiClientVerifier,
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use std::sync::Mutex;

use super::*;
use crate::recorded::{self, Expected, Recorded};
use settings::Tls;

pub(super) const FROM: &str = "leadops <alerts@example.com>";
pub(super) const TO: &str = "sales@example.com, Partner Desk <partners@example.org>";

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
    SaysBytes(&'static [u8]),
    /// To this recipient, this.
    SaysOf(&'static str, &'static str),
    DestinationPause,
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
            Does::SaysBytes(reply) if now.0 == at => {
                writer.write_all(&[reply, b"\r\n"].concat()).await.unwrap();
                ""
            }
            Does::HangsUp if now.0 == at => return heard,
            Does::DestinationPause if now.0 == at => {
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
            line if line.starts_with("RCPT") => match does {
                Does::SaysOf(recipient, reply) if line.contains(recipient) => (At::Recipient, reply),
                _ => (At::Recipient, "250 ok"),
            },
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
    let (mailer, dialogue) = server(At::Never, Does::DestinationPause).await;
    mailer.send_mail(&a_mail(), &[]).await.unwrap();
    let heard = dialogue.await.unwrap();
    assert_eq!(heard[0], "EHLO crm.example.com");
    for line in
        ["MAIL FROM:<alerts@example.com>", "RCPT TO:<sales@example.com>", "RCPT TO:<partners@example.org>"]
    {
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
            dialogue(listener.accept().await.unwrap().0, At::Never, Does::DestinationPause).await
        });
        let mailer = SmtpMailer::new(SmtpSettings::parse(&url, FROM, TO).unwrap());
        mailer.send_mail(&a_mail(), &[]).await.unwrap();
        assert_eq!(heard.await.unwrap()[0], hello);
    }
}

#[tokio::test]
async fn a_refusal_is_for_good_and_nothing_was_sent() {
    for (at, reply, code) in [
        (At::Greeting, "554 no service", Code::MailUnavailable),
        (At::Recipient, "550 no such user", Code::MailRefused),
        (At::Recipient, "550 your certificate is not on our list", Code::MailRefused),
        (At::Content, "550 looks like spam", Code::MailRefused),
    ] {
        let (mailer, dialogue) = server(at, Does::Says(reply)).await;
        let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        let said = reply.split_once(' ').unwrap().1;
        assert!(
            matches!(&error, Verdict::Refused { code: found, reason: why, .. } if *found == code && why.contains(said)),
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
        let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        assert!(
            matches!(&error, Verdict::Retry { code: Code::MailUnavailable, reason: why, may_have_arrived: false, .. } if why.contains("again")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn silence_before_the_content_is_unavailable_and_after_it_unknown() {
    for does in [Does::DestinationPause, Does::HangsUp] {
        for at in [At::Greeting, At::Recipient] {
            let (mut mailer, _) = server(at, does).await;
            mailer.timeouts.ready = Duration::from_millis(200);
            let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
            assert!(
                matches!(error, Verdict::Retry { code: Code::MailUnavailable, may_have_arrived: false, .. }),
                "{error:?}"
            );
        }
        let (mut mailer, _) = server(At::Content, does).await;
        mailer.timeouts.confirm = Duration::from_millis(200);
        let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        assert!(
            matches!(error, Verdict::Retry { code: Code::MailUnknown, may_have_arrived: true, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let (mailer, dialogue) = server(At::Never, Does::DestinationPause).await;
    dialogue.abort();
    let _ = dialogue.await;
    let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
    assert!(
        matches!(error, Verdict::Retry { code: Code::MailUnavailable, may_have_arrived: false, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_tls_required_demands_is_not_given_up() {
    let (mailer, dialogue) = server(At::Never, Does::DestinationPause).await;
    let url = format!("smtp://127.0.0.1:{}?tls=required", mailer.settings.port);
    let settings = SmtpSettings::parse(&url, FROM, TO).unwrap();
    let error = SmtpMailer { settings, ..mailer }.send_mail(&a_mail(), &[]).await.unwrap_err();
    assert!(matches!(&error, Verdict::Refused { reason: why, .. } if why.contains("STARTTLS")), "{error:?}");
    assert_eq!(dialogue.await.unwrap().len(), 1);
}

/// What `localhost` does TLS with, and trust in it where it is `trusted`.
pub(super) fn localhost(trusted: bool, wants_ours: bool) -> (TlsAcceptor, Arc<ClientConfig>) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let ours =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider).build().unwrap();
    let config =
        if wants_ours { config.with_client_cert_verifier(ours) } else { config.with_no_client_auth() };
    let config = config.with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
    let trust = connect::config(if trusted { roots } else { RootCertStore::empty() }).unwrap();
    (TlsAcceptor::from(Arc::new(config)), trust)
}

/// A server that speaks TLS from the start, and a mailer that trusts it where `trusted`.
async fn tls_server(trusted: bool, wants_ours: bool) -> (SmtpMailer, JoinHandle<Option<Vec<String>>>) {
    let (acceptor, trust) = localhost(trusted, wants_ours);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.ok()?;
        Some(dialogue(stream, At::Never, Does::DestinationPause).await)
    });
    let mut settings = SmtpSettings::parse(&format!("smtp://localhost:{port}"), FROM, TO).unwrap();
    settings.tls = Tls::FromTheStart(trust);
    (SmtpMailer::new(settings), heard)
}

#[tokio::test]
async fn tls_from_the_start_carries_the_mail_to_whom_it_trusts_and_nothing_to_others() {
    let (mailer, heard) = tls_server(true, false).await;
    mailer.send_mail(&a_mail(), &[]).await.unwrap();
    let heard = heard.await.unwrap().unwrap();
    assert!(position(&heard, "DATA") < position(&heard, "Subject: New Lead Alert"));
    let (mailer, heard) = tls_server(false, false).await;
    let error = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
    assert!(
        matches!(&error, Verdict::Retry { code: Code::MailUnencrypted, reason: why, may_have_arrived: false, .. } if why.contains("SSL_CERT_FILE")),
        "{error:?}"
    );
    assert_eq!(heard.await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_of_ours_is_named() {
    let (mailer, heard) = tls_server(true, true).await;
    let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
    let expected = Expected::Again { code: Code::MailUnencrypted, may_have_arrived: false };
    comes_to(&verdict, &expected, "it requires a client certificate");
    assert_eq!(heard.await.unwrap(), None);
}

/// In the clear as far as TLS, and the rest within it.
#[tokio::test]
async fn starttls_encrypts_all_that_follows() {
    let (acceptor, trust) = localhost(true, false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut clear = Vec::new();
        for reply in ["220 ready\r\n", "250-x\r\n250 starttls\r\n", "220 go ahead\r\n"] {
            stream.write_all(reply.as_bytes()).await.unwrap();
            if clear.len() < 2 {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                clear.push(line);
            }
        }
        let heard = Mutex::new(Vec::new());
        let stream = acceptor.accept(stream.into_inner()).await.unwrap();
        follow(stream, &script(&[]), &heard, ("tls", "")).await;
        (clear, heard.into_inner().unwrap())
    });
    let url = format!("smtp://user:secret@localhost:{port}?tls=required");
    let mut settings = SmtpSettings::parse(&url, FROM, TO).unwrap();
    settings.tls = Tls::Required(trust);
    SmtpMailer::new(settings).send_mail(&a_mail(), &[]).await.unwrap();
    let (clear, encrypted) = server.await.unwrap();
    assert_eq!(clear, ["EHLO example.com\r\n", "STARTTLS\r\n"]);
    assert!(position(&encrypted, "EHLO") < position(&encrypted, "AUTH PLAIN"), "{encrypted:?}");
    assert!(position(&encrypted, "AUTH PLAIN") < position(&encrypted, "DATA"), "{encrypted:?}");
}

/// <https://www.rfc-editor.org/rfc/rfc3207#section-6>: somebody in between may have put it there.
#[tokio::test]
async fn what_stands_in_the_clear_behind_the_word_to_begin_with_tls_is_not_heard() {
    for reply in ["220 go ahead\r\n250 x\r\n", "220 go ahead\r\n421 bye\r\n"] {
        let server = Scripted::new(script(&[("starttls", reply)])).await;
        let mailer = server.mailer("smtp://", "?tls=required", "a@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &NOT_SENT, "the server answers out of step: unsolicited reply");
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    at: String,
    reply: Vec<String>,
}

/// What a server says at each step that is named, in place of the usual. A step for one recipient is `rcpt ADDRESS`.
type Script = Vec<(String, String)>;

/// A reply in a [`Script`] that never comes, and the end of the connection in the place of one.
const NOTHING: &str = "nothing";
const HANGS_UP: &str = "";

fn script(steps: &[(&str, &str)]) -> Script {
    steps.iter().map(|(step, reply)| ((*step).to_owned(), (*reply).to_owned())).collect()
}

/// A server for as many connections as come; gives the lines that it hears.
struct Scripted {
    address: std::net::SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Scripted {
    async fn new(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                follow(stream, &script, &hears, ("greeting", "220 mail.example.com ready\r\n")).await;
            }
        });
        Self { address, heard, server }
    }

    fn mailer(&self, from_start: &str, query: &str, to: &str) -> SmtpMailer {
        let url = format!("{from_start}{}{query}", self.address);
        SmtpMailer::new(SmtpSettings::parse(&url, FROM, to).unwrap())
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn mails(&self) -> usize {
        self.heard().iter().filter(|line| *line == ".").count()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The server's part of one dialogue, until the other hangs up or the script says so. Over a reply that never comes more time
/// goes by than one with three recipients has to get ready.
async fn follow(
    stream: impl AsyncRead + AsyncWrite,
    script: &Script,
    heard: &Mutex<Vec<String>>,
    (first, mut usual): (&str, &'static str),
) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut step = first.to_owned();
    loop {
        let said = script.iter().find(|(at, _)| *at == step).map_or(usual, |(_, reply)| reply.as_str());
        match said {
            HANGS_UP if usual != HANGS_UP => return,
            NOTHING => tokio::time::advance(Duration::from_secs(26)).await,
            _ if writer.write_all(said.as_bytes()).await.is_err() => return,
            _ => {}
        }
        let Ok(Some(line)) = lines.next_line().await else { return };
        let is_content = matches!(step.as_str(), "data" | "text");
        let recipient = line.strip_prefix("RCPT TO:<").and_then(|rest| rest.strip_suffix('>'));
        let by_name = recipient.map(|recipient| format!("rcpt {recipient}"));
        let by_name = by_name.filter(|by_name| script.iter().any(|(at, _)| at == by_name));
        let (next, usually) = match line.split(' ').next().unwrap_or_default() {
            "." if is_content => ("content", "250 queued\r\n"),
            _ if is_content => ("text", ""),
            "EHLO" => ("ehlo", "250-mail.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"),
            "HELO" => ("helo", "250 mail.example.com\r\n"),
            "STARTTLS" => ("starttls", "220 go ahead\r\n"),
            "AUTH" => ("auth", "235 welcome\r\n"),
            "MAIL" => ("mail", "250 ok\r\n"),
            "RCPT" => ("rcpt", "250 ok\r\n"),
            "DATA" => ("data", "354 go ahead\r\n"),
            _ => ("other", "250 ok\r\n"),
        };
        (step, usual) = (by_name.unwrap_or_else(|| next.to_owned()), usually);
        heard.lock().unwrap().push(line);
    }
}

#[tokio::test]
async fn every_recorded_refusal_gets_its_verdict() {
    for Recorded { name, answer, verdict: expected } in recorded::all("smtp", 12) {
        let Refusal { at, reply } = answer;
        let (start, query) = match at.as_str() {
            "starttls" => ("smtp://", "?tls=required"),
            "auth" => ("smtp://user:secret@", ""),
            _ => ("smtp://", ""),
        };
        let server = Scripted::new(vec![(at, reply.join("\r\n") + "\r\n")]).await;
        let mailer = server.mailer(start, query, "b@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        let found = Expected::from(&verdict);
        let (Verdict::Retry { reason, .. } | Verdict::Refused { reason, .. }) = verdict else {
            panic!("{name}: {verdict:?}");
        };
        assert_eq!(found, expected, "{name}: {reason}");
        let word = reply[0].split([' ', '-']).nth(1).unwrap_or_default();
        assert!(reason.contains(word), "{name}: {reason}");
    }
}

#[tokio::test]
async fn who_is_refused_is_left_out_and_the_others_get_the_mail() {
    for (reply, again) in [("550 5.1.1 no such user", false), ("450 4.2.0 greylisted", true)] {
        let (mailer, dialogue) = server(At::Never, Does::SaysOf("partners@", reply)).await;
        let (accepted, left_out) = mailer.send_mail(&a_mail(), &[]).await.unwrap();
        assert_eq!(accepted.iter().map(|to| to.email.to_string()).collect::<Vec<_>>(), ["sales@example.com"]);
        let expected =
            LeftOut { recipient: "partners@example.org".to_owned(), reason: reply.to_owned(), again };
        assert_eq!(left_out, [expected]);
        let heard = dialogue.await.unwrap();
        assert!(heard.iter().any(|line| line == "To: sales@example.com"), "{heard:#?}");
    }
}

/// A server for as many connections as come, which hangs up where `hangs_up` and else says its goodbye over one recipient.
async fn picky(hangs_up: bool) -> (SmtpMailer, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = tokio::io::split(stream);
            let mut lines = BufReader::new(reader).lines();
            writer.write_all(b"220 ready\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply: &[u8] = match line.as_str() {
                    line if line.contains("partners@") && hangs_up => break,
                    line if line.contains("RCPT TO:<partners@") => b"421 4.7.28 too many from you\r\n",
                    "DATA" => b"354 go ahead\r\n",
                    _ => b"250 ok\r\n",
                };
                writer.write_all(reply).await.unwrap();
            }
        }
    });
    let settings = SmtpSettings::parse(&format!("smtp://{address}"), FROM, TO).unwrap();
    (SmtpMailer::new(settings), server)
}

#[tokio::test]
async fn over_whom_the_server_goes_away_keeps_the_mail_from_nobody_else() {
    for (hangs_up, words) in [(false, "421 4.7.28 too many from you"), (true, "it hung up")] {
        let (mailer, server) = picky(hangs_up).await;
        let (accepted, left_out) = mailer.send_mail(&a_mail(), &[]).await.unwrap();
        assert_eq!(accepted.len(), 1);
        assert!(
            left_out.len() == 1 && left_out[0].again && left_out[0].reason.contains(words),
            "{left_out:?}"
        );
        let verdict = mailer.send_mail(&a_mail(), &["sales@example.com"]).await.unwrap_err();
        let Verdict::Retry { code: Code::MailUnavailable, reason, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert!(reason.contains("partners@example.org") && reason.contains(words), "{reason}");
        server.abort();
    }
}

/// Whatever bytes a server says its words with, and whatever of ours it says again.
#[tokio::test]
async fn replies_are_read_whatever_is_in_them_and_show_no_password() {
    let plain = b"\0user\0hunter2!";
    let echoes =
        ["hunter2!".to_owned(), BASE64.encode(plain), BASE64.encode("hunter2!"), "hunter2%21".to_owned()];
    for echo in echoes {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://user:hunter2%21@{}", listener.local_addr().unwrap());
        let reply = echo.clone();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = tokio::io::split(stream);
            let mut lines = BufReader::new(reader).lines();
            writer.write_all(b"220 Gr\xfc\xdfe\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.split(' ').next().unwrap() {
                    "EHLO" => b"250-Gr\xfc\xdfe\r\n250 AUTH PLAIN\r\n".to_vec(),
                    "AUTH" => [b"535 \xdcbel: ", reply.as_bytes(), b"\r\n"].concat(),
                    _ => b"250 ok\r\n".to_vec(),
                };
                writer.write_all(&reply).await.unwrap();
            }
        });
        let mailer = SmtpMailer::new(SmtpSettings::parse(&url, FROM, TO).unwrap());
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        let Verdict::Refused { code: Code::MailLoginRefused, reason, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert!(reason.contains("535 ?bel: …") && !reason.contains(&echo), "{reason}");
        server.abort();
    }
}

#[tokio::test]
async fn a_word_of_consent_with_a_strange_letter_is_one() {
    let (mailer, dialogue) = server(At::Content, Does::SaysBytes(b"250 Nachricht \xfcbernommen")).await;
    mailer.send_mail(&a_mail(), &[]).await.unwrap();
    dialogue.await.unwrap();
}

#[tokio::test]
async fn a_mail_for_some_is_for_nobody_else() {
    let (mailer, dialogue) = server(At::Never, Does::DestinationPause).await;
    let (accepted, _) =
        mailer.send_mail(&a_mail(), &["SALES@example.com", "gone@example.com"]).await.unwrap();
    assert_eq!(accepted.len(), 1);
    let heard = dialogue.await.unwrap();
    assert_eq!(heard.iter().filter(|line| line.starts_with("RCPT")).count(), 1, "{heard:#?}");
    assert!(heard.iter().any(|line| line.starts_with("To: ") && !line.contains("sales")), "{heard:#?}");
    let (mailer, _) = server(At::Never, Does::DestinationPause).await;
    let everybody = ["sales@example.com", "partners@example.org"];
    assert_eq!(mailer.send_mail(&a_mail(), &everybody).await.unwrap(), (vec![], vec![]));
    // Others have it: who is refused now has their own answer, as at a first attempt.
    let (mailer, _) = server(At::Recipient, Does::Says("550 who?")).await;
    let (accepted, left_out) = mailer.send_mail(&a_mail(), &["sales@example.com"]).await.unwrap();
    let left_out: Vec<(&str, &str)> =
        left_out.iter().map(|one| (one.recipient.as_str(), one.reason.as_str())).collect();
    assert_eq!((accepted, left_out), (vec![], vec![("partners@example.org", "550 who?")]));
}

#[tokio::test]
async fn a_look_goes_as_far_as_the_recipients_and_takes_it_back() {
    let (mailer, dialogue) = server(At::Never, Does::DestinationPause).await;
    let checked = mailer.check(true).await;
    assert!(
        matches!(&checked, CheckOutcome::Ok(line) if line.contains("sales@example.com, partners@example.org")),
        "{checked:?}"
    );
    let heard = dialogue.await.unwrap();
    assert!(position(&heard, "RCPT") < position(&heard, "RSET"), "{heard:#?}");
    assert!(position(&heard, "RSET") < position(&heard, "QUIT"), "{heard:#?}");
    assert!(!heard.iter().any(|line| line == "DATA"));

    for (at, does, code, is_doubtful) in [
        (At::Never, Does::SaysOf("partners@", "550 who?"), Code::PartlySent, true),
        (At::Recipient, Does::Says("450 greylisted"), Code::MailUnavailable, true),
        (At::Recipient, Does::Says("550 who?"), Code::MailRefused, false),
        (At::Greeting, Does::Says("554 go away"), Code::MailUnavailable, false),
        (At::Greeting, Does::HangsUp, Code::MailUnavailable, false),
    ] {
        let (mailer, _) = server(at, does).await;
        let checked = mailer.check(true).await;
        let found = match &checked {
            CheckOutcome::Warning(fault) if is_doubtful => Some(fault.code),
            CheckOutcome::Failed(fault) if !is_doubtful => Some(fault.code),
            _ => None,
        };
        assert_eq!(found, Some(code), "{checked:?}");
    }
}

/// Each cause by its own name: what the URL says, and what a server on this machine does with it.
#[tokio::test]
async fn what_keeps_from_a_login_or_from_tls_is_named() {
    let no_login = "the server takes no login here";
    for (scheme, query, code, words) in [
        ("smtp://user:secret@", "", Code::MailLoginRefused, no_login),
        ("smtp://user:secret@", "?tls=required", Code::MailUnencrypted, "no STARTTLS"),
        (
            "smtps://",
            "",
            Code::MailUnencrypted,
            "it does not begin with TLS, as smtp://…?tls=required expects",
        ),
    ] {
        let (mailer, _) = server(At::Never, Does::DestinationPause).await;
        let url = format!("{scheme}127.0.0.1:{}{query}", mailer.settings.port);
        let settings = SmtpSettings::parse(&url, FROM, TO).unwrap();
        let verdict = SmtpMailer::new(settings).send_mail(&a_mail(), &[]).await.unwrap_err();
        let (Verdict::Retry { code: found, reason, .. } | Verdict::Refused { code: found, reason, .. }) =
            verdict
        else {
            panic!("{verdict:?}");
        };
        assert_eq!(found, code, "{url}: {reason}");
        assert!(reason.contains(words) && !reason.contains("secret"), "{url}: {reason}");
    }
    let settings = SmtpSettings::parse("smtp://mail.example.com:465", FROM, TO).unwrap();
    let verdict = verdicts::slow(&settings, true);
    assert!(matches!(&verdict, Verdict::Retry { reason, .. } if reason.contains("smtps://")), "{verdict:?}");
}

/// What came of it: what was expected, in which words.
#[track_caller]
fn comes_to(verdict: &Verdict, expected: &Expected, words: &str) {
    assert_eq!(Expected::from(verdict), *expected, "{verdict:?}");
    let (Verdict::Retry { reason, .. } | Verdict::Refused { reason, .. }) = verdict else {
        panic!("{verdict:?}");
    };
    assert!(reason.contains(words), "{reason}");
}

const NOT_SENT: Expected = Expected::Again { code: Code::MailUnavailable, may_have_arrived: false };
const UNKNOWN: Expected = Expected::Again { code: Code::MailUnknown, may_have_arrived: true };

/// A server that is one answer ahead consents to what it has not heard yet.
#[tokio::test]
async fn what_is_no_answer_to_what_was_said_is_no_consent() {
    let refuses = ("content", "550 5.7.1 spam\r\n");
    for (steps, expected) in [
        (vec![("greeting", "220 hello\r\n220 ready\r\n"), refuses], NOT_SENT),
        (vec![("greeting", "250 hello\r\n")], NOT_SENT),
        (vec![("ehlo", "250 hello\r\n250 HELP\r\n"), refuses], NOT_SENT),
        (vec![("ehlo", "220 hello\r\n")], NOT_SENT),
        (vec![("mail", "250 ok\r\n250 ok\r\n"), refuses], NOT_SENT),
        (vec![("mail", "354 go ahead\r\n")], NOT_SENT),
        (vec![("rcpt", "354 go ahead\r\n")], NOT_SENT),
        (vec![("rcpt", "250 ok\r\n451 no\r\n")], NOT_SENT),
        (vec![("data", "250 ok\r\n")], NOT_SENT),
        (vec![("data", "354 go ahead\r\n250 queued\r\n"), refuses], NOT_SENT),
        (vec![("content", "354 go ahead\r\n")], UNKNOWN),
    ] {
        let server = Scripted::new(script(&steps)).await;
        let mailer = server.mailer("smtp://", "", "a@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &expected, "the server answers out of step: ");
        assert_eq!(server.mails(), usize::from(expected == UNKNOWN), "{steps:?}");
    }
    let server = Scripted::new(script(&[("auth", "354 go ahead\r\n")])).await;
    let mailer = server.mailer("smtp://user:secret@", "", "a@example.org");
    let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
    comes_to(&verdict, &NOT_SENT, "the server answers out of step: 354");
}

/// One that goes away says so when it likes.
#[tokio::test]
async fn a_goodbye_that_nobody_asked_for_is_the_answer_to_what_comes_next() {
    for step in ["greeting", "ehlo", "mail", "data"] {
        let usual = if step == "greeting" {
            "220"
        } else if step == "data" {
            "354"
        } else {
            "250"
        };
        let server = Scripted::new(script(&[(step, &format!("{usual} ok\r\n421 closing\r\n"))])).await;
        let mailer = server.mailer("smtp://", "", "a@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &NOT_SENT, "421 closing");
    }
}

/// Every answer in the shortest form, and in the one that ends as no standard has it.
#[tokio::test]
async fn a_reply_of_its_status_alone_and_one_that_ends_in_a_mere_line_feed_are_replies() {
    let steps = [
        ("greeting", "220"),
        ("ehlo", "250-x|250-auth plain|250"),
        ("auth", "235"),
        ("mail", "250"),
        ("rcpt", "250"),
        ("data", "354"),
        ("content", "250"),
    ];
    for end in ["\r\n", "\n"] {
        let steps = steps.map(|(step, reply)| (step.to_owned(), reply.replace('|', end) + end));
        let server = Scripted::new(steps.to_vec()).await;
        for start in ["smtp://", "smtp://user:secret@"] {
            server.mailer(start, "", "a@example.org").send_mail(&a_mail(), &[]).await.unwrap();
        }
        assert_eq!(server.mails(), 2);
    }
}

#[tokio::test]
async fn a_reply_without_end_and_one_that_is_none_are_said() {
    let endless = "x".repeat(1024 * 1024);
    for (step, reply, expected, words) in [
        ("greeting", format!("220 {endless}"), NOT_SENT, "its reply has no end"),
        ("greeting", "220-x\r\n".repeat(20_000), NOT_SENT, "its reply has no end"),
        ("data", format!("354 {endless}"), NOT_SENT, "its reply has no end"),
        ("content", format!("250 {endless}"), UNKNOWN, "its reply has no end"),
        (
            "greeting",
            "* OK IMAP4rev1\r\n".to_owned(),
            NOT_SENT,
            "this is not a mail server's greeting: it begins with \"* OK IMAP4rev1\"",
        ),
        ("ehlo", "what?\r\n".to_owned(), NOT_SENT, "not a mail server's reply: it begins with \"what?\""),
    ] {
        let server = Scripted::new(vec![(step.to_owned(), reply)]).await;
        let mailer = server.mailer("smtp://", "", "a@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &expected, words);
    }
    // A long one has an end.
    let server = Scripted::new(script(&[("content", &format!("250 {}\r\n", "x".repeat(4000)))])).await;
    server.mailer("smtp://", "", "a@example.org").send_mail(&a_mail(), &[]).await.unwrap();
}

const THREE: &str = "a@example.org, b@example.org, c@example.org";

/// Time stands still but for what the servers above let go by, as real connections are never idle to tokio's clock.
pub(super) struct Still(
    #[expect(dead_code, reason = "held for as long as time is to stand still")] std::sync::mpsc::Sender<()>,
);

impl Still {
    pub(super) fn new() -> Self {
        let (held, release) = std::sync::mpsc::channel();
        tokio::time::pause();
        tokio::task::spawn_blocking(move || release.recv());
        Self(held)
    }
}

#[tokio::test]
async fn whoever_the_server_goes_away_or_falls_silent_over_keeps_the_mail_from_nobody_else() {
    let _still = Still::new();
    for (reply, words) in [
        ("421 4.4.2 route down\r\n", "421 4.4.2 route down"),
        (HANGS_UP, "it hung up"),
        (NOTHING, "does not say in time whether it takes mail for it"),
    ] {
        let steps = [("rcpt a@example.org", reply), ("rcpt b@example.org", reply)];
        let server = Scripted::new(script(&steps)).await;
        let mailer = server.mailer("smtp://", "", THREE);
        let (accepted, left_out) = mailer.send_mail(&a_mail(), &[]).await.unwrap();
        assert_eq!(accepted.iter().map(|to| to.email.to_string()).collect::<Vec<_>>(), ["c@example.org"]);
        let names: Vec<_> = left_out.iter().map(|one| one.recipient.as_str()).collect();
        assert_eq!(names, ["a@example.org", "b@example.org"]);
        assert!(left_out.iter().all(|one| one.again && one.reason.contains(words)), "{left_out:?}");
        assert_eq!(server.mails(), 1);
        let checked = mailer.check(true).await;
        assert!(
            matches!(&checked, CheckOutcome::Warning(fault) if fault.code == Code::PartlySent)
                || reply == NOTHING,
            "{checked:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_goes_away_over_everybody_is_asked_about_each_once() {
    let _still = Still::new();
    for reply in ["421 4.4.2 route down\r\n", NOTHING] {
        let server = Scripted::new(script(&[("rcpt", reply)])).await;
        let mailer = server.mailer("smtp://", "", THREE);
        let before = Instant::now();
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        assert!(before.elapsed() < mailer.limits().longest_send);
        comes_to(&verdict, &NOT_SENT, "a@example.org (");
        comes_to(&verdict, &NOT_SENT, "b@example.org (");
        assert_eq!(server.heard().iter().filter(|line| line.starts_with("MAIL")).count(), 3);
    }
}

#[tokio::test]
async fn a_server_that_knows_no_ehlo_is_greeted_in_the_old_way() {
    for status in ["500", "502"] {
        let refusal = format!("{status} what?\r\n");
        let server = Scripted::new(script(&[("ehlo", &refusal)])).await;
        server.mailer("smtp://", "", "a@example.org").send_mail(&a_mail(), &[]).await.unwrap();
        server
            .mailer("smtp://", "?tls=opportunistic", "a@example.org")
            .send_mail(&a_mail(), &[])
            .await
            .unwrap();
        assert_eq!(server.mails(), 2);
        for (start, query, code, words) in [
            (
                "smtp://user:secret@",
                "",
                Code::MailLoginRefused,
                "takes no login here, as it does not know EHLO",
            ),
            ("smtp://", "?tls=required", Code::MailUnencrypted, "no STARTTLS, as it does not know EHLO"),
        ] {
            let verdict =
                server.mailer(start, query, "a@example.org").send_mail(&a_mail(), &[]).await.unwrap_err();
            comes_to(&verdict, &Expected::Refused { code, payload: false }, words);
        }
        let server = Scripted::new(script(&[("ehlo", &refusal), ("helo", "550 not you\r\n")])).await;
        let verdict =
            server.mailer("smtp://", "", "a@example.org").send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &Expected::Refused { code: Code::MailRefused, payload: false }, "550 not you");
    }
}

#[tokio::test]
async fn a_login_is_found_in_every_spelling_and_what_is_offered_instead_is_named() {
    for offer in ["auth plain login", "AUTH=LOGIN", "Auth Login"] {
        let server = Scripted::new(script(&[("ehlo", &format!("250-x\r\n250 {offer}\r\n"))])).await;
        server.mailer("smtp://user:secret@", "", "a@example.org").send_mail(&a_mail(), &[]).await.unwrap();
        position(&server.heard(), "AUTH ");
    }
    let server = Scripted::new(script(&[("ehlo", "250-x\r\n250 AUTH XOAUTH2 CRAM-MD5\r\n")])).await;
    let verdict = server
        .mailer("smtp://user:secret@", "", "a@example.org")
        .send_mail(&a_mail(), &[])
        .await
        .unwrap_err();
    let expected = Expected::Refused { code: Code::MailLoginRefused, payload: false };
    comes_to(&verdict, &expected, "no login with user and password, but XOAUTH2, CRAM-MD5");
}

#[tokio::test]
async fn a_login_that_has_said_all_and_is_asked_for_more_is_out_of_step() {
    for more in ["334 \r\n", "334 UGFzc3dvcmQ6\r\n"] {
        let server = Scripted::new(script(&[("ehlo", "250-x\r\n250 AUTH PLAIN\r\n"), ("auth", more)])).await;
        let mailer = server.mailer("smtp://user:secret@", "", "a@example.org");
        let verdict = mailer.send_mail(&a_mail(), &[]).await.unwrap_err();
        comes_to(&verdict, &NOT_SENT, "out of step: it asks for more after the complete login");
    }
}

/// From which follows how long a claim lasts: CHANGELOG.md says so.
#[test]
fn more_recipients_make_a_mail_take_longer_and_not_without_end() {
    for (count, seconds) in [(1, 47), (2, 88), (10, 168), (50, 168)] {
        let to: Vec<String> = (0..count).map(|index| format!("a{index}@example.org")).collect();
        let settings = SmtpSettings::parse("smtp://h", FROM, &to.join(",")).unwrap();
        assert_eq!(SmtpMailer::new(settings).limits().longest_send, Duration::from_secs(seconds));
    }
}
