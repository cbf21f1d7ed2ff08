//! Generators of the original pix2pix code: `unet_256` as saved in `latest_net_G.pth`.
//!
//! `UnetSkipConnectionBlock`s are nested, so level i lies under `model.model`, then `model.model.1.model`, then one more `.3.model`
//! for each level. That code concatenates the skip first and the upsampled half second, so the halves of `up.0 … 6` change places
//! here; its down path has no biases, so `down.0` and `down.7` get zeros.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::blocks::NormMode;
use super::card::WeightsCard;
use super::checkpoint::{self, CheckpointError, HostTensor, StateDict};
use super::generator::{GeneratorConfig, LEVELS};
use super::parameters::Parameters;
use super::tensor_file::checked_tensor;
use super::weights::{GeneratorWeights, WeightsError};
use crate::preprocess::Recipe;

/// Why a checkpoint does not become a generator.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum ImportError {
    /// The file.
    #[error("the checkpoint cannot be imported: {path:?}")]
    Checkpoint { path: PathBuf, source: Box<CheckpointError> },
    /// Another network.
    #[error("expected a pix2pix generator unet_256 with batch norm, found {found}")]
    NotUnet256 { found: String },
    /// Instance norm.
    #[error(
        "the checkpoint was trained with instance norm (--norm instance); only batch norm (--norm batch, pix2pix's default) can be imported"
    )]
    InstanceNorm,
    /// No recipe for this many channels.
    #[error(
        "the checkpoint takes {found} input channels, and the recipe makes {recipe}; name a recipe that makes as many"
    )]
    InputChannels { found: usize, recipe: usize },
    /// A tensor of another shape, or not finite.
    #[error("the checkpoint does not fit pix2pix's unet_256")]
    Weights(#[from] WeightsError),
}

/// What the checkpoint itself does not say.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// How slices were prepared for it; by default the recipe with as many channels as the network takes.
    pub recipe: Option<Recipe>,
    /// Statistics for batch norm. pix2pix's own `test.py` takes the picture's unless it runs with `--eval`.
    pub norm: NormMode,
    /// Name, data, licence and regions; name and tool are filled in where they are empty.
    pub card: WeightsCard,
}

