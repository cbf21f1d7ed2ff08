//! How close a coloured slice is to the cryosection: RMSE, SSIM and LPIPS (paper §4, DESIGN.md "Metrics").

mod lattice;
mod lpips;
mod rmse;
mod ssim;

pub use lattice::lattice;
pub use lpips::{Lpips, LpipsFeatures};
pub use rmse::rmse;
pub use ssim::ssim;

use super::TrainingError;
use super::picture::RgbPicture;

/// Mean of what was measured; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

fn check_same_size(picture: &RgbPicture, truth: &RgbPicture) -> Result<(), TrainingError> {
    let size = |p: &RgbPicture| (p.columns(), p.rows());
    if size(picture) == size(truth) {
        return Ok(());
    }
    Err(TrainingError::PictureSizes { expected: size(truth), found: size(picture) })
}
