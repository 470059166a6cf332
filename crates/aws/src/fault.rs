//! What the SDK's errors mean.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lead::text;
use pipeline::{Code, Fault};

/// How much of an error is told.
const LIMIT: usize = 300;

/// The fault for an error of the SDK. `doing` says what was tried, with the name of the thing:
/// `reading s3://bucket/key`.
pub(crate) fn fault<E, R>(doing: &str, error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    let code = match error {
        SdkError::ServiceError(service) => of_service(service.err().code().unwrap_or_default()),
        SdkError::ConstructionFailure(_) => of_construction(error),
        SdkError::DispatchFailure(failure) if failure.is_user() || failure.is_other() => {
            of_construction(error)
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            Code::AwsUnreachable
        }
        _ => Code::AwsFailed,
    };
    Fault::new(code, text::shorten(&format!("{doing}: {}", chain(error)), LIMIT))
}

/// The kind of failure behind an error code of a service.
fn of_service(code: &str) -> Code {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "UnauthorizedOperation"
        | "KMS.AccessDeniedException"
        | "KmsAccessDenied" => Code::AwsDenied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "TokenRefreshRequired" => Code::CredentialsExpired,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "KmsThrottled" => Code::AwsThrottled,
        "NoSuchBucket"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "QueueDoesNotExist"
        | "NotFound"
        | "ResourceNotFoundException" => Code::ResourceMissing,
        _ => Code::AwsFailed,
    }
}

/// What failed before a request was made: the credentials, as a rule.
fn of_construction<E: Error, R>(error: &SdkError<E, R>) -> Code
where
    E: 'static,
    R: std::fmt::Debug,
{
    let told = chain(error).to_lowercase();
    let expired = ["expired", "token has", "sso session", "refresh"].iter().any(|part| told.contains(part));
    if expired {
        Code::CredentialsExpired
    } else if told.contains("credential") || told.contains("profile") {
        Code::CredentialsMissing
    } else {
        Code::AwsFailed
    }
}

/// An error with its causes, once each, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = inner.source();
    }
    told
}
