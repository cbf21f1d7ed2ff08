//! Structural similarity (Wang et al. 2004) with the settings of that paper.

use super::check_same_size;
use crate::training::TrainingError;
use crate::training::picture::RgbPicture;

/// Standard deviation of the Gaussian window, in pixels (Wang et al. 2004, §III.B).
const SIGMA: f64 = 1.5;
/// The window is 11×11: five pixels on each side.
const RADIUS: usize = 5;
/// Range of 8-bit values.
const DATA_RANGE: f64 = 255.0;
/// Constants against division by zero (Wang et al. 2004, §III.B).
const K: [f64; 2] = [0.01, 0.03];

/// Mean structural similarity of two pictures: 1 for equal ones. Gaussian window σ 1.5, 11×11, population covariance,
/// mean over the pixels whose window lies inside the picture, then over the channels; equals scikit-image's
/// `structural_similarity(…, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)`.
pub fn ssim(picture: &RgbPicture, truth: &RgbPicture) -> Result<f64, TrainingError> {
    check_same_size(picture, truth)?;
    let (columns, rows) = (truth.columns(), truth.rows());
    let window = 2 * RADIUS + 1;
    if columns < window || rows < window {
        return Err(TrainingError::PictureTooSmall { needed: window, found: (columns, rows) });
    }
    let channel =
        |p: &RgbPicture, c: usize| p.rgb8().iter().skip(c).step_by(3).map(|&v| f64::from(v)).collect::<Vec<_>>();
    let of_channel = |c| ssim_of_plane(&channel(picture, c), &channel(truth, c), columns);
    Ok((0..3).map(of_channel).sum::<f64>() / 3.0)
}

fn ssim_of_plane(a: &[f64], b: &[f64], columns: usize) -> f64 {
    let product = |p: &[f64], q: &[f64]| -> Vec<f64> { p.iter().zip(q).map(|(x, y)| x * y).collect() };
    let mean_a = blurred_inside(a, columns);
    let mean_b = blurred_inside(b, columns);
    let mean_aa = blurred_inside(&product(a, a), columns);
    let mean_bb = blurred_inside(&product(b, b), columns);
    let mean_ab = blurred_inside(&product(a, b), columns);
    let [c1, c2] = K.map(|k| (k * DATA_RANGE).powi(2));
    let at = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (var_a, var_b, cov) = (mean_aa[i] - ma * ma, mean_bb[i] - mb * mb, mean_ab[i] - ma * mb);
        (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (var_a + var_b + c2))
    };
    (0..mean_a.len()).map(at).sum::<f64>() / mean_a.len() as f64
}

/// Gaussian means of all windows that lie inside the plane.
fn blurred_inside(plane: &[f64], columns: usize) -> Vec<f64> {
    let kernel = gaussian();
    let rows = plane.len() / columns;
    let (inner_columns, inner_rows) = (columns - 2 * RADIUS, rows - 2 * RADIUS);
    let mut across = Vec::with_capacity(rows * inner_columns);
    for row in plane.chunks_exact(columns) {
        across.extend(row.windows(kernel.len()).map(|w| w.iter().zip(&kernel).map(|(v, k)| v * k).sum::<f64>()));
    }
    let down = |row: usize, column: usize| {
        let tap = |(i, k): (usize, &f64)| k * across[(row + i) * inner_columns + column];
        kernel.iter().enumerate().map(tap).sum::<f64>()
    };
    (0..inner_rows)
        .flat_map(|row| (0..inner_columns).map(move |column| (row, column)))
        .map(|(r, c)| down(r, c))
        .collect()
}

fn gaussian() -> [f64; 2 * RADIUS + 1] {
    let raw: [f64; 2 * RADIUS + 1] =
        std::array::from_fn(|i| (-(i as f64 - RADIUS as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = raw.iter().sum();
    raw.map(|value| value / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_like_itself() {
        let picture = RgbPicture::new(12, 11, (0..396u32).map(|i| (i * 7 % 251) as u8).collect());
        assert!((ssim(&picture, &picture).unwrap() - 1.0).abs() < 1e-12, "SSIM of equal pictures");
    }

    #[test]
    fn flat_pictures_follow_the_formula() {
        let dark = RgbPicture::new(11, 11, vec![100; 363]);
        let bright = RgbPicture::new(11, 11, vec![200; 363]);
        let c1 = 2.55f64.powi(2);
        let expected = (2.0 * 100.0 * 200.0 + c1) / (100.0f64.powi(2) + 200.0f64.powi(2) + c1);
        assert!((ssim(&dark, &bright).unwrap() - expected).abs() < 1e-9, "only the means differ");
    }

    #[test]
    fn a_picture_smaller_than_the_window_is_refused() {
        let error = ssim(&RgbPicture::black(10, 40), &RgbPicture::black(10, 40)).unwrap_err();
        assert!(error.to_string().contains("11"), "{error}");
    }
}
