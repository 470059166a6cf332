//! Decoding gzip.

use std::io::{self, Read as _};

use flate2::bufread::MultiGzDecoder;

/// How every gzip member begins: <https://www.rfc-editor.org/rfc/rfc1952#page-6>.
pub const BEGIN: &[u8] = b"\x1f\x8b";

/// The content of a gzip file, at most `limit` bytes of it, and the error where it is damaged or truncated.
pub fn decoded(bytes: &[u8], limit: usize) -> (Vec<u8>, io::Result<()>) {
    let mut decoded = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX);
    let read = MultiGzDecoder::new(bytes).take(bound).read_to_end(&mut decoded);
    (decoded, read.map(drop))
}
