//! The README's two commands share one build: every crate that `cargo run` compiles, with its features, is one that
//! `cargo test --workspace` uses as it is.

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

/// What of the one is not in the other, each with its namesakes there.
fn missing(run: &BTreeSet<String>, test: &BTreeSet<String>) -> Vec<String> {
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let differing = run.difference(test).map(|line| {
        let others: Vec<&String> = test.iter().filter(|other| name(other) == name(line)).collect();
        format!("{line}\n    in the tests: {others:?}")
    });
    differing.collect()
}

#[test]
fn what_the_first_command_builds_the_second_uses() {
    // What is run is built without the dependencies of its tests. What a build script or a macro needs is compiled for
    // itself, with features of its own, so a crate of the binary is not to be looked for among those.
    let run = packages(&["--edges=normal,no-proc-macro"]);
    let test = packages(&["--workspace", "--edges=normal,dev,no-proc-macro"]);
    assert!(run.len() > 200, "only {} packages", run.len());
    let mut differing = missing(&run, &test);
    let (run, test) = (packages(&["--edges=normal,build"]), packages(&["--workspace"]));
    differing.extend(missing(&run, &test));
    assert!(
        differing.is_empty(),
        "these are built twice: name their features in crates/console/Cargo.toml\n{}",
        differing.join("\n")
    );
}
