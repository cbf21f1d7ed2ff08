//! The panes: one slice in grey, as contours and in colour, with zoom, pan and crosshair in common.

use std::sync::Arc;

use eframe::egui::{self, PointerButton, Pos2, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use super::color_source::{ColorFade, ColorSource};
use super::commands::UiCommand;
use super::keys;
use super::open_series::OpenSeries;
use super::overlays::{self, PaneFacts};
use super::pane_uniforms::{PaneKind, PanePlace, PaneUniforms};
use super::screen::Crosshair;
use super::slice_texture::{PaneDraw, pane_callback};
use super::state::UiState;
use super::theme;
use super::view::{PaneArea, PaneMapping};
use super::words;
use crate::volume::{ColorSlice, CtSlice, SYNTHETIC_MARK};

/// What all panes of a frame show.
pub struct FrameContent {
    /// The slice, when it has been read and the graphics device can hold it.
    pub slice: Option<CtSlice>,
    /// Its colour, when it is ready.
    pub color: Option<Arc<ColorSlice>>,
    /// How much of the colour is shown, 0 … 1.
    pub color_share: f32,
    /// The slice is larger than the graphics device can hold.
    pub is_too_large: bool,
}

impl FrameContent {
    /// What is known now. Asks for another frame while colour fades in.
    pub fn now(ctx: &egui::Context, open: &OpenSeries, colors: &dyn ColorSource, fade: &mut ColorFade) -> Self {
        let largest = ctx.input(|input| input.max_texture_side);
        let slice = open.ready_slice();
        let is_too_large = slice.is_some_and(|slice| slice.columns().max(slice.rows()) > largest);
        let slice = slice.filter(|_| !is_too_large).cloned();
        let fits = |color: &Arc<ColorSlice>| {
            slice.as_ref().is_some_and(|slice| (slice.columns(), slice.rows()) == (color.columns, color.rows))
        };
        let color = colors.color_slice(open.slice()).filter(fits);
        let shown = (Arc::as_ptr(&open.volume) as usize, open.slice());
        let color_share = fade.share(shown, color.is_some(), ctx.input(|input| input.time));
        if color.is_some() && color_share < 1.0 {
            ctx.request_repaint();
        }
        Self { slice, color, color_share, is_too_large }
    }
}

/// All panes of a frame, in what is left of the window. Returns a command when one was clicked.
pub fn panes_ui(ui: &mut Ui, state: &mut UiState, content: &FrameContent) -> Option<UiCommand> {
    let whole = ui.available_rect_before_wrap();
    ui.painter().rect_filled(whole, 0.0, theme::colors(ui.ctx()).pane);
    let panes = state.screen.panes();
    let mut command = None;
    let mut is_pointer_inside = false;
    for (index, &pane) in panes.iter().enumerate() {
        let rect = column(whole, index, panes.len(), ui.pixels_per_point());
        let (pane_command, is_hovered) = pane_ui(ui, rect, pane, (state, content));
        command = command.or(pane_command);
        is_pointer_inside |= is_hovered;
    }
    let screen = &mut state.screen;
    if !is_pointer_inside && screen.crosshair.is_some_and(|crosshair| crosshair.is_from_pointer) {
        screen.crosshair = None;
    }
    ui.allocate_rect(whole, Sense::hover());
    command
}

/// Columns of equal width, on whole pixels of the screen.
fn column(whole: Rect, index: usize, count: usize, pixels_per_point: f32) -> Rect {
    let gap = theme::PANE_GAP_POINTS;
    let width = (whole.width() - gap * (count - 1) as f32) / count as f32;
    let left = whole.left() + index as f32 * (width + gap);
    let on_pixel = |points: f32| (points * pixels_per_point).round() / pixels_per_point;
    Rect::from_min_max(
        Pos2::new(on_pixel(left), on_pixel(whole.top())),
        Pos2::new(on_pixel(left + width), on_pixel(whole.bottom())),
    )
}

/// One pane: input, picture, overlays. Returns a command when one was clicked, and whether the pointer is in the pane.
fn pane_ui(
    ui: &mut Ui,
    rect: Rect,
    pane: PaneKind,
    (state, content): (&mut UiState, &FrameContent),
) -> (Option<UiCommand>, bool) {
    let id = keys::pane_id(pane);
    let response = ui.interact(rect, id, Sense::click_and_drag());
    if response.has_focus() {
        keys::keep_arrows(ui, id);
    }
    let Some(open) = &state.open else {
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{} pane, empty", pane.name())));
        return (None, false);
    };
    let label_points = overlays::label_points(ui, state.screen.is_presenting());
    let area = pane_area(rect, label_points);
    let mapping = state.screen.view.mapping(&open.slice_size(), &area);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, spoken(pane, state, content)));
    let is_hovered = response.contains_pointer();
    point_at(ui, &response, state, &mapping);
    steer(ui, &response, state, &area);
    if response.is_pointer_button_down_on() || response.has_focus() {
        state.screen.active_pane = pane;
    }
    if state.active_pane() == pane {
        state.screen.pane_area = Some(area);
    }
    let Some(open) = &state.open else { return (None, is_hovered) };
    let mapping = state.screen.view.mapping(&open.slice_size(), &area);
    if let Some(slice) = &content.slice {
        let draw = PaneDraw {
            slot: pane.slot(),
            uniforms: uniforms(pane, state, content, place(&mapping, rect, ui.pixels_per_point())),
            slice: slice.clone(),
            color: content.color.clone(),
        };
        ui.painter().add(pane_callback(rect, draw));
    }
    let facts = PaneFacts { pane, rect, mapping, label_points, has_focus: response.has_focus() };
    overlays::overlays_ui(ui, &facts, state, content);
    let command = overlays::enlarge_ui(ui, &facts, state);
    (command, is_hovered)
}

