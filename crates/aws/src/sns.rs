//! E-mail through an SNS topic.

use async_trait::async_trait;
use aws_sdk_sns::{
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
};
use lead::{email::Mail, text};
use pipeline::{
    notify::Pace,
    ports::{MailError, Mailer},
};

use crate::{
    Clients,
    fault::{chain, of_credentials},
};

/// How many bytes a message may have: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const LONGEST_MESSAGE: usize = 262_144;
/// How many characters of an error are told.
const LONGEST_ERROR: usize = 300;

/// The subscribers of one SNS topic. They get plain text, with a footer of SNS's own.
///
/// Published once a call: the SDK would try again after a time-out too, when the mail may be on its way.
/// When to try again is the stage's decision.
#[derive(Clone)]
pub struct SnsMailer {
    sns: aws_sdk_sns::Client,
    topic: String,
    pace: Option<Pace>,
}

impl SnsMailer {
    /// The topic with this ARN.
    pub fn new(clients: &Clients, topic: impl Into<String>) -> Self {
        Self { sns: clients.sns.clone(), topic: topic.into(), pace: None }
    }

    /// The same at a pace, for topics that many messages go to.
    pub fn at_pace(self, pace: Pace) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// Waits for its turn.
    async fn turn(&self) -> Result<(), MailError> {
        let Some(pace) = &self.pace else { return Ok(()) };
        match pace.turn().await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(closed)) => Err(MailError::Unavailable(format!("closed for {} s", closed.as_secs()))),
            Err(fault) => Err(MailError::Unavailable(fault.to_string())),
        }
    }
}

#[async_trait]
impl Mailer for SnsMailer {
    /// The subject is taken as it is: [`Mail`] promises what SNS demands of it.
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.turn().await?;
        let publish = self
            .sns
            .publish()
            .topic_arn(&self.topic)
            .subject(&mail.subject)
            .message(start_of(&mail.body, LONGEST_MESSAGE))
            .customize()
            .config_override(aws_sdk_sns::Config::builder().retry_config(RetryConfig::disabled()));
        publish.send().await.map(|_| ()).map_err(|error| refusal(&error))
    }
}

/// As much of a text as fits, whole characters.
fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// What a failure means for the mail.
fn refusal<E, R>(error: &SdkError<E, R>) -> MailError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let told = chain(error);
    let what = text::shorten(&told, LONGEST_ERROR);
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
            | "KMSOptInRequired" => MailError::Refused(what),
            // Throttling, an internal error, credentials: SNS has not taken it.
            _ => MailError::Unavailable(what),
        },
        SdkError::ConstructionFailure(_) => MailError::Unavailable(what),
        // Before there was a connection nothing was sent. Only the texts tell: hyper's `client error
        // (Connect)`, and the SDK's own time limit on connecting.
        SdkError::DispatchFailure(failure)
            if failure.is_user() || told.contains("(Connect)") || told.contains("HTTP connect") =>
        {
            MailError::Unavailable(what)
        }
        // Without credentials there is no request.
        SdkError::DispatchFailure(_) if of_credentials(&told).is_some() => MailError::Unavailable(what),
        _ => MailError::Unknown(what),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn mailer(answer: &'static str) -> SnsMailer {
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

    fn at(endpoint: &str) -> SnsMailer {
        let clients = Clients::of_function(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("x".to_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            _ => None,
        });
        SnsMailer::new(&clients.unwrap(), "arn:aws:sns:us-east-1:123456789012:t")
    }

    async fn send(mailer: &SnsMailer) -> Result<(), MailError> {
        mailer.send(&Mail { subject: "New Lead Alert".to_owned(), body: "x\n".to_owned() }).await
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
        assert!(matches!(send(&refused).await, Err(MailError::Refused(why)) if why.contains("why")));
        let throttled = mailer(Box::leak(format!("429 {}", error("Throttled")).into_boxed_str())).await;
        assert!(matches!(send(&throttled).await, Err(MailError::Unavailable(_))));
        let hung_up = mailer("").await;
        let told = send(&hung_up).await;
        assert!(matches!(told, Err(MailError::Unknown(_))), "{told:?}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let told = send(&at(&nobody)).await;
        assert!(matches!(told, Err(MailError::Unavailable(_))), "{told:?}");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(start_of("a株b", 3), "a");
        assert_eq!(start_of("a株b", 4), "a株");
        assert_eq!(start_of("ab", 4), "ab");
    }
}
