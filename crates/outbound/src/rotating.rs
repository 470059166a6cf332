//! What is made of a secret that may change.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pipeline::{Code, Fault, SecretText, destination::NotReady, ports::Secret};

/// How long alerts wait where the secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(60);

/// How something is made of a secret's text; the error is a line for the operator that shows nothing of it.
type Make<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// Something that is made of a secret, anew whenever that has changed.
pub(crate) struct Rotating<T> {
    secret: Arc<dyn Secret>,
    make: Make<T>,
    last: Mutex<Option<Current<T>>>,
}

/// What was made of the secret as it was.
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

    /// What the secret makes now.
    pub(crate) async fn current(&self) -> Result<Current<T>, NotReady> {
        let text = self.secret.text().await.map_err(|fault| match fault.code {
            Code::SecretUnusable => NotReady::NotConfigured(fault),
            Code::ResourceMissing => {
                let what = format!("{} does not exist ({})", self.secret.name(), fault.what);
                NotReady::Later(Fault::new(Code::SecretUnusable, what), SECRET_PAUSE)
            }
            _ => NotReady::Later(fault, SECRET_PAUSE),
        })?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// What the secret makes since what was `used` has failed; none where it is the same still. Whoever asks at the
    /// same time comes to the same.
    pub(crate) async fn renewed(&self, used: &Current<T>) -> Option<Current<T>> {
        // It may have been read anew by somebody else meanwhile. What fails here fails again where it is needed.
        let _ = self.secret.refresh().await;
        self.current().await.ok().filter(|current| current.text != used.text)
    }
}

/// A field of a secret that is JSON, whatever the spelling of its name.
pub(crate) fn field<'a>(
    fields: &'a serde_json::Map<String, serde_json::Value>,
    names: &[&str],
) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(name, _)| names.contains(&outside::plain_name(name).as_str()));
    found.find_map(|(_, value)| value.as_str()).map(outside::unpasted)
}

/// The fields of a secret that is JSON.
///
/// # Errors
/// A line for the operator that shows nothing of it.
pub(crate) fn fields(secret: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(secret)
        .map_err(|error| format!("it starts like JSON but is none, at column {}", error.column()))
}
