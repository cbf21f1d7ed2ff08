//! The bar below the panes: film, slice number and position, the strip of slices, device and speed.

use eframe::egui::{self, Rect, Response, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Action};

use super::commands::UiCommand;
use super::icons::{self, Icon};
use super::keys;
use super::open_series::{ColorStatus, OpenSeries};
use super::slice_view::wheel_slices;
use super::state::{GeneratorStatus, UiState};
use super::theme;
use super::tips;
use super::words;
use crate::units::SliceIndex;

/// Narrower than this, device and speed are left to the controls.
const ROOM_FOR_SPEED_POINTS: f32 = 700.0;

/// The bar. Returns a command when one was clicked.
pub fn scrubber_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    let is_roomy = ui.available_width() > ROOM_FOR_SPEED_POINTS;
    ui.horizontal_centered(|ui| {
        let (icon, name) = if state.cine.is_playing() { (Icon::Stop, "Stop") } else { (Icon::Play, "Play") };
        if icons::icon_button(ui, icon, &tips::named(ui.ctx(), name, UiCommand::Cine)).clicked() {
            command = Some(UiCommand::Cine);
        }
        numbers_ui(ui, state);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if is_roomy {
                speed_ui(ui, state);
            }
            strip_ui(ui, state);
        });
    });
    command
}

fn numbers_ui(ui: &mut Ui, state: &UiState) {
    let Some(open) = &state.open else { return };
    let count = open.slice_count().to_string();
    let number = format!("{:>width$} / {count}", open.slice(), width = count.len());
    ui.add_sized(Vec2::new(78.0, 20.0), egui::Label::new(RichText::new(number).strong()));
    if let Some(position_mm) = open.position_mm() {
        let position = format!("{} mm", words::signed(position_mm, 0));
        ui.add_sized(Vec2::new(64.0, 20.0), egui::Label::new(position))
            .on_hover_text("Position along the slices' normal");
    }
}

fn speed_ui(ui: &mut Ui, state: &UiState) {
    let text = speed_words(state);
    let response = ui.add(egui::Label::new(RichText::new(&text).small()).sense(Sense::hover()));
    if let GeneratorStatus::Ready(ready) = &state.generator {
        let mut lines = vec![format!("Colour is made on: {}", ready.device_name)];
        lines.extend(ready.device_note.clone());
        lines.extend(state.open.as_ref().map(OpenSeries::color_count_words));
        response.on_hover_text(lines.join("\n"));
    }
}

/// Device and time per slice: `CPU · 42 ms per slice`.
pub fn speed_words(state: &UiState) -> String {
    match &state.generator {
        GeneratorStatus::Starting => "Preparing colour…".to_owned(),
        GeneratorStatus::Failed(_) => "⚠ No colour".to_owned(),
        GeneratorStatus::Ready(ready) => match state.open.as_ref().and_then(OpenSeries::color_secs) {
            Some(secs) => format!("{} · {}", ready.device_name, words::speed_words(secs)),
            None => ready.device_name.clone(),
        },
    }
}

/// The strip: drag to go to a slice; filled where colour is ready.
fn strip_ui(ui: &mut Ui, state: &mut UiState) {
    let size = Vec2::new(ui.available_width() - 8.0, 32.0);
    let (_, place) = ui.allocate_space(size);
    let id = keys::scrubber_id();
    let response = ui.interact(place, id, Sense::click_and_drag());
    if response.has_focus() {
        keys::keep_arrows(ui, id);
    }
    let Some(open) = &state.open else {
        ui.painter().rect_filled(track(place), 3.0, theme::colors(ui.ctx()).strip_unread);
        response.widget_info(|| WidgetInfo::labeled(Role::Slider, false, "Slice"));
        return;
    };
    paint_strip(ui, &response, open);
    let (slice, count) = (open.slice(), open.slice_count());
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), slice.0 as f64 + 1.0, "Slice"));
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_min_numeric_value(1.0);
        node.set_max_numeric_value(count as f64);
        node.set_numeric_value_step(1.0);
        node.add_action(Action::Increment);
        node.add_action(Action::Decrement);
    });
    let asked = |action| ui.input(|input| input.num_accesskit_action_requests(id, action)) as isize;
    let steps = asked(Action::Increment) - asked(Action::Decrement);
    if steps != 0 {
        state.move_slices(steps);
    }
    if let Some(pointer) = response.interact_pointer_pos() {
        state.cine.stop();
        state.show_slice(slice_at(pointer.x, track(place), count));
    } else if response.contains_pointer() {
        let slices = wheel_slices(ui, &mut state.screen.wheel_carry);
        if slices != 0 {
            state.move_slices(slices);
        }
    }
}

fn track(place: Rect) -> Rect {
    Rect::from_center_size(place.center(), Vec2::new(place.width(), 12.0))
}

fn slice_at(x: f32, track: Rect, count: usize) -> SliceIndex {
    let share = ((x - track.left()) / track.width().max(1.0)).clamp(0.0, 1.0);
    SliceIndex(((share * count as f32) as usize).min(count.saturating_sub(1)))
}

/// What the strip says about a slice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unread,
    Waiting,
    Ready,
    Failed,
}

fn mark_of(open: &OpenSeries, index: usize) -> Mark {
    match &open.colors()[index] {
        ColorStatus::Ready => Mark::Ready,
        ColorStatus::Failed(_) => Mark::Failed,
        ColorStatus::Pending => match open.volume.slice(SliceIndex(index)) {
            crate::volume::SliceState::Pending => Mark::Unread,
            crate::volume::SliceState::Ready(_) => Mark::Waiting,
            crate::volume::SliceState::Missing(_) => Mark::Failed,
        },
    }
}

fn paint_strip(ui: &Ui, response: &Response, open: &OpenSeries) {
    let colors = theme::colors(ui.ctx());
    let (track, count) = (track(response.rect), open.slice_count());
    let painter = ui.painter_at(response.rect.expand(3.0));
    painter.rect_filled(track, 2.0, colors.strip_unread);
    let x_of = |index: usize| track.left() + track.width() * index as f32 / count as f32;
    let mut start = 0;
    while start < count {
        let mark = mark_of(open, start);
        let end = (start..count).find(|&index| mark_of(open, index) != mark).unwrap_or(count);
        let run = Rect::from_x_y_ranges(x_of(start)..=x_of(end), track.y_range());
        match mark {
            Mark::Unread => {}
            Mark::Waiting => _ = painter.rect_filled(run, 2.0, colors.strip_empty),
            Mark::Ready => _ = painter.rect_filled(run, 2.0, colors.strip_ready),
            // Half as high, so that colour alone does not tell.
            Mark::Failed => {
                painter.rect_filled(run, 2.0, colors.strip_empty);
                let half = Rect::from_x_y_ranges(run.x_range(), run.center().y..=run.bottom());
                painter.rect_filled(half, 0.0, colors.strip_failed);
            }
        }
        start = end;
    }
    let x = x_of(open.slice().0).midpoint(x_of(open.slice().0 + 1));
    let handle = Rect::from_center_size(egui::pos2(x, track.center().y), Vec2::new(6.0, 26.0));
    let outline = Stroke::new(2.0, ui.visuals().panel_fill);
    painter.rect(handle, 3.0, ui.visuals().strong_text_color(), outline, egui::StrokeKind::Outside);
    if response.has_focus() {
        painter.rect_stroke(track.expand(4.0), 4.0, Stroke::new(1.0, colors.accent), egui::StrokeKind::Inside);
    }
}
