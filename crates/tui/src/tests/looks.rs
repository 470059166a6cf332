//! How it looks: styled pictures of every view in every state, and texts that cannot leave their cell.

use ops::{FruitlessLookups, Notification};
use pipeline::{
    Code, Fault,
    destination::LeftOut,
    ports::{Level, Seen},
};
use proptest::prelude::*;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};

use super::{
    super::{
        app::App,
        fixture::{NOW, answer_all, at, broken, data, dispatch, empty, fresh, loading, press},
        frame,
        keymap::Press,
        msg::{Answer, Cmd, Event, Progress, Query, Step},
        text,
        theme::{ColorScheme, Role, Theme},
    },
    *,
};

const DARK: Theme = Theme { scheme: ColorScheme::Dark };

fn draw(app: &App, theme: Theme) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    frame::paint(&mut buffer, app, &theme);
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
            for (modifier, name) in [
                (Modifier::BOLD, "bold "),
                (Modifier::DIM, "dim "),
                (Modifier::REVERSED, "reversed "),
                (Modifier::UNDERLINED, "underlined "),
            ] {
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
    let picture = print(&draw(app, DARK));
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

/// A picture at each of the four sizes.
fn shots(name: &str, make: impl Fn((u16, u16)) -> App) {
    for (label, size) in [("80x24", SMALL), ("140x44", LARGE), ("40x10", TINY), ("120x40", WIDE)] {
        shot(&format!("{name}_{label}"), &make(size));
    }
}

#[test]
fn the_overview_at_every_size() {
    shots("overview", fresh);
    shot("overview_60x40", &fresh((60, 40)));
    shot("overview_300x80", &fresh((300, 80)));
}

#[test]
fn lookups_that_never_find_anything_are_a_warning() {
    let mut app = loading((120, 40));
    answer_all(&mut app, NOW, |query| {
        data(query).map(|answer| match answer {
            Answer::Health(mut health) => {
                let since = at(NOW - 4 * 3_600);
                health.fruitless_lookups =
                    Some(FruitlessLookups { count: 20, since, code: Code::OwnersNeverFound });
                Answer::Health(health)
            }
            other => other,
        })
    });
    let drawn = print(&draw(&app, DARK));
    assert!(drawn.contains("owners LO129 none 4 h"), "{drawn}");
}

#[test]
fn nothing_but_ascii_and_no_colours_where_the_terminal_has_none() {
    for (name, keys) in [
        ("overview", &[][..]),
        ("dead", &[Press::Char('2'), Press::Char('2')]),
        ("story", &[Press::Char('3'), ENTER]),
        ("confirm", &[Press::Char('A'), Press::Char('3')]),
        ("palette", &[Press::Char(':')]),
    ] {
        let mut app = fresh(SMALL);
        app.glyphs = &text::ASCII;
        press(&mut app, keys);
        answer_all(&mut app, NOW + 1, data);
        let mono = draw(&app, Theme { scheme: ColorScheme::Mono });
        for cell in &mono.content {
            assert!(
                cell.symbol().is_ascii() && cell.fg == Color::Reset && cell.bg == Color::Reset,
                "{cell:?}"
            );
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("mono_{name}"), print(&mono));
        });
    }
}

#[test]
fn a_light_terminal() {
    let picture = print(&draw(&fresh(SMALL), Theme { scheme: ColorScheme::Light }));
    assert!(!picture.contains("yellow"), "yellow on white cannot be read");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("light_80x24", picture);
    });
}

/// The states that a query can be in.
fn states(size: (u16, u16), keys: &[Press]) -> Vec<(&'static str, App)> {
    let with_keys = |mut app: App| {
        press(&mut app, keys);
        app
    };
    let mut failed = fresh(size);
    dispatch(&mut failed, NOW + 2, Event::Tick);
    answer_all(&mut failed, NOW + 9, |_| Err(broken()));
    let mut refused = fresh(size);
    dispatch(&mut refused, NOW + 2, Event::Tick);
    let expired = || Fault::new(Code::CredentialsExpired, "reading s3://leads: the token has expired");
    answer_all(&mut refused, NOW + 9, |_| Err(expired().into()));
    // Asked for, and no answer yet: what is there grows old.
    let mut stale = fresh(size);
    for second in 2..11 {
        dispatch(&mut stale, NOW + second, Event::Tick);
    }
    vec![
        ("loading", with_keys(loading(size))),
        ("empty", with_keys(empty(size))),
        ("fresh", with_keys(fresh(size))),
        ("stale", with_keys(stale)),
        ("failed", with_keys(failed)),
        ("not_permitted", with_keys(refused)),
    ]
}

