//! The body in a slice: a threshold, and which regions above it are a body (§3.1).

use super::bits::{BitPlane, Neighbours};
use super::components::{Region, Regions};
use super::recipe::MaskMode;
use crate::volume::CtSlice;

/// Lower end of the histogram, HU.
const LOWEST_HU: i16 = -1024;
/// Upper end of the histogram, HU.
const HIGHEST_HU: i16 = 1000;
/// Bins of the histogram.
const BINS: usize = 256;
/// Width of a bin, HU.
const BIN_HU: f64 = (HIGHEST_HU - LOWEST_HU) as f64 / BINS as f64;
/// Opening: cuts threads between body and table.
const OPENING_MM: f64 = 1.0;
/// Closing: joins what streaks have cut, and closes airways at the skin.
const CLOSING_MM: f64 = 3.0;
/// Smallest region that is kept.
const SMALLEST_MM2: f64 = 400.0;
/// Denser than air and lung.
const TISSUE_HU: i16 = -500;
/// Smallest region that is kept, as a share of the largest.
const SMALLEST_SHARE: f64 = 0.08;
/// A table fills less than this share of its box …
const TABLE_SHARE: f64 = 0.25;
/// … and is flatter than this.
const TABLE_MM: f64 = 40.0;
/// Side of the corner whose median is a threshold.
const CORNER: usize = 10;

/// Finds the body. `pixel_size_mm`: width and height of a pixel, at least 0.01 mm.
pub(super) fn find_body(slice: &CtSlice, pixel_size_mm: [f64; 2], mode: MaskMode) -> BitPlane {
    let above = |threshold_hu: f64| BitPlane::of(slice.values_hu(), slice.columns(), |hu| f64::from(hu) > threshold_hu);
    match mode {
        MaskMode::CornerMedian => above(corner_median_hu(slice)),
        // Otsu's method parts any values, also those of nothing but air.
        MaskMode::Body if !has_tissue(slice, pixel_size_mm) => BitPlane::new(slice.columns(), slice.rows()),
        MaskMode::Body => {
            // Whole HU are compared, so a whole threshold gives the same answer, faster.
            let threshold_hu = otsu_threshold_hu(slice.values_hu()).floor() as i16;
            body_of(BitPlane::of(slice.values_hu(), slice.columns(), |hu| hu > threshold_hu), pixel_size_mm)
        }
    }
}

/// Whether there is as much that is denser than lung as the smallest region that could be a body.
fn has_tissue(slice: &CtSlice, [width_mm, height_mm]: [f64; 2]) -> bool {
    let count = slice.values_hu().iter().filter(|&&hu| hu > TISSUE_HU).count();
    count as f64 * width_mm * height_mm >= SMALLEST_MM2
}

/// Otsu's threshold (1979) in HU: 256 equal bins over −1024 … 1000 HU; the centre of the bin that parts the values best, the
/// first if several do.
pub fn otsu_threshold_hu(values_hu: &[i16]) -> f64 {
    let shares = histogram(values_hu);
    let centre = |bin: usize| f64::from(LOWEST_HU) + (bin as f64 + 0.5) * BIN_HU;
    let total_mean: f64 = shares.iter().enumerate().map(|(bin, share)| share * centre(bin)).sum();
    let (mut weight, mut mean) = (0.0, 0.0);
    let (mut best, mut best_variance) = (0, f64::NEG_INFINITY);
    for (bin, share) in shares.iter().enumerate().take(BINS - 1) {
        weight += share;
        mean += share * centre(bin);
        let rest = 1.0 - weight;
        let distance = mean / weight.max(1e-12) - (total_mean - mean) / rest.max(1e-12);
        let variance = weight * rest * (distance * distance);
        if variance > best_variance {
            (best, best_variance) = (bin, variance);
        }
    }
    centre(best)
}

