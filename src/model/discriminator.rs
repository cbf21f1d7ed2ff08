//! The pix2pix 70×70 PatchGAN (Isola et al. 2017): real or generated, patch by patch.
//!
//! ```text
//! [ct, rgb] ─▶ layer.0 ─▶ layer.1 ─▶ layer.2 ─▶ layer.3 ─▶ layer.4 ─▶ patch logits
//! stride          2          2          2          1          1
//! sees          4×4      10×10      22×22      46×46      70×70         pixels of the input
//! ```
//!
//! Convolutions 4×4 with padding 1, batch norm in layers 1 to 3, leaky ReLU after all but the last. A 256×256 picture has
//! 30×30 patches.

use candle_core::{Device, Result, Tensor};

use super::blocks::{self, Block, Stride};
use super::generator::OUTPUT_CHANNELS;
use super::parameters::{Parameters, TensorSpec};
use super::seed::Seed;

/// Convolutions.
const LAYERS: usize = 5;
/// Side of every kernel.
const KERNEL: usize = 4;

/// What makes one discriminator differ in structure from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscriminatorConfig {
    /// Channels of the prepared CT slice.
    pub input_channels: usize,
    /// Filters of the first layer, pix2pix's `ndf`: 64 there.
    pub base_channels: usize,
}

impl DiscriminatorConfig {
    /// Every tensor of the network, in name order.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut input = self.input_channels + OUTPUT_CHANNELS;
        let layers = (0..LAYERS).flat_map(|layer| {
            let output = if layer + 1 == LAYERS { 1 } else { self.base_channels << layer };
            let weight = [output, std::mem::replace(&mut input, output), KERNEL, KERNEL];
            Block::tensors(&format!("layer.{layer}"), weight, output, has_norm(layer))
        });
        let mut specs = layers.collect::<Vec<_>>();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        specs
    }

    /// New weights as in pix2pix.
    pub fn initialize(&self, seed: Seed, device: &Device) -> Result<Parameters> {
        Parameters::initialize(&self.tensors(), &mut seed.stream("discriminator-init"), device)
    }
}

fn has_norm(layer: usize) -> bool {
    layer > 0 && layer + 1 < LAYERS
}

fn stride(layer: usize) -> Stride {
    Stride { step: if layer < 3 { 2 } else { 1 }, padding: 1 }
}

/// The PatchGAN with its weights.
#[derive(Clone, Debug)]
pub struct Discriminator {
    layers: Vec<Block>,
    parameters: Parameters,
}

impl Discriminator {
    /// Takes the tensors by name.
    pub fn new(config: DiscriminatorConfig, parameters: Parameters) -> Result<Self> {
        parameters.check(&config.tensors())?;
        let layers = (0..LAYERS).map(|layer| Block::new(&parameters, &format!("layer.{layer}"), has_norm(layer)));
        Ok(Self { layers: layers.collect::<Result<_>>()?, parameters })
    }

    /// Weights by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// `ct` `[N, C, H, W]` and `rgb` `[N, 3, H, W]`, both in −1 … 1, to patch logits `[N, 1, H/8 − 2, W/8 − 2]`: large where it
    /// looks real. Batch norm as in training, which is the only place where a discriminator is used.
    pub fn forward_train(&self, ct: &Tensor, rgb: &Tensor) -> Result<Tensor> {
        let mut values = Tensor::cat(&[ct, rgb], 1)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let output = blocks::conv2d(&values, &layer.weight, layer.bias.as_ref(), stride(index))?;
            let output = match &layer.norm {
                Some(norm) => norm.forward_train(&output)?,
                None => output,
            };
            values = if index + 1 == LAYERS { output } else { blocks::leaky_relu(&output)? };
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    const CONFIG: DiscriminatorConfig = DiscriminatorConfig { input_channels: 2, base_channels: 2 };

    fn picture(channels: usize, seed: u64) -> Tensor {
        let values = Seed(seed).stream("picture").normals(channels * 128 * 128, 0.0, 0.5);
        Tensor::from_vec(values, (1, channels, 128, 128), &Device::Cpu).unwrap()
    }

    #[test]
    fn sixty_four_filters_make_pix2pixs_shapes() {
        let config = DiscriminatorConfig { input_channels: 3, base_channels: 64 };
        let weights = config.tensors().into_iter().filter(|spec| spec.name.ends_with("conv.weight"));
        let shapes = weights.map(|spec| spec.shape).collect::<Vec<_>>();
        let expected = [[64, 6, 4, 4], [128, 64, 4, 4], [256, 128, 4, 4], [512, 256, 4, 4], [1, 512, 4, 4]];
        assert_eq!(shapes, expected, "kernels");
    }

    #[test]
    fn a_patch_sees_seventy_pixels() {
        // Without batch norm's statistics, which tie all pixels together: one scale and shift per channel.
        let parameters = CONFIG.initialize(Seed(1), &Device::Cpu).unwrap();
        let network = Discriminator::new(CONFIG, parameters).unwrap();
        let rgb = Var::from_tensor(&picture(3, 2)).unwrap();
        let mut values = Tensor::cat(&[&picture(2, 1), rgb.as_tensor()], 1).unwrap();
        for (index, layer) in network.layers.iter().enumerate() {
            values = blocks::conv2d(&values, &layer.weight, layer.bias.as_ref(), stride(index)).unwrap();
        }
        assert_eq!(values.dims(), [1, 1, 14, 14], "128 / 8 - 2 patches");
        let patch = values.narrow(2, 7, 1).unwrap().narrow(3, 7, 1).unwrap().sum_all().unwrap();
        let gradient = patch.backward().unwrap().get(&rgb).unwrap().abs().unwrap().sum((0, 1)).unwrap();
        let rows = gradient.sum(1).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(rows.iter().filter(|&&row| row > 0.0).count(), 70, "rows that one patch sees");
    }

    #[test]
    fn gradients_reach_every_weight() {
        let parameters = CONFIG.initialize(Seed(1), &Device::Cpu).unwrap().to_variables().unwrap();
        let network = Discriminator::new(CONFIG, parameters.clone()).unwrap();
        let logits = network.forward_train(&picture(2, 1), &picture(3, 2)).unwrap();
        let gradients = logits.sqr().unwrap().mean_all().unwrap().backward().unwrap();
        for (name, var) in parameters.trained().unwrap() {
            assert!(gradients.get(&var).is_some(), "{name}");
        }
    }
}
