//! Chance from a seed, so that a run can be repeated.

const LETTERS_AND_DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CONSONANTS: [&str; 20] =
    ["b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "ch", "st", "th"];
/// Some as Close escapes them in JSON.
const VOWELS: [&str; 12] = ["a", "a", "e", "e", "e", "i", "i", "o", "o", "u", "\\u00e9", "\\u00f6"];

/// SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    /// Chance from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        least + (self.bits() % (most - least + 1) as u64) as usize
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.between(0, from.len() - 1)]
    }

    /// An id as Close makes them: a prefix, then random letters and digits.
    pub(crate) fn id(&mut self, prefix: &str, length: usize) -> String {
        let random = (0..length).map(|_| char::from(*self.pick(LETTERS_AND_DIGITS)));
        prefix.chars().chain(random).collect()
    }

    /// A capitalised word of one to four syllables, for the inside of a JSON string.
    pub(crate) fn name(&mut self) -> String {
        let initial = char::from(b'A' + self.between(0, 25) as u8);
        format!("{initial}{}", self.word())
    }

    /// Words for the inside of a JSON string.
    pub(crate) fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn word(&mut self) -> String {
        let syllables = self.between(1, 4);
        (0..syllables).map(|_| format!("{}{}", self.pick(&CONSONANTS), self.pick(&VOWELS))).collect()
    }
}
