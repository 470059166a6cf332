//! Metrics of a function: lines that CloudWatch makes them of.

use aws::{
    Measurement, MetricsSink,
    metrics::{DEFAULT_PROJECT, refused_line, refused_webhook_line},
};
use lead::Timestamp;
use pipeline::Code;

use crate::logging;

/// Prints what is counted, in the embedded metric format.
pub struct Emf {
    project: String,
}

impl Emf {
    /// For the stack `project`.
    pub fn new(project: Option<String>) -> Self {
        Self { project: project.unwrap_or_else(|| DEFAULT_PROJECT.to_owned()) }
    }
}

impl MetricsSink for Emf {
    fn count(&self, at: Timestamp, measured: &Measurement) {
        logging::print(&measured.line(at, &self.project));
    }

    fn refused(&self, at: Timestamp, status: u16, webhook: Option<Code>) {
        logging::print(&refused_line(at, status, &self.project));
        if let Some(code) = webhook {
            logging::print(&refused_webhook_line(at, code, &self.project));
        }
    }
}