fn pane_area(rect: Rect, label_points: f32) -> PaneArea {
    PaneArea {
        min: [f64::from(rect.left()), f64::from(rect.top())],
        size: [f64::from(rect.width()), f64::from(rect.height())],
        margin: [f64::from(label_points) * 1.4, f64::from(label_points) * 3.2],
    }
}

/// What a screen reader says.
fn spoken(pane: PaneKind, state: &UiState, content: &FrameContent) -> String {
    let Some(open) = &state.open else { return pane.name().to_owned() };
    let mut parts = vec![format!("{} pane, slice {} of {}", pane.name(), open.slice(), open.slice_count())];
    if pane == PaneKind::Color {
        parts.push(SYNTHETIC_MARK.to_owned());
        parts.extend(overlays::color_note(state, content));
    }
    parts.extend(overlays::why_nothing_is_shown(pane, state, content));
    parts.extend(value_under_crosshair(state, open).map(words::probe_words));
    parts.join(", ")
}

/// HU at the crosshair.
pub fn value_under_crosshair(state: &UiState, open: &OpenSeries) -> Option<i16> {
    let [column, row] = state.screen.crosshair?.place_px;
    let is_inside = column >= 0.0 && row >= 0.0;
    is_inside.then(|| open.ready_slice()?.value_hu(column as usize, row as usize))?
}

/// The crosshair follows the pointer.
fn point_at(ui: &Ui, response: &Response, state: &mut UiState, mapping: &PaneMapping) {
    let Some(pointer) = response.hover_pos() else { return };
    let place_px = mapping.slice_from_screen([f64::from(pointer.x), f64::from(pointer.y)]);
    let has_moved = ui.input(|input| input.pointer.delta() != Vec2::ZERO);
    let is_new = state.screen.crosshair.is_none();
    if has_moved || is_new {
        state.screen.crosshair = Some(Crosshair { place_px, moved_secs: state.screen.now_secs, is_from_pointer: true });
    }
}

