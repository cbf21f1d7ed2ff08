//! Why training or measuring cannot go on.

use std::path::PathBuf;

use crate::model::ModelError;
use crate::preprocess::PreprocessError;

/// Why training or measuring cannot go on. Rows of a pairs table are named by their line in the file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum TrainingError {
    /// The table itself.
    #[error("cannot read the pairs table {path:?}")]
    Table { path: PathBuf, source: csv::Error },
    /// A column that every table needs.
    #[error("the pairs table has no column {column}; expected at least ct, rgb, ct_mm_per_px, rgb_mm_per_px: {path:?}")]
    MissingColumn { column: &'static str, path: PathBuf },
    /// A field that is not what it should be.
    #[error("line {line} of the pairs table, field {field}: expected {expected}, found {found:?}")]
    Field { line: u64, field: &'static str, expected: &'static str, found: String },
    /// No row carries the name of the split.
    #[error("no row of the pairs table is in the split {split:?}; its splits are {known:?}")]
    EmptySplit { split: String, known: Vec<String> },
    /// All training rows are too near to held-out ones.
    #[error("no training slice is left: all lie within {guard_mm} mm of the split {held_out:?}")]
    NothingToTrain { guard_mm: f64, held_out: String },
    /// A picture that cannot be decoded or is not there.
    #[error("line {line} of the pairs table, field {field}: cannot read the picture {path:?}")]
    Picture { line: u64, field: &'static str, path: PathBuf, source: image::ImageError },
    /// A CT picture of another kind.
    #[error(
        "line {line} of the pairs table, field ct: expected 16-bit grey with HU = value − 1024, found {found}: {path:?}"
    )]
    NotHu { line: u64, found: String, path: PathBuf },
    /// A photograph of another kind.
    #[error("line {line} of the pairs table, field rgb: expected an 8-bit colour PNG or JPEG, found {found}: {path:?}")]
    NotColor { line: u64, found: String, path: PathBuf },
    /// The two pictures of a row show squares of different size.
    #[error(
        "line {line} of the pairs table: ct covers {ct_mm:.1?} mm and rgb {rgb_mm:.1?} mm; expected the same field of view, \
         so mend the pictures or ct_mm_per_px and rgb_mm_per_px"
    )]
    FieldOfView { line: u64, ct_mm: [f64; 2], rgb_mm: [f64; 2] },
    /// The slice cannot be prepared.
    #[error("line {line} of the pairs table: the slice cannot be prepared")]
    Prepare { line: u64, source: PreprocessError },
    /// The work was cancelled by the user.
    #[error("cancelled")]
    Cancelled,
    /// Two pictures that should be compared.
    #[error("pictures of different size cannot be compared: expected {}×{}, found {}×{}", expected.0, expected.1, found.0, found.1)]
    PictureSizes { expected: (usize, usize), found: (usize, usize) },
    /// SSIM's window does not fit.
    #[error("SSIM needs a picture of at least {needed}×{needed}, found {}×{}", found.0, found.1)]
    PictureTooSmall { needed: usize, found: (usize, usize) },
    /// LPIPS's network does not fit.
    #[error(
        "line {line} of the pairs table: the body fills {}×{} pixels of the network's grid; measuring needs at least {needed}×{needed}",
        found.0, found.1
    )]
    TooThin { line: u64, needed: usize, found: (usize, usize) },
    /// A setting that makes no sense.
    #[error("training setting {field}: expected {expected}, found {found}")]
    Config { field: &'static str, expected: &'static str, found: String },
    /// A settings file.
    #[error("cannot read the training settings {path:?}")]
    ConfigFile { path: PathBuf, source: std::io::Error },
    /// A settings file with wrong content.
    #[error("the training settings are not valid JSON for this program: {path:?}")]
    ConfigJson { path: PathBuf, source: serde_json::Error },
    /// A loss that is not a number, or far too large.
    #[error(
        "training stopped at step {step}: {loss} is {value}; the last good state is kept, try a lower learning rate"
    )]
    Diverged { step: u64, loss: &'static str, value: f32 },
    /// A checkpoint that cannot be used.
    #[error("cannot use the checkpoint: {reason}; {path:?}")]
    Checkpoint { reason: String, path: PathBuf },
    /// A folder that no run can be in.
    #[error("no run can start in this folder: {reason}; {path:?}")]
    RunFolder { reason: &'static str, path: PathBuf },
    /// A folder that cannot be written to.
    #[error(transparent)]
    Folder(#[from] crate::io::atomic_file::WriteError),
    /// Names of sets that no row carries.
    #[error("no row of the pairs table is in the set {set:?}; its sets are {known:?}")]
    UnknownSet { set: String, known: Vec<String> },
    /// A file that cannot be written; training may go on.
    #[error("cannot write {path:?}; check the free space and the permissions of the folder")]
    Write { path: PathBuf, source: std::io::Error },
    /// Weights or a device.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Loss networks, weights of the generator.
    #[error("the weights cannot be used: {path:?}")]
    Weights { path: PathBuf, source: crate::model::WeightsError },
    /// No worker threads.
    #[error("the threads for training cannot be started: {reason}")]
    Threads { reason: String },
    /// The device failed while it computed.
    #[error(
        "the device failed while it computed; with a GPU that is short of memory, use a smaller batch or the device cpu"
    )]
    Compute(#[from] candle_core::Error),
}
