//! A part of a stored document as it was written, by whichever version.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A value that is written again as it was read, with whatever a later version has put into it.
#[derive(Debug, Clone)]
pub(super) enum Kept<T> {
    /// Made by this version.
    Ours(T),
    /// Read: the text, and what it says to this version. `None` where it says nothing.
    Read(Box<RawValue>, Option<T>),
}

impl<T> Kept<T> {
    /// The value, as far as this version knows such values.
    pub(super) fn known(&self) -> Option<&T> {
        match self {
            Self::Ours(value) => Some(value),
            Self::Read(_, known) => known.as_ref(),
        }
    }
}

impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ours(value) => value.serialize(serializer),
            Self::Read(text, _) => text.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let known = serde_json::from_str(text.get()).ok();
        Ok(Self::Read(text, known))
    }
}
