//! The loop: waits for whatever comes first, tells [`update`], carries out what it asks for, and draws
//! when something has changed.

use std::{io, pin::pin, sync::Arc, time::Duration};

use crossterm::event::{Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::{Stream, StreamExt};
use lead::Timestamp;
use ops::Ops;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    app::{App, Banner},
    effect::Effects,
    keymap::Press,
    msg::{Cmd, Event, Msg},
    term::{self, Screen, guarded},
    text::Glyphs,
    theme::Theme,
    update::update,
    view,
};

/// How many reports are taken in before the next frame.
const BATCH: usize = 256;

/// Shows a pipeline until the user quits, or the process is asked to end.
///
/// Wants a runtime with several threads: answers are made on the others. A stderr that is the terminal
/// is silent meanwhile.
///
/// # Errors
/// That of the terminal.
pub async fn run(ops: Arc<Ops>, banner: Banner) -> anyhow::Result<()> {
    let var = |name: &str| std::env::var(name).ok();
    let theme = Theme::of_environment(var);
    let mut app = App::new(banner, ops.actions().err(), &ops.settings, Glyphs::of_locale(var));
    app.size = crossterm::terminal::size()?;
    let clock = ops.recorder.clock.clone();
    let (effects, reports) = Effects::new(ops);
    let signals = signals()?;
    let mut screen = Screen::enter()?;
    let mut console = Console { app, effects, theme, now: move || clock.now(), dirty: true };
    let result = console.drive(&mut screen, EventStream::new(), reports, signals).await;
    drop(screen);
    Ok(result?)
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Terminate,
    Continued,
}

fn signals() -> io::Result<impl Stream<Item = Signal>> {
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let (mut interrupt, mut quit) = (signal(SignalKind::interrupt())?, signal(SignalKind::quit())?);
    // SIGCONT has no name of its own in tokio.
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    Ok(futures_util::stream::poll_fn(move |context| {
        for ending in [&mut terminate, &mut hang_up, &mut interrupt, &mut quit] {
            if ending.poll_recv(context).is_ready() {
                return Some(Signal::Terminate).into();
            }
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
        keys: impl Stream<Item = io::Result<Input>>,
        mut reports: mpsc::UnboundedReceiver<Event>,
        signals: impl Stream<Item = Signal>,
    ) -> io::Result<()> {
        let (mut keys, mut signals) = (pin!(keys), pin!(signals));
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The first frame is drawn before the first answer is waited for.
            if self.dirty {
                let (app, theme) = (&self.app, &self.theme);
                guarded(|| screen.draw(|frame| view::draw(frame, app, theme)))?;
                self.dirty = false;
            }
            let mut resumed = false;
            let asked = tokio::select! {
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
                    Some(Ok(input)) => match event_of(&input) {
                        Some(event) => self.tell(event),
                        None => Vec::new(),
                    },
                    // The terminal is gone.
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                Some(report) = reports.recv() => {
                    let mut asked = self.tell(report);
                    for _ in 0..BATCH {
                        let Ok(report) = reports.try_recv() else { break };
                        asked.extend(self.tell(report));
                    }
                    asked
                }
                _ = second.tick() => self.tell(Event::Tick),
            };
            for message in term::take_panics() {
                self.tell(Event::Notice(message));
            }
            if resumed {
                screen.resume()?;
                self.look_again()?;
            }
            for cmd in asked {
                match cmd {
                    Cmd::Ask { generation, query } => self.effects.ask(generation, query),
                    Cmd::Forget(generation) => self.effects.forget(generation),
                    Cmd::Act { job, act } => self.effects.act(job, act),
                    Cmd::Stop(job) => self.effects.stop(job),
                    Cmd::Suspend => {
                        screen.suspend()?;
                        self.look_again()?;
                    }
                    Cmd::Quit => return Ok(()),
                }
            }
        }
    }

    fn tell(&mut self, event: Event) -> Vec<Cmd> {
        self.dirty = true;
        let (app, at) = (&mut self.app, (self.now)());
        guarded(|| update(app, Msg { at, event }))
    }

    /// The window may have got another size while somebody else had the terminal.
    fn look_again(&mut self) -> io::Result<()> {
        self.app.size = crossterm::terminal::size()?;
        self.dirty = true;
        Ok(())
    }
}

/// What an input means; `None` where it means nothing, as a pasted text.
fn event_of(input: &Input) -> Option<Event> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => press_of(key).map(Event::Press),
        Input::Resize(columns, rows) => Some(Event::Resize(*columns, *rows)),
        _ => None,
    }
}

fn press_of(key: &KeyEvent) -> Option<Press> {
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Press::Ctrl(c.to_ascii_lowercase())
        }
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::Enter => Press::Enter,
        KeyCode::Esc => Press::Esc,
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
