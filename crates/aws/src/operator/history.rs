//! The journal for people, with the counts per minute, which CloudWatch stores.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat},
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
        let queries = COUNTED.iter().enumerate().map(|(index, counted)| self.query(index, *counted, period));
        let mut minutes: BTreeMap<i64, Minute> = BTreeMap::new();
        for result in self.ask("reading the counts per minute", queries.collect(), from, until).await? {
            let counted = COUNTED
                .iter()
                .enumerate()
                .find(|(index, _)| result.id() == Some(format!("m{index}").as_str()));
            let Some((_, counted)) = counted else { continue };
            for (at, sum) in result.timestamps().iter().zip(result.values()) {
                add(&mut minutes, at.secs(), *counted, *sum);
            }
        }
        Ok(minutes.into_values().collect())
    }

    /// What CloudWatch answers to `queries` from one second of 1970 on until another, from all of its pages. A query
    /// may have several results.
    async fn ask(
        &self,
        doing: &str,
        queries: Vec<MetricDataQuery>,
        from: i64,
        until: i64,
    ) -> Result<Vec<MetricDataResult>, Fault> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let request = self
                .cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(from))
                .end_time(DateTime::from_secs(until))
                .set_next_token(token);
            let answer = request.send().await.map_err(|error| fault(doing, &error))?;
            found.extend(answer.metric_data_results.unwrap_or_default());
            token = answer.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The whole minutes from `since` until now, as seconds of 1970.
    fn whole_minutes(&self, since: Timestamp) -> (i64, i64) {
        let first = since.as_second().div_euclid(MINUTE) * MINUTE;
        let end = (self.clock.now().as_second().div_euclid(MINUTE) + 1) * MINUTE;
        (first, end)
    }

    fn query(&self, index: usize, counted: LeadMetric, period: i64) -> MetricDataQuery {
        sum(&format!("m{index}"), NAMESPACE, metric(counted), &[(DIMENSION, &self.project)], period)
    }

    /// How many requests were refused from one second of 1970 on until another, by status; what the API has
    /// refused beyond those that the function did, under [`OTHER`].
    async fn refused_between(&self, from: i64, until: i64) -> Result<BTreeMap<String, u64>, Fault> {
        let mut queries = Vec::new();
        for status in STATUSES {
            let dimensions = [(DIMENSION, self.project.as_str()), (STATUS, &status.to_string())];
            queries.push(sum(&format!("m{status}"), NAMESPACE, REFUSED, &dimensions, MINUTE));
        }
        if let Some(api) = &self.api {
            for (id, name) in [("api4", "4XXError"), ("api5", "5XXError")] {
                queries.push(sum(id, "AWS/ApiGateway", name, &[("ApiName", api), ("Stage", "prod")], MINUTE));
            }
        }
        let (mut found, mut all): (BTreeMap<String, u64>, u64) = Default::default();
        for result in self.ask("reading the counts of refusals", queries, from, until).await? {
            let count: u64 = result.values().iter().map(|sum| whole(*sum)).sum();
            match result.id() {
                Some(id) if id.starts_with("api") => all += count,
                Some(id) if count > 0 => {
                    *found.entry(id.trim_start_matches('m').to_owned()).or_default() += count;
                }
                _ => {}
            }
        }
        let other = all.saturating_sub(found.values().sum());
        if other > 0 {
            found.insert(OTHER.to_owned(), other);
        }
        Ok(found)
    }
}

/// The sums of a metric for each `period`.
fn sum(id: &str, namespace: &str, name: &str, dimensions: &[(&str, &str)], period: i64) -> MetricDataQuery {
    let dimensions = dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value));
    let dimensions = dimensions.map(|dimension| dimension.build()).collect();
    let metric =
        Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions)).build();
    let period = i32::try_from(period).unwrap_or(i32::MAX);
    let sum = MetricStat::builder().metric(metric).period(period).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(sum).return_data(true).build()
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

    async fn refused(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        let (first, end) = self.whole_minutes(since);
        self.refused_between(first, end).await
    }

    async fn refused_webhooks(&self, since: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        let (first, end) = self.whole_minutes(since);
        let id = |code: Code| code.as_str().to_lowercase();
        let queries = CODES.map(|code| {
            let dimensions = [(DIMENSION, self.project.as_str()), (CODE, code.as_str())];
            sum(&id(code), NAMESPACE, REFUSED_WEBHOOKS, &dimensions, MINUTE)
        });
        let mut found = BTreeMap::new();
        for result in self.ask("reading the counts of refused webhooks", queries.into(), first, end).await? {
            let count: u64 = result.values().iter().map(|sum| whole(*sum)).sum();
            let code = CODES.into_iter().find(|code| result.id() == Some(id(*code).as_str()));
            if let Some(code) = code.filter(|_| count > 0) {
                *found.entry(code).or_default() += count;
            }
        }
        Ok(found)
    }
}

fn add(minutes: &mut BTreeMap<i64, Minute>, second: i64, counted: LeadMetric, sum: f64) {
    let sum = whole(sum);
    let at = second.div_euclid(MINUTE) * MINUTE;
    let Ok(start) = Timestamp::from_second(at) else { return };
    if sum == 0 {
        return;
    }
    let minute = minutes.entry(at).or_insert(Minute { at: start, ..Minute::default() });
    *match counted {
        LeadMetric::Accepted => &mut minute.accepted,
        LeadMetric::Enriched => &mut minute.enriched,
        LeadMetric::Notified => &mut minute.notified,
        LeadMetric::Failed => &mut minute.failed,
    } += sum;
}
