//! The real `leadops` as a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::webhooks::KEY;

/// `leadops` with these arguments on the pipeline in a folder, whatever the environment of the benchmark.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadops"));
    command.args(args).env_clear().env("LEADOPS_CONFIG", "").env("LEADOPS_DATA", folder).stdin(Stdio::null());
    command
}

/// What a command prints with `--json`.
pub(crate) fn json(folder: &Path, args: &[&str]) -> Value {
    let output = command(folder, args).arg("--json").stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "leadops {args:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A running `leadops up`.
pub(crate) struct Up {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Up {
    /// Starts it on a folder, with a delay in seconds and what takes Slack's messages, so many a second.
    pub(crate) fn start(folder: &Path, delay: u32, slack: SocketAddr, rate: u32) -> Self {
        let mut child = command(folder, &["up", "--listen", "127.0.0.1:0", "--delay", &delay.to_string()])
            .env("CLOSE_SIGNATURE_KEY", KEY)
            .env("SLACK_WEBHOOK_URL", format!("http://{slack}/slack"))
            .env("SLACK_BURST", "30")
            .env("SLACK_RATE", rate.to_string())
            // A folder without owner documents: no lead has an owner, and no network is needed.
            .env("LOOKUP_BASE_URL", format!("file://{}", folder.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        Self { child, address: address.strip_suffix("/crm/webhook").unwrap().parse().unwrap() }
    }

    /// Bytes that it has sent to the disk.
    pub(crate) fn written(&self) -> f64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        line.parse().unwrap()
    }

    /// Resident memory, in MB.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
