//! `status`, `pending`, `leads`, `lead`.

use std::num::NonZeroUsize;

use host::output;
use jiff::SignedDuration;
use lead::{LeadId, OwnerStatus, Timestamp};
use ops::{Condition, ConditionState, LeadQuery, LeadStory, Notification, Ops, OwnerCell, Refused, Status};
use pipeline::{
    Code, Fault, State,
    ports::{Depth, OpenCounts},
};

use crate::{
    cli::LeadsArgs,
    table::{Cell, age, number, table, text, wide},
};

/// How many open leads `pending` shows as a table, unless asked for more.
const PENDING: usize = 200;

/// `leadops status`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn status(ops: &Ops, as_json: bool) -> anyhow::Result<()> {
    let (mut status, fruitless) = futures_util::try_join!(ops.status(), ops.fruitless_lookups())?;
    status.health.extend(fruitless.map(|fruitless| fruitless.condition()));
    if as_json { output::json(&status) } else { output::lines(&status_lines(&status)) }
}

fn status_lines(status: &Status) -> Vec<String> {
    let queue = |depth: &Depth| {
        let Depth { waiting, ready, in_flight, dead } = depth;
        format!("{waiting} waiting, {ready} ready, {in_flight} in flight, {dead} dead")
    };
    let milliseconds = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let Status { pending, processing, overdue, queues, last_24h: day, speed, refused, .. } = status;
    let dead = status
        .oldest_dead_seconds
        .map_or_else(String::new, |seconds| format!(", the oldest dead letter {} old", age(seconds)));
    let [p50, p95, p99] = [speed.p50_ms, speed.p95_ms, speed.p99_ms].map(milliseconds);
    let mut rows = vec![
        ("leads", format!("{pending} pending, {processing} processing, {overdue} overdue")),
        ("delay", queue(&queues.delay)),
        ("notification", queue(&queues.notification) + &dead),
        (
            "last 24 h",
            format!(
                "{} accepted, {} enriched, {} notified, {} failed",
                day.accepted, day.enriched, day.notified, day.failed
            ),
        ),
    ];
    let Refused { last_hour, by_code } = refused;
    if *last_hour > 0 {
        let by_code: Vec<String> =
            by_code.iter().map(|(code, count)| format!("{count} with {code}")).collect();
        rows.push(("refused", format!("{last_hour} in the last hour: {}", by_code.join(", "))));
    }
    rows.push(("due to sent", format!("p50 {p50}, p95 {p95}, p99 {p99}")));
    rows.push(("as of", status.as_of.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    let mut lines: Vec<String> =
        rows.into_iter().map(|(label, value)| format!("{label:<13} {value}")).collect();
    lines.extend(status.health.iter().map(condition));
    lines
}

/// A condition with its symbol, its code and what to do.
fn condition(condition: &Condition) -> String {
    let Condition { what, state, reason, code, .. } = condition;
    let symbol = match state {
        ConditionState::Ok => "✓",
        ConditionState::Warn => "▲",
        ConditionState::Fail => "✗",
        ConditionState::Unknown => "?",
    };
    let text = match code {
        Some(code) => Fault::new(*code, reason.clone()).line(),
        None => reason.clone(),
    };
    format!("{:<13} {text}", format!("{symbol} {what}"))
}

/// `leadops pending`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn pending(ops: &Ops, limit: Option<NonZeroUsize>, as_json: bool) -> anyhow::Result<()> {
    let limit = limit.map(NonZeroUsize::get);
    if as_json {
        return output::json(&ops.pending(limit.unwrap_or(usize::MAX)).await?);
    }
    let limit = limit.unwrap_or(PENDING);
    let rows = ops.pending(limit).await?;
    let shown = rows.len();
    // Only a full page can have more after it.
    let open = if shown < limit { None } else { Some(ops.count_open().await?) };
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let due = match row.due_in_seconds {
                left if left >= 0 => format!("in {}:{:02}", left / 60, left % 60),
                late => format!("{} ago", age(late.unsigned_abs())),
            };
            let state = if row.state == State::Overdue { "OVERDUE" } else { row.state.as_str() };
            vec![due, state.to_owned(), row.display_name, row.lead_id.to_string(), stamp(row.received_at)]
        })
        .collect();
    table(
        &[number("due"), text("state"), wide("name"), text("lead"), text("received utc")],
        rows,
        "No open leads.",
    )?;
    match open.and_then(|open| more(&open, shown)) {
        Some(more) => output::line(&more),
        None => Ok(()),
    }
}

/// How many more leads are open than are shown.
fn more(open: &OpenCounts, shown: usize) -> Option<String> {
    let left = open.total().saturating_sub(shown as u64);
    let at_least = if open.exact { "" } else { "at least " };
    (left > 0).then(|| format!("and {at_least}{left} more"))
}

/// `leadops leads`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn leads(ops: &Ops, args: &LeadsArgs, as_json: bool) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let query = LeadQuery {
        limit: args.limit,
        owner: args.owner.clone(),
        since: args.since.map(|since| since.before(now)),
        text: args.text.clone(),
    };
    let rows = ops.leads(&query).await?;
    if as_json {
        return output::json(&rows);
    }
    let rows: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|row| {
            let lead = row.lead;
            let alerts = row.notifications.iter().map(delivery).collect::<Vec<_>>().join(" ");
            vec![
                stamp(lead.enriched_at).into(),
                lead.display_name.clone().into(),
                Cell::Owners(OwnerCell::of(&lead)),
                lead.funnel.into(),
                alerts.into(),
                lead.lead_id.to_string().into(),
            ]
        })
        .collect();
    let columns =
        [text("enriched utc"), wide("name"), wide("owner"), wide("funnel"), text("alerts"), text("lead")];
    table(&columns, rows, "No leads match.")
}

