//! Removing what pasting and other programs leave around a value.

/// The pairs of quotation marks that shells, env files and word processors put around a value.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// A value without a byte order mark in front of it, the white space and line ends around it, and one pair of
/// quotation marks: `docker run --env-file` passes quotes on with the value, and editors write byte order marks.
pub fn unpasted(value: &str) -> &str {
    let bare = value.trim_start_matches('\u{feff}').trim();
    let inside = QUOTES.iter().find_map(|(open, close)| bare.strip_prefix(*open)?.strip_suffix(*close));
    inside.map_or(bare, str::trim)
}

/// A name in a normal form: `SLACK_WEBHOOK_URL`, `slack-webhook-url` and `slackWebhookURL` are the same.
pub fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_spelt() {
        for name in ["SLACK_WEBHOOK_URL", "slack-webhook-url", "slackWebhookURL"] {
            assert_eq!(plain_name(name), "slackwebhookurl");
        }
    }

    #[test]
    fn one_pair_of_quotes_a_mark_and_line_ends_come_off() {
        for (pasted, value) in [
            ("value", "value"),
            (" value \r\n", "value"),
            ("\u{feff}value\n", "value"),
            ("\u{feff}\"value\"\r\n", "value"),
            ("'a b'", "a b"),
            ("“value”", "value"),
            ("\" value \"", "value"),
            ("\"\"value\"\"", "\"value\""),
            // Neither a pair nor around all of it.
            ("\"value", "\"value"),
            ("\"value'", "\"value'"),
            ("Lead \"Owner\"", "Lead \"Owner\""),
            ("\"", "\""),
            ("\"\"", ""),
            ("", ""),
        ] {
            assert_eq!(unpasted(pasted), value, "{pasted:?}");
        }
    }
}