/// Wheel, drags and double clicks.
fn steer(ui: &Ui, response: &Response, state: &mut UiState, area: &PaneArea) {
    let Some(size) = state.open.as_ref().map(OpenSeries::slice_size) else { return };
    if let Some(pointer) = response.hover_pos() {
        let zoom = ui.input(egui::InputState::zoom_delta);
        if (zoom - 1.0).abs() > f32::EPSILON {
            let anchor = [f64::from(pointer.x), f64::from(pointer.y)];
            state.screen.view.zoom_about(f64::from(zoom), anchor, &size, area);
        }
        let slices = wheel_slices(ui, &mut state.screen.wheel_carry);
        if slices != 0 {
            state.move_slices(slices);
        }
    }
    let delta = response.drag_delta();
    let is_window_key_down = ui.input(|input| input.key_down(egui::Key::W)) && !ui.ctx().text_edit_focused();
    if response.dragged_by(PointerButton::Secondary)
        || (is_window_key_down && response.dragged_by(PointerButton::Primary))
    {
        state.window.drag(delta.x, delta.y);
    } else if response.dragged_by(PointerButton::Primary) || response.dragged_by(PointerButton::Middle) {
        state.screen.view.pan([f64::from(delta.x), f64::from(delta.y)], &size, area);
    }
    if response.double_clicked() {
        state.screen.toggle_full(if state.screen.full_pane.is_some() {
            state.active_pane()
        } else {
            pane_of(response.id).unwrap_or(PaneKind::Grey)
        });
    }
    if response.clicked() {
        response.request_focus();
    }
}

fn pane_of(id: egui::Id) -> Option<PaneKind> {
    PaneKind::ALL.into_iter().find(|&pane| keys::pane_id(pane) == id)
}

/// Slices that the wheel was turned by: one for a notch, ten with Shift. A touch pad adds up to notches.
pub fn wheel_slices(ui: &Ui, carry: &mut f32) -> isize {
    const POINTS_PER_NOTCH: f32 = 40.0;
    const NOTCHES_PER_PAGE: f32 = 10.0;
    let notches: f32 = ui.input(|input| {
        let of_event = |event: &egui::Event| match event {
            egui::Event::MouseWheel { unit, delta, modifiers, .. } if !modifiers.command && !modifiers.ctrl => {
                // With Shift some systems turn the wheel sideways.
                let turned = if delta.y == 0.0 { delta.x } else { delta.y };
                let notches = match unit {
                    egui::MouseWheelUnit::Line => turned,
                    egui::MouseWheelUnit::Point => turned / POINTS_PER_NOTCH,
                    egui::MouseWheelUnit::Page => turned * NOTCHES_PER_PAGE,
                };
                Some(if modifiers.shift { notches * 10.0 } else { notches })
            }
            _ => None,
        };
        input.events.iter().filter_map(of_event).sum()
    });
    // Content moves up when the wheel is turned down: towards higher slices.
    *carry -= notches;
    let whole = carry.trunc();
    *carry -= whole;
    whole as isize
}

fn uniforms(pane: PaneKind, state: &UiState, content: &FrameContent, place: PanePlace) -> PaneUniforms {
    let size = content.slice.as_ref().map_or([1.0; 2], |slice| [slice.columns() as f32, slice.rows() as f32]);
    PaneUniforms {
        kind: pane,
        place,
        size_px: size,
        window: state.window.window,
        is_inverted: state.open.as_ref().is_some_and(|open| open.info.is_inverted),
        edges: state.edges.ranges,
        color_share: content.color_share,
    }
}

fn place(mapping: &PaneMapping, rect: Rect, pixels_per_point: f32) -> PanePlace {
    let corner = mapping.slice_from_screen([f64::from(rect.left()), f64::from(rect.top())]);
    let size = [rect.width(), rect.height()];
    PanePlace {
        origin_px: corner.map(|px| px as f32),
        extent_px: [0, 1].map(|k| (f64::from(size[k]) / mapping.points_per_pixel[k]) as f32),
        step_px: [0, 1].map(|k| (1.0 / (mapping.points_per_pixel[k] * f64::from(pixels_per_point))) as f32),
    }
}
