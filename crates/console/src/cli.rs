//! The command line: one tree, from which help, completions and the man page come.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Fault, Function,
    destination::DestinationId,
    ports::{Level, Queue},
};

/// Turns a CRM's new leads into alerts, and gives the people who run it a terminal to steer it.
#[derive(Debug, Parser)]
#[command(name = "leadops", version, max_term_width = 100, subcommand_help_heading = "Commands")]
pub struct Cli {
    /// Which pipeline, and how.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What to do; opens the console where nothing is said and stdout is a terminal.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Which pipeline, and how its answers are printed.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArgs {
    /// The folder of an embedded pipeline [default: $LEADOPS_DATA, else the platform's data folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A pipeline on AWS, by the name of its CloudFormation stack.
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The AWS profile, for --stack or --env [default: $AWS_PROFILE, as in the AWS CLI].
    #[arg(long, global = true, value_name = "P")]
    pub profile: Option<String>,
    /// The AWS region [default: $AWS_REGION, else the profile's].
    #[arg(long, global = true, value_name = "R")]
    pub region: Option<String>,
    /// The address of another AWS, such as an emulator [default: $AWS_ENDPOINT_URL, else the profile's].
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// An environment of the config file, by name.
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// Refuse every action.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Print JSON: one document, or one per line with --follow.
    #[arg(long, global = true)]
    pub json: bool,
}

impl PlaceArgs {
    /// Whether these can be meant together. clap does not see contradictions between flags before and
    /// behind a command.
    ///
    /// # Errors
    /// [`Code::Usage`].
    pub fn check(&self) -> Result<(), Fault> {
        let usage = |what: String| Err(Fault::new(Code::Usage, what));
        let named = [
            ("--data", self.data.is_some()),
            ("--stack", self.stack.is_some()),
            ("--env", self.env.is_some()),
        ];
        let mut given = named.iter().filter(|(_, given)| *given);
        if let (Some((one, _)), Some((other, _))) = (given.next(), given.next()) {
            return usage(format!("{one} and {other} both say which pipeline is meant: give one of them"));
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
            return usage(format!("--endpoint-url {:?} is no http(s) URL", outside::text::shorten(url, 80)));
        }
        match self.way() {
            Some(flag) if self.stack.is_none() && self.env.is_none() => {
                usage(format!("{flag} is for a pipeline on AWS: name it with --stack NAME or --env NAME"))
            }
            _ => Ok(()),
        }
    }

    /// The first flag that says how to reach AWS.
    pub fn way(&self) -> Option<&'static str> {
        let ways = [
            ("--profile", &self.profile),
            ("--region", &self.region),
            ("--endpoint-url", &self.endpoint_url),
        ];
        ways.into_iter().find(|(_, value)| value.is_some()).map(|(flag, _)| flag)
    }

    /// The first flag that says which pipeline, or how to reach it.
    pub fn any(&self) -> Option<&'static str> {
        let named = [
            ("--data", self.data.is_some()),
            ("--stack", self.stack.is_some()),
            ("--env", self.env.is_some()),
        ];
        named.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag).or_else(|| self.way())
    }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything in one process with sample leads: see it work in a minute.
    Demo(DemoArgs),
    /// Run the embedded pipeline for real, in the foreground.
    Up(UpArgs),
    /// The vital signs.
    Status,
    /// Leads that have not ended, soonest due first.
    Pending(PendingArgs),
    /// Enriched leads, newest first.
    Leads(LeadsArgs),
    /// The story of one lead.
    Lead {
        /// The lead.
        #[arg(value_name = "LEAD_ID")]
        lead: LeadId,
    },
    /// Messages that could not be handled.
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Log lines of the functions.
    Logs(LogsArgs),
    /// What a code means and what to do about it.
    Explain {
        /// The code, such as LO204.
        #[arg(value_name = "CODE")]
        code: Code,
    },
    /// Send the alert of enriched leads again, and wait for its receipt.
    Resend(ResendArgs),
    /// Send a trial alert about no lead by the way of every alert, and wait for its receipt.
    ///
    /// It leaves no trace but its receipt and lines in the log: it stands in no listing, count or rate.
    Try(TryArgs),
    /// Process leads again from their raw event, now.
    Requeue {
        /// The leads.
        #[arg(value_name = "LEAD_ID", required = true)]
        leads: Vec<LeadId>,
        /// How it is confirmed.
        #[command(flatten)]
        consent: Consent,
    },
    /// Post files as signed Close webhooks.
    Send(SendArgs),
    /// Subscribe Close to the webhook, and keep the key it signs with; safe to run again.
    Subscribe(SubscribeArgs),
    /// Check everything that has to be right, one line each.
    Doctor,
    /// The console's keys.
    Keys,
    /// The effective configuration, and where each value came from.
    Config,
    /// Print a completion script.
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How long leads wait, in seconds [default: 20, without the console 2].
    #[arg(long, value_name = "S", value_parser = delay, allow_negative_numbers = true)]
    pub delay: Option<Duration>,
    /// No console: print the account of every lead at the end, and fail if one is missing.
    #[arg(long, requires = "for_")]
    pub headless: bool,
    /// How long to run, in seconds.
    #[arg(long = "for", id = "for_", value_name = "S", value_parser = span, requires = "headless")]
    pub run_for: Option<Duration>,
    /// The console on the same moment each time, for pictures.
    #[arg(long, hide = true, conflicts_with = "headless")]
    pub still: bool,
}

