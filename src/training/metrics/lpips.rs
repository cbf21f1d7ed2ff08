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

    /// What the network sees in a picture: taken once, a ground truth can be compared with many pictures.
    pub fn features(&self, picture: &RgbPicture) -> std::result::Result<LpipsFeatures, TrainingError> {
        let size = (picture.columns(), picture.rows());
        let taps = self.extractor.taps(&self.tensor(picture)?)?.iter().map(unit_length).collect::<Result<_>>()?;
        Ok(LpipsFeatures { size, taps })
    }

    /// Distance of two pictures: 0 for equal ones, about 1 for pictures that have nothing in common.
    pub fn distance(&self, picture: &RgbPicture, truth: &RgbPicture) -> std::result::Result<f64, TrainingError> {
        check_same_size(picture, truth)?;
        if let Some(distance) = self.extractor.lpips_by_kernels(&self.tensor(picture)?, &self.tensor(truth)?) {
            return Ok(f64::from(distance?.to_scalar::<f32>()?));
        }
        self.distance_between(&self.features(picture)?, &self.features(truth)?)
    }

    /// The same from what the network saw.
    pub fn distance_between(
        &self,
        picture: &LpipsFeatures,
        truth: &LpipsFeatures,
    ) -> std::result::Result<f64, TrainingError> {
        if picture.size != truth.size {
            return Err(TrainingError::PictureSizes { expected: truth.size, found: picture.size });
        }
        let mut sum = 0.0;
        for ((a, b), head) in picture.taps.iter().zip(&truth.taps).zip(self.extractor.heads()) {
            sum += weighted_difference(a, b, head)?;
        }
        Ok(sum)
    }

    fn tensor(&self, picture: &RgbPicture) -> Result<Tensor> {
        Tensor::from_vec(picture.to_signed_unit(), (1, 3, picture.rows(), picture.columns()), &self.device)
    }
}

/// What a network sees in a picture: its taps, each pixel's vector of unit length.
#[derive(Debug)]
pub struct LpipsFeatures {
    /// Columns and rows of the picture.
    size: (usize, usize),
    taps: Vec<Tensor>,
}

/// Mean over the pixels of the squared differences, each channel with its weight.
fn weighted_difference(a: &Tensor, b: &Tensor, head: &Tensor) -> Result<f64> {
    let per_pixel = (a - b)?.sqr()?.broadcast_mul(&head.reshape((1, (), 1, 1))?)?.sum(1)?;
    Ok(f64::from(per_pixel.mean_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?))
}

fn unusable(name: &str, source: crate::model::WeightsError) -> TrainingError {
    TrainingError::Weights { path: name.into(), source }
}

/// Each pixel's feature vector divided by its length.
fn unit_length(features: &Tensor) -> Result<Tensor> {
    let length = features.sqr()?.sum_keepdim(1)?.sqrt()?.affine(1.0, NORM_EPSILON)?;
    features.broadcast_div(&length)
}
