//! A row as measuring sees it.

use super::pictures::PairPictures;
use super::sampling::sample_rgb;
use crate::preprocess::{Prepared, Recipe};
use crate::training::TrainingError;
use crate::training::augment::Variation;
use crate::training::pairs::PairRow;
use crate::training::picture::{GridBox, RgbPicture};
use crate::training::target::measured_target;

/// One row, prepared: what the generator sees and what it should paint, on the network's grid.
#[derive(Clone, Debug)]
pub struct PairSlice {
    /// Where it comes from.
    pub row: PairRow,
    /// The CT.
    pub prepared: Prepared,
    /// The photograph by DESIGN.md's rule for measuring: gelatin inside the body is dark air, outside is black.
    pub truth: RgbPicture,
    /// Around the body: what metrics look at.
    pub body: GridBox,
}

impl PairSlice {
    /// Reads and prepares a row.
    pub fn read(row: &PairRow, recipe: &Recipe) -> Result<Self, TrainingError> {
        let pictures = PairPictures::read(row)?;
        let prepared = pictures.prepare(recipe)?;
        let size = prepared.size;
        let places = Variation::NONE.sources(size);
        let square = pictures.square_on_rgb(prepared.square);
        let mut rgb8 = sample_rgb(&pictures.rgb, pictures.rgb_columns, square, &places, 1.0);
        measured_target(&mut rgb8, &prepared.grid_mask);
        let whole = GridBox { top: 0, bottom: size, left: 0, right: size };
        Ok(Self {
            row: row.clone(),
            body: GridBox::around(&prepared.grid_mask, size).unwrap_or(whole),
            truth: RgbPicture::new(size, size, rgb8),
            prepared,
        })
    }

    /// The generator's answer (`[3, size, size]`, signed unit) as a picture, black outside the body.
    pub fn picture_of(&self, rgb_signed_unit: &[f32]) -> RgbPicture {
        RgbPicture::from_signed_unit(rgb_signed_unit, &self.prepared.grid_mask, self.prepared.size)
    }
}
