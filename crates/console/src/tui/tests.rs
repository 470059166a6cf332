//! The console as a whole: what it does about keys and answers, and how it looks.

use pipeline::{Channel, Code, Fault};
use proptest::prelude::*;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};

use super::{
    app::{App, Panel, Window},
    fixture::{
        NOW, answer_all, broken, data, dead, empty, fresh, leads, loading, logs, on_its_way, pending, press,
        reply, tell,
    },
    keymap::Press,
    msg::{Act, Answer, Cmd, Event, Progress, Query, Step},
    remote::{Freshness, Trouble},
    text,
    theme::{Role, Theme},
    view,
};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (140, 44);
const TINY: (u16, u16) = (40, 10);

const UP: Press = Press::Up;
const DOWN: Press = Press::Down;
const ENTER: Press = Press::Enter;

fn acts(cmds: &[Cmd]) -> Vec<&Act> {
    cmds.iter().filter_map(|cmd| if let Cmd::Act { act, .. } = cmd { Some(act) } else { None }).collect()
}

fn last_said(app: &App) -> &str {
    app.said.back().map_or("", |said| &said.text)
}

/// Advances by a second and answers what is asked then, with `change` made to the rich answers.
fn next_second(app: &mut App, change: impl Fn(Answer) -> Answer) {
    let second = app.now.as_second() + 1;
    tell(app, second, Event::Tick);
    answer_all(app, second, |query| data(query).map(&change));
}

// === Moving ===

#[test]
fn the_cursor_stays_on_its_row_while_rows_come_and_go() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), DOWN, DOWN]);
    let chosen = app.lead_row().unwrap().lead.lead_id.clone();
    let on_screen = app.leads_list.index - app.leads_list.top;
    next_second(&mut app, |answer| match answer {
        Answer::Leads(rows) => Answer::Leads(leads(35).split_off(30).into_iter().chain(rows).collect()),
        other => other,
    });
    assert_eq!(app.lead_row().unwrap().lead.lead_id, chosen);
    assert_eq!((app.leads_list.index, app.leads_list.index - app.leads_list.top), (7, on_screen));
    // It is gone: the row that took its place is taken.
    next_second(&mut app, |answer| match answer {
        Answer::Leads(_) => Answer::Leads(leads(3)),
        other => other,
    });
    assert_eq!(app.leads_list.index, 2);
}

#[test]
fn an_untouched_cursor_shows_the_first_row_whichever_it_is() {
    let mut app = fresh(SMALL);
    next_second(&mut app, |answer| match answer {
        Answer::Pending(mut rows) => Answer::Pending(rows.split_off(5)),
        other => other,
    });
    assert_eq!(app.pending_row().unwrap().lead_id, pending(17)[5].lead_id);
    press(&mut app, &[DOWN, UP]);
    assert_eq!(app.pending_list.selected, None);
}

#[test]
fn pages_ends_and_panels() {
    let mut app = fresh(SMALL);
    let page = app.layout().visible(Panel::Pending) - 1;
    press(&mut app, &[Press::PageDown]);
    assert_eq!(app.pending_list.index, page);
    press(&mut app, &[Press::Char('G')]);
    assert_eq!(app.pending_list.index, 16);
    press(&mut app, &[Press::Char('g')]);
    assert_eq!(app.pending_list.index, 0);
    let mut panels = Vec::new();
    for key in [Press::Tab, Press::BackTab, Press::Right, Press::Left, Press::Char('4'), Press::BackTab] {
        press(&mut app, &[key]);
        panels.push(app.focus);
    }
    let expected = [Panel::Dead, Panel::Pending, Panel::Dead, Panel::Pending, Panel::Logs, Panel::Leads];
    assert_eq!(panels, expected);
}

// === The log ===

