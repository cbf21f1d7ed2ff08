//! Planes of values with a place in millimetres.

/// A plane of square pixels, values 0 … 1, NaN where nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Pixels in a row.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// Size of a pixel.
    pub mm_per_pixel: f64,
    /// Centre of the first pixel, from the centre of the picture.
    pub origin_mm: [f64; 2],
    /// `rows · columns` values.
    pub values: Vec<f32>,
}

impl Plane {
    /// Blocks of 2 × 2 pixels as one: the mean of what is known.
    #[must_use]
    pub fn halved(&self) -> Self {
        let (columns, rows) = (self.columns.div_ceil(2), self.rows.div_ceil(2));
        let block = |index: usize| {
            let (row, column) = (index / columns * 2, index % columns * 2);
            let cells = [(row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)];
            let inside = cells.iter().filter(|(row, column)| *row < self.rows && *column < self.columns);
            let known = inside.map(|(row, column)| self.values[row * self.columns + column]).filter(|v| !v.is_nan());
            let (sum, count) = known.fold((0.0, 0_u8), |(sum, count), value| (sum + value, count + 1));
            if count == 0 { f32::NAN } else { sum / f32::from(count) }
        };
        Self {
            columns,
            rows,
            mm_per_pixel: self.mm_per_pixel * 2.0,
            origin_mm: self.origin_mm.map(|mm| mm + self.mm_per_pixel / 2.0),
            values: (0..columns * rows).map(block).collect(),
        }
    }

    /// The last row first.
    #[must_use]
    pub fn upside_down(&self) -> Self {
        let values = self.values.chunks_exact(self.columns.max(1)).rev().flatten().copied().collect();
        let height_mm = self.rows.saturating_sub(1) as f64 * self.mm_per_pixel;
        Self { values, origin_mm: [self.origin_mm[0], -(self.origin_mm[1] + height_mm)], ..self.clone() }
    }

    /// Centre of a pixel.
    pub fn place_mm(&self, index: usize) -> [f64; 2] {
        let pixel = [index % self.columns, index / self.columns];
        std::array::from_fn(|k| self.origin_mm[k] + pixel[k] as f64 * self.mm_per_pixel)
    }

    /// The pixel around a place; `None` outside.
    pub fn index_at(&self, place_mm: [f64; 2]) -> Option<usize> {
        let [column, row] = self.pixel_at(place_mm).map(f64::round);
        let is_inside = column >= 0.0 && row >= 0.0 && column < self.columns as f64 && row < self.rows as f64;
        is_inside.then(|| row as usize * self.columns + column as usize)
    }

    fn pixel_at(&self, place_mm: [f64; 2]) -> [f64; 2] {
        std::array::from_fn(|k| (place_mm[k] - self.origin_mm[k]) / self.mm_per_pixel)
    }

    /// Bilinear; 0 outside.
    pub(super) fn sample(&self, place_mm: [f64; 2]) -> f32 {
        let [x, y] = self.pixel_at(place_mm);
        if x < 0.0 || y < 0.0 || x >= (self.columns - 1) as f64 || y >= (self.rows - 1) as f64 {
            return 0.0;
        }
        let (column, row) = (x as usize, y as usize);
        let (across, down) = (x as f32 - column as f32, y as f32 - row as f32);
        let above = &self.values[row * self.columns + column..][..2];
        let below = &self.values[(row + 1) * self.columns + column..][..2];
        let upper = above[0] + (above[1] - above[0]) * across;
        let lower = below[0] + (below[1] - below[0]) * across;
        upper + (lower - upper) * down
    }
}
