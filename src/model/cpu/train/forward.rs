//! The forward half of a training step.

use candle_core::{Result, Tensor, Var};

use super::super::conv::{self, Weights};
use super::super::geometry::{Reads, Window, convolution_reads};
use super::super::kernel::{Segment, SharedMut, Sink};
use super::super::packed::Kernel;
use super::super::plan::TAP_COLUMNS;
use super::super::product::{Product, run};
use super::super::rgb::add_taps;
use super::super::values::{vector, with_values};
use super::maps::TrainMaps;
use super::norm::{Affine, BatchStatistics, Target, activate};
use crate::model::blocks::{LEAKY_SLOPE, move_running_statistics};
use crate::model::generator::{DROPOUT_LEVELS, GeneratorConfig, LEVELS};
use crate::model::parameters::Parameters;
use crate::model::seed::RandomStream;

/// Runs all layers; the answer is in `maps.rgb`. Moves the running statistics that are variables.
pub fn forward(
    config: &GeneratorConfig,
    parameters: &Parameters,
    maps: &mut TrainMaps,
    ct: &[f32],
    dropout: &mut RandomStream,
) -> Result<()> {
    maps.image.fill_from_planes(ct, config.input_channels);
    for level in 0..LEVELS {
        down(config, parameters, maps, level)?;
    }
    for level in (1..LEVELS).rev() {
        let mask = DROPOUT_LEVELS.contains(&level).then(|| dropout_factors(&maps.up_sums[level - 1], dropout));
        up(config, parameters, maps, level, mask.as_deref())?;
    }
    last(config, parameters, maps)
}

/// 0 or 2 for each value of a map, channels last, drawn in the order `[N, C, H, W]`.
fn dropout_factors(map: &super::super::map::FeatureMap, stream: &mut RandomStream) -> Vec<f32> {
    let (channels, pixels) = (map.channels, map.height * map.width);
    let mut factors = vec![0.0; map.pixels() * channels];
    for n in 0..map.count {
        for c in 0..channels {
            for pixel in 0..pixels {
                factors[(n * pixels + pixel) * channels + c] = if stream.unit() < 0.5 { 0.0 } else { 2.0 };
            }
        }
    }
    factors
}

fn down(config: &GeneratorConfig, parameters: &Parameters, maps: &mut TrainMaps, level: usize) -> Result<()> {
    let prefix = format!("down.{level}");
    let outputs = config.width(level);
    let inputs = if level == 0 { config.input_channels } else { config.width(level - 1) };
    with_values(parameters.get(&format!("{prefix}.conv.weight"))?, |data| {
        maps.packed.refill(Kernel { data, taps: Window::UNET.taps(), inputs, outputs, is_input_outer: false });
    })?;
    let (above, below) = maps.halved.split_at_mut(level.min(LEVELS - 1));
    let large = above.last().unwrap_or(&maps.image);
    let skip = &mut maps.joined[level];
    let first = skip.channels - outputs;
    if level > 0 && level + 1 < LEVELS {
        let sums = &mut maps.down_sums[level];
        conv::convolve(large, Window::UNET, Weights { packed: &maps.packed, bias: &vec![0.0; outputs] }, sums);
        let statistics = BatchStatistics::of(sums);
        let affine = norm(parameters, &prefix, &statistics, sums.pixels())?;
        activate(sums, &affine, None, Target { map: skip, first, slope: 0.0 });
        activate(sums, &affine, None, Target { map: &mut below[0], first: 0, slope: LEAKY_SLOPE as f32 });
        maps.down_statistics[level] = statistics;
        return Ok(());
    }
    let bias = vector(parameters, &format!("{prefix}.conv.bias"))?;
    let (size, pixels) = ([skip.height, skip.width], skip.pixels());
    let mut rows = skip.rows();
    rows.base += first;
    let mut sinks = vec![Sink { out: SharedMut::new(&mut skip.data), rows, negative_slope: 0.0 }];
    if let Some(next) = below.first_mut() {
        let rows = next.rows();
        sinks.push(Sink { out: SharedMut::new(&mut next.data), rows, negative_slope: LEAKY_SLOPE as f32 });
    }
    let reads = convolution_reads(large, Window::UNET, size);
    run(&[Product { input: &large.data, reads, pixels, sinks }], &maps.packed, &bias);
    Ok(())
}

/// Batch norm as an affine map, after the running statistics have moved.
fn norm(parameters: &Parameters, prefix: &str, statistics: &BatchStatistics, pixels: usize) -> Result<Affine> {
    let get = |part: &str| vector(parameters, &format!("{prefix}.norm.{part}"));
    let running = |part: &str| parameters.get(&format!("{prefix}.norm.{part}"));
    let [mean, variance] = [running("running_mean")?, running("running_var")?];
    move_running_statistics([mean, variance], [&statistics.mean, &statistics.variance], pixels)?;
    Ok(statistics.affine(&get("weight")?, &get("bias")?))
}

fn up(
    config: &GeneratorConfig,
    parameters: &Parameters,
    maps: &mut TrainMaps,
    level: usize,
    factors: Option<&[f32]>,
) -> Result<()> {
    let prefix = format!("up.{level}");
    let (inputs, outputs) = config.up_widths(level);
    with_values(parameters.get(&format!("{prefix}.conv.weight"))?, |data| {
        maps.packed.refill(Kernel { data, taps: Window::UNET.taps(), inputs, outputs, is_input_outer: true });
    })?;
    let (above, below) = maps.joined.split_at_mut(level);
    let (target, small, sums) = (&mut above[level - 1], &below[0], &mut maps.up_sums[level - 1]);
    conv::spread(small, Window::UNET, Weights { packed: &maps.packed, bias: &vec![0.0; outputs] }, sums);
    let statistics = BatchStatistics::of(sums);
    let affine = norm(parameters, &prefix, &statistics, sums.pixels())?;
    activate(sums, &affine, factors, Target { map: target, first: 0, slope: 0.0 });
    maps.up_statistics[level - 1] = statistics;
    Ok(())
}

fn last(config: &GeneratorConfig, parameters: &Parameters, maps: &mut TrainMaps) -> Result<()> {
    let (inputs, outputs) = config.up_widths(0);
    with_values(parameters.get("up.0.conv.weight")?, |data| {
        maps.packed.refill_by_taps(Kernel { data, taps: Window::UNET.taps(), inputs, outputs, is_input_outer: true });
    })?;
    let (input, taps) = (&maps.joined[0], &mut maps.taps);
    let rows = taps.rows();
    let segments = vec![Segment { input: 0, weight_row: 0 }];
    let product = Product {
        input: &input.data,
        reads: Reads { rows: input.rows(), segments, len: input.channels },
        pixels: input.pixels(),
        sinks: vec![Sink { out: SharedMut::new(&mut taps.data), rows, negative_slope: 1.0 }],
    };
    run(&[product], &maps.packed, &[0.0; TAP_COLUMNS]);
    maps.rgb = add_taps(taps, &vector(parameters, "up.0.conv.bias")?);
    Ok(())
}

/// The answer as a variable, so that losses can be taken back to it.
pub fn rgb_variable(maps: &TrainMaps) -> Result<Var> {
    let [count, rows, columns] = maps.size;
    Var::from_slice(&maps.rgb, (count, 3, rows, columns), &candle_core::Device::Cpu)
}

/// The input's values, which must be on the processor.
pub fn planes(ct: &Tensor) -> Result<Tensor> {
    ct.detach().contiguous()
}
