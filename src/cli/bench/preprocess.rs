//! What preparing a slice of 512² and bringing its colours back costs, on one core.

use anyhow::Context as _;
use serde::Serialize;

use super::row::{RowPrinter, Seconds};
use super::sample_slice::{SIDE, enlarged};
use crate::preprocess::Recipe;

/// One line.
#[derive(Debug, Serialize)]
struct PreprocessRow {
    /// `preprocess` (mask, crop, channels) or `colour back on the CT grid`.
    what: &'static str,
    /// Width and height of the CT slice.
    size: usize,
    /// Width and height of the network's grid.
    grid: usize,
    threads: usize,
    secs: f64,
    least_secs: f64,
}

/// Both ways, for the network's usual grid and the next larger one.
pub(super) fn run(runs: usize, printer: &mut RowPrinter) -> anyhow::Result<()> {
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().context("no thread to measure on")?;
    let (slice, pixel_size_mm) = enlarged()?;
    for grid in [256, 512] {
        let recipe = Recipe { size: grid, ..Recipe::default() };
        let prepared = recipe.prepare(&slice, pixel_size_mm)?;
        let answer: Vec<f32> = (0..3 * grid * grid).map(|i| (i % 200) as f32 / 100.0 - 1.0).collect();
        let (there, back) = one_core.install(|| {
            let there = Seconds::of(runs, || Ok(recipe.prepare(&slice, pixel_size_mm).map(drop)?))?;
            let back = Seconds::of(runs, || {
                std::hint::black_box(prepared.rgb8_on_ct(&answer));
                Ok(())
            })?;
            anyhow::Ok((there, back))
        })?;
        for (what, secs) in [("preprocess", there), ("colour back on the CT grid", back)] {
            let (secs_median, least_secs) = (secs.median(), secs.least());
            let row = PreprocessRow { what, size: SIDE, grid, threads: 1, secs: secs_median, least_secs };
            printer.print(&row, &format!("{what}, CT of {SIDE}², grid of {grid}², 1 thread: {}", secs.words()));
        }
    }
    printer.outcome()
}
