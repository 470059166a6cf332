//! Filters, searches, marks, sorting, the palette, copying.

use lead::LeadId;

use super::{
    super::{
        app::App,
        fixture::{NOW, answer_all, data, dispatch, fresh, leads, press},
        keymap::{Action, BINDINGS, Press},
        msg::{Cmd, Event},
        table::AT_ONCE,
        update::entries,
        window::{PaletteEntry, Window},
    },
    *,
};

fn names(app: &App) -> Vec<&str> {
    app.panels.leads.shown.iter().map(|row| row.lead.display_name.as_str()).collect()
}

#[test]
fn a_filter_shows_what_it_finds_with_each_letter_and_esc_takes_it_back() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), Press::Char('/')]);
    press(&mut app, &typed("owner:north"));
    assert_eq!((app.panels.leads.shown.matched, app.view().matched().line()), (0, "0 of 30".to_owned()));
    press(&mut app, &[Press::Ctrl('u')]);
    press(&mut app, &typed("kite !owner:unassigned"));
    assert_eq!(names(&app).len(), app.panels.leads.shown.matched);
    assert!(names(&app).iter().all(|name| *name == "Kite & Sons") && !names(&app).is_empty());
    press(&mut app, &[ENTER]);
    assert!(app.typing.is_none() && !app.panels.leads.wanted.filter.is_empty());
    press(&mut app, &[Press::Char('/'), Press::Char('x'), Press::Esc]);
    assert_eq!(app.panels.leads.wanted.filter.text(), "kite !owner:unassigned");
    press(&mut app, &[Press::Esc]);
    assert_eq!(names(&app).len(), 30);
}

#[test]
fn letters_are_letters_while_something_is_written() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('2'), Press::Char('/')]);
    let cmds = press(&mut app, &typed("qRAX? "));
    assert!(cmds.is_empty() && app.windows.is_empty());
    assert_eq!(app.typing.as_ref().unwrap().input.text, "qRAX? ");
    dispatch(&mut app, NOW + 1, Event::Paste("\u{1b}[31mx\n".to_owned()));
    assert_eq!(app.typing.as_ref().unwrap().input.text, "qRAX? [31mx", "control characters are not typed");
}

#[test]
fn n_goes_from_match_to_match_whether_the_rest_is_hidden_or_dimmed() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), Press::Char('/')]);
    press(&mut app, &typed("nova"));
    press(&mut app, &[ENTER, Press::Char('f')]);
    assert_eq!((names(&app).len(), app.panels.leads.shown.matched), (30, 3));
    let mut stops = Vec::new();
    for key in ['n', 'n', 'n', 'n', 'N'] {
        press(&mut app, &[Press::Char(key)]);
        stops.push(app.panels.leads.list.index);
        assert_eq!(app.panels.leads.row().unwrap().lead.display_name, "Nova Labs");
    }
    assert_eq!((stops[0], stops[3], stops[4]), (stops[3], stops[0], stops[2]), "{stops:?}");
}

#[test]
fn a_search_in_a_window_scrolls_to_what_it_finds() {
    let mut app = fresh(TINY);
    press(&mut app, &[Press::Char('?'), Press::Char('/')]);
    press(&mut app, &typed("clipboard"));
    press(&mut app, &[ENTER]);
    let open = app.windows.last().unwrap().clone();
    let lines = super::super::doc::windows::of(&app, &open, 36).lines;
    assert!(super::super::line::plain(&lines[open.scroll]).contains("clipboard"), "{}", open.scroll);
    assert!(app.view().filter().is_empty(), "the panel behind is not touched");
}

#[test]
fn marks_ranges_and_all_that_match() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), Press::Char(' '), DOWN, Press::Char('v'), DOWN, DOWN]);
    assert_eq!(
        (app.panels.leads.marks.len(), app.panels.leads.is_marked(3, &app.panels.leads.range())),
        (1, true),
        "the range is shown as it grows"
    );
    press(&mut app, &[Press::Char('v')]);
    assert_eq!(app.panels.leads.marks.len(), 4);
    assert_eq!(app.selected_leads().len(), 4);
    press(&mut app, &[Press::Char('u'), Press::Char('/')]);
    press(&mut app, &typed("kite"));
    press(&mut app, &[ENTER, Press::Char('a')]);
    assert_eq!(app.panels.leads.marks.len(), app.panels.leads.shown.matched);
    press(&mut app, &[Press::Char('a')]);
    assert!(app.panels.leads.marks.is_empty());
    // A marked row that is gone is not acted upon.
    press(&mut app, &[Press::Esc, Press::Char('a')]);
    next_second(&mut app, |answer| with_rows(answer, |rows| *rows = leads(3)));
    assert_eq!(app.panels.leads.marks.len(), 3);
}

