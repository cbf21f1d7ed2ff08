//! From the CT grid to the network's, and back, on plain planes.

use std::ops::Range;

use super::prepared::CropSquare;

/// Deviation of the low pass, in pixels, for a picture shrunk by 1.
const LOW_PASS: f64 = 0.35;
/// Reach of the low pass in deviations.
const LOW_PASS_REACH: f64 = 3.0;

/// A place between two neighbours of an axis: the first, and the second's share.
#[derive(Clone, Copy, Debug)]
struct Between {
    first: usize,
    share: f64,
}

/// Where the network's grid lies on the CT grid, axis by axis, in pixels between centres.
#[derive(Clone, Debug)]
pub(super) struct GridAxes {
    /// Row of the CT grid for each row of the network's.
    rows: Vec<f64>,
    /// Column of the CT grid for each column of the network's.
    columns: Vec<f64>,
    /// Pixels of the CT grid per pixel of the network's, across and down.
    shrink: [f64; 2],
}

impl GridAxes {
    pub(super) fn new(square: CropSquare, pixel_aspect: f64, size: usize) -> Self {
        let across = square.side / size as f64;
        let down = across / pixel_aspect;
        let offsets = (0..size).map(|index| index as f64 + 0.5 - size as f64 / 2.0);
        Self {
            rows: offsets.clone().map(|offset| square.center_row + offset * down).collect(),
            columns: offsets.map(|offset| square.center_column + offset * across).collect(),
            shrink: [across, down],
        }
    }

    /// Values of the CT grid on the network's: low-passed where it shrinks, bilinear, `outside` beyond the picture.
    pub(super) fn sample(&self, values: &[i16], columns: usize, outside: f32) -> Vec<f32> {
        let rows = values.len() / columns;
        let at_rows: Vec<_> = self.rows.iter().map(|&row| inside(row, rows)).collect();
        let at_columns: Vec<_> = self.columns.iter().map(|&column| inside(column, columns)).collect();
        let (Some(rows_used), Some(columns_used)) = (used(&at_rows, rows), used(&at_columns, columns)) else {
            return vec![outside; at_rows.len() * at_columns.len()];
        };
        let part = Part { values, columns, rows_used: rows_used.clone(), columns_used: columns_used.clone() };
        let smooth = part.low_passed(self.shrink);
        let width = columns_used.len();
        let mut grid = Vec::with_capacity(at_rows.len() * at_columns.len());
        for row in at_rows {
            let Some(row) = row else {
                grid.extend(std::iter::repeat_n(outside, at_columns.len()));
                continue;
            };
            let top = row.first - rows_used.start;
            let bottom = (top + 1).min(rows_used.len() - 1);
            let (top, bottom) = (&smooth[top * width..][..width], &smooth[bottom * width..][..width]);
            grid.extend(at_columns.iter().map(|column| {
                column.map_or(outside, |column| {
                    let left = column.first - columns_used.start;
                    let right = (left + 1).min(width - 1);
                    let upper = mix(f64::from(top[left]), f64::from(top[right]), column.share);
                    let lower = mix(f64::from(bottom[left]), f64::from(bottom[right]), column.share);
                    mix(upper, lower, row.share) as f32
                })
            }));
        }
        grid
    }

    /// A mask of the CT grid on the network's: nearest pixel, `false` beyond the picture.
    pub(super) fn sample_mask(&self, mask: &[bool], columns: usize) -> Vec<bool> {
        let rows = mask.len() / columns;
        let nearest = |place: f64, count: usize| inside(place, count).map(|_| (place + 0.5) as usize);
        let at_columns: Vec<_> = self.columns.iter().map(|&column| nearest(column, columns)).collect();
        let at_rows = self.rows.iter().map(|&row| nearest(row, rows));
        at_rows
            .flat_map(|row| {
                let at_columns = &at_columns;
                at_columns
                    .iter()
                    .map(move |&column| row.zip(column).is_some_and(|(row, column)| mask[row * columns + column]))
            })
            .collect()
    }
}

fn mix(first: f64, second: f64, share: f64) -> f64 {
    first + (second - first) * share
}

