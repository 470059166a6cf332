//! The store as a whole, one file for each kind of promise.

mod counts;
mod journal;
mod logging;
mod opening;
mod queues;
mod retention;
mod taken_away;
mod upgrade;
mod writing;
