//! `LEADOPS_SKIP_AWS=1` leaves out the tests that need Python: those of AWS, and of the proxies.

use std::env;

const ASKED: &str = "LEADOPS_SKIP_AWS";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(skip_aws)");
    println!("cargo::rerun-if-env-changed={ASKED}");
    match env::var(ASKED).as_deref() {
        Err(env::VarError::NotPresent) | Ok("" | "0") => {}
        Ok("1") => {
            println!("cargo::rustc-cfg=skip_aws");
            println!("cargo::warning={ASKED}: the tests of AWS and of the proxies are LEFT OUT");
        }
        Ok(other) => println!("cargo::error={ASKED} is {other:?}: 1 leaves them out, 0 or nothing does not"),
        Err(error) => println!("cargo::error={ASKED}: {error}"),
    }
}
