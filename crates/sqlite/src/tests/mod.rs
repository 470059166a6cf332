//! The store as a whole, one file for each kind of promise.

mod journal;
mod logging;
mod opening;
mod queues;
mod retention;
mod taken_away;
mod writing;
