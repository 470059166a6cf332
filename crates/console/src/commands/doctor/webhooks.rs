//! Whether webhooks are accepted.

use std::collections::BTreeMap;

use ops::{Ops, Webhooks};
use pipeline::{Code, Fault, ports::OTHER};

use super::{Check, Grade};

const NAME: &str = "webhooks";
/// What strangers send to any address all day, and none of our settings can cause: requests to any path, of any size and
/// without a signature. A head that is too large may be a proxy's.
const OF_STRANGERS: [&str; 5] = ["401", "404", "405", "408", "413"];

/// Checks the requests of the last hour.
pub(super) async fn check(ops: &Ops) -> Check {
    match ops.webhooks().await {
        Ok(webhooks) => assess(&webhooks),
        Err(fault) => Check::bad(NAME, Grade::Warning, &fault),
    }
}

/// Refused requests that look like Close's are a problem. Others are listed, and are a problem only if nothing was
/// accepted and strangers do not explain them: an address on the internet gets their requests all day, also in an hour
/// in which nobody creates a lead.
fn assess(webhooks: &Webhooks) -> Check {
    let Webhooks { accepted, refused, refused_webhooks } = webhooks;
    let came = match accepted {
        0 => "none was accepted in the last hour".to_owned(),
        1 => "1 was accepted in the last hour".to_owned(),
        number => format!("{number} were accepted in the last hour"),
    };
    if refused.is_empty() && refused_webhooks.is_empty() {
        return Check::ok(NAME, if *accepted == 0 { "none in the last hour".to_owned() } else { came });
    }
    let all = format!("all that was refused: {}", listed(refused, |status| named(status)));
    // The most frequent reason; the address last, as strangers try others all day.
    let rank = |(code, count): &(&Code, &u64)| (**code != Code::NotTheWebhook, **count);
    if let Some((code, _)) = refused_webhooks.iter().rev().max_by_key(rank) {
        let genuine = match refused_webhooks.values().sum() {
            1_u64 => "1 that looks like Close's was refused".to_owned(),
            number => format!("{number} that look like Close's were refused"),
        };
        let why = listed(refused_webhooks, |code| format!("{code} {}", code.cause().trim_end_matches('.')));
        let fault = Fault::new(*code, format!("{came}, and {genuine}: {why} ({all})"));
        return Check::bad(NAME, if *accepted == 0 { Grade::Failed } else { Grade::Warning }, &fault);
    }
    let what = format!("{came}; {all}; none of it looks like Close's");
    // It may have been Close's: what cannot be read has no headers.
    let unexplained = refused.keys().map(String::as_str).find(|status| !OF_STRANGERS.contains(status));
    match unexplained.filter(|_| *accepted == 0) {
        Some("400" | "431") => Check::bad(NAME, Grade::Warning, &Fault::new(Code::NotHttp, what)),
        Some("503") => Check::bad(NAME, Grade::Warning, &Fault::new(Code::NotStored, what)),
        Some(_) => Check::note(NAME, what),
        None => Check::ok(NAME, what),
    }
}

fn listed<K>(counts: &BTreeMap<K, u64>, name: impl Fn(&K) -> String) -> String {
    let named: Vec<String> = counts.iter().map(|(key, count)| format!("{count} × {}", name(key))).collect();
    named.join(", ")
}

/// An HTTP status with its meaning here.
fn named(status: &str) -> String {
    let stands_for = match status {
        "400" => "cannot be read",
        "401" => "signature",
        "404" => "another path",
        "405" => "another method",
        "408" => "too slow",
        "413" => "too large",
        "431" => "head too large",
        "500" => "a bug",
        "503" => "not stored",
        OTHER => return "answered before leadops saw it".to_owned(),
        _ => return status.to_owned(),
    };
    format!("{status} {stands_for}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accepted: u64, refused: &[(&str, u64)], refused_webhooks: &[(Code, u64)]) -> Check {
        let refused = refused.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect();
        assess(&Webhooks { accepted, refused, refused_webhooks: refused_webhooks.iter().copied().collect() })
    }

    #[test]
    fn where_webhooks_are_refused_and_none_is_accepted_nothing_is_well() {
        let check = of(0, &[("401", 5), ("404", 9)], &[(Code::SignatureWrong, 3), (Code::NotTheWebhook, 2)]);
        assert_eq!(
            (check.check.as_ref(), check.result, check.code),
            (NAME, Grade::Failed, Some(Code::SignatureWrong))
        );
        let cause = |code: Code| code.cause().trim_end_matches('.').to_owned();
        assert_eq!(
            check.detail,
            format!(
                "none was accepted in the last hour, and 5 that look like Close's were refused: 3 × LO102 {}, \
                 2 × LO109 {} (all that was refused: 5 × 401 signature, 9 × 404 another path)",
                cause(Code::SignatureWrong),
                cause(Code::NotTheWebhook)
            )
        );
        for code in [Code::SignatureMissing, Code::NotTheWebhook, Code::NotStored, Code::UnsignedExposed] {
            let check = of(0, &[("401", 1)], &[(code, 1)]);
            assert_eq!((check.result, check.code), (Grade::Failed, Some(code)));
            assert!(check.detail.contains("1 that looks like Close's was refused"), "{}", check.detail);
        }
        let tie = of(0, &[("401", 2)], &[(Code::SignatureMissing, 1), (Code::SignatureWrong, 1)]);
        assert_eq!(tie.code, Some(Code::SignatureMissing));
    }

    #[test]
    fn where_others_are_accepted_it_is_a_warning() {
        let check = of(12, &[("401", 1)], &[(Code::SignatureWrong, 1)]);
        assert_eq!((check.result, check.code), (Grade::Warning, Some(Code::SignatureWrong)));
        assert!(
            check.detail.starts_with("12 were accepted in the last hour, and 1 that looks"),
            "{}",
            check.detail
        );
    }

    #[test]
    fn what_strangers_and_probes_send_fails_nobody() {
        assert_eq!(of(0, &[], &[]).detail, "none in the last hour");
        assert_eq!(of(1, &[], &[]).detail, "1 was accepted in the last hour");
        let scanned = [("401", 40), ("404", 700), ("405", 2), ("413", 1)];
        for accepted in [0, 12] {
            let check = of(accepted, &scanned, &[]);
            assert_eq!((check.result, check.code), (Grade::Ok, None), "{}", check.detail);
            assert!(check.detail.contains("700 × 404 another path"), "{}", check.detail);
        }
        assert_eq!(of(0, &[("401", 1)], &[]).result, Grade::Ok);
    }

    #[test]
    fn what_nobody_can_be_told_by_is_a_warning_while_nothing_comes() {
        for (status, code) in [
            ("400", Some(Code::NotHttp)),
            ("431", Some(Code::NotHttp)),
            ("503", Some(Code::NotStored)),
            (OTHER, None),
            ("500", None),
            ("418", None),
        ] {
            let check = of(0, &[("401", 1), (status, 2)], &[]);
            assert_eq!((check.result, check.code), (Grade::Warning, code), "{status}");
            assert_eq!(of(1, &[(status, 2)], &[]).result, Grade::Ok, "{status}");
        }
    }
}
