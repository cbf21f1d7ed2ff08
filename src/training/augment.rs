//! How training pictures are varied: the limits, and what is drawn within them for one picture, applied jointly to CT, mask and photograph.

use serde::{Deserialize, Serialize};

use super::TrainingError;
use crate::model::{RandomStream, Seed};
use crate::units::AIR_HU;

/// How far training pictures are varied, jointly on CT, mask and photograph. No mirror: anatomy has a left and a right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Largest change of size, as a share. Ours: patients differ by about this much on the grid, which fits the body.
    #[arg(long = "augment-scale", value_name = "SHARE")]
    pub scale: f32,
    /// Largest shift, as a share of the grid's side. Ours: arms and tables move the centre of the body by about this.
    #[arg(long = "augment-shift", value_name = "SHARE")]
    pub shift: f32,
    /// Largest rotation. Ours: how patients lie.
    #[arg(long = "augment-rotation", value_name = "DEGREES")]
    pub rotation_degrees: f32,
    /// Largest change of HU above air, as a share. Ours: tube voltage changes bone and contrast by about this.
    #[arg(long = "augment-hu-gain", value_name = "SHARE")]
    pub hu_gain: f32,
    /// Largest shift of HU. Ours: between scanners water may be off by a few HU, soft tissue by more.
    #[arg(long = "augment-hu-offset", value_name = "HU")]
    pub hu_offset: f32,
    /// Largest deviation of added noise on the network's grid; each picture draws its own. Ours: a noisy clinical CT.
    #[arg(long = "augment-hu-noise", value_name = "HU")]
    pub hu_noise: f32,
}

impl Augmentation {
    /// Every picture as it is.
    pub const NONE: Self =
        Self { scale: 0.0, shift: 0.0, rotation_degrees: 0.0, hu_gain: 0.0, hu_offset: 0.0, hu_noise: 0.0 };
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { scale: 0.1, shift: 0.03, rotation_degrees: 8.0, hu_gain: 0.04, hu_offset: 12.0, hu_noise: 20.0 }
    }
}

impl Augmentation {
    /// Checks every limit; names the first that makes no sense.
    pub(super) fn checked(&self) -> Result<(), TrainingError> {
        let limits = [
            ("augment-scale", self.scale, 0.5, "0 to 0.5"),
            ("augment-shift", self.shift, 0.5, "0 to 0.5"),
            ("augment-rotation", self.rotation_degrees, 45.0, "0 to 45"),
            ("augment-hu-gain", self.hu_gain, 0.5, "0 to 0.5"),
            ("augment-hu-offset", self.hu_offset, 200.0, "0 to 200"),
            ("augment-hu-noise", self.hu_noise, 200.0, "0 to 200"),
        ];
        for (field, value, most, expected) in limits {
            if !(0.0..=most).contains(&value) {
                return Err(TrainingError::Config { field, expected, found: value.to_string() });
            }
        }
        Ok(())
    }
}

/// One draw of the [`Augmentation`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// Size of the body on the grid, 1 as it is.
    pub scale: f32,
    /// Shift of the body as shares of the grid's side: rows, columns.
    pub shift: [f32; 2],
    /// Rotation of the body.
    pub angle_degrees: f32,
    /// Factor on HU above air.
    pub hu_gain: f32,
    /// Added to HU.
    pub hu_offset: f32,
    /// Deviation of the noise added on the grid.
    pub hu_noise: f32,
    /// Where the noise comes from.
    pub noise_seed: Seed,
}

impl Variation {
    /// The picture as it is.
    pub const NONE: Self = Self {
        scale: 1.0,
        shift: [0.0; 2],
        angle_degrees: 0.0,
        hu_gain: 1.0,
        hu_offset: 0.0,
        hu_noise: 0.0,
        noise_seed: Seed(0),
    };

    /// The next draw of a stream. Always takes the same number of values from it, whatever the limits.
    pub fn draw(limits: &Augmentation, stream: &mut RandomStream) -> Self {
        let mut symmetric = |limit: f32| stream.between(-limit, limit);
        let scale = 1.0 + symmetric(limits.scale);
        let shift = [symmetric(limits.shift), symmetric(limits.shift)];
        let angle_degrees = symmetric(limits.rotation_degrees);
        let hu_gain = 1.0 + symmetric(limits.hu_gain);
        let hu_offset = symmetric(limits.hu_offset);
        let hu_noise = stream.between(0.0, limits.hu_noise);
        let noise_seed = Seed(stream.below(usize::MAX) as u64);
        Self { scale, shift, angle_degrees, hu_gain, hu_offset, hu_noise, noise_seed }
    }

    /// Where a point of the varied grid comes from. Both as (row, column) from the grid's centre, in its pixels.
    pub fn source_of(&self, [row, column]: [f32; 2], size: usize) -> [f32; 2] {
        let side = size as f32;
        let (row, column) = (row - self.shift[0] * side, column - self.shift[1] * side);
        let (sin, cos) = self.angle_degrees.to_radians().sin_cos();
        [(cos * row - sin * column) / self.scale, (sin * row + cos * column) / self.scale]
    }

    /// [`Self::source_of`] every pixel of a grid, row by row.
    pub fn sources(&self, size: usize) -> Vec<[f32; 2]> {
        let from_center = |index: usize| index as f32 + 0.5 - size as f32 / 2.0;
        let at = |row: usize, column: usize| self.source_of([from_center(row), from_center(column)], size);
        (0..size).flat_map(|row| (0..size).map(move |column| at(row, column))).collect()
    }

    /// HU as another scanner would have measured them.
    pub fn vary_hu(&self, values_hu: &mut [f32]) {
        let air = f32::from(AIR_HU);
        let mut noise = (self.hu_noise > 0.0).then(|| self.noise_seed.stream("hu-noise"));
        for value in values_hu {
            let grain = noise.as_mut().map_or(0.0, |stream| self.hu_noise * stream.normal());
            *value = (*value - air) * self.hu_gain + air + self.hu_offset + grain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_within_their_limits_and_repeat() {
        let limits = Augmentation::default();
        let mut stream = Seed(5).stream("augment");
        let draws: Vec<_> = (0..500).map(|_| Variation::draw(&limits, &mut stream)).collect();
        assert!(draws.iter().all(|v| (v.scale - 1.0).abs() <= limits.scale), "scale");
        assert!(draws.iter().all(|v| v.angle_degrees.abs() <= limits.rotation_degrees), "angle");
        let widest = draws.iter().map(|v| v.shift[0].abs()).fold(0.0, f32::max);
        assert!(widest > 0.9 * limits.shift && widest <= limits.shift, "shift {widest}");
        assert_eq!(Variation::draw(&limits, &mut Seed(5).stream("augment")), draws[0], "the same stream");
    }

    #[test]
    fn no_limits_mean_no_change() {
        let variation = Variation::draw(&Augmentation::NONE, &mut Seed(5).stream("augment"));
        assert_eq!(Variation { noise_seed: Seed(0), ..variation }, Variation::NONE, "nothing varies");
        let point = variation.source_of([3.0, -7.0], 256);
        assert!((point[0] - 3.0).abs() < 1e-6 && (point[1] + 7.0).abs() < 1e-6, "points stay: {point:?}");
    }

    #[test]
    fn air_stays_air_under_gain() {
        let mut values = [-1000.0, 0.0];
        Variation { hu_gain: 1.1, ..Variation::NONE }.vary_hu(&mut values);
        assert!((values[0] + 1000.0).abs() < 1e-3 && (values[1] - 100.0).abs() < 1e-2, "{values:?}");
    }
}
