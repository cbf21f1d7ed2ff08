//! How a slice lies in a pane: zoom and pan, the same for all panes. Square in millimetres, not in samples.

use super::body_extent::PixelBox;

/// Zoom and pan. Plain numbers; screen lengths are in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// 1 fits the body into the pane.
    zoom: f64,
    /// The point of the slice in the middle of the pane, in mm from the body's middle.
    center_mm: [f64; 2],
}

impl Default for View {
    fn default() -> Self {
        Self { zoom: 1.0, center_mm: [0.0; 2] }
    }
}

/// Size of a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceSize {
    /// Columns and rows.
    pub pixels: [usize; 2],
    /// Width and height of a pixel in mm.
    pub pixel_size_mm: [f64; 2],
    /// The part that fills the pane at zoom 1: where the body is.
    pub fit: PixelBox,
}

impl SliceSize {
    fn fit_mm(&self) -> [f64; 2] {
        [0, 1].map(|k| self.fit.size()[k] * self.pixel_size_mm[k])
    }
}

/// A pane on the screen, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaneArea {
    /// Left and top.
    pub min: [f64; 2],
    /// Width and height.
    pub size: [f64; 2],
    /// Kept free around a fitted slice for letters and numbers: at the sides, at top and bottom.
    pub margin: [f64; 2],
}

/// Places in a pane, there and back. Pixel coordinates: (0, 0) is the top left corner of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaneMapping {
    /// Points on the screen for a pixel of the slice.
    pub points_per_pixel: [f64; 2],
    /// Where the slice's top left corner is on the screen.
    pub corner: [f64; 2],
}

impl PaneMapping {
    /// Pixel coordinates of a place on the screen.
    pub fn slice_from_screen(&self, point: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|k| (point[k] - self.corner[k]) / self.points_per_pixel[k])
    }

    /// Place on the screen of pixel coordinates.
    pub fn screen_from_slice(&self, place_px: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|k| self.corner[k] + place_px[k] * self.points_per_pixel[k])
    }
}

impl View {
    const ZOOM_RANGE: [f64; 2] = [0.25, 40.0];

    /// 1 fits the body into the pane.
    pub fn zoom(&self) -> f64 {
        self.zoom
    }

    /// Points on the screen for a millimetre.
    pub fn points_per_mm(&self, slice: &SliceSize, area: &PaneArea) -> f64 {
        let fit_mm = slice.fit_mm();
        let fit = [0, 1].map(|k| (area.size[k] - 2.0 * area.margin[k]).max(16.0) / fit_mm[k]);
        fit[0].min(fit[1]) * self.zoom
    }

    /// How the slice lies in the pane.
    pub fn mapping(&self, slice: &SliceSize, area: &PaneArea) -> PaneMapping {
        let scale = self.points_per_mm(slice, area);
        let center_px = slice.fit.center();
        let center_mm = [0, 1].map(|k| center_px[k] * slice.pixel_size_mm[k] + self.center_mm[k]);
        PaneMapping {
            points_per_pixel: slice.pixel_size_mm.map(|mm| mm * scale),
            corner: [0, 1].map(|k| area.min[k] + area.size[k] / 2.0 - center_mm[k] * scale),
        }
    }

    /// Moves the slice by points on the screen, never further than its edge from the pane's middle.
    pub fn pan(&mut self, delta_points: [f64; 2], slice: &SliceSize, area: &PaneArea) {
        let scale = self.points_per_mm(slice, area);
        for (k, center_px) in slice.fit.center().into_iter().enumerate() {
            let first_mm = -center_px * slice.pixel_size_mm[k];
            let last_mm = first_mm + slice.pixels[k] as f64 * slice.pixel_size_mm[k];
            self.center_mm[k] = (self.center_mm[k] - delta_points[k] / scale).clamp(first_mm, last_mm);
        }
    }

    /// Zooms by a factor; what lies under `anchor` (a place on the screen) stays there.
    pub fn zoom_about(&mut self, factor: f64, anchor: [f64; 2], slice: &SliceSize, area: &PaneArea) {
        if !factor.is_finite() || factor <= 0.0 {
            return;
        }
        let before = self.mapping(slice, area).slice_from_screen(anchor);
        self.zoom = (self.zoom * factor).clamp(Self::ZOOM_RANGE[0], Self::ZOOM_RANGE[1]);
        let moved = self.mapping(slice, area).screen_from_slice(before);
        self.pan([0, 1].map(|k| anchor[k] - moved[k]), slice, area);
    }

