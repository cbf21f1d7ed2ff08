//! The 348 bytes before the voxels, and the extension that carries the stamp.

use super::placement::Placement;
use crate::io::rgb_image::Stamp;
use crate::volume::SYNTHETIC_MARK;

/// Most bytes that are read to find a stamp.
pub(super) const MOST_BYTES: u64 = 1 << 16;
/// Size of a NIfTI-1 header.
const HEADER_BYTES: usize = 348;
/// `NIFTI_TYPE_RGB24`.
const RGB24: i16 = 128;
/// `NIFTI_UNITS_MM`.
const MILLIMETRES: u8 = 2;
/// `NIFTI_XFORM_SCANNER_ANAT`.
const SCANNER: i16 = 1;
/// Extension code for a comment in plain text.
const COMMENT: i32 = 6;

/// What stands before the voxels.
pub(super) struct Header<'a> {
    placement: &'a Placement,
    extension: Vec<u8>,
    description: String,
}

impl<'a> Header<'a> {
    pub(super) fn new(placement: &'a Placement, stamp: &Stamp) -> Self {
        let description = format!("{SYNTHETIC_MARK}; ct2rgb {}", stamp.version);
        Self { placement, extension: format!("{SYNTHETIC_MARK}\n{}", stamp.to_lines()).into_bytes(), description }
    }

    /// Header and extension, little endian, a multiple of 16 bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let extension = (self.extension.len() + 8).next_multiple_of(16);
        let mut bytes = vec![0; HEADER_BYTES + 4 + extension];
        let voxels_at = bytes.len() as f32;
        let placement = self.placement;
        put(&mut bytes, 0, (HEADER_BYTES as i32).to_le_bytes());
        let [columns, rows, slices] = placement.size.map(|count| count as i16);
        put_all(&mut bytes, 40, [3, columns, rows, slices, 1, 1, 1, 1].map(i16::to_le_bytes));
        put(&mut bytes, 70, RGB24.to_le_bytes());
        put(&mut bytes, 72, 24_i16.to_le_bytes());
        let [width_mm, height_mm, depth_mm] = placement.spacing_mm.map(|mm| mm as f32);
        let (quaternion, handedness) = placement.quaternion();
        put_all(&mut bytes, 76, [handedness, width_mm, height_mm, depth_mm, 0.0, 0.0, 0.0, 0.0].map(f32::to_le_bytes));
        put(&mut bytes, 108, voxels_at.to_le_bytes());
        bytes[123] = MILLIMETRES;
        let description = self.description.as_bytes();
        bytes[148..148 + description.len().min(79)].copy_from_slice(&description[..description.len().min(79)]);
        let code = if placement.is_orientation_known { SCANNER } else { 0 };
        put_all(&mut bytes, 252, [code, code].map(i16::to_le_bytes));
        put_all(&mut bytes, 256, quaternion.map(f32::to_le_bytes));
        let rows = placement.ras_from_voxel();
        put_all(&mut bytes, 268, rows.map(|row| (row[3] as f32).to_le_bytes()));
        put_all(&mut bytes, 280, rows.as_flattened().iter().map(|&value| (value as f32).to_le_bytes()));
        put(&mut bytes, 344, *b"n+1\0");
        bytes[HEADER_BYTES] = 1;
        put(&mut bytes, HEADER_BYTES + 4, (extension as i32).to_le_bytes());
        put(&mut bytes, HEADER_BYTES + 8, COMMENT.to_le_bytes());
        let text = HEADER_BYTES + 12;
        bytes[text..text + self.extension.len()].copy_from_slice(&self.extension);
        bytes
    }
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

fn put_all<const N: usize>(bytes: &mut [u8], at: usize, values: impl IntoIterator<Item = [u8; N]>) {
    for (index, value) in values.into_iter().enumerate() {
        put(bytes, at + index * N, value);
    }
}

/// The stamp in the extension of a header.
pub(super) fn stamp_in(bytes: &[u8]) -> Option<Stamp> {
    let number = |at: usize| Some(i32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if number(0)? != HEADER_BYTES as i32 || bytes.get(344..348)? != b"n+1\0" || *bytes.get(HEADER_BYTES)? != 1 {
        return None;
    }
    let size = usize::try_from(number(HEADER_BYTES + 4)?).ok()?;
    let text = bytes.get(HEADER_BYTES + 12..)?.get(..size.checked_sub(8)?)?;
    Stamp::from_lines(std::str::from_utf8(text).ok()?.trim_end_matches('\0'))
}
