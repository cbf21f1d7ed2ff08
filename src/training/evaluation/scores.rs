//! What is measured on a slice.

use serde::Serialize;

use crate::training::TrainingError;
use crate::training::metrics::{self, Lpips, LpipsFeatures, rmse, ssim};
use crate::training::picture::RgbPicture;

/// A measure of likeness (paper §4, DESIGN.md "Metrics"), or of what no picture should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Root of the mean squared error in 8-bit levels.
    Rmse,
    /// Structural similarity.
    Ssim,
    /// LPIPS v0.1 with AlexNet.
    Lpips,
    /// LPIPS v0.1 with VGG-16.
    LpipsVgg,
    /// Strength of a pattern that repeats with the network's doublings, in 8-bit levels.
    Lattice,
}

impl Metric {
    /// In the order of the paper's tables, VGG beside its sibling, what needs no truth at the end.
    pub const ALL: [Self; 5] = [Self::Rmse, Self::Ssim, Self::Lpips, Self::LpipsVgg, Self::Lattice];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rmse => "RMSE",
            Self::Ssim => "SSIM",
            Self::Lpips => "LPIPS",
            Self::LpipsVgg => "LPIPS-VGG",
            Self::Lattice => "lattice",
        }
    }

    /// For programs: the name of a column in CSV and of a field in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Rmse => "rmse",
            Self::Ssim => "ssim",
            Self::Lpips => "lpips",
            Self::LpipsVgg => "lpips_vgg",
            Self::Lattice => "lattice",
        }
    }

    /// Whether more is better.
    pub fn is_likeness(self) -> bool {
        self == Self::Ssim
    }

    /// Decimals that are worth reading.
    pub fn decimals(self) -> usize {
        if matches!(self, Self::Rmse | Self::Lattice) { 2 } else { 3 }
    }
}

/// What was measured on one slice, or means of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// 8-bit levels; lower is better.
    pub rmse: f64,
    /// 1 is best.
    pub ssim: f64,
    /// Lower is better.
    pub lpips: f64,
    /// Lower is better; `None` where VGG was left out.
    pub lpips_vgg: Option<f64>,
    /// 8-bit levels; lower is better; `None` where the body is too small for it.
    pub lattice: Option<f64>,
}

impl Scores {
    /// One of them.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Rmse => Some(self.rmse),
            Metric::Ssim => Some(self.ssim),
            Metric::Lpips => Some(self.lpips),
            Metric::LpipsVgg => self.lpips_vgg,
            Metric::Lattice => self.lattice,
        }
    }

    /// Means over slices; VGG only where every slice has it, the lattice over those that have it.
    pub fn mean<'a>(slices: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut sum, mut count) = (Self { lpips_vgg: Some(0.0), ..Self::default() }, 0.0_f64);
        let mut lattices = Vec::new();
        for scores in slices {
            sum.rmse += scores.rmse;
            sum.ssim += scores.ssim;
            sum.lpips += scores.lpips;
            lattices.extend(scores.lattice);
            sum.lpips_vgg = sum.lpips_vgg.zip(scores.lpips_vgg).map(|(sum, value)| sum + value);
            count += 1.0;
        }
        let mean = |sum: f64| sum / count.max(1.0);
        Self {
            rmse: mean(sum.rmse),
            ssim: mean(sum.ssim),
            lpips: mean(sum.lpips),
            lpips_vgg: sum.lpips_vgg.map(mean),
            lattice: metrics::mean(lattices),
        }
    }
}

/// The networks that measure.
#[derive(Debug)]
pub struct Meter {
    alex: Lpips,
    vgg: Option<Lpips>,
}

/// A ground truth with what the networks see in it.
#[derive(Debug)]
pub(super) struct SeenTruth {
    picture: RgbPicture,
    alex: LpipsFeatures,
    vgg: Option<LpipsFeatures>,
}

impl Meter {
    /// `with_vgg`: also LPIPS with VGG-16, which takes most of the time of a measurement.
    pub fn new(device: &candle_core::Device, with_vgg: bool) -> Result<Self, TrainingError> {
        let vgg = if with_vgg { Some(Lpips::vgg_16(device)?) } else { None };
        Ok(Self { alex: Lpips::alex_net(device)?, vgg })
    }

    /// Looks at a ground truth once, for all methods.
    pub(super) fn see(&self, picture: RgbPicture) -> Result<SeenTruth, TrainingError> {
        let vgg = self.vgg.as_ref().map(|vgg| vgg.features(&picture)).transpose()?;
        Ok(SeenTruth { alex: self.alex.features(&picture)?, vgg, picture })
    }

    /// Compares a picture with the truth, inside the body's rectangle. The lattice needs the whole picture, and is left out.
    pub(super) fn scores(&self, picture: &RgbPicture, truth: &SeenTruth) -> Result<Scores, TrainingError> {
        let rmse = rmse(picture, &truth.picture)?;
        let ssim = ssim(picture, &truth.picture)?;
        let lpips = self.alex.distance_between(&self.alex.features(picture)?, &truth.alex)?;
        let lpips_vgg = match (&self.vgg, &truth.vgg) {
            (Some(vgg), Some(truth)) => Some(vgg.distance_between(&vgg.features(picture)?, truth)?),
            _ => None,
        };
        Ok(Scores { rmse, ssim, lpips, lpips_vgg, lattice: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_vgg_only_when_every_slice_has() {
        let of = |rmse, lpips_vgg| Scores { rmse, lpips_vgg, ..Scores::default() };
        let all = [of(10.0, Some(0.2)), of(20.0, Some(0.4))];
        let mean = Scores::mean(&all);
        assert!((mean.rmse - 15.0).abs() < 1e-12, "{mean:?}");
        assert!((mean.lpips_vgg.unwrap() - 0.3).abs() < 1e-12, "{mean:?}");
        assert_eq!(Scores::mean(&[of(1.0, Some(0.2)), of(1.0, None)]).lpips_vgg, None, "one is missing");
        let lattice = |lattice| Scores { lattice, ..Scores::default() };
        assert_eq!(Scores::mean(&[lattice(Some(2.0)), lattice(None)]).lattice, Some(2.0), "of those that have it");
        assert_eq!(Scores::mean(&[lattice(None)]).lattice, None, "none has it");
    }
}
