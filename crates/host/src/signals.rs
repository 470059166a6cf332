//! The signals that end a process in order.

use std::{
    future::poll_fn,
    io::{self, IsTerminal},
    task::{Context, Poll},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Asked to end: by SIGTERM or SIGINT; by SIGHUP when the terminal goes away; by SIGQUIT.
///
/// One of the last two that was ignored when the process started stays ignored, as under `nohup`.
pub struct ShutdownSignals(Vec<Signal>);

impl ShutdownSignals {
    /// From now on no such signal ends the process by itself.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn listen() -> io::Result<Self> {
        let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
        let ignored = ignored();
        kinds.extend(
            [SignalKind::hangup(), SignalKind::quit()].into_iter().filter(|kind| !ignored.has(*kind)),
        );
        Ok(Self(kinds.into_iter().map(signal).collect::<io::Result<_>>()?))
    }

    /// Returns when one has come.
    pub async fn come(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// Whether one has come.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let has_come = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if has_come { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What a process was started to ignore: a bit for each signal, the lowest for number 1.
struct Ignored(u64);

impl Ignored {
    fn has(&self, kind: SignalKind) -> bool {
        let bit = u32::try_from(kind.as_raw_value() - 1).ok().and_then(|bit| 1_u64.checked_shl(bit));
        bit.is_some_and(|bit| self.0 & bit != 0)
    }

    /// Of Linux's account of a process. <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
    fn of_status(status: &str) -> Option<Self> {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok().map(Self)
    }
}

fn ignored() -> Ignored {
    let of_linux = || Ignored::of_status(&std::fs::read_to_string("/proc/self/status").ok()?);
    // Elsewhere: `nohup` leaves neither of these a terminal.
    let guessed = || if io::stdout().is_terminal() || io::stderr().is_terminal() { 0 } else { u64::MAX };
    of_linux().unwrap_or_else(|| Ignored(guessed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_under_nohup_is_known() {
        let ignored = Ignored::of_status("Name:\tleadops\nSigIgn:\t0000000000001001\n").unwrap();
        assert!(ignored.has(SignalKind::hangup()) && !ignored.has(SignalKind::quit()));
        assert!(Ignored::of_status("Name:\tleadops\n").is_none());
    }
}
