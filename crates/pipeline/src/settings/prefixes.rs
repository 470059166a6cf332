//! Which prefixes of object keys may stand beside each other.

use lead::keys;

use super::Settings;
use crate::{Code, Fault};

impl Settings {
    /// Whether how a key begins says what it is of: a raw event, an enriched lead, or something of the pipeline's
    /// own. So no prefix may begin with another, whichever is the longer one.
    ///
    /// On AWS S3 has the delay queue hear of every object under `SOURCE_PREFIX`, so whatever else is written
    /// there becomes a message that is no lead, and a dead letter.
    ///
    /// # Errors
    /// [`Code::SettingBad`], naming both.
    pub fn check_prefixes(&self) -> Result<(), Fault> {
        let (source, target) = (self.source_prefix.as_str(), self.target_prefix.as_str());
        let advice = "choose prefixes of which none begins with another, such as source/ and target/";
        let bad = |what: String| Err(Fault::new(Code::SettingBad, format!("{what}; {advice}")));
        for (name, prefix) in [("SOURCE_PREFIX", source), ("TARGET_PREFIX", target)] {
            let clashing: Vec<&str> = keys::OURS.into_iter().filter(|ours| overlap(prefix, ours)).collect();
            if !clashing.is_empty() {
                let clashing = clashing.join(", ");
                return bad(format!(
                    "{name} is {prefix:?}, which overlaps the pipeline's own keys under {clashing}"
                ));
            }
        }
        if overlap(source, target) {
            return bad(format!(
                "SOURCE_PREFIX is {source:?} and TARGET_PREFIX {target:?}: one begins with the other, so that \
                 enriched leads would be taken for raw events"
            ));
        }
        Ok(())
    }
}

/// Whether a key can begin with both.
fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, target: &str) -> Result<(), Fault> {
        let (source_prefix, target_prefix) = (source.to_owned(), target.to_owned());
        Settings { source_prefix, target_prefix, ..Settings::default() }.check_prefixes()
    }

    #[test]
    fn no_prefix_begins_with_another_whichever_is_longer() {
        for ours in keys::OURS {
            for length in 1..=ours.len() {
                let part = ours.get(..length).unwrap();
                for (source, target, name) in
                    [(part, "target/", "SOURCE_PREFIX"), ("source/", part, "TARGET_PREFIX")]
                {
                    let fault = check(source, target).unwrap_err();
                    assert!(fault.code == Code::SettingBad && fault.what.starts_with(name), "{fault}");
                    assert!(
                        fault.what.contains(&format!("{part:?}")) && fault.what.contains(ours),
                        "{fault}"
                    );
                }
            }
            let longer = format!("{ours}x/");
            assert!(check(&longer, "target/").is_err() && check("source/", &longer).is_err(), "{longer}");
        }
        for (source, target) in
            [("in/", "in/done/"), ("out/raw/", "out/"), ("source", "source-done/"), ("x", "x"), ("a", "ab")]
        {
            let fault = check(source, target).unwrap_err();
            let both = [source, target].map(|prefix| format!("{prefix:?}"));
            assert!(both.iter().all(|part| fault.what.contains(part)), "{fault}");
        }
    }

    #[test]
    fn others_stand_beside_each_other() {
        for (source, target) in [
            ("source/", "target/"),
            ("source", "target"),
            ("in/new/", "in/done/"),
            ("in=1/a_b/", "target/"),
            ("journals/", "leads-done/"),
            ("my/journal/", "my/leads/"),
            ("Journal/", "LEADS/"),
            ("raw_", "enriched_"),
        ] {
            assert_eq!(check(source, target), Ok(()), "{source} {target}");
        }
    }
}
