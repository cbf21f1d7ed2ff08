//! What is measured on the held-out slices.

use crate::engine::HeldOutMetrics;

/// A measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Root of the mean squared difference.
    Rmse,
    /// Structural similarity.
    Ssim,
    /// Distance in the features of AlexNet.
    #[default]
    Lpips,
    /// Strength of a pattern that repeats with the network's doublings.
    Lattice,
}

impl Metric {
    /// In the order of the paper's tables, what needs no truth at the end.
    pub const ALL: [Self; 4] = [Self::Rmse, Self::Ssim, Self::Lpips, Self::Lattice];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rmse => "RMSE",
            Self::Ssim => "SSIM",
            Self::Lpips => "LPIPS",
            Self::Lattice => "Lattice",
        }
    }

    /// How to read it.
    pub fn tip(self) -> &'static str {
        match self {
            Self::Rmse => "Of 8-bit levels; lower is better",
            Self::Ssim => "1 is best",
            Self::Lattice => "Strength of a pattern that the network leaves, in 8-bit levels; lower is better",
            Self::Lpips => "Version 0.1 with AlexNet; lower is better",
        }
    }

    /// Its value, where it was measured.
    pub fn of(self, metrics: &HeldOutMetrics) -> Option<f64> {
        match self {
            Self::Rmse => Some(metrics.rmse),
            Self::Ssim => Some(metrics.ssim),
            Self::Lpips => Some(metrics.lpips),
            Self::Lattice => metrics.lattice,
        }
    }

    /// A value with as many decimals as mean something.
    pub fn words(self, value: f64) -> String {
        match self {
            Self::Rmse => format!("{value:.1}"),
            Self::Lattice => format!("{value:.2}"),
            Self::Ssim | Self::Lpips => format!("{value:.3}"),
        }
    }

    /// The best of all.
    pub fn best(self, all: &[HeldOutMetrics]) -> Option<f64> {
        let values = all.iter().filter_map(|metrics| self.of(metrics));
        if self == Self::Ssim { values.max_by(f64::total_cmp) } else { values.min_by(f64::total_cmp) }
    }
}
