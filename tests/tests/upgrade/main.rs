//! Whoever runs an earlier version comes through unharmed: what each left behind (`tests/upgrade`) is opened by the
//! present binaries, printed as it was printed before, and every lead comes to its right end, once.

#![allow(clippy::unwrap_used)]

mod back;
mod ends;
mod forms;

use tests::upgrade::{Embedded, Fixture, OnAws, Site, Work, lacks};

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_of_each_earlier_version_comes_to_its_right_end() {
    for version in Fixture::versions() {
        let fixture = Fixture::of(&version, "embedded");
        let mut site = Embedded::new(Some(&fixture.folder)).await;
        comes_through(&mut site, &version, &fixture).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(skip_aws, ignore = "LEADOPS_SKIP_AWS leaves out what needs Python")]
async fn a_bucket_and_its_queues_of_each_earlier_version_come_to_their_right_end() {
    for version in Fixture::versions() {
        let fixture = Fixture::of(&version, "aws");
        let mut site = OnAws::new(Some(&fixture.folder)).await;
        comes_through(&mut site, &version, &fixture).await;
        forms::can_be_read_by_that_version(&site, &fixture).await;
    }
}

async fn comes_through(site: &mut dyn Site, version: &str, fixture: &Fixture) {
    let place = site.name();
    println!("{version}, {place}");
    outputs_are_as_before(site, fixture).await;
    site.time().set(fixture.at).await;
    site.start(Work::USUAL).await;
    ends::each_is_right(site, fixture).await;
    site.kill().await;
}

/// Everything that the earlier version's commands said of it is said still.
async fn outputs_are_as_before(site: &dyn Site, fixture: &Fixture) {
    let now = site.outputs(fixture.at).await;
    let mut lost = Vec::new();
    for (question, before) in &fixture.outputs {
        match now.get(question) {
            Some(now) => lacks(question, before, now, &mut lost),
            None => lost.push(format!("{question} is not answered")),
        }
    }
    assert!(lost.is_empty(), "{} does not say what was said before:\n{}", site.name(), lost.join("\n"));
}
