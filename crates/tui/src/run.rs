//! The loop: waits for whatever comes first, passes it to [`update`], carries out its commands, and draws
//! when something has changed.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Write},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use crossterm::event::{
    Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use futures_util::{Stream, StreamExt};
use lead::Timestamp;
use ops::DeadDetail;
use pipeline::{Code, Fault, ports::Clock};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    app::App,
    effect::{Effects, Report},
    frame,
    keymap::{Keymap, Press},
    msg::{Cmd, Event, Msg, Pointer},
    source::{Environments, Source},
    term::{self, Screen, guarded},
    text::Glyphs,
    theme::Theme,
    update::update,
};
use host::ShutdownSignals;

/// How many reports are processed before the next frame.
const BATCH: usize = 256;

/// The user's options for the console.
#[derive(Default)]
pub struct Options {
    /// The keys.
    pub keymap: Keymap,
    /// Whether the console captures the mouse from the start.
    pub mouse: bool,
    /// The clock; `None` for the pipeline's.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Shows a pipeline until the user quits or a signal ends the process.
///
/// Needs a runtime with several threads: queries run on the others. A stderr that is the terminal is
/// silenced meanwhile.
///
/// # Errors
/// Errors of the terminal.
pub async fn run(
    source: Source,
    environments: Arc<dyn Environments>,
    options: Options,
) -> anyhow::Result<()> {
    let var = |name: &str| std::env::var(name).ok();
    let theme = Theme::of_environment(var);
    let mut app = App::new(source.info(), Glyphs::of_locale(var));
    app.size = crossterm::terminal::size()?;
    app.environments = environments.names();
    app.keymap = Arc::new(options.keymap);
    app.mouse = options.mouse;
    let clock = options.clock.unwrap_or_else(|| source.ops.recorder.clock.clone());
    let (effects, reports) = Effects::new(source.ops, source.watch, environments);
    let signals = signals()?;
    let mut screen = Screen::enter()?;
    screen.mouse(app.mouse)?;
    let mut console = Console { app, effects, theme, now: move || clock.now(), dirty: true };
    let result = console.drive(&mut screen, reports, signals).await;
    drop(screen);
    console.effects.close().await;
    Ok(result?)
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Terminate,
    Continued,
}

fn signals() -> io::Result<impl Stream<Item = Signal>> {
    let mut endings = ShutdownSignals::listen()?;
    // tokio has no constant for SIGCONT.
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    Ok(futures_util::stream::poll_fn(move |context| {
        if endings.poll(context).is_ready() {
            return Some(Signal::Terminate).into();
        }
        continued.poll_recv(context).map(|_| Some(Signal::Continued))
    }))
}

struct Console<N> {
    app: App,
    effects: Effects,
    theme: Theme,
    now: N,
    dirty: bool,
}

impl<N: Fn() -> Timestamp> Console<N> {
    async fn drive(
        &mut self,
        screen: &mut Screen,
        mut reports: mpsc::UnboundedReceiver<Report>,
        signals: impl Stream<Item = Signal>,
    ) -> io::Result<()> {
        let mut signals = pin!(signals);
        let mut keys: Pin<Box<EventStream>> = Box::pin(EventStream::new());
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The first frame is drawn before the first answer arrives.
            if self.dirty {
                let (app, theme) = (&self.app, &self.theme);
                guarded(|| screen.draw(|screen| frame::draw(screen, app, theme)))?;
                self.dirty = false;
            }
            let mut resumed = false;
            let mut cmds = VecDeque::from(tokio::select! {
                // Keys come first: answers never delay them.
                biased;
                signal = signals.next() => match signal {
                    Some(Signal::Continued) => {
                        resumed = true;
                        Vec::new()
                    }
                    Some(Signal::Terminate) | None => self.dispatch(Event::Terminate),
                },
                input = keys.next() => match input {
                    Some(Ok(input)) => match event_of(input) {
                        Some(event) => self.dispatch(event),
                        None => Vec::new(),
                    },
                    // The terminal is gone.
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                Some(report) = reports.recv() => {
                    let mut cmds = self.handle_report(report);
                    for _ in 0..BATCH {
                        let Ok(report) = reports.try_recv() else { break };
                        cmds.extend(self.handle_report(report));
                    }
                    cmds
                }
                _ = second.tick() => self.dispatch(Event::Tick),
            });
            for message in term::take_panics() {
                cmds.extend(self.dispatch(Event::Notice(message)));
            }
            if resumed {
                screen.resume()?;
                self.terminal_returned(screen)?;
            }
            while let Some(cmd) = cmds.pop_front() {
                match cmd {
                    Cmd::Ask { generation, query } => self.effects.ask(generation, query),
                    Cmd::Cancel(generation) => self.effects.cancel(generation),
                    Cmd::Filter(generation, task) => self.effects.filter(generation, task),
                    Cmd::Run { job, operation } => self.effects.run(job, operation),
                    Cmd::Stop(job) => self.effects.stop(job),
                    Cmd::Switch(generation, name) => self.effects.switch(generation, name),
                    Cmd::Copy(text) => screen.copy(&text)?,
                    Cmd::Mouse(ours) => screen.mouse(ours)?,
                    Cmd::Edit(detail, text) => {
                        // Its reader would take the keys away from the editor.
                        drop(keys);
                        let edited = screen.suspend_for(|| edit(&detail, &text))?;
                        keys = Box::pin(EventStream::new());
                        self.terminal_returned(screen)?;
                        cmds.extend(self.dispatch(Event::Edited(detail, edited)));
                    }
                    Cmd::Suspend => {
                        screen.suspend()?;
                        self.terminal_returned(screen)?;
                    }
                    Cmd::Quit => return Ok(()),
                }
            }
        }
    }

