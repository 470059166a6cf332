//! What an earlier version has left, and the present one has to go on with.
//!
//! `tests/upgrade` holds a folder for each version that wrote a stored form of its own: a data folder and a bucket
//! with its queues, as that version left them at one moment, with a lead in every state, and what its commands said
//! of them. `cargo test --workspace --test upgrade` opens each with the present binaries, at that moment of a clock
//! of its own, and drives every lead to its right end.
//!
//! `cargo run -p tests --bin upgrade-fixture -- NAME` makes the folder of the version that it is built from.

mod aws;
mod embedded;
mod fixture;
pub mod leads;
mod make;
mod outputs;
mod site;

pub use aws::OnAws;
pub use embedded::Embedded;
pub use fixture::Fixture;
pub use make::make;
pub use outputs::{Outputs, lacks};
pub use site::{Site, Work};
