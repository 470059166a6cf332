//! How a function starts and takes its events.

use std::{process::ExitCode, sync::Arc};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use lead::Timestamp;
use pipeline::{Fault, Function, Variables, ports::Level, recorder};
use serde::{Serialize, de::DeserializeOwned};

use crate::logging;

/// A function: what it makes when it starts, and what it does with an event.
pub trait Handler: Send + Sync + Sized + 'static {
    /// Whose log it writes.
    const FUNCTION: Function;
    /// What it is invoked with.
    type Event: DeserializeOwned + Send;
    /// What it answers.
    type Answer: Serialize + Send;

    /// Reads the environment, connects, and loads what the first event would otherwise wait for.
    ///
    /// # Errors
    /// The first variable that is missing or wrong, by its name.
    fn start(variables: &Variables<'_>) -> impl Future<Output = Result<Self, Fault>>;

    /// Handles an event by `deadline`.
    ///
    /// # Errors
    /// What makes Lambda treat the whole event as failed.
    fn handle(
        &self,
        event: Self::Event,
        deadline: Timestamp,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Starts a function and handles events until Lambda has no more.
///
/// One thread: an environment has one event at a time, and a function's work is waiting.
pub fn run<H: Handler>() -> ExitCode {
    logging::start(H::FUNCTION);
    let Err(error) = run_to_end::<H>() else { return ExitCode::SUCCESS };
    let (what, code) = match error.downcast_ref::<Fault>() {
        Some(fault) => (fault.line(), Some(fault.code.as_str())),
        None => (error.to_string(), None),
    };
    recorder::line(H::FUNCTION, Level::Error, &format!("the function stops: {what}"), None, code);
    ExitCode::FAILURE
}

fn run_to_end<H: Handler>() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let variables = Variables::new(|name| std::env::var(name).ok());
        let handler = Arc::new(H::start(&variables).await?);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<H::Event>| {
            let handler = Arc::clone(&handler);
            async move {
                let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
                let deadline = Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX);
                let work = handler.handle(event.payload, deadline);
                logging::in_request(event.context.request_id, work).await
            }
        }))
        .await
    })
}