#[test]
fn every_state_of_the_overview() {
    for (label, size) in [("80x24", SMALL), ("40x10", TINY)] {
        for (state, app) in states(size, &[]) {
            shot(&format!("overview_{state}_{label}"), &app);
        }
    }
    let mut read_only = fresh(SMALL);
    read_only.banner.read_only = true;
    press(&mut read_only, &[Press::Char('R')]);
    shot("read_only_80x24", &read_only);
    let mut idle = fresh(SMALL);
    dispatch(&mut idle, NOW + 2, Event::Tick);
    answer_all(&mut idle, NOW + 2, |query| match query {
        Query::Watch => Ok(Answer::Watch(Seen { version: None, worked: Some(false) })),
        other => data(other),
    });
    shot("no_worker_80x24", &idle);
    shot("too_small", &fresh((29, 5)));
}

#[test]
fn every_full_view_in_every_state() {
    for (name, key) in [("pending", '1'), ("dead", '2'), ("leads", '3'), ("logs", '4'), ("deleted", '5')] {
        let keys = [Press::Char(key), Press::Char(key)];
        let keys = if "15".contains(key) { &keys[..1] } else { &keys[..] };
        // What is outside of the overview is queried once it is visible.
        for (state, app) in states(SMALL, keys).into_iter().filter(|_| key != '5') {
            shot(&format!("{name}_{state}_80x24"), &app);
        }
        shots(name, |size| {
            let mut app = fresh(size);
            press(&mut app, if size == TINY { &keys[..1] } else { keys });
            answer_all(&mut app, NOW + 1, data);
            app
        });
    }
}

#[test]
fn what_is_found_marked_and_sorted_can_be_seen() {
    let mut app = fresh(SMALL);
    press(
        &mut app,
        &[
            Press::Char('3'),
            Press::Char('3'),
            Press::Char('s'),
            Press::Char(' '),
            Press::Char('v'),
            DOWN,
            Press::Char('/'),
        ],
    );
    press(&mut app, &typed("a !unassigned"));
    shot("filter_80x24", &app);
    press(&mut app, &[ENTER, Press::Char('f'), Press::Char('n')]);
    shot("dimmed_80x24", &app);
    let mut tiny = fresh(TINY);
    press(&mut tiny, &[Press::Char('/')]);
    press(&mut tiny, &typed("kite"));
    shot("filter_40x10", &tiny);
    let mut wrapped = fresh(SMALL);
    press(&mut wrapped, &[Press::Char('4'), Press::Char('w'), Press::Char('i'), Press::Char('i'), UP]);
    shot("logs_wrapped_80x24", &wrapped);
    shot("held_80x24", &opened(SMALL, &[Press::Char('4'), UP, UP]));
}

#[test]
fn every_window() {
    shots("letter", |size| opened(size, &[Press::Char('2'), DOWN, ENTER]));
    shots("story", |size| opened(size, &[Press::Char('3'), ENTER]));
    shots("confirm_redrive", |size| opened(size, &[Press::Char('2'), DOWN, Press::Char('R')]));
    shots("confirm_all", |size| opened(size, &[Press::Char('A')]));
    shot("confirm_all_counted_80x24", &opened(SMALL, &[Press::Char('A'), Press::Char('3')]));
    shots("palette", |size| opened(size, &[Press::Char(':')]));
    shot("help_80x24", &opened(SMALL, &[Press::Char('?')]));
    shot("help_40x10", &opened(TINY, &[Press::Char('?')]));
    shot("letter_raw_80x24", &opened(SMALL, &[Press::Char('2'), DOWN, ENTER, Press::Tab]));
    shot("enriched_80x24", &opened(SMALL, &[Press::Char('3'), ENTER, Press::Tab]));
    shot("line_80x24", &opened(SMALL, &[Press::Char('4'), UP, ENTER]));
    shot("confirm_delete_80x24", &opened(SMALL, &[Press::Char('2'), DOWN, Press::Char('D')]));
    shot("export_80x24", &opened(SMALL, &[Press::Char('2'), Press::Char('W')]));
    let mut several = fresh(SMALL);
    several.destinations = ["slack", "email"].map(|id| id.parse().unwrap()).into();
    press(&mut several, &[Press::Char('3'), DOWN, Press::Char('S')]);
    shot("confirm_resend_80x24", &several);
    let mut edited = fresh(SMALL);
    let detail = match data(&Query::Letter("dead-1".to_owned())) {
        Ok(Answer::Letter(detail)) => detail,
        other => panic!("{other:?}"),
    };
    let text = super::super::doc::body(&detail.body).join("\n").replace("slack", "email");
    dispatch(&mut edited, NOW + 1, Event::Edited(detail, Ok(text)));
    shot("confirm_edited_80x24", &edited);
    let mut events = fresh(SMALL);
    events.notify(Role::Good, "Northwind GmbH is back in its queue");
    events.notify(
        Role::Alarm,
        Fault::new(Code::DeliveryFailed, "the alert about Nova Labs on Slack failed").line(),
    );
    press(&mut events, &[Press::Char('e')]);
    shot("events_80x24", &events);
}

