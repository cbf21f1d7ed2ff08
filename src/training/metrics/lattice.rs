//! How strong a pattern is that repeats with the network's own doublings: the chequered look of some generators.

use crate::training::picture::RgbPicture;

/// Pixels after which the pattern repeats: four doublings. Patterns of 2, 4 and 8 pixels repeat so too.
const PERIOD: usize = 16;
/// Periods along a side of a window.
const REPEATS: usize = 3;
/// Side of a window.
const WINDOW: usize = PERIOD * REPEATS;
/// Pixels from a window to the next.
const STEP: usize = PERIOD / 2;
/// Most that a pixel departs from its neighbourhood, in levels: a border of the anatomy is no pattern.
const MOST: f64 = 16.0;

/// Root of the mean square, in 8-bit levels, of what repeats every 16 pixels in the middling of all windows of 48² pixels that lie in
/// the body (where no pixel is black), less what chance gives. 0 where nothing repeats, or where no window fits.
pub fn lattice(picture: &RgbPicture) -> f64 {
    let Some(residual) = Residual::of(picture) else { return 0.0 };
    let rows = (0..=residual.rows - WINDOW).step_by(STEP);
    let places = rows.flat_map(|top| (0..=residual.columns - WINDOW).step_by(STEP).map(move |left| (top, left)));
    let mut powers: Vec<f64> = places.filter_map(|(top, left)| residual.repeating_power(top, left)).collect();
    if powers.is_empty() {
        return 0.0;
    }
    let middle = powers.len() / 2;
    let (_, median, _) = powers.select_nth_unstable_by(middle, f64::total_cmp);
    median.max(0.0).sqrt()
}

/// A picture less the mean of the 16² pixels around each pixel, which holds none of the pattern.
struct Residual {
    rows: usize,
    columns: usize,
    /// `None`: black, which is outside of the body.
    pixels: Vec<Option<[f64; 3]>>,
}

impl Residual {
    /// `None` for a picture that is smaller than a window with its surroundings.
    fn of(picture: &RgbPicture) -> Option<Self> {
        let (rows, columns) = (picture.rows().checked_sub(PERIOD)?, picture.columns().checked_sub(PERIOD)?);
        if rows < WINDOW || columns < WINDOW {
            return None;
        }
        let sums = Sums::of(picture);
        let at = |index: usize| {
            let (top, left) = (index / columns, index % columns);
            let pixel = picture.pixel(left + PERIOD / 2, top + PERIOD / 2);
            let mean = sums.around(top, left).map(|sum| sum / (PERIOD * PERIOD) as f64);
            let part = |channel: usize| (f64::from(pixel[channel]) - mean[channel]).clamp(-MOST, MOST);
            (pixel != [0; 3]).then(|| [part(0), part(1), part(2)])
        };
        Some(Self { rows, columns, pixels: (0..rows * columns).map(at).collect() })
    }

    /// Mean square of what repeats in a window: that of the mean over its periods, less the part that chance leaves in it.
    fn repeating_power(&self, top: usize, left: usize) -> Option<f64> {
        let mut means = vec![[0.0; 3]; PERIOD * PERIOD];
        let mut sum = [0.0; 3];
        let mut squares = 0.0;
        for (row, column) in (0..WINDOW).flat_map(|row| (0..WINDOW).map(move |column| (row, column))) {
            let pixel = self.pixels[(top + row) * self.columns + left + column]?;
            let mean = &mut means[row % PERIOD * PERIOD + column % PERIOD];
            for channel in 0..3 {
                mean[channel] += pixel[channel] / (REPEATS * REPEATS) as f64;
                sum[channel] += pixel[channel];
                squares += pixel[channel] * pixel[channel];
            }
        }
        let count = (WINDOW * WINDOW) as f64;
        let level = sum.map(|sum| sum / count);
        let of_level = level.iter().map(|level| level * level).sum::<f64>();
        let all = squares / count - of_level;
        let repeating = means.iter().flatten().map(|mean| mean * mean).sum::<f64>() / means.len() as f64 - of_level;
        // Where nothing repeats, the mean of n values has an nth of their power.
        let repeats = (REPEATS * REPEATS) as f64;
        Some((repeats * repeating - all) / (repeats - 1.0) / 3.0)
    }
}

/// Sums of each channel over all pixels above and to the left.
struct Sums {
    columns: usize,
    sums: Vec<[f64; 3]>,
}

impl Sums {
    fn of(picture: &RgbPicture) -> Self {
        let columns = picture.columns() + 1;
        let mut sums = vec![[0.0; 3]; columns * (picture.rows() + 1)];
        for row in 0..picture.rows() {
            let mut of_row = [0.0; 3];
            for column in 0..picture.columns() {
                let pixel = picture.pixel(column, row);
                let above = sums[row * columns + column + 1];
                for channel in 0..3 {
                    of_row[channel] += f64::from(pixel[channel]);
                    sums[(row + 1) * columns + column + 1][channel] = above[channel] + of_row[channel];
                }
            }
        }
        Self { columns, sums }
    }

    /// Over the 16² pixels from here on.
    fn around(&self, top: usize, left: usize) -> [f64; 3] {
        let at = |row: usize, column: usize| self.sums[row * self.columns + column];
        let [a, b, c, d] =
            [at(top, left), at(top, left + PERIOD), at(top + PERIOD, left), at(top + PERIOD, left + PERIOD)];
        [0, 1, 2].map(|channel| d[channel] - b[channel] - c[channel] + a[channel])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Seed;

    /// Grey noise of a deviation of 4 levels on a slope, with a pattern on top.
    fn picture(pattern: impl Fn(usize, usize) -> f32) -> RgbPicture {
        let size = 128;
        let noise = Seed(1).stream("noise").normals(size * size, 0.0, 4.0);
        let level = |index: usize| {
            let (row, column) = (index / size, index % size);
            (100.0 + 0.5 * row as f32 + noise[index] + pattern(row, column)).round() as u8
        };
        RgbPicture::new(size, size, (0..size * size).flat_map(|index| [level(index); 3]).collect())
    }

    #[test]
    fn noise_on_a_slope_is_no_pattern() {
        let found = lattice(&picture(|_, _| 0.0));
        assert!(found < 0.5, "{found}");
    }

    #[test]
    fn chequers_of_any_doubling_have_their_own_strength() {
        for period in [2, 4, 8, 16] {
            let chequers = |row: usize, column: usize| if (row + column) % period < period / 2 { 3.0 } else { -3.0 };
            let found = lattice(&picture(chequers));
            assert!((found - 3.0).abs() < 0.3, "{period} pixels: {found}");
        }
    }

    #[test]
    fn what_repeats_otherwise_does_not_count() {
        let found = lattice(&picture(|_, column| if column % 11 < 5 { 3.0 } else { -3.0 }));
        assert!(found < 1.0, "{found}");
    }

    #[test]
    fn windows_with_black_in_them_are_left_out() {
        assert!(lattice(&RgbPicture::black(128, 128)).abs() < 1e-12, "no body");
        assert!(lattice(&RgbPicture::new(20, 20, vec![9; 1200])).abs() < 1e-12, "no window fits");
    }
}
