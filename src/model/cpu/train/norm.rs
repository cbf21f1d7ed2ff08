//! Batch norm with the batch's own statistics on maps, forward and backward.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::super::isa::Isa;
use super::super::kernel::vectorized;
use super::super::map::FeatureMap;
use crate::model::blocks::BATCH_NORM_EPSILON;

/// Mean and biased variance of each channel of a batch.
#[derive(Debug, Default)]
pub struct BatchStatistics {
    /// Mean.
    pub mean: Vec<f32>,
    /// Mean squared distance from the mean.
    pub variance: Vec<f32>,
    /// 1 / √(variance + ε).
    pub inverse_deviation: Vec<f32>,
}

/// `scale · x + shift`, one of each for a channel.
#[derive(Debug)]
pub struct Affine {
    /// Factors.
    pub scale: Vec<f32>,
    /// Summands.
    pub shift: Vec<f32>,
}

/// Parts that a sum is made of: fixed, so that it does not depend on the number of threads.
const SUM_PARTS: usize = 32;

/// `add(line, sums)` for all rows; `count` sums.
fn sums_over_lines(lines: usize, count: usize, add: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f64> {
    let size = lines.div_ceil(SUM_PARTS).max(1);
    let isa = Isa::best();
    let parts = (0..lines.div_ceil(size)).into_par_iter().map(|part| {
        let (mut total, mut of_line) = (vec![0.0_f64; count], vec![0.0_f32; count]);
        for line in part * size..((part + 1) * size).min(lines) {
            of_line.fill(0.0);
            vectorized(
                isa,
                #[inline(always)]
                || add(line, &mut of_line),
            );
            for (total, sum) in total.iter_mut().zip(&of_line) {
                *total += f64::from(*sum);
            }
        }
        total
    });
    let parts = parts.collect::<Vec<_>>();
    (0..count).map(|c| parts.iter().map(|part| part[c]).sum()).collect()
}

/// Sums of each channel over all pixels.
pub fn channel_sums(map: &FeatureMap) -> Vec<f32> {
    let sums = sums_over_lines(
        map.lines(),
        map.channels,
        #[inline(always)]
        |line, sums| {
            for pixel in map.line(line).chunks_exact(map.step) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
        },
    );
    sums.into_iter().map(|sum| sum as f32).collect()
}

impl BatchStatistics {
    /// Of all pixels of a map.
    pub fn of(map: &FeatureMap) -> Self {
        let pixels = map.pixels() as f64;
        let mean = channel_sums(map).into_iter().map(|sum| (f64::from(sum) / pixels) as f32).collect::<Vec<_>>();
        let squares = sums_over_lines(
            map.lines(),
            map.channels,
            #[inline(always)]
            |line, sums| {
                for pixel in map.line(line).chunks_exact(map.step) {
                    for ((sum, value), mean) in sums.iter_mut().zip(pixel).zip(&mean) {
                        let distance = value - mean;
                        *sum += distance * distance;
                    }
                }
            },
        );
        let variance = squares.iter().map(|sum| (sum / pixels) as f32).collect::<Vec<_>>();
        let inverse = |variance: &f32| (1.0 / (f64::from(*variance) + BATCH_NORM_EPSILON).sqrt()) as f32;
        Self { inverse_deviation: variance.iter().map(inverse).collect(), mean, variance }
    }

    /// Batch norm with these statistics.
    pub fn affine(&self, weight: &[f32], bias: &[f32]) -> Affine {
        let scale = weight.iter().zip(&self.inverse_deviation).map(|(w, i)| w * i).collect::<Vec<_>>();
        let shift = bias.iter().zip(&self.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Affine { scale, shift }
    }

    /// Turns the gradient of batch norm's result into that of its input `z`; gives the gradients of weight and bias.
    pub fn backward(&self, z: &FeatureMap, weight: &[f32], gradient: &mut FeatureMap) -> [Vec<f32>; 2] {
        let channels = z.channels;
        let sums = sums_over_lines(
            z.lines(),
            2 * channels,
            #[inline(always)]
            |line, sums| {
                let (of_weight, of_bias) = sums.split_at_mut(channels);
                let pixels = z.line(line).chunks_exact(z.step).zip(gradient.line(line).chunks_exact(gradient.step));
                for (z, gradient) in pixels {
                    for (((sum, z), mean), gradient) in of_weight.iter_mut().zip(z).zip(&self.mean).zip(gradient) {
                        *sum += gradient * (z - mean);
                    }
                    for (sum, gradient) in of_bias.iter_mut().zip(gradient) {
                        *sum += gradient;
                    }
                }
            },
        );
        let (of_weight, of_bias) = sums.split_at(channels);
        let of_weight = of_weight.iter().zip(&self.inverse_deviation).map(|(sum, inverse)| sum * f64::from(*inverse));
        let of_weight = of_weight.collect::<Vec<_>>();
        // gradient of z = w·i · (g − Σg / n − x̂ · Σ(g·x̂) / n) = a · g + b · z + c
        let pixels = z.pixels() as f64;
        let inverse = |c: usize| f64::from(self.inverse_deviation[c]);
        let a = (0..channels).map(|c| (f64::from(weight[c]) * inverse(c)) as f32).collect::<Vec<_>>();
        let b = (0..channels).map(|c| (-f64::from(a[c]) * of_weight[c] / pixels * inverse(c)) as f32);
        let c = (0..channels).map(|c| (-f64::from(a[c]) * of_bias[c] / pixels) as f32);
        let (b, c) = (b.collect::<Vec<_>>(), c.collect::<Vec<_>>());
        let step = gradient.step;
        gradient.for_each_line(
            #[inline(always)]
            |line, pixels| {
                for (z, gradient) in z.line(line).chunks_exact(z.step).zip(pixels.chunks_exact_mut(step)) {
                    let z = z.iter().zip(&self.mean).zip(a.iter().zip(&b).zip(&c));
                    for (gradient, ((z, mean), ((a, b), c))) in gradient.iter_mut().zip(z) {
                        *gradient = a * *gradient + b * (z - mean) + c;
                    }
                }
            },
        );
        [of_weight, of_bias.to_vec()].map(|sums| sums.iter().map(|&sum| sum as f32).collect())
    }
}

/// Where activated values go.
pub struct Target<'a> {
    /// The map.
    pub map: &'a mut FeatureMap,
    /// Its first channel for them.
    pub first: usize,
    /// Negative values are multiplied by this.
    pub slope: f32,
}

/// Writes the activated affine map of `z`, times `factors` (dropout's, one for each value of `z`) where there are some.
pub fn activate(z: &FeatureMap, affine: &Affine, factors: Option<&[f32]>, target: Target<'_>) {
    let Target { map, first, slope } = target;
    let (step, channels, width) = (map.step, z.channels, z.width);
    map.for_each_line(
        #[inline(always)]
        |line, pixels| {
            let pairs = z.line(line).chunks_exact(z.step).zip(pixels.chunks_exact_mut(step));
            for (x, (z, pixel)) in pairs.enumerate() {
                let out = &mut pixel[first..first + channels];
                for (((out, z), scale), shift) in out.iter_mut().zip(z).zip(&affine.scale).zip(&affine.shift) {
                    let value = z * scale + shift;
                    // Slopes are below 1: a maximum needs no branch.
                    *out = value.max(value * slope);
                }
                if let Some(factors) = factors {
                    let factors = &factors[(line * width + x) * channels..][..channels];
                    for (out, factor) in out.iter_mut().zip(factors) {
                        *out *= factor;
                    }
                }
            }
        },
    );
}
