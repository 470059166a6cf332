//! A lead's owners in a cell of a table.

use lead::EnrichedLead;
use outside::text;

/// What a cell says of a lead's owners.
#[derive(Debug, Clone)]
pub struct OwnerCell {
    all: String,
    name: String,
    behind: String,
}

impl OwnerCell {
    /// Of this lead.
    pub fn of(lead: &EnrichedLead) -> Self {
        let (name, behind) = lead.owner_in_short();
        Self { all: text::clean(&lead.owner_label()), name: text::clean(name), behind }
    }

    /// All of them.
    pub fn all(&self) -> &str {
        &self.all
    }

    /// In at most so many columns: all of them, or the one who counts, whose name is cut before what has to be read
    /// behind it. `cut` has a text in so many columns, and `width` says how many it takes.
    pub fn fit(
        &self,
        columns: usize,
        width: impl Fn(&str) -> usize,
        cut: impl Fn(&str, usize) -> String,
    ) -> String {
        let all = cut(&self.all, usize::MAX);
        if width(&all) <= columns {
            return all;
        }
        match columns.saturating_sub(width(&self.behind)) {
            // A letter and the mark of the cut say nothing.
            0..3 if !self.behind.is_empty() => cut(self.behind.trim_start(), columns),
            left => cut(&self.name, left) + &self.behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use close::Incoming;
    use lead::{Owner, OwnerFacts, OwnerStatus, Timestamp};

    use unicode_width::UnicodeWidthStr;

    use super::*;

    /// A text in at most so many columns, with a mark where it is cut.
    fn cut(text: &str, columns: usize) -> String {
        if text.width() <= columns {
            return text.to_owned();
        }
        let mut cut = text.to_owned();
        while cut.width() + 1 > columns && cut.pop().is_some() {}
        if columns > 0 { format!("{}…", cut.trim_end()) } else { cut }
    }

    /// A lead whose only owner has left.
    fn departed(name: &str) -> EnrichedLead {
        lead(OwnerStatus::Departed, &[(name, false)])
    }

    /// A lead with these owners, each of whom is there or not.
    fn lead(status: OwnerStatus, owners: &[(&str, bool)]) -> EnrichedLead {
        let event = br#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a","data":{}}}"#;
        let Ok(Incoming::Created(created)) = Incoming::parse(event) else { panic!() };
        let owner = |(name, active): &(&str, bool)| Owner {
            id: None,
            name: (*name).to_owned(),
            active: *active,
            unknown: false,
        };
        let owners: Vec<Owner> = owners.iter().map(owner).collect();
        let first = owners.iter().find(|owner| owner.active).or(owners.first());
        let lead_owner = first.map(|owner| owner.name.clone());
        let facts = OwnerFacts { lead_owner, owners, ..OwnerFacts::none(status) };
        EnrichedLead::new(&created, facts, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_name_is_cut_before_what_is_said_behind_it() {
        let long = "Department of the Outer Hebrides";
        let left = departed(long);
        let both = lead(OwnerStatus::Departed, &[(long, false), ("Sales North", false)]);
        let two = lead(OwnerStatus::Assigned, &[("Sales North", true), (long, false)]);
        let wide = departed("\u{202e}株式会社みなと");
        for (lead, columns, expected) in [
            (&left, 80, "Department of the Outer Hebrides (departed)"),
            (&left, 43, "Department of the Outer Hebrides (departed)"),
            (&left, 42, "Department of the Outer Hebrid… (departed)"),
            (&left, 18, "Depart… (departed)"),
            (&left, 14, "De… (departed)"),
            (&left, 13, "(departed)"),
            (&left, 10, "(departed)"),
            (&left, 6, "(depa…"),
            (&left, 0, ""),
            (&both, 22, "Departm… (departed) +1"),
            (&two, 80, "Sales North, Department of the Outer Hebrides (departed)"),
            (&two, 20, "Sales North +1"),
            (&two, 10, "Sales… +1"),
            (&wide, 25, "株式会社みなと (departed)"),
            (&wide, 18, "株式会… (departed)"),
            (&lead(OwnerStatus::Missing, &[]), 10, "Unassigned"),
            (&lead(OwnerStatus::Missing, &[]), 2, "U…"),
        ] {
            let cell = OwnerCell::of(lead).fit(columns, UnicodeWidthStr::width, cut);
            assert_eq!(cell, expected, "{columns}");
            assert!(cell.width() <= columns, "{cell}");
        }
    }
}
