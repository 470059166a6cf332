//! Values made from a secret that may change.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use pipeline::{Code, Fault, SecretText, destination::NotReady, ports::Secret};

/// How long alerts wait where the secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(60);

/// Makes the value from a secret's text; the error is a line for the operator that shows nothing of it.
type Make<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// A value made from a secret, and made again whenever the secret has changed.
pub(crate) struct Rotating<T> {
    secret: Arc<dyn Secret>,
    make: Make<T>,
    last: Mutex<Option<Current<T>>>,
}

/// The value that was made, with the secret it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Current<T> {
    text: SecretText,
    pub(crate) value: T,
}

impl<T: Clone> Rotating<T> {
    pub(crate) fn new(
        secret: Arc<dyn Secret>,
        make: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self { secret, make: Box::new(make), last: Mutex::default() }
    }

    /// The value for the secret as it is now.
    pub(crate) async fn current(&self) -> Result<Current<T>, NotReady> {
        let text = self.secret.text().await.map_err(|fault| match fault.code {
            Code::SecretUnusable => NotReady::NotConfigured(fault),
            Code::ResourceMissing => {
                let what = format!("{} does not exist ({})", self.secret.name(), fault.what);
                NotReady::Later(Fault::new(Code::SecretUnusable, what), SECRET_PAUSE)
            }
            _ => NotReady::Later(fault, SECRET_PAUSE),
        })?;
        let mut last = pipeline::lock(&self.last);
        if let Some(current) = last.as_ref().filter(|current| current.text == text) {
            return Ok(current.clone());
        }
        let value = (self.make)(text.expose()).map_err(|what| {
            let what = format!("{}: {what}", self.secret.name());
            NotReady::NotConfigured(Fault::new(Code::SecretUnusable, what))
        })?;
        let current = Current { text, value };
        *last = Some(current.clone());
        Ok(current)
    }

    /// The value that was made last.
    pub(crate) fn last(&self) -> Option<T> {
        pipeline::lock(&self.last).as_ref().map(|current| current.value.clone())
    }

    /// The value for the secret read again, because `used` has failed; none where the secret has not changed. Concurrent
    /// callers get the same result.
    pub(crate) async fn refreshed(&self, used: &Current<T>) -> Option<Current<T>> {
        // Another task may have read it meanwhile. A failure here is reported when the secret is next needed.
        let _ = self.secret.refresh().await;
        self.current().await.ok().filter(|current| current.text != used.text)
    }
}

/// A field of a JSON secret, whatever the spelling of its name.
pub(crate) fn field<'a>(
    fields: &'a serde_json::Map<String, serde_json::Value>,
    names: &[&str],
) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(name, _)| names.contains(&outside::plain_name(name).as_str()));
    found.find_map(|(_, value)| value.as_str()).map(outside::unpasted)
}

/// The fields of a JSON secret.
///
/// # Errors
/// A line for the operator that shows nothing of it.
pub(crate) fn fields(secret: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(secret)
        .map_err(|error| format!("it starts like JSON but is none, at column {}", error.column()))
}
