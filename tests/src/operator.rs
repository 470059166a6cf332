//! An operator of a pipeline on AWS, with the real binary.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::process::{PATIENCE, binary, refusal, text};

/// An operator: a home folder, and the environment variables that they have set, and nothing else of the machine's.
pub struct Operator {
    home: TempDir,
    variables: BTreeMap<String, String>,
}

impl Operator {
    /// One with these variables.
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let operator = Self { home, variables };
        operator.write("config.toml", "");
        operator
    }

    /// The same with more variables.
    #[must_use]
    pub fn with(mut self, variables: &[(&str, &str)]) -> Self {
        self.variables
            .extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Writes a file of the home folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A path in the home folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `leadops` with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("USER", "tester")
            .env("LEADOPS_CONFIG", self.path("config.toml"))
            .env("LEADOPS_DATA", self.path("data"))
            // Nobody's machine is to be asked for its role.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Output {
        timeout(PATIENCE, self.command(args).output()).await.expect("the command ends").unwrap()
    }

    /// Runs a command that must succeed, and returns what it prints.
    pub async fn print(&self, args: &[&str]) -> String {
        let output = self.run(args).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must succeed, with `--json`, and reads what it prints.
    pub async fn json(&self, args: &[&str]) -> Value {
        let printed = self.print(&[args, &["--json"]].concat()).await;
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{args:?}: {e}: {printed}"))
    }

    /// Runs a command that must fail, and returns its status and its one line.
    pub async fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        refusal(&self.run(args).await, args)
    }
}
