//! Object keys: the names on the wire.

use jiff::Timestamp;

use close::LeadId;

/// Where receipts are.
const RECEIPTS: &str = "receipts/";
/// Where copies of deleted dead letters are.
pub const DELETED: &str = "deleted/";
/// Where it is written down how much may be sent to a destination.
const PACE: &str = "pace/";
/// Where the journal is.
pub const JOURNAL: &str = "journal/";
/// Where the record of each lead is, on AWS.
pub const RECORDS: &str = "leads/";
/// Where the markers of open leads are, on AWS.
pub const MARKERS: &str = "open/";
/// Where messages wait that SQS cannot delay for so long.
pub const SCHEDULED: &str = "scheduled/";
/// How many requests an embedded pipeline has refused.
pub const REFUSED: &str = "counts/refused.json";
/// The members of the organisation in Close.
pub const ROSTER: &str = "roster/close.json";
/// How the embedded pipeline of a folder is set up.
pub const RUNNING: &str = "running.json";

/// How the key of every object begins that is neither a raw event nor an enriched lead: the settings'
/// prefixes have to be others. `forgotten/` is for what is to be remembered of leads that are erased.
pub const OURS: [&str; 11] = [
    JOURNAL,
    RECEIPTS,
    DELETED,
    RECORDS,
    MARKERS,
    PACE,
    SCHEDULED,
    "counts/",
    "roster/",
    "forgotten/",
    RUNNING,
];

/// The lead whose object a key names, and the key with `*` in place of the lead's id: for a store that has what belongs
/// to a lead in one place. The reverse of [`with_lead`].
///
/// None where the key is of no lead: it has no id in it, or begins like what is of none.
pub fn by_lead(key: &str) -> Option<(LeadId, String)> {
    if is_of_no_lead(key) {
        return None;
    }
    let (before, id, after) = first_id(key)?;
    (!before.contains(LEAD)).then(|| (id, format!("{before}{LEAD}{after}")))
}

/// The key of an object of a lead's, by what [`by_lead`] gives.
pub fn with_lead(name: &str, lead: &LeadId) -> String {
    name.replacen(LEAD, lead.as_str(), 1)
}

/// Whose objects the keys name that begin in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// All are of one lead; with what their names begin, as [`by_lead`] gives them.
    Lead(LeadId, String),
    /// None is of a lead.
    Nobody,
    /// There may be any.
    Anybody,
}

/// Whose objects the keys name that begin with `prefix`.
pub fn owner_of(prefix: &str) -> Owner {
    if is_of_no_lead(prefix) {
        return Owner::Nobody;
    }
    // An id at the very end may go on.
    match by_lead(prefix).filter(|(_, name)| !name.ends_with(LEAD)) {
        Some((lead, name)) => Owner::Lead(lead, name),
        None => Owner::Anybody,
    }
}

/// Stands for a lead's id in a key.
const LEAD: char = '*';

fn is_of_no_lead(key: &str) -> bool {
    OURS.iter().any(|ours| *ours != RECEIPTS && key.starts_with(ours))
}

/// The first lead id in a text, what is before it and what is after it.
fn first_id(text: &str) -> Option<(&str, LeadId, &str)> {
    text.match_indices(LeadId::PREFIX).find_map(|(at, prefix)| {
        let (before, from) = text.split_at(at);
        let end = from.bytes().skip(prefix.len()).take_while(u8::is_ascii_alphanumeric).count();
        let (id, after) = from.split_at(prefix.len() + end);
        Some((before, id.parse().ok()?, after))
    })
}

/// The raw event, exact signed bytes: `{prefix}crm_event_{lead_id}.json`.
pub fn raw(prefix: &str, lead: &LeadId) -> String {
    format!("{prefix}crm_event_{lead}.json")
}

/// The lead of a raw event's key, the reverse of [`raw`].
pub fn lead_of_raw(prefix: &str, key: &str) -> Option<LeadId> {
    key.strip_prefix(prefix)?.strip_prefix("crm_event_")?.strip_suffix(".json")?.parse().ok()
}

