//! What a person is told about a series before and while it loads.

use super::WindowLevel;

/// The kind of files that a series comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// DICOM, one file a slice or enhanced multi-frame.
    Dicom,
    /// NIfTI-1, plain or gzipped.
    Nifti,
    /// DeepLesion: a folder of 16-bit PNG, HU = value − 32768.
    DeepLesion,
    /// Visible Human originals: GE Genesis or NLM's 16-bit PNG.
    VisibleHuman,
}

/// A window that the file itself suggests, with the file's own name for it (DICOM 0028,1055).
#[derive(Clone, Debug, PartialEq)]
pub struct NamedWindow {
    /// The file's explanation, or `File`.
    pub name: String,
    /// Centre and width in HU.
    pub window: WindowLevel,
}

/// Who is on the picture. Never logged, never in a file name; shown only when the user asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PatientIdentity {
    /// Patient's name as in the file.
    pub name: String,
    /// Patient ID as in the file.
    pub id: String,
    /// Date of birth as in the file.
    pub birth_date: String,
    /// Date of the study as in the file.
    pub study_date: String,
}

impl std::fmt::Debug for PatientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientIdentity(hidden)")
    }
}

/// Something about a series that a reader should know: plain words, no path, no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesWarning {
    /// A stable short name for tests and `--json`, in kebab-case: `gap`, `uneven-spacing`, `gantry-tilt`, `duplicate`, …
    pub code: &'static str,
    /// One sentence without a full stop.
    pub message: String,
}

/// A series as found by a scan of headers. No identity in any field but `identity`.
#[derive(Clone, Debug)]
pub struct SeriesInfo {
    /// Stable within one scan, from 1: what `--series N` takes.
    pub number: usize,
    /// Series Instance UID, or the file's name for other formats.
    pub uid: String,
    /// Series description or file stem; what the list shows.
    pub description: String,
    /// Kind of files.
    pub kind: SeriesKind,
    /// Slices that will be shown.
    pub slice_count: usize,
    /// Rows of a slice.
    pub rows: usize,
    /// Columns of a slice.
    pub columns: usize,
    /// Distance between columns and between rows in mm; `None` when the file does not say.
    pub pixel_spacing_mm: Option<[f64; 2]>,
    /// Median distance of neighbouring slices along the normal in mm; `None` for one slice.
    pub slice_spacing_mm: Option<f64>,
    /// Transfer syntaxes by name, without repetition, for DICOM; the file format otherwise.
    pub encodings: Vec<String>,
    /// Windows of the file, in its order.
    pub windows: Vec<NamedWindow>,
    /// MONOCHROME1: white is low. Colours and HU do not depend on it.
    pub is_inverted: bool,
    /// Burned-in annotation (0028,0301) = YES, or recognisable visual features.
    pub has_burned_in_identity: bool,
    /// Who is on the picture, when the files say.
    pub identity: Option<PatientIdentity>,
    /// In plain words, found from the headers.
    pub warnings: Vec<SeriesWarning>,
}
