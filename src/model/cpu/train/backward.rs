//! The backward half of a training step.

use candle_core::{Result, Tensor};

use super::super::conv::{self, Weights};
use super::super::geometry::Window;
use super::super::map::FeatureMap;
use super::super::packed::{Kernel, Packed};
use super::super::values::{vector, with_values};
use super::maps::TrainMaps;
use super::norm::{BatchStatistics, channel_sums};
use crate::model::blocks::LEAKY_SLOPE;
use crate::model::generator::{DROPOUT_LEVELS, GeneratorConfig, LEVELS};
use crate::model::parameters::Parameters;

/// Receives the name of a parameter, the parameter and its gradient.
pub type TakeGradient<'a> = &'a mut dyn FnMut(&str, &Tensor, Gradient<'_>) -> Result<()>;

/// The gradient of a parameter, in the parameter's shape.
#[derive(Clone, Copy, Debug)]
pub enum Gradient<'a> {
    /// On the processor, in memory that is used again for the next one.
    Values(&'a [f32]),
    /// Anywhere.
    Tensor(&'a Tensor),
}

impl Gradient<'_> {
    /// As a tensor like `parameter`.
    pub fn to_tensor(self, parameter: &Tensor) -> Result<Tensor> {
        match self {
            Self::Values(values) => Tensor::from_slice(values, parameter.dims(), parameter.device()),
            Self::Tensor(tensor) => Ok(tensor.clone()),
        }
    }
}

/// Takes the gradient of the answer back to every parameter.
pub struct Backward<'a> {
    /// Structure.
    pub config: &'a GeneratorConfig,
    /// Weights, as they were in the forward half.
    pub parameters: &'a Parameters,
    /// Maps of the forward half.
    pub maps: &'a mut TrainMaps,
    /// Where the gradients go, each as soon as it and its parameter are not needed any more.
    pub take: TakeGradient<'a>,
}

impl Backward<'_> {
    /// `gradient`: of the answer, `[N, 3, H, W]`.
    pub fn run(&mut self, gradient: &[f32]) -> Result<()> {
        rgb_gradient(self.maps, gradient);
        self.up(0)?;
        for level in 1..LEVELS {
            self.up_sums_gradient(level)?;
            self.up(level)?;
        }
        for level in (0..LEVELS).rev() {
            self.down_sums_gradient(level)?;
            self.down(level)?;
        }
        Ok(())
    }

    /// From the gradient of `up.level`'s sums to those of its weights and of its input.
    fn up(&mut self, level: usize) -> Result<()> {
        let name = format!("up.{level}.conv.weight");
        let weight = self.parameters.get(&name)?;
        let (inputs, outputs) = self.config.up_widths(level);
        let TrainMaps { rgb_gradient, sum_gradients, joined, joined_gradients, packed, kernel_gradient, .. } =
            &mut *self.maps;
        let large = if level == 0 { &*rgb_gradient } else { &sum_gradients[level - 1] };
        weight_gradient([large, &joined[level]], packed, [outputs, inputs], kernel_gradient);
        with_values(weight, |data| {
            // Backwards the layer is a convolution with the same kernel.
            packed.refill(Kernel {
                data,
                taps: Window::UNET.taps(),
                inputs: outputs,
                outputs: inputs,
                is_input_outer: false,
            });
        })?;
        let weights = Weights { packed, bias: &vec![0.0; inputs] };
        conv::convolve(large, Window::UNET, weights, &mut joined_gradients[level]);
        if level == 0 {
            let bias = channel_sums(large);
            self.insert("up.0.conv.bias", &bias)?;
        }
        (self.take)(&name, weight, Gradient::Values(&self.maps.kernel_gradient))
    }

    /// Gradient of the sums of `up.level`, from that of the first half of `joined[level − 1]`.
    fn up_sums_gradient(&mut self, level: usize) -> Result<()> {
        let grid = level - 1;
        let TrainMaps { sum_gradients, joined, joined_gradients, up_sums, up_statistics, .. } = &mut *self.maps;
        let factor = if DROPOUT_LEVELS.contains(&level) { 2.0 } else { 1.0 };
        let (joined, from, target) = (&joined[grid], &joined_gradients[grid], &mut sum_gradients[grid]);
        let (step, channels) = (target.step, target.channels);
        target.for_each_line(
            #[inline(always)]
            |line, pixels| {
                let inputs = joined.line(line).chunks_exact(joined.step).zip(from.line(line).chunks_exact(from.step));
                for (out, (joined, from)) in pixels.chunks_exact_mut(step).zip(inputs) {
                    for ((out, joined), from) in out[..channels].iter_mut().zip(joined).zip(from) {
                        // What dropout set to 0 is not positive; what it kept, it doubled.
                        let value = factor * from;
                        *out = if *joined > 0.0 { value } else { 0.0 };
                    }
                }
            },
        );
        let gradients = norm_gradients(
            self.parameters,
            &format!("up.{level}"),
            (&up_sums[grid], &up_statistics[grid]),
            &mut sum_gradients[grid],
        )?;
        self.insert_norm(&format!("up.{level}"), gradients)
    }

    /// Gradient of the sums of `down.level`, from those of its two readers.
    fn down_sums_gradient(&mut self, level: usize) -> Result<()> {
        let maps = &mut *self.maps;
        let (joined, from_up) = (&maps.joined[level], &maps.joined_gradients[level]);
        let target = &mut maps.sum_gradients[level];
        let (step, channels) = (target.step, target.channels);
        let first = joined.channels - channels;
        let from_down = maps.halved_gradients.get(level);
        target.for_each_line(
            #[inline(always)]
            |line, pixels| {
                let skips =
                    joined.line(line).chunks_exact(joined.step).zip(from_up.line(line).chunks_exact(from_up.step));
                for (x, (out, (joined, from_up))) in pixels.chunks_exact_mut(step).zip(skips).enumerate() {
                    let (out, joined, from_up) = (&mut out[..channels], &joined[first..], &from_up[first..]);
                    let from_down = from_down.map(|map| &map.line(line)[x * map.step..][..channels]);
                    skip_gradient(out, joined, [Some(from_up), from_down]);
                }
            },
        );
        let prefix = format!("down.{level}");
        if level == 0 || level + 1 == LEVELS {
            let bias = channel_sums(&maps.sum_gradients[level]);
            return self.insert(&format!("{prefix}.conv.bias"), &bias);
        }
        let sums = (&maps.down_sums[level], &maps.down_statistics[level]);
        let gradients = norm_gradients(self.parameters, &prefix, sums, &mut maps.sum_gradients[level])?;
        self.insert_norm(&prefix, gradients)
    }

    /// From the gradient of `down.level`'s sums to those of its weights and of its input.
    fn down(&mut self, level: usize) -> Result<()> {
        let name = format!("down.{level}.conv.weight");
        let weight = self.parameters.get(&name)?;
        let outputs = self.config.width(level);
        let TrainMaps { image, halved, halved_gradients, sum_gradients, packed, kernel_gradient, .. } = &mut *self.maps;
        let small = &sum_gradients[level];
        let Some(above) = level.checked_sub(1) else {
            weight_gradient([image, small], packed, [self.config.input_channels, outputs], kernel_gradient);
            return (self.take)(&name, weight, Gradient::Values(kernel_gradient));
        };
        let inputs = self.config.width(above);
        weight_gradient([&halved[above], small], packed, [inputs, outputs], kernel_gradient);
        with_values(weight, |data| {
            // Backwards the layer is a transposed convolution with the same kernel.
            packed.refill(Kernel {
                data,
                taps: Window::UNET.taps(),
                inputs: outputs,
                outputs: inputs,
                is_input_outer: true,
            });
        })?;
        let weights = Weights { packed, bias: &vec![0.0; inputs] };
        conv::spread(small, Window::UNET, weights, &mut halved_gradients[above]);
        (self.take)(&name, weight, Gradient::Values(&self.maps.kernel_gradient))
    }

    fn insert(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let parameter = self.parameters.get(name)?;
        (self.take)(name, parameter, Gradient::Values(values))
    }

    fn insert_norm(&mut self, prefix: &str, [weight, bias]: [Vec<f32>; 2]) -> Result<()> {
        self.insert(&format!("{prefix}.norm.weight"), &weight)?;
        self.insert(&format!("{prefix}.norm.bias"), &bias)
    }
}