#[test]
fn the_log_follows_until_somebody_reads_and_again_from_its_end_on() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('4'), UP, UP]);
    let (held, top) = (app.logs.held, app.logs.top);
    assert_eq!(held, Some(37));
    let more = |answer| match answer {
        Answer::Logs(_) => Answer::Logs(logs(40, 6)),
        other => other,
    };
    next_second(&mut app, more);
    assert_eq!(
        (app.logs.held, app.logs.top, app.logs.unseen()),
        (held, top, 6),
        "nothing moves under the eye"
    );
    press(&mut app, &[Press::Char('G')]);
    assert_eq!((app.logs.held, app.logs.unseen(), app.logs.cursor()), (None, 0, Some(45)));
    press(&mut app, &[UP, DOWN]);
    assert_eq!(app.logs.held, None, "the last line is where following begins");
}

#[test]
fn the_log_is_asked_for_behind_its_last_line_and_kept_within_bounds() {
    let mut app = fresh(SMALL);
    let asked = tell(&mut app, NOW + 5, Event::Tick);
    drop(asked);
    assert!(on_its_way(&app).iter().any(|(_, query)| *query == Query::Logs(Some("39".to_owned()))));
    press(&mut app, &[Press::Char('4'), UP]);
    app.logs.append(logs(40, 6_000));
    tell(&mut app, NOW + 6, Event::Tick);
    assert_eq!(app.logs.lines.len(), super::app::LOG_LINES);
    assert_eq!(app.logs.held, Some(app.logs.first), "the line under the cursor is gone, the oldest is next");
}

// === Asking ===

#[test]
fn each_panel_has_one_question_on_its_way_and_a_late_answer_is_dropped() {
    let mut app = loading(SMALL);
    let old = on_its_way(&app);
    assert_eq!(old.len(), 6);
    for second in 1..12 {
        let asked = tell(&mut app, NOW + second, Event::Tick);
        assert!(asked.is_empty(), "{asked:?}");
    }
    // The console gives up, says so, and asks again later.
    let cmds = tell(&mut app, NOW + 13, Event::Tick);
    assert_eq!(cmds.iter().filter(|cmd| matches!(cmd, Cmd::Forget(_))).count(), 6);
    assert!(matches!(app.pending.error.as_ref().unwrap().trouble, Trouble::NoAnswer(_)));
    tell(&mut app, NOW + 14, Event::Tick);
    for (generation, query) in old {
        let answer = data(&query);
        tell(&mut app, NOW + 14, reply(generation, query, answer));
    }
    assert_eq!((app.pending.get(), app.dead.get(), app.logs.lines.len()), (None, None, 0));
    answer_all(&mut app, NOW + 14, data);
    assert_eq!(app.pending.get().unwrap().len(), 17);
}

#[test]
fn a_failure_keeps_the_rows_and_counts_down_to_the_next_try() {
    let mut app = fresh(SMALL);
    tell(&mut app, NOW + 2, Event::Tick);
    answer_all(&mut app, NOW + 2, |_| Err(broken()));
    assert_eq!(app.pending.get().unwrap().len(), 17);
    assert_eq!(app.pending.freshness(app.now), Freshness::Failed(Some(2)));
    assert!(on_its_way(&app).is_empty());
    tell(&mut app, NOW + 3, Event::Tick);
    assert_eq!(on_its_way(&app).len(), 6, "the first retry comes after a second");
    answer_all(&mut app, NOW + 3, |_| Err(broken()));
    tell(&mut app, NOW + 4, Event::Tick);
    assert!(on_its_way(&app).is_empty(), "the second after two");
    press(&mut app, &[Press::Char('r')]);
    assert_eq!(on_its_way(&app).len(), 6, "or at once, when asked to");
    answer_all(&mut app, NOW + 4, data);
    assert_eq!(app.pending.freshness(app.now), Freshness::Fresh);
}

// === Acting ===

