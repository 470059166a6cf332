//! Whether owners can be looked up where the settings say.

use std::sync::Arc;

use close::CloseApi;
use close::client::{ApiKeys, CloseBase, CloseReader};
use close::{Account, CustomField, FieldId, FieldSetting, Role};
use futures_util::future::join;
use jiff::Timestamp;
use lead::{LeadId, OwnerDocument};
use ops::Ops;
use outbound::{HttpOwners, OwnersBase};
use outside::text;
use pipeline::{
    Code, Fault,
    owners::{self, Examination, LookupAnswer, OwnerFields, Retrieved},
    ports::OwnerDirectory,
};
use system::SystemClock;

use super::{Check, Grade};

const DIRECTORY: &str = "owner directory";
/// A lead that cannot exist: Close's own ids have no words in them.
const CANARY: &str = "lead_leadopsDoctorCanary";
const KEY: &str = "close key";
const OWNER_FIELD: &str = "owner field";
const FUNNEL_FIELD: &str = "funnel field";
const MEMBERS: &str = "close members";
/// What a field is often called that holds the owner.
const OWNER_WORDS: [&str; 4] = ["owner", "rep", "assigned", "account exec"];

/// Asks for a lead that cannot exist. A healthy directory has no document for it, or one without an owner.
pub(super) async fn directory(base: &OwnersBase) -> Check {
    let name = DIRECTORY;
    let failed = |code, what: String| Check::bad(name, Grade::Failed, &Fault::new(code, what));
    let canary: LeadId = match CANARY.parse() {
        Ok(id) => id,
        Err(error) => return failed(Code::Internal, format!("{error}")),
    };
    let owners = match HttpOwners::new(base.clone()) {
        Ok(owners) => owners,
        Err(error) => return failed(Code::SettingBad, error),
    };
    let place = place_of(base);
    let answer = match owners.fetch(&canary).await {
        Ok(answer) => answer,
        Err(error) => return failed(Code::OwnerLookupFailed, format!("{place}: {error}")),
    };
    match owners::interpret(&answer) {
        LookupAnswer::Unassigned(_) => {
            Check::ok(name, format!("{place} answers {} for an unknown lead", answer.status))
        }
        LookupAnswer::Failed(fault, _) => failed(fault.code, format!("{place}: {}", fault.what)),
        LookupAnswer::Document(document) => check_canary(&place, &document, &canary),
    }
}

/// Judges a directory by the document that it has for a lead that cannot exist.
fn check_canary(place: &str, document: &OwnerDocument, canary: &LeadId) -> Check {
    let failed = |code, what: String| Check::bad(DIRECTORY, Grade::Failed, &Fault::new(code, what));
    match (&document.lead_owner, &document.lost_owner) {
        _ if document.is_about_another(canary) => failed(
            Code::OwnerMismatch,
            format!("{place} returns the document of another lead for one that does not exist"),
        ),
        (_, Some(lost)) => {
            let what = format!("{place} returns a document for a lead that does not exist: {lost}");
            failed(Code::OwnerBroken, what)
        }
        (Some(owner), None) => Check::note(
            DIRECTORY,
            format!(
                "{place} names {:?} as the owner of a lead that does not exist: does it name the same owner for every lead?",
                text::shorten(owner, 60)
            ),
        ),
        (None, None) => {
            Check::ok(DIRECTORY, format!("{place} returns a document without an owner for an unknown lead"))
        }
    }
}

/// Where owners are looked up, in words.
fn place_of(base: &OwnersBase) -> String {
    let default = if base.is_default() { " (the default)" } else { "" };
    base.template() + default
}

/// Whether recent look-ups found anything.
pub(super) async fn recent_lookups(ops: &Ops) -> Option<Check> {
    let name = "owner look-ups";
    match ops.fruitless_lookups().await {
        Ok(fruitless) => fruitless.map(|fruitless| Check::bad(name, Grade::Warning, &fruitless.fault())),
        Err(fault) => Some(Check::bad(name, Grade::Warning, &fault)),
    }
}

/// Whether owners can be looked up in Close, with these keys.
pub(super) async fn close(
    base: CloseBase,
    settings: &OwnerFields,
    keys: Result<ApiKeys, Fault>,
    ops: Option<&Ops>,
) -> Vec<Check> {
    let opened = keys.and_then(|keys| {
        let reader = CloseReader::new(base.clone(), Arc::new(keys.clone()));
        reader.map(|reader| (keys, reader)).map_err(|what| Fault::new(Code::SettingBad, what))
    });
    let (keys, reader) = match opened {
        Ok((keys, reader)) => (keys, Arc::new(reader)),
        Err(fault) => return vec![Check::bad(KEY, Grade::Failed, &fault)],
    };
    let stored = async {
        let Some(ops) = ops else { return Ok(None) };
        let object = ops.objects.get(Retrieved::KEY).await?;
        Ok(object.as_ref().map(Retrieved::of))
    };
    let (found, stored) = join(owners::examine(reader, Arc::new(SystemClock)), stored).await;
    let mut checks = assess(&base, settings, &found, stored);
    if found.account.is_ok() {
        checks.extend(two_keys(&base, &keys).await);
    }
    checks
}

