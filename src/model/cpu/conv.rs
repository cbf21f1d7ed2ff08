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
    let reads = convolution_reads(large, window, [small.height, small.width]);
    let (pixels, rows) = (small.pixels(), small.rows());
    let sinks = vec![Sink { out: SharedMut::new(&mut small.data), rows, negative_slope: 1.0 }];
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
