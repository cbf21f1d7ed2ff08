//! Visible Human originals: GE Genesis, and NLM's 16-bit PNG.

use super::files::FoundFile;
use super::{LoadError, Scan, ScanProgress};

/// Whether a file belongs to this format, by its name and its first bytes.
pub(super) fn recognises(_file: &FoundFile, _head: &[u8]) -> bool {
    false
}

/// The series in the files that [`recognises`] took, and what a person should know of files that gave none.
pub(super) fn scan_visible_human(_files: &[FoundFile], _progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    Ok(Scan::default())
}
