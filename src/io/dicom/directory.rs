//! DICOMDIR: the list of a medium's files.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::header::{self, HeaderError};
use crate::io::LoadError;
use crate::io::files::FoundFile;

/// Whether a path is a DICOMDIR: by its name, which the standard prescribes (PS3.10 8.2).
pub(in crate::io) fn is_directory(file: &FoundFile) -> bool {
    file.name().eq_ignore_ascii_case("DICOMDIR")
}

/// The files that a DICOMDIR on disk lists and that are there, and how many are not.
pub(in crate::io) fn find_files(file: &FoundFile) -> Result<(Vec<FoundFile>, usize), LoadError> {
    let malformed = |problem| LoadError::Malformed { format: "DICOMDIR", problem, path: file.path().to_owned() };
    let header = header::read(file).map_err(|error| match error {
        HeaderError::Load(error) => error,
        HeaderError::Damaged(problem) => malformed(problem),
    })?;
    let folder = file.path().parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    let mut missing = 0;
    let mut listed = 0;
    for record in Attributes(&header.object).items(tags::DIRECTORY_RECORD_SEQUENCE) {
        let parts = record.texts(tags::REFERENCED_FILE_ID);
        if parts.is_empty() {
            continue;
        }
        listed += 1;
        match resolve(folder, &parts) {
            Some(path) => {
                let len = std::fs::metadata(&path).map_or(0, |m| m.len());
                found.push(FoundFile::on_disk(path, len));
            }
            None => missing += 1,
        }
    }
    if found.is_empty() {
        return Err(malformed(format!("none of the {listed} files that it lists is there; copy the whole disc")));
    }
    Ok((found, missing))
}

/// A file by the parts of its name, whatever the case (discs are written in capitals and often copied in small letters).
fn resolve(folder: &Path, parts: &[String]) -> Option<PathBuf> {
    let is_plain = |part: &String| !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', ':']);
    if !parts.iter().all(is_plain) {
        return None;
    }
    let exact: PathBuf = parts.iter().fold(folder.to_owned(), |path, part| path.join(part));
    if exact.is_file() {
        return Some(exact);
    }
    let lower = parts.iter().fold(folder.to_owned(), |path, part| path.join(part.to_lowercase()));
    if lower.is_file() {
        return Some(lower);
    }
    let mut path = folder.to_owned();
    for part in parts {
        let entries = std::fs::read_dir(&path).ok()?;
        let same = |name: &std::ffi::OsStr| name.to_string_lossy().eq_ignore_ascii_case(part);
        path = entries.flatten().find(|entry| same(&entry.file_name()))?.path();
    }
    path.is_file().then_some(path)
}
