//! A convolution as a product of pixels with packed weights, cut into tasks.

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::geometry::Reads;
use super::kernel::{Block, Sink, multiply};
use super::packed::Packed;

/// One product: pixels of the input, each with the same segments, times the weights.
pub struct Product<'a> {
    /// Input values.
    pub input: &'a [f32],
    /// What each output pixel reads.
    pub reads: Reads,
    /// Output pixels.
    pub pixels: usize,
    /// Where results go.
    pub sinks: Vec<Sink<'a>>,
}

/// Pixels of one task: their input stays in the second cache while the panels pass.
const TASK_PIXELS: usize = 224;

/// Runs several products with the same weights, in the current thread pool. `bias`: one value for each column.
///
/// A sum is taken in one order whatever the tasks and threads.
pub fn run(products: &[Product<'_>], weights: &Packed, bias: &[f32]) {
    let panels = weights.panels();
    // Products that read the same pixels (the phases of a transposed convolution) follow each other.
    let mut blocks = Vec::new();
    for (index, product) in products.iter().enumerate() {
        let size = if product.pixels <= 2 * TASK_PIXELS { product.pixels.max(1) } else { TASK_PIXELS };
        let firsts = (0..product.pixels).step_by(size);
        blocks.extend(firsts.map(|first| (first, index, size.min(product.pixels - first))));
    }
    blocks.sort_unstable();
    (0..blocks.len() * panels).into_par_iter().with_max_len(1).for_each(|task| {
        let (panel, (first_row, index, row_count)) = (task % panels, blocks[task / panels]);
        let product = &products[index];
        let (width, first_column) = (weights.width(panel), panel * weights.panel());
        let block = Block {
            input: product.input,
            rows: product.reads.rows,
            segments: &product.reads.segments,
            len: product.reads.len,
            panel: weights.part(panel),
            panel_width: width,
            bias: &bias[first_column..first_column + width],
            first_column,
            first_row,
            row_count,
            sinks: &product.sinks,
        };
        multiply(weights.isa, &block);
    });
}
