//! Storing a key that Close has created.

use close::signature::{Keys, with_key};
use pipeline::{Code, Fault, SecretText};

use super::Secrets;
use crate::fault::fault;

impl Secrets {
    /// The signature keys in the current value of a secret, read again. No keys where it has no value yet or one without a
    /// key, as before the first subscription.
    ///
    /// # Errors
    /// [`Code::ResourceMissing`] where there is no such secret, or the fault of AWS.
    pub async fn current_keys(&self, name: &str) -> Result<Keys, Fault> {
        Ok(self.current(name).await?.1)
    }

    /// Adds a subscription's key to those in a secret, see [`with_key`]. Returns whether it was not there yet. A value
    /// without a key is replaced, and stays as the secret's previous version.
    ///
    /// # Errors
    /// [`Code::SignatureKeyBad`] for an invalid key, [`Code::ResourceMissing`] where there is no such
    /// secret, or the fault of AWS.
    pub async fn store_key(&self, name: &str, subscription: &str, key: &str) -> Result<bool, Fault> {
        let (text, _) = self.current(name).await?;
        let merged = with_key(text.expose(), subscription, key)
            .map_err(|error| Fault::new(Code::SignatureKeyBad, error.to_string()))?;
        let Some(merged) = merged else { return Ok(false) };
        let put = self.client.put_secret_value().secret_id(name).secret_string(merged).send().await;
        put.map_err(|error| fault(&format!("putting a key into the secret {name}"), &error))?;
        self.known.lock().await.remove(name);
        Ok(true)
    }

    /// The current value with its keys, empty where there is none yet.
    ///
    /// # Errors
    /// [`Code::SignatureKeyBad`] where it is not a list of keys: there may be some in it that Close does not show again.
    async fn current(&self, name: &str) -> Result<(SecretText, Keys), Fault> {
        let text = self.version(name, "AWSCURRENT").await?.unwrap_or_else(|| SecretText::new(""));
        match Keys::parse(text.expose()) {
            Ok(keys) => Ok((text, keys)),
            Err(error) => Err(Fault::new(Code::SignatureKeyBad, format!("the secret {name}: {error}"))),
        }
    }
}
