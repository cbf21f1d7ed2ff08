//! How long a CT takes to open: its first slice on screen, and all of it.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use super::memory;
use super::row::{RowPrinter, Seconds, thread_words};
use crate::cli::source;
use crate::io::{LoadError, ReadRequest, Series};
use crate::units::{CancelFlag, SliceIndex};

/// One line.
#[derive(Debug, Serialize)]
struct LoadRow {
    /// `load first slice` or `load whole volume`: both from opening the path, headers included.
    what: &'static str,
    /// Columns of a slice.
    size: usize,
    rows: usize,
    slices: usize,
    threads: usize,
    /// Median of all runs.
    secs: f64,
    least_secs: f64,
    /// Of the volume in 16 bits, 10⁶ bytes.
    mb: f64,
    /// Most memory that the first load took beyond what the process had before, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_mb: Option<f64>,
    /// The same in volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_per_volume: Option<f64>,
}

/// What one load found.
struct Loaded {
    columns: usize,
    rows: usize,
    slices: usize,
    first_secs: f64,
    whole_secs: f64,
}

/// Opens the largest series of `path` again and again: the file cache is warm from the second time on.
pub(super) fn run(path: &Path, runs: usize, printer: &mut RowPrinter) -> anyhow::Result<()> {
    let before = memory::now();
    let loaded = load(path)?;
    let after = memory::now();
    let (mut first, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        let run = load(path)?;
        first.push(run.first_secs);
        whole.push(run.whole_secs);
    }
    let mb = (loaded.columns * loaded.rows * loaded.slices * 2) as f64 / 1e6;
    let peak_mb = before.zip(after).map(|(before, after)| after.peak_mb - before.resident_mb);
    for (what, secs) in [("load first slice", Seconds::sorted(first)), ("load whole volume", Seconds::sorted(whole))] {
        let threads = rayon::current_num_threads();
        let peak_mb = peak_mb.filter(|_| what == "load whole volume");
        let row = LoadRow {
            what,
            size: loaded.columns,
            rows: loaded.rows,
            slices: loaded.slices,
            threads,
            secs: secs.median(),
            least_secs: secs.least(),
            mb,
            peak_mb,
            peak_per_volume: peak_mb.map(|peak| peak / mb),
        };
        let peak = peak_mb.map_or_else(String::new, |peak| format!(", peak memory {peak:.0} MB"));
        let words = format!(
            "{what}, {} slices of {} × {} ({mb:.0} MB in 16 bits), {}: {}{peak}",
            row.slices,
            row.size,
            row.rows,
            thread_words(threads),
            secs.words()
        );
        printer.print(&row, &words);
    }
    printer.outcome()
}

/// Reads the headers and then all slices, the middle one first, as the engine does.
fn load(path: &Path) -> anyhow::Result<Loaded> {
    let started = Instant::now();
    let found = source::scan(path, &CancelFlag::new(), &|_| {})?;
    let series = found.series.first().context("no series can be shown here")?;
    let (first_secs, slices) = read(series, started)?;
    let whole_secs = started.elapsed().as_secs_f64();
    let geometry = series.geometry();
    Ok(Loaded { columns: geometry.columns(), rows: geometry.rows(), slices, first_secs, whole_secs })
}

/// Seconds until the first slice was in place, and how many there are.
fn read(series: &Series, started: Instant) -> Result<(f64, usize), LoadError> {
    let volume = series.pending_volume();
    let first = std::sync::OnceLock::new();
    let on_slice = |_: SliceIndex| _ = first.get_or_init(|| started.elapsed().as_secs_f64());
    let middle = SliceIndex(volume.slice_count() / 2);
    series.read_into(&volume, &ReadRequest { first: middle, cancel: &CancelFlag::new(), on_slice: &on_slice })?;
    let first_secs = first.get().copied().unwrap_or_else(|| started.elapsed().as_secs_f64());
    Ok((first_secs, volume.slice_count()))
}