/// A question with more buttons than fit into one row, one of them wider than a row.
fn with_many_answers(size: (u16, u16)) -> App {
    let mut app = fresh(size);
    app.destinations =
        ["slack", "email", "email:sales-north-of-the-river-and-beyond", "webhook", "webhook:crm"]
            .map(|id| id.parse().unwrap())
            .into();
    let mut rows = (*app.panels.leads.shown.rows).to_vec();
    let mail = rows[0].notifications[0].clone();
    rows[0].notifications.push(Notification {
        destination: app.destinations[2].clone(),
        state: "partly_sent",
        left_out: vec![LeftOut {
            recipient: "somebody.with.a.long.name@an.equally.long.example.org".to_owned(),
            reason: "550 5.1.1 no such user".to_owned(),
            again: false,
        }],
        ..mail
    });
    app.panels.leads.shown.rows = rows.into();
    press(&mut app, &[Press::Char('3'), Press::Char('S')]);
    app
}

/// What is shown as chosen, below the header.
fn in_focus(buffer: &Buffer) -> String {
    let body = (1..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
    let chosen = body.map(|at| &buffer[at]).filter(|cell| cell.modifier.contains(Modifier::REVERSED));
    chosen.map(ratatui::buffer::Cell::symbol).collect::<String>().trim().to_owned()
}

#[test]
fn the_answer_in_focus_is_whole_and_in_sight_however_many_there_are() {
    let (mono, ends) = (Theme { scheme: ColorScheme::Mono }, ["Cancel", "Send to Slack", "Send to e-mail"]);
    for size in [SMALL, (100, 30), (140, 40), (60, 20), TINY, (44, 8)] {
        let mut app = with_many_answers(size);
        let mut seen = Vec::new();
        for _ in 0..7 {
            let drawn = draw(&app, mono);
            seen.push(in_focus(&drawn));
            let buffer = print(&drawn);
            assert!(buffer.contains(seen.last().unwrap().as_str()), "{size:?}: {buffer}");
            press(&mut app, &[Press::Tab]);
        }
        assert_eq!(seen[..3], ends, "{size:?}");
        assert!(seen[3].starts_with("Send to e-mail sales-") && seen[3].ends_with("beyond"), "{seen:?}");
        assert_eq!(seen[4..6], ["Send to signed webhook", "Send to signed webhook crm"], "{size:?}");
        assert!(seen[6].starts_with("Send to ") && seen[6].ends_with(" only"), "{size:?}: {seen:?}");
    }
    for (label, size) in [("60x20", (60, 20)), ("80x24", SMALL), ("40x10", TINY)] {
        let mut app = with_many_answers(size);
        press(&mut app, &[Press::BackTab]);
        shot(&format!("confirm_many_answers_{label}"), &app);
    }
}

#[test]
fn an_action_under_way_and_afterwards() {
    for (label, size) in [("80x24", SMALL), ("40x10", TINY)] {
        let mut app = fresh(size);
        press(&mut app, &[Press::Char('A'), Press::Char('3'), ENTER]);
        let job = app.jobs[0].id;
        dispatch(&mut app, NOW + 4, Event::Progress(Progress { job, step: Step::Done(0, Ok(None)) }));
        shot(&format!("running_{label}"), &app);
        let gone = Fault::new(Code::NoSuchDeadLetter, "there is no dead letter \"dead-2\"");
        dispatch(&mut app, NOW + 4, Event::Progress(Progress { job, step: Step::Done(1, Err(gone)) }));
        press(&mut app, &[Press::Char('q')]);
        shot(&format!("quit_{label}"), &app);
        press(&mut app, &[Press::Esc, Press::Char('e'), Press::Tab]);
        shot(&format!("actions_{label}"), &app);
    }
}

#[test]
fn another_pipeline_on_its_way_and_closed() {
    let mut app = fresh(SMALL);
    app.environments = vec!["staging".to_owned()];
    press(&mut app, &[Press::Char(':')]);
    press(&mut app, &typed("env staging"));
    let cmds = press(&mut app, &[ENTER]);
    shot("opening_80x24", &app);
    let Some(Cmd::Switch(generation, _)) = cmds.first() else { panic!("{cmds:?}") };
    let fault = Fault::new(Code::StackMissing, "there is no stack leads-staging in eu-west-1");
    dispatch(&mut app, NOW + 2, Event::Switched(*generation, Box::new(Err(fault))));
    shot("closed_80x24", &app);
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
        window in 0usize..10,
        focus in prop::char::range('1', '4'),
    ) {
        let build = |texts: &[String]| {
            let text = |at: usize| texts[at % texts.len()].clone();
            let mut app = loading((width, height));
            app.banner.name = text(0);
            app.banner.place = text(1);
            app.banner.note = Some(text(2));
            let change = |answer| match answer {
                Answer::Rows(_) => {
                    let answer = with_rows::<PendingRow>(answer, |rows| {
                        rows.iter_mut().enumerate().for_each(|(at, row)| row.display_name = text(at));
                    });
                    let answer = with_rows::<DeadRow>(answer, |rows| {
                        for (at, row) in rows.iter_mut().enumerate() {
                            row.display_name = Some(text(at));
                            row.letter.reason = text(at + 1);
                        }
                    });
                    with_rows::<LeadRow>(answer, |rows| {
                    for (at, row) in rows.iter_mut().enumerate() {
                        row.lead.display_name = text(at);
                        row.lead.lead_owner = text(at + 1);
                        for owner in &mut row.lead.owners {
                            owner.name = text(at + 1);
                        }
                        row.lead.funnel = text(at + 2);
                    }
                    })
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
            let keys: [&[Press]; 10] = [
                &[],
                &[ENTER],
                &[ENTER, ENTER],
                &[Press::Char('?'), Press::PageDown],
                &[Press::Char('A')],
                &[Press::Char('S')],
                &[DOWN, Press::Char('G'), ENTER, Press::Char('G')],
                &[Press::Char('z')],
                &[Press::Char(':')],
                &[Press::Char('z'), Press::Char('w'), Press::Char('/')],
            ];
            press(&mut app, &[Press::Char(focus)]);
            press(&mut app, keys[window]);
            answer_all(&mut app, NOW, |query| data(query).map(change));
            draw(&app, DARK)
        };
        let buffer = build(&texts);
        for y in 0..height {
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                let harmless = |c: char| !c.is_control() && c != '\u{200d}' && !outside::text::is_formatting(c);
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
        if window > 0 && window < 7 {
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

#[test]
fn a_signed_webhook_that_came_to_another_address_is_an_alarm_and_what_strangers_post_is_none() {
    for (level, is_alarm) in [(Level::Warn, false), (Level::Error, true)] {
        let mut app = loading(LARGE);
        answer_all(&mut app, NOW, |query| match data(query) {
            Ok(Answer::Logs(mut lines)) => {
                if let Some(line) = lines.last_mut() {
                    (line.level, line.at, line.code) =
                        (level, outside::from_millis(NOW * 1_000), Some("LO109".to_owned()));
                }
                Ok(Answer::Logs(lines))
            }
            other => other,
        });
        let drawn = print(&draw(&app, Theme { scheme: ColorScheme::Dark }));
        assert_eq!(drawn.contains("Close refused LO109"), is_alarm, "{drawn}");
    }
}

#[test]
fn refusals_in_the_last_hour_are_shown_if_there_were_any() {
    let mut app = loading(LARGE);
    answer_all(&mut app, NOW, |query| match data(query) {
        Ok(Answer::Status(mut status)) => {
            status.refused.last_hour = 12;
            Ok(Answer::Status(status))
        }
        other => other,
    });
    let theme = Theme { scheme: ColorScheme::Dark };
    assert!(print(&draw(&app, theme)).contains("refused 12 in 1 h"));
    assert!(!print(&draw(&fresh(LARGE), theme)).contains("refused"));
}
