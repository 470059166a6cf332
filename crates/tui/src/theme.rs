//! All colours and styles.
//!
//! Sixteen colours and modifiers only, and never a background: so the terminal's own light or dark
//! theme stays readable. No information is conveyed by colour only.

use ratatui::style::{Color, Modifier, Style};

use super::text::Glyphs;

/// What a piece of text is, from which its style follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Normal text.
    Base,
    /// Less important: labels, rules, what is zero.
    Dim,
    /// More important: names, keys.
    Strong,
    /// Where the focus is.
    Accent,
    /// It worked.
    Good,
    /// It may need attention.
    Warn,
    /// It needs attention.
    Alarm,
    /// What the search found.
    Found,
    /// A name in a JSON text.
    Name,
}

impl Role {
    /// The mark of how serious it is.
    pub fn mark(self, glyphs: &Glyphs) -> &'static str {
        match self {
            Self::Alarm => glyphs.bad,
            Self::Warn => glyphs.warning,
            Self::Good => glyphs.good,
            _ => glyphs.dot,
        }
    }
}

#[cfg(test)]
impl Role {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Base,
        Self::Dim,
        Self::Strong,
        Self::Accent,
        Self::Good,
        Self::Warn,
        Self::Alarm,
        Self::Found,
        Self::Name,
    ];
}

/// What kind of colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorScheme {
    /// Light on dark.
    Dark,
    /// Dark on light: yellow and bright colours cannot be read there.
    Light,
    /// Without colours: bold, dim and reversed only.
    Mono,
}

/// Roles to styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The colours of the terminal.
    pub scheme: ColorScheme,
}

impl Theme {
    /// What the environment asks for: `NO_COLOR` (<https://no-color.org>) and dumb terminals get no
    /// colours; else `LEADOPS_THEME` (`dark`, `light`, `mono`), else what `COLORFGBG` says of the background.
    pub fn of_environment(var: impl Fn(&str) -> Option<String>) -> Self {
        let unwanted = var("NO_COLOR").is_some_and(|value| !value.is_empty());
        let unable = var("TERM").is_some_and(|term| term == "dumb");
        let scheme = match var("LEADOPS_THEME").unwrap_or_default().to_lowercase().as_str() {
            _ if unwanted || unable => ColorScheme::Mono,
            "light" => ColorScheme::Light,
            "mono" => ColorScheme::Mono,
            "dark" => ColorScheme::Dark,
            // The last part is the background: 7 and 15 are the whites.
            _ => match var("COLORFGBG").unwrap_or_default().rsplit(';').next() {
                Some("7" | "15") => ColorScheme::Light,
                _ => ColorScheme::Dark,
            },
        };
        Self { scheme }
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let light = self.scheme == ColorScheme::Light;
        let style = match role {
            Role::Base => plain,
            Role::Dim if light => plain.fg(Color::DarkGray),
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Strong => bold,
            Role::Accent if light => bold.fg(Color::Blue),
            Role::Accent => bold.fg(Color::Cyan),
            Role::Good => plain.fg(Color::Green),
            Role::Warn if light => bold.fg(Color::Magenta),
            Role::Warn => plain.fg(Color::Yellow),
            Role::Alarm => bold.fg(Color::Red),
            Role::Found => bold.add_modifier(Modifier::UNDERLINED),
            Role::Name if light => plain.fg(Color::Blue),
            Role::Name => plain.fg(Color::Cyan),
        };
        if self.scheme == ColorScheme::Mono { Style { fg: None, ..style } } else { style }
    }

    /// Laid over the row under the cursor, instead of the colours of its parts.
    pub fn selected(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::REVERSED).remove_modifier(Modifier::DIM);
        if self.scheme == ColorScheme::Mono { style } else { style.fg(Color::Reset) }
    }

    /// Laid over everything behind a question.
    pub fn behind(&self) -> Style {
        let style =
            Style::new().add_modifier(Modifier::DIM).remove_modifier(Modifier::BOLD | Modifier::REVERSED);
        if self.scheme == ColorScheme::Mono { style } else { style.fg(Color::Reset) }
    }

    /// For badges, which must not be overlooked.
    pub fn badge(&self) -> Style {
        self.style(Role::Warn).add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// The name of the environment, in its own colour.
    pub fn name(&self, colour: Option<Color>) -> Style {
        let style = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        let usual = if self.scheme == ColorScheme::Light { Color::Blue } else { Color::Cyan };
        if self.scheme == ColorScheme::Mono { style } else { style.fg(colour.unwrap_or(usual)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Theme {
        Theme::of_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_color_leaves_no_colour_and_keeps_bold_and_reversed() {
        let mono = of(&[("NO_COLOR", "1"), ("LEADOPS_THEME", "light")]);
        for role in Role::ALL {
            assert_eq!((mono.style(role).fg, mono.style(role).bg), (None, None));
        }
        assert_eq!((mono.selected().fg, mono.badge().fg, mono.name(Some(Color::Red)).fg), (None, None, None));
        assert!(mono.style(Role::Alarm).add_modifier.contains(Modifier::BOLD));
        assert!(mono.selected().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn the_ground_is_taken_from_the_environment() {
        for (variables, scheme) in [
            (&[][..], ColorScheme::Dark),
            (&[("NO_COLOR", "")], ColorScheme::Dark),
            (&[("TERM", "dumb")], ColorScheme::Mono),
            (&[("LEADOPS_THEME", "light")], ColorScheme::Light),
            (&[("COLORFGBG", "0;15")], ColorScheme::Light),
            (&[("COLORFGBG", "15;0")], ColorScheme::Dark),
            (&[("COLORFGBG", "0;15"), ("LEADOPS_THEME", "dark")], ColorScheme::Dark),
        ] {
            assert_eq!(of(variables).scheme, scheme, "{variables:?}");
        }
    }

    #[test]
    fn a_light_ground_gets_no_yellow_and_nothing_has_a_background() {
        for scheme in [ColorScheme::Dark, ColorScheme::Light, ColorScheme::Mono] {
            for role in Role::ALL {
                let style = Theme { scheme }.style(role);
                assert_eq!(style.bg, None);
                assert!(scheme != ColorScheme::Light || style.fg != Some(Color::Yellow), "{role:?}");
            }
        }
    }
}
