//! A slice to train on, kept as it was read: every variation is sampled once, from the pictures themselves.

use super::pictures::PairPictures;
use super::sampling::{Square, sample, sample_mask, sample_rgb};
use crate::preprocess::{Recipe, RegionFeatures};
use crate::training::TrainingError;
use crate::training::augment::Variation;
use crate::training::pairs::PairRow;
use crate::training::picture::RgbPicture;
use crate::training::target::{GelatinRule, Photograph, measured_target};
use crate::units::AIR_HU;

/// Largest side of the network's square on a kept photograph, in sides of the grid; finer ones are shrunk to this.
const FINEST: f64 = 3.0;
/// Pixels kept around the square, for smoothing.
const ROOM: f64 = 4.0;

/// The part of a picture around the network's square.
struct Part<T> {
    columns: usize,
    pixels: Vec<T>,
    square: Square,
}

impl<T: Copy> Part<T> {
    fn new(pixels: &[T], columns: usize, square: Square) -> Self {
        let rows = pixels.len() / columns.max(1);
        // Beyond the square there is no body, so nothing that any variation could show.
        let reach = square.side / 2.0 + ROOM * (square.side / 256.0).max(1.0);
        let range = |center: f64, count: usize| {
            let first = (center - reach).floor().clamp(0.0, count as f64) as usize;
            first..((center + reach).ceil().clamp(0.0, count as f64 - 1.0) as usize + 1).max(first)
        };
        let (down, across) = (range(square.row, rows), range(square.column, columns));
        let (top, left) = (down.start as f64, across.start as f64);
        Self {
            columns: across.len(),
            pixels: down.flat_map(|row| pixels[row * columns..][across.clone()].iter().copied()).collect(),
            square: Square { row: square.row - top, column: square.column - left, ..square },
        }
    }
}

/// CT, mask and target of a slice around the network's square.
pub(super) struct StoredSlice {
    /// Set that it belongs to.
    pub(super) set: String,
    /// What it looks like.
    pub(super) features: RegionFeatures,
    hu: Part<i16>,
    mask: Part<bool>,
    rgb: Part<[u8; 3]>,
    gelatin: GelatinRule,
}

/// A slice as one step sees it, on the network's grid.
pub(super) struct VariedSlice {
    pub(super) channels: Vec<f32>,
    pub(super) mask: Vec<bool>,
    pub(super) rgb: RgbPicture,
}

impl StoredSlice {
    pub(super) fn read(row: &PairRow, recipe: &Recipe, gelatin: GelatinRule) -> Result<Self, TrainingError> {
        let mut pictures = PairPictures::read(row)?;
        let prepared = pictures.prepare(recipe)?;
        if gelatin == GelatinRule::Air {
            let mask = pictures.mask_on_rgb(&prepared.mask);
            let mm_per_pixel = row.rgb_mm_per_pixel;
            let columns = pictures.rgb_columns;
            Photograph { columns, pixels: &mut pictures.rgb, mask: &mask, mm_per_pixel }.clear_gelatin();
        }
        let crop = prepared.square;
        let square = Square { row: crop.center_row, column: crop.center_column, side: crop.side };
        let rgb = Part::new(&pictures.rgb, pictures.rgb_columns, pictures.square_on_rgb(crop));
        Ok(Self {
            set: row.set.clone(),
            features: RegionFeatures::of(&prepared),
            hu: Part::new(pictures.ct.values_hu(), pictures.ct.columns(), square),
            mask: Part::new(&prepared.mask, pictures.ct.columns(), square),
            rgb: shrunk(rgb, recipe.size),
            gelatin,
        })
    }

    /// The slice under a variation of the training pictures.
    pub(super) fn varied(&self, recipe: &Recipe, variation: &Variation) -> VariedSlice {
        let places = variation.sources(recipe.size);
        let mask = sample_mask(&self.mask.pixels, self.mask.columns, self.mask.square, &places);
        let hu: Vec<f32> = self.hu.pixels.iter().copied().map(f32::from).collect();
        let on_grid = (places.as_slice(), variation.scale);
        let mut grid_hu = sample(&hu, self.hu.columns, self.hu.square, on_grid, f32::from(AIR_HU));
        variation.vary_hu(&mut grid_hu);
        let mut rgb8 = sample_rgb(&self.rgb.pixels, self.rgb.columns, self.rgb.square, &places, variation.scale);
        if self.gelatin == GelatinRule::Measured {
            measured_target(&mut rgb8, &mask);
        } else {
            black_outside(&mut rgb8, &mask);
        }
        VariedSlice {
            channels: recipe.channels(&grid_hu, &mask),
            mask,
            rgb: RgbPicture::new(recipe.size, recipe.size, rgb8),
        }
    }
}

/// A photograph that is much finer than the grid, shrunk: 600 of NLM's originals would fill 4 GB.
fn shrunk(part: Part<[u8; 3]>, size: usize) -> Part<[u8; 3]> {
    let finest = (FINEST * size as f64) as usize;
    if part.square.side <= finest as f64 {
        return part;
    }
    let rgb8 = sample_rgb(&part.pixels, part.columns, part.square, &Variation::NONE.sources(finest), 1.0);
    let center = (finest as f64 - 1.0) / 2.0;
    Part {
        columns: finest,
        pixels: rgb8.as_chunks::<3>().0.to_vec(),
        square: Square { row: center, column: center, side: finest as f64 },
    }
}

fn black_outside(rgb8: &mut [u8], mask: &[bool]) {
    for (pixel, _) in rgb8.as_chunks_mut::<3>().0.iter_mut().zip(mask).filter(|(_, is_inside)| !**is_inside) {
        *pixel = [0; 3];
    }
}
