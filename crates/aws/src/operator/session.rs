//! An operator's way into an account.

use std::sync::Arc;

use aws_config::{AppName, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, ProvideCredentials};
use pipeline::{
    Code, Fault,
    ports::{Clock, Random},
};

use super::{S3History, Stack, View};
use crate::{
    Clients, CloudWatchLogs, Queues, S3Names, S3Store, Secrets, Uncounted,
    clients::{behavior, http_client, retries, timeouts},
    fault::{chain, credentials_fault, fault},
};

/// Clients with an operator's credentials, found as the AWS CLI finds them: variables, profiles with their
/// roles, single sign-on, processes, the machine's own role.
#[derive(Debug, Clone)]
pub struct Session {
    /// The services that the functions use too.
    pub clients: Clients,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    sts: aws_sdk_sts::Client,
    region: String,
}

/// Who somebody is to AWS.
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
    /// [`Code::SettingBad`] where no region is known; [`Code::CredentialsMissing`] and
    /// [`Code::CredentialsExpired`], also where somebody has to sign in first.
    pub async fn load(
        profile: Option<&str>,
        region: Option<&str>,
        endpoint_url: Option<&str>,
    ) -> Result<Self, Fault> {
        let mut loader = aws_config::defaults(behavior());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        Self::of_loader(loader, profile, region, endpoint_url).await
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
        let config = loader.load().await;
        let region = match config.region() {
            Some(region) => region.to_string(),
            None => return Err(no_region(profile)),
        };
        signed_in(&config, profile).await?;
        Ok(Self {
            clients: Clients::of_session(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            region,
        })
    }

    /// The region that is looked at.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who this is, by STS, which needs no permission.
    ///
    /// # Errors
    /// [`Code::CredentialsExpired`] for keys that are not valid, or the fault of AWS.
    pub async fn identity(&self) -> Result<Identity, Fault> {
        let asked = self.sts.get_caller_identity().send().await;
        let answer = asked.map_err(|error| fault("asking who these credentials are", &error))?;
        let told = |value: Option<String>| {
            value.ok_or_else(|| Fault::new(Code::AwsFailed, "STS does not say who these credentials are"))
        };
        Ok(Identity { account: told(answer.account)?, arn: told(answer.arn)?, region: self.region.clone() })
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
        let names = S3Names {
            bucket: stack.bucket.clone(),
            source_prefix: stack.settings.source_prefix.clone(),
            target_prefix: stack.settings.target_prefix.clone(),
        };
        let delay = stack.settings.delay;
        let store =
            S3Store::new(&self.clients, names, delay, Arc::clone(&clock), random, Arc::new(Uncounted));
        let (metrics, project) = (self.cloudwatch.clone(), stack.project.clone());
        let history = S3History::new(store.clone(), metrics, project, Arc::clone(&clock));
        View::new(store, history, clock)
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

    /// The account's secrets.
    pub fn secrets(&self, clock: Arc<dyn Clock>) -> Secrets {
        Secrets::new(&self.clients, clock)
    }

    pub(crate) fn logs_client(&self) -> &aws_sdk_cloudwatchlogs::Client {
        &self.logs
    }
}

/// Looks for credentials before anything needs them, so that one clear fault says what is wrong with them.
async fn signed_in(config: &SdkConfig, profile: Option<&str>) -> Result<(), Fault> {
    let of = profile.map_or_else(String::new, |profile| format!(" of the profile {profile}"));
    let Some(provider) = config.credentials_provider() else {
        return Err(Fault::new(Code::CredentialsMissing, format!("no credentials{of}")));
    };
    provider
        .provide_credentials()
        .await
        .map(|_| ())
        .map_err(|error| credentials_fault(&format!("looking for the credentials{of}"), &chain(&error)))
}

fn no_region(profile: Option<&str>) -> Fault {
    let of = profile.map_or_else(String::new, |profile| format!(" and the profile {profile} has none"));
    Fault::new(Code::SettingBad, format!("no AWS region is set{of}: name one with --region or AWS_REGION"))
}

#[cfg(test)]
#[allow(deprecated, reason = "what takes their place is in a crate that nothing else here needs")]
mod tests {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};

    use super::*;

    /// What a session of `profile` comes to with this config file alone.
    async fn load(config: &str, profile: &str, region: Option<&str>) -> Result<Session, Fault> {
        let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, config).build();
        let loader = aws_config::defaults(behavior()).profile_files(files).profile_name(profile);
        Session::of_loader(loader, Some(profile), region, None).await
    }

    #[tokio::test]
    async fn a_profile_gives_region_and_credentials() {
        let config = "[profile a]\nregion = eu-central-1\naws_access_key_id = AKIAEXAMPLE\n\
                      aws_secret_access_key = geheim\n";
        let session = load(config, "a", None).await.unwrap();
        assert_eq!(session.region(), "eu-central-1");
        assert_eq!(load(config, "a", Some("us-east-1")).await.unwrap().region(), "us-east-1");
        assert!(!format!("{session:?}").contains("geheim"));
    }

    #[tokio::test]
    async fn what_is_missing_is_said_in_one_line() {
        let unsigned = "[profile a]\nregion = eu-central-1\nsso_session = s\nsso_account_id = 123456789012\n\
                        sso_role_name = r\n[sso-session s]\nsso_region = eu-central-1\n\
                        sso_start_url = https://nowhere.invalid/start\n";
        for (config, profile, code, part) in [
            (unsigned, "a", Code::CredentialsExpired, "profile a"),
            (unsigned, "absent", Code::CredentialsMissing, "absent"),
        ] {
            let fault = load(config, profile, Some("eu-central-1")).await.unwrap_err();
            assert_eq!(fault.code, code, "{fault}");
            assert!(fault.what.contains(part), "{fault}");
        }
        assert!(no_region(Some("a")).what.contains("--region"));
    }

    #[test]
    fn keys_do_not_print_their_secret() {
        assert!(!format!("{:?}", Keys::new("id", "geheim", Some("zeichen"))).contains("geheim"));
    }
}
