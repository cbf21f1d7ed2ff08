//! All that is read and checked before the first step.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::folder::RunFolder;
use super::held_out::HeldOut;
use super::pace::Pace;
use super::{Run, TrainingHooks, card, first_batch};
use crate::engine::training_messages::{TrainingEvent, TrainingRequest, TrainingStart};
use crate::model::{GeneratorWeights, ModelError, OpenDevice, WeightsCard, WeightsSource};
use crate::training::{
    Dataset, PairRow, PairTable, Sampler, TrainConfig, Trainer, TrainingError, checkpoint, count_by_set,
    read_pair_slices,
};

/// Reads settings, table, weights and all pictures; the cheap things first.
pub(super) fn prepare<'a>(request: &TrainingRequest, hooks: &'a TrainingHooks<'a>) -> Result<Run<'a>, TrainingError> {
    let request = &with_settings(request)?;
    let config = &request.config;
    config.checked()?;
    let [training_rows, held_out_rows] = rows(request)?;
    let device = OpenDevice::open(request.device).map_err(ModelError::from)?;
    let start = start_weights(&request.start)?;
    let total_steps = config.total_steps(training_rows.len());
    let mut trainer = Trainer::new(config, start.as_ref(), total_steps, device.device())?;
    let mut folder = RunFolder::open(&request.folder)?;
    let is_resumed = check_folder(&request.start, &folder)?;
    let mut sampler = Sampler::of_rows(config, &training_rows, &held_out_rows);
    if is_resumed {
        checkpoint::resume(&mut trainer, &mut sampler, &folder.checkpoint())?;
    }
    let (dataset, mut held_out) = read_pictures(request, hooks, &training_rows, &held_out_rows)?;
    if is_resumed {
        held_out.remember_before(&folder);
    }
    if hooks.cancel.is_cancelled() {
        return Err(TrainingError::Cancelled);
    }
    folder.open_tables(trainer.step_count(), true)?;
    let (ahead, next_batch) = first_batch(&sampler, &dataset);
    let mut card =
        card::of_run(config, start.as_ref().map(|start| &start.card), &count_by_set(&training_rows), &dataset);
    let best = is_resumed.then(|| best_card(&folder)).flatten();
    if let Some(best) = &best {
        // It knows what the run started from.
        card.data.clone_from(&best.data);
        if config.regions.is_empty() {
            card.regions.clone_from(&best.regions);
        }
    }
    Ok(Run {
        hooks,
        card,
        best: best.as_ref().and_then(card::score_of_card),
        folder,
        dataset,
        held_out,
        trainer,
        sampler,
        ahead,
        next_batch,
        is_resumed,
        device_name: device.name().to_owned(),
        measured: None,
        saved_at: Instant::now(),
        saved_step: None,
        pace: Pace::new(),
        is_applying: false,
    })
}

/// The request with the settings that the run has.
fn with_settings(request: &TrainingRequest) -> Result<TrainingRequest, TrainingError> {
    if request.start != TrainingStart::CheckpointAsSaved {
        return Ok(request.clone());
    }
    let path = RunFolder::checkpoint_in(&request.folder);
    if !path.exists() {
        return Err(no_checkpoint(path));
    }
    let saved = checkpoint::saved_config(&path)?;
    let max_steps = if request.config.max_steps > 0 { request.config.max_steps } else { saved.max_steps };
    Ok(TrainingRequest { config: TrainConfig { max_steps, ..saved }, ..request.clone() })
}

/// Rows to train on and rows to measure on.
fn rows(request: &TrainingRequest) -> Result<[Vec<PairRow>; 2], TrainingError> {
    let TrainConfig { train_split, held_out_split, guard_mm, sets, .. } = &request.config;
    let table = PairTable::read(&request.pairs, request.config.split_rule())?;
    table.check_sets(sets)?;
    let of_sets = |mut rows: Vec<PairRow>, split: &str| {
        let known: Vec<String> = rows.iter().map(|row| row.set.clone()).collect();
        rows.retain(|row| sets.is_empty() || sets.contains(&row.set));
        if rows.is_empty() {
            let set = format!("{} of the split {split}", sets.join(", "));
            let known = known.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            return Err(TrainingError::UnknownSet { set, known });
        }
        Ok(rows)
    };
    let held_out = of_sets(table.split(held_out_split)?, held_out_split)?;
    let training = of_sets(table.training_rows(train_split, held_out_split, *guard_mm)?, train_split)?;
    Ok([training, held_out])
}

fn start_weights(start: &TrainingStart) -> Result<Option<GeneratorWeights>, TrainingError> {
    let TrainingStart::Weights(source) = start else { return Ok(None) };
    let weights = GeneratorWeights::read(source).map_err(|error| {
        let path = match source {
            WeightsSource::Bundled => "bundled".into(),
            WeightsSource::File(path) => path.clone(),
        };
        TrainingError::Weights { path, source: error }
    })?;
    Ok(Some(weights))
}

fn no_checkpoint(path: PathBuf) -> TrainingError {
    TrainingError::RunFolder { reason: "it holds no checkpoint to go on from; start anew", path }
}

/// Whether the run goes on from its checkpoint. A new run never overwrites what another has left.
fn check_folder(start: &TrainingStart, folder: &RunFolder) -> Result<bool, TrainingError> {
    match start {
        TrainingStart::Checkpoint | TrainingStart::CheckpointAsSaved => match folder.checkpoint() {
            path if path.exists() => Ok(true),
            path => Err(no_checkpoint(path)),
        },
        TrainingStart::Nothing | TrainingStart::Weights(_) => match folder.left_behind() {
            None => Ok(false),
            Some(path) => {
                let reason = "it holds a run already; go on with that one, or choose another folder";
                Err(TrainingError::RunFolder { reason, path })
            }
        },
    }
}

fn read_pictures(
    request: &TrainingRequest,
    hooks: &TrainingHooks<'_>,
    training_rows: &[PairRow],
    held_out_rows: &[PairRow],
) -> Result<(Dataset, HeldOut), TrainingError> {
    let (config, recipe) = (&request.config, request.config.recipe());
    let total = training_rows.len() + held_out_rows.len();
    let done = AtomicUsize::new(0);
    let on_prepared = |_: usize| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        (hooks.on_event)(TrainingEvent::Preparing { done, total });
    };
    let held_out = read_pair_slices(held_out_rows, &recipe, &on_prepared, hooks.cancel)?;
    let held_out = HeldOut::new(held_out, config.perceptual, request.device)?;
    let dataset = Dataset::read(training_rows, &recipe, config.gelatin, &on_prepared, hooks.cancel)?;
    Ok((dataset, held_out))
}

/// The card of the run's best generator so far, when it is taken up again.
fn best_card(folder: &RunFolder) -> Option<WeightsCard> {
    Some(GeneratorWeights::read(&WeightsSource::File(folder.best())).ok()?.card)
}