/// Which of two keys Close accepts, so that the right one is deleted.
async fn two_keys(base: &CloseBase, keys: &ApiKeys) -> Option<Check> {
    let mut taken = Vec::new();
    for key in keys.singly() {
        let reader = CloseReader::new(base.clone(), Arc::new(key)).ok()?;
        taken
            .push(reader.get("me/?_fields=id").await.is_ok_and(|answer| (200..300).contains(&answer.status)));
    }
    let warn = |what: &str| Some(Check::note(KEY, what));
    match taken[..] {
        [true, true] => Some(Check::ok(KEY, "both keys are valid; the first is used")),
        [true, false] => {
            warn("the first key is used, and the second is refused: remove the second from CLOSE_API_KEY")
        }
        [false, true] => {
            warn("the first key is refused, and the second is used: do not delete the second in Close")
        }
        _ => None,
    }
}

fn assess(
    base: &CloseBase,
    settings: &OwnerFields,
    found: &Examination,
    stored: Result<Option<Retrieved>, Fault>,
) -> Vec<Check> {
    let roles = found.roles.as_deref().unwrap_or_default();
    let (stored, unread) = match stored {
        Ok(stored) => (stored, None),
        Err(fault) => (None, Some(Check::bad(MEMBERS, Grade::Warning, &fault))),
    };
    let failed = |name: &'static str, fault: &Fault| {
        let what = format!("{}; the pipeline {}", fault.what, has(stored.as_ref()));
        Check::bad(name, Grade::Failed, &Fault::new(fault.code, what))
    };
    let (mut checks, role) = match &found.account {
        Ok(account) => {
            let role = roles.iter().find(|role| Some(&role.id) == account.role_id.as_ref());
            (vec![key(base, account, role, &found.roles)], role)
        }
        // Every other request fails with it.
        Err(fault) => return [failed(KEY, fault)].into_iter().chain(unread).collect(),
    };
    match &found.fields {
        Ok(fields) => {
            let hints = role.into_iter().chain(roles).flat_map(|role| &role.owner_fields);
            let hints: Vec<&FieldId> = hints.collect();
            checks.push(owner_field(settings.owner.as_ref(), fields, &hints, stored.as_ref()));
            checks.extend(settings.funnel.as_ref().map(|funnel| funnel_field(funnel, fields)));
        }
        Err(fault) => checks.push(Check::bad(OWNER_FIELD, Grade::Failed, fault)),
    }
    checks.push(match &found.members {
        Ok(roster) => {
            let (active, left) = roster.counts();
            members(&format!("{active} members and {left} who have left"), stored.as_ref())
        }
        Err(fault) => failed(MEMBERS, fault),
    });
    checks.extend(unread);
    checks
}

/// Whose key it is, and whether it can see the leads that nobody owns yet.
fn key(base: &CloseBase, account: &Account, role: Option<&Role>, roles: &Result<Vec<Role>, Fault>) -> Check {
    let id = account.role_id.as_deref().unwrap_or("unknown");
    let role_name = role.map_or(id, |role| role.name.as_str());
    let who = format!("{base} accepts the key of {}, whose role is {role_name}", account.name);
    let bad = |result, what: String| Check::bad(KEY, result, &Fault::new(Code::CloseForbidden, what));
    match (role, roles) {
        (Some(role), _) if role.sees_all => Check::ok(KEY, who),
        (Some(role), _) if role.sees_unassigned => bad(
            Grade::Warning,
            format!("{who}: it sees only unassigned leads and its own, not those of others"),
        ),
        (Some(_), _) => bad(
            Grade::Failed,
            format!("{who}: it sees only its own leads, and no new one before it is assigned"),
        ),
        // These two see everything, and cannot be changed.
        (None, _) if ["admin", "superuser"].contains(&id) => Check::ok(KEY, who),
        (None, Err(fault)) => {
            bad(Grade::Warning, format!("{who}; which leads it sees is unknown: {}", fault.what))
        }
        (None, Ok(_)) => bad(
            Grade::Warning,
            format!("{who}; which leads it sees is unknown, as Close does not list the role"),
        ),
    }
}

