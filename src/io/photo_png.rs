//! Pictures that are no synthetic colour as PNG: 16-bit grey of a CT, 8-bit photographs with a note in them.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::atomic_file::{WriteError, write_atomically};

/// Keyword of the note.
const NOTE: &str = "ct2rgb prepare";
/// Longest note.
const MAX_NOTE_BYTES: usize = 1 << 20;
/// The end of every complete PNG: length, name and checksum of the chunk IEND.
const END_OF_PNG: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

/// Size of a picture that is to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PngSize {
    /// Pixels in a row.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// Size of a pixel.
    pub mm_per_pixel: f64,
}

/// Writes 16-bit grey under a temporary name and renames it.
pub fn write_grey16(path: &Path, size: PngSize, values: &[u16]) -> Result<(), WriteError> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    write(path, size, (png::ColorType::Grayscale, png::BitDepth::Sixteen), &bytes, &[])
}

/// Writes 8-bit colour under a temporary name and renames it. `note` can be read back by [`read_note`]; `description` is for
/// people.
pub fn write_photo(path: &Path, size: PngSize, rgb8: &[u8], note: &str, description: &str) -> Result<(), WriteError> {
    let texts = [(NOTE, note), ("Description", description)];
    write(path, size, (png::ColorType::Rgb, png::BitDepth::Eight), rgb8, &texts)
}

fn write(
    path: &Path,
    size: PngSize,
    (color, depth): (png::ColorType, png::BitDepth),
    bytes: &[u8],
    texts: &[(&str, &str)],
) -> Result<(), WriteError> {
    let PngSize { columns, rows, mm_per_pixel } = size;
    write_atomically(path, |file| {
        let encoded = (|| {
            let mut encoder = png::Encoder::new(file, columns as u32, rows as u32);
            encoder.set_color(color);
            encoder.set_depth(depth);
            encoder.set_compression(png::Compression::Balanced);
            let per_metre = (1000.0 / mm_per_pixel).round() as u32;
            encoder.set_pixel_dims((per_metre > 0).then_some(png::PixelDimensions {
                xppu: per_metre,
                yppu: per_metre,
                unit: png::Unit::Meter,
            }));
            for (keyword, text) in texts {
                encoder.add_itxt_chunk((*keyword).to_owned(), (*text).to_owned())?;
            }
            let mut writer = encoder.write_header()?;
            writer.write_image_data(bytes)?;
            writer.finish()
        })();
        encoded.map_err(|source| match source {
            png::EncodingError::IoError(source) => WriteError::from_io(path, source),
            source => WriteError::Picture { columns, rows, path: path.to_owned(), source },
        })
    })
}

/// The note in a complete picture of [`write_photo`]; `None` for every other file.
pub fn read_note(path: &Path) -> Option<String> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut end = [0; END_OF_PNG.len()];
    file.seek(SeekFrom::End(-(END_OF_PNG.len() as i64))).ok()?;
    file.read_exact(&mut end).ok()?;
    if end != END_OF_PNG {
        return None;
    }
    file.rewind().ok()?;
    let limits = png::Limits { bytes: MAX_NOTE_BYTES };
    let reader = png::Decoder::new_with_limits(std::io::BufReader::new(file), limits).read_info().ok()?;
    reader.info().utf8_text.iter().find(|text| text.keyword == NOTE)?.get_text().ok()
}
