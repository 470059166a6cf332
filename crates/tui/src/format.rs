//! Times, durations and numbers for people.

use lead::Timestamp;

/// Whole seconds from `at` to `now`; 0 if the clock was put back.
pub fn since(now: Timestamp, at: Timestamp) -> u64 {
    now.duration_since(at).as_secs().try_into().unwrap_or(0)
}

/// An age: `now`, `42 s`, `9 min`, `3 h`, `2 d`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A countdown: `0:41`, `12:04`, `3 h 20`.
pub fn countdown(seconds: u64) -> String {
    match seconds {
        0..6_000 => format!("{}:{:02}", seconds / 60, seconds % 60),
        6_000..172_800 => format!("{} h {:02}", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A short time: `850 ms`, `1.2 s`, `4 min`.
pub fn millis(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// What lies between two steps of a history: `+0 ms`, `+1.2 s`, `+9:58`.
pub fn step(from: Timestamp, to: Timestamp) -> String {
    let ms: u64 = to.duration_since(from).as_millis().try_into().unwrap_or(0);
    match ms {
        0..60_000 => format!("+{}", millis(ms)),
        _ => format!("+{}", countdown(ms / 1_000)),
    }
}

/// `HH:MM:SS`, UTC.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// The day as well, UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A number with its thousands apart: `12,345`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut apart = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// `1 lead`, `2 leads`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", self::number(number as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_to_their_columns() {
        assert_eq!(
            [0, 59, 60, 3_599, 7_200, 172_800].map(age),
            ["now", "59 s", "1 min", "59 min", "2 h", "2 d"]
        );
        assert_eq!([0, 41, 724, 6_000, 200_000].map(countdown), ["0:00", "0:41", "12:04", "1 h 40", "2 d"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([7, 1_240, 61_000].map(millis), ["7 ms", "1.2 s", "1 min"]);
        let at = Timestamp::from_second;
        assert_eq!(step(at(0).unwrap(), at(598).unwrap()), "+9:58");
        assert_eq!(since(at(5).unwrap(), at(9).unwrap()), 0);
    }
}
