//! ResNet-50 (He et al. 2016) with torchvision's names and strides (the stride of a stage is in its 3×3 convolution).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use candle_core::{Result, Tensor};

use super::blocks::{self, BatchNorm, NormMode, Stride};
use super::checkpoint;
use super::parameters::{Parameters, TensorSpec};
use super::tensor_file::{self, TensorFile};
use super::weights::WeightsError;

/// Blocks in each of the four stages.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];
/// Channels that a block puts out per channel inside.
const EXPANSION: usize = 4;
/// Channels after the first convolution.
const STEM_WIDTH: usize = 64;

/// Convolution and batch norm.
#[derive(Debug)]
struct ConvNorm {
    weight: Tensor,
    norm: BatchNorm,
    stride: Stride,
}

impl ConvNorm {
    fn new(parameters: &Parameters, [conv, norm]: [&str; 2], stride: Stride) -> Result<Self> {
        let weight = parameters.get(&format!("{conv}.weight"))?.clone();
        Ok(Self { weight, norm: BatchNorm::new(parameters, norm)?, stride })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.norm.forward(&blocks::conv2d(input, &self.weight, None, self.stride)?, NormMode::Running)
    }
}

/// 1×1, 3×3, 1×1 and the way around them.
#[derive(Debug)]
struct Bottleneck {
    convs: [ConvNorm; 3],
    downsample: Option<ConvNorm>,
}

impl Bottleneck {
    fn new(parameters: &Parameters, stage: usize, block: usize) -> Result<Self> {
        let prefix = block_name(stage, block);
        let point = |step| Stride { step, padding: 0 };
        let step = block_step(stage, block);
        let conv = |index: usize, stride| {
            ConvNorm::new(parameters, [&format!("{prefix}.conv{index}"), &format!("{prefix}.bn{index}")], stride)
        };
        let convs = [conv(1, point(1))?, conv(2, Stride { step, padding: 1 })?, conv(3, point(1))?];
        let names = [format!("{prefix}.downsample.0"), format!("{prefix}.downsample.1")];
        let downsample = (block == 0).then(|| ConvNorm::new(parameters, [&names[0], &names[1]], point(step)));
        Ok(Self { convs, downsample: downsample.transpose()? })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let [first, second, third] = &self.convs;
        let inside = third.forward(&second.forward(&first.forward(input)?.relu()?)?.relu()?)?;
        let around = match &self.downsample {
            Some(downsample) => downsample.forward(input)?,
            None => input.clone(),
        };
        (inside + around)?.relu()
    }
}

fn block_name(stage: usize, block: usize) -> String {
    format!("layer{}.{block}", stage + 1)
}

fn block_step(stage: usize, block: usize) -> usize {
    if stage > 0 && block == 0 { 2 } else { 1 }
}

/// The network without its classifier.
#[derive(Debug)]
pub(super) struct ResNet50 {
    stem: ConvNorm,
    stages: Vec<Vec<Bottleneck>>,
}

impl ResNet50 {
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let stem = ConvNorm::new(parameters, ["conv1", "bn1"], Stride { step: 2, padding: 3 })?;
        let stage = |(stage, &count): (usize, &usize)| {
            (0..count).map(|block| Bottleneck::new(parameters, stage, block)).collect::<Result<Vec<_>>>()
        };
        Ok(Self { stem, stages: BLOCKS.iter().enumerate().map(stage).collect::<Result<_>>()? })
    }

    /// The outputs of the four stages.
    pub fn taps(&self, normalized: &Tensor) -> Result<Vec<Tensor>> {
        let stem = self.stem.forward(normalized)?.relu()?;
        let mut values = blocks::max_pool2d(&stem, 3, Stride { step: 2, padding: 1 })?;
        let mut taps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            for block in stage {
                values = block.forward(&values)?;
            }
            taps.push(values.clone());
        }
        Ok(taps)
    }
}

/// Every tensor that ResNet-50 needs; the classifier `fc` is not among them.
pub fn tensors() -> Vec<TensorSpec> {
    let mut specs = Vec::new();
    push_conv_norm(&mut specs, ["conv1", "bn1"], [STEM_WIDTH, 3, 7, 7]);
    let mut input = STEM_WIDTH;
    for (stage, count) in BLOCKS.into_iter().enumerate() {
        let inside = STEM_WIDTH << stage;
        let output = inside * EXPANSION;
        for block in 0..count {
            let prefix = block_name(stage, block);
            let shapes = [[inside, input, 1, 1], [inside, inside, 3, 3], [output, inside, 1, 1]];
            for (index, shape) in (1..).zip(shapes) {
                push_conv_norm(&mut specs, [&format!("{prefix}.conv{index}"), &format!("{prefix}.bn{index}")], shape);
            }
            if block == 0 {
                let names = [format!("{prefix}.downsample.0"), format!("{prefix}.downsample.1")];
                push_conv_norm(&mut specs, [&names[0], &names[1]], [output, input, 1, 1]);
            }
            input = output;
        }
    }
    specs
}

fn push_conv_norm(specs: &mut Vec<TensorSpec>, [conv, norm]: [&str; 2], shape: [usize; 4]) {
    specs.push(TensorSpec::new(format!("{conv}.weight"), &shape));
    for part in ["weight", "bias", "running_mean", "running_var"] {
        specs.push(TensorSpec::new(format!("{norm}.{part}"), &shape[..1]));
    }
}

/// Reads torchvision's weights.
pub(super) fn read(path: &Path) -> std::result::Result<Parameters, WeightsError> {
    let mut start = [0; 4];
    let read = |source| WeightsError::Read { source };
    if std::fs::metadata(path).map_err(read)?.is_file() {
        // A file of fewer bytes is no checkpoint either; the other reader says so.
        let length = File::open(path).map_err(read)?.read(&mut start).map_err(read)?;
        if checkpoint::is_checkpoint(&start[..length]) {
            return from_checkpoint(path);
        }
    }
    TensorFile::parse(&tensor_file::read_bounded(path)?)?.tensors(&tensors())
}

fn from_checkpoint(path: &Path) -> std::result::Result<Parameters, WeightsError> {
    let source = |source| WeightsError::Checkpoint { source: Box::new(source) };
    let mut state = checkpoint::read_state_dict(path).map_err(source)?;
    let specs = tensors();
    let parameters = specs.iter().map(|spec| {
        let found = state.remove(&spec.name);
        spec.check(found.as_ref().map(|tensor| tensor.shape.as_slice()))?;
        let tensor = found.ok_or_else(|| spec.missing())?;
        Ok((spec.name.clone(), tensor_file::checked_tensor(&spec.name, tensor.values, &tensor.shape)?))
    });
    parameters.collect()
}
