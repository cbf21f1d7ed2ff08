//! Sobel in range (§3.1): contours of what lies in a range of CT values.

use super::recipe::{EdgeRanges, HuRange};
use crate::volume::CtSlice;

/// Sobel in range (§3.1) of `values_hu` (row by row): 0 … 1. Twin of `edge_in_range` in `shaders/slice.wgsl`.
///
/// The values are clipped to the range and scaled to 0 … 1; 3 × 3 Sobel, borders mirrored at the edge pixel; its magnitude / 4,
/// at most 1.
pub fn sobel_in_range(values_hu: &[f32], columns: usize, range: HuRange) -> Vec<f32> {
    sobel(values_hu.iter().map(|&value| range.unit_from_hu(value)).collect(), columns)
}

/// Contours of fat and of bone on the CT's own grid, `rows · columns` values in 0 … 1 each: what the edge pane shows.
pub fn edges_on_ct(slice: &CtSlice, ranges: EdgeRanges) -> (Vec<f32>, Vec<f32>) {
    let of_range = |range: HuRange| {
        let unit = slice.values_hu().iter().map(|&value| range.unit_from_hu(f32::from(value))).collect();
        sobel(unit, slice.columns())
    };
    (of_range(ranges.fat), of_range(ranges.bone))
}

/// Magnitude / 4 of the Sobel operator on a plane in 0 … 1; at most 1.
fn sobel(unit: Vec<f32>, columns: usize) -> Vec<f32> {
    if columns == 0 {
        return unit;
    }
    let rows = unit.len() / columns;
    let row = |index: usize| &unit[index * columns..(index + 1) * columns];
    // Sums over three rows, with a column of the mirrored picture on either side.
    let (mut smooth, mut steep) = (vec![0.0; columns + 2], vec![0.0; columns + 2]);
    let mut edges = Vec::with_capacity(unit.len());
    for index in 0..rows {
        let above = row(if index > 0 { index - 1 } else { 1.min(rows - 1) });
        let below = row(if index + 1 < rows { index + 1 } else { rows.saturating_sub(2) });
        let here = row(index);
        for (column, (smooth, steep)) in smooth[1..=columns].iter_mut().zip(&mut steep[1..=columns]).enumerate() {
            *smooth = above[column] + 2.0 * here[column] + below[column];
            *steep = below[column] - above[column];
        }
        for sums in [&mut smooth, &mut steep] {
            sums[0] = sums[2.min(columns)];
            sums[columns + 1] = sums[columns.saturating_sub(1).max(1)];
        }
        edges.extend(smooth.windows(3).zip(steep.windows(3)).map(|(smooth, steep)| {
            let across = smooth[2] - smooth[0];
            let down = steep[0] + 2.0 * steep[1] + steep[2];
            ((across * across + down * down).sqrt() * 0.25).min(1.0)
        }));
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: HuRange = HuRange { low_hu: 0.0, high_hu: 100.0 };

    /// As in the definition: nine multiplications, borders mirrored.
    fn plain(values_hu: &[f32], columns: usize) -> Vec<f32> {
        let rows = values_hu.len() / columns;
        let mirror = |index: i64, count: usize| -> usize {
            let last = count as i64 - 1;
            (if last == 0 {
                0
            } else if index < 0 {
                -index
            } else if index > last {
                2 * last - index
            } else {
                index
            }) as usize
        };
        let at = |row: i64, column: i64| {
            RANGE.unit_from_hu(values_hu[mirror(row, rows) * columns + mirror(column, columns)])
        };
        let mut edges = Vec::new();
        for (row, column) in (0..rows as i64).flat_map(|row| (0..columns as i64).map(move |column| (row, column))) {
            let (mut across, mut down) = (0.0, 0.0);
            for (offset, weight) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
                across += weight * (at(row + offset, column + 1) - at(row + offset, column - 1));
                down += weight * (at(row + 1, column + offset) - at(row - 1, column + offset));
            }
            edges.push((f32::hypot(across, down) / 4.0).clamp(0.0, 1.0));
        }
        edges
    }

    #[test]
    fn contours_are_those_of_the_nine_multiplications_on_any_size() {
        for (columns, rows) in [(1, 1), (1, 5), (5, 1), (2, 2), (3, 5), (64, 3), (17, 19)] {
            let values: Vec<f32> = (0..columns * rows).map(|i| ((i * 7919) % 151) as f32 - 25.0).collect();
            let (found, expected) = (sobel_in_range(&values, columns, RANGE), plain(&values, columns));
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                // Sums of eight values of about 1 in another order.
                assert!((found - expected).abs() < 1e-6, "{columns} × {rows}, {index}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn a_step_across_the_range_is_one_and_outside_the_range_nothing_shows() {
        let step: Vec<f32> = (0..36).map(|i| if i % 6 < 3 { -500.0 } else { 500.0 }).collect();
        let edges = sobel_in_range(&step, 6, RANGE);
        assert_eq!(edges[6..12], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], "a full step");
        let beyond: Vec<f32> = (0..36).map(|i| if i % 6 < 3 { 200.0 } else { 900.0 }).collect();
        assert!(sobel_in_range(&beyond, 6, RANGE).iter().all(|&edge| edge == 0.0), "both sides are clipped alike");
    }

    #[test]
    fn a_turned_picture_has_turned_contours() {
        let values: Vec<f32> = (0..49).map(|i| ((i * 31) % 97) as f32).collect();
        let turned = |plane: &[f32]| -> Vec<f32> { (0..49).map(|i| plane[(i % 7) * 7 + i / 7]).collect() };
        let (first, second) = (sobel_in_range(&turned(&values), 7, RANGE), turned(&sobel_in_range(&values, 7, RANGE)));
        assert!(first.iter().zip(&second).all(|(a, b)| (a - b).abs() < 1e-6), "across and down are treated alike");
    }

    #[test]
    fn the_edge_pane_shows_fat_and_bone_apart() {
        let hu: Vec<i16> = (0..100).map(|i| [-1000, -100, 40, 700][i % 10 / 3 % 4]).collect();
        let slice = CtSlice::new(10, 10, hu.clone().into());
        let ranges = EdgeRanges::default();
        let (fat, bone) = edges_on_ct(&slice, ranges);
        let values: Vec<f32> = hu.iter().map(|&hu| f32::from(hu)).collect();
        assert_eq!(fat, sobel_in_range(&values, 10, ranges.fat), "fat");
        assert_eq!(bone, sobel_in_range(&values, 10, ranges.bone), "bone");
        assert!(fat[2] > 0.3 && bone[2] == 0.0, "air to fat is no contour of bone");
    }
}
