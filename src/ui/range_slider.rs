//! A range of CT values with two handles, and its numbers to type.

use eframe::egui::{self, Color32, DragValue, Rect, RichText, Sense, Ui, Vec2, WidgetInfo};

use super::histogram::HuAxis;
use super::words;
use crate::preprocess::HuRange;

/// The narrowest range that handles and numbers leave.
const NARROWEST_HU: f32 = 10.0;

/// Which handle is dragged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Low,
    High,
}

/// What a range is called and how it looks.
#[derive(Clone, Copy)]
pub struct RangeLook<'a> {
    /// `Fat`.
    pub name: &'a str,
    /// Its colour on the panes.
    pub color: Color32,
    /// Horizontal axis.
    pub axis: HuAxis,
}

/// Handles on a track. Returns the range when it was changed.
pub fn range_slider_ui(ui: &mut Ui, range: HuRange, look: RangeLook<'_>) -> Option<HuRange> {
    let (_, rect) = ui.allocate_space(Vec2::new(ui.available_width(), 18.0));
    let track = Rect::from_center_size(rect.center(), Vec2::new(rect.width() - 12.0, 4.0));
    let painter = ui.painter_at(rect);
    painter.rect_filled(track, 2.0, ui.visuals().widgets.inactive.bg_fill);
    let [low_x, high_x] = [range.low_hu, range.high_hu].map(|value_hu| look.axis.x(track, value_hu));
    painter.rect_filled(Rect::from_x_y_ranges(low_x..=high_x, track.y_range()), 2.0, look.color);
    let mut changed = None;
    for (end, x) in [(End::Low, low_x), (End::High, high_x)] {
        let handle = Rect::from_center_size(egui::pos2(x, track.center().y), Vec2::new(10.0, 16.0));
        let response = ui.interact(handle.expand(2.0), ui.scope_id().with((look.name, end == End::Low)), Sense::drag());
        let name = format!("{} {}, handle", look.name, if end == End::Low { "from" } else { "to" });
        let value_hu = if end == End::Low { range.low_hu } else { range.high_hu };
        response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), f64::from(value_hu), &name));
        let is_lit = response.hovered() || response.dragged();
        painter.rect_filled(handle, 3.0, if is_lit { ui.visuals().strong_text_color() } else { look.color });
        if response.dragged()
            && let Some(pointer) = response.interact_pointer_pos()
        {
            changed = Some(with_end(range, end, look.axis.value_hu(track, pointer.x).round()));
        }
    }
    changed
}

/// Numbers to type or drag. Returns the range when it was changed.
pub fn range_numbers_ui(ui: &mut Ui, range: HuRange, look: RangeLook<'_>) -> Option<HuRange> {
    let mut changed = None;
    ui.horizontal(|ui| {
        let label = egui::Label::new(RichText::new(look.name).color(look.color));
        ui.allocate_ui_with_layout(Vec2::new(44.0, 24.0), egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(44.0);
            ui.add(label);
        });
        for (end, value_hu) in [(End::Low, range.low_hu), (End::High, range.high_hu)] {
            let mut number = value_hu;
            let axis = look.axis.low_hu..=look.axis.high_hu;
            let response = ui.add(hu_value(&mut number).speed(2.0).range(axis));
            let which = if end == End::Low { "from" } else { "to" };
            let name = format!("{} {which}, in HU", look.name);
            if response.on_hover_text(&name).accessible_name(name).changed() {
                changed = Some(with_end(range, end, number));
            }
            ui.label(if end == End::Low { "to" } else { "HU" });
        }
    });
    changed
}

/// Whole HU with a real minus sign, to drag or to type.
pub fn hu_value(value_hu: &mut f32) -> DragValue<'_> {
    DragValue::new(value_hu)
        .max_decimals(0)
        .custom_formatter(|number, _| words::signed(number, 0))
        .custom_parser(words::number_from_typed)
}

/// The same range with another end; the ends never meet.
fn with_end(range: HuRange, end: End, value_hu: f32) -> HuRange {
    match end {
        End::Low => HuRange { low_hu: value_hu.min(range.high_hu - NARROWEST_HU), ..range },
        End::High => HuRange { high_hu: value_hu.max(range.low_hu + NARROWEST_HU), ..range },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_range_never_meet() {
        let range = HuRange { low_hu: -190.0, high_hu: -30.0 };
        assert!(with_end(range, End::Low, 500.0).is_usable());
        assert!(with_end(range, End::High, -500.0).is_usable());
        assert_eq!(with_end(range, End::High, 20.0), HuRange { low_hu: -190.0, high_hu: 20.0 });
    }
}
