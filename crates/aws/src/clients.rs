//! The SDK's clients, made in one way for functions and for people.

use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder as HttpClientBuilder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use pipeline::{Code, Fault};

/// What the SDK's behaviour is pinned to.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// One HTTP client for all services: one connection pool, one TLS set-up, one root store.
pub(crate) fn http_client() -> aws_sdk_s3::config::SharedHttpClient {
    HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

/// How long to wait for AWS: a function has only seconds, and a person does not wait longer.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(6))
        .operation_timeout(Duration::from_secs(15))
        .build()
}

/// How often an operation is tried in all.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50))
}

/// The services that functions and people use.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Objects.
    pub s3: aws_sdk_s3::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// E-mail.
    pub sns: aws_sdk_sns::Client,
    /// Secrets.
    pub secrets: aws_sdk_secretsmanager::Client,
}

impl Clients {
    /// Clients for a Lambda function, from the variables that Lambda sets: `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; and `AWS_ENDPOINT_URL`, with or
    /// without a service's name behind it, where another AWS is meant.
    ///
    /// Without the SDK's search for profiles, as a function has none.
    ///
    /// # Errors
    /// [`Code::SettingBad`] with the name of the variable that is missing.
    pub fn of_function(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let needed = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| Fault::new(Code::SettingBad, format!("{name} is not set")))
        };
        let region = variable("AWS_DEFAULT_REGION").filter(|_| variable("AWS_REGION").is_none());
        let region = Region::new(region.map_or_else(|| needed("AWS_REGION"), Ok)?);
        let credentials = Credentials::new(
            needed("AWS_ACCESS_KEY_ID")?,
            needed("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
            None,
            "Lambda",
        );
        if let Some(file) = variable("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
            check_certificates(&file)?;
        }
        let endpoint = |service: &str| {
            variable(&format!("AWS_ENDPOINT_URL_{service}"))
                .or_else(|| variable("AWS_ENDPOINT_URL"))
                .filter(|url| !url.is_empty())
        };
        let http = http_client();
        macro_rules! config {
            ($sdk:ident, $service:literal) => {{
                let mut config = $sdk::Config::builder()
                    .behavior_version(behavior())
                    .region(region.clone())
                    .credentials_provider(credentials.clone())
                    .http_client(http.clone())
                    .timeout_config(timeouts())
                    .retry_config(retries());
                config.set_endpoint_url(endpoint($service));
                config
            }};
        }
        // Names of buckets cannot be put in front of an address of another AWS.
        let s3 = config!(aws_sdk_s3, "S3").force_path_style(endpoint("S3").is_some());
        Ok(Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, "SQS").build()),
            sns: aws_sdk_sns::Client::from_conf(config!(aws_sdk_sns, "SNS").build()),
            secrets: aws_sdk_secretsmanager::Client::from_conf(
                config!(aws_sdk_secretsmanager, "SECRETS_MANAGER").build(),
            ),
        })
    }

    /// Clients with an operator's credentials.
    #[cfg(feature = "operator")]
    pub(crate) fn of_session(config: &aws_config::SdkConfig) -> Self {
        // As above.
        let s3 = aws_sdk_s3::config::Builder::from(config);
        let elsewhere = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.force_path_style(elsewhere).build()),
            sqs: aws_sdk_sqs::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
        }
    }
}

/// A file without certificates would make the SDK panic over its first client.
fn check_certificates(file: &str) -> Result<(), Fault> {
    let bad = |what: String| Fault::new(Code::SettingBad, format!("SSL_CERT_FILE is {file}: {what}"));
    let bundle = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if bundle.windows(begin.len()).any(|part| part == begin) {
        return Ok(());
    }
    Err(bad("there is no certificate in it".to_owned()))
}
