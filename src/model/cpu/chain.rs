//! Networks of convolutions without branches whose weights stay as they are: forward and back to the picture, in the
//! kernels' own layout.
//!
//! candle's graph would pack the weights anew for every pass, and convert every map to the kernels' layout and back. Two kinds of
//! pictures pass together, as many of the second as of the first; only the first kind's gradient is taken back.

use candle_core::{Result, bail};

use super::conv::{self, Weights};
use super::geometry::Window;
use super::isa::Isa;
use super::kernel::CHANNEL_BLOCK;
use super::map::FeatureMap;
use super::map_pool::{max_pool, max_pool_gradient};
use super::packed::{Kernel, Packed, Stored};

/// Stride of every pool.
const POOL_STRIDE: usize = 2;

/// One convolution, after which comes ReLU.
#[derive(Debug)]
pub struct ChainLayer {
    window: Window,
    /// Kernel of a max pool before the convolution.
    pool: Option<usize>,
    /// Whether its answer is looked at.
    pub is_tap: bool,
    inputs: usize,
    channels: usize,
    forward: Packed,
    backward: Packed,
    bias: Vec<f32>,
}

impl ChainLayer {
    /// `weight`: `[outputs, inputs, kernel, kernel]`, whole blocks of outputs; `pool`: kernel of a max pool before it.
    pub fn new(
        (weight, shape): (&[f32], [usize; 4]),
        bias: Vec<f32>,
        [stride, padding]: [usize; 2],
        (pool, is_tap): (Option<usize>, bool),
    ) -> Result<Self> {
        let [channels, inputs, kernel_rows, kernel_columns] = shape;
        let window = Window { kernel: [kernel_rows, kernel_columns], stride, padding };
        if !channels.is_multiple_of(CHANNEL_BLOCK) || bias.len() != channels {
            bail!("expected whole blocks of {CHANNEL_BLOCK} channels with a bias each, got {channels}");
        }
        let kernel = |inputs, outputs, is_input_outer| Kernel {
            data: weight,
            taps: window.taps(),
            inputs,
            outputs,
            is_input_outer,
        };
        let pack = |kernel: Kernel<'_>| {
            let scale = vec![1.0; kernel.outputs];
            Packed::from_kernel(Isa::best(), kernel, &Stored::dense(kernel.inputs), &scale)
        };
        Ok(Self {
            window,
            pool,
            is_tap,
            inputs,
            channels,
            forward: pack(kernel(inputs, channels, false)),
            backward: pack(kernel(channels, inputs, true)),
            bias,
        })
    }
}

/// Adds the gradient of what is made of a tap to a line: layer, its answer, line, gradient.
pub type AddGradient<'a> = &'a (dyn Fn(usize, &FeatureMap, usize, &mut [f32]) + Sync);

/// The maps of one pass, kept from pass to pass.
#[derive(Debug)]
pub struct ChainMaps {
    /// Pictures of one kind, rows, columns.
    pub size: [usize; 3],
    image: FeatureMap,
    /// What pools give, before the layers that have one.
    pooled: Vec<FeatureMap>,
    /// Answers after ReLU, of both kinds of pictures.
    pub outputs: Vec<FeatureMap>,
    pooled_gradients: Vec<FeatureMap>,
    /// Gradients of the answers, of the first kind.
    gradients: Vec<FeatureMap>,
    image_gradient: FeatureMap,
}

