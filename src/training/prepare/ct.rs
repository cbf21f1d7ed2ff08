//! A CT slice upright, and as a plane to register by.

use super::super::registration::Plane;
use super::photo::PLANE_MM;
use crate::preprocess::Recipe;
use crate::units::AIR_HU;
use crate::volume::{CtSlice, Geometry};

/// HU and the tones that they get: soft tissue takes most of the scale.
const TONES: [(f32, f32); 5] = [(-1000.0, 0.0), (-200.0, 0.25), (200.0, 0.75), (700.0, 0.95), (1500.0, 1.0)];
/// Denser than lung and air, in HU.
const TISSUE_HU: i16 = -300;
/// Value of 0 HU in the files.
const ZERO_HU: i32 = 1024;

/// A slice with the front of the body at the top and the patient's right on the left; `None` when it does not lie across the
/// body.
pub(super) fn upright(slice: &CtSlice, geometry: &Geometry) -> Option<CtSlice> {
    let (across, down) = (geometry.column_direction()[0], geometry.row_direction()[1]);
    if across.abs() < 0.5 || down.abs() < 0.5 {
        return None;
    }
    let mut values = slice.values_hu().to_vec();
    if across < 0.0 {
        values.chunks_exact_mut(slice.columns()).for_each(<[_]>::reverse);
    }
    if down < 0.0 {
        values = values.chunks_exact(slice.columns()).rev().flatten().copied().collect();
    }
    Some(CtSlice::new(slice.columns(), slice.rows(), values.into()))
}

/// A slice as it is registered and measured.
pub(super) struct CtPlane {
    /// 0 outside the body, NaN outside the field of view.
    pub(super) plane: Plane,
    /// The body, on the plane's pixels.
    pub(super) body: Vec<bool>,
    /// Tissue within the body, without gas.
    pub(super) tissue: Vec<bool>,
}

impl CtPlane {
    /// The text says why not.
    pub(super) fn of(slice: &CtSlice, mm_per_pixel: f64) -> Result<Self, String> {
        let prepared = Recipe::ct2rgb().prepare(slice, [mm_per_pixel; 2]).map_err(|error| error.to_string())?;
        let is_in_field = field_of_view(slice);
        let shorter = slice.columns().min(slice.rows()).max(1);
        let block = ((PLANE_MM / mm_per_pixel).round() as usize).clamp(1, shorter);
        let (columns, rows) = (slice.columns() / block, slice.rows() / block);
        let count = columns * rows;
        let (mut values, mut body, mut tissue) = (vec![0.0; count], vec![false; count], vec![false; count]);
        for index in 0..count {
            let (row, column) = (index / columns * block, index % columns * block);
            let cells = (row..row + block).flat_map(|y| (column..column + block).map(move |x| y * slice.columns() + x));
            let (mut sum, mut in_body, mut in_tissue) = (0.0, 0, 0);
            for cell in cells {
                let value_hu = slice.values_hu()[cell];
                if prepared.mask[cell] {
                    sum += tone(f32::from(value_hu));
                    in_body += 1;
                    in_tissue += usize::from(value_hu > TISSUE_HU);
                }
                if !is_in_field(cell) {
                    sum = f32::NAN;
                }
            }
            values[index] = sum / (block * block) as f32;
            body[index] = in_body * 2 > block * block;
            tissue[index] = in_tissue * 2 > block * block;
        }
        let origin = |count: usize| (block as f64 - count as f64) / 2.0 * mm_per_pixel;
        let origin_mm = [origin(slice.columns()), origin(slice.rows())];
        let plane = Plane { columns, rows, mm_per_pixel: mm_per_pixel * block as f64, origin_mm, values };
        if body.iter().any(|is_body| *is_body) {
            Ok(Self { plane, body, tissue })
        } else {
            Err("no body found in this slice".to_owned())
        }
    }

    /// Whether a place lies in the body.
    pub(super) fn is_body(&self, place_mm: [f64; 2]) -> bool {
        self.plane.index_at(place_mm).is_some_and(|index| self.body[index])
    }
}

fn tone(value_hu: f32) -> f32 {
    let [(lowest, first), .., (_, last)] = TONES;
    if value_hu <= lowest {
        return first;
    }
    let segment = TONES.windows(2).find(|ends| value_hu <= ends[1].0);
    segment.map_or(last, |ends| {
        let ((from_hu, from), (to_hu, to)) = (ends[0], ends[1]);
        from + (value_hu - from_hu) / (to_hu - from_hu) * (to - from)
    })
}

/// Whether a pixel was measured. Scanners reconstruct a circle: where all beyond it is one value, it is no measurement.
fn field_of_view(slice: &CtSlice) -> impl Fn(usize) -> bool + use<> {
    let (columns, rows) = (slice.columns(), slice.rows());
    let radius = columns.min(rows) as f64 / 2.0 + 1.0;
    let is_beyond = move |index: usize| {
        let (x, y) = ((index % columns) as f64 + 0.5, (index / columns) as f64 + 0.5);
        (x - columns as f64 / 2.0).hypot(y - rows as f64 / 2.0) > radius
    };
    let corner = slice.values_hu().first().copied().unwrap_or(AIR_HU);
    let beyond = || slice.values_hu().iter().enumerate().filter(|(index, _)| is_beyond(*index));
    let is_circle = corner <= AIR_HU && beyond().all(|(_, value)| *value == corner);
    move |index| !(is_circle && is_beyond(index))
}

/// The values of the file that is written: HU + 1024, 0 outside the field of view.
pub(super) fn stored_values(slice: &CtSlice) -> Vec<u16> {
    let is_in_field = field_of_view(slice);
    let stored = |value_hu: i16| (i32::from(value_hu) + ZERO_HU).clamp(0, i32::from(u16::MAX)) as u16;
    let values = slice.values_hu().iter().enumerate();
    values.map(|(index, &value_hu)| if is_in_field(index) { stored(value_hu) } else { 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_rise_and_soft_tissue_takes_most_of_them() {
        for (value_hu, expected) in [(-2000.0, 0.0), (-1000.0, 0.0), (0.0, 0.5), (3000.0, 1.0)] {
            assert!((tone(value_hu) - expected).abs() < 1e-6, "{value_hu} HU");
        }
        let tones: Vec<f32> = (-110..200).map(|hu| tone(hu as f32 * 10.0)).collect();
        assert!(tones.is_sorted(), "{tones:?}");
    }

    #[test]
    fn only_a_circle_of_one_value_is_a_field_of_view() {
        let side = 64_usize;
        let within = |i: usize| ((i % side) as f64 - 31.5).hypot((i / side) as f64 - 31.5) < 32.0;
        let round: Vec<i16> = (0..side * side).map(|i| if within(i) { 40 } else { AIR_HU }).collect();
        let stored = stored_values(&CtSlice::new(side, side, round.clone().into()));
        assert_eq!((stored[0], stored[side * 32 + 32]), (0, 1064), "the corner was not measured");
        let mut noisy = round;
        noisy[1] = -990;
        assert_eq!(stored_values(&CtSlice::new(side, side, noisy.into()))[0], 24, "measured air");
    }
}