/// `up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// The address to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// How long leads wait, in seconds, 0 to 900 [default: 600].
    #[arg(long, value_name = "S", value_parser = delay, allow_negative_numbers = true)]
    pub delay: Option<Duration>,
}

/// `pending`.
#[derive(Debug, Clone, Args)]
pub struct PendingArgs {
    /// At most so many [default: 200; with --json all].
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
}

/// `leads`.
#[derive(Debug, Clone, Args)]
pub struct LeadsArgs {
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Of owners whose name contains this.
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,
    /// Enriched since then: a time, or how long ago, such as 90m, 2h, 3d.
    #[arg(long, value_name = "T", value_parser = moment)]
    pub since: Option<Moment>,
    /// Whose name, id or owner contains this.
    #[arg(long = "match", value_name = "TEXT")]
    pub text: Option<String>,
}

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List them, the latest first.
    List {
        /// Of one queue only.
        #[arg(long)]
        queue: Option<QueueArg>,
    },
    /// One of them: its body, and the log lines of its last attempt.
    Show {
        /// The dead letter.
        id: String,
    },
    /// Put them back into their queues, due at once.
    Redrive(RedriveArgs),
    /// Write all of them as NDJSON.
    Export {
        /// The file; stdout without one.
        file: Option<PathBuf>,
    },
    /// Those that were deleted, the latest first, with the copies of their messages in --json.
    Deleted,
    /// Delete them; a copy of each is stored.
    Delete {
        /// The dead letters.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// How it is confirmed.
        #[command(flatten)]
        consent: Consent,
    },
}

/// `dead redrive`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct RedriveArgs {
    /// These.
    #[arg(value_name = "ID", group = "which")]
    pub ids: Vec<String>,
    /// All of them.
    #[arg(long, group = "which")]
    pub all: bool,
    /// Those that died of this.
    #[arg(long, value_name = "CODE", group = "which")]
    pub code: Option<Code>,
    /// At most so many a second.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Edit the message in $EDITOR first; one message only.
    #[arg(long, conflicts_with_all = ["all", "code"])]
    pub edit: bool,
    /// How it is confirmed.
    #[command(flatten)]
    pub consent: Consent,
}

/// `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Of one function only.
    #[arg(long, value_name = "F")]
    pub function: Option<FunctionArg>,
    /// About one lead only.
    #[arg(long, value_name = "ID")]
    pub lead: Option<LeadId>,
    /// Of this level and more serious ones.
    #[arg(long, value_name = "L", ignore_case = true)]
    pub level: Option<LevelArg>,
    /// Since then: a time, or how long ago, such as 90m, 2h, 3d.
    #[arg(long, value_name = "D", value_parser = moment)]
    pub since: Option<Moment>,
    /// Go on with what comes.
    #[arg(long, short)]
    pub follow: bool,
}

/// `resend`.
#[derive(Debug, Clone, Args)]
pub struct ResendArgs {
    /// The leads.
    #[arg(value_name = "LEAD_ID", required = true)]
    pub leads: Vec<LeadId>,
    /// At this destination, such as slack or email; at those that the pipeline uses without it.
    #[arg(long, visible_alias = "channel", value_name = "DESTINATION")]
    pub to: Option<DestinationId>,
    /// To those alone whom the last alert there did not reach; needs --to.
    #[arg(long, requires = "to")]
    pub left_out: bool,
    /// How long to wait for the receipt, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = span)]
    pub wait: Duration,
    /// How it is confirmed.
    #[command(flatten)]
    pub consent: Consent,
}

