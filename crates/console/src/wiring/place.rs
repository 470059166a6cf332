//! Opening the pipeline of a place, in a folder or on AWS.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use embedded::Running;
use ops::{Access, Ops};
use outside::text;
use pipeline::Fault;
use ratatui::style::Color;
use sqlite::{Options, Store};

use super::on_aws::{Queues, on_aws};
use crate::config::{Location, Place};

/// An open pipeline.
pub struct OpenPipeline {
    /// The operator's view.
    pub ops: Ops,
    /// Its name and place.
    pub facts: PipelineInfo,
    /// The store of one in a folder.
    pub store: Option<Store>,
    /// The queues of one on AWS.
    pub(super) queues: Option<Queues>,
}

impl OpenPipeline {
    /// Releases what was received for display, before the process ends: on AWS, dead letters that are briefly
    /// invisible to others.
    pub async fn close(self) {
        if let Some(queues) = self.queues {
            queues.release_dead_letters().await;
        }
    }
}

/// A pipeline's name and place, for a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineInfo {
    /// Its name: the environment's, the stack's, or `embedded`.
    pub name: String,
    /// Where it is.
    pub site: Site,
    /// Whether actions are refused.
    pub read_only: bool,
    /// The colour of its name, if it has one.
    pub color: Option<Color>,
}

/// Where a pipeline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// In this folder.
    Folder(PathBuf),
    /// On AWS.
    Aws(AwsSite),
}

/// Where on AWS a pipeline is, and with which identity it is accessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSite {
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// The ARN of the user or the assumed role; `None` where STS could not be asked.
    pub identity: Option<String>,
}

impl Site {
    /// How often to repeat the same query at most, as AWS bills requests; the README says what that costs.
    pub fn refresh_every(&self) -> Duration {
        match self {
            Self::Folder(_) => Duration::ZERO,
            Self::Aws(_) => Duration::from_secs(5),
        }
    }

    /// How often to poll for new log lines: CloudWatch takes seconds to have them, and bills requests.
    pub fn look_every(&self) -> Duration {
        match self {
            Self::Folder(_) => Duration::from_millis(500),
            Self::Aws(_) => Duration::from_secs(3),
        }
    }
}

impl PipelineInfo {
    fn of(place: &Place, access: Access, site: Site) -> Self {
        let color = place.color.as_deref().and_then(|color| Color::from_str(color).ok());
        Self { name: place.name.clone(), site, read_only: access == Access::ReadOnly, color }
    }

    /// Where it is, on one line: the folder, or `123456789012 eu-central-1 stack leads as role/ops/ada`.
    pub fn place(&self) -> String {
        match &self.site {
            Site::Folder(folder) => folder.display().to_string(),
            Site::Aws(AwsSite { account, region, stack, identity }) => {
                // The name is usually shown in front of it.
                let stack = if *stack == self.name { String::new() } else { format!(" stack {stack}") };
                let who = identity.as_deref().map_or_else(String::new, |arn| format!(" as {}", person(arn)));
                format!("{account} {region}{stack}{who}")
            }
        }
    }
}

/// Opens the pipeline of a place; `access` becomes read-only if the place is.
///
/// On AWS this asks CloudFormation and STS concurrently, each bounded by the timeouts of `aws`.
///
/// # Errors
/// [`pipeline::Code::NoPipeline`] or why the folder cannot be opened; or as [`on_aws`].
pub async fn open_place(place: &Place, access: Access) -> Result<OpenPipeline, Fault> {
    let access = if place.read_only { Access::ReadOnly } else { access };
    match &place.at {
        Location::Folder(folder) => {
            let store = Store::open(folder, Options::default())?;
            let settings = Running::read(&store).await?.map(|running| running.settings).unwrap_or_default();
            let facts = PipelineInfo::of(place, access, Site::Folder(folder.clone()));
            Ok(OpenPipeline {
                ops: embedded::view(Arc::new(store.clone()), Arc::new(settings), host::user(), access),
                facts,
                store: Some(store),
                queues: None,
            })
        }
        Location::Stack(stack) => {
            let aws = on_aws(stack).await?;
            let facts = PipelineInfo::of(place, access, Site::Aws(aws.site()));
            let queues = aws.queues();
            Ok(OpenPipeline { ops: aws.ops_on(&queues, access), facts, store: None, queues: Some(queues) })
        }
    }
}

/// The end of an ARN that says who it is: `assumed-role/Ops/ada`, `user/ada`, `root`.
pub(super) fn person(arn: &str) -> String {
    text::shorten(arn.splitn(6, ':').nth(5).unwrap_or(arn), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_described_on_one_line() {
        let arn = "arn:aws:sts::123456789012:assumed-role/Ops/ada";
        let site = AwsSite {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            stack: "leads".to_owned(),
            identity: Some(arn.to_owned()),
        };
        let mut facts =
            PipelineInfo { name: "prod".to_owned(), site: Site::Aws(site), read_only: false, color: None };
        assert_eq!(facts.place(), "123456789012 eu-central-1 stack leads as assumed-role/Ops/ada");
        facts.name = "leads".to_owned();
        assert_eq!(facts.place(), "123456789012 eu-central-1 as assumed-role/Ops/ada");
    }
}