/// Reads a checkpoint of the original pix2pix code.
pub fn import_pix2pix(path: &Path, options: &ImportOptions) -> Result<GeneratorWeights, ImportError> {
    let tensors = checkpoint::read_state_dict(path)
        .map_err(|source| ImportError::Checkpoint { path: path.to_owned(), source: Box::new(source) })?;
    let mut weights = from_state_dict(tensors, options)?;
    if weights.card.name.is_empty() {
        weights.card.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    Ok(weights)
}

/// Turns the tensors of a pix2pix generator into ours.
pub fn from_state_dict(tensors: StateDict, options: &ImportOptions) -> Result<GeneratorWeights, ImportError> {
    let mut source = Source::new(tensors)?;
    let mut imported = BTreeMap::new();
    for level in 0..LEVELS {
        import_level(&mut source, level, &mut imported)?;
    }
    source.check_empty()?;
    let first = imported.get("down.0.conv.weight").map(|tensor| tensor.shape.as_slice());
    let Some(&[base_channels, input_channels, 4, 4]) = first else {
        return Err(ImportError::NotUnet256 {
            found: format!("a first convolution of shape {:?}", first.unwrap_or_default()),
        });
    };
    let config = GeneratorConfig { input_channels, base_channels, norm: options.norm };
    let recipe = recipe_for(options, input_channels)?;
    let parameters = checked(&imported, &config)?;
    Ok(GeneratorWeights { card: card(options, &config), recipe, config, parameters })
}

fn recipe_for(options: &ImportOptions, input_channels: usize) -> Result<Recipe, ImportError> {
    let recipe = options.recipe.clone().unwrap_or_default();
    if recipe.channel_count() == input_channels {
        return Ok(recipe);
    }
    Err(ImportError::InputChannels { found: input_channels, recipe: recipe.channel_count() })
}

fn card(options: &ImportOptions, config: &GeneratorConfig) -> WeightsCard {
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let card = &options.card;
    WeightsCard {
        data: or(&card.data, "not said by the checkpoint"),
        licence: or(&card.licence, "not said by the checkpoint"),
        architecture: or(&card.architecture, "pix2pix U-Net 256, 8 levels"),
        tool: or(&card.tool, concat!("ct2rgb ", env!("CARGO_PKG_VERSION"), ", imported from pix2pix")),
        base_channels: Some(config.base_channels),
        norm: config.norm,
        ..card.clone()
    }
}

/// Every tensor of the network, in its shape and finite.
fn checked(imported: &BTreeMap<String, HostTensor>, config: &GeneratorConfig) -> Result<Parameters, WeightsError> {
    let specs = config.tensors();
    let tensors = specs.iter().map(|spec| {
        let found = imported.get(&spec.name);
        spec.check(found.map(|tensor| tensor.shape.as_slice()))?;
        let tensor = found.ok_or_else(|| spec.missing())?;
        Ok((spec.name.clone(), checked_tensor(&spec.name, tensor.values.clone(), &tensor.shape)?))
    });
    tensors.collect()
}

/// Where a level's modules lie: the path, and the places of convolution and norm on the way down and up.
struct LevelNames {
    path: String,
    down: usize,
    down_norm: Option<usize>,
    up: usize,
    up_norm: Option<usize>,
}

fn level_names(level: usize) -> LevelNames {
    let path = match level {
        0 => "model.model".to_owned(),
        _ => format!("model.model.1.model{}", ".3.model".repeat(level - 1)),
    };
    // Outermost: conv, inner, ReLU, up, tanh. Innermost: ReLU, conv, ReLU, up, norm.
    // Between: ReLU, conv, norm, inner, ReLU, up, norm.
    match level {
        0 => LevelNames { path, down: 0, down_norm: None, up: 3, up_norm: None },
        level if level + 1 == LEVELS => LevelNames { path, down: 1, down_norm: None, up: 3, up_norm: Some(4) },
        _ => LevelNames { path, down: 1, down_norm: Some(2), up: 5, up_norm: Some(6) },
    }
}

fn import_level(
    source: &mut Source,
    level: usize,
    imported: &mut BTreeMap<String, HostTensor>,
) -> Result<(), ImportError> {
    let names = level_names(level);
    let down = source.take(&format!("{}.{}.weight", names.path, names.down))?;
    if names.down_norm.is_none() {
        let width = down.shape.first().copied().unwrap_or(0);
        imported.insert(format!("down.{level}.conv.bias"), HostTensor { shape: vec![width], values: vec![0.0; width] });
    }
    imported.insert(format!("down.{level}.conv.weight"), down);
    let up = source.take(&format!("{}.{}.weight", names.path, names.up))?;
    let up = if level + 1 == LEVELS { up } else { with_halves_swapped(up) };
    imported.insert(format!("up.{level}.conv.weight"), up);
    if names.up_norm.is_none() {
        imported.insert(format!("up.{level}.conv.bias"), source.take(&format!("{}.{}.bias", names.path, names.up))?);
    }
    for (side, norm) in [("down", names.down_norm), ("up", names.up_norm)] {
        let Some(norm) = norm else { continue };
        for part in ["weight", "bias", "running_mean", "running_var"] {
            let tensor = source.take(&format!("{}.{norm}.{part}", names.path))?;
            imported.insert(format!("{side}.{level}.norm.{part}"), tensor);
        }
    }
    Ok(())
}

/// `[skip, upsampled]` on the first axis to `[upsampled, skip]`.
fn with_halves_swapped(mut tensor: HostTensor) -> HostTensor {
    let middle = tensor.values.len() / 2;
    tensor.values.rotate_left(middle);
    tensor
}

/// The checkpoint's tensors, each to be taken once.
struct Source {
    tensors: StateDict,
}

impl Source {
    fn new(tensors: StateDict) -> Result<Self, ImportError> {
        // Training on several GPUs puts the network inside another module.
        let strip = |name: String| name.strip_prefix("module.").map_or_else(|| name.clone(), str::to_owned);
        let tensors: StateDict = tensors.into_iter().map(|(name, tensor)| (strip(name), tensor)).collect();
        let has = |name: &str| tensors.contains_key(name);
        if !has("model.model.0.weight") {
            let first = tensors.keys().next().cloned().unwrap_or_default();
            let found = format!("{} tensors, the first named {first:?}", tensors.len());
            return Err(ImportError::NotUnet256 { found });
        }
        // Instance norm has no scales, and the convolutions before it have biases.
        let second = level_names(1).path;
        if has(&format!("{second}.1.bias")) || !has(&format!("{second}.2.weight")) {
            return Err(ImportError::InstanceNorm);
        }
        let levels = (1..20).take_while(|&level| {
            let path = format!("model.model.1.model{}", ".3.model".repeat(level - 1));
            tensors.contains_key(&format!("{path}.1.weight"))
        });
        match levels.count() + 1 {
            LEVELS => Ok(Self { tensors }),
            levels => Err(ImportError::NotUnet256 { found: format!("a U-Net of {levels} levels, not {LEVELS}") }),
        }
    }

    fn take(&mut self, name: &str) -> Result<HostTensor, ImportError> {
        self.tensors
            .remove(name)
            .ok_or_else(|| ImportError::NotUnet256 { found: format!("a U-Net without the tensor {name}") })
    }

    fn check_empty(&self) -> Result<(), ImportError> {
        match self.tensors.keys().next() {
            Some(first) => {
                let found = format!("tensors that it does not have ({}, first {first})", self.tensors.len());
                Err(ImportError::NotUnet256 { found })
            }
            None => Ok(()),
        }
    }
}
