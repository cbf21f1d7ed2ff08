//! Type or paste where a file or folder is: the way that works on every system.

use std::path::PathBuf;

use eframe::egui::{self, Align2, Key, RichText, TextEdit};

use super::commands::{UiCommand, WindowWish};
use super::state::UiState;
use crate::engine::LoadSource;

/// What is typed.
#[derive(Clone, Debug, Default)]
pub struct OpenDraft {
    /// A path.
    pub path: String,
    /// Why this dialog is here instead of the system's.
    pub note: Option<&'static str>,
    has_focused: bool,
}

impl OpenDraft {
    /// Not on screen in this frame.
    pub fn close(&mut self) {
        (self.note, self.has_focused) = (None, false);
    }
}

/// What people paste: quotes and a `file://` around a path.
pub fn path_from_typed(typed: &str) -> Option<PathBuf> {
    let path = typed.trim().trim_matches(|quote| quote == '"' || quote == '\'');
    let path = path.strip_prefix("file://").unwrap_or(path).trim();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// The dialog. Returns what only the window can do.
pub fn open_ui(ctx: &egui::Context, state: &mut UiState, draft: &mut OpenDraft) -> Option<WindowWish> {
    let mut is_open = true;
    let mut wish = None;
    egui::Window::new("Open a path")
        .open(&mut is_open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, egui::vec2(0.0, 80.0))
        .show(ctx, |ui| {
            ui.set_width(440.0_f32.min(ctx.content_rect().width() - 48.0));
            if let Some(note) = draft.note {
                ui.label(note);
            }
            let label = ui.label("A DICOM file, folder, DICOMDIR or ZIP, or a NIfTI volume");
            let field = TextEdit::singleline(&mut draft.path).hint_text("/path/to/series");
            let response = ui.add(field.desired_width(f32::INFINITY)).labelled_by(label.id);
            if !draft.has_focused {
                response.request_focus();
                draft.has_focused = true;
            }
            let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            ui.horizontal(|ui| {
                let path = path_from_typed(&draft.path);
                let is_clicked = ui.add_enabled(path.is_some(), egui::Button::new("Open")).clicked();
                if let (Some(path), true) = (path, is_clicked || is_entered) {
                    state.open_source(LoadSource::Path(path));
                }
                for command in [UiCommand::OpenFile, UiCommand::OpenFolder] {
                    if super::tips::button(ui, command).is_some() {
                        wish = wish.or(state.run(command));
                    }
                }
            });
            ui.label(RichText::new("You can also drop files or a folder on the window").small().weak());
        });
    if !is_open {
        state.screen.dialog = None;
    }
    wish
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_people_paste_them() {
        for typed in ["/scans/head", " /scans/head\n", "\"/scans/head\"", "'/scans/head'", "file:///scans/head"] {
            assert_eq!(path_from_typed(typed), Some("/scans/head".into()), "{typed:?}");
        }
        assert_eq!(path_from_typed("  \"\" "), None);
    }
}
