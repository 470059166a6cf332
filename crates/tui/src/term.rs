//! Entering and leaving the terminal.
//!
//! Whatever ends the console, the shell gets its screen back: leaving is done by [`Screen`]'s drop (a
//! return, an error, a signal, an unwinding panic) and by the panic hook, which must come first so that
//! the message can be read. Leaving twice does nothing.

use std::{
    cell::Cell,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    os::fd::OwnedFd,
    panic,
    sync::{
        Mutex, Once,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::Engine;
use crossterm::{
    cursor, event, execute,
    terminal::{self, BeginSynchronizedUpdate, EndSynchronizedUpdate},
};
use ratatui::{Terminal, backend::CrosstermBackend};

use host::output;

/// Whether the console has the screen.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// The real stderr while it is silenced.
static STDERR: Mutex<Option<OwnedFd>> = Mutex::new(None);
/// Panics of other tasks while the console had the screen.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread is inside the console's own code.
    static DRAWING: Cell<bool> = const { Cell::new(false) };
}

/// The terminal while the console has it.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        hook_panics();
        // A frame is some kilobytes: written at once, it does not tear.
        let backend = CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()));
        let screen = Self { terminal: Terminal::new(backend)? };
        enter()?;
        Ok(screen)
    }

    /// Draws a frame.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        crossterm::queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(draw)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Leaves the terminal to the shell, stops, and enters it again once the shell continues the process.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        leave();
        // As ctrl-z does in a program that does not read it itself: the whole job stops. SIGTSTP would
        // be ignored where no shell could continue us.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.resume()
    }

    /// Leaves the terminal to another program, such as an editor, and enters it again afterwards.
    pub(super) fn suspend_for<T>(&mut self, work: impl FnOnce() -> T) -> io::Result<T> {
        leave();
        let result = work();
        self.resume()?;
        Ok(result)
    }

    /// Hands a text to the terminal's clipboard (OSC 52). That works through ssh and tmux as well, and
    /// where the terminal does not do it, nothing happens.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let backend = self.terminal.backend_mut();
        write!(backend, "\x1b]52;c;{encoded}\x07")?;
        backend.flush()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn mouse(&mut self, ours: bool) -> io::Result<()> {
        match ours {
            true => execute!(self.terminal.backend_mut(), event::EnableMouseCapture),
            false => execute!(self.terminal.backend_mut(), event::DisableMouseCapture),
        }
    }

    /// Enters the terminal again after another program had it.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        // The shell has restored its own modes: those saved here are stale.
        leave();
        enter()?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        for message in take_panics() {
            message.lines().for_each(output::aside);
        }
    }
}

fn enter() -> io::Result<()> {
    ENTERED.store(true, Ordering::SeqCst);
    silence_stderr();
    terminal::enable_raw_mode()?;
    // Bracketed paste: a pasted text must not press keys. No mouse capture: it would take away the
    // terminal's own selection.
    execute!(io::stdout(), terminal::EnterAlternateScreen, event::EnableBracketedPaste, cursor::Hide)
}

fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    // Errors are ignored: the terminal may be gone, as after SIGHUP.
    let mut stdout = io::stdout();
    let _ = execute!(
        stdout,
        EndSynchronizedUpdate,
        event::DisableMouseCapture,
        event::DisableBracketedPaste,
        terminal::LeaveAlternateScreen,
        cursor::Show
    );
    let _ = stdout.flush();
    let _ = terminal::disable_raw_mode();
    if let Some(stderr) = pipeline::lock(&STDERR).take() {
        let _ = rustix::stdio::dup2_stderr(&stderr);
    }
}

/// A stray line on stderr, from logging or a library, would be written across the screen. Its text is
/// in the log store as well; a stderr that goes elsewhere is left alone.
fn silence_stderr() {
    let mut saved = pipeline::lock(&STDERR);
    if saved.is_some() || !io::stderr().is_terminal() {
        return;
    }
    let (Ok(real), Ok(nowhere)) =
        (rustix::io::dup(io::stderr()), std::fs::OpenOptions::new().write(true).open("/dev/null"))
    else {
        return;
    };
    if rustix::stdio::dup2_stderr(&nowhere).is_ok() {
        *saved = Some(real);
    }
}

/// Runs the console's own code: a panic in it ends the console, while one in a task beside it ends only
/// that task and is reported as an event.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> T {
    DRAWING.set(true);
    let result = work();
    DRAWING.set(false);
    result
}

/// The panics since the last call.
pub(super) fn take_panics() -> Vec<String> {
    std::mem::take(&mut pipeline::lock(&PANICS))
}

fn hook_panics() {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if ENTERED.load(Ordering::SeqCst) && !DRAWING.get() {
                let mut panics = pipeline::lock(&PANICS);
                panics.push(format!("a bug beside the console: {info}"));
            } else {
                leave();
                before(info);
            }
        }));
    });
}
