//! Files that appear whole or not at all: written beside the target under another name, then renamed.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why a picture or a volume could not be written. Whatever was at the path before is still there.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No room.
    #[error("the disk is full; free some space, or choose another folder: {path:?}")]
    DiskFull {
        /// The file that was to be written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// No permission, or a medium that cannot be written.
    #[error("the folder cannot be written to; choose another one, or change its permissions: {path:?}")]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder is gone, or is a file.
    #[error("there is no such folder; choose an existing one: {path:?}")]
    NoFolder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Anything else that the operating system refuses.
    #[error("the file could not be written: {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The PNG encoder refused.
    #[error("a picture of {columns} × {rows} pixels cannot be written as PNG: {path:?}")]
    Picture {
        /// Pixels in a row.
        columns: usize,
        /// Rows.
        rows: usize,
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: png::EncodingError,
    },
    /// A stack that has no regular lattice, or one too large for the format.
    #[error("these slices cannot be written as one NIfTI volume: {problem}; write PNG instead: {path:?}")]
    Volume {
        /// What is in the way.
        problem: String,
        /// The file.
        path: PathBuf,
    },
    /// A slice of another size, or one too many or too few.
    #[error("expected {expected}, found {found}: {path:?}")]
    Slice {
        /// What belongs there.
        expected: String,
        /// What came.
        found: String,
        /// The file.
        path: PathBuf,
    },
}

impl WriteError {
    /// Sorts what the operating system says by what a person can do about it.
    pub(crate) fn from_io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::NotWritable { path, source },
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NoFolder { path, source },
            _ => Self::Io { path, source },
        }
    }
}

/// Makes a folder if it is not there, and makes sure that files can be put into it: better before hours of work than after.
pub fn writable_folder(folder: &Path) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|source| match source.kind() {
        // A file of that name is in the way.
        ErrorKind::AlreadyExists => WriteError::NoFolder { path: folder.to_owned(), source },
        _ => WriteError::from_io(folder, source),
    })?;
    let probe = temporary_file(folder).map_err(|source| WriteError::from_io(folder, source))?;
    probe.close().map_err(|source| WriteError::from_io(folder, source))
}

/// A file that takes its name when it is complete. Dropped before, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    writer: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl AtomicFile {
    /// Opens a temporary file in the folder of `path`.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let file = temporary_file(folder_of(path)).map_err(|source| WriteError::from_io(path, source))?;
        Ok(Self { writer: BufWriter::with_capacity(1 << 16, file), path: path.to_owned() })
    }

    /// The name that the file will take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts everything on the disk and gives the file its name, in place of what had that name before.
    pub fn commit(self) -> Result<(), WriteError> {
        let Self { writer, path } = self;
        let failed = |source| WriteError::from_io(&path, source);
        let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a file by `fill`: it is there when all of it is, and not otherwise.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut AtomicFile) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let mut file = AtomicFile::create(path)?;
    fill(&mut file)?;
    file.commit()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// As readable for others as any new file: temporary files are private by default.
fn temporary_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ct2rgb-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.png");
        std::fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old", "not before it is complete");
        file.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new", "and then at once");
        assert_eq!(names_in(folder.path()), ["slice.png"], "nothing else is left");
    }

    #[test]
    fn a_full_disk_is_named_and_leaves_no_half_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.png");
        let error = write_atomically(&path, |file| {
            file.write_all(&vec![7; 100_000]).unwrap();
            Err(WriteError::from_io(file.path(), ErrorKind::StorageFull.into()))
        });
        let error = error.unwrap_err();
        assert!(matches!(error, WriteError::DiskFull { .. }), "{error}");
        assert!(error.to_string().starts_with("the disk is full; free some space"), "{error}");
        assert!(names_in(folder.path()).is_empty(), "{:?}", names_in(folder.path()));
    }

    #[test]
    fn folders_that_cannot_take_files_are_named_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = writable_folder(&path).unwrap_err();
            assert!(matches!(error, WriteError::NoFolder { .. }), "{path:?}: {error}");
        }
        let missing = folder.path().join("gone").join("slice.png");
        let error = AtomicFile::create(&missing).unwrap_err();
        assert!(error.to_string().starts_with("there is no such folder"), "{error}");
        writable_folder(&folder.path().join("a/b")).unwrap();
        assert_eq!(names_in(&folder.path().join("a/b")), Vec::<String>::new(), "the probe is gone");
    }
}
