//! Placeholders for an empty value.
//!
//! In owner documents an empty field is written as it is called where it comes from: `None` in Python, `N/A` or a dash by
//! people, `Unassigned` in a form, or our own default, copied from an alert. Such a field counts as missing.

use crate::text;

/// Shown for an unknown e-mail address of a lead.
pub const UNKNOWN_EMAIL: &str = "unknown@example.com";
/// Shown for a lead without an owner.
pub const UNASSIGNED: &str = "Unassigned";
/// Shown for any other unknown value.
pub const UNKNOWN: &str = "Unknown";

/// Values that mean "none" as the whole value of a field.
const ALONE: &[&str] = &[
    "n a",
    "n d",
    "object object",
    "false",
    "pending",
    "t b d",
    "tba",
    "tbc",
    "tbd",
    "to be announced",
    "to be assigned",
    "to be confirmed",
    "to be decided",
    "to be defined",
    "to be determined",
    // German, Spanish, French, Italian, Portuguese, Dutch.
    "k a",
    "nicht zugeordnet",
    "nicht zugewiesen",
    "unbekannt",
    "desconocido",
    "ninguno",
    "no asignado",
    "sin asignar",
    "aucun",
    "inconnu",
    "non assigné",
    "non attribué",
    "nessuno",
    "non assegnato",
    "sconosciuto",
    "desconhecido",
    "nenhum",
    "não atribuído",
    "niet toegewezen",
    "onbekend",
    "kein besitzer",
    "keiner",
    "niemand",
    "sin propietario",
    "ninguém",
    "sem responsável",
    "aucune",
    "personne",
    "geen",
    "ej tilldelad",
    "ikke tildelt",
    "nie przypisano",
    "нет",
    "никто",
    "не назначен",
    "无",
    "無",
    "未分配",
    "未指定",
    "未設定",
    "未定",
    "なし",
    "担当者なし",
    "없음",
    // Of spreadsheets, and of templates that were not filled in.
    "ref",
    "0",
];

/// Words that mean "none" by themselves, and together with any of [`WHAT`].
const NOTHING: &[&str] = &["none", "null", "nil", "nothing", "empty", "blank", "missing", "tbd"];

/// Words that negate what follows, as words of their own or as prefixes.
const NOT: &[&str] = &["no", "not", "non", "un", "without"];

/// Words for what is missing, and for what has not happened.
const WHAT: &[&str] = &[
    "account",
    "address",
    "agent",
    "allocated",
    "applicable",
    "assigned",
    "assignee",
    "available",
    "been",
    "body",
    "contact",
    "currently",
    "data",
    "defined",
    "e",
    "email",
    "entered",
    "field",
    "found",
    "funnel",
    "given",
    "has",
    "is",
    "known",
    "lead",
    "mail",
    "member",
    "name",
    "one",
    "owned",
    "owner",
    "person",
    "provided",
    "rep",
    "selected",
    "set",
    "specified",
    "user",
    "value",
    "yet",
];

/// Whether a value is a placeholder: nobody, nothing, unknown.
///
/// The whole value has to be one, in any case and with any brackets and punctuation: `None Smith` is a person. So are `Na` and `Nan`, written as names are; `NA`, `NaN` and `nan` are what programs write.
pub fn is_placeholder(value: &str) -> bool {
    let cleaned = text::clean(value);
    let bare = cleaned.trim_matches(is_punctuation);
    // No placeholder is nearly as long.
    if bare.is_empty() || bare.len() > 80 {
        return bare.is_empty();
    }
    if is_template(&cleaned) {
        return true;
    }
    let words = words(bare);
    let ours = [UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL];
    match words.as_str() {
        "na" | "nan" => !matches!(bare, "Na" | "Nan"),
        alone if ALONE.contains(&alone) => true,
        value if ours.iter().any(|default| self::words(default) == value) => true,
        phrase => is_phrase(phrase),
    }
}

/// Whether a value is the name of a field that a template should have filled in: `{{owner}}`, `${owner}`,
/// or a spreadsheet's error: `#VALUE!`, `#NAME?`.
fn is_template(value: &str) -> bool {
    let within = |open: &str, close: &str| {
        value.starts_with(open) && value.ends_with(close) && value.len() > open.len()
    };
    within("{{", "}}") || within("${", "}") || within("#VALUE", "!") || within("#NAME", "?")
}

/// Whether every word belongs to a placeholder, and one of them means "none".
fn is_phrase(words: &str) -> bool {
    let what = |word: &str| WHAT.contains(&word);
    let (mut says_so, mut not, mut of_what) = (false, false, false);
    for word in words.split(' ') {
        let joined = |not: &&str| word.strip_prefix(*not).is_some_and(|rest| rest.len() > 2 && what(rest));
        if NOTHING.contains(&word) || NOT.iter().any(joined) {
            says_so = true;
        } else if NOT.contains(&word) {
            not = true;
        } else if what(word) {
            of_what = true;
        } else {
            return false;
        }
    }
    says_so || (not && of_what)
}

