//! The list of series, with what is doubtful about each in plain words.

use eframe::egui::{self, RichText, ScrollArea, Ui};

use super::open_series::slices_in_words;
use super::state::UiState;
use super::theme;
use super::words;
use crate::engine::Command;
use crate::volume::SeriesInfo;

/// The drawer at the left.
pub fn series_drawer_ui(ui: &mut Ui, state: &mut UiState) {
    ui.horizontal(|ui| ui.heading("Series"));
    ui.add_space(theme::GRID_POINTS);
    let mut wanted = None;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if state.series.is_empty() {
            ui.label(RichText::new("Nothing is open").weak());
        }
        let open_number = state.open.as_ref().map(|open| open.info.number);
        for info in &state.series {
            let is_open = open_number == Some(info.number);
            if series_ui(ui, info, is_open) && !is_open {
                wanted = Some(info.number);
            }
        }
        if !state.scan_warnings.is_empty() {
            ui.separator();
            for warning in &state.scan_warnings {
                warning_ui(ui, &warning.message);
            }
        }
    });
    if let Some(number) = wanted {
        state.wish(Command::SelectSeries(number));
    }
}

/// True when the series was clicked.
fn series_ui(ui: &mut Ui, info: &SeriesInfo, is_open: bool) -> bool {
    let name = if info.description.is_empty() { format!("Series {}", info.number) } else { info.description.clone() };
    let text = RichText::new(name);
    let button = egui::Button::selectable(is_open, if is_open { text.strong() } else { text });
    let is_clicked = ui
        .add(button.truncate().min_size(egui::Vec2::new(ui.available_width(), 26.0)))
        .on_hover_text(facts(info))
        .clicked();
    ui.label(RichText::new(facts_in_short(info)).small());
    if info.has_burned_in_identity {
        warning_ui(ui, "The pictures may show who the patient is");
    }
    for warning in &info.warnings {
        warning_ui(ui, &warning.message);
    }
    ui.add_space(2.0 * theme::GRID_POINTS);
    is_clicked
}

fn warning_ui(ui: &mut Ui, message: &str) {
    let color = theme::colors(ui.ctx()).warning;
    let text = RichText::new(format!("⚠ {message}")).small().color(color);
    ui.add(egui::Label::new(text).wrap().selectable(true));
}

fn facts_in_short(info: &SeriesInfo) -> String {
    let slices = slices_in_words(info.slice_count);
    match info.slice_spacing_mm {
        Some(spacing_mm) => format!("{slices}, {} mm apart", words::short_number(spacing_mm)),
        None => slices,
    }
}

fn facts(info: &SeriesInfo) -> String {
    let mut lines = vec![format!("{} × {} pixels", info.columns, info.rows)];
    if let Some([width_mm, height_mm]) = info.pixel_spacing_mm {
        let (width, height) = (words::short_number(width_mm), words::short_number(height_mm));
        lines.push(format!("{width} × {height} mm per pixel"));
    }
    lines.extend(info.encodings.iter().cloned());
    lines.join("\n")
}
