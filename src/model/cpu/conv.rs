//! Convolutions between whole maps, forward and backward, on top of the kernels.
//!
//! With one window, a large map and a small one: `small = convolve(large)`, `large = spread(small)` (the transposed
//! convolution), and `weight_gradient(large, small)` serves both.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::geometry::{Window, convolution_reads, transposed_phases};
use super::kernel::{GradBlock, SharedMut, Sink, accumulate};
use super::map::FeatureMap;
use super::packed::Packed;
use super::product::{Product, run};

/// What a map is multiplied with.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// Rows: (tap, channel of the input).
    pub packed: &'a Packed,
    /// One value for each column.
    pub bias: &'a [f32],
}

/// Convolution of `large` into `small`.
pub fn convolve(large: &FeatureMap, window: Window, weights: Weights<'_>, small: &mut FeatureMap) {
    convolve_activated(large, window, weights, 1.0, small);
}

/// The same, with negative values times `negative_slope`: 0 for ReLU.
pub fn convolve_activated(
    large: &FeatureMap,
    window: Window,
    weights: Weights<'_>,
    negative_slope: f32,
    small: &mut FeatureMap,
) {
    let reads = convolution_reads(large, window, [small.height, small.width]);
    let (pixels, rows) = (small.pixels(), small.rows());
    let sinks = vec![Sink { out: SharedMut::new(&mut small.data), rows, negative_slope }];
    run(&[Product { input: &large.data, reads, pixels, sinks }], weights.packed, weights.bias);
}

/// Transposed convolution of `small` into `large`.
pub fn spread(small: &FeatureMap, window: Window, weights: Weights<'_>, large: &mut FeatureMap) {
    let phases = transposed_phases(small, window, [large.height, large.width]);
    let rows = phases
        .iter()
        .map(|phase| large.rows_from(phase.parity.map(|parity| parity + large.border), window.stride, phase.size));
    let rows = rows.collect::<Vec<_>>();
    let out = SharedMut::new(&mut large.data);
    let products = phases.into_iter().zip(rows).map(|(phase, rows)| Product {
        input: &small.data,
        reads: phase.reads,
        pixels: small.count * phase.size[0] * phase.size[1],
        sinks: vec![Sink { out, rows, negative_slope: 1.0 }],
    });
    run(&products.collect::<Vec<_>>(), weights.packed, weights.bias);
}

/// Pixels of one pass over a tile of gradients: both maps' parts stay in the second cache.
const PASS_PIXELS: usize = 512;
/// Rows of one task.
const TASK_TILES: usize = 8;

/// Gradient of the weights of a convolution from `large` to `small`, given the gradient at `small` (or the input at `small`
/// and the gradient at `large`, for a transposed one). Replaces the values of `gradient`, whose rows are (tap, channel of `large`).
pub fn weight_gradient(large: &FeatureMap, window: Window, small: &FeatureMap, gradient: &mut Packed) {
    let reads = convolution_reads(large, window, [small.height, small.width]);
    if reads.segments.len() * reads.len < gradient.rows {
        // Some taps meet only zeros around the picture.
        gradient.data.fill(0.0);
    }
    let lines = small.count * small.height;
    let pass_lines = (PASS_PIXELS / small.width.max(1)).max(1);
    let (isa, panel) = (gradient.isa, gradient.panel());
    let task_rows = TASK_TILES * isa.tile_rows();
    let mut tasks = Vec::new();
    let (rows, columns) = (gradient.rows, gradient.columns);
    for (index, mut part) in gradient.data.chunks_mut((panel * rows).max(1)).enumerate() {
        let width = (columns - index * panel).min(panel);
        let mut done = 0;
        for segment in &reads.segments {
            let skipped = part.split_off_mut(..(segment.weight_row - done) * width);
            debug_assert!(skipped.is_some(), "segments are in the order of their rows");
            let Some(own) = part.split_off_mut(..reads.len * width) else { continue };
            done = segment.weight_row + reads.len;
            let pieces = own.chunks_mut(task_rows * width).enumerate();
            tasks.extend(pieces.map(|(piece, out)| (index * panel, width, segment.input + piece * task_rows, out)));
        }
    }
    let small_rows = small.rows();
    tasks.into_par_iter().for_each(|(column, panel_width, offset, out)| {
        for first in (0..lines).step_by(pass_lines) {
            let mut block = GradBlock {
                left: &large.data,
                left_rows: reads.rows,
                right: &small.data,
                right_rows: small_rows,
                lines: first..(first + pass_lines).min(lines),
                panel_width,
                is_added: first > 0,
            };
            block.left_rows.base += offset;
            block.right_rows.base += column;
            accumulate(isa, &block, out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::isa::Isa;
    use super::super::packed::{Kernel, Stored};
    use super::*;
    use crate::model::seed::Seed;

    fn random(count: usize, name: &str) -> Vec<f32> {
        Seed(2).stream(name).normals(count, 0.0, 1.0)
    }

    fn map(shape: [usize; 4], border: usize, name: &str) -> FeatureMap {
        let mut map = FeatureMap::zeros(shape, border);
        map.fill_from_planes(&random(shape.iter().product(), name), shape[1]);
        map
    }

    /// A convolution, a transposed one and a weight gradient between maps of 9×7 and 4×3 pixels.
    fn all(isa: Isa) -> [Vec<f32>; 3] {
        let (window, taps) = (Window { kernel: [4, 4], stride: 2, padding: 1 }, 16);
        let (large, small) = (map([2, 21, 9, 7], 1, "large"), map([2, 48, 4, 3], 2, "small"));
        let data = random(48 * 21 * taps, "kernel");
        let kernel = Kernel { data: &data, taps, inputs: 21, outputs: 48, is_input_outer: false };
        let packed = Packed::from_kernel(isa, kernel, &Stored::dense(21), &[1.0; 48]);
        let mut convolved = FeatureMap::zeros([2, 48, 4, 3], 0);
        convolve(&large, window, Weights { packed: &packed, bias: &[0.5; 48] }, &mut convolved);
        let kernel = Kernel { data: &data, taps, inputs: 48, outputs: 21, is_input_outer: true };
        let packed = Packed::from_kernel(isa, kernel, &Stored::dense(48), &[1.0; 21]);
        let mut spread_out = FeatureMap::zeros([2, 32, 9, 7], 0);
        spread(&small, window, Weights { packed: &packed, bias: &[0.5; 32] }, &mut spread_out);
        let mut gradient = Packed::zeros(taps * 21, 48, isa);
        weight_gradient(&large, window, &small, &mut gradient);
        [convolved.to_planes(48), spread_out.to_planes(21), gradient.to_kernel(taps, 21, 48)]
    }

    #[test]
    fn all_instruction_sets_give_the_same_within_rounding() {
        let best = all(Isa::best());
        for isa in Isa::available() {
            for (index, (found, expected)) in all(isa).iter().zip(&best).enumerate() {
                let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // Sums of 336 products of about 1, in another order or with another rounding.
                assert!(difference < 2e-4, "{}, operation {index}: off by {difference}", isa.name());
            }
        }
    }
}
