//! The adapters on AWS, put to the ports' contracts.

conformance::suites!(aws, tests::aws::subject().await);
