//! Paints and measures every slice of a split.

use super::method::Method;
use super::scores::{Meter, Scores};
use crate::preprocess::{EdgeRanges, Recipe};
use crate::training::TrainingError;
use crate::training::baselines::{HuColorFit, HuColorTable};
use crate::training::dataset::{PairSlice, read_pair_slices};
use crate::training::metrics::{lattice, mean};
use crate::training::pairs::PairRow;
use crate::training::picture::RgbPicture;
use crate::units::CancelFlag;

/// Slices that the table of colours is fitted on, spread evenly over the rows: each has some 30 000 pixels.
const SLICES_OF_A_FIT: usize = 64;
/// Slices that are read at once, in parallel.
const READ_AT_ONCE: usize = 16;
/// `AlexNet`'s last pool needs that many pixels.
const SMALLEST_SIDE: usize = 35;

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
    pub slice: &'a PairSlice,
    /// Ranges of its contours.
    pub edges: EdgeRanges,
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
    /// Mean of what [`Metric::Lattice`](super::Metric::Lattice) finds in the photographs, as the first method sees them.
    pub lattice_of_photographs: Option<f64>,
}

/// Paints every row by every method and compares it with the photograph, on the grid of the method's own recipe. All rows are
/// read once before anything is measured: what is wrong with one of them is said at once.
pub fn measure(
    rows: Vec<PairRow>,
    methods: &[Method],
    meter: &Meter,
    watch: &mut Watch<'_>,
) -> Result<Measurement, TrainingError> {
    let recipes = recipes_of(methods);
    for (recipe, chunk) in recipes.iter().flat_map(|recipe| rows.chunks(READ_AT_ONCE).map(move |chunk| (recipe, chunk)))
    {
        read_measurable(chunk, recipe, watch.cancel)?;
    }
    let mut scores = vec![Vec::with_capacity(rows.len()); methods.len()];
    let mut of_photographs = Vec::new();
    for (chunk_index, chunk) in rows.chunks(READ_AT_ONCE).enumerate() {
        for recipe in &recipes {
            for (index, slice) in read_measurable(chunk, recipe, watch.cancel)?.iter().enumerate() {
                let truth = meter.see(slice.truth.crop(slice.body))?;
                if methods.first().is_some_and(|method| method.recipe() == *recipe) {
                    of_photographs.extend(lattice(&slice.truth, &slice.prepared.grid_mask));
                }
                for (place, method) in methods.iter().enumerate().filter(|(_, method)| method.recipe() == *recipe) {
                    if watch.cancel.is_cancelled() {
                        return Err(TrainingError::Cancelled);
                    }
                    let picture = method.paint(&slice.prepared)?;
                    let score = meter.scores(&picture.crop(slice.body), &truth)?;
                    let score = Scores { lattice: lattice(&picture, &slice.prepared.grid_mask), ..score };
                    scores[place].push(score);
                    let row = chunk_index * READ_AT_ONCE + index;
                    let (picture, edges) = (&picture, recipe.edges);
                    (watch.on_painted)(&Painted { row, method: place, slice, edges, picture, scores: score });
                }
            }
        }
    }
    Ok(Measurement { rows, scores, lattice_of_photographs: mean(of_photographs) })
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

fn read_measurable(rows: &[PairRow], recipe: &Recipe, cancel: &CancelFlag) -> Result<Vec<PairSlice>, TrainingError> {
    let slices = read_pair_slices(rows, recipe, &|_| {}, cancel)?;
    for slice in &slices {
        let found = (slice.body.right - slice.body.left, slice.body.bottom - slice.body.top);
        if found.0 < SMALLEST_SIDE || found.1 < SMALLEST_SIDE {
            return Err(TrainingError::TooThin { line: slice.row.line, needed: SMALLEST_SIDE, found });
        }
    }
    Ok(slices)
}

/// The best table from HU to colour for these rows. `on_slice` hears how many slices are done, and of how many.
pub fn fit_hu_table(
    rows: &[PairRow],
    recipe: &Recipe,
    cancel: &CancelFlag,
    on_slice: &mut dyn FnMut(usize, usize),
) -> Result<HuColorTable, TrainingError> {
    let total = rows.len().min(SLICES_OF_A_FIT);
    let chosen: Vec<PairRow> = (0..total).map(|index| rows[index * rows.len() / total].clone()).collect();
    let mut fit = HuColorFit::default();
    let mut done = 0;
    for chunk in chosen.chunks(READ_AT_ONCE) {
        for slice in read_pair_slices(chunk, recipe, &|_| {}, cancel)? {
            fit.add(&slice.prepared, &slice.truth)?;
            done += 1;
            on_slice(done, total);
        }
    }
    Ok(fit.table())
}
