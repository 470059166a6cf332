//! The environments of one function.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use aws_config::SdkConfig;
use bytes::Bytes;
use pipeline::lock;
use tokio::process::Command;

use super::{
    Configuration, Failure, environment::Environment, host::Problems, lineage::Lineage, logs::Stream,
};
use crate::aws::{Moto, RoleKeys};

/// As many environments as there are invocations at a time; those that are free are used again.
pub(super) struct Pool {
    pub(super) configuration: Configuration,
    moto: Moto,
    /// Where the function finds AWS.
    endpoint: String,
    keys: RoleKeys,
    problems: Problems,
    free: Mutex<Vec<Environment>>,
    /// The ids of processes that have an event.
    at_work: Mutex<Vec<u32>>,
    numbers: AtomicU64,
    /// The most invocations of the function in one chain.
    longest_chain: AtomicU32,
}

impl Pool {
    pub(super) async fn new(
        moto: &Moto,
        configuration: Configuration,
        endpoint: String,
        problems: Problems,
    ) -> Self {
        let keys = moto.assume(&configuration.role, &configuration.name).await;
        Self {
            configuration,
            moto: moto.clone(),
            endpoint,
            keys,
            problems,
            free: Mutex::default(),
            at_work: Mutex::default(),
            numbers: AtomicU64::new(1),
            longest_chain: AtomicU32::default(),
        }
    }

    /// The configuration of clients that Lambda itself uses in the function's name.
    pub(super) fn config(&self) -> SdkConfig {
        self.moto.config_as(&self.keys)
    }

    /// Ends the long polls of its account.
    pub(super) async fn end_polls(&self) {
        self.moto.end_polls().await;
    }

    /// The answer to an event that nobody's invocation has caused.
    pub(super) async fn invoke(&self, event: Bytes) -> Result<Bytes, Failure> {
        self.invoke_in(Lineage::default(), event).await
    }

    /// The answer to an event that is caused by this chain of invocations.
    pub(super) async fn invoke_in(&self, lineage: Lineage, event: Bytes) -> Result<Bytes, Failure> {
        let (lineage, count) = lineage.and(&self.configuration.arn);
        self.longest_chain.fetch_max(count, Ordering::Relaxed);
        let result = self.invoke_environment(&lineage, event).await;
        if let Err(failure) = &result {
            self.problems.failed(self.configuration.function, failure.clone());
        }
        result
    }

    async fn invoke_environment(&self, lineage: &Lineage, event: Bytes) -> Result<Bytes, Failure> {
        let free = lock(&self.free).pop();
        let environment = match free {
            Some(environment) => environment,
            None => self.start().await?,
        };
        let id = format!("00000000-0000-4000-8000-{:012}", self.number());
        let process = environment.process();
        lock(&self.at_work).extend(process);
        let (environment, result) = environment.invoke(&id, lineage, event).await;
        lock(&self.at_work).retain(|id| Some(*id) != process);
        lock(&self.free).extend(environment);
        result
    }

    /// Whether none of its processes has an event.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.at_work).is_empty()
    }

    /// `kill -9` to every process that is at work.
    pub(super) async fn kill(&self) {
        let at_work = lock(&self.at_work).clone();
        for process in at_work {
            Command::new("kill").args(["-9", &process.to_string()]).status().await.unwrap();
        }
    }

    async fn start(&self) -> Result<Environment, Failure> {
        let config = self.config();
        // Unlike those of an earlier host of the same stack.
        static STREAMS: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:032x}", STREAMS.fetch_add(1, Ordering::Relaxed));
        let stream = Stream::create(
            aws_sdk_cloudwatchlogs::Client::new(&config),
            aws_sdk_cloudwatch::Client::new(&self.moto.config()),
            &self.configuration.name,
            &id,
            self.configuration.clock.clone(),
            self.problems.clone(),
        );
        Environment::start(&self.configuration, &self.keys, &self.endpoint, stream.await).await
    }

    /// Ends the environments that are free, as Lambda does when it likes to.
    pub(super) fn recycle(&self) {
        lock(&self.free).clear();
    }

    /// The most invocations of the function in one chain, each caused by the one before.
    pub(super) fn longest_chain(&self) -> u32 {
        self.longest_chain.load(Ordering::Relaxed)
    }

    /// A client of SQS's that may do everything, as Lambda itself.
    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.moto.clients().sqs.clone()
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}
