//! The grey window on screen, and where it comes from.

use crate::volume::{NamedWindow, SeriesInfo, WindowLevel, WindowPreset, window_presets};

/// The grey window on screen.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowChoice {
    /// Centre and width.
    pub window: WindowLevel,
    /// The preset it is, until it is changed by hand.
    pub name: Option<String>,
    /// Bundled presets, in the order of their number keys.
    pub presets: Vec<WindowPreset>,
    /// The file's own windows.
    pub of_file: Vec<NamedWindow>,
}

impl Default for WindowChoice {
    fn default() -> Self {
        let presets = window_presets();
        let name = presets.iter().find(|preset| preset.window == WindowLevel::SOFT_TISSUE).map(|p| p.name.clone());
        Self { window: WindowLevel::SOFT_TISSUE, name, presets, of_file: Vec::new() }
    }
}

impl WindowChoice {
    /// HU for one point of dragging, for a window of 400 HU; narrower windows move more slowly.
    const DRAG_HU_PER_POINT: f32 = 1.5;

    /// The file's first window, or soft tissue.
    pub fn for_series(info: &SeriesInfo) -> Self {
        let mut choice = Self { of_file: info.windows.clone(), ..Self::default() };
        choice.use_file_window(0);
        choice
    }

    /// Uses one of the bundled presets; those that do not exist change nothing.
    pub fn use_preset(&mut self, index: usize) {
        if let Some(preset) = self.presets.get(index) {
            (self.window, self.name) = (preset.window, Some(preset.name.clone()));
        }
    }

    /// Uses one of the file's own windows; those that do not exist change nothing.
    pub fn use_file_window(&mut self, index: usize) {
        if let Some(named) = self.of_file.get(index) {
            (self.window, self.name) = (named.window, Some(named.name.clone()));
        }
    }

    /// The file's windows in turn: the next one when one of them is in use.
    pub fn use_next_file_window(&mut self) {
        let current = self.of_file.iter().position(|named| self.is_named(&named.name, named.window));
        self.use_file_window(current.map_or(0, |index| (index + 1) % self.of_file.len()));
    }

    /// Whether the window on screen is this preset.
    pub fn is_named(&self, name: &str, window: WindowLevel) -> bool {
        self.name.as_deref() == Some(name) && self.window == window
    }

    /// Sets the window by hand.
    pub fn set(&mut self, window: WindowLevel) {
        if window != self.window {
            (self.window, self.name) = (window, None);
        }
    }

    /// Drags it: to the right wider, downwards darker (a higher centre), in points.
    pub fn drag(&mut self, right_points: f32, down_points: f32) {
        let (center, width) = (self.window.center_hu(), self.window.width_hu());
        let gain = Self::DRAG_HU_PER_POINT * (width / 400.0).clamp(0.1, 4.0);
        self.set(WindowLevel::clamped(center + down_points * gain, width + right_points * gain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dragging_right_widens_and_dragging_down_darkens() {
        let mut choice = WindowChoice::default();
        choice.drag(20.0, 0.0);
        assert!(choice.window.width_hu() > 400.0 && (choice.window.center_hu() - 40.0).abs() < 1e-6);
        let before = choice.window.apply(40.0);
        choice.drag(0.0, 20.0);
        assert!(choice.window.apply(40.0) < before, "a higher centre makes the same value darker");
        assert_eq!(choice.name, None, "no preset any more");
    }

    #[test]
    fn no_drag_makes_an_undefined_window() {
        let mut choice = WindowChoice::default();
        choice.drag(-1e9, f32::NAN);
        assert!(choice.window.width_hu() >= WindowLevel::MIN_WIDTH_HU && choice.window.center_hu().is_finite());
    }

    #[test]
    fn the_windows_of_the_file_come_in_turn() {
        let named = |name: &str, center| NamedWindow {
            name: name.to_owned(),
            window: WindowLevel::new(center, 100.0).unwrap(),
        };
        let mut choice = WindowChoice { of_file: vec![named("A", 1.0), named("B", 2.0)], ..WindowChoice::default() };
        let names: Vec<_> = (0..3)
            .map(|_| {
                choice.use_next_file_window();
                choice.name.clone().unwrap()
            })
            .collect();
        assert_eq!(names, ["A", "B", "A"]);
    }
}
