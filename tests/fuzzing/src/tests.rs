//! The targets over their seeds, and over damaged copies of them.

use std::{fs, path::Path};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};

use super::TARGETS;

/// The seeds of all targets: the samples, and what stands in `fuzz/seeds`.
fn seeds() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    for folder in ["../samples", "../../fuzz/seeds"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                seeds.push(fs::read(path).unwrap());
            }
        }
    }
    assert!(seeds.len() > 15, "only {} seeds", seeds.len());
    seeds
}

/// What is done to a seed.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let significant = prop::sample::select(vec![
        &b"\x1b[2J"[..],
        b"\0",
        b"\n",
        b"\r\n",
        b"\"",
        b"\\",
        b"{",
        b"[",
        b"null",
        b"1e999",
        b"\\ud800",
        b"<!channel>",
        b"&",
        b"\xff",
        "\u{202e}".as_bytes(),
        "\u{200d}".as_bytes(),
        "e\u{301}\u{302}\u{303}".as_bytes(),
        "株".as_bytes(),
        "🇩🇪".as_bytes(),
        b"../",
        b"%2e",
        b"=",
    ]);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), significant).prop_map(|(at, bytes)| Damage::Insert(at, bytes.to_vec())),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(seed: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for damage in damages {
        let length = bytes.len();
        let place = |index: &Index| index.index(length + 1);
        let range = |a: &Index, b: &Index| {
            let (a, b) = (place(a), place(b));
            // Small pieces, so that something of the seed is left.
            a.min(b)..a.max(b).min(a.min(b) + 64)
        };
        match damage {
            Damage::Set(at, byte) => {
                if let Some(place) = bytes.get_mut(place(at)) {
                    *place = *byte;
                }
            }
            Damage::Insert(at, new) => {
                bytes.splice(place(at)..place(at), new.iter().copied());
            }
            Damage::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Damage::Repeat(from, to) => {
                let range = range(from, to);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
        }
    }
    bytes
}

#[test]
fn every_target_holds_for_its_seeds_and_for_damaged_ones() {
    let seeds = seeds();
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 0..8));
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            let (seeds, strategy) = (seeds.as_slice(), &strategy);
            std::thread::Builder::new()
                .name((*name).to_owned())
                .spawn_scoped(scope, move || {
                    seeds.iter().for_each(|seed| target(seed));
                    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
                    let run = TestRunner::new(config).run(strategy, |(index, damages)| {
                        target(&damaged(&seeds[index.index(seeds.len())], &damages));
                        Ok(())
                    });
                    run.unwrap_or_else(|failure| panic!("{name}: {failure}"));
                })
                .unwrap();
        }
    });
}
