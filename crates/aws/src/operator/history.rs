//! The journal for people, with the counts per minute, which CloudWatch stores.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricStat},
};
use futures_util::try_join;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, LeadMetric, Progress, Stage,
    ports::{Clock, History, Minute, OTHER, OpenCounts, OpenLead},
};

use crate::{
    S3Store,
    fault::fault,
    metrics::{CODE, CODES, DIMENSION, NAMESPACE, REFUSED, REFUSED_WEBHOOKS, STATUS, STATUSES, metric},
};

/// The journal in a bucket and the counts of its stack.
#[derive(Clone)]
pub struct S3History {
    store: S3Store,
    cloudwatch: aws_sdk_cloudwatch::Client,
    project: String,
    /// The name of the API that the webhook is behind, where that is known.
    api: Option<String>,
    clock: std::sync::Arc<dyn Clock>,
}

const COUNTED: [LeadMetric; 4] =
    [LeadMetric::Accepted, LeadMetric::Enriched, LeadMetric::Notified, LeadMetric::Failed];
const MINUTE: i64 = 60;
/// How long a span is whose counts are asked for together, in seconds.
pub(super) const SPAN: i64 = 15 * MINUTE;

impl S3History {
    /// The journal in `store`, of the stack whose parameter `ProjectName` is `project`.
    pub fn new(
        store: S3Store,
        cloudwatch: aws_sdk_cloudwatch::Client,
        project: String,
        clock: std::sync::Arc<dyn Clock>,
    ) -> Self {
        Self { store, cloudwatch, project, api: None, clock }
    }

    /// With what the API of this name, in its stage `prod`, has answered by itself among what was refused.
    #[must_use]
    pub fn with_api(self, name: String) -> Self {
        Self { api: Some(name), ..self }
    }

    /// What was counted from one second of 1970 on until another, the oldest first: by the minute up to the next
    /// full span, then by the span, each at its start. A day is some hundred figures instead of 1,440.
    pub(super) async fn spans(&self, from: i64, until: i64) -> Result<Vec<Minute>, Fault> {
        let edge = (from.div_euclid(SPAN) + i64::from(from.rem_euclid(SPAN) > 0)) * SPAN;
        let edge = edge.min(until);
        let (mut found, spans) =
            try_join!(self.counted(from, edge, MINUTE), self.counted(edge, until, SPAN))?;
        found.extend(spans);
        Ok(found)
    }

    /// What was counted in each `period`, all in seconds; those without anything are left out.
    async fn counted(&self, from: i64, until: i64, period: i64) -> Result<Vec<Minute>, Fault> {
        if from >= until {
            return Ok(Vec::new());
        }
        let wanted = COUNTED.map(|counted| (counted, self.own(metric(counted), None)));
        let mut minutes: BTreeMap<Timestamp, Minute> = BTreeMap::new();
        let doing = "reading the counts per minute";
        for (counted, second, sum) in self.sums(doing, &wanted, (from, until), period).await? {
            let Ok(at) = Timestamp::from_second(minute_of(second)) else { continue };
            let minute = minutes.entry(at).or_insert(Minute { at, ..Minute::default() });
            *match counted {
                LeadMetric::Accepted => &mut minute.accepted,
                LeadMetric::Enriched => &mut minute.enriched,
                LeadMetric::Notified => &mut minute.notified,
                LeadMetric::Failed => &mut minute.failed,
            } += sum;
        }
        Ok(minutes.into_values().collect())
    }

