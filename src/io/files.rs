//! Files as the formats see them: on disk, inside a ZIP, or part of the program; read in bounded pieces.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LoadError;
use super::archive::Archive;

/// A file below the path that was opened.
#[derive(Clone, Debug)]
pub(crate) struct FoundFile {
    path: PathBuf,
    content: Content,
    len: u64,
}

#[derive(Clone, Debug)]
enum Content {
    Disk,
    Zipped { archive: Arc<Archive>, index: usize },
    Embedded(&'static [u8]),
}

impl FoundFile {
    /// A file on disk; `len` in bytes.
    pub(crate) fn on_disk(path: PathBuf, len: u64) -> Self {
        Self { path, content: Content::Disk, len }
    }

    /// An entry of a ZIP; `path` is the archive's path with the entry's name behind it, for messages and grouping only.
    pub(super) fn zipped(path: PathBuf, archive: Arc<Archive>, index: usize, len: u64) -> Self {
        Self { path, content: Content::Zipped { archive, index }, len }
    }

    /// Bytes that are part of the program.
    pub(crate) fn embedded(name: &str, bytes: &'static [u8]) -> Self {
        Self { path: PathBuf::from(name), content: Content::Embedded(bytes), len: bytes.len() as u64 }
    }

    /// Where the file is: for messages, sorting and telling folders apart; not always a path on disk.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's own name, as text.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Size in bytes; for an entry of a ZIP what the archive says.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether a piece in the middle can be read without reading what lies before it.
    pub(crate) fn is_seekable(&self) -> bool {
        !matches!(self.content, Content::Zipped { .. })
    }

    /// At most `count` bytes from the start; fewer when the file is shorter.
    pub(crate) fn read_head(&self, count: usize) -> Result<Vec<u8>, LoadError> {
        let wanted = self.len.min(count as u64) as usize;
        match &self.content {
            Content::Disk => {
                let mut bytes = Vec::with_capacity(wanted);
                self.open_disk()?.take(wanted as u64).read_to_end(&mut bytes).map_err(|e| self.unreadable(e))?;
                Ok(bytes)
            }
            Content::Zipped { archive, index } => archive.read(*index, wanted as u64, &self.path),
            Content::Embedded(bytes) => Ok(bytes[..wanted].to_vec()),
        }
    }

    /// The whole file, refused above `limit` bytes before anything is allocated.
    pub(crate) fn read_all(&self, limit: u64) -> Result<Vec<u8>, LoadError> {
        if self.len > limit {
            return Err(LoadError::TooLarge { what: "file", bytes: self.len, limit, path: self.path.clone() });
        }
        self.read_head(self.len as usize)
    }

    /// Fills `bytes` from `offset` on; a file that ends before is an error.
    pub(crate) fn read_range(&self, offset: u64, bytes: &mut [u8]) -> Result<(), LoadError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.len);
        let Some(end) = end else {
            return Err(self.unreadable(std::io::ErrorKind::UnexpectedEof.into()));
        };
        match &self.content {
            Content::Disk => {
                let mut file = self.open_disk()?;
                file.seek(SeekFrom::Start(offset)).map_err(|e| self.unreadable(e))?;
                file.read_exact(bytes).map_err(|e| self.unreadable(e))
            }
            Content::Zipped { archive, index } => {
                let head = archive.read(*index, end, &self.path)?;
                let piece = head.get(offset as usize..end as usize);
                let piece = piece.ok_or_else(|| self.unreadable(std::io::ErrorKind::UnexpectedEof.into()))?;
                bytes.copy_from_slice(piece);
                Ok(())
            }
            Content::Embedded(all) => {
                bytes.copy_from_slice(&all[offset as usize..end as usize]);
                Ok(())
            }
        }
    }

    fn open_disk(&self) -> Result<File, LoadError> {
        File::open(&self.path).map_err(|e| self.unreadable(e))
    }

    fn unreadable(&self, source: std::io::Error) -> LoadError {
        LoadError::Unreadable { path: self.path.clone(), source }
    }
}
