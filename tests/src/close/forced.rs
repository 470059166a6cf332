use std::time::Duration;

use super::{
    answer::Answer,
    limits::{Left, Limit},
    switches::{Maintenance, Switches},
};

/// What is answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForcedAnswer {
    /// This status, with a body that comes with it: JSON, a line, or a page of a proxy.
    Status(u16),
    /// A refusal as one of the samples has it.
    Sample(&'static str),
    /// 429: to wait for so long.
    Wait(Duration),
    /// That Close is being maintained.
    Maintenance,
    /// 200, with this body.
    Body(String),
    /// Half of what was asked for, and the end of the connection.
    Half,
    /// What was asked for, and three million spaces.
    Endless,
    /// Nothing, ever.
    Never,
}

impl ForcedAnswer {
    /// The answer in the place of `usual`, or none.
    pub(super) fn answer(self, usual: Answer, switches: Switches, limit: Limit) -> Option<Answer> {
        Some(match self {
            Self::Status(status) => Answer::refusal(status, switches),
            Self::Sample(sample) => Answer::error(sample),
            Self::Wait(wait) => Answer::busy(Left::nothing(limit, wait), switches),
            Self::Maintenance => match switches.maintenance {
                Maintenance::Line => Answer::error("error_503_unavailable"),
                Maintenance::Page => Answer::page(503, "Back in a moment"),
                Maintenance::Fine => Answer::page(200, "Back in a moment"),
            },
            Self::Body(body) => Answer::of(200, "application/json", body),
            Self::Half => Answer { breaks: true, ..usual },
            Self::Endless => Answer { body: [usual.body, vec![b' '; 3_000_000]].concat(), ..usual },
            Self::Never => return None,
        })
    }
}

/// What is answered to the next requests for a path.
pub(super) struct Rule {
    /// How the path starts.
    pub(super) path: String,
    /// How often still.
    pub(super) left: usize,
    pub(super) forced: ForcedAnswer,
}

/// What the next request for `path` is answered instead, where a rule is left for it.
pub(super) fn next(rules: &mut Vec<Rule>, path: &str) -> Option<ForcedAnswer> {
    let at = rules.iter().position(|rule| path.starts_with(&rule.path))?;
    let rule = &mut rules[at];
    rule.left -= 1;
    let forced = rule.forced.clone();
    if rule.left == 0 {
        rules.remove(at);
    }
    Some(forced)
}
