//! ImageNet feature extractors: AlexNet, VGG-16 and ResNet-50 as torchvision has them.
//!
//! AlexNet (Krizhevsky 2014) and VGG-16 (Simonyan and Zisserman 2015) are bundled with the heads of LPIPS v0.1 (Zhang et
//! al. 2018); their taps are LPIPS's five, after the ReLU that ends each stage. ResNet-50's weights come from the user: see
//! `resnet.rs`.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Result, Tensor};

use super::blocks::{self, Stride};
use super::cpu::chain::ChainLayer;
use super::cpu::lpips::{self, LpipsKernels};
use super::parameters::{Parameters, TensorSpec};
use super::resnet::ResNet50;
pub use super::resnet::tensors as resnet_50_tensors;
use super::tensor_file::TensorFile;
use super::weights::WeightsError;

const ALEX_NET: &[u8] = include_bytes!("../../weights/lpips_alex.f16.safetensors");
const VGG_16: &[u8] = include_bytes!("../../weights/lpips_vgg.f16.safetensors");

/// Mean of ImageNet in −1 … 1: torchvision's 0.485, 0.456, 0.406 in 0 … 1. LPIPS's `shift` are the same numbers.
const IMAGENET_MEAN: [f32; 3] = [-0.030, -0.088, -0.188];
/// Deviation of ImageNet in −1 … 1: twice torchvision's 0.229, 0.224, 0.225. LPIPS's `scale` are the same numbers.
const IMAGENET_DEVIATION: [f32; 3] = [0.458, 0.448, 0.450];

/// Which network looks at the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureNetwork {
    /// Bundled; the default.
    AlexNet,
    /// Bundled.
    Vgg16,
    /// The paper's; weights from the user.
    ResNet50,
}

/// One convolution of a network without branches; ReLU follows.
struct Layer {
    /// `features.{index}` in torchvision.
    index: usize,
    /// `[out, in, kernel, kernel]`.
    shape: [usize; 4],
    stride: Stride,
    /// Kernel of a max pool with stride 2 before the convolution.
    pool_before: Option<usize>,
    /// Whether the output (after ReLU) is a tap.
    is_tap: bool,
}

const fn layer(index: usize, shape: [usize; 4], stride: Stride, pool_before: Option<usize>, is_tap: bool) -> Layer {
    Layer { index, shape, stride, pool_before, is_tap }
}

const ALEX_NET_LAYERS: [Layer; 5] = [
    layer(0, [64, 3, 11, 11], Stride { step: 4, padding: 2 }, None, true),
    layer(3, [192, 64, 5, 5], Stride { step: 1, padding: 2 }, Some(3), true),
    layer(6, [384, 192, 3, 3], SAME, Some(3), true),
    layer(8, [256, 384, 3, 3], SAME, None, true),
    layer(10, [256, 256, 3, 3], SAME, None, true),
];

const VGG_16_LAYERS: [Layer; 13] = [
    layer(0, [64, 3, 3, 3], SAME, None, false),
    layer(2, [64, 64, 3, 3], SAME, None, true),
    layer(5, [128, 64, 3, 3], SAME, Some(2), false),
    layer(7, [128, 128, 3, 3], SAME, None, true),
    layer(10, [256, 128, 3, 3], SAME, Some(2), false),
    layer(12, [256, 256, 3, 3], SAME, None, false),
    layer(14, [256, 256, 3, 3], SAME, None, true),
    layer(17, [512, 256, 3, 3], SAME, Some(2), false),
    layer(19, [512, 512, 3, 3], SAME, None, false),
    layer(21, [512, 512, 3, 3], SAME, None, true),
    layer(24, [512, 512, 3, 3], SAME, Some(2), false),
    layer(26, [512, 512, 3, 3], SAME, None, false),
    layer(28, [512, 512, 3, 3], SAME, None, true),
];

/// 3×3 kernels that keep the size.
const SAME: Stride = Stride { step: 1, padding: 1 };

/// A network without branches, with its weights.
#[derive(Debug)]
struct Chain {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    weight: Tensor,
    bias: Tensor,
    stride: Stride,
    pool_before: Option<usize>,
    is_tap: bool,
}

impl Chain {
    fn new(layers: &[Layer], parameters: &Parameters) -> Result<Self> {
        let steps = layers.iter().map(|layer| {
            let part = |part: &str| parameters.get(&format!("features.{}.{part}", layer.index)).cloned();
            let &Layer { stride, pool_before, is_tap, .. } = layer;
            Ok(Step { weight: part("weight")?, bias: part("bias")?, stride, pool_before, is_tap })
        });
        Ok(Self { steps: steps.collect::<Result<_>>()? })
    }

    /// The same network for the processor's kernels.
    fn kernels(&self, heads: &[Tensor]) -> Result<LpipsKernels> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let layer = |step: &Step| {
            let (a, b, c, d) = step.weight.dims4()?;
            let Stride { step: stride, padding } = step.stride;
            let role = (step.pool_before, step.is_tap);
            ChainLayer::new((&values(&step.weight)?, [a, b, c, d]), values(&step.bias)?, [stride, padding], role)
        };
        let layers = self.steps.iter().map(layer).collect::<Result<_>>()?;
        let heads = heads.iter().map(values).collect::<Result<_>>()?;
        Ok(LpipsKernels::new(layers, heads, IMAGENET_MEAN, IMAGENET_DEVIATION))
    }

    fn taps(&self, normalized: Tensor) -> Result<Vec<Tensor>> {
        let mut taps = Vec::new();
        let mut values = normalized;
        for step in &self.steps {
            if let Some(kernel) = step.pool_before {
                values = blocks::max_pool2d(&values, kernel, Stride { step: 2, padding: 0 })?;
            }
            values = blocks::conv2d(&values, &step.weight, Some(&step.bias), step.stride)?.relu()?;
            if step.is_tap {
                taps.push(values.clone());
            }
        }
        Ok(taps)
    }
}

