//! Window, edges, film and colour: numbers and switches at the right.

use eframe::egui::{self, RichText, ScrollArea, Sense, Slider, Ui, Vec2};

use super::cine::{Cine, CineMode};
use super::commands::UiCommand;
use super::histogram::{HuAxis, paint_histogram};
use super::open_series::OpenSeries;
use super::range_slider::{RangeLook, hu_value, range_numbers_ui, range_slider_ui};
use super::scrubber::speed_words;
use super::state::{GeneratorStatus, UiState};
use super::theme;
use super::tips;
use crate::volume::{WindowLevel, WindowPreset};

/// Values that the window's picture spans.
const WINDOW_AXIS: HuAxis = HuAxis { low_hu: -1024.0, high_hu: 2000.0 };
/// Values that the ranges of fat and bone span.
const EDGE_AXIS: HuAxis = HuAxis { low_hu: -300.0, high_hu: 1800.0 };

/// The drawer at the right. Returns a command when one was clicked.
pub fn controls_drawer_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            let mut command = window_ui(ui, state);
            gap_ui(ui);
            command = command.or(edges_ui(ui, state));
            gap_ui(ui);
            film_ui(ui, state);
            gap_ui(ui);
            color_ui(ui, state);
            command
        })
        .inner
}

fn gap_ui(ui: &mut Ui) {
    ui.add_space(theme::GRID_POINTS);
    ui.separator();
    ui.add_space(theme::GRID_POINTS);
}

fn window_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    ui.horizontal(|ui| {
        ui.heading("Window");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let response = tips::with_tip(ui.button("Auto"), UiCommand::AutoWindow);
            if response.clicked() {
                command = Some(UiCommand::AutoWindow);
            }
        });
    });
    window_picture_ui(ui, state);
    let window = state.window.window;
    let (mut center_hu, mut width_hu) = (window.center_hu(), window.width_hu());
    egui::Grid::new("window numbers").num_columns(2).show(ui, |ui| {
        let label = ui.label("Level (centre)");
        ui.add(hu_value(&mut center_hu).speed(1.0).suffix(" HU")).labelled_by(label.id);
        ui.end_row();
        let label = ui.label("Window (width)");
        let range = WindowLevel::MIN_WIDTH_HU..=16384.0;
        ui.add(hu_value(&mut width_hu).speed(2.0).range(range).suffix(" HU")).labelled_by(label.id);
        ui.end_row();
    });
    if (center_hu, width_hu) != (window.center_hu(), window.width_hu()) {
        state.window.set(WindowLevel::clamped(center_hu, width_hu));
    }
    own_presets_ui(ui, state);
    ui.label(RichText::new("The window changes the CT pane only; edges and colour do not depend on it").small().weak());
    command
}

/// Histogram with the window over it; dragging there is dragging the window.
fn window_picture_ui(ui: &mut Ui, state: &mut UiState) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 56.0), Sense::drag());
    let histogram = state.open.as_mut().and_then(OpenSeries::histogram);
    paint_histogram(ui, rect, WINDOW_AXIS, histogram.as_deref());
    let window = state.window.window;
    let [low_x, high_x] = [-0.5, 0.5].map(|share| WINDOW_AXIS.x(rect, window.center_hu() + share * window.width_hu()));
    let band = egui::Rect::from_x_y_ranges(low_x..=high_x, rect.y_range());
    let colors = theme::colors(ui.ctx());
    ui.painter().rect_filled(band, 0.0, colors.histogram_window);
    ui.painter().vline(low_x.midpoint(high_x), rect.y_range(), egui::Stroke::new(1.0, colors.accent));
    if response.dragged() {
        let hu_per_point = (WINDOW_AXIS.high_hu - WINDOW_AXIS.low_hu) / rect.width();
        let center_hu = window.center_hu() + response.drag_delta().x * hu_per_point;
        state.window.set(WindowLevel::clamped(center_hu, window.width_hu() - response.drag_delta().y * 4.0));
    }
    response.on_hover_text("Drag sideways for the level, up and down for the window");
}

fn own_presets_ui(ui: &mut Ui, state: &mut UiState) {
    let mut removed = None;
    for (index, preset) in state.settings.presets.iter().enumerate() {
        ui.horizontal(|ui| {
            let is_on = state.window.is_named(&preset.name, preset.window);
            if ui.selectable_label(is_on, &preset.name).clicked() {
                (state.window.window, state.window.name) = (preset.window, Some(preset.name.clone()));
            }
            if ui.small_button("Remove").on_hover_text(format!("Remove {}", preset.name)).clicked() {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        state.settings.presets.remove(index);
    }
    if state.window.name.is_none() && ui.button("Save as own window").clicked() {
        let window = state.window.window;
        let name = format!("{:.0}/{:.0}", window.center_hu(), window.width_hu());
        state.settings.presets.push(WindowPreset { name: name.clone(), window });
        state.window.name = Some(name);
    }
}

fn edges_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    ui.horizontal(|ui| {
        ui.heading("Edges");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if tips::with_tip(ui.button("Reset"), UiCommand::ResetEdges).clicked() {
                command = Some(UiCommand::ResetEdges);
            }
        });
    });
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 40.0), Sense::hover());
    let histogram = state.open.as_mut().and_then(OpenSeries::histogram);
    paint_histogram(ui, rect, EDGE_AXIS, histogram.as_deref());
    let colors = theme::colors(ui.ctx());
    let (fat, bone) = (
        RangeLook { name: "Fat", color: colors.fat, axis: EDGE_AXIS },
        RangeLook { name: "Bone", color: colors.bone, axis: EDGE_AXIS },
    );
    let mut edges = state.edges;
    for (range, look) in [(&mut edges.ranges.fat, fat), (&mut edges.ranges.bone, bone)] {
        *range = range_slider_ui(ui, *range, look).unwrap_or(*range);
        *range = range_numbers_ui(ui, *range, look).unwrap_or(*range);
    }
    ui.checkbox(&mut edges.is_used_for_color, "Use for colour")
        .on_hover_text("Colour follows these ranges; that leaves the recipe that the weights were trained with");
    if edges.is_used_for_color && edges.ranges != edges.recipe {
        let text = RichText::new("⚠ Colour is off its trained recipe").small().color(colors.warning);
        ui.label(text);
    }
    state.set_edges(edges);
    command
}

fn film_ui(ui: &mut Ui, state: &mut UiState) {
    ui.heading("Film");
    ui.horizontal(|ui| {
        let label = ui.label("Slices a second");
        let slider = Slider::new(&mut state.settings.slices_per_second, Cine::SLICES_PER_SECOND);
        ui.spacing_mut().slider_width = 60.0;
        ui.add(slider).labelled_by(label.id);
    });
    ui.horizontal(|ui| {
        ui.radio_value(&mut state.settings.cine_mode, CineMode::Loop, "Loop");
        ui.radio_value(&mut state.settings.cine_mode, CineMode::ToAndFro, "To and fro");
    });
}

fn color_ui(ui: &mut Ui, state: &UiState) {
    ui.heading("Colour");
    ui.label(speed_words(state));
    match &state.generator {
        GeneratorStatus::Starting => {}
        GeneratorStatus::Failed(error) => _ = ui.add(egui::Label::new(&error.message).wrap().selectable(true)),
        GeneratorStatus::Ready(ready) => {
            ui.label(RichText::new(format!("Weights: {}", ready.card.name)).small());
            if let Some(note) = &ready.device_note {
                ui.add(egui::Label::new(RichText::new(note).small()).wrap());
            }
        }
    }
    if let Some(open) = &state.open {
        ui.label(RichText::new(open.color_count_words()).small());
    }
}
