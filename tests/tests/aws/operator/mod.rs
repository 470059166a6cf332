//! `leadops --stack`: the real binary on a stack made from the real template, with moto as AWS.

mod address;
mod close_answers;
mod commands;
mod faults;
mod front;
mod requests;
mod signing_keys;
mod subscribe;
