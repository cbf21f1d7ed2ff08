//! The pix2pix U-Net for inputs of 256·k × 256·k (Isola et al. 2017; paper §4).
//!
//! ```text
//! ct ─▶ down.0 ─▶ down.1 ─▶ … ─▶ down.6 ─▶ down.7         each halves the picture
//!         │ s0      │ s1            │ s6       │ bottleneck
//!         ▼         ▼               ▼          ▼
//! rgb ◀─ up.0 ◀── up.1 ◀── …  ◀── up.6 ◀──── up.7         each doubles it; up.i sees [up.(i+1), s_i]
//! ```
//!
//! `down.i`: leaky ReLU (but for i = 0), convolution 4×4/2, batch norm (but for i = 0 and 7). `up.i`: ReLU, transposed
//! convolution 4×4/2, batch norm (but for i = 0), in training dropout 0.5 for i = 6, 5, 4; tanh at the end.

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor};

use super::blocks::{self, Block, HALVING, NormMode};
use super::cpu::train::{Gradient, TakeGradient, TrainMemory, TrainTape, can_train};
use super::parameters::{Parameters, TensorSpec};
use super::seed::{RandomStream, Seed};

/// Halvings and doublings.
pub const LEVELS: usize = 8;
/// Side of the smallest input; larger ones are multiples of it.
pub const SMALLEST_SIZE: usize = 1 << LEVELS;
/// Red, green and blue.
pub const OUTPUT_CHANNELS: usize = 3;
/// Side of every kernel.
const KERNEL: usize = 4;
/// Levels with dropout in training: the second to fourth up block from the bottleneck.
pub(super) const DROPOUT_LEVELS: std::ops::RangeInclusive<usize> = 4..=6;

/// What makes one generator differ in structure from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// Channels of the prepared CT slice.
    pub input_channels: usize,
    /// The paper's "number of filters of G", pix2pix's `ngf`.
    pub base_channels: usize,
    /// Statistics for batch norm outside of training.
    pub norm: NormMode,
}

impl GeneratorConfig {
    /// Channels that `down.level` puts out.
    pub fn width(&self, level: usize) -> usize {
        self.base_channels * (1 << level.min(3))
    }

    /// Channels that `up.level` takes in and puts out.
    pub fn up_widths(&self, level: usize) -> (usize, usize) {
        let input = if level + 1 == LEVELS { self.width(level) } else { 2 * self.width(level) };
        let output = if level == 0 { OUTPUT_CHANNELS } else { self.width(level - 1) };
        (input, output)
    }

    /// Every tensor of the network, in name order.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        for level in 0..LEVELS {
            let input = if level == 0 { self.input_channels } else { self.width(level - 1) };
            let down = [self.width(level), input, KERNEL, KERNEL];
            specs.extend(Block::tensors(&format!("down.{level}"), down, self.width(level), has_down_norm(level)));
            let (input, output) = self.up_widths(level);
            specs.extend(Block::tensors(&format!("up.{level}"), [input, output, KERNEL, KERNEL], output, level > 0));
        }
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        specs
    }

    /// New weights as in pix2pix: N(0, 0.02) for convolutions, N(1, 0.02) for the scales of batch norm, biases 0.
    pub fn initialize(&self, seed: Seed, device: &Device) -> Result<Parameters> {
        Parameters::initialize(&self.tensors(), &mut seed.stream("generator-init"), device)
    }
}

fn has_down_norm(level: usize) -> bool {
    level > 0 && level + 1 < LEVELS
}

/// How a forward pass normalises and drops.
enum Pass<'a> {
    Inference(NormMode),
    Training(&'a mut RandomStream),
}

impl Pass<'_> {
    fn norm(&self, block: &Block, input: Tensor) -> Result<Tensor> {
        match (&block.norm, self) {
            (None, _) => Ok(input),
            (Some(norm), Pass::Inference(mode)) => norm.forward(&input, *mode),
            (Some(norm), Pass::Training(_)) => norm.forward_train(&input),
        }
    }

    fn dropout(&mut self, input: Tensor) -> Result<Tensor> {
        match self {
            Pass::Inference(_) => Ok(input),
            Pass::Training(stream) => dropout_half(&input, stream),
        }
    }
}

/// Sets half of the values to 0 and doubles the others.
fn dropout_half(input: &Tensor, stream: &mut RandomStream) -> Result<Tensor> {
    let mask = (0..input.elem_count()).map(|_| if stream.unit() < 0.5 { 0.0 } else { 2.0 }).collect();
    input.mul(&blocks::tensor_from(mask, input.dims(), input.device())?.to_dtype(input.dtype())?)
}

/// The U-Net with its weights.
#[derive(Clone, Debug)]
pub struct Generator {
    config: GeneratorConfig,
    parameters: Parameters,
    down: Vec<Block>,
    up: Vec<Block>,
    memory: TrainMemory,
}

/// The forward half of a training step.
#[derive(Debug)]
pub enum TrainingPass {
    /// Outside of candle's graph, on the processor.
    Kernels(Box<TrainTape>),
    /// In candle's graph.
    Graph(Tensor),
}

