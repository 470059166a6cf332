//! Connects to the first of a server's addresses that sends a greeting.

use std::{net::SocketAddr, time::Duration};

use pipeline::destination::Verdict;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::client::TlsStream;

use super::{
    connect,
    dialogue::Timeouts,
    greeting::{self, Failure},
    reply_stream::ReplyStream,
    settings::{SmtpSettings, Tls},
    verdicts::{no_connection, not_ready},
};

/// The shortest timeout for an address, however many there are.
const LEAST: Duration = Duration::from_secs(1);

/// A connection whose greeting has been read.
#[derive(Debug)]
pub(super) enum SmtpConnection {
    Plain(ReplyStream<TcpStream>),
    Encrypted(Box<ReplyStream<TlsStream<TcpStream>>>),
}

/// Connects and reads the greeting. Also returns the time by which the server has to be ready for a mail.
pub(super) async fn open(
    settings: &SmtpSettings,
    timeouts: &Timeouts,
) -> Result<(SmtpConnection, Instant), Verdict> {
    let until = Instant::now() + timeouts.connect;
    let addresses = tokio::net::lookup_host((settings.bare_host(), settings.port));
    let addresses: Vec<SocketAddr> = match timeout_at(until, addresses).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(no_connection(&error.to_string())),
        Err(_) => return Err(no_connection("its name was not resolved in time")),
    };
    open_any(settings, timeouts, &addresses, until).await
}

