//! Where the panes get a slice's colour from, and how it fades in.

use std::sync::Arc;

use super::theme;
use crate::engine::Engine;
use crate::units::SliceIndex;
use crate::volume::ColorSlice;

/// Gives the colour of a slice of the open series when it is ready; never waits.
pub trait ColorSource {
    /// The colour of a slice, when it is ready.
    fn color_slice(&self, slice: SliceIndex) -> Option<Arc<ColorSlice>>;
}

impl ColorSource for Engine {
    fn color_slice(&self, slice: SliceIndex) -> Option<Arc<ColorSlice>> {
        Engine::color_slice(self, slice)
    }
}

/// Lets colour fade in when it arrives while its slice is on screen; what is ready already is shown at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColorFade {
    shown: Option<(usize, SliceIndex)>,
    arrived_secs: Option<f64>,
    has_waited: bool,
}

impl ColorFade {
    /// How much of the colour is shown, 0 … 1. `shown`: which series (any number that tells them apart) and slice.
    pub fn share(&mut self, shown: (usize, SliceIndex), is_ready: bool, now_secs: f64) -> f32 {
        if self.shown != Some(shown) {
            *self = Self { shown: Some(shown), ..Self::default() };
        }
        if !is_ready {
            (self.has_waited, self.arrived_secs) = (true, None);
            return 0.0;
        }
        let arrived_secs = *self.arrived_secs.get_or_insert(now_secs);
        if self.has_waited { ((now_secs - arrived_secs) / theme::COLOR_FADE_SECS).clamp(0.0, 1.0) as f32 } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_close(share: f32, expected: f32) -> bool {
        (share - expected).abs() < 1e-3
    }

    #[test]
    fn colour_fades_in_within_a_tenth_of_a_second_only_after_waiting() {
        let mut fade = ColorFade::default();
        let first = (7, SliceIndex(3));
        assert!(is_close(fade.share(first, true, 0.0), 1.0), "ready already");
        let next = (7, SliceIndex(4));
        assert!(is_close(fade.share(next, false, 0.2), 0.0), "on its way");
        assert!(is_close(fade.share(next, true, 1.0), 0.0), "just arrived");
        assert!(is_close(fade.share(next, true, 1.05), 0.5), "half way");
        assert!(is_close(fade.share(next, true, 1.1), 1.0), "there");
        assert!(is_close(fade.share(next, false, 2.0), 0.0), "dropped: grey again at once");
    }

    #[test]
    fn the_same_slice_number_of_another_series_starts_anew() {
        let mut fade = ColorFade::default();
        fade.share((1, SliceIndex(0)), true, 0.0);
        assert!(is_close(fade.share((2, SliceIndex(0)), false, 0.1), 0.0));
        assert!(is_close(fade.share((2, SliceIndex(0)), true, 0.2), 0.0), "fades in like any other");
    }
}
