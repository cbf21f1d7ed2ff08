//! A run on disk: everything that makes it go on as if it had never stopped, in one safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::config::TrainConfig;
use super::sampler::{Sampler, SamplerState};
use super::trainer::Trainer;
use crate::model::weights::{tensors_to_bytes, write_atomically};
use crate::model::{Parameters, Precision, RandomStream, StreamState, WeightsError};

/// Key of the state in the safetensors metadata.
const STATE_KEY: &str = "ct2rgb_training";
/// Changes when an older program could not go on from the file.
const VERSION: u32 = 1;

/// What is not a tensor.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedState {
    version: u32,
    config: TrainConfig,
    step: u64,
    adam_g_steps: u64,
    adam_d_steps: u64,
    dropout: StreamState,
    /// Missing in the first checkpoints, whose judges saw whole pictures.
    #[serde(default)]
    parts: Option<StreamState>,
    sampler: SamplerState,
}

/// Writes the run under a temporary name and renames it, so that a killed program leaves the previous file whole.
/// After an error (a full disk, say) the training can go on.
pub fn save(trainer: &Trainer, sampler: &Sampler, path: &Path) -> Result<(), TrainingError> {
    let refuse = |reason: &str| TrainingError::Checkpoint { reason: reason.to_owned(), path: path.to_owned() };
    if trainer.is_broken {
        return Err(refuse("the training has diverged, and the file holds its last good state"));
    }
    let state = SavedState {
        version: VERSION,
        config: trainer.config.clone(),
        step: trainer.step,
        adam_g_steps: trainer.adam.steps(),
        adam_d_steps: trainer.opponent.as_ref().map_or(0, |opponent| opponent.adam.steps()),
        dropout: trainer.dropout.state(),
        parts: Some(trainer.parts.state()),
        sampler: sampler.state(),
    };
    let tensors = tensors_of(trainer);
    if !are_finite(&tensors)? {
        return Err(refuse("a weight is not finite, and the file holds the last good state"));
    }
    let text = serde_json::to_string(&state).map_err(|error| refuse(&error.to_string()))?;
    let metadata = BTreeMap::from([(STATE_KEY.to_owned(), text)]);
    let bytes = tensors_to_bytes(&tensors, Precision::F32, metadata).map_err(|error| refuse(&error.to_string()))?;
    write_atomically(path, &bytes).map_err(|source| TrainingError::Write { path: path.to_owned(), source })
}

/// Settings of a saved run, read without its tensors' values.
pub fn saved_config(path: &Path) -> Result<TrainConfig, TrainingError> {
    let bytes = read(path)?;
    Ok(parse(&bytes, path)?.1.config)
}

/// Puts a saved run back into a trainer and a sampler that were made with the same settings and pairs.
pub fn resume(trainer: &mut Trainer, sampler: &mut Sampler, path: &Path) -> Result<(), TrainingError> {
    let bytes = read(path)?;
    let (file, state) = parse(&bytes, path)?;
    let refuse = |reason: String| TrainingError::Checkpoint { reason, path: path.to_owned() };
    if let Some(field) = changed_field(&trainer.config, &state.config) {
        return Err(refuse(format!("it was made with another {field}; use the settings in the file, or start anew")));
    }
    sampler.restore(&state.sampler).map_err(refuse)?;
    let find = |name: &str, like: &Tensor| tensor(&file, name, like);
    let restored = restore(trainer, &state, &find);
    restored.map_err(|error| refuse(error.to_string()))
}

fn restore(
    trainer: &mut Trainer,
    state: &SavedState,
    find: &dyn Fn(&str, &Tensor) -> candle_core::Result<Tensor>,
) -> candle_core::Result<()> {
    fill(trainer.generator.parameters(), "generator", find)?;
    trainer.adam.restore(state.adam_g_steps, |name, like| find(&format!("adam_g.{name}"), like))?;
    for (name, mean) in &mut trainer.ema {
        *mean = find(&format!("ema.{name}"), mean)?;
    }
    if let Some(opponent) = &mut trainer.opponent {
        fill(opponent.network.parameters(), "discriminator", find)?;
        opponent.adam.restore(state.adam_d_steps, |name, like| find(&format!("adam_d.{name}"), like))?;
    }
    trainer.dropout = RandomStream::resumed(&state.dropout);
    if let Some(parts) = &state.parts {
        trainer.parts = RandomStream::resumed(parts);
    }
    trainer.step = state.step;
    trainer.is_broken = false;
    Ok(())
}

