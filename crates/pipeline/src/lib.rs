//! The stages ingest, process and notify, over small ports.