/// `try`.
#[derive(Debug, Clone, Args)]
pub struct TryArgs {
    /// At this destination, such as slack or email; at those that the pipeline uses without it.
    #[arg(long, visible_alias = "channel", value_name = "DESTINATION")]
    pub to: Option<DestinationId>,
    /// How long to wait for the receipt, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = span)]
    pub wait: Duration,
    /// Say where it would send, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// It never asks; taken for scripts that say it everywhere.
    #[arg(long, hide = true)]
    pub yes: bool,
}

/// `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The files: webhook bodies, sent byte for byte.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The webhook [default: that of the stack, or of the running `leadops up`].
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Say what it would post where, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Without asking; it never asks, as the files are named one by one.
    #[arg(long, short)]
    pub yes: bool,
}

/// `subscribe`.
#[derive(Debug, Clone, Args)]
pub struct SubscribeArgs {
    /// The webhook, as Close reaches it [default: that of the stack].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Subscribe although the address looks wrong, or beside a subscription for nearly the same one.
    #[arg(long)]
    pub force: bool,
    /// How it is confirmed.
    #[command(flatten)]
    pub consent: Consent,
}

/// How an action is confirmed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Do it without asking.
    #[arg(long, short)]
    pub yes: bool,
    /// Say what it would touch, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// A queue by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum QueueArg {
    Delay,
    Notification,
}

impl From<QueueArg> for Queue {
    fn from(queue: QueueArg) -> Self {
        match queue {
            QueueArg::Delay => Self::Delay,
            QueueArg::Notification => Self::Notification,
        }
    }
}

/// A function by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum FunctionArg {
    WebhookIngestion,
    LeadProcessor,
    Notification,
    Housekeeping,
    Operator,
}

impl From<FunctionArg> for Function {
    fn from(function: FunctionArg) -> Self {
        match function {
            FunctionArg::WebhookIngestion => Self::WebhookIngestion,
            FunctionArg::LeadProcessor => Self::LeadProcessor,
            FunctionArg::Notification => Self::Notification,
            FunctionArg::Housekeeping => Self::Housekeeping,
            FunctionArg::Operator => Self::Operator,
        }
    }
}

/// A log level by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum LevelArg {
    Debug,
    Info,
    Warn,
    Error,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Debug => Self::Debug,
            LevelArg::Info => Self::Info,
            LevelArg::Warn => Self::Warn,
            LevelArg::Error => Self::Error,
        }
    }
}

/// A point in time, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Moment {
    /// The time it means.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now - jiff::SignedDuration::try_from(span).unwrap_or_default(),
            Self::At(at) => at,
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(at) = outside::parse_time(text) {
        return Ok(Moment::At(at));
    }
    let date = format!("{text}T00:00:00");
    let moment =
        span(text).map(Moment::Ago).or_else(|_| outside::parse_time(&date).map(Moment::At).ok_or(()));
    moment.map_err(|()| {
        "expected a time such as 2026-09-14T15:00:00Z, or how long ago, such as 90m, 2h, 3d".to_owned()
    })
}

/// Reads `90`, `90s`, `15m`, `2h`, `3d`.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds: u64 = match text.strip_prefix(digits).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("expected a number with s, m, h or d behind it".to_owned()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "expected a number, with s, m, h or d behind it".to_owned())?;
    // A century is longer than anything here; more would not fit into a time.
    Ok(Duration::from_secs(number.saturating_mul(seconds).min(100 * 365 * 86_400)))
}

/// The longest wait that a queue can make.
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
    fn the_tree_is_sound() {
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
        assert_eq!(moment("2h"), Ok(Moment::Ago(Duration::from_secs(7_200))));
        assert_eq!(moment("90"), Ok(Moment::Ago(Duration::from_secs(90))));
        assert!(matches!(moment("2026-09-14T15:00:00Z"), Ok(Moment::At(_))));
        assert!(matches!(moment("2026-09-14"), Ok(Moment::At(_))));
        for bad in ["", "h", "2 hours", "-3d", "é"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
