//! The two pictures of a row, read and checked.

use std::path::Path;
use std::sync::Arc;

use image::{DynamicImage, ImageReader};

use super::sampling::Square;
use crate::preprocess::{CropSquare, Prepared, Recipe};
use crate::training::TrainingError;
use crate::training::pairs::PairRow;
use crate::volume::CtSlice;

/// HU of a stored 0.
const STORED_ZERO_HU: i32 = -1024;
/// A picture whose darkest value is above this shows no air, so it is not HU.
const HIGHEST_AIR_HU: i32 = -200;
/// Pixels by which the two fields of view may differ: pixel sizes are rounded.
const FIELD_TOLERANCE: f64 = 1.5;

/// CT and photograph of one level. Both start at the same corner and cover the same field.
pub(super) struct PairPictures {
    pub(super) ct: CtSlice,
    pub(super) rgb_columns: usize,
    pub(super) rgb: Vec<[u8; 3]>,
    /// Pixels of the photograph per pixel of the CT.
    rgb_per_ct: f64,
    ct_mm_per_pixel: f64,
    line: u64,
}

impl PairPictures {
    pub(super) fn read(row: &PairRow) -> Result<Self, TrainingError> {
        let ct = read_ct(row)?;
        let (rgb_columns, rgb) = read_photograph(row)?;
        check_fields(row, [ct.columns(), ct.rows()], [rgb_columns, rgb.len() / rgb_columns.max(1)])?;
        Ok(Self {
            ct,
            rgb_columns,
            rgb,
            rgb_per_ct: row.ct_mm_per_pixel / row.rgb_mm_per_pixel,
            ct_mm_per_pixel: row.ct_mm_per_pixel,
            line: row.line,
        })
    }

    /// The CT as a recipe sees it.
    pub(super) fn prepare(&self, recipe: &Recipe) -> Result<Prepared, TrainingError> {
        let prepared = recipe.prepare(&self.ct, [self.ct_mm_per_pixel; 2]);
        prepared.map_err(|source| TrainingError::Prepare { line: self.line, source })
    }

    /// The network's square on the photograph.
    pub(super) fn square_on_rgb(&self, square: CropSquare) -> Square {
        let k = self.rgb_per_ct;
        Square {
            row: (square.center_row + 0.5) * k - 0.5,
            column: (square.center_column + 0.5) * k - 0.5,
            side: square.side * k,
        }
    }

    /// The body's mask on the photograph's pixels: that of the nearest pixel of the CT.
    pub(super) fn mask_on_rgb(&self, mask: &[bool]) -> Vec<bool> {
        let nearest = |place: usize, count: usize| {
            (((place as f64 + 0.5) / self.rgb_per_ct) as usize).min(count.saturating_sub(1))
        };
        let rows = self.rgb.len() / self.rgb_columns.max(1);
        let columns: Vec<_> = (0..self.rgb_columns).map(|column| nearest(column, self.ct.columns())).collect();
        (0..rows)
            .flat_map(|row| {
                let start = nearest(row, self.ct.rows()) * self.ct.columns();
                columns.iter().map(move |column| mask[start + column])
            })
            .collect()
    }
}

fn read_ct(row: &PairRow) -> Result<CtSlice, TrainingError> {
    let not_hu = |found: String| TrainingError::NotHu { line: row.line, found, path: row.ct.clone() };
    let picture = match decode(row.line, "ct", &row.ct)? {
        DynamicImage::ImageLuma16(picture) => picture,
        other => return Err(not_hu(format!("{:?}", other.color()))),
    };
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let hu = |value: u16| i32::from(value) + STORED_ZERO_HU;
    let lowest = picture.iter().copied().min().map_or(0, hu);
    let highest = picture.iter().copied().max().map_or(0, hu);
    if lowest > HIGHEST_AIR_HU || highest > i32::from(i16::MAX) {
        return Err(not_hu(format!("values that would be {lowest} to {highest} HU")));
    }
    let values: Arc<[i16]> = picture.iter().map(|&value| hu(value) as i16).collect();
    Ok(CtSlice::new(columns, rows, values))
}

fn read_photograph(row: &PairRow) -> Result<(usize, Vec<[u8; 3]>), TrainingError> {
    match decode(row.line, "rgb", &row.rgb)? {
        DynamicImage::ImageRgb8(picture) => {
            let columns = picture.width() as usize;
            Ok((columns, picture.into_raw().as_chunks::<3>().0.to_vec()))
        }
        other => {
            let found = format!("{:?}", other.color());
            Err(TrainingError::NotColor { line: row.line, found, path: row.rgb.clone() })
        }
    }
}

fn decode(line: u64, field: &'static str, path: &Path) -> Result<DynamicImage, TrainingError> {
    let read = || ImageReader::open(path)?.with_guessed_format()?.decode();
    read().map_err(|source| TrainingError::Picture { line, field, path: path.to_owned(), source })
}

fn check_fields(row: &PairRow, ct: [usize; 2], rgb: [usize; 2]) -> Result<(), TrainingError> {
    let ct_mm = ct.map(|pixels| pixels as f64 * row.ct_mm_per_pixel);
    let rgb_mm = rgb.map(|pixels| pixels as f64 * row.rgb_mm_per_pixel);
    let tolerance_mm = FIELD_TOLERANCE * row.ct_mm_per_pixel.max(row.rgb_mm_per_pixel);
    if ct_mm.iter().zip(rgb_mm).all(|(ct, rgb)| (ct - rgb).abs() <= tolerance_mm) {
        return Ok(());
    }
    Err(TrainingError::FieldOfView { line: row.line, ct_mm, rgb_mm })
}
