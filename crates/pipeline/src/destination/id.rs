//! The name of a destination.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

use outside::text;
use serde::{Deserialize, Serialize};

use super::kinds::{KINDS, Kind};
use crate::Code;

/// The longest id, in bytes: it stands in keys, in columns and in sentences.
const LONGEST: usize = 64;

/// Which destination: the name of its kind, or kind and name where there are several of one kind, such as `slack` and
/// `slack:emea`.
///
/// The same in receipts, messages, the journal, JSON and on the command line. It need not be one that this pipeline has,
/// or of a kind that this version knows: alerts outlive settings and versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DestinationId(Cow<'static, str>);

/// Why a text is no destination's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no destination: one is called slack or slack:emea, in small letters, digits and hyphens")]
pub struct NoDestination(String);

impl DestinationId {
    /// An id that stands in the code; as a constant, checked when that is compiled.
    ///
    /// # Panics
    /// Where it is none.
    pub const fn literal(id: &'static str) -> Self {
        assert!(is_id(id.as_bytes()), "an id is a kind, or kind:name, in small letters, digits and hyphens");
        Self(Cow::Borrowed(id))
    }

    /// The only destination, or the first, of a kind.
    pub fn of_kind(kind: &Kind) -> Self {
        Self(Cow::Borrowed(kind.name))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind, where this version knows it.
    pub fn kind(&self) -> Option<&'static Kind> {
        let (kind, _) = self.parts();
        KINDS.iter().find(|known| known.name == kind)
    }

    /// The name for people: `Slack`, `Slack emea`; the id itself where this version does not know the kind.
    pub fn label(&self) -> String {
        match (self.kind(), self.parts().1) {
            (Some(kind), None) => kind.label.to_owned(),
            (Some(kind), Some(name)) => format!("{} {name}", kind.label),
            (None, _) => self.0.to_string(),
        }
    }

    /// The code of an alert that is due there where there is no such destination.
    pub fn not_configured(&self) -> Code {
        self.kind().map_or(Code::DestinationNotConfigured, |kind| kind.not_configured)
    }

    fn parts(&self) -> (&str, Option<&str>) {
        self.0.split_once(':').map_or((&self.0, None), |(kind, name)| (kind, Some(name)))
    }
}

/// Whether it is one word, or two with a colon between them; a word has small letters or digits, and hyphens.
const fn is_id(mut text: &[u8]) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let (mut is_second, mut is_word) = (false, false);
    while let [first, rest @ ..] = text {
        match *first {
            b'a'..=b'z' | b'0'..=b'9' => is_word = true,
            b'-' => {}
            b':' if is_word && !is_second => (is_second, is_word) = (true, false),
            _ => return false,
        }
        text = rest;
    }
    is_word
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DestinationId {
    type Err = NoDestination;

    fn from_str(text: &str) -> Result<Self, NoDestination> {
        if is_id(text.as_bytes()) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(NoDestination(text::shorten(text, LONGEST)))
        }
    }
}

impl TryFrom<String> for DestinationId {
    type Error = NoDestination;

    fn try_from(text: String) -> Result<Self, NoDestination> {
        text.parse()
    }
}

impl From<DestinationId> for String {
    fn from(id: DestinationId) -> Self {
        id.0.into_owned()
    }
}

impl Ord for DestinationId {
    /// In the order of their kinds in [`KINDS`], then by name.
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |id: &Self| KINDS.iter().position(|kind| kind.name == id.parts().0).unwrap_or(KINDS.len());
        rank(self).cmp(&rank(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for DestinationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_kind_with_or_without_a_name() {
        for (text, label) in [
            ("slack", "Slack"),
            ("email", "e-mail"),
            ("slack:emea", "Slack emea"),
            ("email:sales-north", "e-mail sales-north"),
            ("pager", "pager"),
            ("pager:2", "pager:2"),
        ] {
            let id: DestinationId = text.parse().unwrap();
            assert_eq!((id.as_str(), id.label().as_str()), (text, label));
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("{text:?}"));
            assert_eq!(serde_json::from_str::<DestinationId>(&format!("{text:?}")).unwrap(), id);
        }
    }

    #[test]
    fn what_could_leave_its_folder_or_its_column_is_none() {
        let long = "a".repeat(LONGEST + 1);
        for text in
            ["", "Slack", "slack/emea", "..", "slack:", ":emea", "a:b:c", "a b", "é", "-", "slack:-", &long]
        {
            assert!(text.parse::<DestinationId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn they_stand_in_the_order_of_their_kinds() {
        let mut ids: Vec<DestinationId> =
            ["pager", "email", "slack:b", "slack", "slack:a"].map(|id| id.parse().unwrap()).into();
        ids.sort();
        let ids: Vec<&str> = ids.iter().map(DestinationId::as_str).collect();
        assert_eq!(ids, ["slack", "slack:a", "slack:b", "email", "pager"]);
    }
}
