//! Root of the mean squared error.

use super::check_same_size;
use crate::training::TrainingError;
use crate::training::picture::RgbPicture;

/// Root of the mean squared difference over all pixels and channels, in 8-bit levels (0 … 255).
pub fn rmse(picture: &RgbPicture, truth: &RgbPicture) -> Result<f64, TrainingError> {
    check_same_size(picture, truth)?;
    let squares = picture.rgb8().iter().zip(truth.rgb8()).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    Ok((squares.sum::<f64>() / truth.rgb8().len().max(1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_difference_is_its_own_rmse() {
        let dark = RgbPicture::new(3, 2, vec![10; 18]);
        let bright = RgbPicture::new(3, 2, vec![13; 18]);
        assert!((rmse(&dark, &bright).unwrap() - 3.0).abs() < 1e-12, "three levels everywhere");
        assert!(rmse(&dark, &dark).unwrap().abs() < 1e-12, "a picture is itself");
    }

    #[test]
    fn pictures_of_other_sizes_are_refused() {
        let error = rmse(&RgbPicture::black(3, 2), &RgbPicture::black(2, 3)).unwrap_err();
        assert!(error.to_string().contains("2×3"), "{error}");
    }
}
