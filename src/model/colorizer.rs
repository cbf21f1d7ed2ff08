//! A generator on a device, ready to colour slices.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;

use super::ModelError;
use super::blocks::NormMode;
use super::card::WeightsCard;
use super::cpu::GeneratorPlan;
use super::device::{DeviceChoice, OpenDevice};
use super::generator::{Generator, GeneratorConfig, OUTPUT_CHANNELS};
use super::parameters::Parameters;
use super::weights::{GeneratorWeights, WeightsSource};
use crate::preprocess::{EdgeRanges, Prepared, Recipe, RegionFeatures};
use crate::volume::{ColorSlice, CtSlice};

/// What computes.
#[derive(Debug)]
enum Network {
    /// Packed weights on the processor.
    Plan(Box<GeneratorPlan>),
    /// Layer by layer: on a GPU, and where each picture has its own statistics.
    Layers(Generator),
}

impl Network {
    /// Lets go of `parameters` as it goes: they may be a gigabyte.
    fn new(config: GeneratorConfig, parameters: Parameters, device: &OpenDevice) -> candle_core::Result<Self> {
        let parameters = parameters.into_device(device.device())?;
        if device.device().is_cpu() && config.norm == NormMode::Running {
            return Ok(Self::Plan(Box::new(GeneratorPlan::new(config, parameters)?)));
        }
        Ok(Self::Layers(Generator::new(config, parameters)?))
    }
}

/// A generator on a device, ready to colour slices. Shared between threads; on the processor it runs in the caller's rayon pool.
#[derive(Debug)]
pub struct Colorizer {
    card: Arc<WeightsCard>,
    recipe: Recipe,
    device: OpenDevice,
    network: Network,
}

impl Colorizer {
    /// Reads weights and puts them on a device.
    pub fn load(source: &WeightsSource, device: DeviceChoice) -> Result<Self, ModelError> {
        let _span = tracing::debug_span!("load_weights").entered();
        let weights = GeneratorWeights::read(source).map_err(|error| {
            let path = match source {
                WeightsSource::Bundled => PathBuf::from("bundled"),
                WeightsSource::File(path) => path.clone(),
            };
            ModelError::Weights { path, source: Box::new(error) }
        })?;
        let device = OpenDevice::open(device)?;
        let network = Network::new(weights.config, weights.parameters, &device)?;
        Ok(Self { card: Arc::new(weights.card), recipe: weights.recipe, device, network })
    }

    /// Puts weights that are in memory (a training's, say) on a device.
    pub fn from_weights(weights: &GeneratorWeights, device: DeviceChoice) -> Result<Self, ModelError> {
        let device = OpenDevice::open(device)?;
        let network = Network::new(weights.config, weights.parameters.clone(), &device)?;
        Ok(Self { card: Arc::new(weights.card.clone()), recipe: weights.recipe.clone(), device, network })
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
        self.device.name()
    }

    /// Why `Auto` fell back to another device, in words, if it did.
    pub fn device_note(&self) -> Option<&str> {
        self.device.note()
    }

    /// Colours one slice. `pixel_size_mm`: width and height. `edges` replaces the recipe's ranges when the user asked for it.
    pub fn colorize(
        &self,
        slice: &CtSlice,
        pixel_size_mm: [f64; 2],
        edges: Option<EdgeRanges>,
    ) -> Result<ColorSlice, ModelError> {
        let started = Instant::now();
        let prepared = match edges {
            Some(edges) => Recipe { edges, ..self.recipe.clone() }.prepare(slice, pixel_size_mm)?,
            None => self.recipe.prepare(slice, pixel_size_mm)?,
        };
        let rgb_signed_unit = self.generate(&prepared)?;
        let rgb8 = prepared.rgb8_on_ct(&rgb_signed_unit);
        Ok(ColorSlice {
            columns: slice.columns(),
            rows: slice.rows(),
            rgb8: rgb8.into(),
            is_outside_training: self.is_outside_training(&prepared),
            elapsed_secs: started.elapsed().as_secs_f32(),
        })
    }

    /// Whether the slice looks like none of those the weights were trained on; `false` where their card does not say.
    fn is_outside_training(&self, prepared: &Prepared) -> bool {
        self.card.region.as_ref().is_some_and(|region| region.is_outside(&RegionFeatures::of(prepared)))
    }

    /// The generator's answer to a prepared slice: `[3, size, size]`, signed unit.
    pub fn generate(&self, prepared: &Prepared) -> Result<Vec<f32>, ModelError> {
        let _span = tracing::debug_span!("generator_forward").entered();
        let size = prepared.size;
        let shape = [1, prepared.channel_count, size, size];
        let rgb = match &self.network {
            Network::Plan(plan) => plan.forward(&prepared.channels, shape)?,
            Network::Layers(generator) => {
                let ct = Tensor::from_slice(&prepared.channels, &shape, self.device.device())?;
                generator.forward(&ct)?.flatten_all()?.to_vec1::<f32>()?
            }
        };
        if rgb.len() != OUTPUT_CHANNELS * size * size || rgb.iter().any(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite);
        }
        Ok(rgb)
    }
}
