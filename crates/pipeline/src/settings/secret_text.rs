//! A secret that does not print.

use std::fmt;

use outside::unpasted;

/// The value of a secret, without what pasting leaves around it, see [`unpasted`]. Prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// What somebody has put in, or written into a file.
    pub fn new(text: &str) -> Self {
        Self(unpasted(text).to_owned())
    }

    /// The value, for its user.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_print() {
        assert!(!format!("{:?}", SecretText::new("geheim")).contains("geheim"));
        assert_eq!(SecretText::new("\u{feff}\"https://x\"\r\n").expose(), "https://x");
    }
}
