//! E-mail through an SNS topic.

mod subscribers;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sns::{
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
};
use lead::email::{Mail, mail};
use outside::text::{self, with_causes};
use pipeline::{
    CheckOutcome, Code, Fault,
    destination::{Destination, Kind, Limits, MessageFormat, Outgoing, RateLimit, RetryDelay, Verdict},
    ports::Clock,
};

use crate::{Clients, fault::of_credentials};
use subscribers::{Subscribers, Subscriptions};

/// How many bytes a message may have: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const LONGEST_MESSAGE: usize = 262_144;
/// The longest error text, in characters.
const LONGEST_ERROR: usize = 200;

/// The longest that publishing takes: the clients' own limit on an operation; and asking for subscribers before that.
const LONGEST_SEND: Duration = Duration::from_secs(15).saturating_add(subscribers::PATIENCE);
/// How long nothing is published to a topic without subscribers, until they are counted again.
const UNSUBSCRIBED_PAUSE: Duration = Duration::from_secs(60);
/// SNS takes ten messages a second for each address, and switches a subscription off that gets more:
/// <https://docs.aws.amazon.com/general/latest/gr/sns.html>. Alarms go to the same topic.
const PACING: RateLimit = RateLimit { rate: 4, burst: 4 };

/// The subscribers of one SNS topic. They get plain text, with a footer of SNS's own.
///
/// Published once a call: the SDK would try again after a time-out too, when the mail may be on its way.
/// When to try again is the stage's decision.
#[derive(Clone)]
pub struct SnsTopic {
    sns: aws_sdk_sns::Client,
    topic: String,
    subscribers: Subscribers,
}

impl SnsTopic {
    /// The topic with this ARN.
    pub fn new(clients: &Clients, topic: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let topic = topic.into();
        let subscribers = Subscribers::new(clients, &topic, clock);
        Self { sns: clients.sns.clone(), topic, subscribers }
    }

    /// It as a destination of this kind, where it is one: e-mail.
    pub fn of_kind(self, kind: &Kind) -> Option<Arc<dyn Destination>> {
        (kind.name == "email").then(|| Arc::new(self) as _)
    }

    /// The subject is taken as it is: [`Mail`] promises what SNS demands of it.
    async fn publish(&self, mail: &Mail) -> Verdict {
        let publish = self
            .sns
            .publish()
            .topic_arn(&self.topic)
            .subject(&mail.subject)
            .message(start_of(&mail.body, LONGEST_MESSAGE))
            .customize()
            .config_override(aws_sdk_sns::Config::builder().retry_config(RetryConfig::disabled()));
        match publish.send().await {
            Ok(_) => Verdict::Sent,
            Err(error) => refusal(&error),
        }
    }
}

#[async_trait]
impl Destination for SnsTopic {
    fn limits(&self) -> Limits {
        Limits {
            longest_send: LONGEST_SEND,
            pace: Some(PACING),
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::MailUnavailable,
            shows_all: false,
        }
    }

