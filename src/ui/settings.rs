//! What is kept from one start to the next. No path is kept unless the user agreed: a path can tell who a patient is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cine::{Cine, CineMode, CineSpeed};
use crate::volume::WindowPreset;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThemeChoice {
    /// Near black, for pictures.
    #[default]
    Dark,
    /// For bright rooms and for printing.
    Light,
}

/// How large letters and buttons are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// For a desk.
    #[default]
    Normal,
    /// For a small room.
    OneAndAHalf,
    /// For the last row.
    Double,
}

impl Scale {
    /// From small to large.
    pub const ALL: [Self; 3] = [Self::Normal, Self::OneAndAHalf, Self::Double];

    /// Times the usual size.
    pub fn factor(self) -> f32 {
        match self {
            Self::Normal => 1.0,
            Self::OneAndAHalf => 1.5,
            Self::Double => 2.0,
        }
    }

    /// What the menu says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "1×",
            Self::OneAndAHalf => "1.5×",
            Self::Double => "2×",
        }
    }

    /// The next larger one, then the smallest again.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Normal => Self::OneAndAHalf,
            Self::OneAndAHalf => Self::Double,
            Self::Double => Self::Normal,
        }
    }
}

/// What is kept from one start to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub theme: ThemeChoice,
    /// How large letters and buttons are.
    pub scale: Scale,
    /// The user agreed that recent files are remembered.
    pub remembers_recent: bool,
    /// The newest first; empty unless the user agreed.
    pub recent: Vec<PathBuf>,
    /// The user's own windows.
    pub presets: Vec<WindowPreset>,
    /// Film mode, 5 … 30.
    pub slices_per_second: u8,
    /// What the film does at the last slice.
    pub cine_mode: CineMode,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::Dark,
            scale: Scale::Normal,
            remembers_recent: false,
            recent: Vec::new(),
            presets: Vec::new(),
            slices_per_second: 12,
            cine_mode: CineMode::Loop,
        }
    }
}

impl Settings {
    /// Under which the settings are stored.
    pub const KEY: &str = "settings";
    /// Recent files that are kept.
    pub const MOST_RECENT: usize = 8;

    /// How fast the film runs.
    pub fn cine_speed(&self) -> CineSpeed {
        let (slowest, fastest) = (*Cine::SLICES_PER_SECOND.start(), *Cine::SLICES_PER_SECOND.end());
        CineSpeed { slices_per_second: self.slices_per_second.clamp(slowest, fastest), mode: self.cine_mode }
    }

    /// Remembers a path, if the user agreed.
    pub fn remember(&mut self, path: PathBuf) {
        if self.remembers_recent {
            self.recent.retain(|recent| *recent != path);
            self.recent.insert(0, path);
            self.recent.truncate(Self::MOST_RECENT);
        }
    }

    /// Agrees or disagrees; what was remembered is forgotten at once.
    pub fn set_remembers_recent(&mut self, agreed: bool) {
        self.remembers_recent = agreed;
        if !agreed {
            self.recent.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_kept_unless_the_user_agreed() {
        let mut settings = Settings::default();
        settings.remember("a".into());
        assert!(settings.recent.is_empty(), "not agreed yet");
        settings.set_remembers_recent(true);
        settings.remember("a".into());
        settings.remember("b".into());
        settings.remember("a".into());
        assert_eq!(settings.recent, [PathBuf::from("a"), PathBuf::from("b")]);
        settings.set_remembers_recent(false);
        assert!(settings.recent.is_empty(), "forgotten at once");
    }

    #[test]
    fn settings_of_an_older_version_still_load() {
        let settings: Settings = serde_json::from_str(r#"{ "theme": "Light" }"#).unwrap();
        assert_eq!(settings, Settings { theme: ThemeChoice::Light, ..Settings::default() });
    }
}
