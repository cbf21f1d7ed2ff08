//! The pictures of a pairs table, in memory: whole slices for measuring, varied ones for training.
//!
//! ```text
//! PairRow ─▶ PairPictures ─▶ PairSlice         prepared CT and truth, as measuring sees them
//!                 └────────▶ StoredSlice ─▶ Batch        varied jointly, as training sees them
//! ```

mod pair_slice;
mod pictures;
mod sampling;
mod stored_slice;

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

pub use pair_slice::PairSlice;
use stored_slice::StoredSlice;

use super::TrainingError;
use super::pairs::PairRow;
use super::sampler::Pick;
use super::target::GelatinRule;
use super::trainer::Batch;
use crate::preprocess::{Recipe, RegionError, RegionFeatures, RegionModel};
use crate::units::CancelFlag;

/// Told how many slices have been prepared, from any thread.
pub type OnPrepared<'a> = &'a (dyn Fn(usize) + Sync);

/// Reads and prepares slices in parallel, as measuring sees them, in the order of the rows.
pub fn read_pair_slices(
    rows: &[PairRow],
    recipe: &Recipe,
    on_prepared: OnPrepared<'_>,
    cancel: &CancelFlag,
) -> Result<Vec<PairSlice>, TrainingError> {
    in_parallel(rows, on_prepared, cancel, |row| PairSlice::read(row, recipe))
}

/// Slices to train on, in memory: pictures as they are, around the network's square.
pub struct Dataset {
    recipe: Recipe,
    slices: Vec<StoredSlice>,
}

impl Dataset {
    /// Reads and prepares all rows in parallel. The first row that is wrong is the error.
    pub fn read(
        rows: &[PairRow],
        recipe: &Recipe,
        gelatin: GelatinRule,
        on_prepared: OnPrepared<'_>,
        cancel: &CancelFlag,
    ) -> Result<Self, TrainingError> {
        let slices = in_parallel(rows, on_prepared, cancel, |row| StoredSlice::read(row, recipe, gelatin))?;
        Ok(Self { recipe: recipe.clone(), slices })
    }

    /// Number of slices.
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    /// Whether there is nothing to train on.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Slices for one step, varied as the picks say; made in parallel.
    pub fn batch(&self, picks: &[Pick]) -> Batch {
        let _span = tracing::debug_span!("batch").entered();
        let varied: Vec<_> =
            picks.par_iter().map(|pick| self.slices[pick.index].varied(&self.recipe, &pick.variation)).collect();
        let mut batch = Batch {
            count: picks.len(),
            size: self.recipe.size,
            ct: Vec::new(),
            mask: Vec::new(),
            rgb_real: Vec::new(),
        };
        for slice in varied {
            batch.ct.extend(slice.channels);
            batch.mask.extend(slice.mask.iter().map(|&is_inside| f32::from(u8::from(is_inside))));
            batch.rgb_real.extend(slice.rgb.to_signed_unit());
        }
        batch
    }

    /// What the slices look like, set by set: it tells when a slice looks like none of them.
    pub fn region_model(&self) -> Result<RegionModel, RegionError> {
        let mut sets: Vec<(&str, Vec<RegionFeatures>)> = Vec::new();
        for slice in &self.slices {
            match sets.iter_mut().find(|(set, _)| *set == slice.set) {
                Some((_, features)) => features.push(slice.features),
                None => sets.push((&slice.set, vec![slice.features])),
            }
        }
        RegionModel::fit(&sets)
    }
}

/// `read` of every row, in the order of the rows; the first row that is wrong is the error.
fn in_parallel<T: Send>(
    rows: &[PairRow],
    on_prepared: OnPrepared<'_>,
    cancel: &CancelFlag,
    read: impl Fn(&PairRow) -> Result<T, TrainingError> + Sync,
) -> Result<Vec<T>, TrainingError> {
    let done = AtomicUsize::new(0);
    let read_one = |row| {
        if cancel.is_cancelled() {
            return Err(TrainingError::Cancelled);
        }
        let slice = read(row)?;
        on_prepared(done.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(slice)
    };
    // All rows are looked at before the first error is told, so that the same table always gives the same error.
    rows.par_iter().map(read_one).collect::<Vec<_>>().into_iter().collect()
}
