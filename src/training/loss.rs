//! The paper's losses (§3.2): adversarial (Eq. 1, or least squares), perceptual (Eq. 2), reconstruction (Eq. 3).

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::model::FeatureExtractor;

/// Added to the length of a feature vector before dividing by it, as in LPIPS.
const NORM_EPSILON: f64 = 1e-10;
/// Added under the root, where a length of 0 would have no gradient.
const ROOT_EPSILON: f64 = 1e-12;

/// How the discriminator and the generator are set against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Adversarial {
    /// Mao et al. 2017: squared distance of the patch logits from 1 (real) and 0 (fake). The paper trains with it.
    #[default]
    LeastSquares,
    /// Eq. 1, with −log D for the generator, where its gradient does not vanish (Goodfellow et al. 2014).
    Log,
    /// No discriminator.
    None,
}

impl Adversarial {
    /// Of the discriminator, for patches of one kind; its loss is half the sum over real and fake (pix2pix).
    pub fn loss_d(self, patch_logits: &Tensor, is_real: bool) -> Result<Tensor> {
        match self {
            Self::LeastSquares => patch_logits.affine(1.0, if is_real { -1.0 } else { 0.0 })?.sqr()?.mean_all(),
            Self::Log if is_real => softplus(&patch_logits.neg()?)?.mean_all(),
            Self::Log => softplus(patch_logits)?.mean_all(),
            Self::None => patch_logits.affine(0.0, 0.0)?.mean_all(),
        }
    }

    /// Of the generator: how far the patches of its picture are from being taken for real.
    pub fn loss_g(self, patch_logits_fake: &Tensor) -> Result<Tensor> {
        self.loss_d(patch_logits_fake, true)
    }
}

/// log(1 + eˣ), without overflow for large x and without losing small values: max(x, 0) + log(1 + e^−|x|).
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()?.add(&x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?)
}

/// Mean absolute difference (Eq. 3).
pub fn loss_rec(rgb_fake: &Tensor, rgb_real: &Tensor) -> Result<Tensor> {
    rgb_fake.sub(rgb_real)?.abs()?.mean_all()
}

/// How two pictures' features are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureDistance {
    /// Mean absolute difference of each layer, summed (Eq. 2).
    #[default]
    Absolute,
    /// LPIPS v0.1: squared difference of unit vectors, weighted by the heads.
    Lpips,
}

/// Perceptual loss (Eq. 2) of RGB pictures `[N, 3, H, W]` in −1 … 1.
pub fn loss_perc(
    features: &FeatureExtractor,
    distance: FeatureDistance,
    rgb_fake: &Tensor,
    rgb_real: &Tensor,
) -> Result<Tensor> {
    if distance == FeatureDistance::Lpips
        && let Some(loss) = features.lpips_by_kernels(rgb_fake, &rgb_real.detach())
    {
        return loss;
    }
    loss_perc_by_graph(features, distance, rgb_fake, rgb_real)
}

/// The same through candle's graph, on any device.
fn loss_perc_by_graph(
    features: &FeatureExtractor,
    distance: FeatureDistance,
    rgb_fake: &Tensor,
    rgb_real: &Tensor,
) -> Result<Tensor> {
    let taps_real = features.taps(&rgb_real.detach())?;
    let taps_fake = features.taps(rgb_fake)?;
    let mut sum = Tensor::zeros((), rgb_fake.dtype(), rgb_fake.device())?;
    for (layer, (fake, real)) in taps_fake.iter().zip(&taps_real).enumerate() {
        let of_layer = match (distance, features.heads().get(layer)) {
            (FeatureDistance::Lpips, Some(head)) => {
                let squares = unit_length(fake)?.sub(&unit_length(real)?)?.sqr()?;
                squares.broadcast_mul(&head.reshape((1, (), 1, 1))?)?.sum(1)?.mean_all()?
            }
            _ => fake.sub(real)?.abs()?.mean_all()?,
        };
        sum = sum.add(&of_layer)?;
    }
    Ok(sum)
}

