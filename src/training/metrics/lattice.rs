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

/// Root of the mean square, in 8-bit levels, of what repeats every 16 pixels in the middling of all windows of 48² pixels that lie,
/// with 8 pixels around them, inside the body; less what chance gives, and 0 where nothing repeats. `mask`: the body, row by row.
/// `None` where no window fits.
///
/// # Panics
/// When `mask` has not one value a pixel.
pub fn lattice(picture: &RgbPicture, mask: &[bool]) -> Option<f64> {
    assert_eq!(mask.len(), picture.rows() * picture.columns(), "a mask holds a value a pixel");
    let residual = Residual::of(picture)?;
    let inside = Sums::of(picture.columns(), picture.rows(), |row, column| {
        [f64::from(u8::from(mask[row * picture.columns() + column])), 0.0, 0.0]
    });
    let is_inside =
        |top: usize, left: usize| inside.over(top, left, WINDOW + PERIOD)[0] > ((WINDOW + PERIOD).pow(2) - 1) as f64;
    let rows = (0..=residual.rows - WINDOW).step_by(STEP);
    let places = rows.flat_map(|top| (0..=residual.columns - WINDOW).step_by(STEP).map(move |left| (top, left)));
    let places = places.filter(|&(top, left)| is_inside(top, left));
    let mut powers: Vec<f64> = places.map(|(top, left)| residual.repeating_power(top, left)).collect();
    let middle = powers.len() / 2;
    powers.sort_unstable_by(f64::total_cmp);
    powers.get(middle).map(|median| median.max(0.0).sqrt())
}

/// A picture less the mean of the 16² pixels around each pixel, which holds none of the pattern.
struct Residual {
    rows: usize,
    columns: usize,
    pixels: Vec<[f64; 3]>,
}

impl Residual {
    /// `None` for a picture that is smaller than a window with its surroundings.
    fn of(picture: &RgbPicture) -> Option<Self> {
        let (rows, columns) = (picture.rows().checked_sub(PERIOD)?, picture.columns().checked_sub(PERIOD)?);
        if rows < WINDOW || columns < WINDOW {
            return None;
        }
        let sums = Sums::of(picture.columns(), picture.rows(), |row, column| picture.pixel(column, row).map(f64::from));
        let at = |index: usize| {
            let (top, left) = (index / columns, index % columns);
            let pixel = picture.pixel(left + PERIOD / 2, top + PERIOD / 2);
            let mean = sums.over(top, left, PERIOD).map(|sum| sum / (PERIOD * PERIOD) as f64);
            [0, 1, 2].map(|channel| (f64::from(pixel[channel]) - mean[channel]).clamp(-MOST, MOST))
        };
        Some(Self { rows, columns, pixels: (0..rows * columns).map(at).collect() })
    }

    /// Mean square of what repeats in a window: that of the mean over its periods, less the part that chance leaves in it.
    fn repeating_power(&self, top: usize, left: usize) -> f64 {
        let mut means = vec![[0.0; 3]; PERIOD * PERIOD];
        let mut sum = [0.0; 3];
        let mut squares = 0.0;
        for (row, column) in (0..WINDOW).flat_map(|row| (0..WINDOW).map(move |column| (row, column))) {
            let pixel = self.pixels[(top + row) * self.columns + left + column];
            let mean = &mut means[row % PERIOD * PERIOD + column % PERIOD];
            for channel in 0..3 {
                mean[channel] += pixel[channel] / (REPEATS * REPEATS) as f64;
                sum[channel] += pixel[channel];
                squares += pixel[channel] * pixel[channel];
            }
        }
        let count = (WINDOW * WINDOW) as f64;
        let of_level = sum.iter().map(|sum| (sum / count).powi(2)).sum::<f64>();
        let all = squares / count - of_level;
        let repeating = means.iter().flatten().map(|mean| mean * mean).sum::<f64>() / means.len() as f64 - of_level;
        // Where nothing repeats, the mean of n values has an nth of their power.
        let repeats = (REPEATS * REPEATS) as f64;
        (repeats * repeating - all) / (repeats - 1.0) / 3.0
    }
}

/// Sums of three values over all pixels above and to the left.
struct Sums {
    columns: usize,
    sums: Vec<[f64; 3]>,
}

impl Sums {
    /// Over `value(row, column)`.
    fn of(columns: usize, rows: usize, value: impl Fn(usize, usize) -> [f64; 3]) -> Self {
        let width = columns + 1;
        let mut sums = vec![[0.0; 3]; width * (rows + 1)];
        for row in 0..rows {
            let mut of_row = [0.0; 3];
            for column in 0..columns {
                let (here, above) = (value(row, column), sums[row * width + column + 1]);
                for part in 0..3 {
                    of_row[part] += here[part];
                    sums[(row + 1) * width + column + 1][part] = above[part] + of_row[part];
                }
            }
        }
        Self { columns: width, sums }
    }

    /// Over a square.
    fn over(&self, top: usize, left: usize, side: usize) -> [f64; 3] {
        let at = |row: usize, column: usize| self.sums[row * self.columns + column];
        let corners = [at(top, left), at(top, left + side), at(top + side, left), at(top + side, left + side)];
        [0, 1, 2].map(|part| corners[3][part] - corners[1][part] - corners[2][part] + corners[0][part])
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

    fn of(picture: &RgbPicture) -> f64 {
        lattice(picture, &vec![true; picture.rows() * picture.columns()]).unwrap()
    }

    #[test]
    fn noise_on_a_slope_is_no_pattern() {
        let found = of(&picture(|_, _| 0.0));
        assert!(found < 0.5, "{found}");
    }

    #[test]
    fn chequers_of_any_doubling_have_their_own_strength() {
        for period in [2, 4, 8, 16] {
            let chequers = |row: usize, column: usize| if (row + column) % period < period / 2 { 3.0 } else { -3.0 };
            let found = of(&picture(chequers));
            assert!((found - 3.0).abs() < 0.3, "{period} pixels: {found}");
        }
    }

    #[test]
    fn what_repeats_otherwise_does_not_count() {
        let found = of(&picture(|_, column| if column % 11 < 5 { 3.0 } else { -3.0 }));
        assert!(found < 1.0, "{found}");
    }

    #[test]
    fn what_lies_outside_the_body_does_not_count() {
        let chequers = |row: usize, column: usize| if (row + column) % 8 < 4 { 3.0 } else { -3.0 };
        let right = picture(|row, column| if column >= 64 { chequers(row, column) } else { 0.0 });
        let mask =
            |is_inside: fn(usize) -> bool| (0..128 * 128).map(|index| is_inside(index % 128)).collect::<Vec<_>>();
        let of_half = |is_inside| lattice(&right, &mask(is_inside)).unwrap();
        let [without, with] = [of_half(|column| column < 64), of_half(|column| column >= 64)];
        assert!(without < 0.5 && (with - 3.0).abs() < 0.3, "{without} and {with}");
        assert_eq!(lattice(&right, &mask(|column| column < 63)), None, "no window with its surroundings fits");
        assert_eq!(lattice(&RgbPicture::black(20, 20), &[true; 400]), None, "the picture is too small");
    }
}
