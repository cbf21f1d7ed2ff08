//! What cannot be measured, before anything is.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(super) enum EvaluateError {
    #[error("expected the name of a file to write, found a folder: {path:?}")]
    Folder { path: PathBuf },
    #[error("two results would be written into one file; give each its own name: {path:?}")]
    SameFile { path: PathBuf },
    #[error("the same weights are given twice; name each file once: {path:?}")]
    WeightsTwice { path: PathBuf },
    #[error("no series of CT slices found: {path:?}")]
    NoSeries { path: PathBuf },
    #[error("{names} names are given for {series} series; give each at most one")]
    MoreNames { names: usize, series: usize },
}
