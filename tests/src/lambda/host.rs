//! [`Host`]: all functions of a stack, at work.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_config::SdkConfig;
use close::signature::Keys;
use demo::Sender;
use pipeline::{Function, lock};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Configuration, Failure, Gateway, Shape, configuration::way_in, mapping::Poller, pool::Pool};
use crate::{aws::Stack, process::KEY};

/// What went wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Problems(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// With what Lambda does itself.
    of_lambda: Vec<String>,
    /// With the functions.
    failures: Vec<(Function, Failure)>,
    /// The latest lines of functions that are no plain course of things.
    lines: VecDeque<String>,
}

/// How often polls are ended until there are none.
const AGAIN: Duration = Duration::from_millis(20);
/// How many lines are stored for a test that fails.
const LINES: usize = 40;

impl Problems {
    /// Lambda could not do its part.
    pub(super) fn add(&self, what: String) {
        self.found().of_lambda.push(what);
    }

    /// A function did not answer.
    pub(super) fn failed(&self, function: Function, failure: Failure) {
        self.found().failures.push((function, failure));
    }

    /// A function logged something that may be to the point when a test fails.
    pub(super) fn log(&self, line: &str) {
        let lines = &mut self.found().lines;
        lines.push_back(line.to_owned());
        let spare = lines.len().saturating_sub(LINES);
        lines.drain(..spare);
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        lock(&self.0)
    }
}

/// The functions of a stack with their queues polled and the webhook open. Dropping it ends all of their
/// processes, and fails the test where Lambda itself could not do its part, such as for a permission that
/// a role lacks.
pub struct Host {
    /// The webhook, as the template has it: behind a REST API.
    pub gateway: Gateway,
    pools: Vec<Arc<Pool>>,
    pollers: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    problems: Problems,
}

impl Host {
    /// Starts the functions of a stack. They find AWS at `endpoint`, and are changed by `change` first.
    pub async fn start(stack: &Stack, endpoint: &str, change: impl Fn(&mut Configuration)) -> Self {
        let (problems, stop) = (Problems::default(), CancellationToken::new());
        let (mut pools, mut pollers) = (Vec::new(), Vec::new());
        for mut configuration in Configuration::of(stack).await {
            change(&mut configuration);
            let mappings = configuration.mappings.clone();
            let pool = Pool::new(&stack.moto, configuration, endpoint.to_owned(), problems.clone()).await;
            let pool = Arc::new(pool);
            for mapping in mappings {
                let poller = Poller::new(mapping, Arc::clone(&pool), problems.clone(), stop.clone());
                pollers.push(tokio::spawn(poller.run()));
            }
            pools.push(pool);
        }
        let gateway =
            Gateway::start(Arc::clone(of(&pools, Function::WebhookIngestion)), way_in(stack).await).await;
        Self { gateway, pools, pollers, stop, problems }
    }

    /// Another way to the webhook.
    pub async fn gateway(&self, shape: Shape) -> Gateway {
        Gateway::start(Arc::clone(of(&self.pools, Function::WebhookIngestion)), shape).await
    }

    /// Close, sending to the webhook.
    pub fn close(&self) -> Sender {
        Sender::new(self.gateway.webhook.clone(), Keys::parse(KEY).unwrap()).unwrap()
    }

    /// Invokes a function with an event.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn invoke(&self, function: Function, event: &Value) -> Result<Value, Failure> {
        let answer = of(&self.pools, function).invoke(event.to_string().into()).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// Has the scheduler look, as its rule does each minute.
    pub async fn tick(&self) {
        if let Some(housekeeping) =
            self.pools.iter().find(|pool| pool.configuration.function == Function::Housekeeping)
        {
            // What it fails over is in the list of failures.
            let _ = housekeeping.invoke("{\"detail-type\": \"Scheduled Event\"}".into()).await;
        }
    }

    /// The most invocations of a function in one chain, each of which caused the next.
    pub fn longest_chain(&self, function: Function) -> u32 {
        of(&self.pools, function).longest_chain()
    }

    /// How a function is configured.
    pub fn configuration(&self, function: Function) -> &Configuration {
        &of(&self.pools, function).configuration
    }

    /// The configuration of a client that works in a function's role.
    pub fn config(&self, function: Function) -> SdkConfig {
        of(&self.pools, function).config()
    }

    /// Takes no further messages from the queues. What functions have in hand goes on.
    pub async fn stop_polling(&mut self) {
        self.stop.cancel();
        for mut poller in self.pollers.drain(..) {
            // Its last poll may be on its way still, and would wait, and take messages, after all others were ended.
            while timeout(AGAIN, &mut poller).await.is_err() {
                self.pools[0].end_polls().await;
            }
        }
    }

    /// Ends the processes of a function that are at work in the middle of it.
    pub async fn kill(&self, function: Function) {
        of(&self.pools, function).kill().await;
    }

    /// Whether no function has an event.
    pub fn is_idle(&self) -> bool {
        self.pools.iter().all(|pool| pool.is_idle())
    }

    /// Each time that a function did not answer, so far.
    pub fn failures(&self) -> Vec<(Function, Failure)> {
        self.problems.found().failures.clone()
    }

    /// Has the next event of each function meet a process that has just been started.
    pub fn recycle(&self) {
        self.pools.iter().for_each(|pool| pool.recycle());
    }
}

fn of(pools: &[Arc<Pool>], function: Function) -> &Arc<Pool> {
    let mut pools = pools.iter();
    pools.find(|pool| pool.configuration.function == function).expect("a stack has all functions")
}

impl Drop for Host {
    fn drop(&mut self) {
        self.pollers.iter().for_each(JoinHandle::abort);
        let found = self.problems.found();
        if std::thread::panicking() {
            eprintln!("when the test failed, this had gone wrong: {found:#?}");
            return;
        }
        assert!(found.of_lambda.is_empty(), "Lambda could not do its part: {:#?}", found.of_lambda);
    }
}
