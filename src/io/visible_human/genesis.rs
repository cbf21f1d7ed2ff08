//! GE Genesis pictures (`.fre`, `.fro`): big-endian header and 16-bit pixels, HU = value − 1024.

use std::io::Read as _;

use super::hu_of_stored;
use crate::io::files::FoundFile;
use crate::io::one_per_slice::MAX_PIXELS;
use crate::io::stream::{self, Packing};

/// `IMGF`.
pub(super) const MAGIC: &[u8] = b"IMGF";
/// Up to the last corner in the image header of NLM's files.
const HEADER_BYTES: usize = 4096;
/// Pixels begin at 3416 in NLM's files.
const MAX_PIXEL_OFFSET: usize = 1 << 20;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GenesisHeader {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Width and height of a pixel.
    pub(super) pixel_size_mm: Option<[f64; 2]>,
    /// Bytes before the first pixel.
    pixel_offset: usize,
}

/// Reads the header of a file; the text says in plain words what is wrong.
pub(super) fn read_header(file: &FoundFile) -> Result<GenesisHeader, String> {
    let head = file.read_head(HEADER_BYTES).map_err(|error| error.without_path())?;
    let header = parse(&stream::content_head(&head, HEADER_BYTES))?;
    let bytes = header.pixel_offset + header.columns * header.rows * 2;
    if !stream::can_hold(file, Packing::of(&head), bytes as u64) {
        return Err(cut_short());
    }
    Ok(header)
}

fn cut_short() -> String {
    "file ends within its pixels; copy it again".to_owned()
}

fn parse(head: &[u8]) -> Result<GenesisHeader, String> {
    let word = |at: usize| {
        let bytes = head.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map(|b| u32::from_be_bytes(*b)).ok_or_else(|| "header is cut short; copy the file again".to_owned())
    };
    if !head.starts_with(MAGIC) {
        return Err("the mark IMGF is missing".to_owned());
    }
    let (columns, rows) = (word(8)? as usize, word(12)? as usize);
    if columns == 0 || rows == 0 || columns.saturating_mul(rows) > MAX_PIXELS {
        return Err(format!("picture is said to be {columns} × {rows} pixels"));
    }
    let (depth, compression) = (word(16)?, word(20)?);
    if depth != 16 {
        return Err(format!("pixels have {depth} bits; 16 are supported"));
    }
    if compression != 1 {
        return Err(format!("pixels are compressed (kind {compression}); only uncompressed ones are supported"));
    }
    let pixel_offset = word(4)? as usize;
    if !(156..=MAX_PIXEL_OFFSET).contains(&pixel_offset) {
        return Err(format!("pixels are said to begin at byte {pixel_offset}"));
    }
    let image_header = word(148)? as usize;
    let length = |at: usize| {
        let at = image_header.checked_add(at).filter(|at| at + 4 <= pixel_offset)?;
        let length = f64::from(f32::from_bits(word(at).ok()?));
        (1e-3..1e2).contains(&length).then_some(length)
    };
    let pixel_size_mm = length(50).zip(length(54)).map(|(x, y)| [x, y]);
    Ok(GenesisHeader { columns, rows, pixel_size_mm, pixel_offset })
}

/// The picture in HU.
pub(super) fn read(file: &FoundFile, columns: usize, rows: usize) -> Result<Vec<i16>, String> {
    let header = read_header(file)?;
    if (header.columns, header.rows) != (columns, rows) {
        return Err("the picture is not what it was when the folder was scanned".to_owned());
    }
    let head = file.read_head(4).map_err(|error| error.without_path())?;
    let mut content = stream::open(file, Packing::of(&head)).map_err(|error| error.without_path())?;
    let mut bytes = vec![0; header.pixel_offset + columns * rows * 2];
    content.read_exact(&mut bytes).map_err(|_source| cut_short())?;
    let cells = bytes[header.pixel_offset..].as_chunks::<2>().0;
    Ok(cells.iter().map(|cell| hu_of_stored(u16::from_be_bytes(*cell))).collect())
}
