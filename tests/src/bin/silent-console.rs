//! The console on a pipeline that never answers: for the test that keys are answered all the same.

use std::{collections::BTreeMap, future::pending, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;

use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, Progress, Settings, Stage,
    ports::{
        Body, DeadLetter, DeadLetters, Delivery, Depth, Disposition, History, Inbox, LogLine, LogQuery, Logs,
        Minute, OpenCounts, OpenLead, Queue,
    },
};
use sqlite::{Options, Store};

struct Silent;

#[async_trait]
impl History for Silent {
    async fn recent(
        &self,
        _: &[Stage],
        _: Option<Timestamp>,
        _: Option<&str>,
        _: usize,
    ) -> Result<Vec<Entry>, Fault> {
        pending().await
    }

    async fn of_lead(&self, _: &LeadId) -> Result<Vec<Entry>, Fault> {
        pending().await
    }

    async fn progress(&self, _: &LeadId) -> Result<Option<Progress>, Fault> {
        pending().await
    }

    async fn open_leads(&self, _: usize) -> Result<Vec<OpenLead>, Fault> {
        pending().await
    }

    async fn count_open(&self, _: Timestamp, _: Timestamp) -> Result<OpenCounts, Fault> {
        pending().await
    }

    async fn minutes(&self, _: Timestamp) -> Result<Vec<Minute>, Fault> {
        pending().await
    }

    async fn refused(&self, _: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        pending().await
    }

    async fn refused_webhooks(&self, _: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        pending().await
    }
}

#[async_trait]
impl Inbox for Silent {
    async fn receive(&self, _: Queue, _: usize) -> Result<Vec<Delivery>, Fault> {
        pending().await
    }

    async fn settle(&self, _: Queue, _: &Delivery, _: Disposition) -> Result<(), Fault> {
        pending().await
    }

    async fn depth(&self, _: Queue) -> Result<Depth, Fault> {
        pending().await
    }
}

#[async_trait]
impl DeadLetters for Silent {
    async fn list(&self, _: Option<Queue>, _: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        pending().await
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        pending().await
    }

    async fn get(&self, _: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        pending().await
    }

    async fn redrive(&self, _: &str, _: Body) -> Result<bool, Fault> {
        pending().await
    }

    async fn delete(&self, _: &str) -> Result<bool, Fault> {
        pending().await
    }
}

#[async_trait]
impl Logs for Silent {
    async fn lines(&self, _: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        pending().await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let store = Store::open(Path::new(&folder), Options::creating())?;
    let mut ops = embedded::view(
        Arc::new(store.clone()),
        Arc::new(Settings::default()),
        host::user(),
        ops::Access::Full,
    );
    (ops.history, ops.inbox) = (Arc::new(Silent), Arc::new(Silent));
    (ops.dead_letters, ops.logs) = (Arc::new(Silent), Arc::new(Silent));
    let banner = tui::Banner { name: "silent".to_owned(), place: folder, ..tui::Banner::default() };
    let source = tui::Source {
        ops: Arc::new(ops),
        banner,
        watch: Arc::new(pipeline::ports::Unwatched),
        min_interval: Duration::ZERO,
    };
    tui::run(source, Arc::new(tui::NoEnvironments), tui::Options::default()).await
}
