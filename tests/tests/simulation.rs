//! The promises, under anything: see `tests::sim`.
//!
//! `LEADOPS_SEEDS=10000` runs so many seeds, half of them on each wiring, instead of some hundreds,
//! `LEADOPS_FIRST_SEED=5000` begins with those of that number in place of 0, and `LEADOPS_SEED=aws:4` shows one
//! with its whole trace.

#![allow(clippy::unwrap_used)]

use tests::sim::{
    Campaign, Mutation, Seed, Wiring,
    campaign::{caught, report},
    run,
};

/// How many seeds are run unless asked for otherwise, half of them on each wiring.
const SEEDS: u64 = 600;
/// Within how many seeds of either wiring a planted mistake is to be noticed.
const NOTICED_WITHIN: u64 = 200;

#[test]
fn every_promise_holds_whatever_fails() {
    let number = |name, usual| std::env::var(name).map_or(usual, |number| number.parse().unwrap());
    let (seeds, first) = (number("LEADOPS_SEEDS", SEEDS), number("LEADOPS_FIRST_SEED", 0));
    let campaign = Campaign { wirings: Wiring::ALL.to_vec(), first, count: seeds.div_ceil(2) };
    let (figures, result) = campaign.run();
    println!("{figures}");
    if let Err(report) = result {
        panic!("{report}");
    }
    assert_eq!((figures.lost, figures.doubled, figures.broken), (0, 0, 0));
    assert!(figures.seeds >= seeds);
    assert!(figures.accepted > figures.seeds, "leads came in");
}

#[test]
fn two_runs_of_a_seed_are_equal_to_the_byte() {
    for wiring in Wiring::ALL {
        for number in 0..3 {
            let [first, second] = [(); 2].map(|()| run(Seed { wiring, number }, None, true));
            assert!(first.trace.len() > 1_000);
            assert!(first.trace == second.trace, "{wiring:?} {number}");
        }
    }
}

#[test]
fn the_oracle_notices_every_planted_mistake() {
    for mutation in Mutation::ALL {
        let seeds = (0..NOTICED_WITHIN).flat_map(|number| Wiring::ALL.map(|wiring| Seed { wiring, number }));
        let noticed = seeds.map(|seed| caught(seed, Some(mutation), false)).find_map(|run| run.violation);
        let noticed = noticed.unwrap_or_else(|| panic!("nobody notices {mutation:?}"));
        println!("{mutation:?}: {noticed}");
    }
}

/// Shows one seed: `LEADOPS_SEED=aws:4 cargo test --workspace --test simulation replay -- --nocapture`.
#[test]
fn replay() {
    let Ok(seed) = std::env::var("LEADOPS_SEED") else { return };
    let outcome = caught(seed.parse().unwrap(), None, true);
    println!("{}\n{}", outcome.trace, outcome.figures);
    assert!(outcome.violation.is_none(), "{}", report(&outcome));
}
