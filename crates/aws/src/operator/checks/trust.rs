//! Close's signature keys.

use pipeline::{Code, Fault};

use super::Stack;
use crate::{Secrets, secrets};

/// Whether the secret has Close's keys.
pub(super) async fn signature(secrets: &Secrets, stack: &Stack) -> Result<String, Fault> {
    let secret = &stack.signature_secret;
    let read = async {
        let text = secrets.text(secret).await?;
        let keys = secrets::keys_in(text.expose())
            .map_err(|fault| fault.about(format_args!("the secret {secret}")))?;
        if !keys.prove_themselves() {
            let what = format!("a key in {secret} does not verify its own signature");
            return Err(Fault::new(Code::SignatureWrong, what));
        }
        Ok(format!("{secret} holds {keys:?}, the self-test passes"))
    };
    // As before the first subscription.
    read.await.map_err(|fault| match fault.code {
        Code::SecretUnusable => Fault::new(Code::SignatureKeyMissing, fault.what),
        _ => fault,
    })
}
