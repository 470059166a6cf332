//! Every colour decision.
//!
//! Sixteen colours and modifiers only, and never a background: so the terminal's own light or dark
//! theme stays readable. Nothing is said by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is, from which its style follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The calm rest.
    Base,
    /// Less important: labels, frames, what is zero.
    Dim,
    /// More important: names, keys.
    Strong,
    /// Where the focus is.
    Accent,
    /// It worked.
    Good,
    /// A person may want to look.
    Warn,
    /// A person is needed.
    Alarm,
}

/// Roles to styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Without colours, nothing but bold, dim and reversed is used.
    pub colours: bool,
}

impl Theme {
    /// What the environment asks for: `NO_COLOR` (<https://no-color.org>) and dumb terminals get none.
    pub fn of_environment(var: impl Fn(&str) -> Option<String>) -> Self {
        let unwanted = var("NO_COLOR").is_some_and(|value| !value.is_empty());
        let unable = var("TERM").is_some_and(|term| term == "dumb");
        Self { colours: !unwanted && !unable }
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        let style = match role {
            Role::Base => Style::new(),
            Role::Dim => Style::new().add_modifier(Modifier::DIM),
            Role::Strong => Style::new().add_modifier(Modifier::BOLD),
            Role::Accent => Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Role::Good => Style::new().fg(Color::Green),
            Role::Warn => Style::new().fg(Color::Yellow),
            Role::Alarm => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        };
        if self.colours { style } else { Style { fg: None, ..style } }
    }

    /// Laid over the row under the cursor, whose own colours would make a patchwork of it.
    pub fn selected(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::REVERSED).remove_modifier(Modifier::DIM);
        if self.colours { style.fg(Color::Reset) } else { style }
    }

    /// Laid over what a question stands before.
    pub fn behind(&self) -> Style {
        let style =
            Style::new().add_modifier(Modifier::DIM).remove_modifier(Modifier::BOLD | Modifier::REVERSED);
        if self.colours { style.fg(Color::Reset) } else { style }
    }

    /// Badges: the one thing that is never to be overlooked.
    pub fn badge(&self) -> Style {
        self.style(Role::Warn).add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_leaves_no_colour_and_keeps_bold_and_reversed() {
        let mono = Theme::of_environment(|name| (name == "NO_COLOR").then(|| "1".to_owned()));
        for role in [Role::Base, Role::Dim, Role::Strong, Role::Accent, Role::Good, Role::Warn, Role::Alarm] {
            assert_eq!((mono.style(role).fg, mono.style(role).bg), (None, None));
        }
        assert_eq!((mono.selected().fg, mono.badge().fg), (None, None));
        assert!(mono.style(Role::Alarm).add_modifier.contains(Modifier::BOLD));
        assert!(mono.selected().add_modifier.contains(Modifier::REVERSED));
        assert!(Theme::of_environment(|_| None).colours);
        assert!(Theme::of_environment(|name| (name == "NO_COLOR").then(String::new)).colours);
    }
}
