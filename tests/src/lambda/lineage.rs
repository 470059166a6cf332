//! Lambda's memory of a chain of invocations, by which it finds a function that calls itself for ever.
//!
//! The SDK passes the header that an invocation came with on to whatever it calls, SQS gives it to the message, and
//! Lambda counts the function into it: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>. How
//! the header looks is known from the wire alone, and nobody but Lambda reads it.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

/// How often a function may be invoked in one chain. AWS says "approximately 16 times".
pub(super) const MOST: u32 = 16;

/// How often each function has been invoked in a chain, by a hash of its ARN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lineage(BTreeMap<String, u32>);

impl Lineage {
    /// That of a message with this trace header; of the first one of a chain where it says nothing.
    pub(super) fn read(header: &str) -> Self {
        let parts = header.split(';').find_map(|part| part.strip_prefix("Lineage="));
        let counts = parts.into_iter().flat_map(|counts| counts.split('|'));
        Self(
            counts
                .filter_map(|count| count.split_once(':'))
                .map(|(of, count)| (of.to_owned(), count.parse().unwrap()))
                .collect(),
        )
    }

    /// With one more invocation of a function, and how many that makes.
    pub(super) fn and(mut self, arn: &str) -> (Self, u32) {
        let count = self.0.entry(hash(arn)).or_default();
        *count += 1;
        let count = *count;
        (self, count)
    }

    /// How often a function has been invoked.
    pub(super) fn count(&self, arn: &str) -> u32 {
        self.0.get(&hash(arn)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Lineage {
    /// The trace header of an invocation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root=1-00000000-000000000000000000000000;Sampled=0")?;
        for (number, (of, count)) in self.0.iter().enumerate() {
            let before = if number == 0 { ";Lineage=" } else { "|" };
            write!(f, "{before}{of}:{count}")?;
        }
        Ok(())
    }
}

fn hash(arn: &str) -> String {
    let mut hasher = DefaultHasher::new();
    arn.hash(&mut hasher);
    format!("{:08x}", hasher.finish() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_counted_function_by_function() {
        let (lineage, count) = Lineage::read("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1").and("a");
        assert_eq!((lineage.count("a"), lineage.count("b"), count), (1, 0, 1));
        let (lineage, _) = lineage.and("b");
        let (lineage, count) = Lineage::read(&lineage.to_string()).and("a");
        assert_eq!((lineage.count("a"), lineage.count("b"), count), (2, 1, 2));
    }
}
