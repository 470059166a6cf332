//! `explain`: the page of a code.

use host::output;
use pipeline::{Code, RetryState};
use serde_json::json;

/// `leadops explain CODE`.
///
/// # Errors
/// That of stdout.
pub(crate) fn run(code: Code, as_json: bool) -> anyhow::Result<()> {
    let page = code.page().trim_end();
    if as_json {
        return output::json(&json!({
            "code": code,
            "cause": code.cause(),
            "remedy": code.remedy(RetryState::Reported),
            "remedy_while_tried_again": code.remedy(RetryState::Retrying),
            "remedy_when_dead": code.remedy(RetryState::Dead),
            "page": page,
        }));
    }
    output::lines(&page.lines().map(plain).collect::<Vec<_>>())
}

/// A line of a page as a terminal shows it: without the marks of headings, of bold text and of links.
fn plain(line: &str) -> String {
    if let Some(heading) = line.strip_prefix("## ") {
        return heading.to_uppercase();
    }
    let mut rest = line.strip_prefix("# ").unwrap_or(line).replace("**", "");
    while let Some((before, linked)) = rest.split_once('[') {
        let Some((text, after)) = linked.split_once("](") else { break };
        let Some((_, after)) = after.split_once(')') else { break };
        rest = format!("{before}{text}{after}");
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_plain_in_a_terminal() {
        assert_eq!(plain("# LO204"), "LO204");
        assert_eq!(plain("## How to fix it"), "HOW TO FIX IT");
        assert_eq!(
            plain("**What to do.** See [destinations](../destinations.md)."),
            "What to do. See destinations."
        );
        assert_eq!(plain("`[a]` is not a link"), "`[a]` is not a link");
    }
}
