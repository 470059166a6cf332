//! Cursors, panels, full views, the log, the mouse.

use super::{
    super::{
        fixture::{NOW, answer_all, data, dispatch, fresh, in_flight, leads, logs, pending, press},
        keymap::Press,
        layout::Shape,
        msg::{Answer, Cmd, Event, Pointer, Query},
        tail::LOG_LINES,
        window::Window,
    },
    *,
};

#[test]
fn the_cursor_stays_on_its_row_while_rows_come_and_go() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), DOWN, DOWN]);
    let chosen = app.panels.leads.row().unwrap().lead.lead_id.clone();
    let on_screen = app.panels.leads.list.index - app.panels.leads.list.top;
    next_second(&mut app, |answer| {
        with_rows(answer, |rows| {
            rows.splice(0..0, leads(35).split_off(30));
        })
    });
    assert_eq!(app.panels.leads.row().unwrap().lead.lead_id, chosen);
    assert_eq!(
        (app.panels.leads.list.index, app.panels.leads.list.index - app.panels.leads.list.top),
        (7, on_screen)
    );
    // It is gone: the row that took its place is taken.
    next_second(&mut app, |answer| with_rows(answer, |rows| *rows = leads(3)));
    assert_eq!(app.panels.leads.list.index, 2);
}

#[test]
fn an_untouched_cursor_shows_the_first_row_whichever_it_is() {
    let mut app = fresh(SMALL);
    next_second(&mut app, |answer| with_rows::<PendingRow>(answer, |rows| *rows = rows.split_off(5)));
    assert_eq!(app.panels.pending.row().unwrap().lead_id, pending(17)[5].lead_id);
    press(&mut app, &[DOWN, UP]);
    assert_eq!(app.panels.pending.list.selected, None);
}

#[test]
fn esc_with_a_letter_close_behind_is_esc_and_the_letter() {
    let mut app = fresh(SMALL);
    press(&mut app, &[ENTER]);
    assert!(app.window().is_some());
    press(&mut app, &[Press::Alt(':')]);
    assert!(matches!(app.windows.as_slice(), [open] if matches!(open.window, Window::Palette { .. })));
    press(&mut app, &[Press::Alt('2')]);
    assert!(app.window().is_none());
    assert_eq!(app.focus, Panel::Dead);
}

#[test]
fn pages_ends_and_panels() {
    let mut app = fresh(SMALL);
    let page = app.layout().visible(Panel::Pending) - 1;
    press(&mut app, &[Press::PageDown]);
    assert_eq!(app.panels.pending.list.index, page);
    press(&mut app, &[Press::Char('G')]);
    assert_eq!(app.panels.pending.list.index, 16);
    press(&mut app, &[Press::Char('g')]);
    assert_eq!(app.panels.pending.list.index, 0);
    let mut panels = Vec::new();
    for key in [Press::Tab, Press::BackTab, Press::Right, Press::Left, Press::Char('4'), Press::BackTab] {
        press(&mut app, &[key]);
        panels.push(app.focus);
    }
    let expected = [Panel::Dead, Panel::Pending, Panel::Dead, Panel::Pending, Panel::Logs, Panel::Leads];
    assert_eq!(panels, expected);
}

#[test]
fn a_second_press_toggles_full_screen() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3')]);
    assert_eq!((app.focus, app.layout().shape), (Panel::Leads, Shape::Grid));
    press(&mut app, &[Press::Char('3')]);
    assert_eq!(app.layout().shape, Shape::Single);
    press(&mut app, &[Press::Char('2')]);
    assert_eq!((app.focus, app.layout().shape), (Panel::Dead, Shape::Single));
    press(&mut app, &[Press::Esc]);
    assert_eq!(app.layout().shape, Shape::Grid);
    press(&mut app, &[Press::Char('z'), Press::Char('0')]);
    assert_eq!(app.layout().shape, Shape::Grid);
}

#[test]
fn several_dead_letters_of_a_kind_open_as_a_list_and_one_opens_itself() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), ENTER]);
    assert!(app.full && app.windows.is_empty());
    assert_eq!(
        (app.panels.dead.table.wanted.filter.text(), app.panels.dead.table.shown.len()),
        ("code:LO204", 2)
    );
    press(&mut app, &[Press::Esc, Press::Esc, DOWN, ENTER]);
    assert!(matches!(app.window(), Some(Window::Letter(letter)) if letter.row.letter.id == "dead-3"));
}

#[test]
fn the_log_follows_until_the_cursor_moves_and_again_from_its_end() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('4'), UP, UP]);
    let (held, top) = (app.panels.logs.held, app.panels.logs.top);
    assert_eq!(held, Some(37));
    let more = |answer| match answer {
        Answer::Logs(_) => Answer::Logs(logs(40, 6)),
        other => other,
    };
    next_second(&mut app, more);
    let now = (app.panels.logs.held, app.panels.logs.top, app.panels.logs.new_lines());
    assert_eq!(now, (held, top, 6), "nothing moves under the eye");
    press(&mut app, &[Press::Char('G')]);
    assert_eq!(
        (app.panels.logs.held, app.panels.logs.new_lines(), app.panels.logs.cursor()),
        (None, 0, Some(45))
    );
    press(&mut app, &[UP, DOWN]);
    assert_eq!(app.panels.logs.held, None, "the last line is where following begins");
}

