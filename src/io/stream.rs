//! Files from front to back, unpacked on the way where they are packed with gzip or compress; never more in memory than a block.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::LoadError;
use super::files::FoundFile;
use super::unix_compress;

/// Read from a file at once.
const BLOCK_BYTES: u64 = 256 << 10;
/// Largest entry of a ZIP that is itself compressed: it has to be held whole.
const MAX_ZIPPED_BYTES: u64 = 1 << 30;
/// Deflate cannot pack tighter than this (RFC 1951: 258 bytes from 2 bits).
const MAX_DEFLATE_RATIO: u64 = 1032;

/// How a file's content is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// Unix `compress`.
    Compress,
}

impl Packing {
    /// By a file's first bytes.
    pub(super) fn of(head: &[u8]) -> Self {
        if head.starts_with(&[0x1F, 0x8B, 0x08]) {
            Self::Gzip
        } else if head.starts_with(&unix_compress::MAGIC) {
            Self::Compress
        } else {
            Self::Plain
        }
    }

    fn unpacker<'a>(self, packed: impl BufRead + 'a) -> Box<dyn Read + 'a> {
        match self {
            Self::Plain => Box::new(packed),
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Compress => Box::new(unix_compress::Unpacker::new(packed)),
        }
    }
}

/// The start of a file's content, unpacked when it is packed; at most `count` bytes, fewer when `head` holds no more.
pub(super) fn content_head(head: &[u8], count: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(count);
    match Packing::of(head) {
        Packing::Plain => content.extend_from_slice(&head[..head.len().min(count)]),
        packing => {
            let mut unpacked = packing.unpacker(head).take(count as u64);
            let mut piece = [0; 512];
            // A head ends in the middle of the stream: what came before that is what there is.
            while let Ok(read @ 1..) = unpacked.read(&mut piece) {
                content.extend_from_slice(&piece[..read]);
            }
        }
    }
    content
}

/// Whether `bytes` can come out of a file at all: checked before anything is allocated for them.
pub(super) fn can_hold(file: &FoundFile, packing: Packing, bytes: u64) -> bool {
    let most_ratio = match packing {
        Packing::Plain => 1,
        Packing::Gzip => MAX_DEFLATE_RATIO,
        Packing::Compress => unix_compress::LONGEST_STRING,
    };
    bytes <= file.len().saturating_mul(most_ratio)
}

/// A file's content from its first byte on.
pub(super) fn open(file: &FoundFile, packing: Packing) -> Result<Box<dyn Read + '_>, LoadError> {
    if file.is_seekable() {
        let blocks = BufReader::with_capacity(BLOCK_BYTES as usize, Blocks { file, offset: 0 });
        Ok(packing.unpacker(blocks))
    } else {
        Ok(packing.unpacker(Cursor::new(file.read_all(MAX_ZIPPED_BYTES)?)))
    }
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
