//! The health of what the pipeline depends on: Slack, e-mail, Close, the source of owners, the credentials,
//! and the worker.

use jiff::SignedDuration;
use ops::{Condition, ConditionState};
use outside::text;
use pipeline::{Code, destination::DestinationId, ports::Level};

use crate::{
    app::App,
    format::{age, since},
    line::Line,
    remote::{Polling, QueryError},
    theme::Role,
};

/// How long a refused webhook is worth a warning.
const REFUSED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How many of the latest log lines are searched for one.
const LOOKED_THROUGH: usize = 500;

/// One indicator for each, those that need attention first.
pub(super) fn indicators(app: &App) -> Vec<Line> {
    let mut indicators: Vec<(Role, Line)> = Vec::new();
    let mut indicator = |role: Role, name: &str, detail: String| {
        let glyph = role.mark(app.glyphs);
        let text = if matches!(role, Role::Alarm | Role::Warn) { role } else { Role::Dim };
        let name = format!("{name} ");
        indicators.push((role, vec![(role, format!("{glyph} ")), (Role::Base, name), (text, detail)]));
    };
    match app.watch.get().and_then(|seen| seen.worked) {
        Some(false) => indicator(Role::Alarm, "worker", "none: start leadops up".to_owned()),
        Some(true) => indicator(Role::Good, "worker", "up".to_owned()),
        None => {}
    }
    if let Some(code) = refused_credentials(app) {
        indicator(Role::Alarm, "credentials", code.as_str().to_owned());
    }
    if let Some(health) = app.health.get() {
        let ago = |at| age(since(app.now, at));
        let conditions = app.status.get().map_or(&[][..], |status| &status.health);
        for Condition { what, state, reason, code, .. } in conditions {
            let role = match state {
                ConditionState::Fail => Role::Alarm,
                ConditionState::Ok => Role::Good,
                ConditionState::Warn | ConditionState::Unknown => Role::Warn,
            };
            let detail = code.map_or_else(|| text::shorten(reason, 30), |code| code.as_str().to_owned());
            indicator(role, &label(what), detail);
        }
        let is_reported = |id: &DestinationId| conditions.iter().any(|one| one.what == id.as_str());
        for destination in app.destinations.iter().filter(|id| !is_reported(id)) {
            let known = health.destinations.iter().find(|known| known.destination == *destination);
            let name = &destination.label();
            match known.map(|known| (known.code, known.at)) {
                None => indicator(Role::Dim, name, "unused".to_owned()),
                Some((None, at)) => indicator(Role::Good, name, ago(at)),
                Some((Some(code), at)) => indicator(severity(code), name, format!("{code} {}", ago(at))),
            }
        }
        match (refused_webhook(app), health.webhook_at) {
            (Some(code), _) => indicator(Role::Alarm, "Close", format!("refused {code}")),
            (None, Some(at)) => indicator(Role::Good, "Close", ago(at)),
            (None, None) => indicator(Role::Dim, "Close", "no events in 24 h".to_owned()),
        }
        // Anybody on the internet can cause any number of them, so they are no alarm.
        match app.status.get().map(|status| status.refused.last_hour) {
            None | Some(0) => {}
            Some(refused) => indicator(Role::Dim, "refused", format!("{refused} in 1 h")),
        }
        match (health.lookup_code, &health.fruitless_lookups, health.lookup_at) {
            (Some(code), ..) => indicator(severity(code), "owners", code.as_str().to_owned()),
            (None, Some(none), _) => {
                indicator(severity(none.code), "owners", format!("{} none {}", none.code, ago(none.since)))
            }
            (None, None, Some(at)) => indicator(Role::Good, "owners", ago(at)),
            (None, None, None) => {}
        }
    }
    indicators.sort_by_key(|(role, _)| match role {
        Role::Alarm => 0,
        Role::Warn => 1,
        _ => 2,
    });
    indicators.into_iter().map(|(_, line)| line).collect()
}

/// What a condition is called on the screen.
fn label(what: &str) -> String {
    what.parse().map_or_else(|_| what.to_owned(), |destination: DestinationId| destination.label())
}

/// Whether a failure recovers by itself or needs a person.
fn severity(code: Code) -> Role {
    match code {
        Code::SlackWebhookGone
        | Code::SlackForbidden
        | Code::SlackChannelClosed
        | Code::SlackNotConfigured
        | Code::MailRefused
        | Code::MailNotConfigured
        | Code::DestinationNotConfigured
        | Code::DestinationRefused
        | Code::OwnerDirectoryGone
        | Code::OwnersInOtherRegion
        | Code::OwnersRedirected
        | Code::CloseKeyMissing
        | Code::CloseKeyRefused
        | Code::CloseForbidden
        | Code::CloseFieldUnknown
        | Code::SecretUnusable
        | Code::FileUnusable
        | Code::SettingBad => Role::Alarm,
        _ => Role::Warn,
    }
}

/// Why the credentials are refused, if some query fails for it.
fn refused_credentials(app: &App) -> Option<Code> {
    let of = |polling: &Polling| match &polling.error.as_ref()?.error {
        error @ QueryError::Fault(fault) if error.is_refusal() => Some(fault.code),
        _ => None,
    };
    of(&app.status).or_else(|| app.panels.all().find_map(|view| of(view.polling())))
}

/// The code of the last refused webhook, if none was accepted after it and it is not long ago.
fn refused_webhook(app: &App) -> Option<Code> {
    let line = app.panels.logs.lines.iter().rev().take(LOOKED_THROUGH).find(|line| {
        let codes =
            [Code::SignatureMissing, Code::SignatureWrong, Code::SignatureOfAnother, Code::SignatureStale];
        let is = |code: Code| line.code.as_deref() == Some(code.as_str());
        // An unsigned request to another path is a warning, a signed webhook there an error.
        line.level >= Level::Warn && codes.into_iter().any(is)
            || line.level >= Level::Error && is(Code::NotTheWebhook)
    })?;
    let accepted = app.health.get().and_then(|health| health.webhook_at);
    let recent = app.now.duration_since(line.at) < REFUSED_FOR;
    (recent && accepted.is_none_or(|at| at < line.at)).then(|| line.code.as_deref()?.parse().ok())?
}