/// The enriched lead: `{prefix}enriched_{lead_id}.json`.
pub fn enriched(prefix: &str, lead: &LeadId) -> String {
    format!("{prefix}enriched_{lead}.json")
}

/// The receipt of one alert at one destination: `receipts/{lead_id}/{destination}/{alert}.json`.
///
/// `destination` and `alert` are ids of ours, without a slash.
pub fn receipt(lead: &LeadId, destination: &str, alert: &str) -> String {
    format!("{}{alert}.json", receipts_at(lead, destination))
}

/// Where a lead's receipts at one destination are.
pub fn receipts_at(lead: &LeadId, destination: &str) -> String {
    format!("{}{destination}/", receipts_of(lead))
}

/// Where all receipts of a lead are.
pub fn receipts_of(lead: &LeadId) -> String {
    format!("{RECEIPTS}{lead}/")
}

/// How much may be sent to a destination now: `pace/{destination}.json`.
pub fn pace(destination: &str) -> String {
    format!("{PACE}{destination}.json")
}

/// The copy of a deleted dead letter. `id` is the dead letter's; whatever is not a letter, digit
/// or hyphen in it becomes a hyphen.
pub fn deleted(id: &str) -> String {
    let safe: String =
        id.chars().take(128).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{DELETED}{safe}.json")
}

/// What stands for the lead in the key of an entry that is about none.
const NO_LEAD: &str = "-";
/// Later than any time that an entry can have, in microseconds since 1970: the year 2286.
const END_OF_TIME: i64 = 9_999_999_999_999_999;

/// The parts of a journal entry's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalKey {
    /// When it happened, to the microsecond.
    pub at: Timestamp,
    /// The stage's name.
    pub stage: String,
    /// The lead it is about.
    pub lead: Option<LeadId>,
    /// Tells entries of the same microsecond apart.
    pub nonce: u32,
}

impl JournalKey {
    /// `journal/{time}/{stage}/{lead}/{nonce}`, the time counted backwards in 16 digits: an ascending
    /// listing yields the newest entry first, and the key alone says time, stage and lead.
    pub fn to_key(&self) -> String {
        let lead = self.lead.as_ref().map_or(NO_LEAD, LeadId::as_str);
        format!("{}{}/{lead}/{:08x}", Self::first_at(self.at), self.stage, self.nonce)
    }

    /// The start of the keys of all entries at `at`. Keys from here on are of that time or older.
    pub fn first_at(at: Timestamp) -> String {
        format!("{JOURNAL}{:016}/", END_OF_TIME - at.as_microsecond().clamp(0, END_OF_TIME))
    }