#[test]
fn nothing_is_done_that_was_not_confirmed() {
    let mut app = fresh(SMALL);
    let cmds = press(&mut app, &[Press::Char('2'), Press::Char('R')]);
    assert!(acts(&cmds).is_empty());
    assert!(matches!(app.window(), Some(Window::Confirm(question)) if question.focus == 0));
    assert!(acts(&press(&mut app, &[ENTER])).is_empty(), "Cancel has the focus");
    assert!(app.windows.is_empty());
    for away in [Press::Esc, Press::Ctrl('c'), Press::Char('q')] {
        let cmds = press(&mut app, &[Press::Char('R'), Press::Tab, away]);
        assert!(acts(&cmds).is_empty() && !cmds.contains(&Cmd::Quit) && app.windows.is_empty());
    }
    let cmds = press(&mut app, &[Press::Char('R'), Press::Tab, ENTER]);
    assert_eq!(acts(&cmds), [&Act::Redrive(vec![dead()[0].clone()])]);
}

#[test]
fn the_row_that_was_asked_about_is_the_one_that_is_redriven() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), Press::Char('R'), Press::Tab]);
    next_second(&mut app, |answer| match answer {
        Answer::Dead(mut rows, count) => {
            rows.rotate_left(1);
            Answer::Dead(rows, count)
        }
        other => other,
    });
    assert_eq!(acts(&press(&mut app, &[ENTER])), [&Act::Redrive(vec![dead()[0].clone()])]);
}

#[test]
fn every_outcome_is_told() {
    let mut app = fresh(SMALL);
    let cmds = press(&mut app, &[Press::Char('A'), Press::Tab, ENTER]);
    let Some(Cmd::Act { job, act: Act::Redrive(rows) }) =
        cmds.iter().find(|cmd| matches!(cmd, Cmd::Act { .. }))
    else {
        panic!("{cmds:?}");
    };
    let job = *job;
    let report = |app: &mut App, step| tell(app, NOW + 2, Event::Progress(Progress { job, step }));
    report(&mut app, Step::Counted(3));
    report(&mut app, Step::Redriven(rows[0].letter.clone(), Ok(())));
    assert_eq!(last_said(&app), "Northwind GmbH is back in the notification queue");
    assert!(press(&mut app, &[Press::Char('A')]).iter().all(|cmd| !matches!(cmd, Cmd::Act { .. })));
    assert_eq!(last_said(&app), "a redrive is still running: X stops it");
    assert!(press(&mut app, &[Press::Char('X')]).contains(&Cmd::Stop(job)));
    let gone = Fault::new(Code::NoSuchDeadLetter, "there is no dead letter \"dead-2\"");
    report(&mut app, Step::Redriven(rows[1].letter.clone(), Err(gone)));
    assert!(last_said(&app).starts_with("Brightwater Schools Trust was not redriven: LO502"));
    report(&mut app, Step::Over);
    assert_eq!(last_said(&app), "redrive over: 1 done, 1 failed, 1 left as they were");
    assert!(app.jobs.is_empty() && !app.read);
    press(&mut app, &[Press::Char('e')]);
    assert!(app.read);
}

#[test]
fn a_resend_goes_to_the_chosen_channel_and_its_receipt_arrives() {
    let mut app = fresh(SMALL);
    app.channels = vec![Channel::Slack, Channel::Email];
    let cmds = press(&mut app, &[Press::Char('3'), Press::Char('S'), Press::Tab, Press::Tab, ENTER]);
    let [Act::Resend { lead, channel, .. }] = acts(&cmds)[..] else { panic!("{cmds:?}") };
    assert_eq!((lead, *channel), (&leads(1)[0].lead.lead_id, Channel::Email));
    let job = app.jobs[0].id;
    tell(&mut app, NOW + 2, Event::Progress(Progress { job, step: Step::Queued }));
    assert!(last_said(&app).contains("waiting for its receipt"));
    let mut notification = leads(2)[1].notifications[0].clone();
    notification.channel = Channel::Email;
    let receipt = ops::Resent { lead_id: lead.clone(), notification };
    tell(&mut app, NOW + 3, Event::Progress(Progress { job, step: Step::Receipt(Ok(receipt)) }));
    assert_eq!(last_said(&app), "e-mail took the alert about Nova Labs at 12:03:55, 1 attempt");
    tell(&mut app, NOW + 3, Event::Progress(Progress { job, step: Step::Over }));
    assert!(app.jobs.is_empty());
    assert_eq!(last_said(&app), "e-mail took the alert about Nova Labs at 12:03:55, 1 attempt");
}

