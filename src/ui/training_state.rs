//! All that the training panel knows, without a window: events go in, wishes come out.

use std::path::PathBuf;

use super::open::path_from_typed;
use super::training_losses::LossHistory;
use super::training_metric::Metric;
use crate::engine::{
    Command, HeldOutMetrics, TrainingControl, TrainingEvent, TrainingPreview, TrainingRequest, TrainingStart, UserError,
};
use crate::model::{DeviceChoice, WeightsSource};
use crate::training::{Preset, TrainConfig};

/// Where a run starts, as the panel asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartChoice {
    /// From new weights.
    Nothing,
    /// From the weights in use.
    #[default]
    WeightsInUse,
    /// From the checkpoint in the run's folder.
    Checkpoint,
}

/// What is filled in for the next run.
#[derive(Clone, Debug)]
pub struct TrainingDraft {
    /// The pairs table, as typed.
    pub pairs: String,
    /// Folder of the run, as typed.
    pub folder: String,
    /// The preset that filled in the settings last.
    pub preset: Preset,
    /// All settings.
    pub config: TrainConfig,
    /// torchvision's ResNet-50, as typed.
    pub perceptual_weights: String,
    /// Names of the sets that are used, as typed, with commas between them.
    pub sets: String,
    /// Where it starts.
    pub start: StartChoice,
}

impl Default for TrainingDraft {
    fn default() -> Self {
        let preset = Preset::default();
        Self {
            pairs: String::new(),
            folder: String::new(),
            preset,
            config: TrainConfig::preset(preset),
            perceptual_weights: String::new(),
            sets: String::new(),
            start: StartChoice::default(),
        }
    }
}

impl TrainingDraft {
    /// Fills in the settings of a preset; the weights in use have the structure of our own preset only.
    pub fn use_preset(&mut self, preset: Preset) {
        self.preset = preset;
        if preset != Preset::Laptop {
            self.start = StartChoice::Nothing;
        }
        self.config = TrainConfig::preset(preset);
    }

    /// All settings, with what was typed.
    fn filled_in(&self) -> TrainConfig {
        let sets = self.sets.split(',').map(str::trim).filter(|name| !name.is_empty());
        TrainConfig {
            perceptual_weights: path_from_typed(&self.perceptual_weights),
            sets: sets.map(str::to_owned).collect(),
            ..self.config.clone()
        }
    }

    /// What the engine is asked for, or what is still missing, in words.
    pub fn request(&self, weights: &WeightsSource, device: DeviceChoice) -> Result<TrainingRequest, String> {
        let pairs = path_from_typed(&self.pairs).ok_or("Choose a pairs table first")?;
        let folder = path_from_typed(&self.folder).ok_or("Choose a folder for the run first")?;
        let config = self.filled_in();
        if self.start != StartChoice::Checkpoint {
            config.checked().map_err(|error| error.to_string())?;
        }
        let start = match self.start {
            StartChoice::Nothing => TrainingStart::Nothing,
            StartChoice::WeightsInUse => TrainingStart::Weights(weights.clone()),
            StartChoice::Checkpoint => TrainingStart::CheckpointAsSaved,
        };
        Ok(TrainingRequest { pairs, folder, config, start, device })
    }
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunPhase {
    /// None was asked for.
    #[default]
    Idle,
    /// Pairs are being read and prepared.
    Preparing {
        /// Slices prepared.
        done: usize,
        /// Slices of both splits; 0 until they have been counted.
        total: usize,
    },
    /// Step after step.
    Running,
    /// Holding.
    Paused,
    /// Asked to stop; it still saves.
    Stopping,
    /// Complete, or stopped and saved.
    Ended {
        /// False when it was stopped before its last step.
        is_complete: bool,
        /// The generator's weights.
        weights: PathBuf,
    },
    /// It could not start or go on, and why.
    Failed(UserError),
}

/// What a person is told about the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFacts {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Slices to train on, and to measure on.
    pub slices: [usize; 2],
    /// Where it runs.
    pub device_name: String,
    /// Mean of the last steps; `None` before the first.
    pub secs_per_step: Option<f32>,
    /// Until the end at this pace.
    pub secs_left: Option<f32>,
}

/// How saving goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Saving {
    /// Not yet.
    #[default]
    None,
    /// The checkpoint of this step is on disk.
    Saved(u64),
    /// The last checkpoint could not be written; the one before is whole.
    Failed(UserError),
}

/// What happens when the window is to be closed while a run is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Nobody asked for it.
    #[default]
    No,
    /// The question is on screen.
    Asking,
    /// The window closes when the run has ended.
    WhenEnded,
}

