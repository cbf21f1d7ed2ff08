//! A training run from its first slice to its last step, on the caller's thread.
//!
//! Everything is read and checked before the first step. What a run leaves in its folder, `folder` says.

mod card;
mod folder;
mod held_out;
mod pace;
mod preparation;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use folder::RunFolder;
use held_out::HeldOut;
use pace::Pace;

use super::UserError;
use super::training_messages::{HeldOutMetrics, TrainingControl, TrainingEvent, TrainingRequest};
use crate::model::{GeneratorWeights, Precision, WeightsCard};
use crate::training::{Batch, Dataset, Sampler, StepReport, Trainer, TrainingError, checkpoint};
use crate::units::CancelFlag;

/// A checkpoint is never older than this while training goes on.
const OLDEST_CHECKPOINT: Duration = Duration::from_mins(10);
/// How often a run that holds looks for what it is told.
const HOLD_POLL: Duration = Duration::from_millis(50);
/// Stack of the workers: gradients are followed back by recursion.
const STACK_BYTES: usize = 8 << 20;

/// How a run talks to whoever started it. All are called from one worker thread, between steps.
pub struct TrainingHooks<'a> {
    /// The next thing that the run is told, if anything is; never waits.
    pub next_control: &'a (dyn Fn() -> Option<TrainingControl> + Sync),
    /// Takes what happens. [`TrainingEvent::Failed`] is left to the caller, who gets the error.
    pub on_event: &'a (dyn Fn(TrainingEvent) + Sync),
    /// Takes the generator after [`TrainingControl::Apply`], and from then on after every measurement.
    pub on_weights: &'a (dyn Fn(GeneratorWeights) + Sync),
    /// Raised: while pictures are read, the run ends with [`TrainingError::Cancelled`]; later, it saves and ends.
    pub cancel: &'a CancelFlag,
    /// Whether one core stays free, for a window.
    pub spares_a_core: bool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct TrainingOutcome {
    /// Steps done.
    pub step: u64,
    /// False when it was stopped before its last step.
    pub is_complete: bool,
    /// The generator's weights.
    pub weights: PathBuf,
    /// The last measurement.
    pub metrics: Option<HeldOutMetrics>,
}

/// Runs a training until its last step, or until it is told to stop.
pub fn run(request: &TrainingRequest, hooks: &TrainingHooks<'_>) -> Result<TrainingOutcome, TrainingError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if hooks.spares_a_core { cores.saturating_sub(1).max(1) } else { cores };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES);
    let pool = pool.thread_name(|index| format!("train-{index}")).build();
    let pool = pool.map_err(|error| TrainingError::Threads { reason: error.to_string() })?;
    pool.install(|| {
        let mut run = preparation::prepare(request, hooks)?;
        run.begin()?;
        let is_complete = run.train()?;
        run.finish(is_complete)
    })
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

/// A run in progress.
struct Run<'a> {
    hooks: &'a TrainingHooks<'a>,
    folder: RunFolder,
    dataset: Dataset,
    held_out: HeldOut,
    trainer: Trainer,
    /// As it stood after the last step.
    sampler: Sampler,
    /// As it stood after `next_batch` was drawn.
    ahead: Sampler,
    next_batch: Batch,
    card: WeightsCard,
    is_resumed: bool,
    device_name: String,
    measured: Option<HeldOutMetrics>,
    best: Option<f64>,
    saved_at: Instant,
    saved_step: Option<u64>,
    pace: Pace,
    is_applying: bool,
}

