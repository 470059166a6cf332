//! The command line: one tree, from which help, completions and the man page come.

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Fault, Function,
    destination::DestinationId,
    ports::{Level, Queue},
};
use strum::VariantNames;

/// Turns new CRM leads into alerts, with a terminal console to operate it.
#[derive(Debug, Parser)]
#[command(name = "leadops", version, max_term_width = 100, subcommand_help_heading = "Commands")]
pub struct Cli {
    /// Which pipeline, and how to print.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What to do; without a command, opens the console if stdout is a terminal.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Which pipeline, and how output is printed.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArgs {
    /// The folder of an embedded pipeline [default: $LEADOPS_DATA, or the platform's data folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A pipeline on AWS, by the name of its CloudFormation stack.
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The AWS profile, for --stack or --env [default: $AWS_PROFILE, as in the AWS CLI].
    #[arg(long, global = true, value_name = "P")]
    pub profile: Option<String>,
    /// The AWS region [default: $AWS_REGION, or the profile's].
    #[arg(long, global = true, value_name = "R")]
    pub region: Option<String>,
    /// Another AWS endpoint, such as an emulator [default: $AWS_ENDPOINT_URL, or the profile's].
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// An environment in the config file, by name.
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// Refuse all actions.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Print JSON: one document, or with --follow one per line.
    #[arg(long, global = true)]
    pub json: bool,
}

impl PlaceArgs {
    /// Whether these can be used together. clap does not see contradictions between flags before and
    /// after a command.
    ///
    /// # Errors
    /// [`Code::Usage`].
    pub fn check(&self) -> Result<(), Fault> {
        let usage = |what: String| Err(Fault::new(Code::Usage, what));
        let mut named = self.pipelines();
        if let (Some(one), Some(other)) = (named.next(), named.next()) {
            return usage(format!("{one} and {other} both name a pipeline: give only one of them"));
        }
        let texts = [("--stack", &self.stack), ("--profile", &self.profile), ("--region", &self.region)];
        for (flag, text) in texts {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return usage(format!("{flag} is empty"));
            }
        }
        if let Some(url) = &self.endpoint_url
            && !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            return usage(format!(
                "--endpoint-url {:?} is not an http(s) URL",
                outside::text::shorten(url, 80)
            ));
        }
        match self.aws_flag() {
            Some(flag) if self.stack.is_none() && self.env.is_none() => {
                usage(format!("{flag} is for a pipeline on AWS: name it with --stack NAME or --env NAME"))
            }
            _ => Ok(()),
        }
    }

    /// The first flag about the connection to AWS.
    pub fn aws_flag(&self) -> Option<&'static str> {
        let flags = [
            ("--profile", &self.profile),
            ("--region", &self.region),
            ("--endpoint-url", &self.endpoint_url),
        ];
        flags.into_iter().find(|(_, value)| value.is_some()).map(|(flag, _)| flag)
    }

    /// The first flag that selects a pipeline, or how to reach it.
    pub fn place_flag(&self) -> Option<&'static str> {
        self.pipelines().next().or_else(|| self.aws_flag())
    }

    /// The flags that name a pipeline.
    fn pipelines(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            ("--data", self.data.is_some()),
            ("--stack", self.stack.is_some()),
            ("--env", self.env.is_some()),
        ];
        flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process with sample leads: see it work in a minute.
    Demo(DemoArgs),
    /// Run the embedded pipeline for real, in the foreground.
    Up(UpArgs),
    /// Show open leads, queues, alert times and problems.
    Status,
    /// List open leads, soonest due first.
    Pending {
        /// The maximum number of leads [default: 200; with --json all].
        #[arg(long, value_name = "N")]
        limit: Option<NonZeroUsize>,
    },
    /// List enriched leads, newest first.
    Leads(LeadsArgs),
    /// Show the history of one lead.
    Lead {
        /// The lead.
        #[arg(value_name = "LEAD_ID")]
        lead: LeadId,
        /// Print its raw event instead, byte for byte unless stdout is a terminal.
        #[arg(long)]
        raw: bool,
    },
    /// List and handle dead letters: messages that could not be processed.
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Show log lines.
    Logs(LogsArgs),
    /// Explain what a code means and what to do about it.
    Explain {
        /// The code, such as LO204.
        #[arg(value_name = "CODE")]
        code: Code,
    },
    /// Send the alerts of enriched leads again, and wait for their receipts.
    Resend(ResendArgs),
    /// Send a trial alert, about no lead, the way every alert is sent, and wait for its receipt.
    ///
    /// It leaves only its receipt and log lines: it appears in no listing, count or rate.
    Try(TryArgs),
    /// Process leads again from their raw events, now.
    Requeue {
        /// The leads.
        #[arg(value_name = "LEAD_ID", required = true)]
        leads: Vec<LeadId>,
        /// Whether it is confirmed.
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Post files as signed Close webhooks.
    Send(SendArgs),
    /// Create the webhook subscription in Close and store its signing key; safe to run again.
    Subscribe(SubscribeArgs),
    /// Check settings, credentials, permissions and services, one line each.
    Doctor,
    /// Show the console's keys.
    Keys,
    /// Show the effective configuration, and where each value came from.
    Config,
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How long leads wait before they are processed, in seconds [default: 20; with --headless 2].
    #[arg(long, value_name = "S", value_parser = delay, allow_negative_numbers = true)]
    pub delay: Option<Duration>,
    /// No console: print what became of every lead at the end, and fail if one is missing.
    #[arg(long, requires = "for_")]
    pub headless: bool,
    /// How long to run, in seconds.
    #[arg(long = "for", id = "for_", value_name = "S", value_parser = duration, requires = "headless")]
    pub run_for: Option<Duration>,
    /// Open the console on the same moment each time, for pictures.
    #[arg(long, hide = true, conflicts_with = "headless")]
    pub still: bool,
}

