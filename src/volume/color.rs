//! A slice in synthetic colour.

use std::sync::Arc;

/// Marks synthetic colour wherever it appears, on screen and in every file (DESIGN.md, decision 4).
pub const SYNTHETIC_MARK: &str = "Synthetic colour, for teaching only";
/// What is said of a slice that looks unlike the generator's training data (DESIGN.md, decision 9).
pub const OUTSIDE_TRAINING_MARK: &str = "Region not in the training data";
/// Contours of fat, amber, in the viewer and on pictures: 8-bit sRGB.
pub const FAT_EDGE_RGB8: [u8; 3] = [255, 196, 64];
/// Contours of bone, light blue, in the viewer and on pictures: 8-bit sRGB.
pub const BONE_EDGE_RGB8: [u8; 3] = [120, 200, 255];

/// Synthetic cryosection colours on the CT's own grid: 8-bit sRGB, row by row, black outside the body.
#[derive(Clone, Debug)]
pub struct ColorSlice {
    /// Pixels in a row.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// `rows · columns · 3` bytes, red first.
    pub rgb8: Arc<[u8]>,
    /// The slice looks unlike what the generator was trained on (DESIGN.md, decision 9).
    pub is_outside_training: bool,
    /// Seconds for preprocessing, generator and the way back.
    pub elapsed_secs: f32,
}
