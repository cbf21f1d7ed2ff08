//! What stands on a pane: its name, orientation letters, scale bar, crosshair, HU under the pointer, and the mark on
//! synthetic colour, which no key hides.

use eframe::egui::{Align2, Color32, Painter, Pos2, Rect, Sense, Stroke, Ui, Vec2};

use super::commands::UiCommand;
use super::icons::{self, Icon};
use super::open_series::{ColorStatus, OpenSeries};
use super::pane_uniforms::PaneKind;
use super::slice_view::{FrameContent, value_under_crosshair};
use super::state::{GeneratorStatus, UiState};
use super::theme;
use super::view::{PaneMapping, scale_bar_mm};
use super::words;
use crate::engine::ColorFailure;
use crate::volume::{OUTSIDE_TRAINING_MARK, SYNTHETIC_MARK, SliceState};

/// Where a pane is and how the slice lies in it.
pub struct PaneFacts {
    /// Which pane.
    pub pane: PaneKind,
    /// The pane on the screen.
    pub rect: Rect,
    /// The slice in the pane.
    pub mapping: PaneMapping,
    /// Size of its letters.
    pub label_points: f32,
    /// The pane has the keyboard's focus.
    pub has_focus: bool,
}

/// Size of the letters on a pane.
pub fn label_points(ui: &Ui, is_presenting: bool) -> f32 {
    let share = ui.ctx().content_rect().height() * theme::PRESENTING_LABEL_SHARE;
    if is_presenting { share.max(theme::LABEL_POINTS) } else { theme::LABEL_POINTS }
}

/// All that stands on a pane.
pub fn overlays_ui(ui: &Ui, facts: &PaneFacts, state: &UiState, content: &FrameContent) {
    let Some(open) = &state.open else { return };
    let painter = ui.painter_at(facts.rect);
    let writer = Writer { painter: &painter, facts, colors: theme::colors(ui.ctx()) };
    if state.screen.has_overlays {
        crosshair(ui, &writer, state);
        letters(&writer, open);
        scale_bar(&writer, open);
        probe(&writer, state, open);
    }
    title(&writer, state, open);
    if facts.pane == PaneKind::Color {
        color_notes(&writer, state, content);
    }
    if let Some(reason) = why_nothing_is_shown(facts.pane, state, content) {
        centred(&writer, &reason);
    }
    if facts.has_focus {
        let focus = Stroke::new(1.0, writer.colors.accent);
        painter.rect_stroke(facts.rect.shrink(1.0), 0.0, focus, eframe::egui::StrokeKind::Inside);
    }
}

struct Writer<'a> {
    painter: &'a Painter,
    facts: &'a PaneFacts,
    colors: &'static theme::Colors,
}

impl Writer<'_> {
    fn inner(&self) -> Rect {
        self.facts.rect.shrink(self.facts.label_points * 0.55)
    }

    /// Letters on a plate that keeps them legible on any picture.
    fn write(&self, at: Pos2, anchor: Align2, text: &str, (points, color): (f32, Color32)) -> Rect {
        let galley = self.painter.layout_no_wrap(text.to_owned(), theme::font(points), color);
        let rect = anchor.anchor_size(at, galley.size());
        self.painter.rect_filled(rect.expand2(Vec2::new(3.0, 1.0)), 3.0, self.colors.label_plate);
        self.painter.galley(rect.min, galley, color);
        rect
    }

    fn width_of(&self, text: &str, points: f32) -> f32 {
        self.painter.layout_no_wrap(text.to_owned(), theme::font(points), self.colors.label).size().x
    }

    /// The same, on as many lines as the pane's width needs. Returns where the next text may begin.
    fn write_wrapped(&self, at: Pos2, text: &str, (points, color): (f32, Color32)) -> Pos2 {
        let width = self.inner().right() - at.x;
        let galley = self.painter.layout(text.to_owned(), theme::font(points), color, width);
        let rect = Rect::from_min_size(at, galley.size());
        self.painter.rect_filled(rect.expand2(Vec2::new(3.0, 1.0)), 3.0, self.colors.label_plate);
        self.painter.galley(rect.min, galley, color);
        at + Vec2::new(0.0, rect.height() + points * 0.25)
    }

    fn line_points(&self) -> f32 {
        self.facts.label_points * 1.3
    }
}

