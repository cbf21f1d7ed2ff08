//! The hidden panel that trains the generator: what to train on, how the run goes, what it paints.

use eframe::egui::{self, Button, Label, ProgressBar, RichText, ScrollArea, Ui};

use super::commands::{UiCommand, WindowWish};
use super::icons::{self, Icon};
use super::notices::Notice;
use super::state::UiState;
use super::theme;
use super::tips;
use super::training_charts::{losses_ui, metrics_ui};
use super::training_pictures::{TrainingPictures, pictures_ui};
use super::training_setup::setup_ui;
use super::training_state::{RunPhase, Saving, TrainingState};
use super::words;
use crate::engine::{Command, TrainingControl, UserError};
use crate::model::WeightsSource;

/// What a click in the panel asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Something of the engine.
    Engine(Command),
    /// Something of the window.
    Window(WindowWish),
    /// Something of the table.
    Ui(UiCommand),
}

/// The panel at the right. Returns what was asked for.
pub fn training_panel_ui(ui: &mut Ui, state: &mut UiState, pictures: &mut TrainingPictures) -> Option<Asked> {
    let mut asked = None;
    ui.horizontal(|ui| {
        ui.heading("Training");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let name = tips::named(ui.ctx(), "Close the training panel", UiCommand::Training);
            if icons::icon_button(ui, Icon::Close, &name).clicked() {
                asked = Some(Asked::Ui(UiCommand::Training));
            }
        });
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // Beside the scroll bar, not under it.
        ui.set_max_width(ui.available_width() - 2.0 * theme::GRID_POINTS);
        let is_on = state.training.is_on();
        if state.training.phase != RunPhase::Idle {
            asked = asked.take().or(run_ui(ui, &mut state.training));
            gap_ui(ui);
        }
        if !is_on {
            asked = asked.take().or(setup_ui(ui, state));
        }
        let training = &mut state.training;
        if !training.losses.points().is_empty() {
            losses_ui(ui, &training.losses);
            gap_ui(ui);
        }
        if !training.metrics.is_empty() {
            metrics_ui(ui, training);
            gap_ui(ui);
        }
        if let Some(preview) = &training.preview {
            pictures_ui(ui, preview, pictures);
        }
    });
    asked
}

/// Space and a line between two parts of the panel.
pub fn gap_ui(ui: &mut Ui) {
    ui.add_space(theme::GRID_POINTS);
    ui.separator();
    ui.add_space(theme::GRID_POINTS);
}

fn run_ui(ui: &mut Ui, training: &mut TrainingState) -> Option<Asked> {
    let asked = phase_ui(ui, training);
    if training.facts.total_steps > 0 {
        ui.label(RichText::new(facts_words(training)).small());
    }
    saving_ui(ui, &training.saving);
    let control = if training.is_on() { controls_ui(ui, training) } else { None };
    asked.or(control.map(|control| Asked::Engine(training.control(control))))
}

/// Where the run stands.
fn phase_ui(ui: &mut Ui, training: &TrainingState) -> Option<Asked> {
    let facts = &training.facts;
    let share = facts.step as f32 / facts.total_steps.max(1) as f32;
    let steps = format!("Step {} of {}", words::grouped(facts.step), words::grouped(facts.total_steps));
    match &training.phase {
        RunPhase::Idle => {}
        RunPhase::Preparing { total: 0, .. } => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Reading the pairs…");
            });
        }
        RunPhase::Preparing { done, total } => {
            let share = *done as f32 / *total as f32;
            ui.add(progress(share, format!("Preparing slices: {done} of {total}")));
        }
        RunPhase::Running => _ = ui.add(progress(share, steps)),
        RunPhase::Paused => _ = ui.add(progress(share, format!("{steps}, holding"))),
        RunPhase::Stopping => _ = ui.add(progress(share, "Saving, then stopping…".to_owned())),
        RunPhase::Ended { is_complete, weights } => {
            let end = if *is_complete { "Complete" } else { "Stopped and saved; it can be taken up again" };
            ui.label(RichText::new(format!("{steps}. {end}")).strong());
            let tip = "Make the colours with the weights of this run";
            if ui.button("Use these weights").on_hover_text(tip).clicked() {
                return Some(Asked::Engine(Command::UseWeights(WeightsSource::File(weights.clone()))));
            }
        }
        RunPhase::Failed(error) => error_ui(ui, "Training", error),
    }
    None
}

/// A bar that is a bar also when little is done.
fn progress(share: f32, words: String) -> ProgressBar {
    ProgressBar::new(share).corner_radius(3).text(words)
}

/// Pace, time left, device, slices.
fn facts_words(training: &TrainingState) -> String {
    let facts = &training.facts;
    let [to_train, held_out] = facts.slices;
    let pace = facts.secs_per_step.map(words::pace_words);
    let left = facts.secs_left.filter(|_| training.phase == RunPhase::Running).map(words::duration_words);
    let parts = [
        pace,
        left.map(|time| format!("{time} left")),
        Some(facts.device_name.clone()),
        Some(format!("{to_train} slices, {held_out} held out")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn saving_ui(ui: &mut Ui, saving: &Saving) {
    match saving {
        Saving::None => {}
        Saving::Saved(step) => {
            let words = format!("Saved at step {}", words::grouped(*step));
            ui.label(RichText::new(words).small());
        }
        Saving::Failed(error) => error_ui(ui, "The checkpoint could not be saved", error),
    }
}

/// What went wrong, where it happened, to be copied.
pub fn error_ui(ui: &mut Ui, heading: &str, error: &UserError) {
    let color = theme::colors(ui.ctx()).warning;
    let text = RichText::new(format!("⚠ {}", error.message)).color(color);
    ui.add(Label::new(text).wrap().selectable(true));
    for detail in &error.details {
        ui.add(Label::new(RichText::new(detail).small()).wrap().selectable(true));
    }
    if ui.button("Copy").on_hover_text("Copy this message").clicked() {
        ui.ctx().copy_text(Notice::error(heading, error.clone()).text());
    }
}

fn controls_ui(ui: &mut Ui, training: &TrainingState) -> Option<TrainingControl> {
    use TrainingControl::{Apply, Pause, Resume, RollBack, Save, Stop, StopApplying};
    let mut control = None;
    let is_stepping = matches!(training.phase, RunPhase::Running | RunPhase::Paused);
    let hold = if training.phase == RunPhase::Paused {
        (Resume, "Go on", "Train on from here")
    } else {
        (Pause, "Pause", "Hold after the step in progress, and save")
    };
    ui.horizontal_wrapped(|ui| {
        for (of, name, tip, is_enabled) in [
            (hold.0, hold.1, hold.2, is_stepping),
            (Save, "Save", "Write a checkpoint now", is_stepping),
            (RollBack, "Roll back", "Go back to the last checkpoint, and hold there", is_stepping),
            (Stop, "Stop", "Save and end; the run can be taken up again", training.phase != RunPhase::Stopping),
        ] {
            if ui.add_enabled(is_enabled, Button::new(name)).on_hover_text(tip).clicked() {
                control = Some(of);
            }
        }
    });
    let mut is_applied = training.is_applied;
    let tip = "The colour pane shows the generator that is being trained, and follows it at every measurement";
    ui.add_enabled_ui(is_stepping, |ui| ui.checkbox(&mut is_applied, "Use for the open series").on_hover_text(tip));
    if is_applied != training.is_applied {
        control = Some(if is_applied { Apply } else { StopApplying });
    }
    control
}