/// A place among `count` pixel centres, `None` beyond the outermost ones.
fn inside(place: f64, count: usize) -> Option<Between> {
    (place >= 0.0 && place <= count as f64 - 1.0).then(|| Between { first: place as usize, share: place.fract() })
}

/// The pixels of an axis that any place needs.
fn used(places: &[Option<Between>], count: usize) -> Option<Range<usize>> {
    let first = places.iter().flatten().map(|place| place.first).min()?;
    let last = places.iter().flatten().map(|place| place.first).max()?;
    Some(first..(last + 2).min(count))
}

/// The part of a picture that is asked for.
struct Part<'a, T> {
    values: &'a [T],
    columns: usize,
    rows_used: Range<usize>,
    columns_used: Range<usize>,
}

impl<T: Copy + Into<f32>> Part<'_, T> {
    /// Smoothed for shrinking by so much across and down; as it is for 1 and below.
    fn low_passed(&self, [across, down]: [f64; 2]) -> Vec<f32> {
        let (across, down) = (gaussian_half(across), gaussian_half(down));
        let rows = self.values.len() / self.columns;
        let width = self.columns_used.len();
        // The columns that smoothing across needs.
        let reach = across.len() - 1;
        let seen = self.columns_used.start.saturating_sub(reach)..(self.columns_used.end + reach).min(self.columns);
        let line = |row: usize| &self.values[row * self.columns + seen.start..row * self.columns + seen.end];
        let mut smooth = vec![0.0; self.rows_used.len() * width];
        let mut upright = vec![0.0_f32; seen.len()];
        let mut framed = vec![0.0_f32; width + 2 * reach];
        for (target, row) in smooth.chunks_exact_mut(width).zip(self.rows_used.clone()) {
            upright.iter_mut().zip(line(row)).for_each(|(sum, &value)| *sum = down[0] * value.into());
            for (offset, &weight) in down.iter().enumerate().skip(1) {
                let (above, below) =
                    (mirrored(row as i64 - offset as i64, rows), mirrored((row + offset) as i64, rows));
                for ((sum, &above), &below) in upright.iter_mut().zip(line(above)).zip(line(below)) {
                    *sum += weight * (above.into() + below.into());
                }
            }
            frame(&upright, &mut framed, self.columns_used.start as i64 - reach as i64, (seen.start, self.columns));
            smooth_line(&framed, &across, target);
        }
        smooth
    }
}

/// Fills `framed` with the columns from `first` on: `line` starts at column `line_start` of a picture of `columns`,
/// which is mirrored at its edge pixels.
fn frame(line: &[f32], framed: &mut [f32], first: i64, (line_start, columns): (usize, usize)) {
    let middle = (line_start as i64 - first).max(0) as usize;
    let count = line.len().min(framed.len() - middle.min(framed.len()));
    for (index, value) in framed.iter_mut().enumerate() {
        if index < middle || index >= middle + count {
            let column = mirrored(first + index as i64, columns);
            *value = line[column.saturating_sub(line_start).min(line.len() - 1)];
        }
    }
    let skipped = (first - line_start as i64).max(0) as usize;
    let count = count.min(line.len() - skipped);
    framed[middle..middle + count].copy_from_slice(&line[skipped..skipped + count]);
}

/// `framed` reaches half a kernel beyond `target` on either side.
fn smooth_line(framed: &[f32], half: &[f32], target: &mut [f32]) {
    let reach = half.len() - 1;
    target.iter_mut().zip(&framed[reach..]).for_each(|(sum, value)| *sum = half[0] * value);
    for (offset, &weight) in half.iter().enumerate().skip(1) {
        let (before, after) = (&framed[reach - offset..], &framed[reach + offset..]);
        for ((sum, before), after) in target.iter_mut().zip(before).zip(after) {
            *sum += weight * (before + after);
        }
    }
}

/// Middle and right half of the Gaussian for shrinking by `factor`; one weight of 1 where nothing shrinks.
fn gaussian_half(factor: f64) -> Vec<f32> {
    if factor <= 1.0 {
        return vec![1.0];
    }
    let deviation = LOW_PASS * factor;
    let reach = (LOW_PASS_REACH * deviation + 0.5) as usize;
    let raw: Vec<f64> = (0..=reach).map(|i| (-0.5 / (deviation * deviation) * (i * i) as f64).exp()).collect();
    let sum = 2.0 * raw.iter().sum::<f64>() - raw[0];
    raw.iter().map(|value| (value / sum) as f32).collect()
}

