//! NLM's numbers: millimetres from the vertex downwards; the female's photographs carry a, b and c for thirds of one.

use std::fmt;

/// Highest number that is believed.
const HIGHEST_MM: f64 = 20_000.0;
/// A level may be off a whole third by this, in thirds.
const OFF_THIRD: f64 = 0.2;

/// A level of the body, in whole thirds of a millimetre. Shown as NLM does: `1500`, `1500b`, `1500c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    thirds: u32,
}

impl Level {
    /// A whole millimetre.
    pub fn of_number(number: u32) -> Self {
        Self { thirds: number.saturating_mul(3) }
    }

    /// `None` where no photograph can be: beyond any body, or between the thirds.
    pub fn of_millimeters(level_mm: f64) -> Option<Self> {
        let thirds = level_mm * 3.0;
        let is_third = (0.0..=HIGHEST_MM * 3.0).contains(&thirds) && (thirds - thirds.round()).abs() <= OFF_THIRD;
        is_third.then_some(Self { thirds: thirds.round() as u32 })
    }

    /// From a file's name: its last number before the first dot, and the letter behind it (`a_vm1500.raw`, `avf1500b.raw`).
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, number, after) = crate::io::one_per_slice::split_number(name);
        let mut letters = after.chars();
        let (letter, next) = (letters.next(), letters.next());
        let third = match letter {
            Some(letter @ 'a'..='c') if next.is_none_or(|next| next == '.') => letter as u32 - 'a' as u32,
            _ => 0,
        };
        let is_believable = number > 0 && f64::from(number) <= HIGHEST_MM;
        is_believable.then_some(Self { thirds: number * 3 + third })
    }

    /// Millimetres from the vertex.
    pub fn millimeters(self) -> f64 {
        f64::from(self.thirds) / 3.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.thirds / 3, ["", "b", "c"][self.thirds as usize % 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_give_the_same_level() {
        let name = |name| Level::of_name(name).map(|level| level.to_string());
        assert_eq!(name("a_vm1500.raw").as_deref(), Some("1500"));
        assert_eq!(name("avf1500a.raw.Z").as_deref(), Some("1500"));
        assert_eq!(name("avf1500b.raw").as_deref(), Some("1500b"));
        assert_eq!(name("1500_rgb.png").as_deref(), Some("1500"));
        assert_eq!(name("readme.raw"), None);
        assert_eq!(Level::of_millimeters(1500.33), Level::of_name("avf1500b.raw"));
        assert_eq!(Level::of_millimeters(1500.5), None, "between thirds");
        assert_eq!(Level::of_millimeters(-1.0), None);
        assert_eq!(Level::of_millimeters(f64::NAN), None);
    }
}
