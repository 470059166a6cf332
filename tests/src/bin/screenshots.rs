//! Draws the pictures of the console into `screenshots/`, as SVG and as PNG. A name draws that one alone.

#![allow(clippy::unwrap_used, reason = "a tool that cannot go on says so by panicking")]

use tests::pictures::{PICTURES, folder, png};

fn main() {
    let wanted = std::env::args().nth(1);
    for picture in
        PICTURES.iter().filter(|picture| wanted.as_deref().is_none_or(|wanted| wanted == picture.name))
    {
        let svg = picture.svg();
        std::fs::write(folder().join(picture.name).with_extension("png"), png(&svg)).unwrap();
        std::fs::write(folder().join(picture.name).with_extension("svg"), svg).unwrap();
        println!("{}", picture.name);
    }
}