fn fill(
    parameters: &Parameters,
    prefix: &str,
    find: &dyn Fn(&str, &Tensor) -> candle_core::Result<Tensor>,
) -> candle_core::Result<()> {
    for (name, tensor) in parameters.iter() {
        candle_core::Var::from_tensor(tensor)?.set(&find(&format!("{prefix}.{name}"), tensor)?)?;
    }
    Ok(())
}

fn tensors_of(trainer: &Trainer) -> Parameters {
    let mut all = Parameters::new();
    for (name, tensor) in trainer.generator.parameters().iter() {
        all.insert(format!("generator.{name}"), tensor.detach());
    }
    for (name, tensor) in trainer.adam.moments() {
        all.insert(format!("adam_g.{name}"), tensor.clone());
    }
    for (name, tensor) in &trainer.ema {
        all.insert(format!("ema.{name}"), tensor.clone());
    }
    if let Some(opponent) = &trainer.opponent {
        for (name, tensor) in opponent.network.parameters().iter() {
            all.insert(format!("discriminator.{name}"), tensor.detach());
        }
        for (name, tensor) in opponent.adam.moments() {
            all.insert(format!("adam_d.{name}"), tensor.clone());
        }
    }
    all
}

fn are_finite(tensors: &Parameters) -> Result<bool, TrainingError> {
    for (_, tensor) in tensors.iter() {
        // A sum is finite only where every value is, but for overflow, which is no good state either.
        if !tensor.abs()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first setting that would make the run another run. How long and how often may change.
fn changed_field(now: &TrainConfig, saved: &TrainConfig) -> Option<String> {
    const FREE: [&str; 9] = [
        "epochs",
        "max_steps",
        "checkpoint_every",
        "measure_every",
        "perceptual_weights",
        "name",
        "data",
        "regions",
        "licence",
    ];
    let object = |config: &TrainConfig| serde_json::to_value(config).ok();
    let (now, saved) = (object(now)?, object(saved)?);
    let changed = |key: &&String| !FREE.contains(&key.as_str()) && now.get(*key) != saved.get(*key);
    now.as_object()?.keys().find(changed).cloned()
}

fn read(path: &Path) -> Result<Vec<u8>, TrainingError> {
    std::fs::read(path).map_err(|error| TrainingError::Checkpoint { reason: error.to_string(), path: path.to_owned() })
}

fn parse<'a>(bytes: &'a [u8], path: &Path) -> Result<(SafeTensors<'a>, SavedState), TrainingError> {
    let refuse = |reason: String| TrainingError::Checkpoint { reason, path: path.to_owned() };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| refuse(error.to_string()))?;
    let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(STATE_KEY));
    let text = text
        .ok_or_else(|| refuse("it is no training checkpoint; expected a file that `ct2rgb train` wrote".to_owned()))?;
    let state: SavedState = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    if state.version != VERSION {
        return Err(refuse(format!("it has version {}, this program reads {VERSION}", state.version)));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| refuse(error.to_string()))?;
    Ok((file, state))
}

/// A tensor of the file that has the shape of `like`, on its device.
fn tensor(file: &SafeTensors<'_>, name: &str, like: &Tensor) -> candle_core::Result<Tensor> {
    let view = file.tensor(name).map_err(|error| candle_core::Error::Msg(format!("{name}: {error}")))?;
    if view.shape() != like.dims() || view.dtype() != safetensors::Dtype::F32 {
        candle_core::bail!(
            "{name}: expected f32 of shape {:?}, found {:?} {:?}",
            like.dims(),
            view.dtype(),
            view.shape()
        );
    }
    let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Tensor::from_vec(values, view.shape(), &Device::Cpu)?.to_device(like.device())
}

impl From<WeightsError> for TrainingError {
    fn from(source: WeightsError) -> Self {
        Self::Weights { path: "memory".into(), source }
    }
}