#[derive(Debug)]
enum Layers {
    Chain(Chain),
    ResNet50(ResNet50),
}

/// A pretrained network that shows its inner layers. Its weights are never trained; gradients pass through to the picture.
#[derive(Debug)]
pub struct FeatureExtractor {
    network: FeatureNetwork,
    layers: Layers,
    heads: Vec<Tensor>,
    mean: Tensor,
    deviation: Tensor,
    /// LPIPS on the processor, made when it is first asked for.
    kernels: OnceLock<Arc<LpipsKernels>>,
}

impl FeatureExtractor {
    /// The bundled AlexNet with its LPIPS heads.
    pub fn alex_net(device: &Device) -> std::result::Result<Self, WeightsError> {
        Self::bundled(FeatureNetwork::AlexNet, ALEX_NET, &ALEX_NET_LAYERS, device)
    }

    /// The bundled VGG-16 with its LPIPS heads.
    pub fn vgg_16(device: &Device) -> std::result::Result<Self, WeightsError> {
        Self::bundled(FeatureNetwork::Vgg16, VGG_16, &VGG_16_LAYERS, device)
    }

    /// ResNet-50 with torchvision's weights, as safetensors or as a PyTorch checkpoint.
    pub fn resnet_50(path: &std::path::Path, device: &Device) -> std::result::Result<Self, WeightsError> {
        let layers = Layers::ResNet50(ResNet50::new(&super::resnet::read(path)?.to_device(device)?)?);
        let (mean, deviation) = normalization(device)?;
        let kernels = OnceLock::new();
        Ok(Self { network: FeatureNetwork::ResNet50, layers, heads: Vec::new(), mean, deviation, kernels })
    }

    fn bundled(
        network: FeatureNetwork,
        bytes: &[u8],
        layers: &[Layer],
        device: &Device,
    ) -> std::result::Result<Self, WeightsError> {
        let parameters = TensorFile::parse(bytes)?.tensors(&tensors(layers))?.to_device(device)?;
        let heads = (0..tap_count(layers)).map(|tap| parameters.get(&head_name(tap)).cloned());
        let heads = heads.collect::<Result<_>>()?;
        let (mean, deviation) = normalization(device)?;
        let layers = Layers::Chain(Chain::new(layers, &parameters)?);
        Ok(Self { network, layers, heads, mean, deviation, kernels: OnceLock::new() })
    }

    /// Which network it is.
    pub fn network(&self) -> FeatureNetwork {
        self.network
    }

    /// The taps of RGB pictures `[N, 3, H, W]` in −1 … 1, outermost first, each `[N, C, h, w]`.
    ///
    /// AlexNet and VGG-16: LPIPS's five, after ReLU. ResNet-50: the outputs of its four stages.
    pub fn taps(&self, rgb_signed_unit: &Tensor) -> Result<Vec<Tensor>> {
        let normalized = rgb_signed_unit.broadcast_sub(&self.mean)?.broadcast_div(&self.deviation)?;
        match &self.layers {
            Layers::Chain(chain) => chain.taps(normalized),
            Layers::ResNet50(network) => network.taps(&normalized),
        }
    }

    /// LPIPS v0.1 of `fake` from `real`, `[N, 3, H, W]` in −1 … 1, with a gradient for `fake`, on the processor's kernels and many times
    /// faster than through [`Self::taps`]; `None` where they cannot: on a GPU, and for ResNet-50, which has no heads.
    pub fn lpips_by_kernels(&self, fake: &Tensor, real: &Tensor) -> Option<Result<Tensor>> {
        let Layers::Chain(chain) = &self.layers else { return None };
        if !fake.device().is_cpu() || fake.dtype() != DType::F32 {
            return None;
        }
        let kernels = match self.kernels.get() {
            Some(kernels) => Arc::clone(kernels),
            None => match chain.kernels(&self.heads) {
                Ok(made) => Arc::clone(self.kernels.get_or_init(|| Arc::new(made))),
                Err(error) => return Some(Err(error)),
            },
        };
        Some(lpips::lpips(&kernels, fake, real))
    }

    /// LPIPS's 1×1 heads, one per tap, each `[1, C, 1, 1]`; none for ResNet-50.
    pub fn heads(&self) -> &[Tensor] {
        &self.heads
    }
}

fn head_name(tap: usize) -> String {
    format!("lin{tap}.model.1.weight")
}

fn tap_count(layers: &[Layer]) -> usize {
    layers.iter().filter(|layer| layer.is_tap).count()
}

fn tensors(layers: &[Layer]) -> Vec<TensorSpec> {
    let convolutions = layers.iter().flat_map(|layer| {
        let name = |part: &str| format!("features.{}.{part}", layer.index);
        [TensorSpec::new(name("weight"), &layer.shape), TensorSpec::new(name("bias"), &layer.shape[..1])]
    });
    let taps = layers.iter().filter(|layer| layer.is_tap).enumerate();
    let heads = taps.map(|(tap, layer)| TensorSpec::new(head_name(tap), &[1, layer.shape[0], 1, 1]));
    convolutions.chain(heads).collect()
}

fn normalization(device: &Device) -> Result<(Tensor, Tensor)> {
    let per_channel = |values: [f32; 3]| Tensor::new(&values, device)?.reshape((1, 3, 1, 1));
    Ok((per_channel(IMAGENET_MEAN)?, per_channel(IMAGENET_DEVIATION)?))
}
