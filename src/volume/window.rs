//! Window and level: from HU to grey.

use serde::{Deserialize, Serialize};

/// Centre and width outside what DICOM defines.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "window with centre {center_hu} HU and width {width_hu} HU is undefined; give a finite centre and a width of at least 1 HU"
)]
pub struct WindowError {
    /// The centre that was asked for.
    pub center_hu: f32,
    /// The width that was asked for.
    pub width_hu: f32,
}

/// A grey mapping by the LINEAR function of DICOM PS3.3 C.11.2.1.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WindowNumbers", into = "WindowNumbers")]
pub struct WindowLevel {
    center_hu: f32,
    width_hu: f32,
}

#[derive(Serialize, Deserialize)]
struct WindowNumbers {
    center_hu: f32,
    width_hu: f32,
}

impl TryFrom<WindowNumbers> for WindowLevel {
    type Error = WindowError;
    fn try_from(n: WindowNumbers) -> Result<Self, WindowError> {
        Self::new(n.center_hu, n.width_hu)
    }
}

impl From<WindowLevel> for WindowNumbers {
    fn from(w: WindowLevel) -> Self {
        Self { center_hu: w.center_hu, width_hu: w.width_hu }
    }
}

impl WindowLevel {
    /// Smallest width for which DICOM PS3.3 C.11.2.1.2.1 (LINEAR) is defined.
    pub const MIN_WIDTH_HU: f32 = 1.0;
    /// Soft tissue, 40/400: what a CT opens with when the file says nothing.
    pub const SOFT_TISSUE: Self = Self { center_hu: 40.0, width_hu: 400.0 };

    /// Checks centre and width.
    pub fn new(center_hu: f32, width_hu: f32) -> Result<Self, WindowError> {
        if center_hu.is_finite() && width_hu.is_finite() && width_hu >= Self::MIN_WIDTH_HU {
            Ok(Self { center_hu, width_hu })
        } else {
            Err(WindowError { center_hu, width_hu })
        }
    }

    /// The same centre and width, brought into −4096 … 8192 HU and 1 … 16384 HU: for dragging.
    pub fn clamped(center_hu: f32, width_hu: f32) -> Self {
        let finite = |value: f32, otherwise: f32| if value.is_finite() { value } else { otherwise };
        Self {
            center_hu: finite(center_hu, 40.0).clamp(-4096.0, 8192.0),
            width_hu: finite(width_hu, 400.0).clamp(Self::MIN_WIDTH_HU, 16384.0),
        }
    }

    /// Centre in HU: "Level" on screen.
    pub fn center_hu(self) -> f32 {
        self.center_hu
    }

    /// Width in HU: "Window" on screen.
    pub fn width_hu(self) -> f32 {
        self.width_hu
    }

    /// Grey in 0 … 1 (PS3.3 C.11.2.1.2.1 with y from 0 to 1). Twin of `grey_from_hu` in `shaders/slice.wgsl`.
    pub fn apply(self, value_hu: f32) -> f32 {
        let center = self.center_hu - 0.5;
        let width = self.width_hu - 1.0;
        let low = center - width / 2.0;
        let high = center + width / 2.0;
        if value_hu <= low {
            0.0
        } else if value_hu > high {
            1.0
        } else {
            (((value_hu - center) / width) + 0.5).clamp(0.0, 1.0)
        }
    }
}

/// A window that the viewer offers by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowPreset {
    /// What the button says.
    pub name: String,
    /// Centre and width.
    pub window: WindowLevel,
}

/// The presets of `assets/window_presets.json`, in the order of their number keys.
///
/// # Panics
/// Never: the file is part of the program, and a test reads it.
pub fn window_presets() -> Vec<WindowPreset> {
    serde_json::from_str(include_str!("../../assets/window_presets.json")).expect("the bundled presets parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the ends are exact")]
    fn linear_function_gives_the_values_of_the_dicom_clause() {
        // PS3.3 C.11.2.1.2.1: c = 2048, w = 4096 maps 0..4095 onto the full range; c = 2048, w = 1 thresholds at 2048.
        let full = WindowLevel::new(2048.0, 4096.0).unwrap();
        assert_eq!(full.apply(0.0), 0.0);
        assert_eq!(full.apply(4095.0), 1.0);
        let threshold = WindowLevel::new(2048.0, 1.0).unwrap();
        assert_eq!((threshold.apply(2047.0), threshold.apply(2048.0)), (0.0, 1.0));
    }

    #[test]
    fn grey_never_falls_as_hu_rises() {
        for (center, width) in [(40.0, 400.0), (-600.0, 1500.0), (40.0, 1.0), (0.0, 2.0)] {
            let window = WindowLevel::new(center, width).unwrap();
            let greys: Vec<f32> = (-2000..3000).map(|hu| window.apply(hu as f32)).collect();
            assert!(greys.windows(2).all(|g| g[0] <= g[1]), "window {center}/{width} is not monotone");
        }
    }

    #[test]
    fn widths_below_one_and_numbers_that_are_none_are_refused() {
        for (center, width) in [(40.0, 0.5), (40.0, -3.0), (f32::NAN, 400.0), (40.0, f32::INFINITY)] {
            assert!(WindowLevel::new(center, width).is_err(), "{center}/{width} must be refused");
        }
    }

    #[test]
    fn bundled_presets_parse_and_keep_their_order() {
        let names: Vec<String> = window_presets().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["Brain", "Soft tissue", "Lung", "Bone", "Liver"]);
    }
}
