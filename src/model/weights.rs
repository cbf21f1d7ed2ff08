//! Weights of a generator: safetensors in and out, checked tensor by tensor before anything is computed with them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::Device;
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use sha2::{Digest as _, Sha256};

use super::card::{StoredCard, WeightsCard};
use super::generator::{Generator, GeneratorConfig};
use super::parameters::Parameters;
use super::tensor_file::{TensorFile, read_bounded};
use crate::preprocess::{Recipe, RecipeError};

/// The generator that is part of the program.
const BUNDLED: &[u8] = include_bytes!("../../weights/generator_laptop.safetensors");
/// Most filters that are loaded: 256 make 870 million weights.
pub const MOST_BASE_CHANNELS: usize = 256;
/// Key of the card in the safetensors metadata.
const CARD_KEY: &str = "card";

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WeightsSource {
    /// The generator that is part of the program.
    #[default]
    Bundled,
    /// A safetensors file.
    File(PathBuf),
}

impl WeightsSource {
    /// Size of the file.
    pub fn size_bytes(&self) -> std::io::Result<u64> {
        match self {
            Self::Bundled => Ok(BUNDLED.len() as u64),
            Self::File(path) => Ok(std::fs::metadata(path)?.len()),
        }
    }
}

/// How weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Half the size; fine for colouring.
    F16,
    /// As in memory, for going on with a training.
    F32,
}

/// Why a weights file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum WeightsError {
    /// Not there, or not readable.
    #[error("cannot read the weights file")]
    Read { source: std::io::Error },
    /// A folder, a pipe.
    #[error("expected a weights file, found a folder or a device")]
    NotAFile,
    /// The first bytes announce nonsense.
    #[error(
        "not a safetensors file: its header would have {header} bytes, the file has {file}; a PyTorch checkpoint (.pth) needs `ct2rgb import-weights` first"
    )]
    NotSafetensors { header: u64, file: u64 },
    /// The header is there and wrong, or the data does not fit it.
    #[error("the safetensors file is damaged or cut short; fetch it again")]
    Damaged { source: SafeTensorError },
    /// No `card` in the metadata.
    #[error("the weights have no card that says what they are; expected JSON under \"card\" in the metadata")]
    NoCard,
    /// The card is not JSON, or has wrong types in it.
    #[error("the card of the weights cannot be read")]
    BadCard { source: serde_json::Error },
    /// The card does not say how to prepare a slice.
    #[error(
        "the card of the weights has no recipe, so no slice can be prepared for them; expected \"recipe\" in the card"
    )]
    NoRecipe,
    /// The recipe makes another number of channels.
    #[error("the recipe in the card makes {recipe} channels, but {tensor} takes {found}")]
    RecipeChannels { recipe: usize, tensor: &'static str, found: usize },
    /// A size that the network cannot take.
    #[error("the recipe in the card asks for a grid of {found}; expected a multiple of 256, at most 4096")]
    RecipeSize { found: usize },
    /// Ranges upside down, an unknown version.
    #[error("the recipe in the card cannot be followed")]
    BadRecipe { source: RecipeError },
    /// Missing tensor.
    #[error("the weights have no tensor {name}; expected one of shape {expected:?}")]
    MissingTensor { name: String, expected: Vec<usize> },
    /// Wrong shape.
    #[error("tensor {name}: expected shape {expected:?}, found {found:?}")]
    WrongShape { name: String, expected: Vec<usize>, found: Vec<usize> },
    /// More tensors than the network has.
    #[error(
        "the weights have tensors that this network does not know ({count}, first {first}); they are for another network"
    )]
    UnknownTensors { first: String, count: usize },
    /// Integers, bf16, 8-bit floats.
    #[error("tensor {name}: expected numbers as F16, BF16, F32 or F64, found {found}")]
    WrongType { name: String, found: String },
    /// NaN or infinite.
    #[error("tensor {name} has {count} values that are not finite; the training that made it went wrong")]
    NotFinite { name: String, count: usize },
    /// A running variance below zero.
    #[error("tensor {name} has negative variances; the file is damaged")]
    NegativeVariance { name: String },
    /// No `down.0.conv.weight` to tell the width from.
    #[error(
        "these are not the weights of a generator: expected down.0.conv.weight of shape [base channels, input channels, 4, 4], found {found}"
    )]
    NotAGenerator { found: String },
    /// The card and the tensors disagree.
    #[error("the card says {card} base channels, the tensors have {found}")]
    CardBaseChannels { card: usize, found: usize },
    /// A PyTorch checkpoint that cannot be read.
    #[error("the PyTorch checkpoint cannot be read")]
    Checkpoint { source: Box<super::checkpoint::CheckpointError> },
    /// A file that is larger in memory than anything sensible.
    #[error("the weights have {found} base channels; at most {MOST_BASE_CHANNELS} are loaded")]
    TooWide { found: usize },
    /// candle refused.
    #[error("the weights cannot be put in memory")]
    Tensor {
        #[from]
        source: candle_core::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the weights; check the folder's free space and permissions")]
    Write { source: std::io::Error },
    /// The file cannot be composed.
    #[error("the weights cannot be written as safetensors")]
    Compose { source: SafeTensorError },
}