/// Gradient before tanh, channels last.
fn rgb_gradient(maps: &mut TrainMaps, gradient: &[f32]) {
    let rgb = &maps.rgb;
    let before = gradient.iter().zip(rgb).map(|(gradient, rgb)| gradient * (1.0 - rgb * rgb)).collect::<Vec<_>>();
    let channels = maps.rgb_gradient.channels;
    maps.rgb_gradient.fill_from_planes(&before, channels);
}

/// Gradient of a value that one reader sees through ReLU and the other, if there is one, through leaky ReLU.
#[expect(clippy::inline_always, reason = "part of a loop that is compiled for wide vectors")]
#[inline(always)]
fn skip_gradient(out: &mut [f32], joined: &[f32], [from_up, from_down]: [Option<&[f32]>; 2]) {
    let slope = LEAKY_SLOPE as f32;
    match (from_up, from_down) {
        (Some(from_up), Some(from_down)) => {
            for (((out, joined), up), down) in out.iter_mut().zip(joined).zip(from_up).zip(from_down) {
                let (above, below) = (up + down, slope * down);
                *out = if *joined > 0.0 { above } else { below };
            }
        }
        (Some(from), None) | (None, Some(from)) => {
            for ((out, joined), from) in out.iter_mut().zip(joined).zip(from) {
                let value = *from;
                *out = if *joined > 0.0 { value } else { 0.0 };
            }
        }
        (None, None) => out.fill(0.0),
    }
}

/// Turns the gradient of batch norm's result into that of its input; gives those of weight and bias.
fn norm_gradients(
    parameters: &Parameters,
    prefix: &str,
    (sums, statistics): (&FeatureMap, &BatchStatistics),
    gradient: &mut FeatureMap,
) -> Result<[Vec<f32>; 2]> {
    let weight = vector(parameters, &format!("{prefix}.norm.weight"))?;
    Ok(statistics.backward(sums, &weight, gradient))
}

/// Gradient of a kernel between a large map (first of `channels`) and a small one (second), `[second, first, 4, 4]`.
fn weight_gradient(
    [large, small]: [&FeatureMap; 2],
    packed: &mut Packed,
    channels: [usize; 2],
    kernel_gradient: &mut Vec<f32>,
) {
    let taps = Window::UNET.taps();
    packed.reshape(taps * channels[0], channels[1]);
    conv::weight_gradient(large, Window::UNET, small, packed);
    kernel_gradient.resize(taps * channels[0] * channels[1], 0.0);
    packed.write_kernel(taps, channels[0], kernel_gradient);
}
