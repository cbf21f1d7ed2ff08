//! Which files a path stands for, and which format each of them is, by content.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::files::FoundFile;
use super::{LoadError, Scan, ScanProgress, Series, archive, deep_lesion, dicom, nifti, visible_human};
use crate::volume::SeriesWarning;

/// Bytes that every format is recognised by.
const HEAD_BYTES: usize = 4096;
/// Deepest folder below the opened one.
const MAX_DEPTH: usize = 32;
/// Files below one folder that we look at.
const MAX_FILES: usize = 500_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Dicom,
    Nifti,
    DeepLesion,
    VisibleHuman,
    Directory,
    Pdf,
    Zip,
    Unreadable,
    Other,
}

/// Scans a file, folder, DICOMDIR or ZIP.
pub(super) fn scan_path(path: &Path, progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    let (files, warnings) = find_files(path, progress)?;
    let mut found = scan_files(&files, path, progress)?;
    found.warnings.splice(0..0, warnings);
    Ok(found)
}

/// Scans files that have been found.
pub(super) fn scan_files(files: &[FoundFile], path: &Path, progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    if files.is_empty() {
        return Err(LoadError::Empty(path.to_owned()));
    }
    let looked_at = files.len();
    let formats = recognise_all(files, progress)?;
    let of_format = |wanted: Format| -> Vec<FoundFile> {
        files.iter().zip(&formats).filter(|(_, f)| **f == wanted).map(|(file, _)| file.clone()).collect()
    };
    let mut found = Scan::default();
    let mut first_error = None;
    let mut take = |outcome: Result<Scan, LoadError>| match outcome {
        Ok(scan) => {
            found.series.extend(scan.series);
            found.warnings.extend(scan.warnings);
            Ok(())
        }
        Err(LoadError::Cancelled) => Err(LoadError::Cancelled),
        Err(error) => {
            first_error.get_or_insert(error);
            Ok(())
        }
    };
    take(dicom::scan_dicom(&of_format(Format::Dicom), path, progress))?;
    take(nifti::scan_nifti(&of_format(Format::Nifti), progress))?;
    take(deep_lesion::scan_deep_lesion(&of_format(Format::DeepLesion), progress))?;
    take(visible_human::scan_visible_human(&of_format(Format::VisibleHuman), progress))?;
    if found.series.is_empty() {
        let no_ct = LoadError::NoCt { looked_at, because: what_instead(&formats), path: path.to_owned() };
        return Err(first_error.unwrap_or(no_ct));
    }
    let unreadable = formats.iter().filter(|f| **f == Format::Unreadable).count();
    if unreadable > 0 {
        let message = format!("{unreadable} files could not be read at all; check that you may read them");
        found.warnings.push(SeriesWarning { code: "unreadable-file", message });
    }
    if let Some(error) = first_error {
        found.warnings.push(SeriesWarning { code: "unusable-file", message: error.without_path() });
    }
    let is_localizer = |s: &Series| s.info.warnings.iter().any(|w| w.code == "localizer");
    found.series.sort_by_key(|s| (is_localizer(s), std::cmp::Reverse(s.info.slice_count)));
    for (index, one) in found.series.iter_mut().enumerate() {
        one.info.number = index + 1;
    }
    Ok(found)
}

/// What was found where no CT was, for the message.
fn what_instead(formats: &[Format]) -> String {
    let count = |wanted: Format| formats.iter().filter(|f| **f == wanted).count();
    let (pdf, zip) = (count(Format::Pdf), count(Format::Zip));
    let mut kinds = Vec::new();
    if pdf > 0 {
        kinds.push(format!("{pdf} PDF"));
    }
    if zip > 0 {
        kinds.push(format!("{zip} ZIP: open it by itself"));
    }
    if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) }
}

fn recognise_all(files: &[FoundFile], progress: &ScanProgress<'_>) -> Result<Vec<Format>, LoadError> {
    let looked_at = AtomicUsize::new(0);
    files
        .par_iter()
        .map(|file| {
            if progress.cancel.is_cancelled() {
                return Err(LoadError::Cancelled);
            }
            let format = match file.read_head(HEAD_BYTES) {
                Ok(head) => recognise_one(file, &head),
                Err(_) if files.len() > 1 => Format::Unreadable,
                Err(error) => return Err(error),
            };
            (progress.on_files)(looked_at.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(format)
        })
        .collect()
}

fn recognise_one(file: &FoundFile, head: &[u8]) -> Format {
    if dicom::is_directory(file) {
        Format::Directory
    } else if dicom::recognises(head) {
        Format::Dicom
    } else if nifti::recognises(file, head) {
        Format::Nifti
    } else if visible_human::recognises(file, head) {
        Format::VisibleHuman
    } else if deep_lesion::recognises(file, head) {
        Format::DeepLesion
    } else if head.starts_with(b"%PDF") {
        Format::Pdf
    } else if is_zip(head) {
        Format::Zip
    } else {
        Format::Other
    }
}

type FilesAndWarnings = (Vec<FoundFile>, Vec<SeriesWarning>);

fn find_files(path: &Path, progress: &ScanProgress<'_>) -> Result<FilesAndWarnings, LoadError> {
    let metadata = metadata(path)?;
    if metadata.is_dir() {
        return Ok((files_below(path, progress)?, Vec::new()));
    }
    if !metadata.is_file() {
        // A pipe or a device: to open it could wait for ever.
        return Err(LoadError::NoCt { looked_at: 0, because: " (not a plain file)".to_owned(), path: path.to_owned() });
    }
    let file = FoundFile::on_disk(path.to_owned(), metadata.len());
    if dicom::is_directory(&file) {
        let (files, missing) = dicom::find_directory_files(&file)?;
        let message = format!("{missing} files that the DICOMDIR lists are not there; copy the whole disc");
        let warning = (missing > 0).then_some(SeriesWarning { code: "missing-files", message });
        return Ok((files, warning.into_iter().collect()));
    }
    let files = if is_zip(&file.read_head(4)?) { archive::list(path)? } else { vec![file] };
    Ok((files, Vec::new()))
}

/// Every file below a folder, by path.
pub(super) fn files_below(path: &Path, progress: &ScanProgress<'_>) -> Result<Vec<FoundFile>, LoadError> {
    let mut files = Vec::new();
    let mut folders = vec![(path.to_owned(), 0)];
    // A link may lead back to a folder above it.
    let mut visited = HashSet::new();
    while let Some((folder, depth)) = folders.pop() {
        if progress.cancel.is_cancelled() {
            return Err(LoadError::Cancelled);
        }
        if !visited.insert(std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        list_folder(&folder, depth, &mut folders, &mut files)?;
        if files.len() > MAX_FILES {
            return Err(LoadError::TooManyFiles { limit: MAX_FILES, path: path.to_owned() });
        }
    }
    files.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(files)
}

fn list_folder(
    folder: &Path,
    depth: usize,
    folders: &mut Vec<(PathBuf, usize)>,
    files: &mut Vec<FoundFile>,
) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A closed folder somewhere below does not cost what lies beside it.
        Err(_) if depth > 0 => return Ok(()),
        Err(source) => return Err(unreadable(source)),
    };
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth < MAX_DEPTH {
            folders.push((path, depth + 1));
        } else if metadata.is_file() {
            files.push(FoundFile::on_disk(path, metadata.len()));
        }
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<Metadata, LoadError> {
    std::fs::metadata(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}
