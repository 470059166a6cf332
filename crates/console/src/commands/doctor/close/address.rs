//! Whether what Close posts arrives.

use futures_util::future::join_all;
use outbound::address::{Judged, attempt, obstacle, resolved_obstacle, shown};
use pipeline::{Code, Fault};
use url::Url;

use super::Check;

const NAME: &str = "close address";

/// One line for each of these addresses of active subscriptions.
pub(super) async fn checks(urls: impl Iterator<Item = &Url>) -> Vec<Check> {
    let mut different: Vec<&Url> = urls.collect();
    different.sort_unstable();
    different.dedup();
    join_all(different.into_iter().map(of)).await
}

async fn of(url: &Url) -> Check {
    let why = match obstacle(url) {
        Some(why) => Some(why),
        None => resolved_obstacle(url).await,
    };
    if let Some(why) = why {
        let fault = Fault::new(Code::WebhookOutOfReach, format!("{}: {why}", shown(url)));
        return Check::bad(NAME, "failed", &fault);
    }
    match attempt(url).await.judge(url) {
        Judged::Good(what) => Check::ok(NAME, what),
        Judged::Bad(fault) | Judged::Away(fault) | Judged::Unwell(fault) => {
            Check::bad(NAME, "failed", &fault)
        }
        Judged::Untried(what) => Check::note(NAME, format!("{what} (from this machine; Close may reach it)")),
    }
}
