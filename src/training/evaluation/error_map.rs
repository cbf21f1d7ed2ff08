//! Where a picture is wrong, as a picture.

use crate::training::picture::RgbPicture;

/// Difference in 8-bit levels (root mean square of the channels) that is shown brightest.
pub const ERROR_SCALE: f32 = 120.0;
/// Dark to bright, evenly spaced, ever lighter, so that it can be read in grey too.
const COLORS: [[f32; 3]; 6] = [
    [0.0, 0.0, 0.0],
    [62.0, 16.0, 104.0],
    [150.0, 38.0, 103.0],
    [221.0, 81.0, 58.0],
    [252.0, 165.0, 32.0],
    [255.0, 255.0, 200.0],
];

/// The colour of a difference, as a share of [`ERROR_SCALE`].
pub fn error_color(share: f32) -> [u8; 3] {
    let place = share.clamp(0.0, 1.0) * (COLORS.len() - 1) as f32;
    let lower = (place as usize).min(COLORS.len() - 2);
    let part = place - lower as f32;
    std::array::from_fn(|k| (COLORS[lower][k] + (COLORS[lower + 1][k] - COLORS[lower][k]) * part + 0.5) as u8)
}

/// Difference of two pictures of one size, pixel by pixel.
pub fn error_map(picture: &RgbPicture, truth: &RgbPicture) -> RgbPicture {
    let pixels = picture.rgb8().as_chunks::<3>().0.iter().zip(truth.rgb8().as_chunks::<3>().0);
    let rgb8 = pixels.flat_map(|(a, b)| {
        let squares: f32 = a.iter().zip(b).map(|(&a, &b)| (f32::from(a) - f32::from(b)).powi(2)).sum();
        error_color((squares / 3.0).sqrt() / ERROR_SCALE)
    });
    RgbPicture::new(picture.columns(), picture.rows(), rgb8.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_error_is_never_darker() {
        let sums: Vec<u32> =
            (0..=200).map(|i| error_color(i as f32 / 150.0).iter().map(|&v| u32::from(v)).sum()).collect();
        assert!(sums.windows(2).all(|pair| pair[0] <= pair[1]), "{sums:?}");
        assert_eq!(error_color(0.0), [0; 3], "no error is black");
    }

    #[test]
    fn equal_pixels_are_black_and_others_are_not() {
        let truth = RgbPicture::new(2, 1, vec![10, 20, 30, 10, 20, 30]);
        let picture = RgbPicture::new(2, 1, vec![10, 20, 30, 90, 90, 90]);
        let map = error_map(&picture, &truth);
        assert_eq!(map.pixel(0, 0), [0; 3], "equal");
        assert_eq!(map.pixel(1, 0), error_color((6400.0_f32 + 4900.0 + 3600.0).sqrt() / 3.0_f32.sqrt() / ERROR_SCALE));
    }
}
