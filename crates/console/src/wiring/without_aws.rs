//! Replaces a pipeline on AWS in a build without the feature `aws`: its types cannot be constructed.

use std::{convert::Infallible, fmt};

use close::client::ApiKeys;
use close::signature::Keys;
use ops::Access;
use pipeline::{Code, Fault};
use url::Url;

use super::place::OpenPipeline;
use crate::config::{Place, Shown, StackPlace};

/// No stack.
pub struct OnAws(Infallible);

/// No secret.
pub struct SignatureSecret(Infallible);

/// Reports that this build does not support AWS.
///
/// # Errors
/// [`Code::BuiltWithoutAws`].
pub async fn on_aws(place: &StackPlace) -> Result<OnAws, Fault> {
    Err(Fault::new(
        Code::BuiltWithoutAws,
        format!("{place} is on AWS, and this leadops was built without it"),
    ))
}

impl OnAws {
    /// Nothing.
    pub(crate) fn none<T>(&self) -> T {
        match self.0 {}
    }

    pub(super) fn open(&self, _: &Place, _: Access) -> OpenPipeline {
        match self.0 {}
    }

    /// Where Close posts.
    ///
    /// # Errors
    /// None.
    pub fn webhook(&self) -> Result<Url, Fault> {
        match self.0 {}
    }

    /// Where Close posts, as in the stack's output.
    pub fn webhook_url(&self) -> &str {
        match self.0 {}
    }

    /// The secret with the keys that Close signs with.
    pub fn signature_secret(&self) -> SignatureSecret {
        match self.0 {}
    }

    /// The keys that owners are looked up in Close with.
    ///
    /// # Errors
    /// None.
    pub async fn close_keys(&self) -> Result<ApiKeys, Fault> {
        match self.0 {}
    }

    /// A setting with its value in the stack's functions.
    pub fn shown(&self, _: Shown) -> Shown {
        match self.0 {}
    }
}

impl SignatureSecret {
    /// The current keys.
    ///
    /// # Errors
    /// None.
    pub async fn present(&self) -> Result<Keys, Fault> {
        match self.0 {}
    }

    /// Adds a subscription's key. Returns whether it was not there yet.
    ///
    /// # Errors
    /// None.
    pub async fn store(&self, _: &str, _: &str) -> Result<bool, Fault> {
        match self.0 {}
    }
}

impl fmt::Display for SignatureSecret {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
