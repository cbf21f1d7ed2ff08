//! The two menus of the top bar.

use eframe::egui::{self, RichText, Ui};

use super::commands::UiCommand;
use super::icons::{self, Icon};
use super::settings::Scale;
use super::state::{GeneratorStatus, UiState};
use super::tips;
use crate::engine::{Command, LoadSource, SAMPLES};
use crate::model::{DeviceChoice, WeightsSource};

/// Files, folders, samples, recent ones.
pub fn open_menu_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    ui.menu_button("Open ⏷", |ui| {
        for of in [UiCommand::OpenFile, UiCommand::OpenFolder, UiCommand::OpenPath] {
            command = command.or(tips::menu_line(ui, of));
        }
        ui.separator();
        ui.label(RichText::new("Samples").small());
        for (index, sample) in SAMPLES.iter().enumerate() {
            if ui.button(sample.title).clicked() {
                state.open_source(LoadSource::Sample(index));
                ui.close();
            }
        }
        ui.separator();
        recent_ui(ui, state);
    });
    command
}

fn recent_ui(ui: &mut Ui, state: &mut UiState) {
    let mut agreed = state.settings.remembers_recent;
    let tip = "Keeps their places on this computer until you untick this. A file's name can tell who a patient is";
    if ui.checkbox(&mut agreed, "Remember recent files").on_hover_text(tip).changed() {
        state.settings.set_remembers_recent(agreed);
    }
    if state.screen.is_presenting() {
        return;
    }
    let recent = state.settings.recent.clone();
    for path in recent {
        let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string());
        if ui.button(name).clicked() {
            state.open_source(LoadSource::Path(path));
            ui.close();
        }
    }
}

/// View, look, device, help.
pub fn main_menu_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    let button = icons::icon_button(ui, Icon::Menu, "Menu");
    egui::Popup::menu(&button).show(|ui| {
        ui.set_min_width(220.0);
        for of in [UiCommand::Present, UiCommand::FullScreen, UiCommand::Overlays, UiCommand::Identity] {
            command = command.or(tips::menu_line(ui, of));
        }
        ui.separator();
        command = command.or(tips::menu_line(ui, UiCommand::Theme));
        ui.horizontal(|ui| {
            ui.label("Text size");
            for scale in Scale::ALL {
                ui.selectable_value(&mut state.settings.scale, scale, scale.name());
            }
        });
        ui.separator();
        command = command.or(device_ui(ui, state));
        ui.menu_button("Advanced", |ui| command = command.or(tips::menu_line(ui, UiCommand::Training)));
        ui.separator();
        for of in [UiCommand::Palette, UiCommand::Keys, UiCommand::About, UiCommand::Quit] {
            command = command.or(tips::menu_line(ui, of));
        }
    });
    command
}

fn device_ui(ui: &mut Ui, state: &mut UiState) -> Option<UiCommand> {
    let mut command = None;
    let mut chosen = state.device;
    ui.menu_button("Device for colour", |ui| {
        for (device, name) in [
            (DeviceChoice::Auto, "Automatic"),
            (DeviceChoice::Cpu, "CPU"),
            (DeviceChoice::Cuda, "NVIDIA GPU (CUDA)"),
            (DeviceChoice::Metal, "Apple GPU (Metal)"),
        ] {
            ui.radio_value(&mut chosen, device, name);
        }
    });
    if chosen != state.device {
        state.device = chosen;
        state.wish(Command::UseDevice(chosen));
    }
    ui.menu_button("Weights", |ui| {
        if let GeneratorStatus::Ready(ready) = &state.generator {
            ui.label(RichText::new(format!("In use: {}", ready.card.name)).small());
        }
        if ui.button("Bundled weights").clicked() {
            state.wish(Command::UseWeights(WeightsSource::Bundled));
            ui.close();
        }
        command = tips::menu_line(ui, UiCommand::WeightsFile);
    });
    command
}
