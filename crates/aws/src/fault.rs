//! What the SDK's errors mean.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use outside::text::{self, with_causes};
use pipeline::{Code, Fault};

/// The longest error text, in characters.
pub(crate) const LIMIT: usize = 400;

/// The fault for an error of the SDK. `doing` says what was tried, with the name of the thing:
/// `reading s3://bucket/key`.
pub(crate) fn fault<E, R>(doing: &str, error: &SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    let code = match error {
        SdkError::ServiceError(service) => of_service(service.err().code().unwrap_or_default()),
        // Credentials that cannot be had fail either way.
        SdkError::ConstructionFailure(_) => of_credentials(&with_causes(error)).unwrap_or(Code::AwsFailed),
        SdkError::DispatchFailure(failure) if failure.is_user() || failure.is_other() => {
            of_credentials(&with_causes(error)).unwrap_or(Code::AwsUnreachable)
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            Code::AwsUnreachable
        }
        _ => Code::AwsFailed,
    };
    Fault::new(code, text::shorten(&format!("{doing}: {}", describe(error)), LIMIT))
}

/// What an error says: the service's own words with its code, or the causes.
fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    if let Some(service) = error.as_service_error()
        && let Some(code) = service.code()
    {
        return match service.message() {
            // AWS names the action that is denied in it, for most services.
            Some(message) if !message.is_empty() => format!("{message} ({code})"),
            _ => code.to_owned(),
        };
    }
    with_causes(error)
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

/// What the SDK's text means, if it is about credentials. It has no codes for that: the texts are those of
/// `aws-config`.
pub(crate) fn of_credentials(text: &str) -> Option<Code> {
    let text = text.to_lowercase();
    // Of single sign-on, also before the first sign-in; or of a role.
    let sign_in = ["expired", "sso", "refresh", "token has"];
    if sign_in.iter().any(|part| text.contains(part)) {
        Some(Code::CredentialsExpired)
    } else if text.contains("credential") || text.contains("profile") {
        Some(Code::CredentialsMissing)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_credentials_lack_is_told_apart() {
        for (text, code) in [
            ("no providers in chain provided credentials", Some(Code::CredentialsMissing)),
            ("the credential provider was not enabled", Some(Code::CredentialsMissing)),
            ("profile `x` was not defined", Some(Code::CredentialsMissing)),
            ("the SSO token has expired and cannot be refreshed", Some(Code::CredentialsExpired)),
            ("failed to read the cached SSO token", Some(Code::CredentialsExpired)),
            ("the security token included in the request is expired", Some(Code::CredentialsExpired)),
            ("an unknown thing", None),
        ] {
            assert_eq!(of_credentials(text), code, "{text}");
        }
    }

    #[test]
    fn error_codes_of_services_have_a_meaning() {
        for (code, expected) in [
            ("AccessDeniedException", Code::AwsDenied),
            ("ExpiredToken", Code::CredentialsExpired),
            ("ThrottlingException", Code::AwsThrottled),
            ("NoSuchBucket", Code::ResourceMissing),
            ("AWS.SimpleQueueService.NonExistentQueue", Code::ResourceMissing),
            ("InternalError", Code::AwsFailed),
        ] {
            assert_eq!(of_service(code), expected, "{code}");
        }
    }
}
