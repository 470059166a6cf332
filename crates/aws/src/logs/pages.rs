//! Reading one log group, page by page.

use std::time::Duration;

use lead::LeadId;
use pipeline::{Code, Fault, Function};

use super::{CloudWatchLogs, event, found::Found};
use crate::fault::fault;

/// How often a page is asked for again that CloudWatch throttles, the pause doubled each time.
const PATIENCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// From this time on, in milliseconds since 1970.
    pub(super) start: i64,
    /// Up to and with this time.
    pub(super) until: Option<i64>,
    /// At most so many pages.
    pub(super) pages: usize,
}

/// What was read of a group.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) found: Vec<Found>,
    /// From when on lines are missing, where not all pages were read. Pages come the oldest first.
    pub(super) missing_from: Option<i64>,
}

impl CloudWatchLogs {
    /// The lines of a group. Where CloudWatch stays throttled in the middle, those before.
    pub(super) async fn pages(
        &self,
        function: Function,
        group: &str,
        lead: Option<&LeadId>,
        range: Range,
    ) -> Result<Read, Fault> {
        // Only our own lines name a lead, and the pattern finds them in all pages at once. There is none
        // for levels: the platform's own words on time-outs and crashes have none.
        let pattern = lead.map(|lead| format!("{{ $.lead_id = \"{lead}\" }}"));
        let mut read = Read::default();
        let (mut token, mut reached) = (None, range.start);
        for _ in 0..range.pages {
            let page = match self.page(group, pattern.as_deref(), range, token).await {
                Ok(page) => page,
                Err(fault) if fault.code == Code::AwsThrottled && !read.found.is_empty() => {
                    read.missing_from = Some(reached);
                    return Ok(read);
                }
                Err(fault) => return Err(fault),
            };
            for event in page.events.unwrap_or_default() {
                reached = reached.max(event.timestamp.unwrap_or(reached));
                read.found.extend(event::found(function, event));
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(read);
            }
        }
        read.missing_from = Some(reached);
        Ok(read)
    }

    async fn page(
        &self,
        group: &str,
        pattern: Option<&str>,
        range: Range,
        token: Option<String>,
    ) -> Result<aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput, Fault> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 0;
        loop {
            self.limiter.admit().await;
            let asked = self
                .client
                .filter_log_events()
                .log_group_name(group)
                .start_time(range.start)
                .set_end_time(range.until)
                .set_filter_pattern(pattern.map(str::to_owned))
                .set_next_token(token.clone())
                .send()
                .await;
            let fault = match asked {
                Ok(page) => return Ok(page),
                Err(error) => fault(&format!("reading the log group {group}"), &error),
            };
            attempt += 1;
            if fault.code != Code::AwsThrottled || attempt > PATIENCE {
                return Err(fault);
            }
            self.clock.sleep(pause).await;
            pause *= 2;
        }
    }
}
