//! 8-bit RGB pictures on the network's grid, as the metrics and the sheets see them.

/// A rectangle of a grid: first row and column, and one past the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridBox {
    /// First row.
    pub top: usize,
    /// One past the last row.
    pub bottom: usize,
    /// First column.
    pub left: usize,
    /// One past the last column.
    pub right: usize,
}

impl GridBox {
    /// The smallest rectangle around the `true` values of a mask, row by row; `None` when there are none.
    pub fn around(mask: &[bool], columns: usize) -> Option<Self> {
        let mut found: Option<Self> = None;
        for index in (0..mask.len()).filter(|&index| mask[index]) {
            let (row, column) = (index / columns, index % columns);
            let grown = found.get_or_insert(Self { top: row, bottom: row + 1, left: column, right: column + 1 });
            grown.bottom = row + 1;
            grown.left = grown.left.min(column);
            grown.right = grown.right.max(column + 1);
        }
        found
    }
}

/// An 8-bit sRGB picture, row by row, red first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbPicture {
    columns: usize,
    rows: usize,
    rgb8: Vec<u8>,
}

impl RgbPicture {
    /// # Panics
    /// When `rgb8` does not hold `columns · rows · 3` bytes: readers check this before.
    pub fn new(columns: usize, rows: usize, rgb8: Vec<u8>) -> Self {
        assert_eq!(rgb8.len(), columns * rows * 3, "a picture holds columns × rows × 3 bytes");
        Self { columns, rows, rgb8 }
    }

    /// A black picture.
    pub fn black(columns: usize, rows: usize) -> Self {
        Self { columns, rows, rgb8: vec![0; columns * rows * 3] }
    }

    /// From planes `[3, rows, columns]` in −1 … 1, rounded, black where `mask` is `false`.
    pub fn from_signed_unit(planes: &[f32], mask: &[bool], columns: usize) -> Self {
        let count = mask.len();
        let level = |value: f32| ((value + 1.0) * 127.5).clamp(0.0, 255.0).round_ties_even() as u8;
        let rgb8 = (0..count)
            .flat_map(|i| [0, 1, 2].map(|c| if mask[i] { level(planes[c * count + i]) } else { 0 }))
            .collect();
        Self::new(columns, count / columns.max(1), rgb8)
    }

    /// Pixels in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `rows · columns · 3` bytes.
    pub fn rgb8(&self) -> &[u8] {
        &self.rgb8
    }

    /// The colour of a pixel.
    pub fn pixel(&self, column: usize, row: usize) -> [u8; 3] {
        let start = (row * self.columns + column) * 3;
        [self.rgb8[start], self.rgb8[start + 1], self.rgb8[start + 2]]
    }

    /// Paints a pixel.
    pub fn set_pixel(&mut self, column: usize, row: usize, color: [u8; 3]) {
        let start = (row * self.columns + column) * 3;
        self.rgb8[start..start + 3].copy_from_slice(&color);
    }

    /// The part inside a rectangle.
    #[must_use]
    pub fn crop(&self, part: GridBox) -> Self {
        let bytes = (part.top..part.bottom).flat_map(|row| {
            let start = (row * self.columns + part.left) * 3;
            &self.rgb8[start..start + (part.right - part.left) * 3]
        });
        Self::new(part.right - part.left, part.bottom - part.top, bytes.copied().collect())
    }

    /// Planes `[3, rows, columns]` in −1 … 1: x / 127.5 − 1.
    pub fn to_signed_unit(&self) -> Vec<f32> {
        let channel = |c: usize| self.rgb8.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 127.5 - 1.0);
        (0..3).flat_map(channel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_is_tight_around_the_mask() {
        let mut mask = vec![false; 5 * 4];
        mask[7] = true; // row 1, column 2
        mask[11] = true; // row 2, column 1
        assert_eq!(GridBox::around(&mask, 5), Some(GridBox { top: 1, bottom: 3, left: 1, right: 3 }), "box");
        assert_eq!(GridBox::around(&[false; 20], 5), None, "an empty mask has no box");
    }

    #[test]
    fn signed_unit_and_back_is_the_identity() {
        let picture = RgbPicture::new(256, 1, (0..=255u8).flat_map(|v| [v, 255 - v, v / 2]).collect());
        let back = RgbPicture::from_signed_unit(&picture.to_signed_unit(), &[true; 256], 256);
        assert_eq!(back, picture, "all levels survive");
    }

    #[test]
    fn a_crop_keeps_the_pixels_in_place() {
        let picture = RgbPicture::new(4, 3, (0..36).collect());
        let part = picture.crop(GridBox { top: 1, bottom: 3, left: 2, right: 4 });
        assert_eq!(part.pixel(1, 1), picture.pixel(3, 2), "lower right corner");
        assert_eq!((part.columns(), part.rows()), (2, 2), "size");
    }
}
