//! 8-bit sRGB pictures as PNG, with the mark of synthetic colour and a stamp that says how they were made.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::atomic_file::{AtomicFile, WriteError, write_atomically};
use super::panes::PixelBox;
use crate::volume::{ColorSlice, CtSlice, SYNTHETIC_MARK};

/// Most pixels that a picture is enlarged to.
const MOST_PIXELS: f64 = 64e6;
/// Pixels whose sides differ by less than this share count as square.
const SQUARE_WITHIN: f64 = 1e-3;
/// Keywords of the stamp in the file.
const KEYWORDS: [&str; 4] = ["ct2rgb version", "ct2rgb weights", "ct2rgb recipe", "ct2rgb content"];
/// Longest text of a PNG that is read.
const MOST_TEXT_BYTES: usize = 1 << 20;
/// The end of every complete PNG: length, name and checksum of the chunk IEND.
const END_OF_PNG: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

/// A picture in 8-bit sRGB.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    columns: usize,
    rows: usize,
    rgb8: Vec<u8>,
    pixel_size_mm: Option<[f64; 2]>,
}

impl Picture {
    /// `rgb8`: `rows · columns · 3` bytes, red first. `pixel_size_mm`: width and height, `None` when the file does not say.
    ///
    /// # Panics
    /// When `rgb8` has another length.
    pub fn new(columns: usize, rows: usize, rgb8: Vec<u8>, pixel_size_mm: Option<[f64; 2]>) -> Self {
        assert_eq!(rgb8.len(), columns * rows * 3, "a picture holds columns × rows colours");
        Self { columns, rows, rgb8, pixel_size_mm }
    }

    /// A black picture.
    pub fn black(columns: usize, rows: usize) -> Self {
        Self::new(columns, rows, vec![0; columns * rows * 3], None)
    }

    /// A slice's colours on its own grid.
    pub fn of_color(color: &ColorSlice, pixel_size_mm: Option<[f64; 2]>) -> Self {
        Self::new(color.columns, color.rows, color.rgb8.to_vec(), pixel_size_mm)
    }

    /// Pixels in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `rows · columns · 3` bytes, red first.
    pub fn rgb8(&self) -> &[u8] {
        &self.rgb8
    }

    /// Width and height of a pixel in mm, when known.
    pub fn pixel_size_mm(&self) -> Option<[f64; 2]> {
        self.pixel_size_mm
    }

    /// The same picture with pixels of this size.
    pub(super) fn with_pixel_size(mut self, pixel_size_mm: Option<[f64; 2]>) -> Self {
        self.pixel_size_mm = pixel_size_mm;
        self
    }

    /// The same colours, to draw on.
    pub(super) fn pixels_mut(&mut self) -> &mut [[u8; 3]] {
        self.rgb8.as_chunks_mut().0
    }

    pub(super) fn pixels(&self) -> &[[u8; 3]] {
        self.rgb8.as_chunks().0
    }

    /// Copies another picture here, as far as there is room.
    pub(super) fn paste(&mut self, other: &Self, column: usize, row: usize) {
        let columns = other.columns.min(self.columns.saturating_sub(column));
        for source_row in 0..other.rows.min(self.rows.saturating_sub(row)) {
            let target = ((row + source_row) * self.columns + column) * 3;
            let source = source_row * other.columns * 3;
            self.rgb8[target..target + columns * 3].copy_from_slice(&other.rgb8[source..source + columns * 3]);
        }
    }

    /// A part of the picture, as far as it lies inside.
    #[must_use]
    pub fn part(&self, part: PixelBox) -> Self {
        let (left, top) = (part.left.min(self.columns), part.top.min(self.rows));
        let (columns, rows) = (part.columns.min(self.columns - left), part.rows.min(self.rows - top));
        let mut picture = Self::black(columns, rows).with_pixel_size(self.pixel_size_mm);
        for row in 0..rows {
            let source = ((top + row) * self.columns + left) * 3;
            picture.rgb8[row * columns * 3..][..columns * 3].copy_from_slice(&self.rgb8[source..][..columns * 3]);
        }
        picture
    }

    /// The same picture with square pixels, so that every viewer shows the body in its shape: the coarser axis is interpolated.
    /// As it is where pixels are square, of unknown size, or so odd that the picture would be huge.
    #[must_use]
    pub fn with_square_pixels(self) -> Self {
        let Some([width_mm, height_mm]) = self.pixel_size_mm else { return self };
        let finest_mm = width_mm.min(height_mm);
        let size = [self.columns as f64 * width_mm / finest_mm, self.rows as f64 * height_mm / finest_mm];
        let is_square = (width_mm - height_mm).abs() <= SQUARE_WITHIN * finest_mm;
        if is_square || finest_mm <= 0.0 || size[0] * size[1] > MOST_PIXELS {
            return self;
        }
        let mut picture = self.resized(size[0].round() as usize, size[1].round() as usize);
        picture.pixel_size_mm = Some([finest_mm; 2]);
        picture
    }

