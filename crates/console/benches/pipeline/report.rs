//! The table of figures and promises.

use std::process::ExitCode;

use crate::{plan::Plan, spread::Spread};

/// A promise about a figure.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// It is not less.
    AtLeast(f64),
    /// It is not more.
    AtMost(f64),
}

impl Limit {
    /// The factor by which a figure misses it; 1 and less is within the limit.
    fn missed_by(self, figure: f64) -> f64 {
        match self {
            Self::AtLeast(least) => least / figure,
            Self::AtMost(most) => figure / most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {}", thousands(least as u64)),
            Self::AtMost(most) => format!("at most {}", thousands(most as u64)),
        }
    }
}

/// A line of the table.
pub(crate) struct Row {
    what: String,
    leadops: Spread,
    null_server: Option<Spread>,
    limit: Option<Limit>,
}

impl Row {
    /// A figure of leadops, with its unit in its name.
    pub(crate) fn new(what: impl Into<String>, leadops: Spread) -> Self {
        Self { what: what.into(), leadops, null_server: None, limit: None }
    }

    /// Beside the same figure of the null server.
    pub(crate) fn beside(self, null_server: Spread) -> Self {
        Self { null_server: Some(null_server), ..self }
    }

    /// With a promise.
    pub(crate) fn promised(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The promise, and the factor by which it is missed, where that is more than `tolerance`.
    fn missed(&self, tolerance: f64) -> Option<(Limit, f64)> {
        let limit = self.limit?;
        let factor = limit.missed_by(self.leadops.median);
        (factor > tolerance).then_some((limit, factor))
    }

    /// Whether the null server comes so close to missing the promise that the machine, and not leadops, may be what is
    /// slow: within a factor of `tolerance`.
    fn says_nothing(&self, tolerance: f64) -> bool {
        let (Some(limit), Some(null_server)) = (self.limit, self.null_server) else { return false };
        limit.missed_by(null_server.median) * tolerance > 1.0
    }

    /// Which promise is missed by more than `tolerance`, and by how much.
    fn violation(&self, tolerance: f64) -> Option<String> {
        let (limit, factor) = self.missed(tolerance)?;
        let Self { what, leadops, .. } = self;
        Some(format!(
            "{what}: {}, promised {}, missed by a factor of {factor:.2}",
            number(leadops.median),
            limit.words()
        ))
    }
}

/// Prints the table line by line, and collects the promises that are broken.
pub(crate) struct Report<'a> {
    plan: &'a Plan,
    /// How much slower this machine and this build are than those that the promises are made for.
    slowness: f64,
    broken: Vec<String>,
    /// What the machine was too slow for.
    unknown: Vec<String>,
}

impl<'a> Report<'a> {
    /// Begins the table with its heading.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        println!(
            "{:<40}{:>9}  {:<16}{:>12}  {:<16}{:>6}  promise",
            "", "leadops", "(min to max)", "null server", "(min to max)", "ratio"
        );
        Self { plan, slowness: 1.0, broken: Vec::new(), unknown: Vec::new() }
    }

    /// Goes by what the null server reaches here at full load, in the row of that rate, where the plan allows for slow
    /// machines and builds.
    pub(crate) fn calibrate(&mut self, rate: &Row) {
        let Some((reference, null_server)) = self.plan.reference.zip(rate.null_server) else { return };
        self.slowness = (reference / null_server.median).max(1.0);
        if self.slowness > 1.0 {
            println!(
                "expected of a machine and a build on which the null server is {:.2} times as slow:",
                self.slowness
            );
        }
    }

    /// So many a second where the promises are to hold, and here in proportion.
    pub(crate) fn a_second(&self, rate: f64) -> f64 {
        rate / self.slowness
    }

    /// So many milliseconds of work where the promises are to hold, and here in proportion.
    pub(crate) fn a_time_of(&self, time: f64) -> f64 {
        time * self.slowness
    }

    /// Measures and prints the result. What breaks a promise is measured again as often as the plan allows;
    /// the last result counts.
    pub(crate) fn measure(&mut self, mut measure: impl FnMut(&mut Self) -> Vec<Row>) {
        let mut rows = measure(self);
        for _ in 0..self.plan.retries {
            let missed = self.violations(&rows, |_| true);
            if missed.is_empty() {
                break;
            }
            println!("measured again: {}", missed.join("; "));
            rows = measure(self);
        }
        // What is published is judged on any machine.
        let excused = |row: &Row| self.plan.retries > 0 && row.says_nothing(self.plan.tolerance);
        self.unknown.extend(self.violations(&rows, excused));
        self.broken.extend(self.violations(&rows, |row| !excused(row)));
        rows.iter().for_each(print);
    }

    /// The promises that some rows miss by more than the plan tolerates.
    fn violations(&self, rows: &[Row], which: impl Fn(&Row) -> bool) -> Vec<String> {
        let rows = rows.iter().filter(|row| which(row));
        rows.filter_map(|row| row.violation(self.plan.tolerance)).collect()
    }

    /// Prints which promises were broken. The exit status of the benchmark.
    pub(crate) fn end(self) -> ExitCode {
        if !self.unknown.is_empty() {
            println!("not judged, as the null server itself was slow on this machine:");
            self.unknown.iter().for_each(|missed| println!("  {missed}"));
        }
        if self.broken.is_empty() {
            return ExitCode::SUCCESS;
        }
        let tolerance = self.plan.tolerance;
        let by_far =
            if tolerance > 1.0 { format!(" by more than a factor of {tolerance}") } else { String::new() };
        eprintln!("{} of the promises missed{by_far}:", self.broken.len());
        self.broken.iter().for_each(|violation| eprintln!("  {violation}"));
        ExitCode::FAILURE
    }
}

fn print(row: &Row) {
    let null_server = row.null_server.map_or_else(
        || format!("{:>12}  {:<16}{:>6}", "", "", ""),
        |null| {
            let ratio = row.leadops.median / null.median;
            format!("{:>12}  {:<16}{ratio:>6.2}", number(null.median), range(null))
        },
    );
    let limit = row.limit.map_or_else(String::new, Limit::words);
    let missed = row
        .missed(1.0)
        .map_or_else(String::new, |(_, factor)| format!("  MISSED by a factor of {factor:.2}"));
    let line = format!(
        "{:<40}{:>9}  {:<16}{null_server}  {limit}{missed}",
        row.what,
        number(row.leadops.median),
        range(row.leadops)
    );
    println!("{}", line.trim_end());
}

/// The range, where there was more than one figure.
fn range(spread: Spread) -> String {
    if spread.min == spread.max {
        return String::new();
    }
    format!("({} to {})", number(spread.min), number(spread.max))
}

/// A figure with three significant digits, or all of those before the point.
pub(crate) fn number(figure: f64) -> String {
    match figure {
        1_000.0.. => thousands(figure.round() as u64),
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn thousands(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1_000), number % 1_000),
    }
}
