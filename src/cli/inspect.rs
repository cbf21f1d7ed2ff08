//! `inspect`: which series a path holds, how they lie in the patient, and what is odd about them.

mod report;
mod words;

use std::path::PathBuf;
use std::sync::Mutex;

use clap::Args;

use self::report::{InspectReport, PixelReport, SeriesReport, WarningReport};
use super::console::{Console, print};
use super::failure::Interrupted;
use super::{interrupt, source};
use crate::io::{LoadError, ReadRequest, Series};
use crate::units::{CancelFlag, SliceIndex};

/// What `inspect` is told.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// CT to look at: a file, folder, DICOMDIR or ZIP; or `sample`, `sample:2`.
    path: PathBuf,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
    /// Read all pixels too: slices that cannot be read, and the range of the values.
    #[arg(long)]
    read: bool,
    /// Show who is on the pictures: name, ID, dates. Hidden otherwise.
    #[arg(long)]
    identity: bool,
}

/// Looks, and writes a report to standard output.
pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let report = inspect(args, &cancel).map_err(|error| match error.downcast_ref::<LoadError>() {
        Some(LoadError::Cancelled) => Interrupted("nothing was changed".to_owned()).into(),
        _ => error,
    })?;
    print(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { words::report_words(&report) })
}

fn inspect(args: &InspectArgs, cancel: &CancelFlag) -> anyhow::Result<InspectReport> {
    let found = source::scan(&args.path, cancel, &|_| {})?;
    let mut series = Vec::with_capacity(found.series.len());
    for one in &found.series {
        let mut report = SeriesReport::of(one, args.identity);
        if args.read {
            report.pixels = Some(read(one, cancel)?);
        }
        series.push(report);
    }
    Ok(InspectReport { warnings: found.warnings.iter().map(WarningReport::of).collect(), series })
}

/// Reads all pixels of a series.
fn read(series: &Series, cancel: &CancelFlag) -> Result<PixelReport, LoadError> {
    let volume = series.pending_volume();
    let total = volume.slice_count();
    let console = Mutex::new((Console::new(), 0));
    let on_slice = |_: SliceIndex| {
        // Whoever finds it taken leaves the line to the other.
        if let Ok(mut state) = console.lock() {
            state.1 += 1;
            let done = state.1;
            state.0.progress("slice", done, total);
        }
    };
    let first = SliceIndex(total / 2);
    let warnings = series.read_into(&volume, &ReadRequest { first, cancel, on_slice: &on_slice })?;
    Ok(PixelReport::of(&volume, &warnings))
}
