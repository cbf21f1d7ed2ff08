//! The generator: weights, devices, and colours for a slice.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::preprocess::{EdgeRanges, Recipe};
use crate::volume::{ColorSlice, CtSlice};

/// Where the generator runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// CUDA, Metal, CPU, in this order, whichever is usable first.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; only in a build with the feature `cuda`.
    Cuda,
    /// An Apple GPU; only in a build with the feature `metal`.
    Metal,
}

/// What a weights file says about itself (DESIGN.md, decision 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsCard {
    /// Short name.
    pub name: String,
    /// What it was trained on.
    pub data: String,
    /// Terms.
    pub licence: String,
    /// SHA-256 of the file, hexadecimal.
    #[serde(default)]
    pub sha256: String,
}

/// Why weights cannot be used or a slice cannot be coloured.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Placeholder until each failure has its own.
    #[error("weights cannot be read from {0:?}")]
    Weights(PathBuf),
}

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WeightsSource {
    /// The generator that is part of the program.
    #[default]
    Bundled,
    /// A safetensors file.
    File(PathBuf),
}

/// A generator on a device, ready to colour slices. Shared between threads.
#[derive(Debug)]
pub struct Colorizer {
    card: Arc<WeightsCard>,
    recipe: Recipe,
}

impl Colorizer {
    /// Reads weights and puts them on a device.
    pub fn load(_source: &WeightsSource, _device: DeviceChoice) -> Result<Self, ModelError> {
        unimplemented!()
    }

    /// The card of the weights in use.
    pub fn card(&self) -> &Arc<WeightsCard> {
        &self.card
    }

    /// The recipe of the weights in use.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// `CPU`, or the GPU's name.
    pub fn device_name(&self) -> &str {
        unimplemented!()
    }

    /// Why `Auto` fell back to another device, in words, if it did.
    pub fn device_note(&self) -> Option<&str> {
        unimplemented!()
    }

    /// Colours one slice. `pixel_size_mm`: width and height. `edges` replaces the recipe's ranges when the user asked for it.
    pub fn colorize(
        &self,
        _slice: &CtSlice,
        _pixel_size_mm: [f64; 2],
        _edges: Option<EdgeRanges>,
    ) -> Result<ColorSlice, ModelError> {
        unimplemented!()
    }
}