#[test]
fn a_read_only_environment_refuses_with_its_reason() {
    let mut app = fresh(SMALL);
    app.refusal = Some(Fault::new(Code::ReadOnly, "this environment is read-only, so nothing was done"));
    for key in [Press::Char('R'), Press::Char('A'), Press::Char('S')] {
        app.said.clear();
        assert!(acts(&press(&mut app, &[Press::Char('2'), key])).is_empty());
        assert!(app.windows.is_empty() && last_said(&app).starts_with("LO501"));
    }
}

#[test]
fn keys_close_what_is_open_before_they_quit() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), ENTER, ENTER]);
    assert!(matches!(app.window(), Some(Window::Story { .. })) && app.windows.len() == 2);
    let cmds = press(&mut app, &[Press::Esc]);
    assert!(cmds.iter().any(|cmd| matches!(cmd, Cmd::Forget(_))), "nobody waits for that story any more");
    press(&mut app, &[Press::Ctrl('c')]);
    assert!(app.windows.is_empty());
    assert!(press(&mut app, &[Press::Esc]).is_empty());
    assert!(press(&mut app, &[Press::Ctrl('c')]).contains(&Cmd::Quit));
    assert!(press(&mut app, &[Press::Ctrl('z')]).contains(&Cmd::Suspend));
}

// === How it looks ===

fn draw(app: &App, theme: Theme) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    view::paint(&mut buffer, app, &theme);
    buffer
}

/// The text, then for each line its runs of style.
fn print(buffer: &Buffer) -> String {
    let (mut text, mut styles) = (String::new(), String::new());
    for y in buffer.area.rows().map(|row| row.y) {
        let mut line = String::new();
        let mut runs: Vec<(u16, String)> = Vec::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            if skip > 0 {
                skip -= 1;
            } else {
                line.push_str(cell.symbol());
                skip = text::width(cell.symbol()).saturating_sub(1);
            }
            let mut style = String::new();
            for (colour, sign) in [(cell.fg, ""), (cell.bg, "on ")] {
                if colour != Color::Reset {
                    style += &format!("{sign}{} ", format!("{colour:?}").to_lowercase());
                }
            }
            for (modifier, name) in
                [(Modifier::BOLD, "bold "), (Modifier::DIM, "dim "), (Modifier::REVERSED, "reversed ")]
            {
                style += if cell.modifier.contains(modifier) { name } else { "" };
            }
            let style = style.trim_end().to_owned();
            if runs.last().is_none_or(|(_, last)| *last != style) {
                runs.push((x, style));
            }
        }
        text += line.trim_end();
        text.push('\n');
        let ends = runs.iter().skip(1).map(|(x, _)| *x).chain([buffer.area.width]);
        let runs: Vec<String> = runs
            .iter()
            .zip(ends)
            .filter(|((_, style), _)| !style.is_empty())
            .map(|((start, style), end)| format!("{start}..{end} {style}"))
            .collect();
        if !runs.is_empty() {
            styles += &format!("{y:>2}: {}\n", runs.join(", "));
        }
    }
    format!("{text}\n{styles}")
}

fn shot(name: &str, app: &App) {
    let picture = print(&draw(app, Theme { colours: true }));
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, picture);
    });
}

fn opened(size: (u16, u16), keys: &[Press]) -> App {
    let mut app = fresh(size);
    press(&mut app, keys);
    answer_all(&mut app, NOW + 1, data);
    app
}

#[test]
fn the_overview_at_every_size() {
    for (name, size) in [("80x24", SMALL), ("140x44", LARGE), ("40x10", TINY), ("60x40", (60, 40))] {
        shot(&format!("overview_{name}"), &fresh(size));
    }
}

