//! A lead's owners: all of them can be read and found, and so can those who have left.

use lead::{Owner, OwnerStatus};
use ops::{LeadRow, LeadStory};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    super::{
        doc,
        fixture::{NOW, answer_all, data, fresh, leads, loading, press, rows_of},
        frame, line,
        msg::Query,
        theme::{ColorScheme, Role, Theme},
    },
    *,
};

const TAMSIN: &str = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";
const IVO: &str = "user_thsLES2Ru2DTY2cdXlVwM5myyf0d445IdXt6amZQeV8";

fn owner(id: &str, name: &str, active: bool) -> Owner {
    Owner { id: Some(id.to_owned()), name: name.to_owned(), active, unknown: false }
}

/// A lead of these owners, the first of whom counts.
fn owned(status: OwnerStatus, owners: &[Owner]) -> LeadRow {
    let mut row = leads(1).remove(0);
    row.lead.owner_status = status;
    row.lead.lead_owner = owners[0].name.clone();
    row.lead.owners = owners.to_vec();
    row
}

/// A console of a size with these leads, after these keys.
fn with(rows: &[&LeadRow], size: (u16, u16), keys: &[Press]) -> (App, Buffer) {
    let mut app = loading(size);
    answer_all(&mut app, NOW, |query| match query {
        Query::Rows(Panel::Leads, _) => Ok(rows_of(rows.iter().map(|row| (*row).clone()).collect())),
        other => data(other),
    });
    press(&mut app, keys);
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    frame::paint(&mut buffer, &app, &Theme { scheme: ColorScheme::Dark });
    (app, buffer)
}

/// The full list of leads in so many columns, with these.
fn list(rows: &[&LeadRow], columns: u16) -> (App, Buffer) {
    with(rows, (columns, 24), &[Press::Char('3'), Press::Char('3')])
}

/// The line in which this stands.
fn line_with(buffer: &Buffer, part: &str) -> Option<(u16, String)> {
    let line = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|y| (y, line(y))).find(|(_, line)| line.contains(part))
}

#[test]
fn the_longest_name_does_not_hide_that_an_owner_has_left() {
    let long = "The Department of Forms and Trade Fairs of the Outer Hebrides";
    let left = owned(OwnerStatus::Departed, &[owner(IVO, long, false)]);
    // The cursor is on another one.
    let (_, buffer) = list(&[&leads(4)[3], &left], 80);
    let (y, line) = line_with(&buffer, "(departed)").unwrap();
    assert!(line.contains("▲ The Depar… (departed) "), "{line}");
    let x = (0..80).find(|x| buffer[(*x, y)].symbol() == "(").unwrap();
    assert_eq!(buffer[(x, y)].style().fg, Theme { scheme: ColorScheme::Dark }.style(Role::Warn).fg);
    for columns in 40..200 {
        let (_, buffer) = list(&[&left], columns);
        assert!(line_with(&buffer, "(departed)").is_some(), "{columns}");
        if columns >= 80 {
            let (_, beside_others) = with(&[&left], (columns, 24), &[]);
            assert!(line_with(&beside_others, "(departed)").is_some(), "{columns}");
        }
    }
}

#[test]
fn of_several_owners_the_list_names_all_or_says_how_many_there_are() {
    let two = [owner(TAMSIN, "Sales North", true), owner(IVO, "Renewals Desk", false)];
    let row = owned(OwnerStatus::Assigned, &two);
    for (columns, part) in [(200, " Sales North, Renewals Desk (departed) "), (80, " Sales North +1 ")] {
        let (_, buffer) = list(&[&row], columns);
        assert!(line_with(&buffer, part).is_some_and(|(_, line)| !line.contains('▲')), "{columns}");
    }
}

#[test]
fn a_lead_is_found_by_each_of_its_owners_and_by_those_who_have_left() {
    let row = owned(
        OwnerStatus::Assigned,
        &[owner(TAMSIN, "Sales North", true), owner(IVO, "Renewals Desk", false)],
    );
    for (text, found) in [
        ("owner:north", true),
        ("owner:renewals", true),
        ("owner:departed", true),
        ("!owner:renewals", false),
        ("owner:south", false),
        ("renewals", true),
        (&format!("owner:{IVO}"), false),
    ] {
        let (mut app, _) = list(&[&row], 80);
        press(&mut app, &[Press::Char('/')]);
        press(&mut app, &typed(text));
        assert_eq!(app.panels.leads.shown.matched == 1, found, "{text}");
    }
}

/// What a page of the lead's window says, line by line.
fn page(row: &LeadRow, number: usize) -> Vec<String> {
    let mut app = fresh(WIDE);
    press(&mut app, &[Press::Char('3'), ENTER]);
    answer_all(&mut app, NOW, |query| match (query, data(query)) {
        (Query::Story(_), Ok(Answer::Story(story))) => {
            Ok(Answer::Story(Box::new(LeadStory { lead: Some(row.lead.clone()), ..*story })))
        }
        (_, answer) => answer,
    });
    press(&mut app, &vec![Press::Tab; number]);
    doc::windows::of(&app, app.windows.last().unwrap(), 100).lines.iter().map(line::plain).collect()
}

#[test]
fn the_page_of_a_lead_has_each_owner_on_a_line_and_its_phone_number() {
    let two = [owner(TAMSIN, "Sales North", true), owner(IVO, "Renewals Desk", false)];
    let lines = page(&owned(OwnerStatus::Assigned, &two), 0);
    assert_eq!(lines[1..3], ["owners      Sales North", "            Renewals Desk (departed)"]);
    assert!(lines.contains(&"phone       +1 202-555-0141".to_owned()), "{lines:?}");
    let lines = page(&owned(OwnerStatus::Departed, &two[1..]), 0);
    assert_eq!(lines[1], "owner       ▲ Renewals Desk (departed)");
    let mut unknown = owned(OwnerStatus::LookupFailed, &two[..1]);
    unknown.lead.owners.clear();
    unknown.lead.lead_phone = None;
    let lines = page(&unknown, 0);
    assert_eq!(lines[1], "owner       ▲ Sales North (lookup failed)");
    assert!(!lines.iter().any(|line| line.starts_with("phone")));
}

#[test]
fn no_page_shows_the_id_of_a_user() {
    let mut row = owned(OwnerStatus::Assigned, &[owner(TAMSIN, "Sales \"North\"", true)]);
    let custom = format!(r#"{{"cf_1":"{TAMSIN}","cf_2":["{IVO}","{TAMSIN}"]}}"#);
    row.lead.custom = serde_json::from_str(&custom).unwrap();
    let lines = page(&row, 1).join("\n");
    assert!(lines.contains(r#""cf_1": "Sales \"North\"""#), "{lines}");
    assert!(lines.contains(r#""cf_2": ["Close user …mZQeV8","Sales \"North\""]"#), "{lines}");
    assert!(!lines.contains("user_"), "{lines}");
    assert!(serde_json::to_string(&row).unwrap().contains(TAMSIN), "programs do");
}

#[test]
fn the_question_about_a_resend_shows_all_owners() {
    let two = [owner(TAMSIN, "Sales North", true), owner(IVO, "Renewals Desk", false)];
    let row = owned(OwnerStatus::Assigned, &two);
    let (_, buffer) = with(&[&row], (120, 24), &[Press::Char('3'), Press::Char('S')]);
    assert!(line_with(&buffer, "owner Sales North, Renewals Desk (departed)").is_some());
}
