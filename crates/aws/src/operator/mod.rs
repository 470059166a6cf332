//! What people need to find and to check a pipeline on AWS: profiles, the identity behind them, the stack.

pub mod checks;
mod feed;
mod history;
mod index;
mod session;
mod signed;
mod stack;
mod view;

pub use history::S3History;
pub use session::{Identity, Keys, Session};
pub use signed::SignedRequest;
pub use stack::Stack;
pub use view::View;
