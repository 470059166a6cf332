//! An execution environment: a process of a function, and what Lambda does with it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::{
    process::{Child, Command},
    time::{Instant, timeout_at},
};

use super::{
    Configuration,
    api::{Api, Invocation, RuntimeCall},
    lineage::Lineage,
    logs::Stream,
};
use crate::{
    aws::{REGION, RoleKeys},
    process::built,
};

/// How long a function may take to start:
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no answer to an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The function did not start.
    NotStarted(String),
    /// It took longer than it may, and was killed.
    TimedOut,
    /// Its process ended.
    Exited(String),
    /// It said that it failed, and how.
    Error(Value),
}

/// A process that handles one event at a time.
pub(super) struct Environment {
    configuration: Configuration,
    child: Child,
    api: Api,
    output: Output,
    stream: Stream,
    /// What it printed last.
    last_line: Option<String>,
    /// How long it took to start, until the first invocation has logged it.
    started_in: Option<Duration>,
}

impl Environment {
    /// Starts the function's binary and waits until it asks for an event.
    pub(super) async fn start(
        configuration: &Configuration,
        keys: &RoleKeys,
        endpoint: &str,
        mut stream: Stream,
    ) -> Result<Self, Failure> {
        let api = Api::start().await;
        let output = Output::new();
        let mut command = Command::new(built(configuration.function.as_str()));
        command
            .env_clear()
            .envs(&configuration.variables)
            .envs(of_lambda(configuration, keys, endpoint, &api, &stream))
            .stdin(Stdio::null())
            .stdout(output.writer())
            .stderr(output.writer())
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().unwrap();
        stream.line("INIT_START Runtime Version: provided:al2023.test");
        let mut environment = Self {
            configuration: configuration.clone(),
            child,
            api,
            output,
            stream,
            last_line: None,
            started_in: None,
        };
        let failure = match environment.listen(began + START_LIMIT).await {
            Ok(RuntimeCall::Next) => {
                environment.started_in = Some(began.elapsed());
                return Ok(environment);
            }
            Ok(RuntimeCall::CouldNotStart(body)) => String::from_utf8_lossy(&body).into_owned(),
            Ok(other) => format!("it called {other:?} before it was asked anything"),
            Err(failure) => format!("{failure:?}"),
        };
        environment.ship();
        let failure = match environment.last_line.take() {
            Some(line) => format!("{failure}, after it wrote {line}"),
            None => failure,
        };
        let millis = began.elapsed().as_secs_f64() * 1000.0;
        environment.stream.line(&format!(
            "INIT_REPORT Init Duration: {millis:.2} ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError"
        ));
        environment.stream.flush().await;
        Err(Failure::NotStarted(failure))
    }

    /// The id of its process, while there is one.
    pub(super) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Hands an event out. Where the process cannot go on, it is gone with the failure.
    pub(super) async fn invoke(
        mut self,
        id: &str,
        lineage: &Lineage,
        event: Bytes,
    ) -> (Option<Self>, Result<Bytes, Failure>) {
        let began = Instant::now();
        let limit = self.configuration.timeout;
        let deadline =
            self.configuration.clock.now().as_millisecond() + i64::try_from(limit.as_millis()).unwrap();
        self.stream.line(&format!("START RequestId: {id} Version: $LATEST"));
        let arn = self.configuration.arn.clone();
        let sent = self.api.invocations.send(Invocation {
            id: id.to_owned(),
            deadline,
            arn,
            trace: lineage.to_string(),
            event,
        });
        sent.expect("the Runtime API lives as long as its process");
        let result = self.answer(id, began + limit).await;
        let (took, used) = (began.elapsed(), self.most_memory());
        let goes_on = matches!(result, Ok(_) | Err(Failure::Error(_)));
        if !goes_on {
            // It may have ended by itself.
            let _ = self.child.kill().await;
        }
        self.ship();
        self.report(id, took, used, &result);
        self.stream.flush().await;
        (goes_on.then_some(self), result)
    }

    /// The answer to a request, once the process is ready for another one.
    async fn answer(&mut self, id: &str, limit: Instant) -> Result<Bytes, Failure> {
        let answer = match self.listen(limit).await? {
            RuntimeCall::Answer(of, body) if of == id => Ok(body),
            RuntimeCall::Failure(of, body) if of == id => {
                let text = String::from_utf8_lossy(&body).into_owned();
                Err(Failure::Error(serde_json::from_slice(&body).unwrap_or(text.into())))
            }
            other => return Err(Failure::Exited(format!("it called {other:?} for the request {id}"))),
        };
        match self.listen(limit).await? {
            RuntimeCall::Next => answer,
            other => Err(Failure::Exited(format!("it called {other:?} after the request {id}"))),
        }
    }

