//! Figures of a coloured series that need no ground truth (paper §4.3): do colours flicker, are they clipped.

use serde::Serialize;

use crate::model::{Colorizer, ModelError};
use crate::preprocess::{Ablation, EdgeRanges, HuRange, Prepared, PreprocessError, RegionFeatures};
use crate::training::TrainingError;
use crate::training::metrics::{lattice, mean};
use crate::training::picture::RgbPicture;
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{CtSlice, CtVolume};

/// The grey that the CT's own change is measured in.
const GREY: HuRange = HuRange::SOFT_TISSUE;
/// Levels from either end of 0 … 255 that count as clipped.
const CLIPPED_WITHIN: u8 = 1;

/// A slice in colour on the CT's own grid.
#[derive(Clone, Copy, Debug)]
pub struct ColoredSlice<'a> {
    /// Which.
    pub slice: SliceIndex,
    /// The CT.
    pub ct: &'a CtSlice,
    /// As the generator saw it.
    pub prepared: &'a Prepared,
    /// Ranges of its contours.
    pub edges: EdgeRanges,
    /// `rows · columns · 3` bytes, black outside what the setting takes for the body.
    pub rgb8: &'a [u8],
    /// The slice looks like nothing the generator was trained on.
    pub is_outside_training: bool,
}

/// What the measurement of a series is told, and tells.
pub struct SeriesWatch<'a> {
    /// Raised when nobody wants the result any more.
    pub cancel: &'a CancelFlag,
    /// Hears of each slice: its colours, or that there is no body in it.
    pub on_slice: &'a mut dyn FnMut(SliceIndex, Option<&ColoredSlice<'_>>),
}

/// What can be said of a coloured series without a photograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SeriesFigures {
    /// Slices with colours.
    pub slices: usize,
    /// Slices in which no body was found, or that could not be read.
    pub slices_without_color: usize,
    /// Mean change of a colour from a slice to the next, in 8-bit levels, inside both bodies as the recipe without ablation
    /// finds them: the same pixels for every setting.
    pub color_change: f64,
    /// The same of the CT in the grey of soft tissue.
    pub ct_change: f64,
    /// The first by the second: 1 when colours change as much as the grey does; larger is flicker.
    pub change_ratio: f64,
    /// Share of the body's pixels with a channel at the upper end of the 8 bits.
    pub saturated_bright: f64,
    /// Share of the body's pixels with a channel at the lower end.
    pub saturated_dark: f64,
    /// Strength of a pattern that repeats with the network's doublings, on the network's grid, in 8-bit levels: mean of
    /// [`lattice`] over the slices that are large enough for it; `None` when none is.
    pub lattice: Option<f64>,
    /// Painted pixels outside the body, as a share of the body's: the table, and noise in the air.
    pub painted_outside: f64,
    /// Share of the slices that look like nothing the generator was trained on; `None` when its card does not say.
    pub outside_training: Option<f64>,
}

/// Colours all slices that have been read, by a generator with one preprocessing setting of §4.3.
pub fn measure_series(
    volume: &CtVolume,
    colorizer: &Colorizer,
    ablation: Ablation,
    watch: &mut SeriesWatch<'_>,
) -> Result<SeriesFigures, TrainingError> {
    let recipe = colorizer.recipe().clone().with_ablation(ablation);
    let pixel_size_mm = volume.geometry().pixel_size_mm();
    let body_of = |ct: &CtSlice, prepared: &Prepared| -> Result<Vec<bool>, PreprocessError> {
        if recipe.mask == colorizer.recipe().mask {
            return Ok(prepared.mask.clone());
        }
        Ok(colorizer.recipe().prepare(ct, pixel_size_mm)?.mask)
    };
    let mut sums = Sums::default();
    for slice in (0..volume.slice_count()).map(SliceIndex) {
        if watch.cancel.is_cancelled() {
            return Err(TrainingError::Cancelled);
        }
        let Some(ct) = volume.ready_slice(slice) else {
            sums.skip();
            (watch.on_slice)(slice, None);
            continue;
        };
        let prepared = recipe.prepare(ct, pixel_size_mm);
        match prepared.and_then(|prepared| Ok((body_of(ct, &prepared)?, prepared))) {
            Ok((body, prepared)) => {
                let planes = colorizer.generate(&prepared)?;
                let picture = RgbPicture::from_signed_unit(&planes, &prepared.grid_mask, prepared.size);
                sums.lattices.extend(lattice(&picture, &prepared.grid_mask));
                let rgb8 = prepared.rgb8_on_ct(&planes);
                let is_outside_training = is_outside(colorizer, &prepared);
                let (prepared, edges, rgb8) = (&prepared, recipe.edges, rgb8.as_slice());
                (watch.on_slice)(slice, Some(&ColoredSlice { slice, ct, prepared, edges, rgb8, is_outside_training }));
                sums.outside_training += usize::from(is_outside_training);
                sums.outside_body += count_outside(&prepared.mask, &body);
                sums.add(ct, &body, rgb8.to_vec());
            }
            Err(PreprocessError::NoBody) => {
                sums.skip();
                (watch.on_slice)(slice, None);
            }
            Err(error) => return Err(ModelError::from(error).into()),
        }
    }
    Ok(sums.figures(colorizer.card().region.is_some()))
}

