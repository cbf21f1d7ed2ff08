//! Errors to read, copy and put away. They carry no identity.

use eframe::egui::{self, RichText, Ui};

use super::state::UiState;
use super::theme;
use crate::engine::UserError;

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What could not be done.
    pub heading: String,
    /// Why, and what to do.
    pub error: UserError,
    /// The causes are unfolded.
    pub is_unfolded: bool,
}

impl Notice {
    /// Something could not be done.
    pub fn error(heading: &str, error: UserError) -> Self {
        Self { heading: heading.to_owned(), error, is_unfolded: false }
    }

    /// All of it, for the clipboard.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}", self.heading, self.error.message);
        for detail in &self.error.details {
            text += "\n  ";
            text += detail;
        }
        text
    }
}

/// Notices under the top bar, the newest last; the oldest of many are put away.
pub fn notices_ui(ui: &mut Ui, state: &mut UiState) {
    const MOST: usize = 3;
    let surplus = state.notices.len().saturating_sub(MOST);
    state.notices.drain(..surplus);
    let mut put_away = None;
    for (index, notice) in state.notices.iter_mut().enumerate() {
        let frame = theme::bar_frame(ui.style()).inner_margin(egui::Margin::symmetric(8, 6));
        egui::Panel::top(("notice", index)).frame(frame).show(ui, |ui| {
            if notice_ui(ui, notice) {
                put_away = Some(index);
            }
        });
    }
    if let Some(index) = put_away {
        state.notices.remove(index);
    }
}

/// True when the notice is to be put away.
fn notice_ui(ui: &mut Ui, notice: &mut Notice) -> bool {
    let warning = theme::colors(ui.ctx()).warning;
    let is_closed = ui.horizontal(|ui| {
        ui.label(RichText::new("⚠").color(warning));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| line_ui(ui, notice)).inner
    });
    if notice.is_unfolded {
        for detail in &notice.error.details {
            ui.add(egui::Label::new(RichText::new(detail).small()).wrap().selectable(true));
        }
    }
    is_closed.inner
}

/// The buttons, from the right, and the message. True when the notice is to be put away.
fn line_ui(ui: &mut Ui, notice: &mut Notice) -> bool {
    let is_closed = ui.button("Dismiss").clicked();
    if ui.button("Copy").on_hover_text("Copy this message").clicked() {
        ui.ctx().copy_text(notice.text());
    }
    if !notice.error.details.is_empty() {
        ui.toggle_value(&mut notice.is_unfolded, "Details");
    }
    ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
        let text = format!("{}: {}", notice.heading, notice.error.message);
        ui.add(egui::Label::new(text).wrap().selectable(true));
    });
    is_closed
}
