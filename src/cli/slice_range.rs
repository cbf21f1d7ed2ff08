//! `--slices A..B`: from 1, both ends in.

use std::fmt;
use std::str::FromStr;

use crate::units::SliceIndex;

/// Slices by their numbers as people see them, from 1, both ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceRange {
    first: usize,
    last: usize,
}

/// A range that names no slices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RangeError {
    /// Not two numbers.
    #[error("expected slices as A..B, from 1, both ends in, found {found:?}")]
    Form { found: String },
    /// Upside down, or from 0.
    #[error("slices {first}..{last} are none; expected A..B with 1 ≤ A ≤ B")]
    Order { first: usize, last: usize },
    /// More than there are.
    #[error("slices {first}..{last} were asked for, and the series has 1..{count}")]
    Outside { first: usize, last: usize, count: usize },
}

impl FromStr for SliceRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let number = |part: &str| part.trim().parse::<usize>().ok();
        let ends = match text.split_once("..") {
            Some((first, last)) => number(first).zip(number(last)),
            None => number(text).map(|one| (one, one)),
        };
        let (first, last) = ends.ok_or_else(|| RangeError::Form { found: text.to_owned() })?;
        if first == 0 || first > last { Err(RangeError::Order { first, last }) } else { Ok(Self { first, last }) }
    }
}

impl fmt::Display for SliceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl SliceRange {
    /// First and last slice of a series that has `count` of them.
    pub(super) fn within(self, count: usize) -> Result<(SliceIndex, SliceIndex), RangeError> {
        let Self { first, last } = self;
        if last > count {
            return Err(RangeError::Outside { first, last, count });
        }
        Ok((SliceIndex(first - 1), SliceIndex(last - 1)))
    }
}

/// Slices in few words: `3, 7 to 9 and 12`.
pub(super) fn slices_words(slices: impl IntoIterator<Item = SliceIndex>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for SliceIndex(slice) in slices {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == slice => *last = slice,
            _ => runs.push((slice, slice)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|&(first, last)| match last - first {
            0 => format!("{}", first + 1),
            1 => format!("{}, {}", first + 1, last + 1),
            _ => format!("{} to {}", first + 1, last + 1),
        })
        .collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_from_one_and_include_both_ends() {
        let range: SliceRange = "2..4".parse().unwrap();
        assert_eq!(range.within(4), Ok((SliceIndex(1), SliceIndex(3))));
        assert_eq!("7".parse::<SliceRange>().unwrap().within(9), Ok((SliceIndex(6), SliceIndex(6))));
        assert_eq!(range.within(3).unwrap_err().to_string(), "slices 2..4 were asked for, and the series has 1..3");
    }

    #[test]
    fn ranges_that_name_no_slices_are_refused() {
        for text in ["", "a..b", "3..", "..", "1..2..3", "-1..4", "1...3", "99999999999999999999..2"] {
            assert!(matches!(text.parse::<SliceRange>(), Err(RangeError::Form { .. })), "{text:?}");
        }
        for text in ["0..3", "4..2", "0"] {
            assert!(matches!(text.parse::<SliceRange>(), Err(RangeError::Order { .. })), "{text:?}");
        }
    }

    #[test]
    fn slices_are_named_in_runs() {
        let words = |slices: &[usize]| slices_words(slices.iter().copied().map(SliceIndex));
        assert_eq!(words(&[2]), "3");
        assert_eq!(words(&[0, 1]), "1, 2");
        assert_eq!(words(&[2, 6, 7, 8, 11]), "3, 7 to 9 and 12");
    }
}
