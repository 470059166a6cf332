//! The real `leadops` binary as a process of its own.

use std::{
    ops::{Deref, DerefMut},
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use close::signature::Keys;
use demo::Sender;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use url::Url;

use crate::neighbours::Neighbours;

/// The key that the tests sign with, the one of `samples/signatures.json`.
pub const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The `leadops` that was built beside this program.
pub fn binary() -> PathBuf {
    built("leadops")
}

/// A binary of the workspace that was built beside this program, which is a test or a binary of this
/// package; or one of the folder `LEADOPS_BINARIES`, such as an earlier version's.
pub fn built(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("LEADOPS_BINARIES") {
        return PathBuf::from(folder).join(name);
    }
    let this = std::env::current_exe().unwrap();
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let built = beside.into_iter().find(|binary| binary.exists());
    built.unwrap_or_else(|| panic!("{name} is not built: run `cargo test --workspace`"))
}

/// An installation of leadops in a folder of its own, with its neighbours.
pub struct Testbed {
    /// An owner directory and a Slack.
    pub neighbours: Neighbours,
    /// Holds the pipeline's folder.
    pub folder: TempDir,
}

impl Deref for Testbed {
    type Target = Neighbours;

    fn deref(&self) -> &Neighbours {
        &self.neighbours
    }
}

impl DerefMut for Testbed {
    fn deref_mut(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }
}

/// A running `leadops up`.
pub struct Up {
    child: Child,
    /// Its webhook.
    pub webhook: Url,
}

impl Testbed {
    /// A fresh one.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), "").unwrap();
        Self { neighbours: Neighbours::start().await, folder }
    }

    /// The pipeline's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `leadops` with these arguments, an environment of its own, and this test bed's addresses.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(&mut Command::new(binary()), args)
    }

    /// The same, through a program that ends up running it.
    pub fn command_of(&self, command: &mut Command, args: &[&str]) -> Command {
        let program = command.as_std().get_program().to_owned();
        let before: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        let mut command = Command::new(program);
        command.args(before).args(args);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("USER", "tester")
            .env("LEADOPS_CONFIG", self.folder.path().join("config.toml"))
            .env("LEADOPS_DATA", self.data())
            .env("CLOSE_SIGNATURE_KEY", KEY)
            .env("LOOKUP_BASE_URL", self.owners.base())
            .env("SLACK_WEBHOOK_URL", self.slack.url())
            // Nobody outside this machine is asked anything.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts `leadops up` on a free port and waits until it accepts.
    pub async fn up(&self, args: &[&str]) -> Up {
        let args = [&["up", "--listen", "127.0.0.1:0"], args].concat();
        Up::start(self.command(&args)).await
    }

    /// `leadops` with these arguments, run by this line of `sh`, in which `"$0" "$@"` stands for it.
    pub fn command_in_shell(&self, line: &str, args: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).arg(binary());
        self.command_of(&mut shell, args)
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Output {
        timeout(PATIENCE, self.command(args).output()).await.expect("the command ends").unwrap()
    }

    /// Runs a command that must succeed, with `--json`, and reads what it prints.
    pub async fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat()).await;
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {stdout}"))
    }

    /// Runs a command that must fail, and returns its status and its one line.
    pub async fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        refusal(&self.run(args).await, args)
    }
}

/// The status and the one line of a command that must have failed.
pub(crate) fn refusal(output: &Output, args: &[&str]) -> (Option<i32>, String) {
    let stderr = text(&output.stderr).trim_end().to_owned();
    assert!(!output.status.success(), "{args:?} succeeded: {}", text(&output.stdout));
    assert_eq!(stderr.lines().count(), 1, "{args:?} says more than one line: {stderr}");
    (output.status.code(), stderr)
}

impl Up {
    /// Starts a prepared `leadops up` and waits until it accepts.
    pub async fn start(mut command: Command) -> Self {
        Self::of(command.stderr(Stdio::inherit()).spawn().unwrap()).await
    }

    /// A `leadops up` that was started, once it accepts.
    pub async fn of(mut child: Child) -> Self {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it says that it listens").unwrap();
        let line = line.expect("it starts");
        let webhook = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        Self { webhook: webhook.parse().unwrap(), child }
    }

    /// A sender to its webhook.
    pub fn sender(&self) -> Sender {
        Sender::new(self.webhook.clone(), Keys::parse(KEY).unwrap()).unwrap()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and its end.
    pub async fn terminate(self) -> ExitStatus {
        self.signal("-TERM").await;
        self.end().await
    }

    /// Sends it a signal, such as `-HUP`.
    pub async fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Its end, once it was asked to end.
    pub async fn end(mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends when it is asked to").unwrap()
    }
}

/// Bad days for a process: a C library that it is started with, and the file that says what happens.
pub struct Shim {
    folder: TempDir,
}

impl Shim {
    /// Compiles it, with the C compiler that SQLite needs as well.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/shim.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("shim.so")).arg(source);
        assert!(compile.arg("-ldl").status().await.expect("cc (a C compiler)").success());
        let shim = Self { folder };
        shim.order("");
        shim
    }

    /// What happens from now on: `slow MILLISECONDS`, `fail`, `read-only`, `step SECONDS`, or nothing.
    pub fn order(&self, what: &str) {
        // In one move: it is read at any time.
        let (new, orders) = (self.folder.path().join("new"), self.folder.path().join("orders"));
        std::fs::write(&new, what).unwrap();
        std::fs::rename(new, orders).unwrap();
    }

    /// Has a command run with it.
    pub fn on(&self, mut command: Command) -> Command {
        command.envs(self.variables());
        command
    }

    /// The environment variables of a program that runs with it.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.folder.path().join(name).into_os_string().into_string().unwrap();
        [("LD_PRELOAD", path("shim.so")), ("TESTS_SHIM", path("orders"))]
    }
}

/// Waits until a condition holds, looking often; fails the test when it takes longer than [`PATIENCE`].
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let give_up = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < give_up, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