impl TrainingPass {
    /// The answer `[N, 3, H, W]`, to compute losses with.
    pub fn rgb(&self) -> &Tensor {
        match self {
            Self::Kernels(tape) => tape.rgb(),
            Self::Graph(rgb) => rgb,
        }
    }

    /// Completes the gradients that `loss.backward()` gave with those of `generator`'s weights, which must be as they were.
    pub fn backward(self, generator: &Generator, gradients: &mut GradStore) -> Result<()> {
        match self {
            Self::Kernels(tape) => {
                let mut all = Vec::new();
                let take = &mut |_: &str, parameter: &Tensor, gradient: Gradient<'_>| {
                    all.push((parameter.clone(), gradient.to_tensor(parameter)?));
                    Ok(())
                };
                tape.backward(&generator.config, &generator.parameters, gradients, take)?;
                for (parameter, gradient) in all {
                    gradients.insert(&parameter, gradient);
                }
                Ok(())
            }
            Self::Graph(_) => Ok(()),
        }
    }

    /// Hands each gradient to `take(name, parameter, gradient)` as soon as the parameter may be moved, so that never all of
    /// them are in memory. Not in the order of names.
    pub fn backward_each(self, generator: &Generator, gradients: &mut GradStore, take: TakeGradient<'_>) -> Result<()> {
        match self {
            Self::Kernels(tape) => tape.backward(&generator.config, &generator.parameters, gradients, take),
            Self::Graph(_) => {
                for (name, variable) in generator.parameters.trained()? {
                    if let Some(gradient) = gradients.remove(&variable) {
                        take(&name, &variable, Gradient::Tensor(&gradient))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Generator {
    /// Takes the tensors by name; variables among them can be trained, others stay as they are.
    pub fn new(config: GeneratorConfig, parameters: Parameters) -> Result<Self> {
        parameters.check(&config.tensors())?;
        let down = (0..LEVELS).map(|i| Block::new(&parameters, &format!("down.{i}"), has_down_norm(i)));
        let down = down.collect::<Result<_>>()?;
        let up = (0..LEVELS).map(|i| Block::new(&parameters, &format!("up.{i}"), i > 0)).collect::<Result<_>>()?;
        Ok(Self { config, parameters, down, up, memory: TrainMemory::default() })
    }

    /// Structure.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// Weights by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// `[N, input_channels, 256·k, 256·l]` in −1 … 1 to RGB `[N, 3, 256·k, 256·l]` in −1 … 1.
    pub fn forward(&self, ct: &Tensor) -> Result<Tensor> {
        self.run(ct, Pass::Inference(self.config.norm))
    }

    /// The same in training: the batch's statistics (which move the running ones) and dropout from `dropout`.
    pub fn forward_train(&self, ct: &Tensor, dropout: &mut RandomStream) -> Result<Tensor> {
        self.run(ct, Pass::Training(dropout))
    }

    /// The same as [`Self::forward_train`], but several times faster on the processor for widths that are multiples of 16:
    /// losses are computed on [`TrainingPass::rgb`], and [`TrainingPass::backward`] completes their gradients.
    pub fn training_pass(&self, ct: &Tensor, dropout: &mut RandomStream) -> Result<TrainingPass> {
        self.check_input(ct)?;
        if !can_train(&self.config, ct) {
            return Ok(TrainingPass::Graph(self.forward_train(ct, dropout)?));
        }
        let tape = TrainTape::forward(&self.config, &self.parameters, &self.memory, ct, dropout)?;
        Ok(TrainingPass::Kernels(Box::new(tape)))
    }

    fn run(&self, ct: &Tensor, mut pass: Pass<'_>) -> Result<Tensor> {
        self.check_input(ct)?;
        let mut skips: Vec<Tensor> = Vec::with_capacity(LEVELS);
        for (level, block) in self.down.iter().enumerate() {
            let input = match skips.last() {
                Some(above) => blocks::leaky_relu(above)?,
                None => ct.clone(),
            };
            let output = blocks::conv2d(&input, &block.weight, block.bias.as_ref(), HALVING)?;
            skips.push(if level == 0 { output } else { pass.norm(block, output)? });
        }
        let mut output: Option<Tensor> = None;
        for (level, block) in self.up.iter().enumerate().rev() {
            let input = match &output {
                Some(below) => Tensor::cat(&[below, &skips[level]], 1)?,
                None => skips[level].clone(),
            };
            let doubled = blocks::conv_transpose2d(&input.relu()?, &block.weight, block.bias.as_ref(), HALVING)?;
            let normed = pass.norm(block, doubled)?;
            output = Some(if DROPOUT_LEVELS.contains(&level) { pass.dropout(normed)? } else { normed });
        }
        output.map_or_else(|| candle_core::bail!("a generator without levels"), |output| output.tanh())
    }

    fn check_input(&self, ct: &Tensor) -> Result<()> {
        let (_, channels, rows, columns) = ct.dims4()?;
        let is_multiple = |side: usize| side > 0 && side.is_multiple_of(SMALLEST_SIZE);
        if channels != self.config.input_channels || !is_multiple(rows) || !is_multiple(columns) {
            candle_core::bail!(
                "generator input: expected [N, {}, 256·k, 256·l], got {:?}",
                self.config.input_channels,
                ct.dims()
            );
        }
        Ok(())
    }
}