    async fn listen(&mut self, limit: Instant) -> Result<RuntimeCall, Failure> {
        tokio::select! {
            biased;
            call = timeout_at(limit, self.api.calls.recv()) => match call {
                Ok(Some(call)) => Ok(call),
                Ok(None) => Err(Failure::Exited("the Runtime API ended".to_owned())),
                Err(_) => Err(Failure::TimedOut),
            },
            status = self.child.wait() => Err(Failure::Exited(status.unwrap().to_string())),
        }
    }

    /// Adds what the process has printed since the last time to its log stream.
    fn ship(&mut self) {
        for line in self.output.lines() {
            self.stream.line(&line);
            self.last_line = Some(line);
        }
    }

    /// What Lambda says at the end of an invocation.
    fn report(&mut self, id: &str, took: Duration, used: u64, result: &Result<Bytes, Failure>) {
        let status = match result {
            Ok(_) | Err(Failure::Error(_) | Failure::NotStarted(_)) => "",
            Err(Failure::TimedOut) => {
                let seconds = self.configuration.timeout.as_secs_f64();
                let at = self.configuration.clock.now();
                self.stream.line(&format!("{at:.3} {id} Task timed out after {seconds:.2} seconds"));
                "\tStatus: timeout"
            }
            Err(Failure::Exited(how)) => {
                self.stream.line(&format!(
                    "RequestId: {id} Error: Runtime exited with error: {how}\nRuntime.ExitError"
                ));
                "\tStatus: error\tError Type: Runtime.ExitError"
            }
        };
        self.stream.line(&format!("END RequestId: {id}"));
        let started_in = self.started_in.take();
        let init = started_in
            .map_or(String::new(), |init| format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1000.0));
        let millis = took.as_secs_f64() * 1000.0;
        self.stream.line(&format!(
            "REPORT RequestId: {id}\tDuration: {millis:.2} ms\tBilled Duration: {billed} ms\tMemory Size: \
             {memory} MB\tMax Memory Used: {used} MB{init}{status}",
            billed = millis.ceil(),
            memory = self.configuration.memory,
        ));
    }

    /// The most memory that the process has had, in MiB; 0 where it is gone.
    fn most_memory(&self) -> u64 {
        let Some(id) = self.child.id() else { return 0 };
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most.and_then(|kib| kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}

/// The variables that Lambda sets:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
fn of_lambda(
    configuration: &Configuration,
    keys: &RoleKeys,
    endpoint: &str,
    api: &Api,
    stream: &Stream,
) -> Vec<(&'static str, String)> {
    let text = str::to_owned;
    vec![
        ("_HANDLER", text("bootstrap")),
        ("AWS_REGION", text(REGION)),
        ("AWS_DEFAULT_REGION", text(REGION)),
        ("AWS_ACCESS_KEY_ID", keys.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret.clone()),
        ("AWS_SESSION_TOKEN", keys.token.clone()),
        ("AWS_LAMBDA_RUNTIME_API", api.address.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", configuration.name.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", text("$LATEST")),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", text("on-demand")),
        ("AWS_LAMBDA_LOG_GROUP_NAME", stream.group().to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream.name().to_owned()),
        ("LAMBDA_TASK_ROOT", text("/var/task")),
        ("LAMBDA_RUNTIME_DIR", text("/var/runtime")),
        ("LANG", text("en_US.UTF-8")),
        ("TZ", text(":UTC")),
        ("PATH", text("/usr/local/bin:/usr/bin/:/bin:/opt/bin")),
        // Where the AWS is that is meant here.
        ("AWS_ENDPOINT_URL", text(endpoint)),
    ]
}

/// What a process prints, in a file: so whatever it printed before it answered is there when it has.
struct Output {
    file: NamedTempFile,
    read: u64,
    /// The start of a line whose end is yet to come.
    rest: Vec<u8>,
}

impl Output {
    fn new() -> Self {
        Self { file: NamedTempFile::new().unwrap(), read: 0, rest: Vec::new() }
    }

    /// For one end of it. Both write behind whatever is there.
    fn writer(&self) -> File {
        File::options().append(true).open(self.file.path()).unwrap()
    }

    /// The lines since the last time.
    fn lines(&mut self) -> Vec<String> {
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        self.read += file.read_to_end(&mut self.rest).unwrap() as u64;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.rest.split_off(end + 1);
        let complete = std::mem::replace(&mut self.rest, rest);
        String::from_utf8_lossy(&complete).lines().map(str::to_owned).collect()
    }
}
