//! The real functions on a small Lambda, with moto as AWS: samples in, alerts out, whatever goes wrong.

mod alerts;
mod clocked;
mod defects;
mod events;
mod faults;
mod loops;
mod operator;
mod owner_directory;
mod owners_in_close;
mod permissions;
mod runtime;
mod samples;
mod secrets;
mod slow;
mod webhook;
