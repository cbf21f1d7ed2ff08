//! How often each CT value occurs in a slice.

use crate::volume::{CtSlice, WindowLevel};

/// Counts of CT values in bins of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct HuHistogram {
    counts: Vec<u32>,
}

impl HuHistogram {
    /// Lower end of the first bin in HU.
    pub const LOW_HU: i32 = -1024;
    /// Width of a bin in HU.
    pub const BIN_HU: i32 = 8;
    /// Number of bins: up to 3072 HU.
    pub const BINS: usize = 512;
    /// Above this lies body; below, air and lung drown everything else.
    const BODY_ABOVE_HU: f32 = -300.0;
    /// Share of the body's pixels left out at either end of an automatic window.
    const AUTO_CUT: f32 = 0.01;

    /// Counts every other pixel of every other row: enough for a picture a few hundred points wide.
    pub fn of_slice(slice: &CtSlice) -> Self {
        let mut counts = vec![0_u32; Self::BINS];
        let stride = if slice.values_hu().len() > 1 << 16 { 2 } else { 1 };
        for row in slice.values_hu().chunks_exact(slice.columns().max(1)).step_by(stride) {
            for &value_hu in row.iter().step_by(stride) {
                let bin = (i32::from(value_hu) - Self::LOW_HU).div_euclid(Self::BIN_HU);
                counts[bin.clamp(0, Self::BINS as i32 - 1) as usize] += 1;
            }
        }
        Self { counts }
    }

    /// Middle of a bin in HU.
    fn bin_center_hu(bin: usize) -> f32 {
        (Self::LOW_HU + bin as i32 * Self::BIN_HU) as f32 + Self::BIN_HU as f32 / 2.0
    }

    /// Heights from 0 to 1 of `count` columns over a range of HU; roots, so that small peaks show, and air does not count.
    pub fn heights(&self, low_hu: f32, high_hu: f32, count: usize) -> Vec<f32> {
        let mut sums = vec![0.0_f32; count];
        for (bin, &pixels) in self.counts.iter().enumerate() {
            let center_hu = Self::bin_center_hu(bin);
            let place = (center_hu - low_hu) / (high_hu - low_hu) * count as f32;
            // The outermost bins hold everything beyond, padding above all.
            if place >= 0.0 && place < count as f32 && bin > 0 && bin + 1 < Self::BINS {
                sums[place as usize] += pixels as f32;
            }
        }
        let is_body =
            |column: usize| low_hu + (column as f32 + 0.5) / count as f32 * (high_hu - low_hu) > Self::BODY_ABOVE_HU;
        let most = (0..count).filter(|&column| is_body(column)).map(|column| sums[column]).fold(1.0, f32::max);
        sums.iter().map(|sum| (sum / most).sqrt().min(1.0)).collect()
    }

    /// A window over nearly all of the body in the slice; `None` when there is no body.
    pub fn auto_window(&self) -> Option<WindowLevel> {
        let body: Vec<(f32, u32)> = self
            .counts
            .iter()
            .enumerate()
            .map(|(bin, &count)| (Self::bin_center_hu(bin), count))
            .filter(|&(center_hu, _)| center_hu > Self::BODY_ABOVE_HU)
            .collect();
        let total: u32 = body.iter().map(|&(_, count)| count).sum();
        if total == 0 {
            return None;
        }
        let reaching = |share: f32| {
            let mut below = 0;
            let wanted = share * total as f32;
            body.iter().find(|&&(_, count)| {
                below += count;
                below as f32 >= wanted
            })
        };
        let (low, high) = (reaching(Self::AUTO_CUT)?.0, reaching(1.0 - Self::AUTO_CUT)?.0);
        Some(WindowLevel::clamped(low.midpoint(high), (high - low).max(Self::BIN_HU as f32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice_of(values_hu: &[i16]) -> CtSlice {
        CtSlice::new(values_hu.len(), 1, values_hu.into())
    }

    #[test]
    fn an_automatic_window_holds_the_body_and_ignores_air() {
        let mut values = vec![-1000_i16; 5000];
        values.extend((-100..=200).map(|hu| hu as i16));
        let window = HuHistogram::of_slice(&slice_of(&values)).auto_window().unwrap();
        let (low, high) = (window.center_hu() - window.width_hu() / 2.0, window.center_hu() + window.width_hu() / 2.0);
        // One bin, and 1 % of 300 HU.
        assert!((low + 100.0).abs() < 12.0 && (high - 200.0).abs() < 12.0, "{low} … {high}");
    }

    #[test]
    fn a_slice_of_air_has_no_automatic_window() {
        assert_eq!(HuHistogram::of_slice(&slice_of(&[-1000; 64])).auto_window(), None);
    }

    #[test]
    fn columns_stand_where_their_values_are() {
        let heights = HuHistogram::of_slice(&slice_of(&[44, 44, 44, 44, 244])).heights(0.0, 400.0, 4);
        assert_eq!(heights, [1.0, 0.0, 0.5, 0.0], "a quarter as many are half as high");
    }

    #[test]
    fn values_beyond_the_bins_are_kept_out_of_sight() {
        let heights = HuHistogram::of_slice(&slice_of(&[i16::MIN, i16::MAX, 40])).heights(-1024.0, 3072.0, 16);
        assert_eq!(heights.iter().filter(|&&height| height > 0.0).count(), 1);
    }
}
