//! The ports on one SQLite file, the webhook listener and the workers.
