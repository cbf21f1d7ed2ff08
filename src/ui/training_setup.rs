//! What a run is made from: pairs, folder, preset, settings, start.

use eframe::egui::{self, Button, CollapsingHeader, RichText, TextEdit, Ui};

use super::commands::WindowWish;
use super::state::{GeneratorStatus, UiState};
use super::theme;
use super::training_panel::{Asked, gap_ui};
use super::training_settings::{choice_ui, length_ui, main_settings_ui, more_settings_ui};
use super::training_state::{StartChoice, TrainingDraft};
use crate::training::{Preset, TrainConfig};

const PRESETS: [(Preset, &str); 4] = [
    (Preset::Laptop, "Laptop: three channels, 32 filters"),
    (Preset::Ct2rgb, "Paper, ct2rgb: for a GPU"),
    (Preset::Direct, "Paper, direct: CT alone"),
    (Preset::Supervised, "Paper, supervised: not adversarial"),
];

/// What is filled in before a run. Returns what was asked for.
pub fn setup_ui(ui: &mut Ui, state: &mut UiState) -> Option<Asked> {
    let draft = &mut state.training.draft;
    let mut browse = None;
    let hint = "Table of CT slices and photographs (CSV)";
    browse = browse.or(path_ui(ui, "Pairs", &mut draft.pairs, (hint, WindowWish::BrowsePairs)));
    let hint = "A new folder, or that of an earlier run";
    browse = browse.or(path_ui(ui, "Run folder", &mut draft.folder, (hint, WindowWish::BrowseRunFolder)));
    ui.add_space(theme::GRID_POINTS);
    start_ui(ui, draft, &state.generator);
    ui.add_space(theme::GRID_POINTS);
    if draft.start == StartChoice::Checkpoint {
        ui.label(RichText::new("The run goes on with its own settings").small().weak());
        length_ui(ui, draft);
    } else {
        preset_ui(ui, draft);
        browse = browse.or(main_settings_ui(ui, draft));
        CollapsingHeader::new("More settings").show(ui, |ui| more_settings_ui(ui, draft));
    }
    ui.add_space(theme::GRID_POINTS);
    let request = state.training.draft.request(&state.weights, state.device);
    let is_ready = request.is_ok();
    let button = Button::new(RichText::new("Start training").strong());
    let is_clicked = ui.add_enabled(is_ready, button).clicked();
    let asked = match request {
        Ok(request) => is_clicked.then(|| Asked::Engine(state.training.start(request))),
        Err(missing) => {
            ui.add(egui::Label::new(RichText::new(missing).small().weak()).wrap().selectable(true));
            None
        }
    };
    gap_ui(ui);
    asked.or(browse.map(Asked::Window))
}

/// A typed path with its dialog.
pub fn path_ui(ui: &mut Ui, name: &str, path: &mut String, (hint, wish): (&str, WindowWish)) -> Option<WindowWish> {
    let label = ui.label(name);
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let browse = ui.button("Browse…");
            let is_clicked = browse.clicked();
            browse.accessible_name(format!("Browse for: {name}"));
            let field = TextEdit::singleline(path).hint_text(hint).desired_width(ui.available_width());
            ui.add(field).labelled_by(label.id);
            is_clicked.then_some(wish)
        })
        .inner
    })
    .inner
}

fn start_ui(ui: &mut Ui, draft: &mut TrainingDraft, generator: &GeneratorStatus) {
    ui.label("Start from");
    let in_use = match generator {
        GeneratorStatus::Ready(ready) => format!("the weights in use: {}", ready.card.name),
        _ => "the weights in use".to_owned(),
    };
    for (choice, name, tip) in [
        (StartChoice::WeightsInUse, in_use.as_str(), "Fine-tuning: filters and channels must be those of the weights"),
        (StartChoice::Nothing, "nothing: new weights", "The initial weights follow from the seed"),
        (StartChoice::Checkpoint, "the checkpoint in the run's folder", "Goes on exactly where that run stopped"),
    ] {
        ui.radio_value(&mut draft.start, choice, name).on_hover_text(tip);
    }
}

fn preset_ui(ui: &mut Ui, draft: &mut TrainingDraft) {
    let mut preset = draft.preset;
    ui.horizontal(|ui| {
        let label = ui.label("Preset");
        choice_ui(ui, ("preset", label.id), &mut preset, &PRESETS);
    });
    if preset != draft.preset {
        draft.use_preset(preset);
    }
    if draft.config != TrainConfig::preset(draft.preset) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Settings differ from the preset").small().weak());
            if ui.small_button("Reset").on_hover_text("The preset's own settings again").clicked() {
                draft.use_preset(draft.preset);
            }
        });
    }
}