/// Share of the values in each bin; values beyond the ends count as the ends.
fn histogram(values_hu: &[i16]) -> [f64; BINS] {
    // Two tables in turn: equal values in a row then do not wait for each other.
    let mut counts = [[0_u32; (HIGHEST_HU - LOWEST_HU) as usize + 1]; 2];
    let index = |hu: i16| (hu.clamp(LOWEST_HU, HIGHEST_HU) - LOWEST_HU) as usize;
    let (pairs, rest) = values_hu.as_chunks::<2>();
    for &[even, odd] in pairs {
        counts[0][index(even)] += 1;
        counts[1][index(odd)] += 1;
    }
    for &hu in rest {
        counts[0][index(hu)] += 1;
    }
    let mut shares = [0.0; BINS];
    let span = (HIGHEST_HU - LOWEST_HU) as usize;
    for (offset, (even, odd)) in counts[0].iter().zip(&counts[1]).enumerate() {
        let bin = (offset * BINS / span).min(BINS - 1);
        shares[bin] += f64::from(*even) + f64::from(*odd);
    }
    shares.map(|count| count / values_hu.len().max(1) as f64)
}

/// Median of the pixels in the top left corner; of all when there are fewer.
fn corner_median_hu(slice: &CtSlice) -> f64 {
    let rows = slice.values_hu().chunks(slice.columns().max(1)).take(CORNER);
    let mut corner: Vec<i16> = rows.flat_map(|row| row.iter().take(CORNER).copied()).collect();
    corner.sort_unstable();
    match corner.len() {
        0 => 0.0,
        count => f64::midpoint(f64::from(corner[(count - 1) / 2]), f64::from(corner[count / 2])),
    }
}

/// Region work on what is above the threshold: arms and hands stay, the table goes, hollow spaces belong to the body.
fn body_of(mut solid: BitPlane, pixel_size_mm: [f64; 2]) -> BitPlane {
    let opening = steps(OPENING_MM, pixel_size_mm);
    solid.shrink(&opening);
    solid.grow(&opening);
    let regions = Regions::of_ones(&solid);
    let mut body = BitPlane::new(solid.columns(), solid.rows());
    let largest = regions.iter().map(|region| region.area).max().unwrap_or(0) as f64;
    let [width_mm, height_mm] = pixel_size_mm;
    let smallest = (SMALLEST_SHARE * largest).max(SMALLEST_MM2 / (width_mm * height_mm));
    regions.draw(&mut body, |region| region.area as f64 >= smallest && !is_table(region, height_mm));
    // Closing must not eat what touches the picture's edge: there, the body is continued as far as closing can see.
    let closing = steps(CLOSING_MM, pixel_size_mm);
    let [columns, rows] = pixel_size_mm.map(|mm| 2 * pixels(CLOSING_MM, mm));
    let mut body = body.padded(columns, rows);
    body.grow(&closing);
    body.shrink(&closing);
    let mut body = body.cropped(columns, rows);
    let outside = Regions::of_zeros(&body);
    let (columns, rows) = (body.columns(), body.rows());
    outside.draw(&mut body, |region| !region.touches_edge(columns, rows));
    body
}

/// Thin and flat.
fn is_table(region: &Region, height_mm: f64) -> bool {
    let (rows, columns) = (region.rows.len() as f64, region.columns.len() as f64);
    (region.area as f64) < TABLE_SHARE * rows * columns && rows * height_mm < TABLE_MM
}

/// A length in whole pixels, at least one.
fn pixels(length_mm: f64, pixel_mm: f64) -> usize {
    ((length_mm / pixel_mm + 0.5) as usize).max(1)
}

/// Steps that reach `length_mm` in each direction: a diamond in millimetres. On square pixels, every step is a plus.
fn steps(length_mm: f64, pixel_size_mm: [f64; 2]) -> Vec<Neighbours> {
    let [across, upright] = pixel_size_mm.map(|mm| pixels(length_mm, mm));
    let count = across.max(upright);
    // Of `count` steps, `reach` are spread evenly.
    let is_due = |step: usize, reach: usize| (step + 1) * reach / count > step * reach / count;
    (0..count)
        .map(|step| match (is_due(step, across), is_due(step, upright)) {
            (true, true) => Neighbours::Plus,
            (true, false) => Neighbours::Across,
            _ => Neighbours::Upright,
        })
        .collect()
}