fn title(writer: &Writer<'_>, state: &UiState, open: &OpenSeries) {
    let style = (writer.facts.label_points, writer.colors.label);
    writer.write(writer.inner().left_top(), Align2::LEFT_TOP, writer.facts.pane.name(), style);
    if state.screen.is_presenting() {
        let number = format!("{} / {}", open.slice(), open.slice_count());
        writer.write(writer.inner().right_top(), Align2::RIGHT_TOP, &number, style);
    }
}

fn letters(writer: &Writer<'_>, open: &OpenSeries) {
    let Some(letters) = open.volume.geometry().orientation_letters() else { return };
    let inner = writer.inner();
    let style = (writer.facts.label_points, writer.colors.label);
    writer.write(inner.center_top(), Align2::CENTER_TOP, &letters.top, style);
    writer.write(inner.center_bottom(), Align2::CENTER_BOTTOM, &letters.bottom, style);
    writer.write(inner.left_center(), Align2::LEFT_CENTER, &letters.left, style);
    writer.write(inner.right_center(), Align2::RIGHT_CENTER, &letters.right, style);
}

fn scale_bar(writer: &Writer<'_>, open: &OpenSeries) {
    if !open.volume.geometry().is_spacing_known() {
        return;
    }
    let points_per_mm = writer.facts.mapping.points_per_pixel[0] / open.slice_size().pixel_size_mm[0];
    let inner = writer.inner();
    let Some(length_mm) = scale_bar_mm(f64::from(inner.width()) * 0.28 / points_per_mm) else { return };
    let length = (length_mm * points_per_mm) as f32;
    let stroke = Stroke::new((writer.facts.label_points / 9.0).max(1.5), writer.colors.label);
    let (left, y, tick) = (inner.left() + 1.0, inner.bottom() - 3.0, writer.facts.label_points * 0.3);
    for x in [left, left + length] {
        writer.painter.vline(x, (y - tick)..=(y + 1.0), stroke);
    }
    writer.painter.hline(left..=(left + length), y, stroke);
    let style = (writer.facts.label_points * 0.9, writer.colors.label);
    let above = Pos2::new(left, y - tick - 2.0);
    writer.write(above, Align2::LEFT_BOTTOM, &words::length_words(length_mm), style);
}

fn probe(writer: &Writer<'_>, state: &UiState, open: &OpenSeries) {
    let (Some(value_hu), Some(crosshair)) = (value_under_crosshair(state, open), state.screen.crosshair) else {
        return;
    };
    let inner = writer.inner();
    let style = (writer.facts.label_points, writer.colors.label);
    let text = words::probe_words(value_hu);
    // On a narrow pane it would lie on the letter in the middle: then it stands above it.
    let room = inner.width() / 2.0 - writer.facts.label_points;
    let lift = if writer.width_of(&text, style.0) > room { writer.line_points() } else { 0.0 };
    let corner = inner.right_bottom() - Vec2::new(0.0, lift);
    writer.write(corner, Align2::RIGHT_BOTTOM, &text, style);
    let geometry = open.volume.geometry();
    if geometry.is_orientation_known() && geometry.is_spacing_known() {
        let [column, row] = crosshair.place_px.map(|px| px - 0.5);
        let point_in_patient_mm = geometry.patient_from_pixel(open.slice(), column, row);
        let above = corner - Vec2::new(0.0, writer.line_points());
        let style = (writer.facts.label_points * 0.86, writer.colors.label);
        writer.write(above, Align2::RIGHT_BOTTOM, &words::place_words(point_in_patient_mm), style);
    }
}

/// Thin lines that fade when the pointer rests.
fn crosshair(ui: &Ui, writer: &Writer<'_>, state: &UiState) {
    let Some(crosshair) = state.screen.crosshair else { return };
    let [stays_secs, fades_secs] = theme::CROSSHAIR_SECS;
    let rested_secs = state.screen.now_secs - crosshair.moved_secs;
    let opacity = (1.0 - (rested_secs - stays_secs) / fades_secs).clamp(0.0, 1.0) as f32;
    if opacity <= 0.0 {
        return;
    }
    let wait_secs = if rested_secs < stays_secs { stays_secs - rested_secs } else { 1.0 / 30.0 };
    ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(wait_secs));
    let [x, y] = writer.facts.mapping.screen_from_slice(crosshair.place_px).map(|points| points as f32);
    let stroke = Stroke::new(1.0, writer.colors.crosshair.gamma_multiply(opacity));
    let (rect, gap) = (writer.facts.rect, theme::CROSSHAIR_GAP_POINTS);
    writer.painter.hline(rect.left()..=(x - gap).max(rect.left()), y, stroke);
    writer.painter.hline((x + gap).min(rect.right())..=rect.right(), y, stroke);
    writer.painter.vline(x, rect.top()..=(y - gap).max(rect.top()), stroke);
    writer.painter.vline(x, (y + gap).min(rect.bottom())..=rect.bottom(), stroke);
}

