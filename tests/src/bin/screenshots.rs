//! Makes `screenshots/` from the real console: `cargo build --workspace && cargo run -p tests --bin
//! screenshots`.
//!
//! Each character is placed by itself, so that a font of another width moves no border.

#![allow(clippy::unwrap_used, reason = "a picture that cannot be made says so by panicking")]

use std::{fmt::Write as _, path::Path, time::Duration};

use termlens::{Cell, Color, Screen, Terminal};
use tests::process::binary;

/// A character's cell, and the size of the letters in it.
const CELL: (f64, f64) = (9.0, 18.0);
const FONT_SIZE: f64 = 14.95;
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d6dae0";
/// The sixteen colours of a terminal, for a dark background.
const PALETTE: [&str; 16] = [
    "#14171c", "#e5646b", "#8fc27a", "#e2b45c", "#6ca8e8", "#b894e0", "#5fbfc0", "#c5cad2", "#6b7380",
    "#f0868c", "#a8d694", "#f0c97e", "#8fc0f2", "#cfb2ee", "#83d6d6", "#ffffff",
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../screenshots");
    let mut console = Terminal::builder()
        .size(120, 36)
        .timeout(Duration::from_secs(60))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .args(["demo", "--delay", "12"])
        .spawn(binary())
        .unwrap();
    // The dead letter is there, and some leads have been told since.
    console.wait_until(|screen| screen.contains("no_service") && screen.contains("Meridian")).unwrap();
    console.send_str("2").unwrap();
    let screen = console.wait_stable(Duration::from_millis(200)).unwrap();
    std::fs::write(folder.join("overview.svg"), svg(&screen)).unwrap();
    console.send_str("q").unwrap();
    console.wait_exit().unwrap();
}

fn svg(screen: &Screen) -> String {
    let (columns, rows) = (f64::from(screen.cols()), f64::from(screen.rows()));
    let (width, height) = (columns * CELL.0 + 2.0 * MARGIN, rows * CELL.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono','JetBrains Mono',Menlo,Consolas,monospace\" font-size=\"{FONT_SIZE}\" xml:space=\"preserve\">\n"
    );
    for row in 0..screen.rows() {
        let mut column = 0;
        while column < screen.cols() {
            let (run, next) = run(screen, row, column);
            write_run(&mut svg, row, &run);
            column = next;
        }
    }
    svg + "</g>\n</svg>\n"
}

/// The cells from `column` on that look alike, and where the next run begins.
fn run(screen: &Screen, row: u16, column: u16) -> (Vec<(u16, &Cell)>, u16) {
    let mut cells: Vec<(u16, &Cell)> = Vec::new();
    let mut at = column;
    while let Some(cell) = screen.cell(row, at) {
        if cells.first().is_some_and(|(_, first)| first.style() != cell.style()) {
            break;
        }
        cells.push((at, cell));
        at += 1;
    }
    (cells, at)
}

fn write_run(svg: &mut String, row: u16, run: &[(u16, &Cell)]) {
    let Some((start, first)) = run.first() else { return };
    let style = first.style();
    let (mut ink, mut paper) = (colour(style.fg, FOREGROUND), colour(style.bg, BACKGROUND));
    if style.reverse {
        std::mem::swap(&mut ink, &mut paper);
    }
    let (x, y) = (MARGIN + f64::from(*start) * CELL.0, MARGIN + f64::from(row) * CELL.1);
    if paper != BACKGROUND {
        let width = f64::from(u16::try_from(run.len()).unwrap()) * CELL.0;
        writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{paper}\"/>", CELL.1)
            .unwrap();
    }
    let shown: Vec<&(u16, &Cell)> =
        run.iter().filter(|(_, cell)| !cell.contents().trim().is_empty()).collect();
    if shown.is_empty() {
        return;
    }
    let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
    let faint = if style.dim { " opacity=\"0.6\"" } else { "" };
    let line = if style.underline { " text-decoration=\"underline\"" } else { "" };
    for (column, cell) in shown {
        let x = MARGIN + f64::from(*column) * CELL.0;
        let text = cell.contents().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        writeln!(svg, "<text x=\"{x}\" y=\"{}\" fill=\"{ink}\"{weight}{faint}{line}>{text}</text>", y + 13.5)
            .unwrap();
    }
}

fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Default => default.to_owned(),
        Color::Indexed(index) => match PALETTE.get(usize::from(index)) {
            Some(named) => (*named).to_owned(),
            None => cube(index),
        },
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// A colour of the 256-colour palette's cube or grey ramp.
fn cube(index: u8) -> String {
    if index >= 232 {
        let grey = 8 + 10 * (index - 232);
        return format!("#{grey:02x}{grey:02x}{grey:02x}");
    }
    let level = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
    let index = index - 16;
    let (r, g, b) = (level(index / 36), level(index / 6 % 6), level(index % 6));
    format!("#{r:02x}{g:02x}{b:02x}")
}
