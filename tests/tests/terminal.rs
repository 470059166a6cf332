//! The console of the real binary in a real pseudo-terminal.

#![allow(clippy::unwrap_used)]

use std::{path::Path, time::Duration};

use termlens::{Key, Signal, Terminal};
use tests::process::binary;

fn terminal(program: &Path, args: &[&str], size: (u16, u16)) -> Terminal {
    Terminal::builder()
        .size(size.0, size.1)
        .timeout(Duration::from_secs(30))
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("TERM", "xterm-256color")
        .env("LEADOPS_CONFIG", "")
        .args(args)
        .spawn(program)
        .unwrap()
}

fn demo(size: (u16, u16)) -> Terminal {
    let mut console = terminal(&binary(), &["demo", "--delay", "1"], size);
    console.wait_until(|screen| screen.contains("leadops") && screen.contains("live")).unwrap();
    console
}

fn is_restored(console: &Terminal) {
    let screen = console.screen();
    assert!(!screen.alternate_screen() && screen.cursor_visible() && !screen.bracketed_paste(), "{screen:?}");
}

#[test]
fn q_gives_the_terminal_back() {
    let mut console = demo((100, 30));
    assert!(console.screen().alternate_screen() && !console.screen().cursor_visible());
    console.send_str("q").unwrap();
    assert!(console.wait_exit().unwrap().success());
    is_restored(&console);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::Term, Signal::Hup, Signal::Int] {
        let mut console = demo((100, 30));
        console.signal(signal).unwrap();
        assert!(console.wait_exit().unwrap().success(), "{signal:?}");
        is_restored(&console);
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_panicking-console"));
    let mut console = terminal(program, &[folder.path().to_str().unwrap()], (100, 30));
    console.wait_until(|screen| screen.alternate_screen() && screen.contains("breaking")).unwrap();
    let status = console.wait_exit().unwrap();
    assert!(!status.success());
    is_restored(&console);
    assert!(console.screen().contains("broke on purpose"), "{:?}", console.screen());
}

#[test]
fn a_storm_of_resizes_leaves_a_picture_that_fits() {
    let mut console = demo((100, 30));
    for step in 0..40u16 {
        console.resize(10 + step * 7 % 190, 3 + step * 5 % 60).unwrap();
    }
    console.resize(140, 44).unwrap();
    console
        .wait_until(|screen| {
            screen.size() == (140, 44) && screen.contains("Pending") && screen.contains("Dead letters")
        })
        .unwrap();
    console.send_str("q").unwrap();
    assert!(console.wait_exit().unwrap().success());
}

#[test]
fn a_dead_letter_is_redriven_with_the_keys_alone() {
    let mut console = demo((120, 36));
    console.wait_until(|screen| screen.contains("LO204")).unwrap();
    console.send_str("2").unwrap();
    console.send_str("R").unwrap();
    console.wait_until(|screen| screen.contains("Redrive this dead letter?")).unwrap();
    // Cancel has the focus: Enter alone does nothing.
    console.send(Key::Enter).unwrap();
    console.wait_until(|screen| !screen.contains("Redrive this dead letter?")).unwrap();
    assert!(!console.screen().contains("back in the notification queue"));
    console.send_str("R").unwrap();
    console.wait_until(|screen| screen.contains("Redrive this dead letter?")).unwrap();
    console.send(Key::Tab).unwrap();
    console.send(Key::Enter).unwrap();
    console.wait_until(|screen| screen.contains("back in the notification queue")).unwrap();
    console.send_str("q").unwrap();
    assert!(console.wait_exit().unwrap().success());
}