    /// The same picture at another size, bilinear: for enlarging.
    pub(super) fn resized(&self, columns: usize, rows: usize) -> Self {
        let mut picture = Self::black(columns, rows);
        if self.columns == 0 || self.rows == 0 {
            return picture;
        }
        let places = |count: usize, source: usize| -> Vec<(usize, usize, f32)> {
            let place = |index: usize| (index as f32 + 0.5) * source as f32 / count as f32 - 0.5;
            let bounded = (0..count).map(|index| place(index).clamp(0.0, source as f32 - 1.0));
            bounded.map(|place| (place as usize, (place as usize + 1).min(source - 1), place.fract())).collect()
        };
        let at_columns = places(columns, self.columns);
        let pixels = self.pixels();
        for (row, (top, bottom, down)) in places(rows, self.rows).into_iter().enumerate() {
            let (top, bottom) = (&pixels[top * self.columns..], &pixels[bottom * self.columns..]);
            let target = &mut picture.pixels_mut()[row * columns..(row + 1) * columns];
            for (target, &(left, right, across)) in target.iter_mut().zip(&at_columns) {
                *target = std::array::from_fn(|k| {
                    let mix = |a: u8, b: u8| f32::from(a) + (f32::from(b) - f32::from(a)) * across;
                    let (upper, lower) = (mix(top[left][k], top[right][k]), mix(bottom[left][k], bottom[right][k]));
                    (upper + (lower - upper) * down + 0.5) as u8
                });
            }
        }
        picture
    }
}

/// How a picture was made: equal stamps mean equal pictures, so that finished ones need not be made again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Of this program.
    pub version: String,
    /// SHA-256 of the weights, hexadecimal.
    pub weights_sha256: String,
    /// The recipe on one line of JSON.
    pub recipe: String,
    /// Everything else that decides the pixels; see [`content_hash`].
    pub content: String,
}

impl Stamp {
    fn texts(&self) -> [(&'static str, &str); 4] {
        let [version, weights, recipe, content] = KEYWORDS;
        [(version, &self.version), (weights, &self.weights_sha256), (recipe, &self.recipe), (content, &self.content)]
    }

    /// One line a field: for files that have one place for a comment.
    pub(super) fn to_lines(&self) -> String {
        self.texts().map(|(key, text)| format!("{key}: {text}")).join("\n")
    }

    pub(super) fn from_lines(lines: &str) -> Option<Self> {
        Self::from_texts(|key| {
            lines.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).map(str::to_owned)
        })
    }

    fn from_texts(mut text: impl FnMut(&str) -> Option<String>) -> Option<Self> {
        let [version, weights, recipe, content] = KEYWORDS;
        Some(Self {
            version: text(version)?,
            weights_sha256: text(weights)?,
            recipe: text(recipe)?,
            content: text(content)?,
        })
    }
}

/// A hash of a slice's CT values, the size of its pixels, and what else a picture shows (window, ranges, panes), in words.
/// It tells pictures apart without naming anyone.
pub fn content_hash(slice: &CtSlice, pixel_size_mm: [f64; 2], settings: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((slice.columns() as u64).to_le_bytes());
    for mm in pixel_size_mm {
        hash.update(mm.to_le_bytes());
    }
    hash.update(bytemuck::cast_slice::<i16, u8>(slice.values_hu()));
    hash.update(settings.as_bytes());
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// Writes a picture as PNG under a temporary name and renames it. Its texts say that the colours are synthetic, and how they
/// were made; its pixel size is there when it is known.
pub fn write_png(path: &Path, picture: &Picture, stamp: &Stamp) -> Result<(), WriteError> {
    write_atomically(path, |file| {
        encode(file, picture, stamp).map_err(|source| match source {
            png::EncodingError::IoError(source) => WriteError::from_io(path, source),
            source => {
                WriteError::Picture { columns: picture.columns, rows: picture.rows, path: path.to_owned(), source }
            }
        })
    })
}

fn encode(file: &mut AtomicFile, picture: &Picture, stamp: &Stamp) -> Result<(), png::EncodingError> {
    let too_large = || png::EncodingError::from(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    let columns = u32::try_from(picture.columns).map_err(|_overflow| too_large())?;
    let rows = u32::try_from(picture.rows).map_err(|_overflow| too_large())?;
    let mut encoder = png::Encoder::new(file, columns, rows);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.set_pixel_dims(picture.pixel_size_mm.and_then(pixels_per_metre));
    encoder.add_text_chunk("Software".to_owned(), format!("ct2rgb {}", stamp.version))?;
    encoder.add_text_chunk("Description".to_owned(), SYNTHETIC_MARK.to_owned())?;
    for (keyword, text) in stamp.texts() {
        encoder.add_itxt_chunk(keyword.to_owned(), text.to_owned())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.rgb8)?;
    writer.finish()
}

fn pixels_per_metre([width_mm, height_mm]: [f64; 2]) -> Option<png::PixelDimensions> {
    let per_metre = |mm: f64| (mm > 0.0).then(|| (1000.0 / mm).round()).filter(|count| (1.0..=1e9).contains(count));
    let (xppu, yppu) = (per_metre(width_mm)? as u32, per_metre(height_mm)? as u32);
    Some(png::PixelDimensions { xppu, yppu, unit: png::Unit::Meter })
}

/// The stamp of a finished picture; `None` when there is none, or the file is no complete picture of this program.
pub fn read_stamp(path: &Path) -> Option<Stamp> {
    let texts = texts_of_complete_png(path)?;
    Stamp::from_texts(|key| texts.iter().find(|(keyword, _)| keyword == key).map(|(_, text)| text.clone()))
}

/// Keywords and texts (iTXt) of a PNG that is there to its last byte; `None` for every other file.
pub(super) fn texts_of_complete_png(path: &Path) -> Option<Vec<(String, String)>> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut end = [0; END_OF_PNG.len()];
    file.seek(SeekFrom::End(-(END_OF_PNG.len() as i64))).ok()?;
    file.read_exact(&mut end).ok()?;
    if end != END_OF_PNG {
        return None;
    }
    file.rewind().ok()?;
    let limits = png::Limits { bytes: MOST_TEXT_BYTES };
    let reader = png::Decoder::new_with_limits(std::io::BufReader::new(file), limits).read_info().ok()?;
    let texts = reader.info().utf8_text.iter();
    Some(texts.filter_map(|text| Some((text.keyword.clone(), text.get_text().ok()?))).collect())
}