    /// Zooms by a factor about the middle of the pane.
    pub fn zoom_by(&mut self, factor: f64) {
        self.zoom = (self.zoom * factor).clamp(Self::ZOOM_RANGE[0], Self::ZOOM_RANGE[1]);
    }
}

/// A length for a scale bar: 1, 2 or 5 times a power of ten millimetres, at most `most_mm` long.
pub fn scale_bar_mm(most_mm: f64) -> Option<f64> {
    if !most_mm.is_finite() || most_mm <= 0.0 {
        return None;
    }
    let decade = 10_f64.powf(most_mm.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|&length| length <= most_mm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: PixelBox = PixelBox { min: [0.0, 0.0], max: [512.0, 256.0] };
    const SLICE: SliceSize = SliceSize { pixels: [512, 256], pixel_size_mm: [0.5, 1.5], fit: WHOLE };
    const AREA: PaneArea = PaneArea { min: [100.0, 40.0], size: [400.0, 600.0], margin: [10.0, 30.0] };

    #[test]
    fn a_fitted_slice_is_square_in_millimetres_and_centred() {
        let mapping = View::default().mapping(&SLICE, &AREA);
        let [width, height] = mapping.points_per_pixel;
        assert!((height / width - 3.0).abs() < 1e-9, "a pixel three times as high as wide looks so");
        let middle = mapping.screen_from_slice([256.0, 128.0]);
        assert!((middle[0] - 300.0).abs() < 1e-9 && (middle[1] - 340.0).abs() < 1e-9, "{middle:?}");
        let corner = mapping.screen_from_slice([0.0, 0.0]);
        assert!(corner[0] >= 110.0 - 1e-9 && corner[1] >= 70.0 - 1e-9, "the margin stays free: {corner:?}");
    }

    #[test]
    fn the_body_fills_the_pane_wherever_it_lies_in_the_slice() {
        let fit = PixelBox { min: [300.0, 40.0], max: [400.0, 80.0] };
        let mapping = View::default().mapping(&SliceSize { fit, ..SLICE }, &AREA);
        let middle = mapping.screen_from_slice([350.0, 60.0]);
        assert!((middle[0] - 300.0).abs() < 1e-9 && (middle[1] - 340.0).abs() < 1e-9, "in the middle: {middle:?}");
        // 60 mm high and 50 mm wide, so the width of 380 points is what limits it.
        assert!((mapping.points_per_pixel[0] - 3.8).abs() < 1e-9, "{mapping:?}");
    }

    #[test]
    fn slice_from_screen_undoes_screen_from_slice_at_any_zoom() {
        let mut view = View::default();
        view.zoom_about(3.7, [250.0, 300.0], &SLICE, &AREA);
        let mapping = view.mapping(&SLICE, &AREA);
        for place in [[0.0, 0.0], [512.0, 256.0], [17.3, 200.9]] {
            let back = mapping.slice_from_screen(mapping.screen_from_slice(place));
            assert!((back[0] - place[0]).abs() < 1e-9 && (back[1] - place[1]).abs() < 1e-9, "{back:?}");
        }
    }

    #[test]
    fn what_lies_under_the_pointer_stays_there_while_zooming() {
        let mut view = View::default();
        let anchor = [320.0, 350.0];
        let before = view.mapping(&SLICE, &AREA).slice_from_screen(anchor);
        view.zoom_about(2.0, anchor, &SLICE, &AREA);
        let after = view.mapping(&SLICE, &AREA).slice_from_screen(anchor);
        assert!((before[0] - after[0]).abs() < 1e-6 && (before[1] - after[1]).abs() < 1e-6, "{before:?} {after:?}");
    }

    #[test]
    fn panning_never_loses_the_slice() {
        let mut view = View::default();
        view.pan([1e9, -1e9], &SLICE, &AREA);
        let mapping = view.mapping(&SLICE, &AREA);
        let [left, bottom] = [mapping.screen_from_slice([0.0, 0.0])[0], mapping.screen_from_slice([0.0, 256.0])[1]];
        assert!((left - 300.0).abs() < 1e-6 && (bottom - 340.0).abs() < 1e-6, "an edge stays in the middle");
    }

    #[test]
    fn scale_bars_are_round_lengths() {
        assert_eq!([73.0, 49.0, 19.9, 7.0, 0.3].map(scale_bar_mm), [50.0, 20.0, 10.0, 5.0, 0.2].map(Some));
        assert_eq!([0.0, f64::NAN, -3.0].map(scale_bar_mm), [None; 3]);
    }
}
