//! What we depend on, and what our own crates forbid themselves: `deny.toml`'s rules, as far as they can
//! be checked without installing cargo-deny.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use toml::Table;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> Table {
    fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
}

/// A package that this machine builds.
struct Package {
    name: String,
    version: String,
    /// Where it comes from: empty for the registry, ours by their folder.
    place: String,
    license: String,
}

/// All of them, as `cargo tree` has them: `cargo metadata` names features' packages that are not built.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["tree", "--workspace", "--locked", "--offline", "--prefix=none", "--format={p}|{l}"];
    let output = Command::new(cargo).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .filter(|l| !l.is_empty())
        .collect();
    let packages = lines.iter().map(|line| {
        let (package, license) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        let mut words = package.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (name, version) = (word(), word().trim_start_matches('v').to_owned());
        let place = word().replace("(proc-macro)", "").replace(['(', ')'], "").trim().to_owned();
        Package { name, version, place, license: license.to_owned() }
    });
    packages.collect()
}

/// Whether an SPDX expression leaves us a choice that is allowed.
fn is_allowed(license: &str, allowed: &BTreeSet<&str>) -> bool {
    license
        .replace(['(', ')'], "")
        .replace('/', " OR ")
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|choice| allowed.contains(choice.trim())))
}

#[test]
fn licences_sources_and_forbidden_crates() {
    let deny = read("deny.toml");
    let texts = |value: &toml::Value| -> BTreeSet<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let allowed = texts(&deny["licenses"]["allow"]);
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let exceptions: BTreeSet<&str> = deny["licenses"]["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exception| exception["crate"].as_str().unwrap())
        .collect();
    let packages = packages();
    assert!(packages.len() > 200, "only {} packages", packages.len());
    for Package { name, version, place, license } in &packages {
        assert!(
            is_allowed(license, &allowed) || exceptions.contains(name.as_str()),
            "{name} {version} is licensed {license:?}"
        );
        assert!(place.is_empty() || place.starts_with('/'), "{name} comes from {place}");
        let banned = deny["bans"]["deny"].as_array().unwrap().iter().find(|banned| {
            let named = banned.get("crate").or_else(|| banned.get("name"));
            named.and_then(toml::Value::as_str) == Some(name.as_str())
                && banned.get("wrappers").is_none()
                && {
                    // Versions are banned from below: `<1`, `<0.23`.
                    let below = banned.get("version").and_then(toml::Value::as_str);
                    below.is_none_or(|below| numbers(version) < numbers(below.trim_start_matches('<')))
                }
        });
        assert!(banned.is_none(), "{name} {version} is not to be used: {banned:?}");
    }
}

#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let deny = read("deny.toml");
    let skipped: BTreeSet<&str> =
        deny["bans"]["skip"].as_array().unwrap().iter().map(|skip| skip["crate"].as_str().unwrap()).collect();
    // `base64@0.23` stands for all of 0.23.
    let is_skipped = |package: &Package| {
        let Package { name, version, .. } = package;
        skipped.iter().any(|skip| format!("{name}@{version}.").starts_with(&format!("{skip}.")))
    };
    let packages = packages();
    let checked: Vec<&Package> = packages.iter().filter(|package| !is_skipped(package)).collect();
    for pair in checked.windows(2) {
        let [one, other] = pair else { continue };
        let twice = one.name == other.name && one.version != other.version;
        assert!(!twice, "{} {} and {}: see deny.toml", one.name, one.version, other.version);
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[test]
fn every_crate_of_ours_forbids_unsafe_code() {
    let workspace = read("Cargo.toml");
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let ours: BTreeSet<String> =
        packages().into_iter().map(|package| package.place).filter(|place| !place.is_empty()).collect();
    assert!(ours.len() >= 11, "only {} crates", ours.len());
    for folder in ours {
        let manifest: Table = fs::read_to_string(format!("{folder}/Cargo.toml")).unwrap().parse().unwrap();
        let opted_in = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(opted_in.and_then(toml::Value::as_bool), Some(true), "{folder}");
    }
}