#[test]
fn the_overview_without_colours_and_in_ascii() {
    let mut app = fresh(SMALL);
    app.glyphs = &text::ASCII;
    let mono = draw(&app, Theme { colours: false });
    for cell in &mono.content {
        assert!(cell.symbol().is_ascii() && cell.fg == Color::Reset && cell.bg == Color::Reset, "{cell:?}");
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("overview_mono_ascii", print(&mono));
    });
}

#[test]
fn every_state_of_the_overview() {
    for (name, size) in [("80x24", SMALL), ("40x10", TINY)] {
        shot(&format!("loading_{name}"), &loading(size));
        shot(&format!("empty_{name}"), &empty(size));
        let mut failed = fresh(size);
        tell(&mut failed, NOW + 2, Event::Tick);
        answer_all(&mut failed, NOW + 9, |_| Err(broken()));
        shot(&format!("failed_{name}"), &failed);
    }
    // Asked for, and no answer yet: what is there grows old.
    let mut stale = fresh(SMALL);
    for second in 2..11 {
        tell(&mut stale, NOW + second, Event::Tick);
    }
    shot("stale_80x24", &stale);
    let mut read_only = fresh(SMALL);
    read_only.banner.read_only = true;
    press(&mut read_only, &[Press::Char('R')]);
    shot("read_only_80x24", &read_only);
    shot("too_small", &fresh((29, 5)));
}

#[test]
fn every_window() {
    for (name, size) in [("80x24", SMALL), ("40x10", TINY)] {
        shot(&format!("letter_{name}"), &opened(size, &[Press::Char('2'), ENTER]));
        shot(&format!("story_{name}"), &opened(size, &[Press::Char('3'), ENTER]));
        shot(&format!("confirm_redrive_{name}"), &opened(size, &[Press::Char('2'), Press::Char('R')]));
        shot(&format!("confirm_all_{name}"), &opened(size, &[Press::Char('A'), Press::Tab]));
        shot(&format!("help_{name}"), &opened(size, &[Press::Char('?')]));
    }
    shot("line_80x24", &opened(SMALL, &[Press::Char('4'), UP, ENTER]));
    shot("held_80x24", &opened(SMALL, &[Press::Char('4'), UP, UP]));
    let mut several = fresh(SMALL);
    several.channels = vec![Channel::Slack, Channel::Email];
    press(&mut several, &[Press::Char('3'), DOWN, Press::Char('S')]);
    shot("confirm_resend_80x24", &several);
    let mut events = fresh(SMALL);
    events.say(Role::Good, "Northwind GmbH is back in the notification queue");
    events.say(
        Role::Alarm,
        Fault::new(Code::DeliveryFailed, "the alert about Nova Labs on Slack failed").line(),
    );
    press(&mut events, &[Press::Char('e')]);
    shot("events_80x24", &events);
    shot("letter_140x44", &opened(LARGE, &[Press::Char('2'), ENTER]));
}

/// Cells that a picture may not touch when only a text in it differs.
fn frame_of(buffer: &Buffer) -> Vec<(u16, u16, String)> {
    let mut frame = Vec::new();
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if "╭╮╰╯│".contains(symbol) {
                frame.push((x, y, symbol.to_owned()));
            }
        }
    }
    frame
}

