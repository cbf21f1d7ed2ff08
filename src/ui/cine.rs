//! Film mode: slice after slice, in a loop or to and fro.

use serde::{Deserialize, Serialize};

use crate::units::SliceIndex;

/// What happens at the last slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CineMode {
    /// Starts again at the first.
    #[default]
    Loop,
    /// Turns round.
    ToAndFro,
}

/// How fast, and what happens at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CineSpeed {
    /// 5 … 30.
    pub slices_per_second: u8,
    /// At the last slice.
    pub mode: CineMode,
}

/// Film mode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cine {
    is_playing: bool,
    is_backward: bool,
    carry_slices: f32,
}

impl Cine {
    /// Slowest and fastest, in slices a second.
    pub const SLICES_PER_SECOND: std::ops::RangeInclusive<u8> = 5..=30;

    /// Whether the film runs.
    pub fn is_playing(self) -> bool {
        self.is_playing
    }

    /// Starts or stops.
    pub fn toggle(&mut self) {
        *self = Self { is_playing: !self.is_playing, ..Self::default() };
    }

    /// Stops.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// The slice to go to after so much time, if it is another one. `place`: the slice on screen, and how many there are.
    pub fn advance(&mut self, elapsed_secs: f32, place: (SliceIndex, usize), speed: CineSpeed) -> Option<SliceIndex> {
        let (SliceIndex(slice), count) = place;
        if !self.is_playing || count < 2 {
            return None;
        }
        // A frame that took long skips slices, but never a whole second of them.
        self.carry_slices += elapsed_secs.clamp(0.0, 1.0) * f32::from(speed.slices_per_second);
        let steps = self.carry_slices.floor();
        self.carry_slices -= steps;
        let steps = steps as usize;
        if steps == 0 {
            return None;
        }
        Some(SliceIndex(match speed.mode {
            CineMode::Loop => (slice + steps) % count,
            CineMode::ToAndFro => {
                let period = 2 * (count - 1);
                let phase = if self.is_backward { period - slice } else { slice };
                let phase = (phase + steps) % period;
                self.is_backward = phase >= count - 1;
                if phase >= count { period - phase } else { phase }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices_shown(mode: CineMode, count: usize, frames: usize) -> Vec<usize> {
        let speed = CineSpeed { slices_per_second: 10, mode };
        let mut cine = Cine::default();
        cine.toggle();
        let mut slice = SliceIndex(count - 2);
        (0..frames)
            .map(|_| {
                slice = cine.advance(0.1001, (slice, count), speed).unwrap_or(slice);
                slice.0
            })
            .collect()
    }

    #[test]
    fn the_film_starts_again_or_turns_round_at_the_last_slice() {
        assert_eq!(slices_shown(CineMode::Loop, 4, 6), [3, 0, 1, 2, 3, 0]);
        assert_eq!(slices_shown(CineMode::ToAndFro, 4, 9), [3, 2, 1, 0, 1, 2, 3, 2, 1]);
    }

    #[test]
    fn the_speed_does_not_depend_on_the_frame_rate() {
        let speed = CineSpeed { slices_per_second: 30, mode: CineMode::Loop };
        for frame_secs in [0.004_f32, 0.016, 0.1, 0.25] {
            let mut cine = Cine::default();
            cine.toggle();
            let mut slice = SliceIndex(0);
            for _ in 0..(2.0 / frame_secs).round() as usize {
                slice = cine.advance(frame_secs, (slice, 1000), speed).unwrap_or(slice);
            }
            // Two seconds; rounding may hold back one slice.
            assert!((59..=60).contains(&slice.0), "{} slices with frames of {frame_secs} s", slice.0);
        }
    }

    #[test]
    fn a_stopped_film_and_a_single_slice_stand_still() {
        let speed = CineSpeed { slices_per_second: 30, mode: CineMode::ToAndFro };
        let mut cine = Cine::default();
        assert_eq!(cine.advance(1.0, (SliceIndex(0), 9), speed), None, "not started");
        cine.toggle();
        assert_eq!(cine.advance(1.0, (SliceIndex(0), 1), speed), None, "a single slice");
        cine.toggle();
        assert_eq!(cine.advance(1.0, (SliceIndex(0), 9), speed), None, "stopped again");
    }
}