impl ChainMaps {
    /// For `size`: pictures of one kind, rows, columns.
    pub fn new(layers: &[ChainLayer], size @ [count, rows, columns]: [usize; 3]) -> Result<Self> {
        let too_small =
            || candle_core::Error::Msg(format!("a picture of {rows}×{columns} is too small for the network"));
        let inputs = layers.first().map_or(0, |layer| layer.inputs);
        let padding = |layer: Option<&ChainLayer>| layer.map_or(0, |layer| layer.window.padding);
        let mut maps = Self {
            size,
            image: FeatureMap::zeros([2 * count, inputs, rows, columns], padding(layers.first())),
            pooled: Vec::new(),
            outputs: Vec::new(),
            pooled_gradients: Vec::new(),
            gradients: Vec::new(),
            image_gradient: FeatureMap::zeros([count, inputs.next_multiple_of(CHANNEL_BLOCK), rows, columns], 0),
        };
        let mut input = [rows, columns];
        for (index, layer) in layers.iter().enumerate() {
            let (mut pooled, mut pooled_gradient) = (FeatureMap::default(), FeatureMap::default());
            if let Some(kernel) = layer.pool {
                let pool = Window { kernel: [kernel; 2], stride: POOL_STRIDE, padding: 0 };
                input = pool.output(input).ok_or_else(too_small)?;
                let [rows, columns] = input;
                pooled = FeatureMap::zeros([2 * count, layer.inputs, rows, columns], layer.window.padding);
                pooled_gradient = FeatureMap::zeros([count, layer.inputs, rows, columns], 0);
            }
            let output = layer.window.output(input).ok_or_else(too_small)?;
            let [rows, columns] = output;
            // The next layer reads the answer with its padding, the way back reads the gradient with its own.
            let border = padding(layers.get(index + 1).filter(|next| next.pool.is_none()));
            let back = layer.window.transposed_border(output, input);
            maps.pooled.push(pooled);
            maps.pooled_gradients.push(pooled_gradient);
            maps.outputs.push(FeatureMap::zeros([2 * count, layer.channels, rows, columns], border));
            maps.gradients.push(FeatureMap::zeros([count, layer.channels, rows, columns], back));
            input = output;
        }
        Ok(maps)
    }

    /// All answers of pictures `[2 · count, inputs, rows, columns]`: those of the first kind, then those of the second.
    pub fn forward(&mut self, layers: &[ChainLayer], planes: &[f32]) {
        self.image.fill_from_planes(planes, self.image.channels);
        for (index, layer) in layers.iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(index);
            let above = before.last().unwrap_or(&self.image);
            let input = match layer.pool {
                Some(kernel) => {
                    max_pool(above, [kernel, POOL_STRIDE], &mut self.pooled[index]);
                    &self.pooled[index]
                }
                None => above,
            };
            let weights = Weights { packed: &layer.forward, bias: &layer.bias };
            conv::convolve_activated(input, layer.window, weights, 0.0, &mut after[0]);
        }
    }

    /// The gradient of the first kind of pictures, `[count, inputs, rows, columns]`. `add`: for the
    /// lines of every tap.
    pub fn backward(&mut self, layers: &[ChainLayer], add: AddGradient<'_>) -> Vec<f32> {
        for (index, layer) in layers.iter().enumerate().rev() {
            let (before, after) = self.gradients.split_at_mut(index);
            let (gradient, output) = (&mut after[0], &self.outputs[index]);
            let is_last = index + 1 == layers.len();
            through_relu(gradient, output, is_last, |line, pixels| {
                if layer.is_tap {
                    add(index, output, line, pixels);
                }
            });
            let bias = vec![0.0; layer.backward.columns];
            let weights = Weights { packed: &layer.backward, bias: &bias };
            match (layer.pool, before.last_mut()) {
                (Some(kernel), Some(before)) => {
                    let pooled = &mut self.pooled_gradients[index];
                    conv::spread(gradient, layer.window, weights, pooled);
                    let maps = [&self.outputs[index - 1], &self.pooled[index], pooled];
                    max_pool_gradient(maps, [kernel, POOL_STRIDE], before);
                }
                (_, Some(before)) => conv::spread(gradient, layer.window, weights, before),
                (_, None) => conv::spread(gradient, layer.window, weights, &mut self.image_gradient),
            }
        }
        self.image_gradient.to_planes(self.image.channels)
    }
}

/// Completes the gradient of an answer with `add`, and takes it back through ReLU. `is_new`: it holds nothing yet.
fn through_relu(gradient: &mut FeatureMap, output: &FeatureMap, is_new: bool, add: impl Fn(usize, &mut [f32]) + Sync) {
    gradient.for_each_line(
        #[inline(always)]
        |line, pixels| {
            if is_new {
                pixels.fill(0.0);
            }
            add(line, pixels);
            for (gradient, output) in pixels.iter_mut().zip(output.line(line)) {
                let value = *gradient;
                *gradient = if *output > 0.0 { value } else { 0.0 };
            }
        },
    );
}
