//! An operator's way into an account.

use std::sync::Arc;

use aws_config::{
    AppName, ConfigLoader, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_sdk_sts::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use outside::text::{self, with_causes};
use pipeline::{
    Code, Fault,
    ports::{Clock, Random},
};

use super::{S3History, Stack, View};
use crate::{
    Clients, CloudWatchLogs, NoMetrics, Queues, S3Store, Secrets, SnsTopic,
    clients::{behavior, http_client, retries, timeouts},
    fault::{LIMIT, fault, of_credentials},
};

/// Clients with an operator's credentials, found as the AWS CLI finds them: variables, profiles with their
/// roles, single sign-on, processes, the machine's own role.
#[derive(Debug, Clone)]
pub struct Session {
    /// The services that the functions use too.
    pub clients: Clients,
    cloudformation: aws_sdk_cloudformation::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    pub(super) config: SdkConfig,
}

/// An identity in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
    /// The region that is looked at.
    pub region: String,
}

/// Keys at hand. Their secret parts are not printed.
#[derive(Debug, Clone)]
pub struct Keys(Credentials);

impl Keys {
    /// An access key, with a session's token where it is a role's.
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Self {
        Self(Credentials::new(id, secret, token.map(str::to_owned), None, "leadops"))
    }
}

impl Session {
    /// A session with the credentials of `profile`, or those that the AWS CLI would take without one, in
    /// `region`, or the profile's. `endpoint_url` is another AWS, such as an emulator.
    ///
    /// # Errors
    /// [`Code::RegionMissing`] where no region is known; [`Code::CredentialsMissing`] and
    /// [`Code::CredentialsExpired`], also where a sign-in is needed first.
    pub async fn load(
        profile: Option<&str>,
        region: Option<&str>,
        endpoint_url: Option<&str>,
    ) -> Result<Self, Fault> {
        let mut loader = aws_config::defaults(behavior());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        // Of two that are named, the AWS CLI takes the keys in the environment rather than the profile that
        // is named there, and rather the profile that is named by a flag. The SDK's chain takes the keys in
        // both cases, and goes on to the machine's own role where a profile does not exist.
        let keys_at_hand = variable("AWS_ACCESS_KEY_ID").is_some();
        let in_environment = variable("AWS_PROFILE").filter(|_| !keys_at_hand);
        let named = profile.map(str::to_owned).or(in_environment);
        Self::of_loader(loader, named.as_deref(), region, endpoint_url).await
    }

    /// A session with keys that are at hand.
    ///
    /// # Errors
    /// As [`Session::load`].
    pub async fn with_keys(keys: Keys, region: &str, endpoint_url: Option<&str>) -> Result<Self, Fault> {
        let loader = aws_config::defaults(behavior()).credentials_provider(keys.0);
        Self::of_loader(loader, None, Some(region), endpoint_url).await
    }

