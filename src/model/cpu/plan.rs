//! The U-Net for inference on the processor: weights packed once, batch norm folded into them, activations fused.
//!
//! ```text
//! image ─▶ down.0 ─▶ halved[0] ─▶ down.1 ─▶ …        leaky ReLU, what the next convolution reads
//!             └────▶ joined[0], second half          ReLU, what the transposed convolution reads
//! joined[i] ─▶ up.i ─▶ joined[i − 1], first half     so that nothing is ever concatenated
//! ```
//!
//! ReLU of the leaky ReLU is the ReLU: each sum is written where it is needed, and no map is read only to be activated.

use std::sync::{Mutex, PoisonError};

use candle_core::Result;

use super::geometry::{Reads, Window, convolution_reads, transposed_phases};
use super::isa::Isa;
use super::kernel::{CHANNEL_BLOCK, Segment, SharedMut, Sink};
use super::map::FeatureMap;
use super::packed::{Kernel, Packed, Stored};
use super::product::{Product, run};
use super::rgb::add_taps;
use super::values::with_values;
use crate::model::blocks::{BATCH_NORM_EPSILON, LEAKY_SLOPE};
use crate::model::generator::{GeneratorConfig, LEVELS, OUTPUT_CHANNELS, SMALLEST_SIZE};
use crate::model::parameters::Parameters;

/// One convolution, ready to run.
#[derive(Debug)]
struct Layer {
    weights: Packed,
    bias: Vec<f32>,
}

/// The generator with running statistics, on the processor. Shared between threads; runs in the current rayon pool.
#[derive(Debug)]
pub struct GeneratorPlan {
    isa: Isa,
    config: GeneratorConfig,
    down: Vec<Layer>,
    up: Vec<Layer>,
    /// Maps of the last size, to be used again: fresh memory costs a tenth of a forward pass.
    spare: Mutex<Option<Workspace>>,
}

/// The feature maps of one forward pass. Their borders stay zero.
#[derive(Debug)]
struct Workspace {
    /// Images, rows and columns of the input.
    size: [usize; 3],
    image: FeatureMap,
    halved: Vec<FeatureMap>,
    joined: Vec<FeatureMap>,
    /// The last layer's products before they are added up.
    taps: FeatureMap,
}

impl Workspace {
    fn new(config: &GeneratorConfig, size @ [count, rows, columns]: [usize; 3]) -> Self {
        let map = |level: usize, groups: usize| {
            let channels = groups * config.width(level).next_multiple_of(CHANNEL_BLOCK);
            FeatureMap::zeros([count, channels, rows >> (level + 1), columns >> (level + 1)], 1)
        };
        Self {
            size,
            image: FeatureMap::zeros([count, config.input_channels, rows, columns], 1),
            halved: (0..LEVELS - 1).map(|level| map(level, 1)).collect(),
            joined: (0..LEVELS).map(|level| map(level, if level + 1 == LEVELS { 1 } else { 2 })).collect(),
            taps: FeatureMap::zeros([count, TAP_COLUMNS, rows / 2, columns / 2], 1),
        }
    }
}

/// Products of one pixel of the last layer: 16 taps × RGB.
pub(super) const TAP_COLUMNS: usize = 16 * OUTPUT_CHANNELS;

impl GeneratorPlan {
    /// Packs the weights for the best instructions of this processor. Each tensor of `parameters` is let go as soon as it is
    /// packed, so that no more than one is in memory twice.
    pub fn new(config: GeneratorConfig, parameters: Parameters) -> Result<Self> {
        Self::with_isa(config, parameters, Isa::best())
    }

    /// The same for given instructions.
    pub fn with_isa(config: GeneratorConfig, mut parameters: Parameters, isa: Isa) -> Result<Self> {
        parameters.check(&config.tensors())?;
        let down = (0..LEVELS).map(|level| down_layer(isa, &config, &mut parameters, level));
        let down = down.collect::<Result<_>>()?;
        let up = (0..LEVELS).map(|level| up_layer(isa, &config, &mut parameters, level)).collect::<Result<_>>()?;
        Ok(Self { isa, config, down, up, spare: Mutex::new(None) })
    }

