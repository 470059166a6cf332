//! What the real binary takes care of on a machine that others use as well: whose its files are, what it writes
//! over, what it prints of texts that somebody else wrote, and where in a bucket it writes.

mod files;
mod lines;
mod prefixes;