#[test]
fn any_column_sorts_both_ways_and_stays_sorted() {
    let mut app = fresh(SMALL);
    press(&mut app, &[Press::Char('3'), Press::Char('s')]);
    let sorted = |app: &App| {
        let names: Vec<String> = names(app).iter().map(|name| name.to_lowercase()).collect();
        names.is_sorted()
    };
    assert!(sorted(&app));
    next_second(&mut app, |answer| answer);
    assert!(sorted(&app));
    press(&mut app, &[Press::Char('=')]);
    assert!(!sorted(&app));
    for _ in 0..5 {
        press(&mut app, &[Press::Char('s')]);
    }
    assert_eq!(app.panels.leads.shown.order, None, "once around, as they came");
}

#[test]
fn many_rows_are_filtered_in_another_thread_and_a_late_result_is_dropped() {
    let mut app = fresh(SMALL);
    let many = leads(AT_ONCE + 1);
    next_second(&mut app, |answer| with_rows(answer, |rows| *rows = many.clone()));
    press(&mut app, &[Press::Char('3'), Press::Char('/')]);
    let filter_task = |cmds: Vec<Cmd>| {
        cmds.into_iter().find_map(|cmd| if let Cmd::Filter(at, task) = cmd { Some((at, task)) } else { None })
    };
    let (first, of_first) = filter_task(press(&mut app, &typed("k"))).unwrap();
    let (second, of_second) = filter_task(press(&mut app, &typed("i"))).unwrap();
    assert!(format!("{of_second:?}").contains("Leads"));
    dispatch(&mut app, NOW + 2, Event::Filtered(first, of_first.run()));
    assert_eq!(app.panels.leads.shown.len(), many.len(), "the old rows stay until the right ones have come");
    dispatch(&mut app, NOW + 2, Event::Filtered(second, of_second.run()));
    assert!(
        app.panels.leads.shown.matched < many.len()
            && names(&app).iter().all(|name| name.to_lowercase().contains("ki"))
    );
}

#[test]
fn the_palette_finds_every_action_environments_and_a_lead_by_its_id() {
    let mut app = fresh(SMALL);
    app.environments = vec!["prod".to_owned(), "staging".to_owned()];
    for binding in BINDINGS
        .iter()
        .filter(|binding| !matches!(binding.action, Action::Up | Action::Down | Action::Palette))
    {
        assert_eq!(
            entries(&app, binding.name).first(),
            Some(&PaletteEntry::Action(binding.action)),
            "{}",
            binding.name
        );
    }
    assert_eq!(entries(&app, "env sta"), [PaletteEntry::Environment("staging".to_owned())]);
    assert_eq!(entries(&app, "rdk").first(), Some(&PaletteEntry::Action(Action::RedriveKind)));
    let lead: LeadId = "lead_8fJ2k4Lm9Pq2T7w201".parse().unwrap();
    assert_eq!(entries(&app, lead.as_str()), [PaletteEntry::Lead(lead.clone())]);
    press(&mut app, &[Press::Char(':')]);
    press(&mut app, &typed(lead.as_str()));
    press(&mut app, &[ENTER]);
    assert!(matches!(app.window(), Some(Window::Story(story)) if story.lead == lead));
    press(&mut app, &[Press::Esc, Press::Char(':')]);
    press(&mut app, &typed("redrive-all"));
    press(&mut app, &[ENTER]);
    assert!(matches!(app.window(), Some(Window::Confirm(_))), "the palette asks as the key does");
}

#[test]
fn copying_goes_through_the_terminal() {
    let mut app = fresh(SMALL);
    let cmds = press(&mut app, &[Press::Char('3'), Press::Char('y')]);
    assert!(cmds.contains(&Cmd::Copy(leads(1)[0].lead.lead_id.to_string())));
    let cmds = press(&mut app, &[Press::Char('Y')]);
    let Some(Cmd::Copy(text)) = cmds.iter().find(|cmd| matches!(cmd, Cmd::Copy(_))) else {
        panic!("{cmds:?}")
    };
    assert!(text.contains("\"display_name\": \"Nova Labs\""));
    press(&mut app, &[Press::Char('2'), DOWN, ENTER]);
    answer_all(&mut app, NOW + 1, data);
    assert!(
        press(&mut app, &[Press::Char('Y')])
            .iter()
            .any(|cmd| matches!(cmd, Cmd::Copy(text) if text.contains("\"alert\"")))
    );
}