    /// Structure.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The instructions in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// `ct`: `shape` = `[N, input_channels, 256·k, 256·l]` in −1 … 1; gives RGB `[N, 3, 256·k, 256·l]` in −1 … 1.
    pub fn forward(&self, ct: &[f32], shape: [usize; 4]) -> Result<Vec<f32>> {
        let [count, channels, rows, columns] = shape;
        let is_multiple = |side: usize| side > 0 && side.is_multiple_of(SMALLEST_SIZE);
        if channels != self.config.input_channels || !is_multiple(rows) || !is_multiple(columns) {
            let expected = self.config.input_channels;
            candle_core::bail!("generator input: expected [N, {expected}, 256·k, 256·l], got {shape:?}");
        }
        if ct.len() != count * channels * rows * columns {
            candle_core::bail!("generator input: expected {shape:?}, got {} values", ct.len());
        }
        // One way into the pool for the whole pass, not one for each layer.
        Ok(rayon::scope(|_| self.run(ct, [count, rows, columns])))
    }

    fn run(&self, ct: &[f32], size: [usize; 3]) -> Vec<f32> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut maps = spare.filter(|spare| spare.size == size).unwrap_or_else(|| Workspace::new(&self.config, size));
        maps.image.fill_from_planes(ct, self.config.input_channels);
        for level in 0..LEVELS {
            self.run_down(&mut maps, level);
        }
        for level in (1..LEVELS).rev() {
            self.run_up(&mut maps, level);
        }
        let rgb = self.run_last(&mut maps);
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(maps);
        rgb
    }

    fn run_down(&self, maps: &mut Workspace, level: usize) {
        let layer = &self.down[level];
        let (above, below) = maps.halved.split_at_mut(level.min(LEVELS - 1));
        let input = above.last().unwrap_or(&maps.image);
        let skip = &mut maps.joined[level];
        let size = [skip.height, skip.width];
        let mut rows = skip.rows();
        // The second half, or all of the bottleneck.
        rows.base += skip.channels - layer.weights.columns;
        let mut sinks = vec![Sink { out: SharedMut::new(&mut skip.data), rows, negative_slope: 0.0 }];
        if let Some(next) = below.first_mut() {
            let rows = next.rows();
            sinks.push(Sink { out: SharedMut::new(&mut next.data), rows, negative_slope: LEAKY_SLOPE as f32 });
        }
        let reads = convolution_reads(input, Window::UNET, size);
        let product = Product { input: &input.data, reads, pixels: input.count * size[0] * size[1], sinks };
        run(&[product], &layer.weights, &layer.bias);
    }

    fn run_up(&self, maps: &mut Workspace, level: usize) {
        let layer = &self.up[level];
        let (above, below) = maps.joined.split_at_mut(level);
        let (target, input) = (&mut above[level - 1], &below[0]);
        let phases = transposed_phases(input, Window::UNET, [target.height, target.width]);
        let rows = phases.iter().map(|phase| {
            let corner = phase.parity.map(|parity| parity + target.border);
            target.rows_from(corner, Window::UNET.stride, phase.size)
        });
        let rows = rows.collect::<Vec<_>>();
        let out = SharedMut::new(&mut target.data);
        let products = phases.into_iter().zip(rows).map(|(phase, rows)| Product {
            input: &input.data,
            reads: phase.reads,
            pixels: input.count * phase.size[0] * phase.size[1],
            sinks: vec![Sink { out, rows, negative_slope: 0.0 }],
        });
        run(&products.collect::<Vec<_>>(), &layer.weights, &layer.bias);
    }

    /// Three channels would leave vectors almost empty: each input pixel is multiplied with all 16 taps × 3 channels, and
    /// the products are added up where they overlap.
    fn run_last(&self, maps: &mut Workspace) -> Vec<f32> {
        let (layer, input, taps) = (&self.up[0], &maps.joined[0], &mut maps.taps);
        let rows = taps.rows();
        let product = Product {
            input: &input.data,
            reads: Reads {
                rows: input.rows(),
                segments: vec![Segment { input: 0, weight_row: 0 }],
                len: input.channels,
            },
            pixels: input.pixels(),
            sinks: vec![Sink { out: SharedMut::new(&mut taps.data), rows, negative_slope: 1.0 }],
        };
        run(&[product], &layer.weights, &[0.0; TAP_COLUMNS]);
        add_taps(taps, &layer.bias)
    }

    /// Multiplications and additions of one forward pass of one image, taps on padding included.
    pub fn flop(config: &GeneratorConfig, [rows, columns]: [usize; 2]) -> f64 {
        let of_level = |level: usize| {
            let pixels = (rows >> (level + 1)) * (columns >> (level + 1));
            let input = if level == 0 { config.input_channels } else { config.width(level - 1) };
            let (up_input, up_output) = config.up_widths(level);
            2.0 * 16.0 * pixels as f64 * (input * config.width(level) + up_input * up_output) as f64
        };
        (0..LEVELS).map(of_level).sum()
    }
}

