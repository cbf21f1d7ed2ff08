//! The paper's training and measuring (§4): pairs, augmentation, losses, steps, metrics. No thread, channel or clock.

mod bootstrap;
mod error;
pub mod metrics;
mod pairs;
mod picture;
mod target;

pub use bootstrap::{BLOCK_MM, Blocks, Interval};
pub use error::TrainingError;
pub use pairs::{HELD_OUT_SPLIT, PairRow, PairTable, SplitRule, TRAIN_SPLIT, count_by_set};
pub use picture::{GridBox, RgbPicture};
pub use target::{DARK_AIR, GelatinRule, Photograph, measured_target};
