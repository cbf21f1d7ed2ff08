//! JPEG 2000 and HTJ2K through openjp2; the codestream's structure is checked before (T.800 annex A).

use jpeg2k::{DecodeParameters, Image};

use super::{CodecError, CodedSize, FrameLayout};

const CODEC: &str = "JPEG 2000";
/// Tiles of one picture: 64 × 64 pixels each in the largest CT.
const MAX_TILES: u64 = 4096;

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are signed when the codestream says so.
pub(super) fn decode(bytes: &[u8], layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    let codestream = bare_codestream(bytes)?;
    check_size(codestream, layout)?;
    let codestream = &codestream[..end_of_tiles(codestream)?];
    let image = Image::from_bytes_with(codestream, DecodeParameters::new().strict(true))
        .map_err(|_source| damaged("it cannot be decoded"))?;
    let [component] = image.components() else { return Err(damaged("it has several components")) };
    if (component.width() as usize, component.height() as usize) != (layout.columns, layout.rows) {
        return Err(damaged("it decodes to another size than it says"));
    }
    Ok(component.data().to_vec())
}

/// Without the boxes of a JP2 file, which DICOM forbids and some writers leave in place.
fn bare_codestream(bytes: &[u8]) -> Result<&[u8], CodecError> {
    const START: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
    const MAX_BOXES: usize = 4096;
    if bytes.starts_with(&START) {
        return Ok(bytes);
    }
    let start = bytes.windows(4).take(MAX_BOXES).position(|window| window == START);
    start.map(|at| &bytes[at..]).ok_or_else(|| damaged("its start marker is missing"))
}

fn word(bytes: &[u8], at: usize) -> Result<u32, CodecError> {
    let word = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>());
    word.map(|b| u32::from_be_bytes(*b)).ok_or_else(|| damaged("it is cut short"))
}

fn half(bytes: &[u8], at: usize) -> Result<usize, CodecError> {
    let half = bytes.get(at..at + 2).and_then(|b| b.first_chunk::<2>());
    half.map(|b| usize::from(u16::from_be_bytes(*b))).ok_or_else(|| damaged("it is cut short"))
}

/// SIZ (A.5.1): one component at full resolution, of the header's size, in a sane number of tiles.
fn check_size(codestream: &[u8], layout: &FrameLayout) -> Result<(), CodecError> {
    const FIRST: usize = 8;
    let at = |k: usize| word(codestream, FIRST + 4 * k);
    let [x1, y1, x0, y0] = [at(0)?, at(1)?, at(2)?, at(3)?];
    let (tile_columns, tile_rows) = (at(4)?, at(5)?);
    let components = half(codestream, 40)?;
    let size = CodedSize { columns: x1.saturating_sub(x0) as usize, rows: y1.saturating_sub(y0) as usize, components };
    size.check(CODEC, layout)?;
    let component = codestream.get(42..45).ok_or_else(|| damaged("it is cut short"))?;
    if component[1..] != [1, 1] {
        return Err(damaged("its samples are further apart than its pixels"));
    }
    if (component[0] & 0x7F) + 1 > 16 {
        return Err(damaged("its samples have more than 16 bits"));
    }
    if tile_columns == 0 || tile_rows == 0 {
        return Err(damaged("its tiles are empty"));
    }
    let tiles = u64::from(x1.div_ceil(tile_columns)) * u64::from(y1.div_ceil(tile_rows));
    if tiles > MAX_TILES { Err(damaged("it has too many tiles")) } else { Ok(()) }
}

/// Where the last tile part ends; a codestream that is cut within its tiles would give a picture with holes.
fn end_of_tiles(codestream: &[u8]) -> Result<usize, CodecError> {
    const START_OF_TILE_PART: usize = 0xFF90;
    const END: usize = 0xFFD9;
    let mut at = 2;
    loop {
        match half(codestream, at)? {
            START_OF_TILE_PART => break,
            0xFF30..=0xFF3F => at += 2,
            0xFF00..=0xFFFF => at += 2 + half(codestream, at + 2)?.max(2),
            _ => return Err(damaged("a marker is missing")),
        }
    }
    while at < codestream.len() {
        match half(codestream, at) {
            Ok(START_OF_TILE_PART) => {}
            Ok(END) => return Ok(at + 2),
            // Padding to an even length where the end marker was left out.
            _ if codestream.len() - at <= 2 => return Ok(at),
            _ => return Err(damaged("it is cut short")),
        }
        let length = word(codestream, at + 6)? as usize;
        if length == 0 {
            // Up to the end marker.
            let trimmed = codestream.len() - codestream.iter().rev().take_while(|b| **b == 0).count();
            return if codestream[..trimmed].ends_with(&[0xFF, 0xD9]) {
                Ok(trimmed)
            } else {
                Err(damaged("it is cut short"))
            };
        }
        at = at.saturating_add(length.max(12));
    }
    if at == codestream.len() { Ok(at) } else { Err(damaged("it is cut short")) }
}