/// `leadops lead LEAD_ID`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn lead(ops: &Ops, lead: &LeadId, as_json: bool) -> anyhow::Result<()> {
    let story = ops.lead(lead).await?;
    if as_json { output::json(&story) } else { output::lines(&story_lines(&story)) }
}

/// `leadops lead LEAD_ID --raw`.
///
/// # Errors
/// [`Code::Usage`] with `--json`, the fault of the pipeline, or of stdout.
pub(crate) async fn raw(ops: &Ops, lead: &LeadId, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let what = "--raw prints the event itself, so --json does not go with it";
        return Err(Fault::new(Code::Usage, what).into());
    }
    output::verbatim(&ops.raw_bytes(lead).await?)
}

fn story_lines(story: &LeadStory) -> Vec<String> {
    let mut lines = vec![format!("{}  {}  {}", story.display_name, story.lead_id, story.state.as_str())];
    if let Some(lead) = &story.lead {
        lines.extend([String::new(), field("owner", &lead.owner_label())]);
        // The owner's label already says that the owner has left.
        if !lead.has_owner() && lead.owner_status != OwnerStatus::Departed {
            lines.push(field("", &lead.owner_status.as_str().replace('_', " ")));
        }
        lines.push(field("e-mail", &lead.lead_email));
        lines.extend(lead.lead_phone.as_ref().map(|phone| field("phone", phone)));
        lines.extend([
            field("funnel", &lead.funnel),
            field("label", &lead.status_label),
            field("created", &lead.date_created),
        ]);
    }
    lines.extend([
        field("raw", &story.raw_key),
        field("target", &story.target_key),
        field("in Close", &story.lead_id.close_url()),
        String::new(),
    ]);
    let mut last: Option<Timestamp> = None;
    for step in &story.timeline {
        let after = last.map_or_else(String::new, |last| format!("+{}", short(step.at.duration_since(last))));
        lines.push(format!(
            "{}  {after:>8}  {:<16} {}",
            step.at.strftime("%Y-%m-%d %H:%M:%S"),
            step.stage.as_str(),
            step.detail
        ));
        last = Some(step.at);
    }
    lines
}

fn field(label: &str, value: &str) -> String {
    format!("{label:<9} {value}")
}

/// One alert in a cell: a mark and the destination.
fn delivery(notification: &Notification) -> String {
    let mark = match notification.state {
        "sent" => "✓",
        "partly_sent" => "!",
        "failed" => "✗",
        _ => "…",
    };
    let code = notification.code.map_or_else(String::new, |code| format!(" {code}"));
    format!("{mark} {}{code}", notification.destination)
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn short(span: SignedDuration) -> String {
    let ms = u64::try_from(span.as_millis()).unwrap_or_default();
    if ms < 10_000 { format!("{}.{:01} s", ms / 1_000, ms % 1_000 / 100) } else { age(ms / 1_000) }
}

#[cfg(test)]
mod tests {
    use lead::EnrichedLead;

    use super::*;
    use crate::table::tests::lead as owned;

    #[test]
    fn a_story_names_all_owners_who_has_left_and_the_phone_number() {
        let head = |lead: EnrichedLead| {
            let story = LeadStory {
                lead_id: lead.lead_id.clone(),
                display_name: "Harbour".to_owned(),
                state: State::Notified,
                due_at: Timestamp::UNIX_EPOCH,
                owner_status: Some(lead.owner_status),
                lead: Some(lead),
                notifications: Vec::new(),
                timeline: Vec::new(),
                raw_key: String::new(),
                target_key: String::new(),
            };
            story_lines(&story)[2..5].to_vec()
        };
        let two = [("Renewals Desk", false), ("Sales North", true)];
        let mut lead = owned(OwnerStatus::Assigned, &two);
        lead.lead_phone = Some("+1 202-555-0141".to_owned());
        let (owners, email) =
            ("owner     Sales North, Renewals Desk (departed)", "e-mail    unknown@example.com");
        assert_eq!(head(lead), [owners, email, "phone     +1 202-555-0141"]);
        let left = head(owned(OwnerStatus::Departed, &two[..1]));
        assert_eq!(left[..2], ["owner     Renewals Desk (departed)", email]);
        let failed = head(owned(OwnerStatus::LookupFailed, &[]));
        assert_eq!(failed[..2], ["owner     Unassigned", "          lookup failed"]);
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let open = OpenCounts { waiting: 990, due: 9, overdue: 1, exact: true };
        assert_eq!(more(&open, 200).as_deref(), Some("and 800 more"));
        assert_eq!(more(&OpenCounts { exact: false, ..open }, 200).as_deref(), Some("and at least 800 more"));
        assert_eq!(more(&open, 1_000), None);
        // Some have ended between the listing and the count.
        assert_eq!(more(&open, 1_001), None);
    }
}
