//! A part of a stored document, preserved as it was written, by whichever version.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A value that is written back as it was read, with fields that only a later version knows.
#[derive(Debug, Clone)]
pub(super) enum Preserved<T> {
    /// Made by this version.
    New(T),
    /// Read: the text, and the value, where this version understands it.
    Stored(Box<RawValue>, Option<T>),
}

impl<T> Preserved<T> {
    /// The value, where this version understands it.
    pub(super) fn known(&self) -> Option<&T> {
        match self {
            Self::New(value) => Some(value),
            Self::Stored(_, known) => known.as_ref(),
        }
    }
}

impl<T: Serialize> Serialize for Preserved<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::New(value) => value.serialize(serializer),
            Self::Stored(text, _) => text.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Preserved<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let known = serde_json::from_str(text.get()).ok();
        Ok(Self::Stored(text, known))
    }
}
