//! Secrets, read again when they rotate.

#[cfg(feature = "operator")]
mod keep;
mod named;
mod signature;

use std::{collections::HashMap, sync::Arc};

use aws_sdk_secretsmanager::{
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use close::signature::Keys;
use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault, SecretText, ports::Clock};
use tokio::sync::Mutex;

use crate::{Clients, fault::fault};

pub use named::NamedSecret;
pub use signature::keys_in;

/// How long a value is cached.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);
/// The shortest time between reads after a refusal.
const REFRESH_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// How long after a failure the old value is used before AWS is asked again.
const FAILED_AGE: SignedDuration = SignedDuration::from_secs(30);

/// The secrets of Secrets Manager, by name or ARN, cached for five minutes.
pub struct Secrets {
    client: aws_sdk_secretsmanager::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, CachedSecret>>,
}

/// A secret as it was read last.
#[derive(Clone)]
struct CachedSecret {
    current: SecretText,
    /// The keys in it and in its previous version, where they were asked for.
    keys: Option<CachedKeys>,
    read_at: Timestamp,
    /// When it is read again.
    good_until: Timestamp,
}

#[derive(Clone)]
struct CachedKeys {
    previous: Option<SecretText>,
    keys: Arc<Keys>,
}

impl Secrets {
    /// Secrets of the account.
    pub fn new(clients: &Clients, clock: Arc<dyn Clock>) -> Self {
        Self { client: clients.secrets.clone(), clock, known: Mutex::default() }
    }

    /// A secret's current value.
    ///
    /// While Secrets Manager cannot be reached, the last value is used.
    ///
    /// # Errors
    /// [`Code::SecretUnusable`] where it has no value or an empty one, [`Code::ResourceMissing`] where
    /// there is no such secret, or the fault of AWS.
    pub async fn text(&self, name: &str) -> Result<SecretText, Fault> {
        Ok(self.look(name, false, |known, now| now < known.good_until).await?.0.current)
    }

    /// The signature keys in a secret, see [`keys_in`], including those of its previous version: Close signs with
    /// the old key until its subscription has been changed, so a rotation loses no webhook. The same [`Arc`]
    /// until one of the two changes.
    ///
    /// # Errors
    /// As [`Secrets::text`]; [`Code::SignatureKeyBad`] where a key is not 64 hex digits.
    pub async fn signature_keys(&self, name: &str) -> Result<Arc<Keys>, Fault> {
        let (known, _) =
            self.look(name, true, |known, now| known.keys.is_some() && now < known.good_until).await?;
        let keys = known.keys.map(|known| known.keys);
        keys.ok_or_else(|| Fault::new(Code::Internal, "signature keys were not read"))
    }

    /// Reads a secret again because its value was refused, unless it was read in the last 10 s. Returns whether it has
    /// changed.
    ///
    /// # Errors
    /// As [`Secrets::text`] and [`Secrets::signature_keys`].
    pub async fn refresh(&self, name: &str) -> Result<bool, Fault> {
        let recent = |known: &CachedSecret, now| now < known.read_at + REFRESH_AFTER;
        Ok(self.look(name, false, recent).await?.1)
    }

    /// A cached secret, read again unless it is still `good`, and whether that changed anything.
    async fn look(
        &self,
        name: &str,
        with_keys: bool,
        good: impl Fn(&CachedSecret, Timestamp) -> bool,
    ) -> Result<(CachedSecret, bool), Fault> {
        // Concurrent callers wait for the same answer.
        let mut all = self.known.lock().await;
        let now = self.clock.now();
        let last = all.get(name);
        // A clock that was set back makes nothing fresh.
        if let Some(known) = last.filter(|known| known.read_at <= now && good(known, now)) {
            return Ok((known.clone(), false));
        }
        let with_keys = with_keys || last.is_some_and(|known| known.keys.is_some());
        match self.read(name, with_keys, last, now).await {
            Ok(known) => {
                let changed = last.is_none_or(|last| !last.is_same_value(&known));
                all.insert(name.to_owned(), known.clone());
                Ok((known, changed))
            }
            Err(fault) => match all.get_mut(name) {
                Some(known) if is_transient(&fault) && (!with_keys || known.keys.is_some()) => {
                    tracing::warn!(code = fault.code.as_str(), "an older value is used: {}", fault.what);
                    known.read_at = now;
                    known.good_until = now + FAILED_AGE;
                    Ok((known.clone(), false))
                }
                _ => Err(fault),
            },
        }
    }

    async fn read(
        &self,
        name: &str,
        with_keys: bool,
        last: Option<&CachedSecret>,
        now: Timestamp,
    ) -> Result<CachedSecret, Fault> {
        let (current, previous) = futures_util::join!(self.version(name, "AWSCURRENT"), async {
            if with_keys { self.version(name, "AWSPREVIOUS").await } else { Ok(None) }
        });
        let unusable = |what: &str| Fault::new(Code::SecretUnusable, format!("the secret {name} {what}"));
        let current = current?.ok_or_else(|| unusable("has no value yet"))?;
        if current.expose().is_empty() {
            return Err(unusable("is empty"));
        }
        let mut known = CachedSecret { current, keys: None, read_at: now, good_until: now + MAX_AGE };
        if with_keys {
            let previous = previous?;
            let keys = signature::with_previous(&known.current, previous.as_ref())
                .map_err(|fault| fault.about(format_args!("the secret {name}")))?;
            known.keys = Some(CachedKeys { previous, keys: Arc::new(keys) });
            if let Some(last) = last.filter(|last| last.is_same_value(&known)) {
                known.keys.clone_from(&last.keys);
            }
        }
        Ok(known)
    }

    /// One version of a secret; `None` where it has none of that stage.
    async fn version(&self, name: &str, stage: &str) -> Result<Option<SecretText>, Fault> {
        match self.client.get_secret_value().secret_id(name).version_stage(stage).send().await {
            Ok(answer) => {
                let text = answer.secret_string.or_else(|| {
                    let binary = answer.secret_binary?;
                    String::from_utf8(binary.into_inner()).ok()
                });
                Ok(Some(SecretText::new(&text.unwrap_or_default())))
            }
            Err(error) if has_no_such_stage(&error) => Ok(None),
            Err(error) => Err(of_secret(name, &error)),
        }
    }
}

impl CachedSecret {
    fn is_same_value(&self, other: &Self) -> bool {
        let previous = |known: &Self| known.keys.as_ref().map(|known| known.previous.clone());
        self.current == other.current && previous(self) == previous(other)
    }
}

/// A secret that has been made without a value has no version, which the service calls not found too; only
/// the text distinguishes it from a secret that does not exist.
fn has_no_such_stage<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.is_resource_not_found_exception()
            && error.message().is_some_and(|message| message.contains("staging label"))
    })
}

fn of_secret<R: std::fmt::Debug>(name: &str, error: &SdkError<GetSecretValueError, R>) -> Fault {
    let mut fault = fault(&format!("reading the secret {name}"), error);
    let marked = error.as_service_error().and_then(ProvideErrorMetadata::message);
    if marked
        .is_some_and(|message| message.contains("marked for deletion") || message.contains("marked deleted"))
    {
        fault.code = Code::ResourceMissing;
    }
    fault
}

/// Whether a failure is not about the secret itself.
fn is_transient(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::AwsUnreachable | Code::AwsThrottled | Code::AwsFailed | Code::CredentialsExpired
    )
}
