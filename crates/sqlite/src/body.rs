//! The bodies of objects, compressed where that pays.
//!
//! As LZ4 blocks, against a dictionary of what most bodies have in common: the keys of Close's events and of our own
//! documents. On the body of an event that is a few microseconds of work, and takes two thirds of it away.
//! <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>

use bytes::Bytes;
use lz4_flex::block;
use pipeline::{Code, Fault};

/// The body as it is.
const PLAIN: i64 = 0;
/// Its length in four bytes, the least significant first, and an LZ4 block that [`DICTIONARY`] precedes.
const LZ4: i64 = 1;
/// Never changes: what is stored needs it. Another one is another form.
const DICTIONARY: &[u8] = include_bytes!("body_dictionary.txt");
/// From how many bytes on it pays.
const WORTH_IT: usize = 256;
/// How much longer than its LZ4 form no body is.
const MOST_TIMES: usize = 256;

/// A body as the table has it, made where the caller is and not on the writer's thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredBody {
    /// How `bytes` are the body.
    pub(crate) form: i64,
    pub(crate) bytes: Bytes,
}

impl StoredBody {
    pub(crate) fn new(body: Bytes) -> Self {
        if body.len() >= WORTH_IT {
            let bytes = block::compress_prepend_size_with_dict(&body, DICTIONARY);
            if bytes.len() < body.len() - body.len() / 8 {
                return Self { form: LZ4, bytes: bytes.into() };
            }
        }
        Self { form: PLAIN, bytes: body }
    }
}

/// The body that is stored so.
///
/// # Errors
/// [`Code::StorageNewer`] in a form that only a later version knows, [`Code::StorageDamaged`] where it is none.
pub(crate) fn body(form: i64, bytes: Vec<u8>) -> Result<Bytes, Fault> {
    match form {
        PLAIN => Ok(bytes.into()),
        LZ4 => {
            let damaged = |what: &str| Fault::new(Code::StorageDamaged, format!("an object's body {what}"));
            let length = bytes.first_chunk().map_or(0, |first| u32::from_le_bytes(*first) as usize);
            if length > bytes.len().saturating_mul(MOST_TIMES) {
                return Err(damaged("has a length that it cannot have"));
            }
            let body = block::decompress_size_prepended_with_dict(&bytes, DICTIONARY);
            let body = body.map_err(|error| damaged(&format!("cannot be decompressed: {error}")))?;
            if body.len() == length { Ok(body.into()) } else { Err(damaged("is shorter than it says")) }
        }
        form => Err(Fault::new(Code::StorageNewer, format!("an object's body has the form {form}"))),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use proptest::prelude::*;

    use super::*;

    fn stored_and_read(content: Vec<u8>) -> (StoredBody, Bytes) {
        let stored = StoredBody::new(content.into());
        let read = body(stored.form, stored.bytes.to_vec()).unwrap();
        (stored, read)
    }

    #[test]
    fn what_repeats_itself_gets_shorter_and_what_does_not_stays() {
        let text = b"{\"lead_id\":\"lead_1\"}".repeat(100);
        let (stored, read) = stored_and_read(text.clone());
        assert!(stored.bytes.len() < 200 && read == text, "{}", stored.bytes.len());
        assert_eq!(stored_and_read(b"short".to_vec()).0.form, PLAIN);
        let noise: Vec<u8> = (0..100u8).flat_map(|n| digest(&SHA256, &[n]).as_ref().to_vec()).collect();
        assert_eq!(stored_and_read(noise).0.form, PLAIN);
    }

    /// Whatever is stored was compressed against this one.
    #[test]
    fn the_dictionary_is_what_it_was() {
        let hex: String =
            digest(&SHA256, DICTIONARY).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "a3c06a051a9138dfb2271b08b9f5d9942da1ea0ed17aa169457ace2289e0138c");
    }

    #[test]
    fn what_is_damaged_or_of_a_later_version_is_said_to_be() {
        let whole = StoredBody::new(b"ab".repeat(1_000).into()).bytes.to_vec();
        let with_length = |length: u32| [&length.to_le_bytes(), &whole[4..]].concat();
        let damaged = [
            with_length(2_001),
            with_length(1_999),
            with_length(u32::MAX),
            whole[..whole.len() - 1].to_vec(),
            whole[..3].to_vec(),
            Vec::new(),
        ];
        for bytes in damaged {
            assert_eq!(body(LZ4, bytes.clone()).unwrap_err().code, Code::StorageDamaged, "{bytes:?}");
        }
        assert_eq!(body(2, whole).unwrap_err().code, Code::StorageNewer);
    }

    proptest! {
        #[test]
        fn every_body_comes_back(content: Vec<u8>, times in 1usize..40) {
            let content = content.repeat(times);
            prop_assert_eq!(stored_and_read(content.clone()).1, content);
        }

        #[test]
        fn no_bytes_bring_it_down(form in 0i64..2, bytes: Vec<u8>) {
            let _ = body(form, bytes);
        }
    }
}
