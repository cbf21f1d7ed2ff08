//! ZIP archives, read entry by entry in memory: nothing is ever unpacked to disk, so a `../` in a name leads nowhere.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;

use super::LoadError;
use super::files::FoundFile;

/// Entries of one archive that we look at.
const MAX_ENTRIES: usize = 200_000;
/// Largest entry after unpacking: an enhanced multi-frame CT of some thousand slices.
const MAX_ENTRY_BYTES: u64 = 4 << 30;
/// Deflate cannot pack tighter than about 1032 : 1; CT never comes near a tenth of it.
const MAX_RATIO: u64 = 200;
/// Below this size the ratio says nothing: an empty picture packs well.
const MIN_BYTES_FOR_RATIO: u64 = 16 << 20;
/// All entries together, unpacked: far more than any memory, and no more than a study on disk.
const MAX_TOTAL_BYTES: u64 = 64 << 30;

type Reader = ZipArchive<BufReader<File>>;

/// An opened ZIP; compressed bytes stay on disk. Threads take a reader each from the pool.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    idle_readers: Mutex<Vec<Reader>>,
}

/// Lists the files of a ZIP; refuses bombs by what the archive declares.
pub(super) fn list(path: &Path) -> Result<Vec<FoundFile>, LoadError> {
    let file = File::open(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let mut reader = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(path, &e))?;
    if reader.len() > MAX_ENTRIES {
        return Err(bomb(path, format!("{} entries", reader.len())));
    }
    let mut entries = Vec::with_capacity(reader.len());
    let mut total_bytes = 0_u64;
    for index in 0..reader.len() {
        let entry = reader.by_index_raw(index).map_err(|e| damaged(path, &e))?;
        if !entry.is_file() {
            continue;
        }
        let name = entry.name().map_err(|e| damaged(path, &e))?.into_owned();
        check_size(path, entry.size(), entry.compressed_size())?;
        total_bytes = total_bytes.saturating_add(entry.size());
        entries.push((index, path.join(plain_name(&name)), entry.size()));
    }
    if total_bytes > MAX_TOTAL_BYTES {
        return Err(bomb(path, format!("{} GiB when unpacked", total_bytes >> 30)));
    }
    let archive = Arc::new(Archive { path: path.to_owned(), idle_readers: Mutex::new(vec![reader]) });
    Ok(entries.into_iter().map(|(index, p, len)| FoundFile::zipped(p, Arc::clone(&archive), index, len)).collect())
}

impl Archive {
    /// The first `count` bytes of an entry; fewer when it is shorter. Never unpacks more than it is asked for.
    pub(super) fn read(&self, index: usize, count: u64, path: &Path) -> Result<Vec<u8>, LoadError> {
        let mut reader = self.take_reader()?;
        let outcome = read_entry(&mut reader, index, count, path);
        self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        outcome
    }

    /// A second reader shares the directory that the first has read.
    fn take_reader(&self) -> Result<Reader, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: self.path.clone(), source };
        if let Some(reader) = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(reader);
        }
        let file = File::open(&self.path).map_err(unreadable)?;
        ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(&self.path, &e))
    }
}

fn read_entry(reader: &mut Reader, index: usize, count: u64, path: &Path) -> Result<Vec<u8>, LoadError> {
    let entry = reader.by_index(index).map_err(|e| damaged(path, &e))?;
    let mut bytes = Vec::with_capacity(count.min(entry.size()).min(1 << 20) as usize);
    entry
        .take(count)
        .read_to_end(&mut bytes)
        .map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    Ok(bytes)
}

fn check_size(path: &Path, bytes: u64, packed_bytes: u64) -> Result<(), LoadError> {
    let limit = packed_bytes.saturating_mul(MAX_RATIO).clamp(MIN_BYTES_FOR_RATIO, MAX_ENTRY_BYTES);
    if bytes > limit {
        return Err(bomb(path, format!("{packed_bytes} bytes that unpack to {bytes}")));
    }
    Ok(())
}

/// The entry's name without drive, root and `..`: used for messages and grouping, never to write.
fn plain_name(name: &str) -> PathBuf {
    name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | "..")).collect()
}

fn damaged(path: &Path, error: &zip::result::ZipError) -> LoadError {
    LoadError::Malformed { format: "ZIP archive", problem: error.to_string(), path: path.to_owned() }
}

fn bomb(path: &Path, found: String) -> LoadError {
    LoadError::ZipBomb { found, path: path.to_owned() }
}
