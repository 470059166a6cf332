//! What Close says of its subscription.

use outbound::Subscription;
use pipeline::{Code, Fault};
use url::Url;

use super::Check;
use crate::{
    commands::subscribe::{api, posts_to},
    config::Config,
};

const NAME: &str = "close";
/// The path of the webhook of an embedded pipeline, whose address nobody but its proxy knows.
const PATH: &str = "/crm/webhook";

/// The subscriptions that post to `url`, or to an address with the webhook's path.
pub(super) async fn check(config: &Config, url: Option<&Url>) -> Vec<Check> {
    if !config.has_secret("CLOSE_API_KEY") {
        return vec![Check::ok(NAME, "not asked for its subscription: CLOSE_API_KEY is not set")];
    }
    let asked = async { api(config)?.subscriptions().await };
    let mut found = match asked.await {
        Ok(found) => found,
        Err(fault) => return vec![Check::bad(NAME, "failed", &fault)],
    };
    found.retain(|subscription| match url {
        Some(url) => posts_to(subscription, url),
        None => Url::parse(&subscription.url).is_ok_and(|url| url.path().ends_with(PATH)),
    });
    if found.is_empty() {
        let what = match url {
            Some(url) => format!("Close has no subscription that posts to {url}"),
            None => format!("Close has no subscription that posts to an address ending in {PATH}"),
        };
        return vec![Check::bad(NAME, "failed", &Fault::new(Code::SubscriptionMissing, what))];
    }
    found.iter().map(of).collect()
}

fn of(subscription: &Subscription) -> Check {
    let Subscription { id, url, is_active, has_leads, health, pause_reason, latest_error, .. } = subscription;
    let mut told = vec![format!("{id} is {}", if *is_active { "active" } else { "paused" })];
    told.extend(pause_reason.clone());
    told.extend(health.clone());
    told.extend(latest_error.as_ref().map(|error| format!("latest error: {error}")));
    let detail = format!("{}, to {url}", told.join(", "));
    if !has_leads {
        let what = format!("{detail}: new leads are not among its events");
        return Check::bad(NAME, "failed", &Fault::new(Code::SubscriptionMissing, what));
    }
    let unwell = Fault::new(Code::SubscriptionUnwell, detail.clone());
    match (is_active, health.as_deref()) {
        (false, _) => Check::bad(NAME, "failed", &unwell),
        (true, None | Some("healthy")) if latest_error.is_none() => Check::ok(NAME, detail),
        (true, _) => Check::bad(NAME, "warning", &unwell),
    }
}
