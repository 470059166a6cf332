//! A lead's owners as people read them, and what stands for a user's identity where people read a custom value.

use std::borrow::Cow;

use crate::{EnrichedLead, Owner, OwnerStatus};
use outside::Json;

impl EnrichedLead {
    /// Its owners as people read them: all of them, the one who counts first, and who has left.
    pub fn owner_label(&self) -> String {
        self.owner_labels().join(", ")
    }

    /// The same, one by one. There is always one.
    pub fn owner_labels(&self) -> Vec<Cow<'_, str>> {
        let (first, others): (Vec<&Owner>, Vec<&Owner>) =
            self.owners.iter().partition(|owner| owner.name == self.lead_owner);
        let labels: Vec<Cow<'_, str>> = first.into_iter().chain(others).map(Owner::label).collect();
        if labels.is_empty() { vec![Cow::Borrowed(&self.lead_owner)] } else { labels }
    }

    /// The owner who counts, and what has to be read behind the name however little room there is: that they have
    /// left, and how many others there are.
    pub fn owner_in_short(&self) -> (&str, String) {
        let departed = if self.owner_status == OwnerStatus::Departed { " (departed)" } else { "" };
        let others = match self.owners.len() {
            0 | 1 => String::new(),
            several => format!(" +{}", several - 1),
        };
        (&self.lead_owner, format!("{departed}{others}"))
    }

    /// The lead as people read it, whole: with the names of Close's users in place of their identities.
    pub fn for_people(&self) -> Self {
        let mut lead = self.clone();
        for owner in &mut lead.owners {
            owner.id = None;
        }
        for value in lead.custom.values_mut() {
            *value = self.custom_for_people(value);
        }
        lead
    }

    /// What stands for a custom value: wherever it holds a user's identity, the name of that owner, or else as much
    /// of the identity as people can compare with Close.
    fn custom_for_people(&self, value: &Json) -> Json {
        value.with_strings(|text| {
            let user = text.trim();
            let unnamed = close::unnamed(user)?;
            let owner = self.owners.iter().find(|owner| owner.id.as_deref() == Some(user));
            Some(owner.map_or(unnamed, |owner| owner.name.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::OwnerFacts;
    use outside::UNASSIGNED;

    const KNOWN: &str = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";
    const UNKNOWN: &str = "user_thsLES2Ru2DTY2cdXlVwM5myyf0d445IdXt6amZQeV8";

    fn lead(status: OwnerStatus, lead_owner: Option<&str>, owners: &[(&str, bool)]) -> EnrichedLead {
        let event = format!(
            r#"{{"event":{{"object_type":"lead","action":"created","lead_id":"lead_a","data":{{"custom.cf_1":"{KNOWN}",
            "custom.cf_2":["{UNKNOWN}","{KNOWN}"],"custom.cf_3":"{KNOWN} ","custom.n":1.50}}}}}}"#
        );
        let Ok(close::Incoming::Created(created)) = close::Incoming::parse(event.as_bytes()) else {
            panic!()
        };
        let owner = |(name, active): &(&str, bool)| Owner {
            id: Some(KNOWN.to_owned()),
            name: (*name).to_owned(),
            active: *active,
            unknown: false,
        };
        let facts = OwnerFacts {
            lead_owner: lead_owner.map(str::to_owned),
            owners: owners.iter().map(owner).collect(),
            ..OwnerFacts::none(status)
        };
        EnrichedLead::new(&created, facts, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn all_owners_are_named_the_one_who_counts_first_and_who_has_left() {
        use OwnerStatus::{Assigned, Departed, Missing};
        let two = [("Renewals Desk", false), ("Sales North", true)];
        for (status, lead_owner, owners, label, short) in [
            (Missing, None, &[][..], UNASSIGNED, (UNASSIGNED, "")),
            (Assigned, Some("Sales North"), &[], "Sales North", ("Sales North", "")),
            (
                Assigned,
                Some("Sales North"),
                &two,
                "Sales North, Renewals Desk (departed)",
                ("Sales North", " +1"),
            ),
            (
                Departed,
                Some("Renewals Desk"),
                &two[..1],
                "Renewals Desk (departed)",
                ("Renewals Desk", " (departed)"),
            ),
            (
                Departed,
                Some("Renewals Desk"),
                &[two[0], ("Sales West", false)],
                "Renewals Desk (departed), Sales West (departed)",
                ("Renewals Desk", " (departed) +1"),
            ),
        ] {
            let lead = lead(status, lead_owner, owners);
            assert_eq!(
                (lead.owner_label(), lead.owner_labels().join(", ")),
                (label.to_owned(), label.to_owned())
            );
            assert_eq!(lead.owner_in_short(), (short.0, short.1.to_owned()));
        }
    }

    #[test]
    fn people_read_names_and_programs_identities() {
        let lead = lead(OwnerStatus::Assigned, Some("Zoë \"Z\""), &[("Zoë \"Z\"", true)]);
        let shown = lead.for_people();
        let values: Vec<&str> = shown.custom.values().map(Json::as_str).collect();
        let (name, two) = (r#""Zoë \"Z\"""#, r#"["Close user …mZQeV8","Zoë \"Z\""]"#);
        assert_eq!(values, [name, two, name, "1.50"]);
        assert_eq!((shown.owners[0].id.as_deref(), shown.owners[0].name.as_str()), (None, "Zoë \"Z\""));
        assert!(serde_json::to_string(&lead).unwrap().contains(UNKNOWN));
    }
}
