//! The histogram behind the numbers: a picture of where the body's CT values are.

use eframe::egui::{Rect, Ui};

use super::hu_histogram::HuHistogram;
use super::theme;

/// Horizontal axis in HU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuAxis {
    /// At the left edge.
    pub low_hu: f32,
    /// At the right edge.
    pub high_hu: f32,
}

impl HuAxis {
    /// Where a value is.
    pub fn x(self, rect: Rect, value_hu: f32) -> f32 {
        rect.left() + rect.width() * ((value_hu - self.low_hu) / (self.high_hu - self.low_hu)).clamp(0.0, 1.0)
    }

    /// The value at a place, within the axis.
    pub fn value_hu(self, rect: Rect, x: f32) -> f32 {
        let share = ((x - rect.left()) / rect.width().max(1.0)).clamp(0.0, 1.0);
        self.low_hu + share * (self.high_hu - self.low_hu)
    }
}

/// Paints the columns of a histogram.
pub fn paint_histogram(ui: &Ui, rect: Rect, axis: HuAxis, histogram: Option<&HuHistogram>) {
    const COLUMN_POINTS: f32 = 3.0;
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 2.0, ui.visuals().extreme_bg_color);
    let Some(histogram) = histogram else { return };
    let count = (rect.width() / COLUMN_POINTS).max(1.0) as usize;
    let color = theme::colors(ui.ctx()).histogram;
    for (index, height) in histogram.heights(axis.low_hu, axis.high_hu, count).into_iter().enumerate() {
        let left = rect.left() + rect.width() * index as f32 / count as f32;
        let top = rect.bottom() - height * (rect.height() - 2.0);
        let column = Rect::from_x_y_ranges(left..=(left + COLUMN_POINTS - 1.0), top..=rect.bottom());
        painter.rect_filled(column, 0.0, color);
    }
}