/// The words of a value in lower case, one space between them.
fn words(value: &str) -> String {
    let lower: String = value.chars().map(half_width).collect::<String>().to_lowercase();
    lower.split(is_punctuation).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A full-width letter or digit as ASCII.
fn half_width(c: char) -> char {
    match c {
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        }
        _ => c,
    }
}

/// White space, brackets, quotation marks, dashes, dots and the like, of any script.
fn is_punctuation(c: char) -> bool {
    c.is_whitespace()
        || c.is_ascii_punctuation()
        || matches!(c,
            '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{ac}' | '\u{af}' | '\u{b0}' | '\u{b4}' | '\u{b6}'..='\u{b8}' | '\u{bb}' | '\u{bf}'
            | '\u{2010}'..='\u{205e}' | '\u{2205}' | '\u{2212}' | '\u{2215}' | '\u{2500}'..='\u{257f}' | '\u{2e00}'..='\u{2e7f}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{301f}' | '\u{30fb}' | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_empty_field_is_called_elsewhere_is_nobody() {
        for word in [
            "",
            " ",
            "None",
            "none",
            "NONE",
            "N/A",
            "n/a",
            "n.a.",
            "N / A",
            "#N/A",
            "NA",
            "na",
            "NaN",
            "nan",
            "-",
            "--",
            "—",
            "–",
            "...",
            "…",
            "?",
            "???",
            "_",
            "*",
            ".",
            "/",
            "null",
            "NULL",
            "<null>",
            "nil",
            "Nil",
            "undefined",
            "Unassigned",
            "unassigned",
            "[Unassigned]",
            "UNASSIGNED USER",
            "Unassigned Lead",
            "un-assigned",
            "Unknown",
            "(unknown)",
            "unknown user",
            "Unknown Owner",
            "no owner",
            "No Owner Assigned",
            "NO_OWNER",
            "noOwner",
            "no one",
            "Nobody",
            "no-one",
            "not assigned",
            "Not yet assigned",
            "NOT_ASSIGNED",
            "Owner: none",
            "owner not found",
            "No owner has been assigned yet.",
            "not set",
            "Not available",
            "not applicable",
            "unspecified",
            "(none)",
            "<none>",
            "[none]",
            "{none}",
            "'None'",
            "\"None\"",
            "`none`",
            "“none”",
            "«none»",
            "  None  ",
            "- none -",
            "None.",
            "TBD",
            "tba",
            "t.b.d?",
            "To be assigned",
            "pending",
            "empty",
            "(blank)",
            "missing",
            "false",
            "[object Object]",
            "no email",
            "No e-mail",
            "no funnel",
            "unknown@example.com",
            "<UNKNOWN@example.com>",
            "Sin asignar",
            "Nicht zugewiesen",
            "Non assigné",
            "Desconocido",
            "k. A.",
            "Non\u{200b}e",
            "\u{3164}None",
            "「none」",
            "Ｎｏｎｅ",
            "Ｎ／Ａ",
            "N∕A",
            "{{owner}}",
            "{{ lead_owner }}",
            "${owner}",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "0",
            "Niemand",
            "Ninguém",
            "не назначен",
            "未分配",
            "担当者なし",
            "없음",
        ] {
            assert!(is_placeholder(word), "{word:?}");
        }
        assert!(is_placeholder(&"—".repeat(500)));
    }

    #[test]
    fn names_stay_names() {
        for name in [
            "Na",
            "Nan",
            "Nan Goldin",
            "Nil Armstrong",
            "None Smith",
            "Jo Null",
            "No",
            "Noe",
            "Noto",
            "Yet Sun",
            "Dana Field",
            "Unni Owner",
            "Lead",
            "Owner",
            "Ms Blank-Test",
            "Sales North",
            "A",
            "7",
            "🚀",
            "株式会社",
            "O'Nil",
            "Nobody Inc",
            "Unknown Pleasures",
            "Nota Bene",
            "Na Li",
            "Tamsin Okafor-Test",
            "User 7",
            "Pending Ltd",
            "Tbd Holding",
            "none@example.org",
            "sales@harbourline.example",
            "Trade fair",
            "Example Academy Direct VSL",
            "Name",
            "One",
            "{Dana} Field",
            "#1 Sales",
            "李",
            "007",
        ] {
            assert!(!is_placeholder(name), "{name:?}");
        }
        assert!(!is_placeholder(&"no owner ".repeat(100)));
    }
}
