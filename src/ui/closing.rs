//! Closing the window while a training run is on: it asks first.

use eframe::egui::{self, Align2, Context, ViewportCommand};

use super::state::UiState;
use super::training_state::{Closing, RunPhase};
use crate::engine::TrainingControl;

/// Holds back a close request while a run is on; lets it through when the run has ended. Drawn or not.
pub fn guard_close(ctx: &Context, state: &mut UiState) {
    let training = &mut state.training;
    if ctx.input(|input| input.viewport().close_requested()) && training.is_on() {
        ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        if training.closing == Closing::No {
            training.closing = Closing::Asking;
        }
    }
    if training.closing == Closing::No || training.is_on() {
        return;
    }
    let has_saved = !matches!(training.phase, RunPhase::Failed(_));
    if training.closing == Closing::WhenEnded && has_saved {
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }
    // The question is void, or something went wrong that must be read first.
    training.closing = Closing::No;
}

/// The question.
pub fn closing_ui(ctx: &Context, state: &mut UiState) {
    match state.training.closing {
        Closing::No => return,
        Closing::WhenEnded => return saving_ui(ctx),
        Closing::Asking => {}
    }
    let mut answer = None;
    egui::Window::new("A training run is on")
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(ctx, |ui| {
            ui.set_width(340.0);
            ui.label("Closing the window ends the run. What was learnt so far can be saved, and taken up again later");
            ui.horizontal_wrapped(|ui| {
                let tip = "Puts the window away; training goes on, and the window can be brought back";
                if ui.button("Keep training").on_hover_text(tip).clicked() {
                    ctx.send_viewport_cmd(ViewportCommand::Minimized(true));
                    answer = Some(Closing::No);
                }
                if ui.button("Stop and save").on_hover_text("Closes as soon as the run is saved").clicked() {
                    answer = Some(Closing::WhenEnded);
                }
                if ui.button("Cancel").clicked() {
                    answer = Some(Closing::No);
                }
            });
        });
    let Some(answer) = answer else { return };
    state.training.closing = answer;
    if answer == Closing::WhenEnded {
        let stop = state.training.control(TrainingControl::Stop);
        state.wish(stop);
    }
}

/// The run is being saved; the window closes by itself.
fn saving_ui(ctx: &Context) {
    egui::Window::new("Closing")
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(ctx, |ui| {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Saving the training run…");
            });
        });
}
