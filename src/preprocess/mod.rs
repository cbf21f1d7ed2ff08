//! From a CT slice to what the generator sees, and back: the paper's §3.1, driven by a [`Recipe`].

use serde::{Deserialize, Serialize};

use crate::volume::CtSlice;

/// A range of CT values, `low_hu < high_hu`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HuRange {
    /// Lower end in HU.
    pub low_hu: f32,
    /// Upper end in HU.
    pub high_hu: f32,
}

/// The ranges of the Sobel in range (§3.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeRanges {
    /// Fat, −190 … −30 HU by default.
    pub fat: HuRange,
    /// Bone, 200 … 1200 HU by default.
    pub bone: HuRange,
}

impl Default for EdgeRanges {
    fn default() -> Self {
        Self { fat: HuRange { low_hu: -190.0, high_hu: -30.0 }, bone: HuRange { low_hu: 200.0, high_hu: 1200.0 } }
    }
}

/// Everything that makes the generator's input out of a CT slice; saved in every weights file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Width and height of the network's grid, a multiple of 256.
    pub size: usize,
    /// Ranges of the edge channel.
    pub edges: EdgeRanges,
}

/// Why a slice cannot be prepared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// Otsu's threshold and the region work left nothing.
    #[error("no body found in this slice")]
    NoBody,
}

/// A slice as the generator sees it, with what is needed to bring its answer back.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Body mask on the CT grid, row by row.
    pub mask: Vec<bool>,
    /// Body mask on the network's grid.
    pub grid_mask: Vec<bool>,
    /// `[C, size, size]`, signed unit.
    pub channels: Vec<f32>,
    /// Number of channels.
    pub channel_count: usize,
    /// Width and height of the network's grid.
    pub size: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { size: 256, edges: EdgeRanges::default() }
    }
}

impl Recipe {
    /// Number of channels that the generator sees.
    pub fn channel_count(&self) -> usize {
        3
    }

    /// Prepares one slice. `pixel_size_mm`: width and height of a pixel.
    pub fn prepare(&self, _slice: &CtSlice, _pixel_size_mm: [f64; 2]) -> Result<Prepared, PreprocessError> {
        unimplemented!()
    }
}

impl Prepared {
    /// The generator's answer (`[3, size, size]`, signed unit) as 8-bit sRGB on the CT grid (`rows · columns · 3`), black outside the body.
    pub fn rgb8_on_ct(&self, _rgb_signed_unit: &[f32]) -> Vec<u8> {
        unimplemented!()
    }
}

/// Sobel in range (§3.1) of `values_hu` (row by row): 0 … 1. Twin of `edge_in_range` in `shaders/slice.wgsl`.
pub fn sobel_in_range(_values_hu: &[f32], _columns: usize, _range: HuRange) -> Vec<f32> {
    unimplemented!()
}
