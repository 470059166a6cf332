//! Close's signature keys in a secret.

use close::signature::Keys;
use pipeline::{Code, Fault, SecretText};

/// Reads the keys in a secret, in any of the forms of [`Keys::parse`].
///
/// # Errors
/// [`Code::SignatureKeyBad`] for an invalid key, [`Code::SecretUnusable`] where there is none. Nothing of the secret
/// is in it.
pub fn keys_in(secret: &str) -> Result<Keys, Fault> {
    let keys = Keys::parse(secret).map_err(|error| Fault::new(Code::SignatureKeyBad, error.to_string()))?;
    match keys.is_empty() {
        true => Err(Fault::new(Code::SecretUnusable, "it holds no signature key")),
        false => Ok(keys),
    }
}

/// The keys of a secret and of its previous version, which is ignored where it has none.
pub(super) fn with_previous(current: &SecretText, previous: Option<&SecretText>) -> Result<Keys, Fault> {
    let keys = keys_in(current.expose())?;
    let previous = previous.and_then(|previous| keys_in(previous.expose()).ok());
    Ok(match previous {
        Some(previous) => keys.and(previous),
        None => keys,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

    #[test]
    fn a_secret_without_a_key_is_told_from_one_with_what_is_none() {
        assert_eq!(keys_in(&format!("{{\"CLOSE_SIGNATURE_KEY\": \"{GOOD}\"}}")).unwrap().len(), 1);
        for (secret, code) in [
            ("", Code::SecretUnusable),
            ("{}", Code::SecretUnusable),
            ("{\"whsub_1\": []}", Code::SecretUnusable),
            ("{geheim", Code::SignatureKeyBad),
            ("geheim", Code::SignatureKeyBad),
        ] {
            let fault = keys_in(secret).unwrap_err();
            assert!(fault.code == code && !fault.what.contains("geheim"), "{fault}");
        }
    }

    #[test]
    fn the_previous_keys_count_where_they_are_keys() {
        let secret = |text: &str| SecretText::new(text);
        let previous = secret(&format!("whsub_1={}", "b2".repeat(32)));
        let both = with_previous(&secret(GOOD), Some(&previous)).unwrap();
        assert_eq!((both.len(), both.has_own("whsub_1")), (2, true));
        let junk = secret("junk");
        assert_eq!(with_previous(&secret(GOOD), Some(&junk)).unwrap().len(), 1);
        assert!(with_previous(&junk, Some(&previous)).is_err());
    }
}