    /// The reverse of [`JournalKey::to_key`].
    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(JOURNAL)?.split('/');
        let (time, stage, lead, nonce) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let backwards: i64 = time.parse().ok()?;
        Some(Self {
            at: Timestamp::from_microsecond(END_OF_TIME.checked_sub(backwards)?).ok()?,
            stage: stage.to_owned(),
            lead: if lead == NO_LEAD { None } else { Some(lead.parse().ok()?) },
            nonce: u32::from_str_radix(nonce, 16).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_lead() -> impl Strategy<Value = LeadId> {
        "lead_[A-Za-z0-9]{1,64}".prop_map(|id| id.parse().unwrap())
    }

    /// Parts of keys in any order.
    const KEYS: &str = "(lead_|lead_A|lead|_|/|[*]|1|receipts/|deleted/|source/crm_event_|.json|é){0,9}";

    #[test]
    fn a_key_is_of_the_lead_in_it_wherever_it_is() {
        let lead: LeadId = "lead_a1".parse().unwrap();
        let slack = receipt(&lead, "slack", "new");
        for (key, name) in [
            (raw("source/", &lead), "source/crm_event_*.json"),
            (enriched("", &lead), "enriched_*.json"),
            (slack.clone(), "receipts/*/slack/new.json"),
            ("lead_/lead_a1".to_owned(), "lead_/*"),
        ] {
            assert_eq!(by_lead(&key), Some((lead.clone(), name.to_owned())));
        }
        let too_long = format!("source/lead_{}.json", "a".repeat(65));
        for key in [
            deleted("lead_a1"),
            "deleted/lead_a1".to_owned(),
            "*lead_a1".to_owned(),
            too_long,
            "x".to_owned(),
        ] {
            assert_eq!(by_lead(&key), None, "{key}");
        }
        let receipts = receipts_of(&lead);
        assert_eq!(owner_of(&receipts), Owner::Lead(lead, "receipts/*/".to_owned()));
        assert_eq!(owner_of("receipts/lead_a1"), Owner::Anybody);
        assert_eq!(owner_of("source/"), Owner::Anybody);
        assert_eq!(owner_of(DELETED), Owner::Nobody);
    }

    #[test]
    fn the_names_on_the_wire() {
        let lead: LeadId = "lead_a1".parse().unwrap();
        assert_eq!(raw("source/", &lead), "source/crm_event_lead_a1.json");
        assert_eq!(enriched("target/", &lead), "target/enriched_lead_a1.json");
        assert_eq!(receipt(&lead, "slack", "new"), "receipts/lead_a1/slack/new.json");
        assert_eq!(deleted("../x/1"), "deleted/---x-1.json");
        let journal = JournalKey { at: Timestamp::UNIX_EPOCH, stage: String::new(), lead: None, nonce: 0 };
        let ours = [receipt(&lead, "slack", "new"), deleted("1"), pace("slack"), journal.to_key()];
        for key in ours.iter().map(String::as_str).chain([REFUSED, ROSTER, RUNNING]) {
            assert!(OURS.iter().any(|ours| key.starts_with(ours)), "{key}");
        }
    }

    proptest! {
        #[test]
        fn a_raw_key_gives_its_lead_back(lead in any_lead(), prefix in "[a-z]{0,5}/?") {
            prop_assert_eq!(lead_of_raw(&prefix, &raw(&prefix, &lead)), Some(lead));
        }

        #[test]
        fn no_key_panics(key in any::<String>()) {
            let _ = (lead_of_raw("source/", &key), JournalKey::parse(&key), deleted(&key));
        }

        #[test]
        fn a_key_is_its_lead_and_its_name(key in KEYS) {
            if let Some((lead, name)) = by_lead(&key) {
                prop_assert_eq!(with_lead(&name, &lead), key);
            }
        }

        #[test]
        fn a_prefix_says_whose_all_its_keys_are(prefix in KEYS, rest in "[*a-z_/A1]{0,9}") {
            let key = format!("{prefix}{rest}");
            match owner_of(&prefix) {
                Owner::Anybody => {}
                Owner::Nobody => prop_assert_eq!(by_lead(&key), None),
                Owner::Lead(lead, begin) => {
                    let (of, name) = by_lead(&key).unwrap();
                    prop_assert_eq!(of, lead);
                    prop_assert!(name.starts_with(&begin), "{name} {begin}");
                }
            }
        }

        #[test]
        fn ascending_journal_keys_are_newest_first(a in 0i64..4_000_000_000_000_000, b in 0i64..4_000_000_000_000_000, lead in any_lead(), nonce: u32) {
            let key = |micros, stage: &str| JournalKey { at: Timestamp::from_microsecond(micros).unwrap(), stage: stage.to_owned(), lead: Some(lead.clone()), nonce };
            let (first, second) = (key(a, "received"), key(b, "dead"));
            prop_assert_eq!(JournalKey::parse(&first.to_key()), Some(first.clone()));
            if a != b {
                prop_assert_eq!(a > b, first.to_key() < second.to_key());
            }
            prop_assert!(first.to_key() >= JournalKey::first_at(first.at));
        }
    }
}