    /// The sums of the wanted metrics from one second of 1970 on until another, for each `period` in which
    /// there is one: what the metric is wanted for, when the period began, and the sum.
    async fn sums<K: Copy>(
        &self,
        doing: &str,
        wanted: &[(K, Metric)],
        (from, until): (i64, i64),
        period: i64,
    ) -> Result<Vec<(K, i64, u64)>, Fault> {
        let period = i32::try_from(period).unwrap_or(i32::MAX);
        let queries = wanted.iter().enumerate().map(|(index, (_, metric))| {
            let sum = MetricStat::builder().metric(metric.clone()).period(period).stat("Sum").build();
            MetricDataQuery::builder().id(format!("m{index}")).metric_stat(sum).return_data(true).build()
        });
        let request = self.cloudwatch.get_metric_data().set_metric_data_queries(Some(queries.collect()));
        let request = request.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(until));
        let (mut pages, mut found) = (request.into_paginator().send(), Vec::new());
        while let Some(page) = pages.next().await {
            // A metric may have several results.
            for result in page.map_err(|error| fault(doing, &error))?.metric_data_results() {
                let index = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                let Some((key, _)) = index.and_then(|index| wanted.get(index)) else { continue };
                let sums = result.timestamps().iter().zip(result.values());
                let sums = sums.map(|(at, sum)| (*key, at.secs(), whole(*sum)));
                found.extend(sums.filter(|(_, _, sum)| *sum > 0));
            }
        }
        Ok(found)
    }

    /// The whole minutes from `since` until now, as seconds of 1970.
    fn whole_minutes(&self, since: Timestamp) -> (i64, i64) {
        (minute_of(since.as_second()), minute_of(self.clock.now().as_second()) + MINUTE)
    }

    /// A metric of ours, with a dimension besides the stack.
    fn own(&self, name: &str, more: Option<(&str, &str)>) -> Metric {
        let stack = (DIMENSION, self.project.as_str());
        metric_of(NAMESPACE, name, std::iter::once(stack).chain(more))
    }
}

fn metric_of<'a>(
    namespace: &str,
    name: &str,
    dimensions: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Metric {
    let dimensions = dimensions.into_iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    Metric::builder()
        .namespace(namespace)
        .metric_name(name)
        .set_dimensions(Some(dimensions.collect()))
        .build()
}

/// The start of the minute that a second of 1970 is in.
pub(super) fn minute_of(second: i64) -> i64 {
    second.div_euclid(MINUTE) * MINUTE
}

/// A sum of ones.
fn whole(sum: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = sum.max(0.0).round() as u64;
    whole
}

#[async_trait]
impl History for S3History {
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.store.recent(stages, since, before, limit).await
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        self.store.of_lead(lead).await
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        self.store.progress(lead).await
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        self.store.open_leads(self.clock.now(), limit).await
    }

    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        self.store.count_open(now, overdue_before).await
    }

    /// One request for up to two weeks, for which CloudWatch keeps single minutes:
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>.
    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        let (first, end) = self.whole_minutes(since);
        self.counted(first, end, MINUTE).await
    }

    /// What the API has refused beyond those that the function did is under [`OTHER`].
    async fn refused(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        let by_status =
            STATUSES.map(|status| (Some(status), self.own(REFUSED, Some((STATUS, &status.to_string())))));
        let mut wanted = by_status.to_vec();
        if let Some(api) = &self.api {
            let dimensions = [("ApiName", api.as_str()), ("Stage", "prod")];
            let of_api = ["4XXError", "5XXError"];
            wanted.extend(of_api.map(|name| (None, metric_of("AWS/ApiGateway", name, dimensions))));
        }
        let (mut found, mut all): (BTreeMap<String, u64>, u64) = Default::default();
        let doing = "reading the counts of refusals";
        for (status, _, count) in self.sums(doing, &wanted, self.whole_minutes(since), MINUTE).await? {
            match status {
                Some(status) => *found.entry(status.to_string()).or_default() += count,
                None => all += count,
            }
        }
        let other = all.saturating_sub(found.values().sum());
        if other > 0 {
            found.insert(OTHER.to_owned(), other);
        }
        Ok(found)
    }

    async fn refused_webhooks(&self, since: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        let wanted = CODES.map(|code| (code, self.own(REFUSED_WEBHOOKS, Some((CODE, code.as_str())))));
        let doing = "reading the counts of refused webhooks";
        let mut found = BTreeMap::new();
        for (code, _, count) in self.sums(doing, &wanted, self.whole_minutes(since), MINUTE).await? {
            *found.entry(code).or_default() += count;
        }
        Ok(found)
    }
}
