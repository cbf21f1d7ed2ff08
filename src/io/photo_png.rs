//! Pictures that are no synthetic colour as PNG: 16-bit grey of a CT, 8-bit photographs with a note in them.

use std::path::Path;

use super::atomic_file::{WriteError, write_atomically};
use super::rgb_image::texts_of_complete_png;

/// Keyword of the note.
const NOTE: &str = "ct2rgb prepare";

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
    let texts = texts_of_complete_png(path)?;
    texts.into_iter().find_map(|(keyword, text)| (keyword == NOTE).then_some(text))
}
