//! The feature maps of one training step, kept from step to step.

use super::super::isa::Isa;
use super::super::map::FeatureMap;
use super::super::packed::Packed;
use super::super::plan::TAP_COLUMNS;
use super::norm::BatchStatistics;
use crate::model::generator::{GeneratorConfig, LEVELS, OUTPUT_CHANNELS};

/// Level `i` is the grid that `down.i` writes and `up.i` reads: the picture halved `i + 1` times.
#[derive(Debug)]
pub struct TrainMaps {
    /// Images, rows and columns of the input.
    pub size: [usize; 3],
    /// The input.
    pub image: FeatureMap,
    /// Leaky ReLU of level 0 … 6: what `down.1 … 7` read.
    pub halved: Vec<FeatureMap>,
    /// ReLU of the upsampled half and the skip: what `up.i` reads. The bottleneck has no upsampled half.
    pub joined: Vec<FeatureMap>,
    /// Sums of `down.i` before batch norm; not used at level 0 and 7.
    pub down_sums: Vec<FeatureMap>,
    /// Sums of `up.(i + 1)`, which writes level `i`, before batch norm.
    pub up_sums: Vec<FeatureMap>,
    /// Statistics of `down_sums`.
    pub down_statistics: Vec<BatchStatistics>,
    /// Statistics of `up_sums`.
    pub up_statistics: Vec<BatchStatistics>,
    /// Products of the last layer.
    pub taps: FeatureMap,
    /// The answer, `[N, 3, H, W]`.
    pub rgb: Vec<f32>,
    /// Gradient before tanh, `[N, H, W, 3]`.
    pub rgb_gradient: FeatureMap,
    /// Gradients of `joined`.
    pub joined_gradients: Vec<FeatureMap>,
    /// Gradients of `halved`.
    pub halved_gradients: Vec<FeatureMap>,
    /// Gradients of the sums of level `i`, first of `up.(i + 1)`, then of `down.i`.
    pub sum_gradients: Vec<FeatureMap>,
    /// Memory for packed weights.
    pub packed: Packed,
    /// Memory for a kernel's gradient.
    pub kernel_gradient: Vec<f32>,
}

impl TrainMaps {
    /// Maps for `size`: images, rows and columns.
    pub fn new(config: &GeneratorConfig, size @ [count, rows, columns]: [usize; 3], isa: Isa) -> Self {
        let map = |level: usize, groups: usize, border: usize| {
            FeatureMap::zeros(
                [count, groups * config.width(level), rows >> (level + 1), columns >> (level + 1)],
                border,
            )
        };
        let groups = |level: usize| if level + 1 == LEVELS { 1 } else { 2 };
        let upper = 0..LEVELS - 1;
        Self {
            size,
            image: FeatureMap::zeros([count, config.input_channels, rows, columns], 1),
            halved: upper.clone().map(|level| map(level, 1, 1)).collect(),
            joined: (0..LEVELS).map(|level| map(level, groups(level), 1)).collect(),
            down_sums: upper
                .clone()
                .map(|level| if level == 0 { FeatureMap::default() } else { map(level, 1, 0) })
                .collect(),
            up_sums: upper.clone().map(|level| map(level, 1, 0)).collect(),
            down_statistics: upper.clone().map(|_| BatchStatistics::default()).collect(),
            up_statistics: upper.clone().map(|_| BatchStatistics::default()).collect(),
            taps: FeatureMap::zeros([count, TAP_COLUMNS, rows / 2, columns / 2], 1),
            rgb: Vec::new(),
            rgb_gradient: FeatureMap::zeros([count, OUTPUT_CHANNELS, rows, columns], 1),
            joined_gradients: (0..LEVELS).map(|level| map(level, groups(level), 0)).collect(),
            halved_gradients: upper.map(|level| map(level, 1, 0)).collect(),
            sum_gradients: (0..LEVELS).map(|level| map(level, 1, 1)).collect(),
            packed: Packed::zeros(0, 0, isa),
            kernel_gradient: Vec::new(),
        }
    }
}
