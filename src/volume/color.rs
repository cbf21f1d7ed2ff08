//! A slice in synthetic colour.

use std::sync::Arc;

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