/// Batch norm with running statistics as a factor and a summand for each channel; or the bias.
fn scale_and_shift(parameters: &Parameters, prefix: &str, outputs: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let find = |part: &str| parameters.find(&format!("{prefix}.{part}")).map(candle_core::Tensor::to_vec1::<f32>);
    if let Some(bias) = find("conv.bias") {
        return Ok((vec![1.0; outputs], bias?));
    }
    let get = |part: &str| parameters.get(&format!("{prefix}.norm.{part}"))?.to_vec1::<f32>();
    let (weight, bias) = (get("weight")?, get("bias")?);
    let (mean, variance) = (get("running_mean")?, get("running_var")?);
    let pairs = (0..outputs).map(|c| {
        let scale = f64::from(weight[c]) / (f64::from(variance[c]) + BATCH_NORM_EPSILON).sqrt();
        (scale as f32, (f64::from(bias[c]) - f64::from(mean[c]) * scale) as f32)
    });
    Ok(pairs.unzip())
}

fn padded(mut bias: Vec<f32>) -> Vec<f32> {
    bias.resize(bias.len().next_multiple_of(CHANNEL_BLOCK), 0.0);
    bias
}

fn down_layer(isa: Isa, config: &GeneratorConfig, parameters: &mut Parameters, level: usize) -> Result<Layer> {
    let prefix = format!("down.{level}");
    let outputs = config.width(level);
    let (scale, shift) = scale_and_shift(parameters, &prefix, outputs)?;
    let (inputs, stored) = match level.checked_sub(1) {
        None => (config.input_channels, Stored::dense(config.input_channels)),
        Some(above) => (config.width(above), Stored::in_blocks(&[config.width(above)])),
    };
    let weight = parameters.remove(&format!("{prefix}.conv.weight"))?.contiguous()?;
    let weights = with_values(&weight, |data| {
        let kernel = Kernel { data, taps: Window::UNET.taps(), inputs, outputs, is_input_outer: false };
        Packed::from_kernel(isa, kernel, &stored, &scale)
    })?;
    Ok(Layer { weights, bias: padded(shift) })
}

fn up_layer(isa: Isa, config: &GeneratorConfig, parameters: &mut Parameters, level: usize) -> Result<Layer> {
    let prefix = format!("up.{level}");
    let (inputs, outputs) = config.up_widths(level);
    let (scale, shift) = scale_and_shift(parameters, &prefix, outputs)?;
    let width = config.width(level);
    let stored = Stored::in_blocks(&vec![width; inputs / width]);
    let weight = parameters.remove(&format!("{prefix}.conv.weight"))?.contiguous()?;
    let weights = with_values(&weight, |data| {
        let kernel = Kernel { data, taps: Window::UNET.taps(), inputs, outputs, is_input_outer: true };
        match level {
            0 => Packed::from_kernel_by_taps(isa, kernel, &stored, &scale),
            _ => Packed::from_kernel(isa, kernel, &stored, &scale),
        }
    })?;
    let bias = if level == 0 { shift } else { padded(shift) };
    Ok(Layer { weights, bias })
}
