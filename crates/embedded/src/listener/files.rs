//! How many files a process may have open, connections among them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections are open at most.
const CONNECTIONS: u64 = 1_024;
/// How many files everything else may need: connections that are being closed, the store's, look-ups, posts.
const OTHERS: u64 = 512;

/// How many connections may be open at once, having raised this process's limit on open files as far as
/// that needs and the system allows.
///
/// With the 1,024 files that systems allow by default, strangers could take them all and leave none for
/// the database.
pub(super) fn connections() -> u32 {
    let limit = getrlimit(Resource::Nofile);
    // None is no limit.
    let (current, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let wanted = (CONNECTIONS + OTHERS).min(most);
    let files = if current >= wanted {
        current
    } else {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).map_or(current, |()| wanted)
    };
    of(files)
}

fn of(files: u64) -> u32 {
    let connections = files.saturating_sub(OTHERS).max(files / 4).clamp(1, CONNECTIONS);
    u32::try_from(connections).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_has_files_left_under_any_limit() {
        assert_eq!([1, 64, 256, 1_024, 2_048, u64::MAX].map(of), [1, 16, 64, 512, 1_024, 1_024]);
    }
}
