//! Whether Close can reach the address.

use close::signature::Keys;
use futures_util::future::{join, join_all};
use outbound::address::{
    PROBE_TIMEOUT, ProbeVerdict, probe, resolved_unreachable_reason, unreachable_reason,
};
use pipeline::{Code, Fault};
use url::Url;
use web::shown;

use super::{Check, Grade};

const NAME: &str = "close address";

/// The checks of the addresses of active subscriptions.
pub(super) async fn checks(urls: impl Iterator<Item = &Url>, keys: &Keys) -> Vec<Check> {
    let mut different: Vec<&Url> = urls.collect();
    different.sort_unstable();
    different.dedup();
    join_all(different.into_iter().map(|url| of(url, keys))).await.concat()
}

async fn of(url: &Url, keys: &Keys) -> Vec<Check> {
    let out_of_reach = |result, why: String| {
        Check::bad(NAME, result, &Fault::new(Code::WebhookOutOfReach, format!("{}: {why}", shown(url))))
    };
    if let Some(why) = unreachable_reason(url) {
        return vec![out_of_reach(Grade::Failed, why)];
    }
    let (resolved, tried) = join(resolved_unreachable_reason(url), probe(url, PROBE_TIMEOUT, keys)).await;
    // A machine may resolve its own name to a local address, which the internet does not.
    let resolved = resolved.map(|why| out_of_reach(Grade::Warning, why));
    let tried = match tried.assess(url) {
        ProbeVerdict::Good(what) => Check::ok(NAME, what),
        ProbeVerdict::Bad(fault) | ProbeVerdict::Unavailable(fault) | ProbeVerdict::Refusing(fault) => {
            Check::bad(NAME, Grade::Failed, &fault)
        }
        ProbeVerdict::Unknown(what) => {
            Check::note(NAME, format!("{what} (from this machine; Close may reach it)"))
        }
    };
    resolved.into_iter().chain([tried]).collect()
}
