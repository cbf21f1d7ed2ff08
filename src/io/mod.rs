//! CT files in, pictures out: recognises a format, lists the series in it, reads one of them slice by slice.

mod archive;
pub mod atomic_file;
pub mod caption;
mod codecs;
pub mod contact_sheet;
mod deep_lesion;
mod dicom;
mod files;
mod grey_png;
mod nifti;
pub mod nifti_rgb;
mod one_per_slice;
pub mod panes;
pub mod photo_png;
mod recognise;
pub mod rgb_image;
pub mod sheet;
mod stream;
mod unix_compress;
mod visible_human;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use visible_human::{AnteriorSide, Cryosection, CryosectionPicture, Cryosections, Level, find_cryosections};

use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{CtVolume, Geometry, GeometryError, SeriesInfo, SeriesKind, SeriesWarning};

/// Why a path could not be opened as CT. Messages carry no patient identity; paths come last.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The work was cancelled by the user.
    #[error("cancelled")]
    Cancelled,
    /// The operating system, or an archive, gave no bytes.
    #[error("file could not be read; check that it still exists and that you may read it: {path:?}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A folder or archive without a file.
    #[error("folder is empty; choose the folder that holds the CT: {0:?}")]
    Empty(PathBuf),
    /// Files, none of them CT.
    #[error(
        "no CT found among {looked_at} files{because}; choose a DICOM, NIfTI, DeepLesion or Visible Human CT: {path:?}"
    )]
    NoCt {
        /// How many files were looked at.
        looked_at: usize,
        /// Empty, or what the files are, in brackets.
        because: String,
        /// What was opened.
        path: PathBuf,
    },
    /// Files, none of them a photograph of a cryosection.
    #[error(
        "no photograph of a cryosection found among {looked_at} files ({because}); choose the folder of NLM's .raw files, of \
         PNG with numbers in their names, or of the Imaging Data Commons' DICOM: {path:?}"
    )]
    NoCryosection {
        /// How many files were looked at.
        looked_at: usize,
        /// How many of them are what instead.
        because: String,
        /// What was opened.
        path: PathBuf,
    },
    /// DICOM of another kind: an MR, a secondary capture, a report.
    #[error("{found} is not CT and has no Hounsfield units; choose a CT series: {path:?}")]
    NotCt {
        /// What the header says it is.
        found: String,
        /// What was opened.
        path: PathBuf,
    },
    /// A file of a known format that breaks the format's rules.
    #[error("{format} cannot be used: {problem}: {path:?}")]
    Malformed {
        /// The format by name.
        format: &'static str,
        /// What is wrong, what is expected, what to do.
        problem: String,
        /// The file.
        path: PathBuf,
    },
    /// Refused before allocating.
    #[error("{what} of {bytes} bytes is larger than the {limit} bytes this program accepts: {path:?}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// Largest size accepted.
        limit: u64,
        /// The file.
        path: PathBuf,
    },
    /// More files than any study has.
    #[error("folder holds more than {limit} files; choose the folder of one study: {path:?}")]
    TooManyFiles {
        /// Most files that are looked at.
        limit: usize,
        /// The folder.
        path: PathBuf,
    },
    /// An archive that unpacks to absurd sizes.
    #[error("ZIP archive claims {found}: this is not how CT packs, and it was not unpacked: {path:?}")]
    ZipBomb {
        /// What the archive claims.
        found: String,
        /// The archive.
        path: PathBuf,
    },
    /// A lattice that cannot exist.
    #[error("{format} has unusable geometry: {path:?}")]
    Geometry {
        /// The format by name.
        format: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: GeometryError,
    },
}

impl LoadError {
    /// The message for a warning about one file among many: paths may hold a patient's name, so it ends before them.
    pub(crate) fn without_path(&self) -> String {
        let text = self.to_string();
        text.rfind(": \"").map_or(text.clone(), |end| text[..end].to_owned())
    }
}

/// What a path holds.
#[derive(Debug, Default)]
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

    /// What the file of a slice says of its level; `None` where the format does not.
    fn level_mm(&self, _slice: SliceIndex) -> Option<f64> {
        None
    }
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

/// What a scan of headers is told.
#[derive(Clone, Copy)]
pub(crate) struct ScanProgress<'a> {
    /// Raised when nobody wants the result any more.
    pub(crate) cancel: &'a CancelFlag,
    /// Hears how many files have been looked at, from any thread.
    pub(crate) on_files: &'a (dyn Fn(usize) + Sync),
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
pub fn scan(path: &Path, cancel: &CancelFlag, on_files: &(dyn Fn(usize) + Sync)) -> Result<Scan, LoadError> {
    recognise::scan_path(path, &ScanProgress { cancel, on_files })
}

/// The same for a file that is part of the program: `name` as a user would see it (`chest_cta.nii.gz`).
pub fn scan_embedded(name: &str, bytes: &'static [u8]) -> Result<Scan, LoadError> {
    recognise::scan_files(
        &[files::FoundFile::embedded(name, bytes)],
        Path::new(name),
        &ScanProgress { cancel: &CancelFlag::new(), on_files: &|_| {} },
    )
}

impl Series {
    /// For the formats: headers, lattice, and who reads the pixels. The scan gives `info.number` its value.
    pub(crate) fn new(info: SeriesInfo, geometry: Geometry, source: Arc<dyn SliceSource>) -> Self {
        Self { info, geometry, source }
    }

    /// What a person is told about the series.
    pub fn info(&self) -> &SeriesInfo {
        &self.info
    }

    /// Lattice, spacing and orientation.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// NLM's number of a slice: in the name of a Visible Human file, in the Slice Location of its DICOM.
    pub fn level(&self, slice: SliceIndex) -> Option<Level> {
        let level_mm = match self.info.kind {
            SeriesKind::VisibleHuman => Some(-self.geometry.slice_origin_mm(slice)[2]),
            _ => self.source.level_mm(slice).map(f64::abs),
        };
        Level::of_millimeters(level_mm?).filter(|level| level.millimeters() > 0.0)
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

/// Slices in the order in which a person wants them: `first`, then its neighbours outwards, in both directions in turn.
pub(crate) fn outward_order(first: SliceIndex, slices: usize) -> Vec<SliceIndex> {
    let first = first.0.min(slices.saturating_sub(1));
    let mut order: Vec<usize> = (0..slices).collect();
    order.sort_by_key(|&s| (s.abs_diff(first), s < first));
    order.into_iter().map(SliceIndex).collect()
}