/// `up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// The address to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// How long leads wait before they are processed, in seconds, 0 to 900 [default: 600].
    #[arg(long, value_name = "S", value_parser = delay, allow_negative_numbers = true)]
    pub delay: Option<Duration>,
}

/// `leads`.
#[derive(Debug, Clone, Args)]
pub struct LeadsArgs {
    /// The maximum number of leads.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Only leads with an owner whose name contains this.
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,
    /// Only leads enriched since: a time, or how long ago, such as 90m, 2h, 3d.
    #[arg(long, value_name = "T", value_parser = time_arg)]
    pub since: Option<TimeArg>,
    /// Only leads whose name, id or owner contains this.
    #[arg(long = "match", value_name = "TEXT")]
    pub text: Option<String>,
}

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List dead letters, newest first.
    List {
        /// Only those of this queue.
        #[arg(long, value_parser = one_of::<Queue>())]
        queue: Option<Queue>,
    },
    /// Show one dead letter: its body, and the log lines of its last attempt.
    Show {
        /// The dead letter's id.
        id: String,
    },
    /// Put dead letters back into their queues, due at once.
    Redrive(RedriveArgs),
    /// Write all dead letters as NDJSON.
    Export {
        /// The file [default: stdout].
        file: Option<PathBuf>,
    },
    /// List deleted dead letters, newest first; --json includes their messages.
    Deleted,
    /// Delete dead letters; a copy of each is stored.
    Delete {
        /// The ids of the dead letters.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Whether it is confirmed.
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// `dead redrive`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct RedriveArgs {
    /// The ids of the dead letters.
    #[arg(value_name = "ID", group = "which")]
    pub ids: Vec<String>,
    /// All dead letters.
    #[arg(long, group = "which")]
    pub all: bool,
    /// All dead letters with this code.
    #[arg(long, value_name = "CODE", group = "which")]
    pub code: Option<Code>,
    /// The maximum number per second.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Edit the message in $EDITOR first; for a single dead letter.
    #[arg(long, conflicts_with_all = ["all", "code"])]
    pub edit: bool,
    /// Whether it is confirmed.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Only lines of this function.
    #[arg(long, value_name = "F", value_parser = one_of::<Function>())]
    pub function: Option<Function>,
    /// Only lines about this lead.
    #[arg(long, value_name = "ID")]
    pub lead: Option<LeadId>,
    /// Only lines of this level or a more serious one.
    #[arg(long, value_name = "L", ignore_case = true, value_parser = one_of::<Level>())]
    pub level: Option<Level>,
    /// Only lines since: a time, or how long ago, such as 90m, 2h, 3d.
    #[arg(long, value_name = "D", value_parser = time_arg)]
    pub since: Option<TimeArg>,
    /// Keep printing new lines as they arrive.
    #[arg(long, short)]
    pub follow: bool,
}

