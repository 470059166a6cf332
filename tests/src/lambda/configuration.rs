//! What Lambda knows of a stack's functions.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::Function;
use serde::Deserialize;

use super::Shape;
use crate::aws::{Moto, Stack};

/// A function as its stack made it.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Which of them it is.
    pub function: Function,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The ARN of its role.
    pub role: String,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// In MiB.
    pub memory: u32,
    /// Its environment variables, those that Lambda itself sets left out.
    pub variables: BTreeMap<String, String>,
    /// Where its events come from.
    pub mappings: Vec<Mapping>,
    /// Whether it may be part of a loop. Otherwise Lambda stops it after so many turns.
    pub may_loop: bool,
    /// The time that Lambda and the function go by.
    pub clock: Ahead,
}

/// A clock that is so many seconds ahead of this machine's, or behind it, as whoever shares it has set.
#[derive(Debug, Clone, Default)]
pub struct Ahead(Arc<AtomicI64>);

impl Ahead {
    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.seconds())
    }

    /// By how much it is ahead.
    pub fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it.
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// A queue whose messages a function is invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The ARN of the queue.
    pub queue: String,
    /// The most messages of one invocation.
    pub batch: usize,
    /// How long Lambda waits for a full batch.
    pub window: Duration,
    /// How many invocations it makes at once.
    pub concurrency: usize,
    /// Whether the function reports which messages failed.
    pub reports_failures: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionAnswer {
    configuration: Described,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    function_name: String,
    function_arn: String,
    role: String,
    timeout: u64,
    memory_size: u32,
    #[serde(default)]
    environment: Variables,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Variables {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mappings {
    event_source_mappings: Vec<DescribedMapping>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedMapping {
    event_source_arn: String,
    batch_size: usize,
    state: String,
    #[serde(default)]
    maximum_batching_window_in_seconds: u64,
    #[serde(default)]
    function_response_types: Vec<String>,
    scaling_config: Option<ScalingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: usize,
}

/// How many invocations a mapping makes at once that has no limit of its own: as many as it starts with.
const CONCURRENCY: usize = 5;

impl Configuration {
    /// The functions of a stack.
    pub async fn of(stack: &Stack) -> Vec<Self> {
        let mut all = Vec::new();
        for (function, name) in &stack.outputs.functions {
            all.push(Self::read(&stack.moto, *function, name).await);
        }
        all
    }

    async fn read(moto: &Moto, function: Function, name: &str) -> Self {
        let answer = moto.rest("lambda", &format!("/2015-03-31/functions/{name}")).await;
        let FunctionAnswer { configuration } = serde_json::from_value(answer).unwrap();
        let recursion = moto.rest("lambda", &format!("/2024-08-31/functions/{name}/recursion-config")).await;
        let answer =
            moto.rest("lambda", &format!("/2015-03-31/event-source-mappings/?FunctionName={name}")).await;
        let mappings: Mappings = serde_json::from_value(answer).unwrap();
        let mappings =
            mappings.event_source_mappings.into_iter().filter(|mapping| mapping.state == "Enabled");
        Self {
            function,
            name: configuration.function_name,
            arn: configuration.function_arn,
            role: configuration.role,
            timeout: Duration::from_secs(configuration.timeout),
            memory: configuration.memory_size,
            variables: configuration.environment.variables,
            mappings: mappings.map(Mapping::of).collect(),
            may_loop: recursion["RecursiveLoop"] == "Allow",
            clock: Ahead::default(),
        }
    }

    /// The name of its role.
    pub fn role_name(&self) -> &str {
        self.role.rsplit('/').next().unwrap_or_default()
    }
}

impl Mapping {
    fn of(described: DescribedMapping) -> Self {
        let reports = described.function_response_types.iter().any(|kind| kind == "ReportBatchItemFailures");
        Self {
            queue: described.event_source_arn,
            batch: described.batch_size,
            window: Duration::from_secs(described.maximum_batching_window_in_seconds),
            concurrency: described.scaling_config.map_or(CONCURRENCY, |config| config.maximum_concurrency),
            reports_failures: reports,
        }
    }
}

/// How a stack's REST API passes requests to its function.
pub(super) async fn way_in(stack: &Stack) -> Shape {
    // https://ID.execute-api.REGION.amazonaws.com/STAGE/crm/webhook
    let host = stack.outputs.webhook_url.trim_start_matches("https://");
    let id = host.split('.').next().unwrap_or_default();
    let answer = stack.moto.rest("apigateway", &format!("/restapis/{id}")).await;
    let binary = answer["binaryMediaTypes"].as_array().is_some_and(|types| types.contains(&"*/*".into()));
    Shape::Rest { binary }
}
