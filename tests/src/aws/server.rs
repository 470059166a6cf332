//! Moto's server: one process for all accounts of a test program.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use serde::Deserialize;

use crate::python;

#[derive(Debug)]
pub(crate) struct Server {
    /// Its address, without a slash behind it.
    pub(crate) endpoint: String,
    /// The folder of its clocks, see `clock.py`.
    pub(crate) clocks: PathBuf,
    /// The server ends when this is closed, which it is when this program ends in whatever way.
    _alive: (Child, ChildStdin),
}

#[derive(Deserialize)]
struct Started {
    port: u16,
    clocks: PathBuf,
}

impl Server {
    /// The server, started by whoever asks first.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let mut child = Command::new(python::environment("moto").join("bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("moto/server.py"))
            // No `__pycache__` beside the sources, and no settings of moto's from outside.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("MOTO_ACCOUNT_ID")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let alive = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Started = serde_json::from_str(&line).expect("moto's server says where it listens");
        let endpoint = format!("http://127.0.0.1:{}", started.port);
        Self { endpoint, clocks: started.clocks, _alive: (child, alive) }
    }
}