#[test]
fn the_log_is_queried_after_its_last_line_and_stays_within_bounds() {
    let mut app = fresh(SMALL);
    dispatch(&mut app, NOW + 5, Event::Tick);
    let after = |query: &Query| matches!(query, Query::Logs(query) if query.after.as_deref() == Some("39"));
    assert!(in_flight(&app).iter().any(|(_, query)| after(query)));
    press(&mut app, &[Press::Char('4'), UP]);
    app.panels.logs.append(logs(40, LOG_LINES + 500));
    dispatch(&mut app, NOW + 6, Event::Tick);
    assert_eq!(app.panels.logs.lines.len(), LOG_LINES);
    assert_eq!(
        app.panels.logs.held,
        Some(app.panels.logs.first),
        "the line under the cursor is gone, the oldest is next"
    );
}

#[test]
fn the_log_is_filtered_by_level_and_function_and_jumps_between_errors() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('4'), Press::Char('i'), Press::Char('i')]);
    assert_eq!((app.panels.logs.places(), app.panels.logs.matching()), (16, 16), "warnings and errors");
    app.panels.logs.append(logs(40, 10));
    assert_eq!(app.panels.logs.places(), 20, "new lines are filtered as they come");
    press(&mut app, &[Press::Char('c')]);
    assert_eq!(app.panels.logs.places(), 0, "the ingestion never warns here");
    press(&mut app, &[Press::Esc]);
    assert_eq!(app.panels.logs.places(), 50);
    press(&mut app, &[Press::Char('[')]);
    let at = app.panels.logs.held;
    press(&mut app, &[Press::Char('[')]);
    assert_eq!((at, app.panels.logs.held), (Some(44), Some(39)));
    press(&mut app, &[Press::Char(']')]);
    assert_eq!(app.panels.logs.held, Some(44));
}

#[test]
fn one_key_goes_from_anywhere_to_everything_about_the_same_lead() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), DOWN, UP, Press::Char('o')]);
    let Some(Window::Story(story)) = app.window() else { panic!("{:?}", app.window()) };
    let lead = story.lead.clone();
    press(&mut app, &[Press::Char('d')]);
    assert!(app.windows.is_empty() && app.focus == Panel::Dead && app.full);
    assert_eq!(
        (app.panels.dead.table.wanted.filter.text(), app.panels.dead.table.shown.len()),
        (&*format!("lead:{lead}"), 1)
    );
    press(&mut app, &[Press::Char('m')]);
    assert_eq!((app.focus, app.panels.logs.wanted.filter.text()), (Panel::Logs, &*format!("lead:{lead}")));
}

#[test]
fn windows_have_pages_and_the_raw_event_is_asked_for_when_it_is_looked_at() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), ENTER]);
    answer_all(&mut app, NOW + 1, data);
    assert!(in_flight(&app).iter().all(|(_, query)| !matches!(query, Query::Raw(_))));
    let cmds = press(&mut app, &[Press::Tab, Press::Tab]);
    assert!(cmds.iter().any(|cmd| matches!(cmd, Cmd::Ask { query: Query::Raw(_), .. })));
    answer_all(&mut app, NOW + 1, data);
    let open = app.windows.last().unwrap();
    let text: Vec<String> =
        super::super::doc::windows::of(&app, open, 70).lines.iter().map(super::super::line::plain).collect();
    assert!(text.iter().any(|line| line.contains("\"subscription_id\": \"whsub_1\"")), "{text:?}");
}

#[test]
fn keys_close_what_is_open_before_they_quit() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), DOWN, ENTER, Press::Esc, Press::Char('3'), ENTER, Press::Char('?')]);
    assert_eq!(app.windows.len(), 2);
    let cmds = press(&mut app, &[Press::Esc, Press::Esc]);
    assert!(cmds.iter().any(|cmd| matches!(cmd, Cmd::Cancel(_))), "nobody waits for that story any more");
    assert!(press(&mut app, &[Press::Esc]).is_empty());
    assert!(press(&mut app, &[Press::Ctrl('c')]).contains(&Cmd::Quit));
    assert!(press(&mut app, &[Press::Ctrl('z')]).contains(&Cmd::Suspend));
}

#[test]
fn the_mouse_is_the_terminals_until_it_is_captured() {
    let mut app = fresh(SMALL);
    let rows = app.layout().parts(Panel::Leads).rows;
    dispatch(&mut app, NOW + 1, Event::Mouse(Pointer::Click, rows.x, rows.y + 2));
    assert_eq!(app.focus, Panel::Pending);
    press(&mut app, &[Press::Char(':')]);
    press(&mut app, &typed("mouse"));
    let cmds = press(&mut app, &[ENTER]);
    assert!(cmds.contains(&Cmd::Mouse(true)));
    dispatch(&mut app, NOW + 1, Event::Mouse(Pointer::Click, rows.x, rows.y + 2));
    assert_eq!((app.focus, app.panels.leads.list.index), (Panel::Leads, 2));
    dispatch(&mut app, NOW + 1, Event::Mouse(Pointer::Click, rows.x, rows.y + 2));
    assert!(matches!(app.window(), Some(Window::Story(_))), "the second click opens");
    press(&mut app, &[Press::Esc]);
    dispatch(&mut app, NOW + 1, Event::Mouse(Pointer::ScrollDown, rows.x, rows.y));
    assert_eq!(app.panels.leads.list.index, 5);
}
