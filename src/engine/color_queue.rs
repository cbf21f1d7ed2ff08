//! Which slice is coloured next.

use super::messages::Travel;
use crate::units::SliceIndex;

/// A slice behind the traveller counts as if it were so many times further away than one ahead.
const BEHIND: usize = 3;

/// What is on screen, and where the user is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gaze {
    pub(super) slice: SliceIndex,
    pub(super) travel: Travel,
}

impl Gaze {
    /// The next slice to colour: the one on screen, then nearest-first, three ahead for each one behind, then the rest of the
    /// series. Only the `most` slices nearest to the screen are thought of; of them only those that `is_wanted`.
    pub(super) fn next(self, count: usize, most: usize, is_wanted: impl Fn(SliceIndex) -> bool) -> Option<SliceIndex> {
        let reach = most.div_ceil(2).saturating_sub(1);
        let is_near = |index: usize| most >= count || index.abs_diff(self.slice.0) <= reach;
        let first = if most >= count { 0 } else { self.slice.0.saturating_sub(reach) };
        (first..count)
            .take_while(|&index| index <= self.slice.0 || is_near(index))
            .filter(|&index| is_near(index) && is_wanted(SliceIndex(index)))
            .min_by_key(|&index| (self.distance(index), index))
            .map(SliceIndex)
    }

    fn distance(self, index: usize) -> usize {
        let distance = index.abs_diff(self.slice.0);
        let is_ahead = (index > self.slice.0) == (self.travel == Travel::Forward);
        if is_ahead { distance } else { distance * BEHIND }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn order(slice: usize, travel: Travel, count: usize, most: usize) -> Vec<usize> {
        let mut done = BTreeSet::new();
        let gaze = Gaze { slice: SliceIndex(slice), travel };
        let mut order = Vec::new();
        while let Some(next) = gaze.next(count, most, |slice| !done.contains(&slice)) {
            done.insert(next);
            order.push(next.0);
        }
        order
    }

    #[test]
    fn the_slice_on_screen_comes_first_then_those_ahead_then_the_rest() {
        assert_eq!(order(5, Travel::Forward, 10, 100), [5, 6, 7, 4, 8, 9, 3, 2, 1, 0], "towards higher numbers");
        assert_eq!(order(5, Travel::Backward, 10, 100), [5, 4, 3, 2, 6, 1, 0, 7, 8, 9], "and back");
    }

    #[test]
    fn no_more_slices_are_coloured_than_can_be_kept() {
        let few = order(50, Travel::Forward, 100, 9);
        assert_eq!(few.iter().copied().collect::<BTreeSet<_>>(), (46..=54).collect(), "the nearest nine");
        assert_eq!(order(0, Travel::Forward, 100, 1), [0], "one is the one on screen");
        assert_eq!(order(0, Travel::Forward, 0, 5), Vec::<usize>::new(), "nothing open");
    }
}
