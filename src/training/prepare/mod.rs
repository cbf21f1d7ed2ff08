//! Pairs of CT and photograph from the Visible Human's originals: what lies where, what fits, and what does not.
//!
//! ```text
//! CT series ─┐                 ┌▶ place (registration) ─▶ run (render, measure) ─▶ report, pairs.csv
//!            ├▶ sets (numbers) ┤                                              └▶ sheet
//! photographs┘                 └▶ what has no partner
//! ```

mod ct;
mod error;
mod measure;
mod photo;
mod place;
mod render;
mod report;
mod run;
mod sets;
mod sheet;

use std::path::{Path, PathBuf};

pub use error::PrepareError;
pub use report::{PrepareReport, Reason, Rejection, SetReport};

use self::report::{WrittenPair, write_table};
use self::run::SetRun;
use super::pairs::{SplitRule, splits};
use crate::io::atomic_file::writable_folder;
use crate::io::{LoadError, find_cryosections, scan};
use crate::units::CancelFlag;

/// The report; it also marks a folder as one of this command's.
pub const REPORT_FILE: &str = "report.json";
/// The table that training and measuring read.
pub const TABLE_FILE: &str = "pairs.csv";
/// Every slice that gave no pair.
pub const REJECTED_FILE: &str = "rejected.csv";
/// Pixel sizes that a user may give.
const PIXEL_MM: std::ops::RangeInclusive<f64> = 0.05..=10.0;

/// What is to be prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareJob {
    /// Holds the CT.
    pub ct: PathBuf,
    /// Holds the photographs.
    pub rgb: PathBuf,
    /// Takes the pairs.
    pub out: PathBuf,
    /// Pixel size of the CT where the user knows better than the files.
    pub ct_mm: Option<f64>,
    /// The same for the photographs.
    pub rgb_mm: Option<f64>,
    /// How the table is split; `None` leaves its column out.
    pub split: Option<SplitRule>,
}

/// What a preparation tells while it is at work, from any thread.
#[derive(Debug)]
pub enum PrepareProgress<'a> {
    /// Files that have been looked at.
    Looking {
        /// So far, in one of the folders.
        files: usize,
    },
    /// A set is being read and registered.
    Set {
        /// Its name.
        name: &'a str,
        /// CT slices with a photograph.
        candidates: usize,
    },
    /// A set has its place.
    Registered {
        /// What is known so far.
        set: &'a SetReport,
    },
    /// A slice is finished or rejected.
    Slice {
        /// The set's name.
        set: &'a str,
        /// Slices that are done.
        done: usize,
        /// Slices in all.
        total: usize,
    },
}

/// Who hears of progress, and who may stop the work.
#[derive(Clone, Copy)]
struct Told<'a> {
    on_progress: &'a (dyn Fn(&PrepareProgress<'_>) + Sync),
    cancel: &'a CancelFlag,
}

impl Told<'_> {
    fn tell(&self, progress: &PrepareProgress<'_>) {
        (self.on_progress)(progress);
    }

    fn check_cancelled(&self) -> Result<(), PrepareError> {
        if self.cancel.is_cancelled() { Err(PrepareError::Cancelled) } else { Ok(()) }
    }
}

fn of_ct(error: LoadError) -> PrepareError {
    if matches!(error, LoadError::Cancelled) { PrepareError::Cancelled } else { PrepareError::Ct(error) }
}

fn of_photographs(error: LoadError) -> PrepareError {
    if matches!(error, LoadError::Cancelled) { PrepareError::Cancelled } else { PrepareError::Photographs(error) }
}

