//! `bench`: what this machine can do, in the same numbers as `docs/performance.md`.

mod load;
mod memory;
mod preprocess;
mod row;
mod sample_slice;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use self::row::{RowPrinter, generator_words};
use super::source::SAMPLE;
use crate::model::bench::{BenchRequest, BenchRow, bench_generator, bench_train_step};

/// What `bench` is told.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to measure; a little of everything, on the bundled sample, without it.
    #[command(subcommand)]
    what: Option<BenchWhat>,
    /// One JSON object a line: `what`, `base_channels`, `size`, `batch`, `threads`, `secs` (the median) and more.
    #[arg(long, global = true)]
    json: bool,
}

/// What to measure.
#[derive(Debug, Subcommand)]
enum BenchWhat {
    /// Opening a CT: until its middle slice is there, and all of it; with megabytes and peak memory.
    Load(LoadArgs),
    /// Preparing a slice of 512² for the generator, and bringing its answer back, on one core.
    Preprocess(RunsArgs),
    /// One slice of 512² from CT to colour with the bundled weights, on all cores.
    Slice(RunsArgs),
    /// Forward passes of the generator on the CPU, beside what this machine can multiply.
    Generator(BenchRequest),
    /// Training steps of the generator (L1 and Adam) on the CPU.
    TrainStep(BenchRequest),
}

/// What `bench load` is told.
#[derive(Args, Debug)]
struct LoadArgs {
    /// CT to open; `sample` and `sample:2` are the bundled ones.
    #[arg(default_value = SAMPLE)]
    path: PathBuf,
    #[command(flatten)]
    runs: RunsArgs,
}

/// How often.
#[derive(Args, Clone, Copy, Debug)]
struct RunsArgs {
    /// Timed runs, after one that is not counted; the median and the least of them are given.
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// Measures, and writes a line for each result as soon as it is known.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let mut rows = RowPrinter::new(args.json);
    match &args.what {
        Some(BenchWhat::Load(load)) => load::run(&load.path, load.runs.runs, &mut rows),
        Some(BenchWhat::Preprocess(runs)) => preprocess::run(runs.runs, &mut rows),
        Some(BenchWhat::Slice(runs)) => sample_slice::run(runs.runs, &mut rows),
        Some(BenchWhat::Generator(request)) => generator(request, &mut rows),
        Some(BenchWhat::TrainStep(request)) => train_step(request, &mut rows),
        None => everything(&mut rows),
    }
}

fn everything(rows: &mut RowPrinter) -> anyhow::Result<()> {
    const RUNS: usize = 5;
    load::run(SAMPLE.as_ref(), RUNS, rows)?;
    preprocess::run(RUNS, rows)?;
    sample_slice::run(RUNS, rows)?;
    let request =
        BenchRequest { base_channels: vec![32], sizes: vec![256, 512], batches: vec![1], threads: 0, runs: RUNS };
    generator(&request, rows)?;
    train_step(&BenchRequest { sizes: vec![256], batches: vec![2], ..request }, rows)
}

fn generator(request: &BenchRequest, rows: &mut RowPrinter) -> anyhow::Result<()> {
    check(request)?;
    bench_generator(request, &mut |row| print(rows, &row)).context("the generator cannot be measured")?;
    rows.outcome()
}

fn train_step(request: &BenchRequest, rows: &mut RowPrinter) -> anyhow::Result<()> {
    check(request)?;
    bench_train_step(request, &mut |row| print(rows, &row)).context("the training step cannot be measured")?;
    rows.outcome()
}

fn print(rows: &mut RowPrinter, row: &BenchRow) {
    rows.print(row, &generator_words(row));
}

/// Shapes that the network can take, and that fit into some machine's memory.
fn check(request: &BenchRequest) -> anyhow::Result<()> {
    let is_size = |size: &usize| (256..=4096).contains(size) && size.is_multiple_of(256);
    if let Some(size) = request.sizes.iter().find(|size| !is_size(size)) {
        anyhow::bail!("--sizes takes multiples of 256 up to 4096, not {size}");
    }
    if let Some(base) = request.base_channels.iter().find(|base| !(1..=256).contains(*base)) {
        anyhow::bail!("--base-channels takes 1 to 256, not {base}");
    }
    if let Some(batch) = request.batches.iter().find(|batch| !(1..=64).contains(*batch)) {
        anyhow::bail!("--batches takes 1 to 64, not {batch}");
    }
    Ok(())
}
