//! Looking owners up in Close: the real reader over HTTP, under every answer that Close may give to what nobody has
//! seen it answer.

mod examine;
mod fields;
mod keys;
mod limits;
mod members;
mod people;
mod refusals;
mod stand_in;
mod store;
mod testbed;