fn is_outside(colorizer: &Colorizer, prepared: &Prepared) -> bool {
    colorizer.card().region.as_ref().is_some_and(|region| region.is_outside(&RegionFeatures::of(prepared)))
}

fn count_outside(painted: &[bool], body: &[bool]) -> u64 {
    painted.iter().zip(body).filter(|(is_painted, is_body)| **is_painted && !**is_body).count() as u64
}

/// What the next slice is compared with.
#[derive(Debug)]
struct Last {
    grey: Vec<f32>,
    mask: Vec<bool>,
    rgb8: Vec<u8>,
}

#[derive(Debug, Default)]
struct Sums {
    last: Option<Last>,
    slices: usize,
    skipped: usize,
    outside_training: usize,
    outside_body: u64,
    lattices: Vec<f64>,
    color_change: f64,
    ct_change: f64,
    compared: u64,
    bright: u64,
    dark: u64,
    pixels: u64,
}

impl Sums {
    /// A slice without colours: its neighbours are no neighbours of each other.
    fn skip(&mut self) {
        self.skipped += 1;
        self.last = None;
    }

    fn add(&mut self, ct: &CtSlice, mask: &[bool], rgb8: Vec<u8>) {
        self.slices += 1;
        for (color, _) in rgb8.as_chunks::<3>().0.iter().zip(mask).filter(|(_, is_inside)| **is_inside) {
            self.pixels += 1;
            self.bright += u64::from(color.iter().any(|&value| value >= u8::MAX - CLIPPED_WITHIN));
            self.dark += u64::from(color.iter().any(|&value| value <= CLIPPED_WITHIN));
        }
        let grey = ct.values_hu().iter().map(|&hu| GREY.unit_from_hu(f32::from(hu)) * 255.0).collect();
        let now = Last { grey, mask: mask.to_vec(), rgb8 };
        if let Some(last) = self.last.take() {
            self.compare(&last, &now);
        }
        self.last = Some(now);
    }

    fn compare(&mut self, last: &Last, now: &Last) {
        let colors = last.rgb8.as_chunks::<3>().0.iter().zip(now.rgb8.as_chunks::<3>().0);
        let pixels = colors.zip(last.grey.iter().zip(&now.grey)).zip(last.mask.iter().zip(&now.mask));
        for (((a, b), (grey_a, grey_b)), _) in pixels.filter(|(_, (in_last, in_now))| **in_last && **in_now) {
            let change: u32 = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
            self.color_change += f64::from(change) / 3.0;
            self.ct_change += f64::from((grey_a - grey_b).abs());
            self.compared += 1;
        }
    }

    fn figures(&self, is_region_known: bool) -> SeriesFigures {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        SeriesFigures {
            slices: self.slices,
            slices_without_color: self.skipped,
            color_change: share(self.color_change, self.compared as f64),
            ct_change: share(self.ct_change, self.compared as f64),
            change_ratio: share(self.color_change, self.ct_change),
            saturated_bright: share(self.bright as f64, self.pixels as f64),
            saturated_dark: share(self.dark as f64, self.pixels as f64),
            lattice: mean(self.lattices.iter().copied()),
            painted_outside: share(self.outside_body as f64, self.pixels as f64),
            outside_training: is_region_known.then(|| share(self.outside_training as f64, self.slices as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(values_hu: &[i16]) -> CtSlice {
        CtSlice::new(values_hu.len(), 1, values_hu.into())
    }

    #[test]
    fn colours_that_change_as_the_grey_does_have_the_ratio_one() {
        let mut sums = Sums::default();
        // 40 HU are 25.5 levels of soft tissue.
        sums.add(&slice(&[0, 0, 500]), &[true, true, false], vec![100; 9]);
        sums.add(&slice(&[40, 0, -500]), &[true, true, true], [[126; 3], [100; 3], [7; 3]].concat());
        let figures = sums.figures(false);
        assert!((figures.ct_change - 12.75).abs() < 1e-4 && (figures.color_change - 13.0).abs() < 1e-9, "{figures:?}");
        assert!((figures.change_ratio - 13.0 / 12.75).abs() < 1e-4, "{figures:?}");
    }

    #[test]
    fn slices_around_a_gap_are_not_compared() {
        let mut sums = Sums::default();
        sums.add(&slice(&[0]), &[true], vec![0; 3]);
        sums.skip();
        sums.add(&slice(&[200]), &[true], vec![200; 3]);
        let figures = sums.figures(false);
        assert_eq!((figures.slices, figures.slices_without_color), (2, 1), "counted");
        assert!(figures.color_change.abs() < 1e-12 && figures.change_ratio.abs() < 1e-12, "{figures:?}");
    }

    #[test]
    fn clipped_pixels_are_counted_inside_the_body_alone() {
        let mut sums = Sums::default();
        let rgb8 = [[255, 100, 90], [254, 1, 90], [100; 3], [90; 3], [255; 3]].concat();
        sums.add(&slice(&[0; 5]), &[true, true, true, true, false], rgb8);
        let figures = sums.figures(false);
        assert!((figures.saturated_bright - 0.5).abs() < 1e-12, "two of four: {figures:?}");
        assert!((figures.saturated_dark - 0.25).abs() < 1e-12, "one of four: {figures:?}");
    }
}
