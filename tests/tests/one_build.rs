//! The README's two commands share one build: every crate that `cargo run` compiles, with its features, is one that
//! `cargo test --workspace` uses as it is.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, process::Command};

/// Each package with its features as Cargo resolves them for these arguments.
fn packages(args: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--locked", "--offline", "--prefix=none", "--format={p} {f}"]).args(args);
    let output = tree.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    // `(*)` only says that a package was printed before.
    lines.lines().map(|line| line.trim_end_matches(" (*)").trim_end().to_owned()).collect()
}

#[test]
fn what_the_first_command_builds_the_second_uses() {
    // What is run is built without the dependencies of its tests.
    let run = packages(&["--edges=normal,build"]);
    let test = packages(&["--workspace"]);
    assert!(run.len() > 200, "only {} packages", run.len());
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let differing: Vec<String> = run
        .difference(&test)
        .map(|line| {
            let other: Vec<&String> = test.iter().filter(|other| name(other) == name(line)).collect();
            format!("{line}\n    in the tests: {other:?}")
        })
        .collect();
    assert!(
        differing.is_empty(),
        "these are built twice: name their features in crates/console/Cargo.toml\n{}",
        differing.join("\n")
    );
}