/// `resend`.
#[derive(Debug, Clone, Args)]
pub struct ResendArgs {
    /// The leads.
    #[arg(value_name = "LEAD_ID", required = true)]
    pub leads: Vec<LeadId>,
    /// The destination, such as slack or email [default: all that the pipeline uses].
    #[arg(long, visible_alias = "channel", value_name = "DESTINATION")]
    pub to: Option<DestinationId>,
    /// Only to the recipients whom the last alert there did not reach; requires --to.
    #[arg(long, requires = "to")]
    pub left_out: bool,
    /// How long to wait for the receipt, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = duration)]
    pub wait: Duration,
    /// Whether it is confirmed.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// `try`.
#[derive(Debug, Clone, Args)]
pub struct TryArgs {
    /// The destination, such as slack or email [default: all that the pipeline uses].
    #[arg(long, visible_alias = "channel", value_name = "DESTINATION")]
    pub to: Option<DestinationId>,
    /// How long to wait for the receipt, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = duration)]
    pub wait: Duration,
    /// Show where it would be sent, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// It never asks; accepted for scripts that always pass it.
    #[arg(long, hide = true)]
    pub yes: bool,
}

/// `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The files: webhook bodies, sent byte for byte.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The webhook [default: the stack's, or that of the running `leadops up`].
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Show what would be posted where, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Accepted for scripts; it never asks, as the files are named one by one.
    #[arg(long, short)]
    pub yes: bool,
}

/// `subscribe`.
#[derive(Debug, Clone, Args)]
pub struct SubscribeArgs {
    /// The webhook's address, as Close reaches it [default: the stack's].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Subscribe even if the address looks wrong, or a subscription for a similar one exists.
    #[arg(long)]
    pub force: bool,
    /// Whether it is confirmed.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// How an action is confirmed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Confirmation {
    /// Do not ask for confirmation.
    #[arg(long, short)]
    pub yes: bool,
    /// Show what would be done, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// A point in time, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeArg {
    /// This long before now.
    Ago(Duration),
    /// At this time.
    At(Timestamp),
}

impl TimeArg {
    /// The point in time.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now - jiff::SignedDuration::try_from(duration).unwrap_or_default(),
            Self::At(at) => at,
        }
    }
}

/// Reads one of the variants by its name, in lower case.
fn one_of<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr<Err: std::error::Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    let names = T::VARIANTS.iter().map(|name| name.to_ascii_lowercase());
    PossibleValuesParser::new(names).try_map(|given| given.parse())
}

fn time_arg(text: &str) -> Result<TimeArg, String> {
    if let Some(at) = outside::parse_time(text) {
        return Ok(TimeArg::At(at));
    }
    let date = format!("{text}T00:00:00");
    let parsed =
        duration(text).map(TimeArg::Ago).or_else(|_| outside::parse_time(&date).map(TimeArg::At).ok_or(()));
    parsed.map_err(|()| {
        "expected a time such as 2026-09-14T15:00:00Z, or how long ago, such as 90m, 2h, 3d".to_owned()
    })
}

/// Reads `90`, `90s`, `15m`, `2h`, `3d`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds: u64 = match text.strip_prefix(digits).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("expected a number followed by s, m, h or d".to_owned()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "expected a number, optionally followed by s, m, h or d".to_owned())?;
    // A century is longer than anything here; more would not fit into a time.
    Ok(Duration::from_secs(number.saturating_mul(seconds).min(100 * 365 * 86_400)))
}

/// The longest delay that a queue supports.
pub(crate) const LONGEST_DELAY: u64 = pipeline::ports::MAX_DELAY.as_secs();

pub(crate) fn delay(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse::<u64>().ok().filter(|seconds| *seconds <= LONGEST_DELAY);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("expected whole seconds from 0 to {LONGEST_DELAY}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && rate.is_finite());
    rate.ok_or_else(|| "expected a number above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn delays_are_whole_seconds_up_to_what_a_queue_can_hold() {
        assert_eq!(delay("900"), Ok(Duration::from_secs(900)));
        for bad in ["901", "-1", "1.5", "", "ten", "18446744073709551616"] {
            assert!(delay(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_times_or_how_long_ago() {
        assert_eq!(time_arg("2h"), Ok(TimeArg::Ago(Duration::from_secs(7_200))));
        assert_eq!(time_arg("90"), Ok(TimeArg::Ago(Duration::from_secs(90))));
        assert!(matches!(time_arg("2026-09-14T15:00:00Z"), Ok(TimeArg::At(_))));
        assert!(matches!(time_arg("2026-09-14"), Ok(TimeArg::At(_))));
        for bad in ["", "h", "2 hours", "-3d", "é"] {
            assert!(time_arg(bad).is_err(), "{bad}");
        }
    }
}
