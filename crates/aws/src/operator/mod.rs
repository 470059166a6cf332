//! What people need to find and to check a pipeline on AWS: profiles, the identity behind them, the stack.

pub mod checks;
mod history;
mod session;
mod stack;

pub use history::S3History;
pub use session::{Identity, Keys, Session};
pub use stack::Stack;
