//! The adapters on AWS, put to the ports' contracts.

#![allow(clippy::unwrap_used)]

use tests::conformance::Subject;

tests::conformance!(aws, Subject::aws().await);
