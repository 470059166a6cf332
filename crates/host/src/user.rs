//! Who acts, as the journal has it.

use rustix::{process::getuid, system::uname};

/// The user that this process runs as, and the machine: `ada@ops-1`, `root@ops-1 (sudo by ada)`.
///
/// As the system has them: the environment says whatever somebody likes. Only of root it is believed who has
/// become root, as root could write anything anyway.
pub fn user() -> String {
    let user = getuid().as_raw();
    let name = uzers::get_user_by_uid(user).map(|user| user.name().to_string_lossy().into_owned());
    let sudo = std::env::var("SUDO_USER").ok();
    in_words(user, name.as_deref(), &uname().nodename().to_string_lossy(), sudo.as_deref())
}

fn in_words(user: u32, name: Option<&str>, host: &str, sudo: Option<&str>) -> String {
    let mut who = match name {
        Some(name) if !name.is_empty() => name.to_owned(),
        // As in a container, where a number is all there is.
        _ => format!("uid {user}"),
    };
    if !host.is_empty() {
        who += &format!("@{host}");
    }
    if let Some(sudo) = sudo.filter(|sudo| user == 0 && !sudo.is_empty()) {
        who += &format!(" (sudo by {sudo})");
    }
    outside::text::shorten(&who, 80)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn the_system_says_who_it_is_and_of_root_who_became_it() {
        assert_eq!(in_words(1000, Some("ada"), "ops-1", None), "ada@ops-1");
        assert_eq!(in_words(1000, Some("ada"), "ops-1", Some("mallory")), "ada@ops-1");
        assert_eq!(in_words(0, Some("root"), "ops-1", Some("ada")), "root@ops-1 (sudo by ada)");
        assert_eq!(in_words(0, Some("root"), "ops-1", Some("")), "root@ops-1");
        assert_eq!(in_words(65532, None, "ops-1", None), "uid 65532@ops-1");
        assert_eq!(in_words(65532, None, "", None), "uid 65532");
        assert_eq!(in_words(0, Some("root"), "", Some("a\u{1b}[31m\nb")), "root (sudo by a [31m b)");
    }
}
