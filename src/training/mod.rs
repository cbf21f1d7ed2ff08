//! The paper's training and measuring (§4): pairs, augmentation, losses, steps, metrics. No thread, channel or clock.

mod augment;
pub mod baselines;
mod bootstrap;
pub mod checkpoint;
mod config;
mod config_flags;
mod dataset;
mod error;
pub mod evaluation;
mod loss;
pub mod metrics;
mod optim;
mod pairs;
mod picture;
pub mod prepare;
pub mod registration;
mod sampler;
mod target;
mod trainer;
mod upsampling;

pub use augment::{Augmentation, Variation};
pub use bootstrap::{BLOCK_MM, Blocks, Interval};
pub use config::{InputChannels, Judge, Perceptual, Preset, TrainConfig};
pub use config_flags::ConfigFlags;
pub use dataset::{Dataset, OnPrepared, PairSlice, read_pair_slices};
pub use error::TrainingError;
pub use loss::{Adversarial, FeatureDistance};
pub use pairs::{HELD_OUT_SPLIT, PairRow, PairTable, SplitRule, TRAIN_SPLIT, count_by_set};
pub use picture::{GridBox, RgbPicture};
pub use sampler::{Pick, Sampler};
pub use target::{DARK_AIR, GelatinRule, Photograph, measured_target};
pub use trainer::{Batch, StepReport, Trainer};
pub use upsampling::Upsampling;