/// The cells that no wide letter covers.
fn visible(buffer: &Buffer) -> impl Iterator<Item = &ratatui::buffer::Cell> {
    let covered = |index: usize| {
        let before = index.checked_sub(1).filter(|_| !index.is_multiple_of(usize::from(buffer.area.width)));
        before.is_some_and(|before| text::width(buffer.content[before].symbol()) > 1)
    };
    (0..buffer.content.len()).filter(move |index| !covered(*index)).map(|index| &buffer.content[index])
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{0,80}",
        Just("\u{1b}[2J\u{1b}[31m\u{7}\r\nx".to_owned()),
        Just("\u{202e}gnp.exe\u{200d}\u{200d}👩\u{200d}👩\u{200d}👧".to_owned()),
        Just("株".repeat(300)),
        Just("e\u{301}\u{302}\u{303}".repeat(50)),
        Just("🇩🇪❤\u{fe0f}1\u{fe0f}\u{20e3}ﾞﾟ﷽𒐫".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_text_escapes_its_cell_at_any_size(
        width in 0u16..=200,
        height in 0u16..=200,
        texts in prop::collection::vec(hostile(), 6),
        window in 0usize..7,
        focus in prop::char::range('1', '4'),
    ) {
        let build = |texts: &[String]| {
            let text = |at: usize| texts[at % texts.len()].clone();
            let mut app = loading((width, height));
            app.banner.name = text(0);
            app.banner.place = text(1);
            app.banner.note = Some(text(2));
            let change = |answer| match answer {
                Answer::Pending(mut rows) => {
                    rows.iter_mut().enumerate().for_each(|(at, row)| row.display_name = text(at));
                    Answer::Pending(rows)
                }
                Answer::Dead(mut rows, count) => {
                    for (at, row) in rows.iter_mut().enumerate() {
                        row.display_name = Some(text(at));
                        row.letter.reason = text(at + 1);
                    }
                    Answer::Dead(rows, count)
                }
                Answer::Leads(mut rows) => {
                    for (at, row) in rows.iter_mut().enumerate() {
                        row.lead.display_name = text(at);
                        row.lead.lead_owner = text(at + 1);
                        row.lead.funnel = text(at + 2);
                    }
                    Answer::Leads(rows)
                }
                Answer::Logs(mut lines) => {
                    for (at, line) in lines.iter_mut().enumerate() {
                        line.message = text(at);
                        line.function = text(at + 1);
                    }
                    Answer::Logs(lines)
                }
                Answer::Letter(mut detail) => {
                    detail.body = text(3);
                    Answer::Letter(detail)
                }
                other => other,
            };
            answer_all(&mut app, NOW, |query| data(query).map(change));
            let keys: &[&[Press]] = &[
                &[],
                &[ENTER],
                &[ENTER, ENTER],
                &[Press::Char('?'), Press::PageDown],
                &[Press::Char('A')],
                &[Press::Char('S')],
                &[DOWN, Press::Char('G'), ENTER, Press::Char('G')],
            ];
            press(&mut app, &[Press::Char(focus)]);
            press(&mut app, keys[window]);
            answer_all(&mut app, NOW, |query| data(query).map(change));
            draw(&app, Theme { colours: true })
        };
        let buffer = build(&texts);
        for y in 0..height {
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                let harmless = |c: char| !c.is_control() && c != '\u{200d}' && !lead::text::is_formatting(c);
                prop_assert!(symbol.chars().all(harmless), "{:?}", symbol);
                let columns = u16::try_from(text::width(symbol)).unwrap();
                prop_assert!((1..=2).contains(&columns) && x + columns <= width, "{:?} at {},{}", symbol, x, y);
                x += columns;
            }
        }
        // A window's frame is whole: nothing behind it reaches over it.
        let of_window = |symbol: &str| {
            visible(&buffer).filter(|cell| cell.fg == Color::Cyan && cell.symbol() == symbol).count()
        };
        if window > 0 {
            prop_assert_eq!([of_window("╭"), of_window("╮"), of_window("╰")], [of_window("╯"); 3]);
            prop_assert_eq!(of_window("│") % 2, 0);
        }
        // The frames stand where they stand with harmless texts.
        if window == 0 {
            let harmless: Vec<String> = texts.iter().map(|_| "x".to_owned()).collect();
            let columns_of = |buffer: &Buffer| frame_of(buffer).into_iter().filter(|(_, _, s)| s != "│").collect::<Vec<_>>();
            prop_assert_eq!(columns_of(&buffer), columns_of(&build(&harmless)));
        }
    }
}