impl Run<'_> {
    /// Tells that the run begins, and makes sure that it can be taken up again from its first step on.
    fn begin(&mut self) -> Result<(), TrainingError> {
        self.tell(TrainingEvent::Started {
            training_slices: self.dataset.len(),
            held_out_slices: self.held_out.len(),
            step: self.trainer.step_count(),
            total_steps: self.trainer.total_steps(),
            device_name: self.device_name.clone(),
        });
        if self.is_resumed {
            self.saved_step = Some(self.trainer.step_count());
        } else {
            self.save_or_fail()?;
        }
        self.measure()?;
        self.pace.pause();
        Ok(())
    }

    /// Steps until the last one (true) or until told to stop (false).
    fn train(&mut self) -> Result<bool, TrainingError> {
        while self.trainer.step_count() < self.trainer.total_steps() {
            if self.take_controls()? == Flow::Stop {
                return Ok(false);
            }
            self.step()?;
            let step = self.trainer.step_count();
            let config = self.trainer.config();
            let (checkpoint_every, measure_every) = (config.checkpoint_every, config.measure_every);
            if step.is_multiple_of(checkpoint_every) || self.saved_at.elapsed() >= OLDEST_CHECKPOINT {
                self.save()?;
            }
            if step.is_multiple_of(measure_every) {
                self.measure()?;
                self.pace.pause();
            }
        }
        Ok(true)
    }

    /// One step; meanwhile the next batch is made.
    fn step(&mut self) -> Result<(), TrainingError> {
        let mut further = self.ahead.clone();
        let picks = further.next_picks();
        let Self { trainer, dataset, next_batch, .. } = self;
        let (report, batch) = rayon::join(|| trainer.step(next_batch), || dataset.batch(&picks));
        let report = report?;
        self.sampler = std::mem::replace(&mut self.ahead, further);
        self.next_batch = batch;
        self.tell_step(&report);
        Ok(())
    }

    fn tell_step(&mut self, report: &StepReport) {
        let secs = self.pace.step_done();
        let written = self.folder.log_step(report, secs);
        self.tell_unwritten(written);
        let secs_per_step = self.pace.secs_per_step();
        let left = self.trainer.total_steps().saturating_sub(report.step);
        let secs_left = secs_per_step * left as f32;
        self.tell(TrainingEvent::StepDone { report: *report, secs_per_step, secs_left });
    }

    /// Does what it is told; holds while paused.
    fn take_controls(&mut self) -> Result<Flow, TrainingError> {
        loop {
            if self.hooks.cancel.is_cancelled() {
                return Ok(Flow::Stop);
            }
            match (self.hooks.next_control)() {
                None => return Ok(Flow::GoOn),
                Some(TrainingControl::Stop) => return Ok(Flow::Stop),
                Some(TrainingControl::Pause) => {
                    self.save()?;
                    return self.hold();
                }
                Some(TrainingControl::RollBack) => {
                    self.roll_back()?;
                    return self.hold();
                }
                Some(control) => self.obey(control)?,
            }
        }
    }

    fn hold(&mut self) -> Result<Flow, TrainingError> {
        self.tell(TrainingEvent::Paused { step: self.trainer.step_count() });
        let flow = loop {
            if self.hooks.cancel.is_cancelled() {
                break Flow::Stop;
            }
            match (self.hooks.next_control)() {
                None => std::thread::sleep(HOLD_POLL),
                Some(TrainingControl::Resume) => {
                    self.tell(TrainingEvent::Resumed);
                    break Flow::GoOn;
                }
                Some(TrainingControl::Stop) => break Flow::Stop,
                Some(TrainingControl::RollBack) => self.roll_back()?,
                Some(control) => self.obey(control)?,
            }
        };
        self.pace.pause();
        Ok(flow)
    }

    /// What needs neither holding nor ending.
    fn obey(&mut self, control: TrainingControl) -> Result<(), TrainingError> {
        match control {
            TrainingControl::Save => self.save()?,
            TrainingControl::Apply => {
                self.is_applying = true;
                (self.hooks.on_weights)(self.weights()?);
            }
            TrainingControl::StopApplying => self.is_applying = false,
            TrainingControl::Pause | TrainingControl::Resume | TrainingControl::Stop | TrainingControl::RollBack => {}
        }
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), TrainingError> {
        checkpoint::resume(&mut self.trainer, &mut self.sampler, &self.folder.checkpoint())?;
        let step = self.trainer.step_count();
        self.saved_step = Some(step);
        let (ahead, batch) = first_batch(&self.sampler, &self.dataset);
        (self.ahead, self.next_batch) = (ahead, batch);
        let reopened = self.folder.open_tables(step, false);
        self.tell_unwritten(reopened);
        if self.measured.is_some_and(|metrics| metrics.step > step) {
            self.measured = None;
        }
        self.tell(TrainingEvent::RolledBack { step });
        Ok(())
    }

    /// Writes the checkpoint. A full disk is told, and training goes on.
    fn save(&mut self) -> Result<(), TrainingError> {
        match self.save_or_fail() {
            Err(error @ TrainingError::Write { .. }) => {
                // The next one is tried when it is due, not at every step.
                self.saved_at = Instant::now();
                self.tell_unwritten(Err(error));
                Ok(())
            }
            other => other,
        }
    }

    fn save_or_fail(&mut self) -> Result<(), TrainingError> {
        let step = self.trainer.step_count();
        if self.saved_step != Some(step) {
            checkpoint::save(&self.trainer, &self.sampler, &self.folder.checkpoint())?;
            self.saved_step = Some(step);
        }
        self.saved_at = Instant::now();
        let flushed = self.folder.flush();
        self.tell_unwritten(flushed);
        self.tell(TrainingEvent::CheckpointSaved { step });
        Ok(())
    }

    /// Measures the held-out slices, and writes the generator as it is, and as the best if it is.
    fn measure(&mut self) -> Result<(), TrainingError> {
        let weights = self.weights()?;
        let step = self.trainer.step_count();
        let epoch = (step * self.trainer.config().batch as u64) as f64 / self.dataset.len() as f64;
        let (means, preview) = self.held_out.measure(&weights, &self.folder)?;
        let metrics = HeldOutMetrics { step, epoch, ..means };
        self.measured = Some(metrics);
        let written = self.folder.log_metrics(&metrics);
        self.tell_unwritten(written);
        self.tell(TrainingEvent::Measured(metrics));
        self.tell(TrainingEvent::Preview(Box::new(preview)));
        let weights = GeneratorWeights { card: card::measured(weights.card, &metrics), ..weights };
        if step > 0 {
            let written = write(&weights, self.folder.generator());
            self.tell_unwritten(written);
        }
        if self.best.is_none_or(|best| card::score(&metrics) < best) {
            self.best = Some(card::score(&metrics));
            let written = write(&weights, self.folder.best());
            self.tell_unwritten(written);
        }
        if self.is_applying {
            (self.hooks.on_weights)(weights);
        }
        Ok(())
    }

    fn weights(&self) -> Result<GeneratorWeights, TrainingError> {
        self.trainer.generator_weights(self.card.clone())
    }

    /// Leaves checkpoint and weights on disk.
    fn finish(mut self, is_complete: bool) -> Result<TrainingOutcome, TrainingError> {
        let step = self.trainer.step_count();
        self.save_or_fail()?;
        let is_measured = self.measured.is_some_and(|metrics| metrics.step == step);
        if is_complete && !is_measured {
            self.measure()?;
        } else {
            let mut weights = self.weights()?;
            if let Some(metrics) = self.measured.filter(|_| is_measured) {
                weights.card = card::measured(weights.card, &metrics);
            }
            write(&weights, self.folder.generator())?;
        }
        let weights = self.folder.generator();
        self.tell(TrainingEvent::Ended { step, is_complete, weights: weights.clone() });
        Ok(TrainingOutcome { step, is_complete, weights, metrics: self.measured })
    }

    fn tell(&self, event: TrainingEvent) {
        (self.hooks.on_event)(event);
    }

    fn tell_unwritten(&self, written: Result<(), TrainingError>) {
        if let Err(error) = written {
            self.tell(TrainingEvent::CheckpointFailed(UserError::from(&error)));
        }
    }
}

/// What comes next from where a sampler stands: the sampler after it, and the batch.
fn first_batch(sampler: &Sampler, dataset: &Dataset) -> (Sampler, Batch) {
    let mut ahead = sampler.clone();
    let batch = dataset.batch(&ahead.next_picks());
    (ahead, batch)
}

fn write(weights: &GeneratorWeights, path: PathBuf) -> Result<(), TrainingError> {
    match weights.write(&path, Precision::F16) {
        Ok(_) => Ok(()),
        Err(crate::model::WeightsError::Write { source }) => Err(TrainingError::Write { path, source }),
        Err(source) => Err(TrainingError::Weights { path, source }),
    }
}