    fn handle_report(&mut self, report: Report) -> Vec<Cmd> {
        match report {
            Report::Event(event) => self.dispatch(event),
            Report::Opened(generation, opened) => {
                let info = opened.map(|source| self.effects.switch_to(source));
                self.dispatch(Event::Switched(generation, Box::new(info)))
            }
        }
    }

    fn dispatch(&mut self, event: Event) -> Vec<Cmd> {
        self.dirty = true;
        let (app, at) = (&mut self.app, (self.now)());
        guarded(|| update(app, Msg { at, event }))
    }

    /// The terminal may have been resized while another program had it.
    fn terminal_returned(&mut self, screen: &mut Screen) -> io::Result<()> {
        self.app.size = crossterm::terminal::size()?;
        self.dirty = true;
        screen.mouse(self.app.mouse)
    }
}

/// Opens a message in the editor. Blocks until the editor ends: the console is not visible meanwhile, and
/// the pipeline's answers wait in their channel.
fn edit(detail: &DeadDetail, text: &str) -> Result<String, Fault> {
    let failed = |error: io::Error| Fault::new(Code::EditorFailed, format!("a temporary file: {error}"));
    let prefix = format!("leadops-{}-", detail.row.letter.queue.as_str());
    let file = tempfile::Builder::new().prefix(&prefix).suffix(".json").tempfile().map_err(failed)?;
    file.as_file().write_all(text.as_bytes()).map_err(failed)?;
    host::editor::open(file.path())?;
    // Read by its name: many editors replace the file.
    fs::read_to_string(file.path())
        .map_err(|error| Fault::new(Code::EditorFailed, format!("the edited message is gone: {error}")))
}

/// What an input means; `None` where it means nothing.
fn event_of(input: Input) -> Option<Event> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => press_of(&key).map(Event::Press),
        Input::Paste(text) => Some(Event::Paste(text)),
        Input::Mouse(mouse) => {
            let pointer = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Pointer::Click,
                MouseEventKind::ScrollUp => Pointer::ScrollUp,
                MouseEventKind::ScrollDown => Pointer::ScrollDown,
                _ => return None,
            };
            Some(Event::Mouse(pointer, mouse.column, mouse.row))
        }
        Input::Resize(columns, rows) => Some(Event::Resize(columns, rows)),
        _ => None,
    }
}

fn press_of(key: &KeyEvent) -> Option<Press> {
    Some(match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Press::Ctrl(c.to_ascii_lowercase())
        }
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::ALT) => Press::Alt(c),
        _ if key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::F(number) => Press::F(number),
        KeyCode::Enter => Press::Enter,
        KeyCode::Esc => Press::Esc,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Delete => Press::Delete,
        KeyCode::BackTab => Press::BackTab,
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => Press::BackTab,
        KeyCode::Tab => Press::Tab,
        KeyCode::Up => Press::Up,
        KeyCode::Down => Press::Down,
        KeyCode::Left => Press::Left,
        KeyCode::Right => Press::Right,
        KeyCode::PageUp => Press::PageUp,
        KeyCode::PageDown => Press::PageDown,
        KeyCode::Home => Press::Home,
        KeyCode::End => Press::End,
        _ => return None,
    })
}