/// Prepares the pairs of all CT sessions that have photographs. Pairs that an earlier run finished are kept as they are.
pub fn prepare_visible_human(
    job: &PrepareJob,
    on_progress: &(dyn Fn(&PrepareProgress<'_>) + Sync),
    cancel: &CancelFlag,
) -> Result<PrepareReport, PrepareError> {
    let told = Told { on_progress, cancel };
    check_sizes(job)?;
    check_folders(job)?;
    let on_files = |files| told.tell(&PrepareProgress::Looking { files });
    let photographs = find_cryosections(&job.rgb, cancel, &on_files).map_err(of_photographs)?;
    let ct = scan(&job.ct, cancel, &on_files).map_err(of_ct)?;
    let mut matched = sets::match_levels(job, &ct, &photographs)?;
    matched.warnings.extend(ct.warnings.iter().map(|warning| format!("CT: {}", warning.message)));
    writable_folder(&job.out)?;
    let mut report = PrepareReport { version: env!("CARGO_PKG_VERSION"), state: "running", ..PrepareReport::default() };
    report.write(&job.out.join(REPORT_FILE))?;
    (report.rejected, report.warnings) = (matched.rejected, matched.warnings);
    let mut pairs = Vec::new();
    for set in &matched.sets {
        told.check_cancelled()?;
        told.tell(&PrepareProgress::Set { name: &set.name, candidates: set.candidates.len() });
        let outcome = SetRun::new(job, set, told)?.run()?;
        pairs.extend(outcome.pairs);
        report.sets.push(outcome.report);
        report.rejected.extend(outcome.rejected);
    }
    report.pairs = pairs.len();
    report.state = "finished";
    report.count_reasons();
    write_results(job, &pairs, &report)?;
    if pairs.is_empty() {
        let problems = report.sets.iter().filter_map(|set| set.problem.as_deref());
        let reasons: Vec<&str> = problems.collect();
        let reasons = if reasons.is_empty() { report.reasons_in_words() } else { reasons.join("; ") };
        return Err(PrepareError::NoPairs { reasons, path: job.out.clone() });
    }
    Ok(report)
}

fn check_sizes(job: &PrepareJob) -> Result<(), PrepareError> {
    for (field, size) in [("--ct-mm", job.ct_mm), ("--rgb-mm", job.rgb_mm)] {
        if let Some(found) = size.filter(|mm| !PIXEL_MM.contains(mm)) {
            return Err(PrepareError::PixelSize { field, found });
        }
    }
    Ok(())
}

/// The folder for the pairs must be apart from the originals, and new, empty, or this command's own.
fn check_folders(job: &PrepareJob) -> Result<(), PrepareError> {
    let out = absolute(&job.out);
    for originals in [&job.ct, &job.rgb] {
        let originals = absolute(originals);
        if out.starts_with(&originals) || originals.starts_with(&out) {
            return Err(PrepareError::AmongOriginals { path: job.out.clone() });
        }
    }
    let is_empty = std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_none());
    let is_new = !out.exists();
    let is_ours = std::fs::read_to_string(out.join(REPORT_FILE))
        .is_ok_and(|text| text.contains("\"rejected_by_reason\"") && text.contains("\"sets\""));
    // A file in its place is named when the folder is made.
    if is_new || is_empty || is_ours || out.is_file() {
        Ok(())
    } else {
        Err(PrepareError::OccupiedFolder { path: job.out.clone() })
    }
}

/// Without links, as far as the path exists.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    let mut start = path.as_path();
    loop {
        if let Ok(found) = start.canonicalize() {
            return rest.iter().rev().fold(found, |path: PathBuf, name| path.join(name));
        }
        let (Some(parent), Some(name)) = (start.parent(), start.file_name()) else { return path };
        rest.push(name.to_owned());
        start = parent;
    }
}

/// The tables first: a finished report means that they are there.
fn write_results(job: &PrepareJob, pairs: &[WrittenPair], report: &PrepareReport) -> Result<(), PrepareError> {
    let texts = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<String>>();
    let mut header = texts(&["set", "slice", "split", "ct", "rgb", "ct_mm_per_px", "rgb_mm_per_px", "nlm_source"]);
    let levels: Vec<f64> = pairs.iter().map(|pair| pair.level_mm).collect();
    let split = job.split.map(|rule| splits(&levels, rule));
    if split.is_none() {
        header.remove(2);
    }
    let mut rows = vec![header];
    for (index, WrittenPair { set, slice, ct_mm_per_pixel, rgb_mm_per_pixel, .. }) in pairs.iter().enumerate() {
        let mut row = texts(&[set, slice]);
        row.extend(split.as_ref().map(|split| split[index].to_owned()));
        row.extend(["ct", "rgb"].map(|kind| format!("{set}/{slice}_{kind}.png")));
        row.extend([ct_mm_per_pixel, rgb_mm_per_pixel].map(|mm| ((mm * 1e6).round() / 1e6).to_string()));
        row.push(format!("{set}.{slice}"));
        rows.push(row);
    }
    let mut rejected = vec![texts(&["set", "slice", "reason", "detail"])];
    for rejection in &report.rejected {
        rejected.push(texts(&[&rejection.set, &rejection.slice, rejection.reason.code(), &rejection.detail]));
    }
    write_table(&job.out.join(REJECTED_FILE), &rejected)?;
    write_table(&job.out.join(TABLE_FILE), &rows)?;
    report.write(&job.out.join(REPORT_FILE))
}
