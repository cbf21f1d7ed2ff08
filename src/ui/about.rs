//! Version, the card of the weights in use, licences.

use eframe::egui::{self, Align2, Grid, RichText, ScrollArea, Ui};

use super::state::{GeneratorStatus, ReadyGenerator, UiState};
use super::theme;

/// What this program is not.
pub const NOT_A_DEVICE: &str = "Not a medical device. Colours are made by a network that has learnt from other bodies: \
                                they are for teaching, and never a finding.";

/// Parts with their own terms: name, terms, the words to keep.
const PARTS: [(&str, &str, &str); 4] = [
    ("ct2rgb", "MIT or Apache-2.0", "This program."),
    (
        "Bundled CT samples",
        "Apache-2.0",
        "Chest and upper abdomen, abdomen and pelvis of living patients, without identity: from the source package of \
         TotalSegmentator.",
    ),
    (
        "Training pictures of the bundled weights",
        "Public domain",
        "Visible Human Project, courtesy of the U.S. National Library of Medicine.",
    ),
    ("Fonts", "Ubuntu Font Licence, SIL OFL, MIT", "Ubuntu Light, Hack, Noto Emoji, emoji-icon-font: part of egui."),
];

/// The dialog. False when it was closed.
pub fn about_ui(ctx: &egui::Context, state: &UiState) -> bool {
    let mut is_open = true;
    let height = (ctx.content_rect().height() - 140.0).max(160.0);
    egui::Window::new("About ct2rgb")
        .open(&mut is_open)
        .collapsible(false)
        .resizable(false)
        .default_height(height)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(ctx, |ui| {
            ui.set_width(460.0_f32.min(ctx.content_rect().width() - 60.0));
            ScrollArea::vertical().max_height(height).show(ui, |ui| {
                ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
                ui.label("A CT viewer for learning anatomy: grey, contours of fat and bone, and the colours of a real cryosection.");
                ui.label(RichText::new(format!("⚠ {NOT_A_DEVICE}")).color(theme::colors(ctx).warning));
                ui.separator();
                weights_ui(ui, state);
                ui.separator();
                ui.label(RichText::new("Licences").strong());
                for (name, terms, words) in PARTS {
                    ui.label(format!("{name}: {terms}"));
                    ui.label(RichText::new(words).small().weak());
                }
                ui.label(RichText::new("Method: CT2RGB, Medical Imaging with Deep Learning 2022.").small());
            });
        });
    is_open
}

fn weights_ui(ui: &mut Ui, state: &UiState) {
    ui.label(RichText::new("Weights in use").strong());
    match &state.generator {
        GeneratorStatus::Starting => _ = ui.label("Preparing…"),
        GeneratorStatus::Failed(error) => _ = ui.add(egui::Label::new(&error.message).selectable(true)),
        GeneratorStatus::Ready(ready) => card_ui(ui, ready),
    }
}

fn card_ui(ui: &mut Ui, ready: &ReadyGenerator) {
    let card = &ready.card;
    let optional = |value: Option<String>| value.unwrap_or_default();
    let metrics: Vec<String> = card.metrics.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
    let lines = [
        ("Name", card.name.clone()),
        ("Data", card.data.clone()),
        ("Licence", card.licence.clone()),
        ("Regions", card.regions.join(", ")),
        ("Network", card.architecture.clone()),
        ("Steps", optional(card.steps.map(|steps| steps.to_string()))),
        ("Losses", card.losses.clone()),
        ("Metrics", metrics.join(", ")),
        ("Made with", card.tool.clone()),
        ("Date", card.date.clone()),
        ("Hash", card.short_hash().to_owned()),
        ("Device", ready.device_name.clone()),
    ];
    Grid::new("card").num_columns(2).show(ui, |ui| {
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            ui.label(RichText::new(*name).weak());
            ui.add(egui::Label::new(value).wrap().selectable(true));
            ui.end_row();
        }
    });
}
