//! A pipeline on AWS.

use std::{fmt, sync::Arc, time::Duration};

use aws::{
    NamedSecret, Queues, Secrets,
    operator::{Identity, Session, Stack},
};
use close::client::ApiKeys;
use close::signature::Keys;
use futures_util::future::join;
use ops::{Access, NoSetUpReport, Ops};
use outbound::destinations::{BuiltDestinations, SecretSetting, SettingsSource, make, secret_setting};
use outside::text;
use pipeline::{
    Code, Fault,
    destination::{Destination, Kind},
    ports::{Clock, Secret},
    stages::{Ports, Stages, System},
};
use system::{SystemClock, SystemRandom};
use tui::Source;
use url::Url;

use super::place::{OpenPipeline, banner};
use crate::config::{Place, Shown, StackPlace, default_of, without_secrets};

/// A stack, and the session it was found with.
pub struct OnAws {
    /// The session.
    pub session: Session,
    /// The stack.
    pub stack: Stack,
    /// The caller's identity, if STS could be asked.
    pub identity: Option<Identity>,
}

/// Finds a stack.
///
/// # Errors
/// What is wrong with the credentials, the region, the connection to AWS or the stack, each with its own
/// [`Code`].
pub async fn on_aws(place: &StackPlace) -> Result<OnAws, Fault> {
    let StackPlace { profile, region, endpoint_url, .. } = place;
    let session = Session::load(profile.as_deref(), region.as_deref(), endpoint_url.as_deref()).await?;
    let (stack, identity) = join(session.stack(&place.stack), session.identity()).await;
    match (stack, identity) {
        (Ok(stack), identity) => Ok(OnAws { stack, identity: identity.ok(), session }),
        // STS needs no permission, so its verdict on the credentials is reliable.
        (Err(_), Err(fault)) if fault.code == Code::CredentialsExpired => Err(fault),
        (Err(fault), _) => Err(match (fault.code, endpoint_url) {
            (Code::AwsUnreachable, Some(url)) => fault.about(url),
            _ => fault,
        }),
    }
}

impl OnAws {
    /// Opens the stack as this place.
    pub(super) fn open(&self, place: &Place, access: Access) -> OpenPipeline {
        // `arn:aws:cloudformation:eu-central-1:123456789012:stack/leads/…`
        let of_stack = self.stack.id.split(':').nth(4).unwrap_or("unknown account");
        let account = self.identity.as_ref().map_or(of_stack, |identity| &identity.account);
        let who = self.identity.as_ref().map(|identity| identity.arn.as_str());
        let at = described(&place.name, account, self.session.region(), &self.stack.name, who);
        let queues = self.queues();
        let source = Source {
            ops: Arc::new(self.ops_on(&queues, access)),
            banner: banner(place, access, at),
            watch: Arc::new(queues),
            // AWS bills requests; the README says what that costs.
            min_interval: Duration::from_secs(5),
        };
        // CloudWatch takes seconds to have them, and bills requests.
        OpenPipeline { source, look_every: Duration::from_secs(3) }
    }

    /// Where Close posts.
    ///
    /// # Errors
    /// [`Code::StackUnusable`] where the stack's output is not a URL.
    pub fn webhook(&self) -> Result<Url, Fault> {
        let url = self.webhook_url();
        url.parse().map_err(|error| {
            Fault::new(Code::StackUnusable, format!("the output WebhookUrl is not a URL: {url} ({error})"))
        })
    }

    /// Where Close posts, as in the stack's output.
    pub fn webhook_url(&self) -> &str {
        &self.stack.webhook_url
    }

    /// The secret with the keys that Close signs with.
    pub fn signature_secret(&self) -> SignatureSecret {
        let secrets = Box::new(self.session.secrets(Arc::new(SystemClock)));
        SignatureSecret { secrets, name: self.stack.signature_secret.clone() }
    }

    /// The keys that owners are looked up in Close with, as they are now.
    ///
    /// # Errors
    /// Why the secret cannot be read, or holds none.
    pub async fn close_keys(&self) -> Result<ApiKeys, Fault> {
        let Some(secret) = &self.stack.close_secret else {
            let what = "the stack has no secret for Close's API key: it was deployed by an earlier version";
            return Err(Fault::new(Code::ResourceMissing, what));
        };
        let text = self.session.secrets(Arc::new(SystemClock)).text(secret).await?;
        ApiKeys::parse(text.expose())
            .map_err(|error| Fault::new(Code::SecretUnusable, format!("the secret {secret}: {error}")))
    }

    /// The stack's destinations, for an operator to check.
    pub fn destinations(&self) -> BuiltDestinations {
        let secrets = Arc::new(self.session.secrets(Arc::new(SystemClock)));
        make(&StackSettings { aws: self, secrets }, &self.stack.settings.destinations)
    }

