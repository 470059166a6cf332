//! `leadops --stack`: the real binary on a stack made from the real template, with moto as AWS.

#![allow(clippy::unwrap_used)]

mod commands;
mod faults;
mod requests;
mod subscribe;
