//! CT files in, pictures out: recognises a format, lists the series in it, reads one of them slice by slice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{CtVolume, Geometry, SeriesInfo, SeriesWarning};

/// Why a path could not be opened as CT. Messages carry no patient identity; paths come last.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The work was cancelled by the user.
    #[error("cancelled")]
    Cancelled,
    /// Placeholder until each format has its own.
    #[error("no CT found in {0:?}")]
    NoCt(PathBuf),
}

/// What a path holds.
#[derive(Debug)]
pub struct Scan {
    /// Series that can be shown, the largest CT first.
    pub series: Vec<Series>,
    /// About files that belong to no series.
    pub warnings: Vec<SeriesWarning>,
}

/// Reads the pixels of one series; one implementation a format.
pub(crate) trait SliceSource: Send + Sync + std::fmt::Debug {
    /// See [`Series::read_into`].
    fn read_into(&self, volume: &CtVolume, request: &ReadRequest<'_>) -> Result<Vec<SeriesWarning>, LoadError>;
}

/// What the reader of a series is told.
#[derive(Clone, Copy)]
pub struct ReadRequest<'a> {
    /// Read first, its neighbours next.
    pub first: SliceIndex,
    /// Raised when nobody wants the rest any more.
    pub cancel: &'a CancelFlag,
    /// Hears of each slice as it is in place, from any thread.
    pub on_slice: &'a (dyn Fn(SliceIndex) + Sync),
}

/// A series whose headers have been read.
#[derive(Clone, Debug)]
pub struct Series {
    info: SeriesInfo,
    geometry: Geometry,
    source: Arc<dyn SliceSource>,
}

/// Reads the headers below a path: a DICOM file, a folder, a DICOMDIR, a ZIP, NIfTI, DeepLesion, Visible Human.
/// `on_files` hears how many files have been looked at, from any thread.
pub fn scan(_path: &Path, _cancel: &CancelFlag, _on_files: &(dyn Fn(usize) + Sync)) -> Result<Scan, LoadError> {
    unimplemented!()
}

/// The same for a file that is part of the program: `name` as a user would see it (`chest_cta.nii.gz`).
pub fn scan_embedded(_name: &str, _bytes: &'static [u8]) -> Result<Scan, LoadError> {
    unimplemented!()
}

impl Series {
    /// What a person is told about the series.
    pub fn info(&self) -> &SeriesInfo {
        &self.info
    }

    /// An empty volume of this series' size, to be filled by [`Self::read_into`].
    pub fn pending_volume(&self) -> Arc<CtVolume> {
        Arc::new(CtVolume::pending(self.geometry.clone()))
    }

    /// Reads all slices in parallel. One bad slice becomes `Missing` and a warning; the rest goes on.
    pub fn read_into(&self, volume: &CtVolume, request: &ReadRequest<'_>) -> Result<Vec<SeriesWarning>, LoadError> {
        self.source.read_into(volume, request)
    }
}