/// A generator's weights in memory, on the CPU in f32, with the card and the recipe they were trained with.
#[derive(Clone, Debug)]
pub struct GeneratorWeights {
    /// What they are.
    pub card: WeightsCard,
    /// How a slice is prepared for them.
    pub recipe: Recipe,
    /// Structure of the network.
    pub config: GeneratorConfig,
    /// The tensors.
    pub parameters: Parameters,
}

impl GeneratorWeights {
    /// Reads the bundled weights or a file.
    pub fn read(source: &WeightsSource) -> Result<Self, WeightsError> {
        match source {
            WeightsSource::Bundled => Self::from_bytes(BUNDLED),
            WeightsSource::File(path) => Self::from_bytes(&read_bounded(path)?),
        }
    }

    /// Reads weights from the bytes of a safetensors file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let file = TensorFile::parse(bytes)?;
        let text = file.metadata.get(CARD_KEY).ok_or(WeightsError::NoCard)?;
        let stored: StoredCard = serde_json::from_str(text).map_err(|source| WeightsError::BadCard { source })?;
        let recipe = stored.recipe().ok_or(WeightsError::NoRecipe)?;
        let config = config_of(&file, &stored.card)?;
        check_recipe(&recipe, &config)?;
        let parameters = file.tensors(&config.tensors())?;
        file.check_unknown(&parameters)?;
        let mut card = stored.card;
        card.base_channels = Some(config.base_channels);
        card.sha256 = sha256_hex(bytes);
        Ok(Self { card, recipe, config, parameters })
    }

    /// The network on a device.
    pub fn generator(&self, device: &Device) -> Result<Generator, candle_core::Error> {
        Generator::new(self.config, self.parameters.to_device(device)?)
    }

    /// The file's bytes.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, WeightsError> {
        let mut card = self.card.clone();
        card.base_channels = Some(self.config.base_channels);
        card.norm = self.config.norm;
        let stored = StoredCard::new(card, self.recipe.clone());
        let text = serde_json::to_string(&stored).map_err(|source| WeightsError::BadCard { source })?;
        // One key: the order of several would change from run to run, and the hash with it.
        tensors_to_bytes(&self.parameters, precision, BTreeMap::from([(CARD_KEY.to_owned(), text)]))
    }

    /// Writes a safetensors file under a temporary name and renames it; returns its SHA-256.
    pub fn write(&self, path: &Path, precision: Precision) -> Result<String, WeightsError> {
        let bytes = self.to_bytes(precision)?;
        write_atomically(path, &bytes).map_err(|source| WeightsError::Write { source })?;
        Ok(sha256_hex(&bytes))
    }
}

/// The structure that the tensors have, where the card does not contradict it.
fn config_of(file: &TensorFile<'_>, card: &WeightsCard) -> Result<GeneratorConfig, WeightsError> {
    let shape = file.shape("down.0.conv.weight");
    let Some(&[base_channels, input_channels, 4, 4]) = shape else {
        let found = shape.map_or_else(|| "no such tensor".to_owned(), |shape| format!("shape {shape:?}"));
        return Err(WeightsError::NotAGenerator { found });
    };
    if base_channels == 0 || input_channels == 0 {
        return Err(WeightsError::NotAGenerator { found: "an axis of length 0".to_owned() });
    }
    if base_channels > MOST_BASE_CHANNELS {
        return Err(WeightsError::TooWide { found: base_channels });
    }
    match card.base_channels {
        Some(card) if card != base_channels => Err(WeightsError::CardBaseChannels { card, found: base_channels }),
        _ => Ok(GeneratorConfig { input_channels, base_channels, norm: card.norm }),
    }
}

fn check_recipe(recipe: &Recipe, config: &GeneratorConfig) -> Result<(), WeightsError> {
    if recipe.size == 0 || !recipe.size.is_multiple_of(super::generator::SMALLEST_SIZE) || recipe.size > 4096 {
        return Err(WeightsError::RecipeSize { found: recipe.size });
    }
    recipe.validate().map_err(|source| WeightsError::BadRecipe { source })?;
    let recipe = recipe.channel_count();
    if recipe == config.input_channels {
        return Ok(());
    }
    Err(WeightsError::RecipeChannels { recipe, tensor: "down.0.conv.weight", found: config.input_channels })
}

/// Tensors as a safetensors file.
pub fn tensors_to_bytes(
    parameters: &Parameters,
    precision: Precision,
    metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut stored = Vec::with_capacity(parameters.len());
    for (name, tensor) in parameters.iter() {
        let values = tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        stored.push((name, tensor.dims().to_vec(), encode(&values, precision)));
    }
    let dtype = match precision {
        Precision::F16 => Dtype::F16,
        Precision::F32 => Dtype::F32,
    };
    let views = stored.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(dtype, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|source| WeightsError::Compose { source })?;
    safetensors::serialize(views, Some(metadata.into_iter().collect()))
        .map_err(|source| WeightsError::Compose { source })
}

fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        // Halves end at 65504: a running variance beyond it must not become infinite.
        Precision::F16 => values
            .iter()
            .flat_map(|&v| f16::from_f32(v.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())).to_le_bytes())
            .collect(),
        Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Writes beside the target and renames, so that no reader ever sees half a file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = temporary_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// How the names of unfinished files begin and end: a killed program leaves one, and the next run may clear it away.
pub const UNFINISHED: [&str; 2] = [".ct2rgb-", ".part"];

/// A temporary file that becomes as readable as any other new file.
fn temporary_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED[0]).suffix(UNFINISHED[1]);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
