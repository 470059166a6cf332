//! The lead's identifier.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Close's identifier of a lead: `lead_` and 1 to 64 ASCII letters or digits.
///
/// Close's own are `lead_` and 43 characters. The length is not checked, but the alphabet is: a value of
/// this type is safe in an object key, a URL and a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LeadId(String);

/// A text that is not a lead id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a lead id: {0:?} (expected lead_ and 1 to 64 letters or digits)")]
pub struct InvalidLeadId(String);

impl LeadId {
    /// What every id starts with.
    pub const PREFIX: &'static str = "lead_";
    const LONGEST: usize = 64;

    /// The id as text, prefix included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id in a trial alert. It is not the id of any lead in Close, as those are longer.
    pub fn of_trial() -> Self {
        Self("lead_leadopsTrial".to_owned())
    }

    /// The lead's page in Close.
    pub fn close_url(&self) -> String {
        format!("https://app.close.com/lead/{}/", self.0)
    }
}

impl FromStr for LeadId {
    type Err = InvalidLeadId;

    fn from_str(text: &str) -> Result<Self, InvalidLeadId> {
        let valid = text.strip_prefix(Self::PREFIX).is_some_and(|rest| {
            (1..=Self::LONGEST).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidLeadId(outside::text::shorten(text, 80))) }
    }
}

impl TryFrom<String> for LeadId {
    type Error = InvalidLeadId;

    fn try_from(text: String) -> Result<Self, InvalidLeadId> {
        text.parse()
    }
}

impl From<LeadId> for String {
    fn from(id: LeadId) -> String {
        id.0
    }
}

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_close_sends_and_shorter_ones() {
        for id in [
            "lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp",
            "lead_1",
            &format!("lead_{}", "a".repeat(64)),
        ] {
            assert_eq!(id.parse::<LeadId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_whatever_could_leave_a_key_or_a_url() {
        for id in [
            "",
            "lead_",
            "lead",
            "LEAD_a",
            "cont_abc",
            "lead_../../etc/passwd",
            "lead_a/b",
            "lead_a b",
            "lead_a\n",
            "lead_a%2e",
            "lead_é",
            "lead_a\0",
            "lead_a?x=1",
            "lead_a.json",
            " lead_a",
            &format!("lead_{}", "a".repeat(65)),
        ] {
            assert!(id.parse::<LeadId>().is_err(), "{id:?}");
            assert!(serde_json::from_value::<LeadId>(id.into()).is_err(), "{id:?}");
        }
    }
}
