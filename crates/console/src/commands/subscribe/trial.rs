//! Whether webhooks that Close posts to an address would arrive.

use close::signature::Keys;
use outbound::address::{
    PROBE_TIMEOUT, ProbeVerdict, probe, resolved_unreachable_reason, unreachable_reason,
};
use pipeline::{Code, Fault, webhook};
use url::Url;
use web::shown;

/// Notes about an address, after probing it, also with the pipeline's keys. `of_stack` is the stack's own webhook, if
/// there is a stack.
///
/// # Errors
/// [`Code::WebhookOutOfReach`] and [`Code::WebhookElsewhere`] where nothing would arrive; with `force` a note says so.
pub(super) async fn of(
    url: &Url,
    of_stack: Option<&Url>,
    keys: &Keys,
    force: bool,
) -> Result<Vec<String>, Fault> {
    let mut notes = Vec::new();
    let unless_forced =
        |fault: Fault| if force { Ok(format!("{fault} (ignored because of --force)")) } else { Err(fault) };
    let why = match unreachable_reason(url) {
        Some(why) => Some(why),
        None => resolved_unreachable_reason(url).await,
    };
    if let Some(why) = why {
        // Nothing is posted there without --force.
        notes.push(unless_forced(Fault::new(Code::WebhookOutOfReach, format!("{}: {why}", shown(url))))?);
    }
    let later = "`leadops doctor` tries it again";
    let judged = probe(url, PROBE_TIMEOUT, keys).await.assess(url);
    let is_good = matches!(judged, ProbeVerdict::Good(_));
    match judged {
        ProbeVerdict::Good(what) => notes.push(what),
        ProbeVerdict::Bad(fault) => notes.push(unless_forced(fault)?),
        // Before the first key there is no `leadops up` that could answer.
        ProbeVerdict::Unavailable(fault) | ProbeVerdict::Refusing(fault) => {
            notes.push(format!("{fault}; {later}"))
        }
        ProbeVerdict::Unknown(what) => notes.push(format!("{what}; {later}")),
    }
    notes.extend(other_path(url, of_stack).filter(|_| !is_good));
    Ok(notes)
}

/// A note about a path that is not the webhook's.
fn other_path(url: &Url, of_stack: Option<&Url>) -> Option<String> {
    let path = url.path();
    let is_known = webhook::is_at(path) || of_stack.is_some_and(|own| own.path() == path);
    (!is_known).then(|| {
        let own = of_stack.map_or(webhook::PATH, Url::path);
        let path = outside::text::shorten(path, 100);
        format!(
            "the path is {path}, and leadops answers at {own}: correct only if a proxy in front rewrites it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_path_is_named_and_the_webhooks_own_is_not() {
        let path = |path: &str, of_stack: Option<&str>| {
            let [url, own] = [Some(path), of_stack]
                .map(|path| path.map(|path| format!("https://h.example.com{path}").parse::<Url>().unwrap()));
            other_path(&url.unwrap(), own.as_ref())
        };
        for known in ["/crm/webhook", "/crm/webhook/", "//crm/webhook", "/crm/webhook?x=1"] {
            assert_eq!(path(known, None), None, "{known}");
        }
        for other in ["/", "", "/webhook", "/leads/crm/webhook", "/CRM/webhook"] {
            let note = path(other, None).unwrap();
            assert!(note.contains("leadops answers at /crm/webhook"), "{note}");
        }
        assert_eq!(
            path("/hook", None).unwrap(),
            "the path is /hook, and leadops answers at /crm/webhook: correct only if a proxy in front rewrites it"
        );
        let stack = Some("/prod/crm/webhook");
        assert_eq!((path("/prod/crm/webhook", stack), path("/crm/webhook", stack)), (None, None));
        assert!(path("/hook", stack).unwrap().contains("answers at /prod/crm/webhook"));
    }
}