/// The mark, and what else is to be known about the colour on this pane.
fn color_notes(writer: &Writer<'_>, state: &UiState, content: &FrameContent) {
    let style = (writer.facts.label_points * 0.9, writer.colors.mark);
    let below_title = writer.inner().left_top() + Vec2::new(0.0, writer.line_points());
    let below_mark = writer.write_wrapped(below_title, SYNTHETIC_MARK, style);
    if let Some(note) = color_note(state, content) {
        writer.write_wrapped(below_mark, &note, style);
    }
}

/// What is to be known about the colour beside the mark.
pub fn color_note(state: &UiState, content: &FrameContent) -> Option<String> {
    if content.color.as_ref().is_some_and(|color| color.is_outside_training) {
        return Some(format!("⚠ {OUTSIDE_TRAINING_MARK}"));
    }
    let is_waited_for = content.color.is_none() && content.slice.is_some();
    is_waited_for.then(|| waiting_words(state)).flatten().map(str::to_owned)
}

fn waiting_words(state: &UiState) -> Option<&'static str> {
    match (&state.generator, state.open.as_ref()?.color_status()) {
        (GeneratorStatus::Starting, ColorStatus::Pending) => Some("Preparing colour…"),
        (GeneratorStatus::Ready(_), ColorStatus::Pending | ColorStatus::Ready) => Some("Colour is on its way…"),
        _ => None,
    }
}

/// Why a pane is empty, in words; nothing while it is not.
pub fn why_nothing_is_shown(pane: PaneKind, state: &UiState, content: &FrameContent) -> Option<String> {
    let open = state.open.as_ref()?;
    match open.slice_state() {
        SliceState::Pending => return Some("Reading this slice…".to_owned()),
        SliceState::Missing(reason) => return Some(format!("⚠ This slice could not be read: {reason}")),
        SliceState::Ready(_) if content.is_too_large => {
            return Some("⚠ This slice is larger than the graphics device can show".to_owned());
        }
        SliceState::Ready(_) => {}
    }
    if pane != PaneKind::Color || content.color.is_some() {
        return None;
    }
    match (open.color_status(), &state.generator) {
        (ColorStatus::Failed(ColorFailure::Slice(reason)), _) => Some(format!("No colour for this slice: {reason}")),
        (ColorStatus::Failed(ColorFailure::Generator(error)), _) | (_, GeneratorStatus::Failed(error)) => {
            Some(format!("⚠ Colour cannot be made: {}", error.message))
        }
        _ => None,
    }
}

fn centred(writer: &Writer<'_>, text: &str) {
    let width = writer.inner().width() * 0.8;
    let points = writer.facts.label_points;
    let galley = writer.painter.layout(text.to_owned(), theme::font(points), writer.colors.label, width);
    let rect = Align2::CENTER_CENTER.anchor_size(writer.facts.rect.center(), galley.size());
    writer.painter.rect_filled(rect.expand(8.0), 4.0, writer.colors.label_plate);
    writer.painter.galley(rect.min, galley, writer.colors.label);
}

/// The button that shows a pane alone, or all again.
pub fn enlarge_ui(ui: &mut Ui, facts: &PaneFacts, state: &mut UiState) -> Option<UiCommand> {
    if state.screen.is_presenting() {
        return None;
    }
    let size = Vec2::splat(22.0);
    let rect = Rect::from_min_size(facts.rect.right_top() + Vec2::new(-size.x - 5.0, 5.0), size);
    let is_alone = state.screen.full_pane.is_some();
    let (icon, name) = if is_alone {
        (Icon::Shrink, "Show all panes".to_owned())
    } else {
        (Icon::Enlarge, format!("Enlarge {} pane", facts.pane.name()))
    };
    let response = ui.interact(rect, ui.scope_id().with(("enlarge", facts.pane)), Sense::click());
    icons::paint_button_on_picture(ui, &response, icon, &name);
    if !response.on_hover_text(name).clicked() {
        return None;
    }
    state.screen.active_pane = facts.pane;
    Some(if is_alone { UiCommand::Grid } else { UiCommand::OnePane })
}
