//! Learned perceptual image patch similarity, version 0.1 (Zhang et al. 2018).

use candle_core::{DType, Device, Result, Tensor};

use super::check_same_size;
use crate::model::features::{FeatureExtractor, FeatureNetwork};
use crate::training::TrainingError;
use crate::training::picture::RgbPicture;

/// Added to the length of a feature vector before dividing by it, as in the authors' code.
const NORM_EPSILON: f64 = 1e-10;

/// LPIPS with one of its two networks.
#[derive(Debug)]
pub struct Lpips {
    extractor: FeatureExtractor,
    device: Device,
}

impl Lpips {
    /// With AlexNet: the paper's LPIPS.
    pub fn alex_net(device: &Device) -> std::result::Result<Self, TrainingError> {
        let extractor = FeatureExtractor::alex_net(device).map_err(|source| unusable("bundled AlexNet", source))?;
        Ok(Self { extractor, device: device.clone() })
    }

    /// With VGG-16.
    pub fn vgg_16(device: &Device) -> std::result::Result<Self, TrainingError> {
        let extractor = FeatureExtractor::vgg_16(device).map_err(|source| unusable("bundled VGG-16", source))?;
        Ok(Self { extractor, device: device.clone() })
    }

    /// Which network it uses.
    pub fn network(&self) -> FeatureNetwork {
        self.extractor.network()
    }

    /// Distance of two pictures: 0 for equal ones, about 1 for pictures that have nothing in common.
    pub fn distance(&self, picture: &RgbPicture, truth: &RgbPicture) -> std::result::Result<f64, TrainingError> {
        check_same_size(picture, truth)?;
        let (columns, rows) = (truth.columns(), truth.rows());
        let tensor = |p: &RgbPicture| Tensor::from_vec(p.to_signed_unit(), (1, 3, rows, columns), &self.device);
        Ok(self.distance_of(&tensor(picture)?, &tensor(truth)?)?)
    }

    fn distance_of(&self, a: &Tensor, b: &Tensor) -> Result<f64> {
        if let Some(distance) = self.extractor.lpips_by_kernels(a, b) {
            return Ok(f64::from(distance?.to_scalar::<f32>()?));
        }
        let taps = self.extractor.taps(a)?.into_iter().zip(self.extractor.taps(b)?);
        let mut sum = 0.0;
        for ((a, b), head) in taps.zip(self.extractor.heads()) {
            let squares = unit_length(&a)?.sub(&unit_length(&b)?)?.sqr()?;
            let per_pixel = squares.broadcast_mul(&head.reshape((1, (), 1, 1))?)?.sum(1)?;
            sum += f64::from(per_pixel.mean_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        }
        Ok(sum)
    }
}

fn unusable(name: &str, source: crate::model::WeightsError) -> TrainingError {
    TrainingError::Weights { path: name.into(), source }
}

/// Each pixel's feature vector divided by its length.
fn unit_length(features: &Tensor) -> Result<Tensor> {
    let length = features.sqr()?.sum_keepdim(1)?.sqrt()?.affine(1.0, NORM_EPSILON)?;
    features.broadcast_div(&length)
}
