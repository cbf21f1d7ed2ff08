//! From a CT slice to what the generator sees, and back: the paper's §3.1, driven by a [`Recipe`].
//!
//! ```text
//! CtSlice ─▶ body mask ─▶ crop square ─▶ network's grid ─▶ channels ─▶ generator ─▶ colour on the CT grid
//! ```
//!
//! Coordinates are pixel centres: row 0, column 0 is the centre of the top left pixel. Lengths are millimetres, so the same
//! body gives the same mask on any grid, and a pixel may be wider than high.

mod bits;
mod body_mask;
mod components;
mod edges;
mod prepared;
mod recipe;
mod region;
mod resample;

pub use body_mask::otsu_threshold_hu;
pub use edges::{edges_on_ct, sobel_in_range};
pub use prepared::{CropSquare, Prepared};
pub use recipe::{Ablation, EdgeRanges, HuRange, InputChannel, MaskMode, Recipe, RecipeError};
pub use region::{RegionError, RegionFeatures, RegionModel, TrainingRegion};
pub use resample::low_pass;

/// Why a slice cannot be prepared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// The threshold and the region work left nothing.
    #[error("no body found in this slice")]
    NoBody,
    /// Lengths cannot be turned into pixels.
    #[error(
        "pixels of {width_mm} × {height_mm} mm cannot be prepared; expected 0.01 to 100 mm, neither side over 20 times the other"
    )]
    PixelSize {
        /// Distance between columns.
        width_mm: f64,
        /// Distance between rows.
        height_mm: f64,
    },
    /// The recipe asks for something that makes no sense.
    #[error("the recipe of the weights cannot be followed")]
    Recipe(#[from] RecipeError),
}
