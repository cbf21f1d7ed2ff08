//! A slice of the bundled sample at the size that a CT usually has, and what its colour costs from end to end.

use anyhow::Context as _;
use serde::Serialize;

use super::row::{RowPrinter, Seconds, thread_words};
use crate::cli::source::{self, SAMPLE};
use crate::io::ReadRequest;
use crate::model::{Colorizer, DeviceChoice, WeightsSource};
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::CtSlice;

/// Width and height.
pub(super) const SIDE: usize = 512;

/// One line.
#[derive(Debug, Serialize)]
struct SliceRow {
    /// `slice from CT to colour`.
    what: &'static str,
    base_channels: Option<usize>,
    /// Width and height of the CT slice.
    size: usize,
    /// Width and height of the network's grid.
    grid: usize,
    batch: usize,
    threads: usize,
    device: String,
    secs: f64,
    least_secs: f64,
}

/// The middle slice of the sample, each pixel several times, and the size of a pixel in mm.
pub(super) fn enlarged() -> anyhow::Result<(CtSlice, [f64; 2])> {
    let cancel = CancelFlag::new();
    let found = source::scan(SAMPLE.as_ref(), &cancel, &|_| {})?;
    let series = found.series.first().context("the bundled sample has no series")?;
    let volume = series.pending_volume();
    let middle = SliceIndex(volume.slice_count() / 2);
    series.read_into(&volume, &ReadRequest { first: middle, cancel: &cancel, on_slice: &|_| {} })?;
    let small = volume.ready_slice(middle).context("the bundled sample has no middle slice")?;
    let (columns, rows, values) = (small.columns(), small.rows(), small.values_hu());
    let at = |i: usize| values[i / SIDE * rows / SIDE * columns + i % SIDE * columns / SIDE];
    let [width_mm, height_mm] = series.geometry().pixel_size_mm();
    let pixel_size_mm = [width_mm * columns as f64 / SIDE as f64, height_mm * rows as f64 / SIDE as f64];
    Ok((CtSlice::new(SIDE, SIDE, (0..SIDE * SIDE).map(at).collect()), pixel_size_mm))
}

/// Preparation, the bundled generator, and back, as the viewer does it.
pub(super) fn run(runs: usize, printer: &mut RowPrinter) -> anyhow::Result<()> {
    const WHAT: &str = "slice from CT to colour";
    let (slice, pixel_size_mm) = enlarged()?;
    let colorizer = Colorizer::load(&WeightsSource::Bundled, DeviceChoice::Auto)?;
    let secs = Seconds::of(runs, || Ok(colorizer.colorize(&slice, pixel_size_mm, None).map(drop)?))?;
    let row = SliceRow {
        what: WHAT,
        base_channels: colorizer.card().base_channels,
        size: SIDE,
        grid: colorizer.recipe().size,
        batch: 1,
        threads: rayon::current_num_threads(),
        device: colorizer.device_name().to_owned(),
        secs: secs.median(),
        least_secs: secs.least(),
    };
    let (threads, device) = (thread_words(row.threads), &row.device);
    printer
        .print(&row, &format!("{WHAT}, CT of {SIDE}², grid of {0}², {device}, {threads}: {1}", row.grid, secs.words()));
    printer.outcome()
}