fn unit_length(features: &Tensor) -> Result<Tensor> {
    let length = features.sqr()?.sum_keepdim(1)?.affine(1.0, ROOT_EPSILON)?.sqrt()?.affine(1.0, NORM_EPSILON)?;
    features.broadcast_div(&length)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Gradient of `loss` at `values` against central differences.
    fn check_gradient(values: &[f32], tolerance: f32, loss: impl Fn(&Tensor) -> Result<Tensor>) {
        let at = |values: &[f32]| Tensor::from_slice(values, (1, values.len() / 4, 2, 2), &Device::Cpu).unwrap();
        let var = Var::from_tensor(&at(values)).unwrap();
        let gradients = loss(var.as_tensor()).unwrap().backward().unwrap();
        let gradient = gradients.get(&var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let step = 1e-2;
        for index in 0..values.len() {
            let moved = |by: f32| {
                let mut values = values.to_vec();
                values[index] += by;
                loss(&at(&values)).unwrap().to_scalar::<f32>().unwrap()
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((gradient[index] - expected).abs() < tolerance, "{index}: {} and {expected}", gradient[index]);
        }
    }

    const LOGITS: [f32; 8] = [-3.0, -0.5, 0.2, 1.4, 2.5, -1.1, 0.7, 0.9];

    #[test]
    fn adversarial_gradients_equal_finite_differences() {
        for kind in [Adversarial::LeastSquares, Adversarial::Log] {
            for is_real in [true, false] {
                // Third derivatives are below 1, so central differences are right to 1e-4 · 1/8.
                check_gradient(&LOGITS, 1e-4, |x| kind.loss_d(x, is_real));
            }
        }
    }

    #[test]
    fn the_log_loss_survives_saturated_logits() {
        let logits = Tensor::new(&[-1e4f32, 1e4], &Device::Cpu).unwrap();
        let loss = Adversarial::Log.loss_d(&logits, true).unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - 5e3).abs() < 1.0, "{loss}");
    }

    #[test]
    fn reconstruction_gradients_equal_finite_differences() {
        let real = Tensor::from_slice(&[0.5f32; 8], (1, 2, 2, 2), &Device::Cpu).unwrap();
        check_gradient(&LOGITS, 1e-4, |x| loss_rec(x, &real));
    }

    #[test]
    fn kernels_and_graph_give_the_same_loss_and_gradient() {
        // Odd sizes: pools leave a row and a column behind.
        let picture = |shift: f32| {
            let values = (0..2 * 3 * 75 * 83).map(|i| ((i as f32 * 0.37 + shift).sin()) * 0.8).collect();
            Tensor::from_vec(values, (2, 3, 75, 83), &Device::Cpu).unwrap()
        };
        let device = &Device::Cpu;
        for features in [FeatureExtractor::alex_net(device).unwrap(), FeatureExtractor::vgg_16(device).unwrap()] {
            let (fake, real) = (Var::from_tensor(&picture(0.0)).unwrap(), picture(0.4));
            let values = |loss: Tensor| {
                // A factor, as a loss has one.
                let gradients = loss.affine(10.0, 0.0).unwrap().backward().unwrap();
                let gradient = gradients.get(&fake).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                (loss.to_scalar::<f32>().unwrap(), gradient)
            };
            let (loss, gradient) = values(features.lpips_by_kernels(&fake, &real).unwrap().unwrap());
            let expected = values(loss_perc_by_graph(&features, FeatureDistance::Lpips, &fake, &real).unwrap());
            let network = features.network();
            assert!((loss - expected.0).abs() < 1e-5 * expected.0, "{network:?}: {loss} and {}", expected.0);
            let size = expected.1.iter().map(|g| g * g).sum::<f32>().sqrt();
            let off = gradient.iter().zip(&expected.1).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
            // Where rounding decides which of two values is the largest, a gradient goes to the neighbour.
            assert!(off < 1e-3 * size, "{network:?}: gradients {off} apart, of length {size}");
        }
    }

    #[test]
    fn the_perceptual_loss_has_the_gradient_of_finite_differences() {
        let features = FeatureExtractor::alex_net(&Device::Cpu).unwrap();
        let picture = |shift: f32| {
            let values = (0..3 * 64 * 64).map(|i| ((i as f32 * 0.37 + shift).sin()) * 0.8).collect();
            Tensor::from_vec(values, (1, 3, 64, 64), &Device::Cpu).unwrap()
        };
        let (fake, real) = (picture(0.0), picture(0.4));
        let direction = picture(1.3);
        for distance in [FeatureDistance::Absolute, FeatureDistance::Lpips] {
            let var = Var::from_tensor(&fake).unwrap();
            let loss = |x: &Tensor| loss_perc(&features, distance, x, &real).unwrap();
            let gradients = loss(var.as_tensor()).backward().unwrap();
            let along = gradients.get(&var).unwrap().mul(&direction).unwrap().sum_all().unwrap();
            let along = along.to_scalar::<f32>().unwrap();
            let step = 1e-3;
            let moved = |by: f64| {
                let x = fake.add(&direction.affine(by, 0.0).unwrap()).unwrap();
                f64::from(loss(&x).to_scalar::<f32>().unwrap())
            };
            let expected = ((moved(step) - moved(-step)) / (2.0 * step)) as f32;
            // ReLU and pools have kinks, and f32 differences carry 1e-4 of noise: 5 % tells a missing layer apart.
            assert!((along - expected).abs() < 0.05 * expected.abs(), "{distance:?}: {along} and {expected}");
        }
    }
}
