//! Turns clap's errors into one line with a code.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use pipeline::{Code, Fault};

/// One line for an invalid command line.
pub fn fault(error: &clap::Error) -> Fault {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Fault::new(Code::Usage, "a subcommand is missing");
    }
    let text = error.to_string();
    // The first paragraph says what is wrong; tips and the usage follow.
    let what: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let what = what.join(" ");
    let mut what = what.strip_prefix("error: ").unwrap_or(&what).to_owned();
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        let suggestion = match error.get(kind) {
            Some(ContextValue::String(suggestion)) => Some(suggestion),
            Some(ContextValue::Strings(suggestions)) => suggestions.first(),
            _ => None,
        };
        what.extend(suggestion.map(|suggestion| format!("; did you mean {suggestion}?")));
    }
    Fault::new(Code::Usage, outside::text::shorten(&what, 400))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    fn line(args: &[&str]) -> String {
        super::fault(&Cli::try_parse_from(args.iter().copied()).unwrap_err()).line()
    }

    #[test]
    fn every_mistake_is_one_line_with_its_code() {
        for (args, code, part) in [
            (&["leadops", "statsu"][..], "LO901", "statsu"),
            (&["leadops", "up", "--delay", "-5"], "LO901", "0 to 900"),
            (&["leadops", "up", "--delay=901"], "LO901", "0 to 900"),
            (&["leadops", "lead", "../x"], "LO901", "lead id"),
            (&["leadops", "lead"], "LO901", "LEAD_ID"),
            (&["leadops", "dead"], "LO901", "subcommand"),
            (&["leadops", "dead", "redrive"], "LO901", "required"),
            (&["leadops", "explain", "LO000"], "LO901", "LO000"),
            (&["leadops", "status", "--nonsense"], "LO901", "--nonsense"),
            (&["leadops", "demo", "--headless"], "LO901", "--for"),
        ] {
            let line = line(args);
            assert!(
                line.starts_with(code) && line.contains(part) && !line.contains('\n'),
                "{args:?}: {line}"
            );
        }
    }
}
