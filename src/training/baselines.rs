//! What colours look like without a network: grey, and one colour for each HU.

use super::TrainingError;
use super::picture::RgbPicture;
use crate::preprocess::{HuRange, Prepared};

/// The grey of the baseline: soft tissue, as a radiologist looks at it.
const GREY: HuRange = HuRange::SOFT_TISSUE;
/// HU of the first step of the table; below is one colour.
const FIRST_HU: f32 = -1000.0;
/// HU from which on is one colour: dense bone and metal.
const LAST_HU: f32 = 1600.0;
/// Width of a step: finer than the noise of any CT.
const STEP_HU: f32 = 8.0;
/// One step for all below, the steps, one for all above.
const STEPS: usize = ((LAST_HU - FIRST_HU) / STEP_HU) as usize + 1;

/// The CT itself, in the grey of soft tissue (−160 … 240 HU), as if it were a photograph.
pub fn grey_as_rgb(prepared: &Prepared) -> RgbPicture {
    paint(prepared, |hu| {
        let grey = (GREY.unit_from_hu(hu) * 255.0).round_ties_even() as u8;
        [grey; 3]
    })
}

fn paint(prepared: &Prepared, color: impl Fn(f32) -> [u8; 3]) -> RgbPicture {
    let pixels = prepared.grid_hu.iter().zip(&prepared.grid_mask);
    let rgb8 = pixels.flat_map(|(&hu, &is_inside)| if is_inside { color(hu) } else { [0; 3] }).collect();
    RgbPicture::new(prepared.size, prepared.size, rgb8)
}

/// Gathers the colours that photographs have where the CT has an HU.
#[derive(Clone, Debug)]
pub struct HuColorFit {
    sums: Vec<[f64; 3]>,
    counts: Vec<u64>,
}

impl Default for HuColorFit {
    fn default() -> Self {
        Self { sums: vec![[0.0; 3]; STEPS], counts: vec![0; STEPS] }
    }
}

impl HuColorFit {
    /// Adds a slice and its photograph on the same grid.
    pub fn add(&mut self, prepared: &Prepared, truth: &RgbPicture) -> Result<(), TrainingError> {
        if (truth.columns(), truth.rows()) != (prepared.size, prepared.size) {
            let (expected, found) = ((prepared.size, prepared.size), (truth.columns(), truth.rows()));
            return Err(TrainingError::PictureSizes { expected, found });
        }
        let colors = truth.rgb8().as_chunks::<3>().0;
        let pixels = prepared.grid_hu.iter().zip(&prepared.grid_mask).zip(colors);
        for ((&hu, _), color) in pixels.filter(|((_, is_inside), _)| **is_inside) {
            let step = step_of(hu);
            self.counts[step] += 1;
            for (sum, &value) in self.sums[step].iter_mut().zip(color) {
                *sum += f64::from(value);
            }
        }
        Ok(())
    }

    /// The table with the least squared error on what was added: the mean colour of each step. A step without a pixel
    /// takes the colour of the nearest that has one.
    pub fn table(&self) -> HuColorTable {
        let mean = |step: usize| {
            let count = self.counts[step] as f64;
            self.sums[step].map(|sum| (sum / count).round_ties_even() as u8)
        };
        let known: Vec<usize> = (0..STEPS).filter(|&step| self.counts[step] > 0).collect();
        let nearest = |step: usize| known.iter().copied().min_by_key(|known| known.abs_diff(step));
        HuColorTable { colors: (0..STEPS).map(|step| nearest(step).map_or([0; 3], mean)).collect() }
    }
}

/// One colour for each HU, in steps of 8 HU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuColorTable {
    colors: Vec<[u8; 3]>,
}

impl HuColorTable {
    /// The colour of an HU.
    pub fn color(&self, hu: f32) -> [u8; 3] {
        self.colors[step_of(hu)]
    }

    /// A slice in the colours of the table, black outside the body.
    pub fn paint(&self, prepared: &Prepared) -> RgbPicture {
        paint(prepared, |hu| self.color(hu))
    }
}

fn step_of(hu: f32) -> usize {
    (((hu.max(FIRST_HU) - FIRST_HU) / STEP_HU) as usize).min(STEPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::CropSquare;

    /// A grid of one row of HU, as wide as high; the last pixel lies outside the body.
    fn prepared(values_hu: &[f32]) -> Prepared {
        let size = values_hu.len();
        let grid_hu: Vec<f32> = (0..size).flat_map(|_| values_hu.to_vec()).collect();
        Prepared {
            mask: vec![true],
            columns: 1,
            pixel_size_mm: [1.0; 2],
            square: CropSquare { center_row: 0.0, center_column: 0.0, side: 1.0 },
            grid_mask: (0..size * size).map(|index| index + 1 < size * size).collect(),
            channels: Vec::new(),
            channel_count: 0,
            size,
            grid_hu,
        }
    }

    #[test]
    fn the_table_gives_back_the_colours_that_it_was_fitted_on() {
        let known = |hu: f32| [(hu / 8.0 + 125.0) as u8, 40, 255 - (hu / 8.0 + 125.0) as u8];
        let values: Vec<f32> = (-125..125).map(|step| step as f32 * 8.0 + 3.0).collect();
        let slice = prepared(&values);
        let mut fit = HuColorFit::default();
        fit.add(&slice, &paint(&slice, known)).unwrap();
        let table = fit.table();
        assert!(values.iter().all(|&hu| table.color(hu) == known(hu)), "every step");
        assert_eq!(table.color(3000.0), known(995.0), "above what was seen");
        assert_eq!(table.paint(&slice), paint(&slice, known), "and the picture is painted with it");
    }

    #[test]
    fn a_step_has_the_mean_of_its_colours() {
        let mut fit = HuColorFit::default();
        let slice = prepared(&[40.0, 41.0]);
        let truth = RgbPicture::new(2, 2, [[100, 0, 0], [200, 30, 0], [120, 0, 90], [9, 9, 9]].concat());
        fit.add(&slice, &truth).unwrap();
        assert_eq!(fit.table().color(44.0), [140, 10, 30], "of the three pixels inside the body");
    }

    #[test]
    fn every_hu_has_a_step_and_metal_shares_one() {
        let steps: Vec<usize> = (-3000..4000).map(|hu| step_of(hu as f32)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1]), "monotone");
        assert_eq!((steps[0], step_of(1599.0), step_of(1600.0), step_of(4000.0)), (0, STEPS - 2, STEPS - 1, STEPS - 1));
        assert_eq!(step_of(f32::NAN), 0, "not a number");
    }

    #[test]
    fn grey_is_black_at_the_lower_end_of_soft_tissue_and_white_at_the_upper() {
        let grey = grey_as_rgb(&prepared(&[-160.0, 240.0]));
        assert_eq!(
            [grey.pixel(0, 0), grey.pixel(1, 0), grey.pixel(1, 1)],
            [[0; 3], [255; 3], [0; 3]],
            "the last is outside"
        );
    }
}
