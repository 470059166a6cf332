//! Who is meant by the values of an owner field.

use close::{CustomFieldOwners, MemberList, MemberMatch, unnamed, without_ids};
use lead::{Owner, OwnerFacts, OwnerStatus};

use crate::{Code, Fault, ports::LookupOutcome};

/// Who is meant by these values, where these are the members.
///
/// Whoever is there counts, whatever the other values are; then a user whom nobody knows, as they may be there;
/// then who has left. A text that means nobody, or several, counts where there is nothing else.
pub(super) fn resolve(values: &[String], roster: &MemberList) -> LookupOutcome {
    let (mut owners, mut unclear): (Vec<Owner>, Option<Fault>) = (Vec::new(), None);
    for value in values {
        let owner = match (roster.who(value), unnamed(value)) {
            (MemberMatch::Member(member), _) => {
                let (id, name) = (Some(member.id.clone()), member.name.clone());
                Owner { id, name, active: member.active, unknown: false }
            }
            (_, Some(name)) => Owner { id: Some(value.clone()), name, active: false, unknown: true },
            (MemberMatch::Unknown, None) => {
                let what = format!("{:?} is the name or address of no member in Close", without_ids(value));
                unclear.get_or_insert(Fault::new(Code::OwnerUnknown, what));
                continue;
            }
            (MemberMatch::Ambiguous, None) => {
                let what = format!("several members in Close are called {:?}", without_ids(value));
                unclear.get_or_insert(Fault::new(Code::OwnerAmbiguous, what));
                continue;
            }
        };
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let of = |status, name: String, owners| OwnerFacts {
        lead_owner: Some(name),
        owners,
        ..OwnerFacts::none(status)
    };
    let first = |is: fn(&&Owner) -> bool| owners.iter().find(is).map(|owner| owner.name.clone());
    let (present, stranger, former) = (first(|it| it.active), first(|it| it.unknown), first(|_| true));
    match (present, stranger, former, unclear) {
        (Some(name), ..) => LookupOutcome::of(of(OwnerStatus::Assigned, name, owners), None),
        (None, Some(name), ..) => {
            let why = Fault::new(Code::OwnerUnknown, format!("{name} is not among the members in Close"));
            LookupOutcome::of(of(OwnerStatus::LookupFailed, name, owners), Some(why))
        }
        (None, None, Some(name), _) => {
            let why = Fault::new(Code::OwnerDeparted, format!("{name} has left the organisation in Close"));
            LookupOutcome::of(of(OwnerStatus::Departed, name, owners), Some(why))
        }
        (None, None, None, Some(why)) => LookupOutcome::none(OwnerStatus::LookupFailed, why),
        (None, None, None, None) => missing(),
    }
}

/// The owner field is empty.
pub(super) fn missing() -> LookupOutcome {
    let why = Fault::new(Code::OwnerMissing, "the owner field of the lead is empty in Close");
    LookupOutcome::none(OwnerStatus::Missing, why)
}

/// The owner field holds something that can name nobody.
pub(super) fn odd() -> LookupOutcome {
    let what = "the owner field of the lead holds neither a member nor a text in Close";
    LookupOutcome::none(OwnerStatus::LookupFailed, Fault::new(Code::OwnerUnknown, what))
}

/// What is said of an owner whom a webhook names, where nobody can say who it is.
pub(super) fn unread(owned: &CustomFieldOwners) -> Option<String> {
    owned.owners.iter().find_map(|value| unnamed(value))
}
