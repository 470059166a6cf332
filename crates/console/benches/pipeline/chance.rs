//! Chance from a seed, so that a run can be repeated.

use std::sync::Arc;

use pipeline::ports::Random;
use system::SeededRandom;

const LETTERS_AND_DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CONSONANTS: [&str; 20] =
    ["b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "ch", "st", "th"];
/// Some as Close escapes them in JSON.
const VOWELS: [&str; 12] = ["a", "a", "e", "e", "e", "i", "i", "o", "o", "u", "\\u00e9", "\\u00f6"];

/// What a run is made of.
pub(crate) struct Chance(Arc<SeededRandom>);

impl Chance {
    /// Chance from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&self, least: usize, most: usize) -> usize {
        least + (self.0.bits() % (most - least + 1) as u64) as usize
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.between(0, from.len() - 1)]
    }

    /// An id as Close makes them: a prefix, then random letters and digits.
    pub(crate) fn id(&self, prefix: &str, length: usize) -> String {
        let random = (0..length).map(|_| char::from(*self.pick(LETTERS_AND_DIGITS)));
        prefix.chars().chain(random).collect()
    }

    /// A capitalised word of one to four syllables, for the inside of a JSON string.
    pub(crate) fn name(&self) -> String {
        let initial = char::from(b'A' + self.between(0, 25) as u8);
        format!("{initial}{}", self.word())
    }

    /// Words for the inside of a JSON string.
    pub(crate) fn words(&self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn word(&self) -> String {
        let syllables = self.between(1, 4);
        (0..syllables).map(|_| format!("{}{}", self.pick(&CONSONANTS), self.pick(&VOWELS))).collect()
    }
}
