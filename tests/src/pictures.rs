//! Pictures of the console: the real binary on the demo's still moment, cell by cell.
//!
//! Each cell is placed by itself, so that neither the font nor the viewer can shift a column.

use std::{fmt::Write, path::PathBuf, time::Duration};

use termlens::{Cell, Color, Key, Screen, Terminal};

use crate::process::binary;

/// Width and height of a cell, and the font's size, for DejaVu Sans Mono.
const CELL: (f64, f64) = (9.0, 17.46);
const FONT_SIZE: f64 = 14.95;
/// Where letters stand in their cell.
const BASELINE: f64 = 13.5;
/// Around the screen.
const MARGIN: f64 = 14.0;

/// What a picture shows.
pub struct Picture {
    /// The name of its file.
    pub name: &'static str,
    size: (u16, u16),
    keys: &'static [Stroke],
    /// What is to be seen when it is ready.
    ready: &'static str,
    light: bool,
}

/// A key, or letters.
enum Stroke {
    Text(&'static str),
    Key(Key),
}

use Stroke::{Key as Press, Text};

/// All of them.
pub const PICTURES: &[Picture] = &[
    Picture { name: "overview", size: (120, 36), keys: &[], ready: "LO204", light: false },
    Picture {
        name: "dead-letters",
        size: (120, 36),
        keys: &[Text("2"), Text("2"), Press(Key::Down)],
        ready: "Log of its last attempt",
        light: false,
    },
    Picture {
        name: "story",
        size: (120, 36),
        keys: &[Text("3"), Text("/"), Text("Delta"), Press(Key::Enter), Press(Key::Enter)],
        ready: "What happened",
        light: false,
    },
    Picture {
        name: "logs",
        size: (120, 36),
        keys: &[Text("4"), Text("4"), Text("["), Text("[")],
        ready: "held",
        light: false,
    },
    Picture {
        name: "confirm",
        size: (120, 36),
        keys: &[Text("A")],
        ready: "Redrive 9 dead letters?",
        light: false,
    },
    Picture { name: "light", size: (120, 36), keys: &[Text("2")], ready: "LO204", light: true },
    Picture { name: "small", size: (80, 24), keys: &[], ready: "LO204", light: false },
];

/// The sixteen colours of a terminal, its foreground and its background.
struct Palette {
    colours: [&'static str; 16],
    foreground: &'static str,
    background: &'static str,
}

const DARK: Palette = Palette {
    colours: [
        "#14171c", "#e5646b", "#8fc27a", "#e2b45c", "#6ca8e8", "#b894e0", "#5fbfc0", "#c5cad2", "#6b7380",
        "#f0868c", "#a8d694", "#f0c97e", "#8fc0f2", "#cfb2ee", "#83d6d6", "#ffffff",
    ],
    foreground: "#d3d7de",
    background: "#14171c",
};

const LIGHT: Palette = Palette {
    colours: [
        "#2a2e35", "#c0262e", "#2f7d32", "#9a6700", "#1f5fbf", "#8f3fb0", "#1b7a80", "#6b7380", "#7a828e",
        "#d13438", "#3c8f40", "#b07a00", "#3a78d8", "#a55ac6", "#2b8f95", "#14171c",
    ],
    foreground: "#24292f",
    background: "#fbfbfa",
};

/// The folder of the pictures.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../screenshots")
}

impl Picture {
    /// Plays it, and draws what is on the screen then.
    ///
    /// # Panics
    /// Where the console does not show what it should.
    pub fn svg(&self) -> String {
        let theme = if self.light { "light" } else { "dark" };
        // The store is written with care for the disk, and nobody needs this one later.
        let memory = std::path::Path::new("/dev/shm");
        let scratch = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let mut console = Terminal::builder()
            .size(self.size.0, self.size.1)
            .timeout(Duration::from_secs(120))
            .env_clear()
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("LEADOPS_CONFIG", "")
            .env("LEADOPS_THEME", theme)
            .env("TMPDIR", &scratch)
            .args(["demo", "--still"])
            .spawn(binary())
            .unwrap();
        // Every panel has its answer.
        let answered = |screen: &Screen| {
            let text = screen.text();
            text.contains("live")
                && text.contains("following")
                && !text.contains("loading")
                && text.contains("Slack")
        };
        console.wait_until(answered).unwrap();
        for stroke in self.keys {
            match stroke {
                Text(text) => console.send_str(text).unwrap(),
                Press(key) => console.send(*key).unwrap(),
            }
            console.wait_stable(Duration::from_millis(60)).unwrap();
        }
        console.wait_until(|screen| screen.contains(self.ready)).unwrap();
        let screen = console.wait_stable(Duration::from_millis(400)).unwrap();
        console.signal(termlens::Signal::Term).unwrap();
        console.wait_exit().unwrap();
        draw(&screen, if self.light { &LIGHT } else { &DARK })
    }
}

/// A picture as PNG, at twice its size.
///
/// # Panics
/// Where the picture is no SVG of ours.
pub fn png(svg: &str) -> Vec<u8> {
    use resvg::{tiny_skia, usvg};
    let mut options =
        usvg::Options { font_family: "DejaVu Sans Mono".to_owned(), ..usvg::Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(include_bytes!("../fonts/DejaVuSansMono.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../fonts/DejaVuSansMono-Bold.ttf").to_vec());
    let tree = usvg::Tree::from_str(svg, &options).unwrap();
    let size = tree.size().to_int_size().scale_by(2.0).unwrap();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).unwrap();
    resvg::render(&tree, tiny_skia::Transform::from_scale(2.0, 2.0), &mut pixels.as_mut());
    pixels.encode_png().unwrap()
}

fn draw(screen: &Screen, palette: &Palette) -> String {
    let (columns, rows) = (f64::from(screen.cols()), f64::from(screen.rows()));
    let (width, height) = (columns * CELL.0 + 2.0 * MARGIN, rows * CELL.1 + 2.0 * MARGIN);
    let background = palette.background;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.2} {height:.2}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono','JetBrains Mono',Menlo,Consolas,monospace\" font-size=\"{FONT_SIZE}\" xml:space=\"preserve\">\n"
    );
    for row in 0..screen.rows() {
        let mut column = 0;
        while column < screen.cols() {
            let (run, next) = run(screen, row, column);
            write_run(&mut svg, row, &run, palette);
            column = next.max(column + 1);
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

fn write_run(svg: &mut String, row: u16, run: &[(u16, &Cell)], palette: &Palette) {
    let Some((start, first)) = run.first() else { return };
    let style = first.style();
    let mut ink = palette.colour(style.fg, palette.foreground);
    let mut paper = palette.colour(style.bg, palette.background);
    if style.reverse {
        std::mem::swap(&mut ink, &mut paper);
    }
    let (x, y) = (MARGIN + f64::from(*start) * CELL.0, MARGIN + f64::from(row) * CELL.1);
    let faint = if style.dim { " opacity=\"0.6\"" } else { "" };
    if paper != palette.background {
        let width = f64::from(u16::try_from(run.len()).unwrap_or(0)) * CELL.0;
        let height = CELL.1;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height}\" fill=\"{paper}\"/>"
        );
    }
    let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
    let line = if style.underline { " text-decoration=\"underline\"" } else { "" };
    for (column, cell) in run {
        let letters = cell.contents();
        if letters.trim().is_empty() {
            continue;
        }
        let x = MARGIN + f64::from(*column) * CELL.0;
        if let Some(curve) = corner(letters, x, y) {
            let _ = writeln!(
                svg,
                "<path d=\"{curve}\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"1.2\"{faint}/>"
            );
            continue;
        }
        if let Some(shape) = drawn(letters, x, y) {
            let _ = writeln!(svg, "<path d=\"{shape}\" fill=\"{ink}\"{faint}/>");
            continue;
        }
        let text = letters.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let base = y + BASELINE;
        let _ = writeln!(
            svg,
            "<text x=\"{x:.2}\" y=\"{base:.2}\" fill=\"{ink}\"{weight}{faint}{line}>{text}</text>"
        );
    }
}

