//! Paints and measures every slice of a split.

use super::method::Method;
use super::scores::{Meter, Scores};
use super::slice::MeasuredSlice;
use crate::preprocess::Recipe;
use crate::training::TrainingError;
use crate::training::baselines::{HuColorFit, HuColorTable};
use crate::training::pairs::PairRow;
use crate::training::picture::RgbPicture;
use crate::units::CancelFlag;

/// Slices that the table of colours is fitted on, spread evenly over the rows: each has some 30 000 pixels, and four times
/// as many slices change its RMSE by less than a hundredth of a level.
const SLICES_OF_A_FIT: usize = 64;

/// What a measurement is told, and tells.
pub struct Watch<'a> {
    /// Raised when nobody wants the result any more.
    pub cancel: &'a CancelFlag,
    /// Hears of each picture as it has been measured.
    pub on_painted: &'a mut dyn FnMut(&Painted<'_>),
}

/// A picture that has been measured.
#[derive(Clone, Copy, Debug)]
pub struct Painted<'a> {
    /// Place of the slice among the rows.
    pub row: usize,
    /// Place of the method.
    pub method: usize,
    /// The slice as the method saw it, with the truth.
    pub slice: &'a MeasuredSlice,
    /// What the method made of it.
    pub picture: &'a RgbPicture,
    /// How close it is.
    pub scores: Scores,
}

/// Scores of all methods on all slices.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The slices.
    pub rows: Vec<PairRow>,
    /// For each method, a score for each row.
    pub scores: Vec<Vec<Scores>>,
}

/// Paints every row by every method and compares it with the photograph, on the grid of the method's own recipe.
pub fn measure(
    rows: Vec<PairRow>,
    methods: &[Method],
    meter: &Meter,
    watch: &mut Watch<'_>,
) -> Result<Measurement, TrainingError> {
    let recipes = recipes_of(methods);
    let mut scores = vec![Vec::with_capacity(rows.len()); methods.len()];
    for (index, row) in rows.iter().enumerate() {
        for recipe in &recipes {
            if watch.cancel.is_cancelled() {
                return Err(TrainingError::Cancelled);
            }
            let slice = MeasuredSlice::read(row, recipe)?;
            let truth = meter.see(slice.truth_part())?;
            for (place, method) in methods.iter().enumerate().filter(|(_, method)| method.recipe() == *recipe) {
                let picture = method.paint(&slice.prepared)?;
                let score = meter.scores(&picture.crop(slice.part), &truth)?;
                scores[place].push(score);
                let painted = Painted { row: index, method: place, slice: &slice, picture: &picture, scores: score };
                (watch.on_painted)(&painted);
            }
        }
    }
    Ok(Measurement { rows, scores })
}

/// The recipes of the methods, each once, in their order: a slice is prepared once for all methods that see it alike.
fn recipes_of(methods: &[Method]) -> Vec<&Recipe> {
    let mut recipes: Vec<&Recipe> = Vec::new();
    for method in methods {
        if !recipes.contains(&method.recipe()) {
            recipes.push(method.recipe());
        }
    }
    recipes
}

/// The best table from HU to colour for these rows. `on_slice` hears how many slices are done, and of how many.
pub fn fit_hu_table(
    rows: &[PairRow],
    recipe: &Recipe,
    cancel: &CancelFlag,
    on_slice: &mut dyn FnMut(usize, usize),
) -> Result<HuColorTable, TrainingError> {
    let total = rows.len().min(SLICES_OF_A_FIT);
    let mut fit = HuColorFit::default();
    for index in 0..total {
        if cancel.is_cancelled() {
            return Err(TrainingError::Cancelled);
        }
        let slice = MeasuredSlice::read(&rows[index * rows.len() / total], recipe)?;
        fit.add(&slice.prepared, &slice.truth)?;
        on_slice(index + 1, total);
    }
    Ok(fit.table())
}
