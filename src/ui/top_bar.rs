//! The bar above the panes: open, what is open, windows, panes, export, menu.

use eframe::egui::{self, Button, RichText, Ui};

use super::commands::UiCommand;
use super::icons::{self, Icon};
use super::menus;
use super::state::{Loading, UiState};
use super::tips;
use crate::engine::Command;

/// Narrower than this, the windows fold into a menu.
const ROOM_FOR_PRESETS_POINTS: f32 = 980.0;

/// The bar. Returns a command when one was clicked.
pub fn top_bar_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    let is_roomy = ui.available_width() > ROOM_FOR_PRESETS_POINTS;
    ui.horizontal_centered(|ui| {
        let is_open = state.screen.is_series_drawer_open == Some(true);
        command = command.or(toggle(ui, Icon::LeftDrawer, UiCommand::SeriesDrawer, is_open));
        command = command.or(menus::open_menu_ui(ui, state));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let is_open = state.screen.is_controls_drawer_open == Some(true);
            command = command.or(toggle(ui, Icon::RightDrawer, UiCommand::ControlsDrawer, is_open));
            command = command.or(menus::main_menu_ui(ui, state));
            let export = ui.add_enabled(state.open.is_some(), Button::new(UiCommand::Export.entry().name));
            if tips::with_tip(export, UiCommand::Export).clicked() {
                command = Some(UiCommand::Export);
            }
            let is_one = state.screen.full_pane.is_some();
            command = command.or(toggle(ui, Icon::OnePane, UiCommand::OnePane, is_one).filter(|_| !is_one));
            command = command.or(toggle(ui, Icon::ThreePanes, UiCommand::Grid, !is_one));
            ui.separator();
            if is_roomy {
                command = command.or(presets_ui(ui, state));
            } else {
                command = command.or(presets_menu_ui(ui, state));
            }
            ui.separator();
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| title_ui(ui, state));
        });
    });
    command
}

fn toggle(ui: &mut Ui, icon: Icon, command: UiCommand, is_on: bool) -> Option<UiCommand> {
    let name = tips::named(ui.ctx(), command.entry().name, command);
    icons::icon_toggle(ui, icon, &name, is_on).clicked().then_some(command)
}

fn title_ui(ui: &mut Ui, state: &mut UiState) {
    let mut is_cancelled = false;
    match &state.loading {
        Loading::Scanning { files } => {
            ui.spinner();
            is_cancelled = ui.button("Cancel").on_hover_text("Stop opening; what is open stays").clicked();
            ui.add(egui::Label::new(format!("Looking at files… {files}")).truncate());
        }
        Loading::Slices | Loading::Idle => {
            let Some(open) = &state.open else { return };
            if state.loading == Loading::Slices && open.load_secs.is_none() {
                let (read, count) = (open.volume.settled_count(), open.slice_count());
                ui.spinner().on_hover_text(format!("{read} of {count} slices read"));
                is_cancelled = ui.button("Cancel").on_hover_text("Stop reading; what is there stays").clicked();
            }
            ui.add(egui::Label::new(RichText::new(open.title()).strong()).truncate());
        }
    }
    if is_cancelled {
        state.wish(Command::CancelLoading);
    }
}

/// Windows in the order of their keys, and those of the file.
fn window_lines(state: &UiState) -> Vec<(UiCommand, String, bool)> {
    let choice = &state.window;
    let mut lines: Vec<_> = choice
        .presets
        .iter()
        .enumerate()
        .map(|(index, preset)| {
            (UiCommand::Preset(index), preset.name.clone(), choice.is_named(&preset.name, preset.window))
        })
        .collect();
    if !choice.of_file.is_empty() {
        let current = choice.of_file.iter().find(|named| choice.is_named(&named.name, named.window));
        let name = current.or(choice.of_file.first()).map_or_else(String::new, |named| named.name.clone());
        let is_in_use = current.is_some();
        let name = if name.eq_ignore_ascii_case("file") { "File".to_owned() } else { format!("File: {name}") };
        lines.push((UiCommand::FileWindow, name, is_in_use));
    }
    lines
}

fn presets_ui(ui: &mut Ui, state: &UiState) -> Option<UiCommand> {
    let mut command = None;
    // The layout runs from right to left.
    for (of, name, is_on) in window_lines(state).into_iter().rev() {
        let short: String = name.chars().take(24).collect();
        let response = ui.add(Button::selectable(is_on, short));
        if tips::with_tip(response, of).clicked() {
            command = Some(of);
        }
    }
    command
}

fn presets_menu_ui(ui: &mut Ui, state: &UiState) -> Option<UiCommand> {
    let mut command = None;
    let current = state.window.name.clone().unwrap_or_else(|| "Window".to_owned());
    ui.menu_button(format!("{current} ⏷"), |ui| {
        for (of, name, is_on) in window_lines(state) {
            if ui.add(Button::selectable(is_on, name)).clicked() {
                command = Some(of);
                ui.close();
            }
        }
    });
    command
}
