//! The pictures in the documentation are what the console shows.

use tests::pictures::{PICTURES, folder};

#[test]
fn the_pictures_show_the_console_as_it_is() {
    let mut stale = Vec::new();
    for picture in PICTURES {
        let stored =
            std::fs::read_to_string(folder().join(picture.name).with_extension("svg")).unwrap_or_default();
        if picture.svg() != stored {
            stale.push(picture.name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} no longer match: `cargo build --workspace && cargo run -p tests --bin screenshots`, then look at them"
    );
}
