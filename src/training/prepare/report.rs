//! What came of a preparation: for the terminal, for other programs, and as tables beside the pairs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::PrepareError;
use crate::io::atomic_file::{AtomicFile, WriteError};

/// Why a slice gave no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// NLM's place holder for a saw cut.
    Black,
    /// Tissue is missing on the photograph.
    Torn,
    /// The photograph lies elsewhere than those around it.
    OffPlace,
    /// The photograph shows something else than its CT.
    Unlike,
    /// Another number of pixels than the rest of the set.
    WrongSize,
    /// The photograph cannot be read.
    UnreadablePhotograph,
    /// The CT slice cannot be read.
    UnreadableCt,
    /// No body on the CT.
    NoBody,
    /// CT without a photograph.
    NoPhotograph,
    /// Photograph without a CT.
    NoCt,
    /// A second photograph of one level.
    Duplicate,
    /// The set as a whole could not be registered.
    UnregisteredSet,
}

impl Reason {
    /// As in the report and in `rejected.csv`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Torn => "torn",
            Self::OffPlace => "off-place",
            Self::Unlike => "unlike",
            Self::WrongSize => "wrong-size",
            Self::UnreadablePhotograph => "unreadable-photograph",
            Self::UnreadableCt => "unreadable-ct",
            Self::NoBody => "no-body",
            Self::NoPhotograph => "no-photograph",
            Self::NoCt => "no-ct",
            Self::Duplicate => "duplicate",
            Self::UnregisteredSet => "unregistered-set",
        }
    }
}

/// A slice that gave no pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    /// Empty for photographs that belong to no set.
    pub set: String,
    /// NLM's number.
    pub slice: String,
    /// Why.
    pub reason: Reason,
    /// In plain words.
    pub detail: String,
}

/// A pair that was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenPair {
    pub(super) set: String,
    pub(super) slice: String,
    pub(super) level_mm: f64,
    pub(super) ct_mm_per_pixel: f64,
    pub(super) rgb_mm_per_pixel: f64,
}

/// What came of one CT session.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetReport {
    /// Its name in the table, and its folder.
    pub name: String,
    /// CT slices with a photograph.
    pub candidates: usize,
    /// Pairs in the table.
    pub pairs: usize,
    /// Of these, finished by an earlier run.
    pub reused: usize,
    /// Where the CT's centre is on the photographs, from their centre: to the right and downwards.
    pub shift_mm: [f64; 2],
    /// Millimetres of the photographs for one of the CT.
    pub scale: f64,
    /// Whether the photographs had the back of the body at the top.
    pub is_turned: bool,
    /// Slices that were registered each by itself, and those that agree.
    pub registered_slices: usize,
    /// See `registered_slices`.
    pub agreeing_slices: usize,
    /// Median distance of the agreeing slices' own places from the set's.
    pub spread_mm: f64,
    /// Normalised mutual information less 1 of the agreeing slices.
    pub similarity: f64,
    /// Pixel size of the CT.
    pub ct_mm_per_px: f64,
    /// Pixel size of the photographs as written.
    pub rgb_mm_per_px: f64,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Why there is no pair of this set.
    pub problem: Option<String>,
}

/// What came of a preparation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PrepareReport {
    /// Of this program.
    pub version: &'static str,
    /// `running` until all is done.
    pub state: &'static str,
    /// Pairs in the table.
    pub pairs: usize,
    /// CT sessions.
    pub sets: Vec<SetReport>,
    /// Rejected slices by reason.
    pub rejected_by_reason: BTreeMap<&'static str, usize>,
    /// Every slice that gave no pair.
    pub rejected: Vec<Rejection>,
    /// About files that were not used.
    pub warnings: Vec<String>,
}

impl PrepareReport {
    /// `torn 3, black 11`.
    pub fn reasons_in_words(&self) -> String {
        let counts = self.rejected_by_reason.iter().map(|(reason, count)| format!("{reason} {count}"));
        counts.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn count_reasons(&mut self) {
        for rejection in &self.rejected {
            *self.rejected_by_reason.entry(rejection.reason.code()).or_default() += 1;
        }
    }

    /// Writes the report; its presence also says that the folder is this command's.
    pub(super) fn write(&self, path: &Path) -> Result<(), PrepareError> {
        let file = AtomicFile::create(path)?;
        let mut file = std::io::BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| WriteError::from_io(path, error.into()))?;
        let file = file.into_inner().map_err(|error| WriteError::from_io(path, error.into_error()))?;
        Ok(file.commit()?)
    }
}

/// Writes a table; `rows` begins with the header.
pub(super) fn write_table(path: &Path, rows: &[Vec<String>]) -> Result<(), PrepareError> {
    let mut writer = csv::Writer::from_writer(AtomicFile::create(path)?);
    let failed = |source: csv::Error| match source.into_kind() {
        csv::ErrorKind::Io(source) => PrepareError::Write(WriteError::from_io(path, source)),
        kind => {
            PrepareError::Table { path: path.to_owned(), source: std::io::Error::other(format!("{kind:?}")).into() }
        }
    };
    for row in rows {
        writer.write_record(row).map_err(failed)?;
    }
    let file = writer.into_inner().map_err(|error| {
        PrepareError::Write(WriteError::from_io(path, std::io::Error::other(error.error().to_string())))
    })?;
    Ok(file.commit()?)
}
