//! The photograph on the CT's field of view, without the gelatin around the body.

use super::super::registration::{Placement, Plane};
use crate::io::CryosectionPicture;

/// What stood around the body.
const OUTSIDE: [u8; 3] = [0; 3];
/// Samples of a pixel in each direction: the originals are finer than what is written.
const SUBSAMPLES: usize = 2;

/// A grid on the CT's field of view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// In the CT's millimetres.
    pub(super) mm_per_pixel: f64,
}

/// The colours of `picture` on `field`, black where `kept` (on the pixels of `plane`) is false. `photo_mm`: pixel size of the
/// picture.
pub(super) fn render(
    picture: &CryosectionPicture,
    photo_mm: f64,
    placement: &Placement,
    field: Field,
    (plane, kept): (&Plane, &[bool]),
) -> Vec<u8> {
    let mut rgb8 = Vec::with_capacity(field.columns * field.rows * 3);
    let place = |column: f64, row: f64| {
        let ct_mm = [
            (column - field.columns as f64 / 2.0) * field.mm_per_pixel,
            (row - field.rows as f64 / 2.0) * field.mm_per_pixel,
        ];
        placement.on_photo_mm(ct_mm)
    };
    let offset = |sample: usize| (sample as f64 + 0.5) / SUBSAMPLES as f64;
    for row in 0..field.rows {
        for column in 0..field.columns {
            let center = place(column as f64 + 0.5, row as f64 + 0.5);
            if !plane.index_at(center).is_some_and(|index| kept[index]) {
                rgb8.extend(OUTSIDE);
                continue;
            }
            let mut sum = [0.0; 3];
            for sample in 0..SUBSAMPLES * SUBSAMPLES {
                let (across, down) = (offset(sample % SUBSAMPLES), offset(sample / SUBSAMPLES));
                let color = color_at(picture, photo_mm, place(column as f64 + across, row as f64 + down));
                (0..3).for_each(|k| sum[k] += color[k]);
            }
            rgb8.extend(sum.map(|value| (value / (SUBSAMPLES * SUBSAMPLES) as f32).round() as u8));
        }
    }
    rgb8
}

/// Bilinear; the edge pixels go on beyond the picture.
fn color_at(picture: &CryosectionPicture, photo_mm: f64, [x, y]: [f64; 2]) -> [f32; 3] {
    let pixel = |mm: f64, count: usize| (mm / photo_mm + count as f64 / 2.0 - 0.5).clamp(0.0, count as f64 - 1.0);
    let (x, y) = (pixel(x, picture.columns), pixel(y, picture.rows));
    let (column, row) = (x as usize, y as usize);
    let (across, down) = (x as f32 - column as f32, y as f32 - row as f32);
    let (right, below) = ((column + 1).min(picture.columns - 1), (row + 1).min(picture.rows - 1));
    let at = |column: usize, row: usize| picture.pixels[row * picture.columns + column].map(f32::from);
    let corners = [at(column, row), at(right, row), at(column, below), at(right, below)];
    std::array::from_fn(|k| {
        let upper = corners[0][k] + (corners[1][k] - corners[0][k]) * across;
        let lower = corners[2][k] + (corners[3][k] - corners[2][k]) * across;
        upper + (lower - upper) * down
    })
}

/// The last row first.
pub(super) fn turn_upside_down(picture: &mut CryosectionPicture) {
    let rows = picture.pixels.chunks_exact(picture.columns).rev();
    picture.pixels = rows.flatten().copied().collect();
}