    /// A setting with its value in the stack's functions.
    pub fn shown(&self, setting: Shown) -> Shown {
        let name = setting.name;
        let secret = match name {
            "CLOSE_SIGNATURE_KEY" => Some(Some(self.stack.signature_secret.as_str())),
            "CLOSE_API_KEY" => Some(self.stack.close_secret.as_deref()),
            _ => secret_setting(name).map(|setting| self.stack.secret(setting.in_functions)),
        };
        let (value, source) = match (secret, self.stack.variables().get(name)) {
            (Some(Some(secret)), _) => (None, format!("secret {secret}")),
            (Some(None), _) => (None, "unset".to_owned()),
            (None, Some(value)) => {
                (Some(without_secrets(name, &value)), format!("stack {}", self.stack.name))
            }
            (None, None) => (default_of(name), "default".to_owned()),
        };
        Shown { value, source, ..setting }
    }

    /// The operator's view of the stack.
    pub fn ops(&self, access: Access) -> Ops {
        self.ops_on(&self.queues(), access)
    }

    fn queues(&self) -> Queues {
        self.session.queues(&self.stack, Arc::new(SystemClock))
    }

    fn ops_on(&self, queues: &Queues, access: Access) -> Ops {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random = Arc::new(SystemRandom);
        let (session, stack) = (&self.session, &self.stack);
        let view = Arc::new(session.view(stack, Arc::clone(&clock), random.clone()));
        let queues = Arc::new(queues.clone());
        let ports = Ports { objects: view.clone(), journal: view.clone() };
        let settings = Arc::new(stack.settings.clone());
        let stages = Stages::new(ports, System { clock: Arc::clone(&clock), random }, Arc::clone(&settings));
        let operator = self.identity.as_ref().map_or_else(host::user, |identity| person(&identity.arn));
        Ops {
            settings,
            objects: view.clone(),
            history: view.clone(),
            inbox: queues.clone(),
            dead_letters: queues.clone(),
            logs: Arc::new(session.logs(stack, clock)),
            outbox: queues.clone(),
            alerting: stages.alerting(queues),
            recorder: stages.recorder(),
            set_up: Arc::new(NoSetUpReport),
            operator,
            access,
        }
    }
}

/// Where a stack is, on one line: `123456789012 eu-central-1 stack leads as role/ops/ada`. The stack is left out where
/// its name is the pipeline's, which is usually shown in front of it.
fn described(name: &str, account: &str, region: &str, stack: &str, arn: Option<&str>) -> String {
    let stack = if stack == name { String::new() } else { format!(" stack {stack}") };
    let who = arn.map_or_else(String::new, |arn| format!(" as {}", person(arn)));
    format!("{account} {region}{stack}{who}")
}

/// The end of an ARN that says who it is: `assumed-role/Ops/ada`, `user/ada`, `root`.
fn person(arn: &str) -> String {
    text::shorten(arn.splitn(6, ':').nth(5).unwrap_or(arn), 80)
}

/// The settings of destinations from a stack's parameters and secrets.
struct StackSettings<'a> {
    aws: &'a OnAws,
    secrets: Arc<Secrets>,
}

impl SettingsSource for StackSettings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.aws.stack.variables().get(name)
    }

    fn secret(&self, setting: &SecretSetting) -> Result<Option<Arc<dyn Secret>>, Fault> {
        let named = |name: &str| {
            let (secrets, name) = (Arc::clone(&self.secrets), name.to_owned());
            Arc::new(NamedSecret { secrets, name }) as Arc<dyn Secret>
        };
        Ok(self.aws.stack.secret(setting.in_functions).map(named))
    }

    fn name_of(&self, setting: &SecretSetting) -> &'static str {
        setting.in_functions
    }

    fn own_destination(&self, kind: &Kind) -> Option<Arc<dyn Destination>> {
        self.aws.session.topic(&self.aws.stack, Arc::new(SystemClock)).of_kind(kind)
    }
}

/// A secret with the keys that Close signs with.
pub struct SignatureSecret {
    secrets: Box<Secrets>,
    name: String,
}

impl SignatureSecret {
    /// The current keys.
    ///
    /// # Errors
    /// Why the secret cannot be read, or holds no keys.
    pub async fn present(&self) -> Result<Keys, Fault> {
        self.secrets.current_keys(&self.name).await
    }

    /// Adds a subscription's key. Returns whether it was not there yet.
    ///
    /// # Errors
    /// Why the secret cannot be read or written.
    pub async fn store(&self, subscription: &str, key: &str) -> Result<bool, Fault> {
        self.secrets.store_key(&self.name, subscription, key).await
    }
}

impl fmt::Display for SignatureSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_described_on_one_line() {
        let arn = "arn:aws:sts::123456789012:assumed-role/Ops/ada";
        let place = |name| described(name, "123456789012", "eu-central-1", "leads", Some(arn));
        assert_eq!(place("prod"), "123456789012 eu-central-1 stack leads as assumed-role/Ops/ada");
        assert_eq!(place("leads"), "123456789012 eu-central-1 as assumed-role/Ops/ada");
    }
}
