//! Who is meant by the values of an owner field.

use lead::{
    Owner, OwnerFacts, OwnerStatus,
    close::{Roster, Who, unnamed, without_ids},
};

use crate::{Code, Fault, ports::Found};

/// Who is meant by these values, where these are the members.
///
/// Whoever is there counts, whatever the other values are. Where nobody is, an ambiguous or unknown value keeps
/// the lead from being called somebody's who has left.
pub(super) fn meant(values: &[String], roster: &Roster) -> Found {
    let (mut owners, mut unknown, mut several) = (Vec::new(), None, None);
    for value in values {
        match roster.who(value) {
            Who::Member(member) => {
                let (id, name) = (Some(member.id.clone()), member.name.clone());
                let owner = Owner { id, name, active: member.active };
                if !owners.contains(&owner) {
                    owners.push(owner);
                }
            }
            Who::Unknown => unknown = unknown.or(Some(value)),
            Who::Several => several = several.or(Some(value)),
        }
    }
    let present = owners.iter().find(|owner| owner.active).map(|owner| owner.name.clone());
    let former = owners.first().map(|owner| owner.name.clone());
    let failed = |code, lead_owner, what| {
        let facts = OwnerFacts { lead_owner, ..OwnerFacts::none(OwnerStatus::LookupFailed) };
        Found::of(facts, Some(Fault::new(code, what)))
    };
    match (present, several, unknown, former) {
        (Some(name), ..) => {
            let facts =
                OwnerFacts { lead_owner: Some(name), owners, ..OwnerFacts::none(OwnerStatus::Assigned) };
            Found::of(facts, None)
        }
        (None, Some(value), ..) => {
            let what = format!("several members in Close are called {:?}", without_ids(value));
            failed(Code::OwnerAmbiguous, None, what)
        }
        (None, None, Some(value), _) => match unnamed(value) {
            Some(name) => {
                let what = format!("{name} is not among the members in Close");
                failed(Code::OwnerUnknown, Some(name), what)
            }
            None => {
                let what = format!("{:?} is the name or address of no member in Close", without_ids(value));
                failed(Code::OwnerUnknown, None, what)
            }
        },
        (None, None, None, Some(name)) => {
            let why = Fault::new(Code::OwnerDeparted, format!("{name} has left the organisation in Close"));
            let facts =
                OwnerFacts { lead_owner: Some(name), owners, ..OwnerFacts::none(OwnerStatus::Departed) };
            Found::of(facts, Some(why))
        }
        (None, None, None, None) => missing(),
    }
}

/// The owner field is empty.
pub(super) fn missing() -> Found {
    let why = Fault::new(Code::OwnerMissing, "the owner field of the lead is empty in Close");
    Found::of(OwnerFacts::none(OwnerStatus::Missing), Some(why))
}