/// Reflection that does not repeat the edge pixel.
fn mirrored(index: i64, count: usize) -> usize {
    let last = count as i64 - 1;
    if last <= 0 {
        return 0;
    }
    let folded = index.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

/// Low-passes a plane of square pixels before it is shrunk by `factor`, as [`super::Recipe::prepare`] does; as it is for 1 and below.
pub fn low_pass(plane: &[f32], columns: usize, factor: f64) -> Vec<f32> {
    if columns == 0 {
        return Vec::new();
    }
    let part = Part { values: plane, columns, rows_used: 0..plane.len() / columns, columns_used: 0..columns };
    part.low_passed([factor; 2])
}

/// The way back: colours of the network's grid on the CT grid.
pub(super) struct WayBack<'a> {
    /// `size · size` colours in 0 … 255.
    pub(super) grid: &'a [[f32; 3]],
    pub(super) size: usize,
    pub(super) square: CropSquare,
    pub(super) pixel_aspect: f64,
}

impl WayBack<'_> {
    /// Bilinear, edge pixels of the grid repeated, rounded to even; black where `mask` is false.
    pub(super) fn rgb8(&self, mask: &[bool], columns: usize) -> Vec<u8> {
        let mut rgb8 = vec![0; mask.len() * 3];
        if columns == 0 {
            return rgb8;
        }
        let across = self.square.side / self.size as f64;
        let down = across / self.pixel_aspect;
        let at_columns: Vec<(usize, f32)> = (0..columns)
            .map(|column| {
                let place = self.place((column as f64 - self.square.center_column) / across);
                (place.first, place.share as f32)
            })
            .collect();
        let mut line = vec![[0.0_f32; 3]; self.size + 1];
        let rows = mask.chunks_exact(columns).zip(rgb8.chunks_exact_mut(columns * 3)).enumerate();
        for (row, (mask, rgb8)) in rows {
            let Some(first) = mask.iter().position(|&is_inside| is_inside) else { continue };
            let end = mask.iter().rposition(|&is_inside| is_inside).map_or(first, |last| last + 1);
            let place = self.place((row as f64 - self.square.center_row) / down);
            self.mix_rows(place, &mut line);
            let pixels = &mut rgb8.as_chunks_mut::<3>().0[first..end];
            for ((pixel, &is_inside), &(left, share)) in
                pixels.iter_mut().zip(&mask[first..end]).zip(&at_columns[first..end])
            {
                if is_inside {
                    let (a, b) = (line[left], line[left + 1]);
                    *pixel = std::array::from_fn(|k| rounded(a[k] + (b[k] - a[k]) * share));
                }
            }
        }
        rgb8
    }

    /// One row between two of the grid; its last pixel twice.
    fn mix_rows(&self, place: Between, line: &mut [[f32; 3]]) {
        let row = |index: usize| &self.grid[index * self.size..(index + 1) * self.size];
        let (top, bottom) = (row(place.first), row((place.first + 1).min(self.size - 1)));
        let share = place.share as f32;
        for ((line, a), b) in line.iter_mut().zip(top).zip(bottom) {
            *line = std::array::from_fn(|k| a[k] + (b[k] - a[k]) * share);
        }
        line[self.size] = line[self.size - 1];
    }

    /// A place on the grid from its distance to the centre, in pixels of the grid; beyond the edge, the edge.
    fn place(&self, from_center: f64) -> Between {
        let half = self.size as f64 / 2.0;
        let place = (from_center + half - 0.5).clamp(0.0, self.size as f64 - 1.0);
        Between { first: place as usize, share: place.fract() }
    }
}

/// The nearest whole number of a value in 0 … 255, ties to even.
fn rounded(value: f32) -> u8 {
    // At 1.5 · 2²³ the numbers are 1 apart: adding it leaves the whole number in the last bits.
    const WHOLE_NUMBERS: f32 = 12_582_912.0;
    let bounded = value.clamp(0.0, 255.0);
    ((bounded + WHOLE_NUMBERS).to_bits() & 0xff) as u8
}