    async fn of_loader(
        mut loader: ConfigLoader,
        profile: Option<&str>,
        region: Option<&str>,
        endpoint_url: Option<&str>,
    ) -> Result<Self, Fault> {
        let name = AppName::new("leadops").map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        loader = loader
            .app_name(name)
            .http_client(http_client())
            .timeout_config(timeouts())
            .retry_config(retries());
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(url) = endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let mut config = loader.load().await;
        let region = match config.region() {
            Some(region) => region.to_string(),
            None => return Err(no_region(profile)),
        };
        if let Some(profile) = profile {
            let own = ProviderConfig::default()
                .with_http_client(http_client())
                .with_region(config.region().cloned());
            let of_profile =
                ProfileFileCredentialsProvider::builder().configure(&own).profile_name(profile).build();
            let shared = SharedCredentialsProvider::new(of_profile);
            config = config.into_builder().credentials_provider(shared).build();
        }
        signed_in(&config, profile).await?;
        Ok(Self {
            clients: Clients::of_session(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            region,
            config,
        })
    }

    /// The region that is looked at.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The identity according to STS, which needs no permission.
    ///
    /// # Errors
    /// [`Code::CredentialsExpired`] for keys that are not valid, or the fault of AWS.
    pub async fn identity(&self) -> Result<Identity, Fault> {
        let asked = self.sts.get_caller_identity().send().await;
        let answer = asked.map_err(|error| fault("asking who these credentials are", &error))?;
        let present = |value: Option<String>| {
            value.ok_or_else(|| Fault::new(Code::AwsFailed, "STS does not say who these credentials are"))
        };
        Ok(Identity {
            account: present(answer.account)?,
            arn: present(answer.arn)?,
            region: self.region.clone(),
        })
    }

    /// The stack of this name.
    ///
    /// # Errors
    /// [`Code::StackMissing`], [`Code::StackUnusable`], or the fault of AWS.
    pub async fn stack(&self, name: &str) -> Result<Stack, Fault> {
        Stack::describe(&self.cloudformation, name, &self.region).await
    }

    /// A stack's bucket and its journal, under an operator's eyes.
    pub fn view(&self, stack: &Stack, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> View {
        let store = self.store(stack, Arc::clone(&clock), random);
        let (metrics, project) = (self.cloudwatch.clone(), stack.project.clone());
        let history = S3History::new(store.clone(), metrics, project, Arc::clone(&clock))
            // The template calls the API as the stack.
            .with_api(stack.name.clone());
        View::new(store, history, clock)
    }

    /// A stack's bucket.
    pub(super) fn store(&self, stack: &Stack, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> S3Store {
        S3Store::new(&self.clients, &stack.bucket, &stack.settings, clock, random, Arc::new(NoMetrics))
    }

    /// A stack's queues.
    pub fn queues(&self, stack: &Stack, clock: Arc<dyn Clock>) -> Queues {
        Queues::new(&self.clients, stack.queues.clone(), clock)
    }

    /// The log groups of a stack's functions.
    pub fn logs(&self, stack: &Stack, clock: Arc<dyn Clock>) -> CloudWatchLogs {
        self.log_groups(stack.log_groups(), clock)
    }

    /// Log groups by their names.
    pub fn log_groups(
        &self,
        groups: Vec<(pipeline::Function, String)>,
        clock: Arc<dyn Clock>,
    ) -> CloudWatchLogs {
        CloudWatchLogs::new(self.logs.clone(), groups, clock)
    }

    /// The topic that mail and alarms go to.
    pub fn topic(&self, stack: &Stack, clock: Arc<dyn Clock>) -> SnsTopic {
        SnsTopic::new(&self.clients, &stack.topic, clock)
    }

    /// The account's secrets.
    pub fn secrets(&self, clock: Arc<dyn Clock>) -> Secrets {
        Secrets::new(&self.clients, clock)
    }
}

/// Looks for credentials before anything needs them, so that one clear fault says what is wrong with them.
async fn signed_in(config: &SdkConfig, profile: Option<&str>) -> Result<(), Fault> {
    let of = profile.map_or_else(String::new, |profile| format!(" of the profile {profile}"));
    let Some(provider) = config.credentials_provider() else {
        return Err(Fault::new(Code::CredentialsMissing, format!("no credentials{of}")));
    };
    let found = provider.provide_credentials().await;
    found.map(drop).map_err(|error| not_signed_in(profile, &with_causes(&error)))
}

/// The fault for credentials that could not be had; `text` is the SDK's error.
fn not_signed_in(profile: Option<&str>, text: &str) -> Fault {
    let of = profile.map_or_else(String::new, |profile| format!(" of the profile {profile}"));
    let lower = text.to_lowercase();
    let code = of_credentials(text).unwrap_or(Code::CredentialsMissing);
    let what = if code == Code::CredentialsExpired && lower.contains("sso") {
        let profile = profile.map_or_else(String::new, |profile| format!(" --profile {profile}"));
        format!("the sign-in{of} is over, or never was: run `aws sso login{profile}`")
    } else if lower.contains("imds") || lower.contains("no credentials found in chain") {
        "no AWS credentials: none in the environment, in a default profile, or of this machine".to_owned()
    } else if let (Some(profile), true) = (profile, text.contains("from the root profile")) {
        format!("there is no profile {profile} in ~/.aws/config or ~/.aws/credentials")
    } else {
        // The part that names the profile and what is wrong with it, where there is one.
        let cause = text.rfind(": profile `").and_then(|at| text.get(at + 2..)).unwrap_or(text);
        format!("looking for the credentials{of}: {cause}")
    };
    Fault::new(code, text::shorten(&what, LIMIT))
}

fn no_region(profile: Option<&str>) -> Fault {
    let of = profile.map_or_else(String::new, |profile| format!(", and the profile {profile} names none"));
    Fault::new(Code::RegionMissing, format!("no AWS region is set{of}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_credentials_is_said_in_one_line() {
        for (profile, text, code, parts) in [
            (
                Some("a"),
                "failed to load the cached SSO token",
                Code::CredentialsExpired,
                ["profile a", "aws sso login --profile a"],
            ),
            (None, "the SSO token has expired", Code::CredentialsExpired, ["sign-in", "`aws sso login`"]),
            (
                None,
                "no credentials found in chain. Attempted: …",
                Code::CredentialsMissing,
                ["no AWS credentials", "this machine"],
            ),
            (
                None,
                "failed to load IMDS session token",
                Code::CredentialsMissing,
                ["no AWS credentials", "this machine"],
            ),
            (
                Some("a"),
                "could not load: profile `b` was not defined: referenced by a",
                Code::CredentialsMissing,
                ["of the profile a", "profile `b` was not defined"],
            ),
        ] {
            let fault = not_signed_in(profile, text);
            assert_eq!(fault.code, code, "{fault}");
            assert!(parts.iter().all(|part| fault.what.contains(part)), "{fault}");
        }
        assert!(no_region(Some("a")).what.contains("profile a"));
    }

    #[test]
    fn keys_do_not_print_their_secret() {
        assert!(!format!("{:?}", Keys::new("id", "geheim", Some("zeichen"))).contains("geheim"));
    }
}
