//! Colour pictures in DICOM: uncompressed RGB, interleaved or plane by plane (PS3.3 C.7.6.3.1.3).

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::header::{self, Header, HeaderError};
use super::syntax;
use crate::io::files::FoundFile;
use crate::io::one_per_slice::MAX_PIXELS;

/// What the header of a colour picture says.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::io) struct ColorHeader {
    pub(in crate::io) columns: usize,
    pub(in crate::io) rows: usize,
    /// Distance between rows, then between columns.
    pub(in crate::io) pixel_spacing_mm: Option<[f64; 2]>,
    /// Centre of the top left pixel in the patient.
    pub(in crate::io) position_mm: Option<[f64; 3]>,
    /// Direction of increasing columns, then of increasing rows.
    pub(in crate::io) orientation: Option<[f64; 6]>,
    pub(in crate::io) slice_location_mm: Option<f64>,
    /// All red, then all green, then all blue.
    is_planar: bool,
}

/// A colour picture, as stored.
pub(in crate::io) struct Color {
    pub(in crate::io) header: ColorHeader,
    pub(in crate::io) pixels: Vec<[u8; 3]>,
}

/// Reads the header; the text says what is wrong, in few words.
pub(in crate::io) fn read_color_header(file: &FoundFile) -> Result<ColorHeader, String> {
    color_header(&read_header(file)?)
}

/// Reads header and pixels; the text says in plain words why not.
pub(in crate::io) fn read_color(file: &FoundFile) -> Result<Color, String> {
    let whole = read_header(file)?;
    let header = color_header(&whole)?;
    let pixel_count = header.columns * header.rows;
    let bytes = read_cells(file, &whole, pixel_count * 3)?;
    let pixels = if header.is_planar {
        (0..pixel_count).map(|i| [bytes[i], bytes[pixel_count + i], bytes[2 * pixel_count + i]]).collect()
    } else {
        bytes.as_chunks::<3>().0[..pixel_count].to_vec()
    };
    Ok(Color { header, pixels })
}

fn read_header(file: &FoundFile) -> Result<Header, String> {
    header::read(file).map_err(in_words)
}

fn in_words(error: HeaderError) -> String {
    match error {
        HeaderError::Load(error) => error.without_path(),
        HeaderError::Damaged(problem) => problem,
    }
}

fn color_header(whole: &Header) -> Result<ColorHeader, String> {
    let top = Attributes(&whole.object);
    let photometric = top.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    if top.whole(tags::SAMPLES_PER_PIXEL) != Some(3) {
        return Err("DICOM in grey".to_owned());
    }
    if photometric != "RGB" || top.whole(tags::BITS_ALLOCATED) != Some(8) {
        return Err("DICOM in colours other than 8-bit RGB; convert it with dcmconv or gdcmconv".to_owned());
    }
    if top.whole(tags::NUMBER_OF_FRAMES).is_some_and(|count| count != 1) {
        return Err("DICOM of several frames; one a file is supported".to_owned());
    }
    if !syntax::is_uncompressed(&whole.syntax_uid) {
        let name = syntax::name(&whole.syntax_uid);
        return Err(format!("DICOM in colour packed as {name}; unpack it with gdcmconv -w"));
    }
    let side = |tag| top.whole(tag).and_then(|side| usize::try_from(side).ok()).unwrap_or(0);
    let (columns, rows) = (side(tags::COLUMNS), side(tags::ROWS));
    if columns == 0 || rows == 0 || columns.saturating_mul(rows) > MAX_PIXELS {
        return Err(format!("DICOM of {columns} × {rows} pixels"));
    }
    let is_length = |mm: &f64| (1e-3..1e2).contains(mm);
    Ok(ColorHeader {
        columns,
        rows,
        pixel_spacing_mm: top.vector(tags::PIXEL_SPACING).filter(|spacing| spacing.iter().all(is_length)),
        position_mm: top.vector(tags::IMAGE_POSITION_PATIENT),
        orientation: top.vector(tags::IMAGE_ORIENTATION_PATIENT),
        slice_location_mm: top.number(tags::SLICE_LOCATION).filter(|mm| mm.is_finite()),
        is_planar: top.whole(tags::PLANAR_CONFIGURATION) == Some(1),
    })
}

/// Exactly so many bytes of pixels.
fn read_cells(file: &FoundFile, whole: &Header, count: usize) -> Result<Vec<u8>, String> {
    let pixels = whole.pixels.ok_or("the file has a header and no pixel data")?;
    let cut_short = || "the file ends within its pixels; copy it again".to_owned();
    if pixels.length.is_none_or(|length| length < count as u64) {
        return Err("the pixel data is shorter than the picture".to_owned());
    }
    let mut bytes = match whole.deflated_from {
        Some(from) => {
            let all = header::inflate(file, from, pixels.offset as usize + count).map_err(in_words)?;
            all.get(pixels.offset as usize..).ok_or_else(cut_short)?.to_vec()
        }
        None if pixels.offset.saturating_add(count as u64) > file.len() => return Err(cut_short()),
        None => {
            let mut bytes = vec![0; count];
            file.read_range(pixels.offset, &mut bytes).map_err(|error| error.without_path())?;
            bytes
        }
    };
    if bytes.len() < count {
        return Err(cut_short());
    }
    if syntax::has_big_endian_pixels(&whole.syntax_uid) && pixels.vr == VR::OW {
        // Two samples share a big-endian word, the first in its low byte (PS3.5 D.2).
        bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
    }
    Ok(bytes)
}
