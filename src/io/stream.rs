//! Files from front to back, unpacked on the way where they are gzipped; never more in memory than a block.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::LoadError;
use super::files::FoundFile;

/// Read from a file at once.
const BLOCK_BYTES: u64 = 256 << 10;
/// Largest entry of a ZIP that is itself compressed: it has to be held whole.
const MAX_ZIPPED_BYTES: u64 = 1 << 30;
/// Deflate cannot pack tighter than this (RFC 1951: 258 bytes from 2 bits).
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Whether a file starts like gzip.
pub(super) fn is_gzipped(head: &[u8]) -> bool {
    head.starts_with(&[0x1F, 0x8B, 0x08])
}

/// The start of a file's content, unpacked when it is gzipped; at most `count` bytes, fewer when `head` holds no more.
pub(super) fn content_head(head: &[u8], count: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(count);
    if is_gzipped(head) {
        let mut unpacked = MultiGzDecoder::new(head).take(count as u64);
        let mut piece = [0; 512];
        // A head ends in the middle of the stream: what came before that is what there is.
        while let Ok(read @ 1..) = unpacked.read(&mut piece) {
            content.extend_from_slice(&piece[..read]);
        }
    } else {
        content.extend_from_slice(&head[..head.len().min(count)]);
    }
    content
}

/// Whether `bytes` can come out of a file at all: checked before anything is allocated for them.
pub(super) fn can_hold(file: &FoundFile, is_gzipped: bool, bytes: u64) -> bool {
    let most = if is_gzipped { file.len().saturating_mul(MAX_DEFLATE_RATIO) } else { file.len() };
    bytes <= most
}

/// A file's content from its first byte on.
pub(super) fn open(file: &FoundFile, is_gzipped: bool) -> Result<Box<dyn Read + '_>, LoadError> {
    let packed: Box<dyn BufRead + '_> = if file.is_seekable() {
        Box::new(BufReader::with_capacity(BLOCK_BYTES as usize, Blocks { file, offset: 0 }))
    } else {
        Box::new(Cursor::new(file.read_all(MAX_ZIPPED_BYTES)?))
    };
    Ok(if is_gzipped { Box::new(MultiGzDecoder::new(packed)) } else { packed })
}

struct Blocks<'a> {
    file: &'a FoundFile,
    offset: u64,
}

impl Read for Blocks<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.file.len().saturating_sub(self.offset);
        let count = left.min(bytes.len() as u64).min(BLOCK_BYTES) as usize;
        self.file.read_range(self.offset, &mut bytes[..count]).map_err(|error| match error {
            LoadError::Unreadable { source, .. } => source,
            other => io::Error::other(other.without_path()),
        })?;
        self.offset += count as u64;
        Ok(count)
    }
}
