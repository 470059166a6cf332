//! Every link of a document leads to something that is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The documents below a folder.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            found.extend(documents(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

/// What a document links to, but for what stands in code.
fn targets(text: &str) -> Vec<&str> {
    let mut in_fence = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        !in_fence && !is_fence
    });
    let of_line = |line| {
        let plain = |(index, part)| (index % 2 == 0).then_some(part);
        // Every second part between backticks is code, unless it is the text of a link.
        let text: Vec<&str> = str::split(line, '`').enumerate().filter_map(plain).collect();
        text
    };
    let linked = prose.flat_map(of_line).flat_map(|part| part.split("](").skip(1));
    linked.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)).collect()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    let anchor = |heading: &str| -> String {
        let anchor = heading.trim().to_lowercase();
        let anchor = anchor.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        anchor.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut dead = Vec::new();
    let documents = documents(&root);
    assert!(documents.len() > 100, "{documents:?}");
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let has_anchor = || fs::read_to_string(&file).is_ok_and(|text| anchors(&text).contains(anchor));
            if !file.exists() || !anchor.is_empty() && !has_anchor() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