/// An address that cannot be connected to is ignored if another one answers; of several answers, one that allows a retry
/// decides.
async fn open_any(
    settings: &SmtpSettings,
    timeouts: &Timeouts,
    addresses: &[SocketAddr],
    until: Instant,
) -> Result<(SmtpConnection, Instant), Verdict> {
    let share = timeouts.connect / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let each = timeouts.address.min(share.max(LEAST));
    let (mut unanswered, mut answered) = (Vec::new(), None);
    for (index, address) in addresses.iter().enumerate() {
        let own = until.min(Instant::now() + each);
        let late = || format!("{address} does not answer within {} s", each.as_secs_f32());
        let tcp = match timeout_at(own, connect::to(address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => {
                unanswered.push(format!("{address}: {error}"));
                continue;
            }
            Err(_) => {
                unanswered.push(late());
                continue;
            }
        };
        // There is no alternative to the last one, which may take longer.
        let is_last = index + 1 == addresses.len();
        let ready = Instant::now() + timeouts.ready;
        match greeted(settings, tcp, *address, if is_last { ready } else { own }).await {
            Ok(connection) if is_last => return Ok((connection, ready)),
            Ok(connection) => return Ok((connection, Instant::now() + timeouts.ready)),
            Err(Failure::Late { .. }) if !is_last => unanswered.push(late()),
            Err(Failure::Late { .. }) if answered.is_some() => {}
            Err(failure) => {
                let is_final = !matches!(answered, Some(Verdict::Retry { .. }));
                answered = if is_final { Some(not_ready(settings, failure)) } else { answered };
            }
        }
    }
    Err(answered.unwrap_or_else(|| {
        if unanswered.is_empty() {
            unanswered.push("its name has no address".to_owned());
        }
        no_connection(&unanswered.join("; "))
    }))
}

async fn greeted(
    settings: &SmtpSettings,
    tcp: TcpStream,
    peer: SocketAddr,
    until: Instant,
) -> Result<SmtpConnection, Failure> {
    let Tls::FromTheStart(config) = &settings.tls else {
        let mut replies = ReplyStream::of(tcp, peer);
        greeting::read_greeting(&mut replies, until).await?;
        return Ok(SmtpConnection::Plain(replies));
    };
    let encrypted = timeout_at(until, connect::encrypt(settings.bare_host(), tcp, config)).await;
    let encrypted = encrypted.map_err(|_| Failure::Late { is_mute: false })?.map_err(Failure::NoTls)?;
    let mut replies = ReplyStream::of(encrypted, peer);
    greeting::read_greeting(&mut replies, until).await?;
    Ok(SmtpConnection::Encrypted(Box::new(replies)))
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::TcpListener, task::JoinHandle};

    use super::*;
    use crate::smtp::tests::{FROM, Still, TO, localhost};

    fn settings() -> SmtpSettings {
        SmtpSettings::parse("smtp://127.0.0.1", FROM, TO).unwrap()
    }

    fn impatient() -> Timeouts {
        let little = Duration::from_millis(200);
        Timeouts { address: little, ready: little, ..Timeouts::for_recipients(1) }
    }

    async fn connection(addresses: &[SocketAddr], timeouts: Timeouts) -> Result<SocketAddr, Verdict> {
        let until = Instant::now() + timeouts.connect;
        let (connection, _) = open_any(&settings(), &timeouts, addresses, until).await?;
        let SmtpConnection::Plain(replies) = connection else { panic!("{connection:?}") };
        Ok(replies.peer())
    }

    fn reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Retry { reason, .. } | Verdict::Refused { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// An address that lets whoever connects wait: its queue is full.
    async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            waiting.push(connected.unwrap());
        }
        (address, listener, waiting)
    }

    /// An address that sends this to every client.
    async fn saying(words: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(words).await;
                open.push(stream);
            }
        });
        (address, server)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_uses_up_its_own_time_alone() {
        let (silent, _listener, _waiting) = black_hole().await;
        let (greeting, _server) = saying(b"220 ready\r\n").await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // The last one has time enough on a busy machine.
        let timeouts = Timeouts { ready: Duration::from_secs(60), ..impatient() };
        assert_eq!(connection(&[silent, closed, greeting], timeouts).await.unwrap(), greeting);
        let said = reason(connection(&[silent, closed], impatient()).await.unwrap_err());
        assert!(said.contains(&format!("{silent} does not answer within 0.2 s")), "{said}");
        assert!(said.contains(&format!("{closed}: ")), "{said}");
        assert!(reason(connection(&[], impatient()).await.unwrap_err()).contains("no address"));
    }

    /// Whatever keeps one address from greeting, be it for good, the next one may.
    #[tokio::test]
    async fn an_address_that_does_not_greet_is_passed_over_for_the_next() {
        let timeouts = Timeouts { ready: Duration::from_secs(60), ..impatient() };
        let (greeting, _server) = saying(b"220 ready\r\n").await;
        for words in [b"".as_slice(), b"220-wait", b"421 busy\r\n", b"554 nobody here\r\n", b"* OK IMAP\r\n"]
        {
            let (other, server) = saying(words).await;
            assert_eq!(connection(&[other, greeting], timeouts).await.unwrap(), greeting, "{words:?}");
            server.abort();
        }
    }

    #[tokio::test]
    async fn of_addresses_that_answer_one_that_may_do_better_later_decides() {
        let timeouts = Timeouts { ready: Duration::from_secs(60), ..Timeouts::for_recipients(1) };
        let (refusing, _one) = saying(b"554 nobody here\r\n").await;
        let (busy, _other) = saying(b"421 busy\r\n").await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for (addresses, words) in [
            ([refusing, busy], "unavailable: 421 busy"),
            ([busy, refusing], "unavailable: 421 busy"),
            ([refusing, closed], "refused: 554 nobody here"),
            ([closed, refusing], "refused: 554 nobody here"),
        ] {
            let said = reason(connection(&addresses, timeouts).await.unwrap_err());
            assert!(said.contains(words), "{said}");
        }
    }

    /// Who has said anything does not wait for us to begin with TLS.
    #[tokio::test]
    async fn tls_from_the_start_is_proposed_where_the_server_is_mute_alone() {
        let _still = Still::new();
        for (words, is_proposed) in [(b"".as_slice(), true), (b"220-wait", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = [listener.local_addr().unwrap()];
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(words).await.unwrap();
                loop {
                    tokio::time::advance(Duration::from_millis(50)).await;
                }
            };
            let verdict = tokio::select! {
                connection = connection(&address, impatient()) => connection.unwrap_err(),
                () = server => unreachable!(),
            };
            let said = reason(verdict);
            assert!(said.contains("did not get ready in time"), "{said}");
            assert_eq!(said.contains("smtps://"), is_proposed, "{said}");
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_do_tls_is_passed_over_for_the_next() {
        let (acceptor, trust) = localhost(true, false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let encrypting = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = acceptor.accept(stream).await.unwrap();
                stream.write_all(b"220 ready\r\n").await.unwrap();
                open.push(stream);
            }
        });
        let mut settings = SmtpSettings::parse("smtp://localhost", FROM, TO).unwrap();
        settings.tls = Tls::FromTheStart(trust);
        let timeouts = Timeouts { ready: Duration::from_secs(60), ..impatient() };
        for words in [b"".as_slice(), b"220 ready\r\n"] {
            let (other, _server) = saying(words).await;
            let until = Instant::now() + timeouts.connect;
            let (connection, _) = open_any(&settings, &timeouts, &[other, encrypting], until).await.unwrap();
            let SmtpConnection::Encrypted(replies) = connection else { panic!("{connection:?}") };
            assert_eq!(replies.peer(), encrypting);
        }
        server.abort();
    }
}
