//! What a weights file says about itself (DESIGN.md, decision 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::blocks::NormMode;
use crate::preprocess::{Recipe, RegionModel};

/// The card of a weights file: kept as JSON under `card` in the safetensors metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WeightsCard {
    /// Short name.
    pub name: String,
    /// What it was trained on.
    pub data: String,
    /// Terms.
    pub licence: String,
    /// Regions of the body it is for: `head`, `neck`, `chest`, `abdomen`, `pelvis`, `legs`. Empty: not said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// The network in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The paper's "number of filters of G".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_channels: Option<usize>,
    /// Where batch norm takes its statistics from.
    pub norm: NormMode,
    /// Updates of the generator in the run that made it; `data` tells of the runs before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Slices in a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// The optimiser in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub optimizer: String,
    /// The losses in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub losses: String,
    /// Figures measured on held-out slices, by name, such as `ssim`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// The program that made the file.
    #[serde(alias = "framework", skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// Day on which the file was made, ISO 8601.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// What the training data looks like, to tell when a slice does not (DESIGN.md, decision 9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionModel>,
    /// SHA-256 of the file, hexadecimal; worked out when the file is read, and never written into it.
    #[serde(skip)]
    pub sha256: String,
}

impl WeightsCard {
    /// The first digits of the hash: enough to tell weights apart on a picture's stamp.
    pub fn short_hash(&self) -> &str {
        self.sha256.get(..12).unwrap_or(&self.sha256)
    }
}

/// The card as it lies in the file: with the recipe, or with the channels in the words that the first weights used.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCard {
    #[serde(flatten)]
    pub card: WeightsCard,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_channels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grid: Option<usize>,
}

/// What the first weights call the channels of the default recipe.
const DEFAULT_RECIPE_IN_WORDS: [&str; 3] =
    ["hu -1000..3096", "hu -160..240", "sobel in range fat -190..-30, bone 200..1200"];

impl StoredCard {
    pub fn new(card: WeightsCard, recipe: Recipe) -> Self {
        Self { card, recipe: Some(recipe), input_channels: None, grid: None }
    }

    /// The recipe, if the card has one in a form that is known.
    pub fn recipe(&self) -> Option<Recipe> {
        let is_default = self.grid == Some(super::generator::SMALLEST_SIZE)
            && self.input_channels.as_ref().is_some_and(|words| words == &DEFAULT_RECIPE_IN_WORDS);
        self.recipe.clone().or_else(|| is_default.then(Recipe::default))
    }
}
