//! The loop: waits for whatever comes first, tells [`update`], carries out what it asks for, and draws
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
    source::{Places, Source},
    term::{self, Screen, guarded},
    text::Glyphs,
    theme::Theme,
    update::update,
};
use host::ShutdownSignals;

/// How many reports are taken in before the next frame.
const BATCH: usize = 256;

/// How somebody likes the console.
#[derive(Default)]
pub struct Options {
    /// The keys.
    pub keymap: Keymap,
    /// Whether the mouse is ours from the start.
    pub mouse: bool,
    /// The time; `None` for that of the pipeline.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Shows a pipeline until the user quits, or the process is asked to end.
///
/// Wants a runtime with several threads: answers are made on the others. A stderr that is the terminal
/// is silent meanwhile.
///
/// # Errors
/// That of the terminal.
pub async fn run(source: Source, places: Arc<dyn Places>, options: Options) -> anyhow::Result<()> {
    let var = |name: &str| std::env::var(name).ok();
    let theme = Theme::of_environment(var);
    let mut app = App::new(source.facts(), Glyphs::of_locale(var));
    app.size = crossterm::terminal::size()?;
    app.environments = places.names();
    app.keymap = Arc::new(options.keymap);
    app.mouse = options.mouse;
    let clock = options.clock.unwrap_or_else(|| source.ops.recorder.clock.clone());
    let (effects, reports) = Effects::new(source.ops, source.watch, places);
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
    // SIGCONT has no name of its own in tokio.
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
            // The first frame is drawn before the first answer is waited for.
            if self.dirty {
                let (app, theme) = (&self.app, &self.theme);
                guarded(|| screen.draw(|screen| frame::draw(screen, app, theme)))?;
                self.dirty = false;
            }
            let mut resumed = false;
            let mut asked = VecDeque::from(tokio::select! {
                // Keys come first: they are never kept waiting by answers.
                biased;
                signal = signals.next() => match signal {
                    Some(Signal::Continued) => {
                        resumed = true;
                        Vec::new()
                    }
                    Some(Signal::Terminate) | None => self.tell(Event::Terminate),
                },
                input = keys.next() => match input {
                    Some(Ok(input)) => match event_of(input) {
                        Some(event) => self.tell(event),
                        None => Vec::new(),
                    },
                    // The terminal is gone.
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                Some(report) = reports.recv() => {
                    let mut asked = self.hear(report);
                    for _ in 0..BATCH {
                        let Ok(report) = reports.try_recv() else { break };
                        asked.extend(self.hear(report));
                    }
                    asked
                }
                _ = second.tick() => self.tell(Event::Tick),
            });
            for message in term::take_panics() {
                asked.extend(self.tell(Event::Notice(message)));
            }
            if resumed {
                screen.resume()?;
                self.look_again(screen)?;
            }
            while let Some(cmd) = asked.pop_front() {
                match cmd {
                    Cmd::Ask { generation, query } => self.effects.ask(generation, query),
                    Cmd::Forget(generation) => self.effects.forget(generation),
                    Cmd::Filter(generation, task) => self.effects.filter(generation, task),
                    Cmd::Act { job, act } => self.effects.act(job, act),
                    Cmd::Stop(job) => self.effects.stop(job),
                    Cmd::Switch(generation, name) => self.effects.switch(generation, name),
                    Cmd::Copy(text) => screen.copy(&text)?,
                    Cmd::Mouse(ours) => screen.mouse(ours)?,
                    Cmd::Edit(detail, text) => {
                        // Its reader would take the keys away from the editor.
                        drop(keys);
                        let edited = screen.lend(|| edit(&detail, &text))?;
                        keys = Box::pin(EventStream::new());
                        self.look_again(screen)?;
                        asked.extend(self.tell(Event::Edited(detail, edited)));
                    }
                    Cmd::Suspend => {
                        screen.suspend()?;
                        self.look_again(screen)?;
                    }
                    Cmd::Quit => return Ok(()),
                }
            }
        }
    }

    fn hear(&mut self, report: Report) -> Vec<Cmd> {
        match report {
            Report::Event(event) => self.tell(event),
            Report::Opened(generation, opened) => {
                let facts = opened.map(|source| self.effects.adopt(source));
                self.tell(Event::Switched(generation, Box::new(facts)))
            }
        }
    }

    fn tell(&mut self, event: Event) -> Vec<Cmd> {
        self.dirty = true;
        let (app, at) = (&mut self.app, (self.now)());
        guarded(|| update(app, Msg { at, event }))
    }

    /// The window may have got another size while somebody else had the terminal.
    fn look_again(&mut self, screen: &mut Screen) -> io::Result<()> {
        self.app.size = crossterm::terminal::size()?;
        self.dirty = true;
        screen.mouse(self.app.mouse)
    }
}

/// Has a message edited. Blocks until the editor ends: nothing is to be seen meanwhile, and the
/// pipeline's answers wait in their channel.
fn edit(detail: &DeadDetail, text: &str) -> Result<String, Fault> {
    let failed = |error: io::Error| Fault::new(Code::EditorFailed, format!("a temporary file: {error}"));
    let prefix = format!("leadops-{}-", detail.row.letter.queue.as_str());
    let file = tempfile::Builder::new().prefix(&prefix).suffix(".json").tempfile().map_err(failed)?;
    file.as_file().write_all(text.as_bytes()).map_err(failed)?;
    host::editor::open(file.path())?;
    // Read by its name: many editors put another file in its place.
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
