//! Why pairs cannot be prepared at all.

use std::path::PathBuf;

use crate::io::LoadError;
use crate::io::atomic_file::WriteError;

/// Why pairs cannot be prepared at all. What concerns one slice or one set is in the report.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum PrepareError {
    /// The CT.
    #[error("the CT cannot be used")]
    Ct(#[source] LoadError),
    /// The photographs.
    #[error("the photographs cannot be used")]
    Photographs(#[source] LoadError),
    /// No series whose slices have numbers.
    #[error(
        "none of the {series} CT series has NLM's numbers; expected names such as c_vm1500.fre, or DICOM with a Slice \
         Location: {path:?}"
    )]
    NoNumbers { series: usize, path: PathBuf },
    /// Nothing to pair.
    #[error(
        "CT and photographs have no number in common: CT {ct}, photographs {photographs}; choose folders of the same person"
    )]
    NothingInCommon { ct: String, photographs: String },
    /// Originals would be in danger.
    #[error(
        "the folder for the pairs must lie apart from the originals, which are never overwritten; choose an empty one \
         that neither holds them nor lies among them: {path:?}"
    )]
    AmongOriginals { path: PathBuf },
    /// Something else is there.
    #[error(
        "the folder for the pairs holds files that were not written by this command; choose an empty one: {path:?}"
    )]
    OccupiedFolder { path: PathBuf },
    /// A pixel size that makes no sense.
    #[error("{field} is {found}; expected millimetres per pixel, from 0.05 to 10")]
    PixelSize { field: &'static str, found: f64 },
    /// All slices were rejected.
    #[error("no pair is left: {reasons}; rejected.csv names every slice: {path:?}")]
    NoPairs { reasons: String, path: PathBuf },
    /// A file that cannot be written. What is finished stays, and is not done again.
    #[error("cannot write the pairs; what is finished stays, and the same command goes on from there")]
    Write(#[from] WriteError),
    /// The same for the tables.
    #[error("cannot write {path:?}")]
    Table { path: PathBuf, source: csv::Error },
    /// The user's wish.
    #[error("cancelled; run the command again to go on where it stopped")]
    Cancelled,
}
