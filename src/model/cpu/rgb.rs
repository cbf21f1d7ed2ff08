//! The end of the U-Net: overlapping taps added up, and tanh.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::map::FeatureMap;

/// Output `2y` meets inputs `y − 1` (tap 3) and `y` (tap 1), output `2y + 1` inputs `y` (tap 2) and `y + 1` (tap 0). Here the
/// inputs are counted from the border, so that `y` itself is 1.
const MEETS: [[(usize, usize); 2]; 2] = [[(0, 3), (1, 1)], [(1, 2), (2, 0)]];

/// Adds up the products of a transposed 4×4 convolution with stride 2 and padding 1, and takes tanh.
///
/// `taps`: for each input pixel the products with (tap, channel), with a border of one pixel. Gives `[N, C, 2H, 2W]`.
pub fn add_taps(taps: &FeatureMap, bias: &[f32]) -> Vec<f32> {
    let (channels, height, width) = (bias.len(), 2 * taps.height, 2 * taps.width);
    let mut out = vec![0.0_f32; taps.count * channels * height * width];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(width).with_min_len(16).enumerate().for_each(|(line, out)| {
        let (plane, y) = (line / height, line % height);
        let (n, c) = (plane / channels, plane % channels);
        let image = &taps.data[n * taps.step_n()..][..taps.step_n()];
        for (parity, columns) in MEETS.iter().enumerate() {
            let part = |index: usize| {
                let ((dy, ky), (dx, kx)) = (MEETS[y % 2][index / 2], columns[index % 2]);
                &image[(y / 2 + dy) * taps.step_y() + dx * taps.step + (ky * 4 + kx) * channels + c..]
            };
            let parts = [part(0), part(1), part(2), part(3)];
            for (x, out) in out.iter_mut().skip(parity).step_by(2).enumerate() {
                let at = x * taps.step;
                *out = bias[c] + ((parts[0][at] + parts[1][at]) + (parts[2][at] + parts[3][at]));
            }
        }
        for value in out.iter_mut() {
            *value = tanh(*value);
        }
    });
    out
}

/// tanh within 1e-6, without a branch, so that a loop over it becomes vectors.
#[inline]
pub fn tanh(x: f32) -> f32 {
    // tanh x = 1 − 2 / (e^2x + 1); e^2x = 2^k · e^f with |f| ≤ ln 2 / 2, its series to the sixth power.
    const TO_INTEGER: f32 = 12_582_912.0;
    let power = (x * (2.0 * std::f32::consts::LOG2_E)).clamp(-60.0, 60.0);
    let k = (power + TO_INTEGER) - TO_INTEGER;
    let f = (power - k) * std::f32::consts::LN_2;
    let tail = 0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f / 720.0)));
    let exponential = (1.0 + f * (1.0 + f * tail)) * f32::from_bits(((k as i32 + 127) << 23) as u32);
    1.0 - 2.0 / (exponential + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_within_a_millionth_everywhere() {
        for step in -2000..=2000 {
            let x = step as f32 * 0.01;
            let difference = f64::from(tanh(x)) - f64::from(x).tanh();
            // The series without its last term is off by 4e-6.
            assert!(difference.abs() < 1e-6, "tanh {x}: off by {difference}");
        }
        let ends = [tanh(f32::INFINITY), tanh(f32::NEG_INFINITY)].map(f32::to_bits);
        assert_eq!(ends, [1.0_f32, -1.0].map(f32::to_bits), "at the ends");
        assert!(tanh(f32::NAN).is_nan(), "NaN stays");
    }
}
