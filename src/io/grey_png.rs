//! 16-bit grey PNG, read within bounds.

use std::io::Cursor;

use super::files::FoundFile;
use super::one_per_slice::MAX_PIXELS;

/// Columns and rows of a 16-bit grey PNG, by its first bytes; `None` for everything else.
pub(super) fn size(head: &[u8]) -> Option<(usize, usize)> {
    let header = head.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let [w3, w2, w1, w0, h3, h2, h1, h0, 16, 0, ..] = *header else { return None };
    Some((u32::from_be_bytes([w3, w2, w1, w0]) as usize, u32::from_be_bytes([h3, h2, h1, h0]) as usize))
}

/// Whether a picture of this size is accepted.
pub(super) fn is_sane((columns, rows): (usize, usize)) -> bool {
    columns > 0 && rows > 0 && columns.saturating_mul(rows) <= MAX_PIXELS
}

/// The values of a picture of a known size, row by row; the text says in plain words why not.
pub(super) fn read(file: &FoundFile, columns: usize, rows: usize) -> Result<Vec<u16>, String> {
    // A PNG can be a little larger than its pixels.
    let limit = 2 * (columns * rows) as u64 * 2 + (1 << 20);
    let bytes = file.read_all(limit).map_err(|error| error.without_path())?;
    if size(&bytes) != Some((columns, rows)) {
        return Err("the picture is not what it was when the folder was scanned".to_owned());
    }
    let limits = png::Limits { bytes: limit as usize };
    let decoder = png::Decoder::new_with_limits(Cursor::new(&bytes), limits);
    let damaged = |error: png::DecodingError| format!("PNG is damaged ({error})");
    let mut reader = decoder.read_info().map_err(damaged)?;
    let wanted = columns * rows * 2;
    if reader.output_buffer_size() != Some(wanted) {
        return Err("PNG is not 16-bit grey".to_owned());
    }
    let mut cells = vec![0; wanted];
    reader.next_frame(&mut cells).map_err(damaged)?;
    Ok(cells.as_chunks::<2>().0.iter().map(|cell| u16::from_be_bytes(*cell)).collect())
}