    async fn send(&self, alerts: &[Outgoing<'_>], _: MessageFormat) -> Verdict {
        let [one] = alerts else {
            let reason = "a mail is about one lead".to_owned();
            return Verdict::Refused { code: Code::MailRefused, reason, payload: true };
        };
        // SNS accepts a message without any recipient: that is not a delivery.
        match self.subscribers.known().await {
            Some(Subscriptions { confirmed: 0, pending }) => Verdict::Retry {
                code: Code::MailUnconfirmed,
                reason: format!("the topic's mail has no recipient ({pending} unconfirmed subscriptions)"),
                pause: RetryDelay::Destination(UNSUBSCRIBED_PAUSE),
                may_have_arrived: false,
            },
            _ => self.publish(&mail(&one.alert)).await,
        }
    }

    /// Whether the topic's mail has a recipient. SNS deletes a subscription that is not confirmed, and any recipient can
    /// end theirs. Alarms are sent there as well.
    async fn check(&self, in_use: bool) -> CheckOutcome {
        let Subscriptions { confirmed, pending } = match self.subscribers.ask().await {
            Ok(found) => found,
            Err(fault) => return CheckOutcome::Failed(fault),
        };
        let detail = format!("{confirmed} confirmed and {pending} unconfirmed subscriptions");
        match (in_use, confirmed, pending) {
            (true, 0, _) => {
                let what =
                    format!("{detail}: alerts by e-mail reach nobody; confirm the mail that SNS has sent");
                CheckOutcome::Failed(Fault::new(Code::MailUnconfirmed, what))
            }
            (_, _, 1..) => {
                let what = format!("{detail}: confirm the mail that SNS has sent, within two days");
                CheckOutcome::warning(Code::MailUnconfirmed, what)
            }
            (false, 0, _) => CheckOutcome::Ok("switched off, and alarms reach nobody by e-mail".to_owned()),
            _ => CheckOutcome::Ok(detail),
        }
    }
}

/// As much of a text as fits, whole characters.
fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// What a failure means for the mail.
fn refusal<E, R>(error: &SdkError<E, R>) -> Verdict
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let text = with_causes(error);
    let said =
        |kind: &str| format!("mail server: {}", text::shorten(&format!("{kind}: {text}"), LONGEST_ERROR));
    let again = |code, reason, may_have_arrived| Verdict::Retry {
        code,
        reason,
        pause: RetryDelay::Backoff,
        may_have_arrived,
    };
    let unavailable = || again(Code::MailUnavailable, said("unavailable"), false);
    match error {
        SdkError::ServiceError(service) => match service.err().code().unwrap_or_default() {
            "InvalidParameter"
            | "InvalidParameterException"
            | "InvalidParameterValue"
            | "ParameterValueInvalid"
            | "ValidationException"
            | "NotFound"
            | "NotFoundException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "EndpointDisabled"
            | "InvalidSecurity"
            | "KMSAccessDenied"
            | "KMSDisabled"
            | "KMSInvalidState"
            | "KMSNotFound"
            | "KMSOptInRequired" => {
                Verdict::Refused { code: Code::MailRefused, reason: said("refused"), payload: false }
            }
            // Throttling, an internal error, credentials: SNS has not taken it.
            _ => unavailable(),
        },
        SdkError::ConstructionFailure(_) => unavailable(),
        // Before there was a connection nothing was sent. Only the texts show that: hyper's `client error
        // (Connect)`, and the SDK's own time limit on connecting.
        SdkError::DispatchFailure(failure)
            if failure.is_user() || text.contains("(Connect)") || text.contains("HTTP connect") =>
        {
            unavailable()
        }
        // Without credentials there is no request.
        SdkError::DispatchFailure(_) if of_credentials(&text).is_some() => unavailable(),
        _ => again(Code::MailUnknown, said("no confirmation"), true),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lead::{Alert, AlertKind, EnrichedLead, Timestamp};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::sleeping::AutoAdvanceClock;

    /// An SNS that answers publishing with this, status and body, or hangs up where it is empty; and how many
    /// confirmed and unconfirmed subscriptions it has, where it may be asked. With what it was asked.
    async fn sns(answer: String, subscriptions: Option<(usize, usize)>) -> (SnsTopic, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let action = action(&mut stream).await;
                let answer = match action.as_str() {
                    "ListSubscriptionsByTopic" => match subscriptions {
                        Some((confirmed, pending)) => format!("200 {}", list(confirmed, pending)),
                        None => format!("403 {}", error("AuthorizationError")),
                    },
                    _ => answer.clone(),
                };
                seen.lock().unwrap().push(action);
                let head = "content-type: text/xml\r\nconnection: close\r\ncontent-length";
                if let Some((status, body)) = answer.split_once(' ') {
                    let answer = format!("HTTP/1.1 {status} x\r\n{head}: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        (at(&format!("http://{address}")), asked)
    }

    type Asked = Arc<Mutex<Vec<String>>>;

    /// What a request asks for, once its body is there.
    async fn action(stream: &mut TcpStream) -> String {
        let mut request = String::new();
        loop {
            let mut part = [0; 8192];
            let length = stream.read(&mut part).await.unwrap();
            request += &String::from_utf8_lossy(&part[..length]);
            let action = request.split_once("Action=").and_then(|(_, rest)| rest.split_once('&'));
            if let Some((action, _)) = action {
                return action.to_owned();
            }
            assert!(length > 0, "{request}");
        }
    }

    /// A list of subscriptions.
    fn list(confirmed: usize, pending: usize) -> String {
        let member = |arn: &str| format!("<member><SubscriptionArn>{arn}</SubscriptionArn></member>");
        let confirmed = member("arn:aws:sns:us-east-1:123456789012:t:1").repeat(confirmed);
        let pending = member("PendingConfirmation").repeat(pending);
        let (of, result) = ("ListSubscriptionsByTopicResponse", "ListSubscriptionsByTopicResult");
        let deleted = member("Deleted");
        format!(
            "<{of}><{result}><Subscriptions>{confirmed}{pending}{deleted}</Subscriptions></{result}></{of}>"
        )
    }

    fn published() -> String {
        "200 <PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
            .to_owned()
    }

    fn at(endpoint: &str) -> SnsTopic {
        let clients = Clients::of_function(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            _ => None,
        });
        let clock = Arc::new(AutoAdvanceClock::from(Timestamp::UNIX_EPOCH));
        SnsTopic::new(&clients.unwrap(), "arn:aws:sns:us-east-1:123456789012:t", clock)
    }

    async fn send(topic: &SnsTopic) -> Verdict {
        let lead: EnrichedLead = serde_json::from_value(serde_json::json!({
            "lead_id": "lead_a", "display_name": "A", "status_label": "", "date_created": "",
            "lead_email": "", "lead_owner": "", "funnel": "", "enriched_at": Timestamp::UNIX_EPOCH,
            "received_at": Timestamp::UNIX_EPOCH, "owner_status": "missing",
        }))
        .unwrap();
        let alert = Alert { lead: &lead, kind: AlertKind::New, possible_repeat: false };
        topic
            .send(
                &[Outgoing { alert, receipt: "receipts/lead_a/email/new.json".to_owned(), done: Vec::new() }],
                MessageFormat::Rich,
            )
            .await
    }

    fn error(code: &str) -> String {
        format!(
            "<ErrorResponse><Error><Type>x</Type><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>"
        )
    }

    #[tokio::test]
    async fn what_was_refused_is_told_from_what_may_have_been_sent() {
        let (refused, _) = sns(format!("403 {}", error("AuthorizationError")), Some((1, 0))).await;
        assert!(matches!(send(&refused).await, Verdict::Refused { reason: why, .. } if why.contains("why")));
        let (throttled, _) = sns(format!("429 {}", error("Throttled")), Some((1, 0))).await;
        assert!(matches!(send(&throttled).await, Verdict::Retry { may_have_arrived: false, .. }));
        let (hung_up, _) = sns(String::new(), Some((1, 0))).await;
        let verdict = send(&hung_up).await;
        assert!(matches!(verdict, Verdict::Retry { may_have_arrived: true, .. }), "{verdict:?}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let verdict = send(&at(&nobody)).await;
        assert!(matches!(verdict, Verdict::Retry { may_have_arrived: false, .. }), "{verdict:?}");
    }

    #[tokio::test]
    async fn what_nobody_gets_is_not_sent() {
        for pending in [0, 2] {
            let (topic, asked) = sns(published(), Some((0, pending))).await;
            let verdict = send(&topic).await;
            let Verdict::Retry { code: Code::MailUnconfirmed, reason, pause, may_have_arrived: false } =
                verdict
            else {
                panic!("{verdict:?}");
            };
            assert!(reason.contains(&format!("{pending} unconfirmed")), "{reason}");
            assert_eq!(pause, RetryDelay::Destination(UNSUBSCRIBED_PAUSE));
            assert_eq!(*asked.lock().unwrap(), ["ListSubscriptionsByTopic"]);
        }
    }

    #[tokio::test]
    async fn subscribers_are_asked_for_once_a_minute_and_where_they_cannot_be_the_mail_goes() {
        for subscriptions in [Some((1, 0)), Some((1, 3)), None] {
            let (topic, asked) = sns(published(), subscriptions).await;
            for _ in 0..3 {
                assert_eq!(send(&topic).await, Verdict::Sent);
            }
            topic.subscribers.clock.sleep(Duration::from_secs(60)).await;
            assert_eq!(send(&topic).await, Verdict::Sent);
            let (list, publish) = ("ListSubscriptionsByTopic", "Publish");
            let asked = asked.lock().unwrap();
            assert_eq!(*asked, [list, publish, publish, publish, list, publish], "{subscriptions:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(start_of("a株b", 3), "a");
        assert_eq!(start_of("a株b", 4), "a株");
        assert_eq!(start_of("ab", 4), "ab");
    }
}