/// A rounded corner, as a line.
fn corner(letters: &str, x: f64, y: f64) -> Option<String> {
    let (middle, centre) = (y + CELL.1 / 2.0, x + CELL.0 / 2.0);
    let (right, below) = match letters {
        "╭" => (true, true),
        "╮" => (false, true),
        "╰" => (true, false),
        "╯" => (false, false),
        _ => return None,
    };
    let side = if right { x + CELL.0 } else { x };
    let end = if below { y + CELL.1 } else { y };
    let turn = if below { middle + 4.0 } else { middle - 4.0 };
    Some(format!("M{centre:.2} {end:.2}L{centre:.2} {turn:.2}Q{centre:.2} {middle:.2} {side:.2} {middle:.2}"))
}

/// Lines and blocks have to meet those of the next cell, which no font does at every size.
fn drawn(letters: &str, x: f64, y: f64) -> Option<String> {
    let (width, height) = CELL;
    let (middle, centre) = (y + height / 2.0, x + width / 2.0);
    let bar = |x: f64, y: f64, width: f64, height: f64| {
        format!("M{x:.2} {y:.2}h{width:.2}v{height:.2}h-{width:.2}z")
    };
    Some(match letters {
        "─" => bar(x, middle - 0.6, width, 1.2),
        "━" => bar(x, middle - 1.3, width, 2.6),
        "╸" => bar(x, middle - 1.3, width / 2.0, 2.6),
        "│" => bar(centre - 0.6, y, 1.2, height),
        "┬" => {
            format!("{}{}", bar(x, middle - 0.6, width, 1.2), bar(centre - 0.6, middle, 1.2, height / 2.0))
        }
        "▌" => bar(x, y, width / 2.0, height),
        "█" => bar(x, y, width, height),
        level => {
            let eighths = "▁▂▃▄▅▆▇".chars().position(|c| level == c.to_string())? + 1;
            let tall = height * f64::from(u8::try_from(eighths).unwrap_or(1)) / 8.0;
            bar(x, y + height - tall, width, tall)
        }
    })
}

impl Palette {
    fn colour(&self, colour: Color, default: &str) -> String {
        match colour {
            Color::Default => default.to_owned(),
            Color::Indexed(index) => match self.colours.get(usize::from(index)) {
                Some(named) => (*named).to_owned(),
                None => cube(index),
            },
            Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        }
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
