//! What only people need.

mod history;

pub use history::S3History;