/// All that the training panel knows.
#[derive(Clone, Debug, Default)]
pub struct TrainingState {
    /// The panel is on screen.
    pub is_open: bool,
    /// What is filled in for the next run.
    pub draft: TrainingDraft,
    /// The measurement whose curve is shown.
    pub metric: Metric,
    /// Where the run stands.
    pub phase: RunPhase,
    /// What a person is told about it.
    pub facts: RunFacts,
    /// Losses so far.
    pub losses: LossHistory,
    /// Measurements so far, in their order.
    pub metrics: Vec<HeldOutMetrics>,
    /// A held-out slice.
    pub preview: Option<Box<TrainingPreview>>,
    /// How saving goes.
    pub saving: Saving,
    /// The open series shows the generator that is being trained.
    pub is_applied: bool,
    /// Whether the window is to close.
    pub closing: Closing,
}

impl TrainingState {
    /// Whether a run is on: the window must not close in silence.
    pub fn is_on(&self) -> bool {
        matches!(self.phase, RunPhase::Preparing { .. } | RunPhase::Running | RunPhase::Paused | RunPhase::Stopping)
    }

    /// Begins a run; what is known of the one before is forgotten.
    pub fn start(&mut self, request: TrainingRequest) -> Command {
        *self = Self {
            is_open: self.is_open,
            metric: self.metric,
            draft: std::mem::take(&mut self.draft),
            phase: RunPhase::Preparing { done: 0, total: 0 },
            ..Self::default()
        };
        Command::StartTraining(Box::new(request))
    }

    /// Tells the run something.
    pub fn control(&mut self, control: TrainingControl) -> Command {
        match control {
            TrainingControl::Stop => self.phase = RunPhase::Stopping,
            TrainingControl::Apply => self.is_applied = true,
            TrainingControl::StopApplying => self.is_applied = false,
            TrainingControl::Pause | TrainingControl::Resume | TrainingControl::RollBack | TrainingControl::Save => {}
        }
        Command::ControlTraining(control)
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: TrainingEvent) {
        match event {
            TrainingEvent::Preparing { done, total } if self.phase != RunPhase::Stopping => {
                self.phase = RunPhase::Preparing { done, total };
            }
            TrainingEvent::Preparing { .. } => {}
            TrainingEvent::Started { training_slices, held_out_slices, step, total_steps, device_name } => {
                let slices = [training_slices, held_out_slices];
                self.facts = RunFacts { step, total_steps, slices, device_name, ..RunFacts::default() };
                self.go_on();
            }
            TrainingEvent::StepDone { report, secs_per_step, secs_left } => {
                self.facts.step = report.step;
                self.facts.secs_per_step = Some(secs_per_step);
                self.facts.secs_left = Some(secs_left);
                self.losses.push(&report);
            }
            TrainingEvent::Measured(metrics) => self.measured(metrics),
            TrainingEvent::Preview(preview) => self.preview = Some(preview),
            TrainingEvent::CheckpointSaved { step } => self.saving = Saving::Saved(step),
            TrainingEvent::CheckpointFailed(error) => self.saving = Saving::Failed(error),
            TrainingEvent::Paused { step } => self.hold_at(step),
            TrainingEvent::Resumed => self.go_on(),
            TrainingEvent::RolledBack { step } => {
                self.losses.forget_after(step);
                self.metrics.retain(|metrics| metrics.step <= step);
                self.hold_at(step);
            }
            TrainingEvent::Ended { step, is_complete, weights } => {
                self.facts.step = step;
                if !is_complete {
                    // What one most likely wants next.
                    self.draft.start = StartChoice::Checkpoint;
                }
                self.phase = RunPhase::Ended { is_complete, weights };
            }
            TrainingEvent::Cancelled => self.phase = RunPhase::Idle,
            TrainingEvent::Failed(error) => self.phase = RunPhase::Failed(error),
        }
    }

    fn go_on(&mut self) {
        if self.phase != RunPhase::Stopping {
            self.phase = RunPhase::Running;
        }
    }

    fn hold_at(&mut self, step: u64) {
        self.facts.step = step;
        if self.phase != RunPhase::Stopping {
            self.phase = RunPhase::Paused;
        }
    }

    /// A run that is taken up again may tell a measurement twice.
    fn measured(&mut self, metrics: HeldOutMetrics) {
        self.metrics.retain(|earlier| earlier.step < metrics.step);
        self.metrics.push(metrics);
    }
}

#[cfg(test)]
#[path = "training_state_tests.rs"]
mod tests;