fn owner_field(
    setting: Option<&FieldSetting>,
    fields: &[CustomField],
    hints: &[&FieldId],
    stored: Option<&Retrieved>,
) -> Check {
    let bad =
        |result, what: String| Check::bad(OWNER_FIELD, result, &Fault::new(Code::CloseFieldUnknown, what));
    let Some(setting) = setting else {
        return bad(Grade::Failed, format!("CLOSE_OWNER_FIELD is not set; {}", suggestions(fields, hints)));
    };
    let used = stored.and_then(|stored| stored.fields.get(&setting.to_string()));
    let field = match setting.find(fields) {
        Ok(field) => field,
        Err(0) if let Some(renamed) = fields.iter().find(|field| Some(&field.id) == used) => {
            let what = format!(
                "no custom field of leads is called {:?} any more; the pipeline continues with {}, which is now \
                 called {:?}. Set CLOSE_OWNER_FIELD to that id",
                setting.to_string(),
                renamed.id.as_str(),
                renamed.name
            );
            return bad(Grade::Warning, what);
        }
        Err(count) => {
            let but = match count {
                0 => "no custom field of leads has that name or id".to_owned(),
                _ => format!("{count} custom fields have that name"),
            };
            let others = suggestions(fields, hints);
            let what = format!("CLOSE_OWNER_FIELD is {:?}, but {but}; {others}", setting.to_string());
            return bad(Grade::Failed, what);
        }
    };
    if let Some(used) = used.filter(|used| **used != field.id) {
        let what = format!(
            "the pipeline reads {}, which was called {:?} when it was looked up; now that is {}. Set CLOSE_OWNER_FIELD to the id of the right one",
            used.as_str(),
            setting.to_string(),
            field.id.as_str()
        );
        return bad(Grade::Warning, what);
    }
    let shown = format!("{:?} ({}), type {}", field.name, field.id.as_str(), field.kind);
    match &field.becomes {
        Some(becomes) => bad(Grade::Warning, format!("{shown}, which is being changed to {becomes}")),
        None if field.is_of_users() => Check::ok(OWNER_FIELD, shown),
        None if ["text", "choices"].contains(&field.kind.as_str()) => Check::ok(
            OWNER_FIELD,
            format!("{shown}: its values are compared with the members' addresses and full names"),
        ),
        None => bad(
            Grade::Failed,
            format!("{shown}: no value of that type names an owner; {}", suggestions(fields, hints)),
        ),
    }
}

/// The fields that could be meant, the likeliest first. None is ever picked automatically.
fn suggestions(fields: &[CustomField], hints: &[&FieldId]) -> String {
    let rank = |field: &&CustomField| {
        let name = field.name.to_lowercase();
        match () {
            () if hints.contains(&&field.id) => 0,
            () if OWNER_WORDS.iter().any(|word| name.contains(word)) => 1,
            () => 2,
        }
    };
    let mut users: Vec<&CustomField> = fields.iter().filter(|field| field.is_of_users()).collect();
    users.sort_by_key(rank);
    let listed: Vec<String> =
        users.iter().map(|field| format!("{} ({:?})", field.id.as_str(), field.name)).collect();
    match listed.len() {
        0 => "Close has no custom field of type user for leads".to_owned(),
        _ => format!("fields of type user: {}", listed.join(", ")),
    }
}

fn funnel_field(setting: &FieldSetting, fields: &[CustomField]) -> Check {
    match setting.find(fields) {
        Ok(field) if field.is_of_users() => {
            let what = format!("{:?} ({}) holds members, not a funnel", field.name, field.id.as_str());
            Check::bad(FUNNEL_FIELD, Grade::Warning, &Fault::new(Code::CloseFieldUnknown, what))
        }
        Ok(field) => {
            Check::ok(FUNNEL_FIELD, format!("{:?} ({}), type {}", field.name, field.id.as_str(), field.kind))
        }
        Err(count) => {
            let fields =
                if count == 0 { "no custom field of leads has" } else { "several custom fields have" };
            let what = format!(
                "CLOSE_FUNNEL_FIELD is {:?}, but {fields} that name: leads are announced without their funnel",
                setting.to_string()
            );
            Check::bad(FUNNEL_FIELD, Grade::Warning, &Fault::new(Code::CloseFieldUnknown, what))
        }
    }
}

/// The members as Close lists them now, and what the pipeline has stored of them.
fn members(now: &str, stored: Option<&Retrieved>) -> Check {
    match (stored.and_then(|stored| stored.failure.as_ref()), stored.and_then(|stored| stored.read_at)) {
        (Some(failure), _) => {
            let at = failure.at.strftime("%Y-%m-%d %H:%M UTC");
            let what = format!(
                "{now}; the pipeline could not read them at {at}, and {}: {}",
                has(stored),
                failure.what
            );
            Check::bad(MEMBERS, Grade::Warning, &Fault::new(failure.code, what))
        }
        (None, Some(_)) => Check::ok(MEMBERS, format!("{now}; the pipeline {}", has(stored))),
        (None, None) => Check::ok(MEMBERS, format!("{now}; the pipeline has not used them yet")),
    }
}

/// How old the pipeline's copy of the members is.
fn has(stored: Option<&Retrieved>) -> String {
    let age = stored.and_then(|stored| stored.age_in_words(Timestamp::now()));
    age.map_or_else(|| "has no members stored".to_owned(), |age| format!("has the members as of {age} ago"))
}
