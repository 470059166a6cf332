//! `explain`: the page of a code.

use host::output;
use pipeline::{Code, RetryState};
use serde_json::json;

/// The pages of `docs/codes`, by code.
macro_rules! pages {
    ($($code:literal)*) => {
        &[$(($code, include_str!(concat!("../../../../docs/codes/", $code, ".md")))),*]
    };
}

const PAGES: &[(&str, &str)] = pages! {
    "LO101" "LO102" "LO103" "LO104" "LO105" "LO106" "LO107" "LO108" "LO109" "LO110" "LO111" "LO112" "LO113"
    "LO114" "LO115" "LO121" "LO122" "LO123" "LO124" "LO125" "LO126" "LO127" "LO128" "LO129" "LO131" "LO132"
    "LO133" "LO134" "LO135" "LO136" "LO137" "LO138" "LO139" "LO201" "LO202" "LO203" "LO204" "LO205" "LO206"
    "LO207" "LO208" "LO209" "LO210" "LO211" "LO212" "LO213" "LO221" "LO222" "LO223" "LO224" "LO225" "LO228"
    "LO229" "LO230" "LO231" "LO232" "LO233" "LO234" "LO235" "LO401" "LO402" "LO403" "LO404" "LO405" "LO406"
    "LO407" "LO408" "LO409" "LO411" "LO412" "LO413" "LO414" "LO415" "LO416" "LO417" "LO418" "LO419" "LO420"
    "LO421" "LO501" "LO502" "LO503" "LO504" "LO505" "LO506" "LO507" "LO508" "LO509" "LO510" "LO511" "LO512"
    "LO513" "LO514" "LO515" "LO516" "LO519" "LO521" "LO522" "LO523" "LO524" "LO525" "LO526" "LO527" "LO528"
    "LO529" "LO530" "LO531" "LO532" "LO533" "LO534" "LO535" "LO901" "LO902" "LO903" "LO904" "LO905" "LO906"
    "LO907" "LO908" "LO909" "LO910" "LO911" "LO912" "LO913" "LO999"
};

/// `leadops explain CODE`.
///
/// # Errors
/// That of stdout.
pub(crate) fn run(code: Code, as_json: bool) -> anyhow::Result<()> {
    let page = page(code);
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

/// The page of a code, as Markdown.
fn page(code: Code) -> &'static str {
    PAGES.iter().find(|(of, _)| *of == code.as_str()).map_or("", |(_, page)| page.trim_end())
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

    /// A page's paragraph with its lines joined.
    fn paragraphs(page: &str) -> Vec<String> {
        page.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn every_code_has_a_page_that_begins_with_its_cause_and_remedies() {
        let named: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(named, codes);
        for code in Code::ALL.iter().copied() {
            let remedy = code.remedy(RetryState::Reported);
            let mut expected =
                vec![format!("# {code}"), code.cause().to_owned(), format!("**What to do.** {remedy}")];
            for (when, other) in [
                ("While it is tried again", code.remedy(RetryState::Retrying)),
                ("As a dead letter", code.remedy(RetryState::Dead)),
            ] {
                if other != remedy {
                    expected.push(format!("**{when}.** {other}"));
                }
            }
            let head = page(code).split("\n## ").next().unwrap();
            assert_eq!(paragraphs(head.trim_end()), expected, "docs/codes/{code}.md");
            let longest = page(code).lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(100), "docs/codes/{code}.md");
        }
    }

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
