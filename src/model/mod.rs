//! The generator: weights, devices, and colours for a slice.
//!
//! ```text
//! colorizer ─▶ weights ─▶ generator ─▶ blocks        discriminator, features ─▶ blocks
//!     ├──▶ device  └──▶ tensor_file   └──▶ parameters, seed
//!     └──▶ cpu                                      import ─▶ checkpoint ─▶ pickle
//! ```
//!
//! The networks compute through [`blocks`] alone, so that what computes them can change in one place.

pub mod bench;
pub mod blocks;
mod card;
pub mod checkpoint;
mod colorizer;
pub mod cpu;
mod device;
mod discriminator;
pub mod features;
pub mod generator;
mod import;
mod parameters;
mod pickle;
mod resnet;
mod seed;
mod tensor_file;
pub mod weights;

use std::path::PathBuf;

pub use blocks::NormMode;
pub use card::WeightsCard;
pub use checkpoint::CheckpointError;
pub use colorizer::Colorizer;
pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub use discriminator::{Discriminator, DiscriminatorConfig};
pub use features::{FeatureExtractor, FeatureNetwork};
pub use generator::{Generator, GeneratorConfig, TrainingPass};
pub use import::{ImportError, ImportOptions, from_state_dict, import_pix2pix};
pub use parameters::{Parameters, TensorSpec};
pub use pickle::PickleError;
pub use seed::{RandomStream, Seed, StreamState};
pub use weights::{GeneratorWeights, Precision, WeightsError, WeightsSource};

use crate::preprocess::PreprocessError;

/// Why weights cannot be used or a slice cannot be coloured.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights file is missing, damaged or of another kind.
    #[error("the weights cannot be used: {path:?}")]
    Weights {
        /// The file, or `bundled`.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<WeightsError>,
    },
    /// The device that was asked for cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The slice cannot be prepared.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The device failed while it computed: out of memory, for instance.
    #[error("the generator could not run; with a GPU that is short of memory, choose the device cpu")]
    Compute(#[from] candle_core::Error),
    /// NaN came out of finite weights.
    #[error("the generator's answer has values that are not finite; use other weights")]
    NotFinite,
}
