//! How long the rest of the work takes, from how it went lately.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Marks that are remembered: the pace of long ago says little.
const MOST_MARKS: usize = 32;

/// When how much was done, lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    marks: VecDeque<(Instant, usize)>,
}

impl Pace {
    /// At this moment, so much is done.
    pub(super) fn add(&mut self, now: Instant, done: usize) {
        if self.marks.len() == MOST_MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((now, done));
    }

    /// What the rest takes at the pace of the last marks; `None` while there is no pace yet.
    pub(super) fn left(&self, total: usize) -> Option<Duration> {
        let ((first, done_first), (last, done_last)) = (self.marks.front()?, self.marks.back()?);
        let done = done_last.checked_sub(*done_first).filter(|&done| done > 0)?;
        let secs_each = last.duration_since(*first).as_secs_f64() / done as f64;
        Duration::try_from_secs_f64(secs_each * total.saturating_sub(*done_last) as f64).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_from_the_latest_pace() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.add(start, 0);
        assert_eq!(pace.left(100), None, "nothing is known yet");
        // Forty slices were there already, in no time; then each takes a second.
        for done in 1..=40 {
            pace.add(start, done);
        }
        for done in 41..=80 {
            pace.add(start + Duration::from_secs(done as u64 - 40), done);
        }
        assert_eq!(pace.left(100), Some(Duration::from_secs(20)));
    }
}
