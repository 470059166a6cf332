//! E-mail through an SNS topic.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sns::{
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
};
use lead::{
    email::{Mail, mail},
    text,
};
use pipeline::{
    Code, Fault,
    destination::{Checked, Destination, Form, Kind, Limits, Outgoing, Pacing, Verdict},
};

use crate::{
    Clients,
    fault::{chain, fault, of_credentials},
};

/// How many bytes a message may have: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const LONGEST_MESSAGE: usize = 262_144;
/// How many characters of an error are told.
const LONGEST_ERROR: usize = 200;

/// The longest that publishing takes: the clients' own limit on an operation.
const LONGEST_SEND: Duration = Duration::from_secs(15);
/// SNS takes ten messages a second for each address, and switches a subscription off that gets more:
/// <https://docs.aws.amazon.com/general/latest/gr/sns.html>. Alarms go to the same topic.
const PACING: Pacing = Pacing { rate: 4, burst: 4 };

/// The subscribers of one SNS topic. They get plain text, with a footer of SNS's own.
///
/// Published once a call: the SDK would try again after a time-out too, when the mail may be on its way.
/// When to try again is the stage's decision.
#[derive(Clone)]
pub struct SnsTopic {
    sns: aws_sdk_sns::Client,
    topic: String,
}

impl SnsTopic {
    /// The topic with this ARN.
    pub fn new(clients: &Clients, topic: impl Into<String>) -> Self {
        Self { sns: clients.sns.clone(), topic: topic.into() }
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

    /// How many subscriptions are confirmed, and how many wait for that.
    async fn subscriptions(&self) -> Result<(u32, u32), Fault> {
        let (mut confirmed, mut pending, mut token) = (0, 0, None);
        loop {
            let asked = self.sns.list_subscriptions_by_topic().topic_arn(&self.topic);
            let page = asked.set_next_token(token).send().await;
            let page =
                page.map_err(|error| fault(&format!("listing the subscriptions of {}", self.topic), &error))?;
            for subscription in page.subscriptions() {
                match subscription.subscription_arn() {
                    Some(arn) if arn.starts_with("arn:") => confirmed += 1,
                    Some("PendingConfirmation") => pending += 1,
                    // Deleted ones are listed for a while.
                    _ => {}
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok((confirmed, pending));
            }
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

    async fn send(&self, alerts: &[Outgoing<'_>], _: Form) -> Verdict {
        let [one] = alerts else {
            let reason = "a mail is about one lead".to_owned();
            return Verdict::Refused { code: Code::MailRefused, reason, payload: true };
        };
        self.publish(&mail(&one.alert)).await
    }

    /// Whether somebody gets the topic's mail. SNS takes a subscription away again that nobody confirms, and anybody who
    /// gets the mail can end it. Alarms go there as well.
    async fn check(&self, in_use: bool) -> Checked {
        let (confirmed, pending) = match self.subscriptions().await {
            Ok(found) => found,
            Err(fault) => return Checked::Failed(fault),
        };
        let detail = format!("{confirmed} confirmed and {pending} unconfirmed subscriptions");
        match (in_use, confirmed, pending) {
            (true, 0, _) => {
                let what =
                    format!("{detail}: alerts by e-mail reach nobody; confirm the mail that SNS has sent");
                Checked::Failed(Fault::new(Code::MailUnconfirmed, what))
            }
            (_, _, 1..) => {
                let what = format!("{detail}: confirm the mail that SNS has sent, within two days");
                Checked::Doubtful(Fault::new(Code::MailUnconfirmed, what))
            }
            (false, 0, _) => Checked::Well("switched off, and alarms reach nobody by e-mail".to_owned()),
            _ => Checked::Well(detail),
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
    let told = chain(error);
    let said =
        |kind: &str| format!("mail server: {}", text::shorten(&format!("{kind}: {told}"), LONGEST_ERROR));
    let again = |code, reason, may_have_arrived| Verdict::Again {
        code,
        reason,
        pause: Duration::ZERO,
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
        // Before there was a connection nothing was sent. Only the texts tell: hyper's `client error
        // (Connect)`, and the SDK's own time limit on connecting.
        SdkError::DispatchFailure(failure)
            if failure.is_user() || told.contains("(Connect)") || told.contains("HTTP connect") =>
        {
            unavailable()
        }
        // Without credentials there is no request.
        SdkError::DispatchFailure(_) if of_credentials(&told).is_some() => unavailable(),
        _ => again(Code::MailUnknown, said("no confirmation"), true),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn mailer(answer: &'static str) -> SnsTopic {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 8192]).await;
                let head = "content-type: text/xml\r\nconnection: close\r\ncontent-length";
                if !answer.is_empty() {
                    let (status, body) = answer.split_once(' ').unwrap();
                    let answer = format!("HTTP/1.1 {status} x\r\n{head}: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        at(&format!("http://{address}"))
    }

    fn at(endpoint: &str) -> SnsTopic {
        let clients = Clients::of_function(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            _ => None,
        });
        SnsTopic::new(&clients.unwrap(), "arn:aws:sns:us-east-1:123456789012:t")
    }

    async fn send(mailer: &SnsTopic) -> Verdict {
        mailer.publish(&Mail { subject: "New Lead Alert".to_owned(), body: "x\n".to_owned() }).await
    }

    fn error(code: &str) -> String {
        format!(
            "<ErrorResponse><Error><Type>x</Type><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>"
        )
    }

    #[tokio::test]
    async fn what_was_refused_is_told_from_what_may_have_been_sent() {
        let refused =
            mailer(Box::leak(format!("403 {}", error("AuthorizationError")).into_boxed_str())).await;
        assert!(matches!(send(&refused).await, Verdict::Refused { reason: why, .. } if why.contains("why")));
        let throttled = mailer(Box::leak(format!("429 {}", error("Throttled")).into_boxed_str())).await;
        assert!(matches!(send(&throttled).await, Verdict::Again { may_have_arrived: false, .. }));
        let hung_up = mailer("").await;
        let told = send(&hung_up).await;
        assert!(matches!(told, Verdict::Again { may_have_arrived: true, .. }), "{told:?}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let told = send(&at(&nobody)).await;
        assert!(matches!(told, Verdict::Again { may_have_arrived: false, .. }), "{told:?}");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(start_of("a株b", 3), "a");
        assert_eq!(start_of("a株b", 4), "a株");
        assert_eq!(start_of("ab", 4), "ab");
    }
}
