//! How many files a process may have open, connections among them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connections::ConnectionLimits;

/// How many connections are open at most that have sent something: each may hold a part of a request.
const SPEAKING: usize = 1_024;
/// How many are open at most in all. Somebody whose request arrives 200 ms after it has connected has that
/// time while fewer than 20,000 others connect in a second, which is more than the listener takes.
const ALL: usize = 4_096;
/// How many files everything else may need: connections that are being closed, the store's, look-ups, posts.
const OTHERS: usize = 512;

/// How many connections may be open at once, having raised this process's limit on open files as far as
/// that needs and the system allows.
///
/// With the 1,024 files that systems allow by default, strangers could take them all and leave none for
/// the database.
pub(super) fn limits() -> ConnectionLimits {
    let limit = getrlimit(Resource::Nofile);
    // None is no limit.
    let (current, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let wanted = ((ALL + OTHERS) as u64).min(most);
    let files = if current >= wanted {
        current
    } else {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).map_or(current, |()| wanted)
    };
    of(usize::try_from(files).unwrap_or(usize::MAX))
}

fn of(files: usize) -> ConnectionLimits {
    let all = files.saturating_sub(OTHERS).max(files / 4).clamp(1, ALL);
    ConnectionLimits { all, speaking: all.min(SPEAKING) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_has_files_left_under_any_limit() {
        let of = |files| (of(files).all, of(files).speaking);
        assert_eq!([1, 64, 256, 1_024].map(of), [(1, 1), (16, 16), (64, 64), (512, 512)]);
        assert_eq!([2_048, 8_192, usize::MAX].map(of), [(1_536, 1_024), (4_096, 1_024), (4_096, 1_024)]);
    }
}
