//! Writes the folder of `tests/upgrade` for the version that is built here:
//!
//! ```sh
//! cargo build --workspace && cargo run -p tests --bin upgrade-fixture -- 0.2.0
//! ```
//!
//! `LEADOPS_BINARIES` names a folder with another version's binaries.

use tests::upgrade::{Embedded, Fixture, OnAws, Site, make};

#[tokio::main]
async fn main() {
    let version = std::env::args().nth(1).expect("the version's name");
    let mut sites: [Box<dyn Site>; 2] =
        [Box::new(Embedded::new(None).await), Box::new(OnAws::new(None).await)];
    for site in &mut sites {
        let folder = Fixture::folder(&version, site.name());
        make(site.as_mut(), &folder).await;
        println!("{}", folder.display());
    }
}
