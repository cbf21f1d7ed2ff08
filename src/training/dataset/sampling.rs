//! Pictures on the network's grid, varied or not: low-passed where they shrink, bilinear, as `Recipe::prepare` does.

use crate::preprocess::low_pass;

/// The network's square on a picture, in its pixels between centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Square {
    /// Row of the centre.
    pub(super) row: f64,
    /// Column of the centre.
    pub(super) column: f64,
    /// Side.
    pub(super) side: f64,
}

impl Square {
    /// Pixels of the picture per pixel of a grid.
    fn shrink(self, size: usize) -> f64 {
        self.side / size as f64
    }

    /// The place in the picture of a point of the grid, as (row, column) from the grid's centre.
    fn place(self, [row, column]: [f32; 2], shrink: f64) -> (f64, f64) {
        (self.row + f64::from(row) * shrink, self.column + f64::from(column) * shrink)
    }
}

/// Side of the grid whose places are given.
fn side_of(places: &[[f32; 2]]) -> usize {
    places.len().isqrt()
}

/// A plane at `places` of the grid; `outside` beyond the picture. `scale`: how much larger than life the grid shows it.
pub(super) fn sample(
    plane: &[f32],
    columns: usize,
    square: Square,
    (places, scale): (&[[f32; 2]], f32),
    outside: f32,
) -> Vec<f32> {
    let shrink = square.shrink(side_of(places));
    let smooth = low_pass(plane, columns, shrink / f64::from(scale));
    let rows = plane.len() / columns.max(1);
    let at = |&place: &[f32; 2]| {
        let (row, column) = square.place(place, shrink);
        bilinear(&smooth, [rows, columns], row, column).unwrap_or(outside)
    };
    places.iter().map(at).collect()
}

/// `None` beyond the outermost pixel centres.
fn bilinear(plane: &[f32], [rows, columns]: [usize; 2], row: f64, column: f64) -> Option<f32> {
    let is_inside = |place: f64, count: usize| place >= 0.0 && place <= count as f64 - 1.0;
    if !is_inside(row, rows) || !is_inside(column, columns) {
        return None;
    }
    let (top, left) = (row as usize, column as usize);
    let (bottom, right) = ((top + 1).min(rows - 1), (left + 1).min(columns - 1));
    let (down, across) = (row.fract() as f32, column.fract() as f32);
    let at = |row: usize, column: usize| plane[row * columns + column];
    let upper = at(top, left) + (at(top, right) - at(top, left)) * across;
    let lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * across;
    Some(upper + (lower - upper) * down)
}

/// A mask at `places` of the grid: nearest pixel, `false` beyond the picture.
pub(super) fn sample_mask(mask: &[bool], columns: usize, square: Square, places: &[[f32; 2]]) -> Vec<bool> {
    let shrink = square.shrink(side_of(places));
    let rows = mask.len() / columns.max(1);
    let nearest =
        |place: f64, count: usize| (place >= 0.0 && place <= count as f64 - 1.0).then_some((place + 0.5) as usize);
    let at = |&place: &[f32; 2]| {
        let (row, column) = square.place(place, shrink);
        nearest(row, rows).zip(nearest(column, columns)).is_some_and(|(row, column)| mask[row * columns + column])
    };
    places.iter().map(at).collect()
}

/// A photograph at `places` of the grid, 8-bit, red first; black beyond the picture.
pub(super) fn sample_rgb(
    pixels: &[[u8; 3]],
    columns: usize,
    square: Square,
    places: &[[f32; 2]],
    scale: f32,
) -> Vec<u8> {
    let mut rgb8 = vec![0; places.len() * 3];
    for channel in 0..3 {
        let plane: Vec<f32> = pixels.iter().map(|pixel| f32::from(pixel[channel])).collect();
        let values = sample(&plane, columns, square, (places, scale), 0.0);
        for (target, value) in rgb8.iter_mut().skip(channel).step_by(3).zip(values) {
            *target = value.round_ties_even().clamp(0.0, 255.0) as u8;
        }
    }
    rgb8
}
