//! What can be asked of a training run, and all that can happen in one: plain data.

use std::path::PathBuf;
use std::sync::Arc;

use super::UserError;
use crate::model::{DeviceChoice, WeightsSource};
use crate::training::{RgbPicture, StepReport, TrainConfig};

/// Where a training run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainingStart {
    /// From new weights.
    Nothing,
    /// From weights of the same structure and recipe: fine-tuning.
    Weights(WeightsSource),
    /// From the checkpoint in the run's folder; the settings in it must agree with the request's.
    Checkpoint,
    /// The same with the settings in the checkpoint; of the request's, only `max_steps` counts, unless it is 0.
    CheckpointAsSaved,
}

/// A training run.
#[derive(Clone, Debug)]
pub struct TrainingRequest {
    /// The pairs table (CSV).
    pub pairs: PathBuf,
    /// Folder of the run: checkpoint, weights, measurements. Made if it does not exist.
    pub folder: PathBuf,
    /// All settings.
    pub config: TrainConfig,
    /// Where it starts.
    pub start: TrainingStart,
    /// Where it runs.
    pub device: DeviceChoice,
}

/// What a run is told while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingControl {
    /// Hold after the step in progress, and save.
    Pause,
    /// Go on.
    Resume,
    /// Save and end; it can be taken up again.
    Stop,
    /// Go back to the last checkpoint, and hold there.
    RollBack,
    /// Save a checkpoint now.
    Save,
    /// Use the generator as it is now for the open series, and from now on at every measurement.
    Apply,
    /// Use the weights that were in use before for the open series.
    StopApplying,
}

/// A held-out slice as the generator painted it at the start of the run, as it does now, and the truth.
#[derive(Clone, Debug)]
pub struct TrainingPreview {
    /// Name of the slice in the table.
    pub slice: String,
    /// The generator's first channel in grey, on the network's grid.
    pub ct: Arc<RgbPicture>,
    /// At the start of the run.
    pub before: Arc<RgbPicture>,
    /// Now.
    pub now: Arc<RgbPicture>,
    /// The photograph.
    pub truth: Arc<RgbPicture>,
}

/// Means over the held-out split.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HeldOutMetrics {
    /// Steps done.
    pub step: u64,
    /// Epochs done, in parts.
    pub epoch: f64,
    /// 8-bit levels; lower is better.
    pub rmse: f64,
    /// 1 is best.
    pub ssim: f64,
    /// LPIPS v0.1 with AlexNet; lower is better.
    pub lpips: f64,
    /// LPIPS v0.1 with VGG-16; only measured where VGG-16 is part of the training's loss.
    pub lpips_vgg: Option<f64>,
    /// Strength of a pattern that repeats with the network's doublings, in 8-bit levels; lower is better. `None` where no body is
    /// large enough for it.
    pub lattice: Option<f64>,
}

/// Something that happened in a training run.
#[derive(Clone, Debug)]
pub enum TrainingEvent {
    /// Pairs are being read and prepared.
    Preparing {
        /// Slices prepared.
        done: usize,
        /// Slices of both splits.
        total: usize,
    },
    /// The run begins, or goes on where it stood.
    Started {
        /// Slices to train on.
        training_slices: usize,
        /// Slices to measure on.
        held_out_slices: usize,
        /// Steps done before.
        step: u64,
        /// Steps of the whole run.
        total_steps: u64,
        /// `CPU`, or the GPU's name.
        device_name: String,
    },
    /// A step is done.
    StepDone {
        /// Losses.
        report: StepReport,
        /// Mean of the last steps.
        secs_per_step: f32,
        /// Until the end of the run at this pace.
        secs_left: f32,
    },
    /// The held-out split has been measured.
    Measured(HeldOutMetrics),
    /// A held-out slice has been painted anew.
    Preview(Box<TrainingPreview>),
    /// The checkpoint is on disk.
    CheckpointSaved {
        /// Steps done.
        step: u64,
    },
    /// The checkpoint, or another file of the run, could not be written; training goes on, and the previous file is whole.
    CheckpointFailed(UserError),
    /// Holding.
    Paused {
        /// Steps done.
        step: u64,
    },
    /// Going on.
    Resumed,
    /// Back at the last checkpoint.
    RolledBack {
        /// Steps done.
        step: u64,
    },
    /// Stopped before its first step: nothing of a run was written.
    Cancelled,
    /// The run is complete, or was stopped; checkpoint and weights are on disk.
    Ended {
        /// Steps done.
        step: u64,
        /// False when it was stopped before its last step.
        is_complete: bool,
        /// The generator's weights.
        weights: PathBuf,
    },
    /// The run cannot start or go on; the last checkpoint is whole.
    Failed(UserError),
}
