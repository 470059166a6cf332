//! Close's other ids.

/// Whether `text` is an id of Close's with this prefix, such as `user_…`. Close does not specify their lengths.
pub fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// How an unknown user is shown: by a part of the id that people can compare with Close, not by the whole id. `None` for
/// what is not a user's id.
pub fn unnamed(user: &str) -> Option<String> {
    // Half of an id that is short.
    let shown = user.len().saturating_sub("user_".len()).div_ceil(2).min(6);
    is_id(user, "user").then(|| format!("Close user …{}", user.get(user.len() - shown..).unwrap_or_default()))
}

/// A text in which every user id is abbreviated.
pub fn without_ids(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("user_") {
        let (before, id) = rest.split_at(at);
        let end = id.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(id.len());
        let (id, after) = id.split_at(end);
        shown += before;
        shown += &unnamed(id).unwrap_or_else(|| "Close user …".to_owned());
        rest = after;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_of_a_user_is_shown_whole() {
        let id = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";
        assert_eq!(unnamed(id).as_deref(), Some("Close user …EziMkt"));
        assert_eq!(unnamed("user_1").as_deref(), Some("Close user …1"));
        assert_eq!(unnamed("user_123456").as_deref(), Some("Close user …456"));
        assert_eq!(unnamed("Sales North"), None);
        let text = format!("rep: {id}, user_é and {id}{id}");
        assert_eq!(without_ids(&text), "rep: Close user …EziMkt, Close user …é and Close user …");
        assert_eq!(without_ids("Sales North"), "Sales North");
    }
}
