//! A lead's owners in a cell of a table.

use lead::EnrichedLead;
use outside::text;

/// A cell with a lead's owners.
#[derive(Debug, Clone)]
pub struct OwnerCell {
    all: String,
    name: String,
    suffix: String,
}

impl OwnerCell {
    /// For this lead.
    pub fn of(lead: &EnrichedLead) -> Self {
        let (name, suffix) = lead.owner_in_short();
        Self { all: text::clean(&lead.owner_label()), name: text::clean(name), suffix }
    }

    /// All of them.
    pub fn all(&self) -> &str {
        &self.all
    }

    /// In at most this many columns: all of them, or the main one, whose name is cut rather than the suffix after it.
    /// `cut` shortens a text to a number of columns, and `width` measures one.
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
        match columns.saturating_sub(width(&self.suffix)) {
            // One letter and an ellipsis are useless.
            0..3 if !self.suffix.is_empty() => cut(self.suffix.trim_start(), columns),
            left => cut(&self.name, left) + &self.suffix,
        }
    }
}

#[cfg(test)]
mod tests {
    use close::Incoming;
    use lead::{Owner, OwnerFacts, OwnerStatus, Timestamp};

    use unicode_width::UnicodeWidthStr;

    use super::*;

    /// A text in at most this many columns, with an ellipsis if it is cut.
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

    /// A lead with these owners, each active or not.
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
    fn a_name_is_cut_before_its_suffix() {
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
