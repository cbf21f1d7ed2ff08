//! Write pictures of the open series.

use eframe::egui::{self, Align2, DragValue, Grid, ProgressBar, RichText, TextEdit, Ui};

use super::commands::WindowWish;
use super::notices::Notice;
use super::open::path_from_typed;
use super::open_series::OpenSeries;
use super::state::{ExportStatus, UiState};
use super::theme;
use crate::engine::{Command, Event, ExportFormat, ExportRequest};
use crate::units::SliceIndex;
use crate::volume::SYNTHETIC_MARK;

/// What the dialog holds.
#[derive(Clone, Debug)]
pub struct ExportDraft {
    /// Where to.
    pub folder: String,
    /// First and last slice, from 1, both included.
    pub slices: [usize; 2],
    /// What to write.
    pub format: ExportFormat,
    /// Write again what is there.
    pub is_overwriting: bool,
}

impl Default for ExportDraft {
    fn default() -> Self {
        Self { folder: String::new(), slices: [1, 1], format: ExportFormat::Png, is_overwriting: false }
    }
}

impl ExportDraft {
    /// All slices of a series; the folder is asked for anew, so that series do not mix.
    pub fn for_slices(&mut self, count: usize) {
        *self = Self { slices: [1, count], format: self.format, ..Self::default() };
    }

    /// What the engine is asked for; `None` while no folder is named.
    fn request(&self, state: &UiState) -> Option<ExportRequest> {
        let [first, last] = self.slices.map(|number| SliceIndex(number.saturating_sub(1)));
        Some(ExportRequest {
            folder: path_from_typed(&self.folder)?,
            slices: (first.min(last), first.max(last)),
            format: self.format,
            window: state.window.window,
            edges: state.edges.ranges,
            is_overwriting: self.is_overwriting,
        })
    }
}

/// How an export goes, from what happened. Other events are no news.
pub fn status_from(event: Event) -> ExportStatus {
    match event {
        Event::ExportProgress { done, total } => ExportStatus::Running { done, total },
        Event::ExportFinished { written, skipped, failed, .. } => {
            ExportStatus::Done(end_words(written, skipped, &failed))
        }
        Event::ExportFailed(error) => ExportStatus::Failed(error),
        Event::ExportCancelled => ExportStatus::Done("Stopped; finished files stay".to_owned()),
        _ => ExportStatus::Idle,
    }
}

/// How an export ended: files, and slices that have none, a few by name.
fn end_words(written: usize, skipped: usize, failed: &[(SliceIndex, String)]) -> String {
    const MOST_NAMED: usize = 3;
    let files = if written == 1 { "1 file written".to_owned() } else { format!("{written} files written") };
    let skipped = (skipped > 0).then(|| format!("{skipped} were there already"));
    let mut lines = vec![[Some(files), skipped].into_iter().flatten().collect::<Vec<_>>().join(", ")];
    lines.extend(
        failed.iter().take(MOST_NAMED).map(|(slice, reason)| format!("⚠ Slice {slice} has no picture: {reason}")),
    );
    if failed.len() > MOST_NAMED {
        lines.push(format!("⚠ {} more slices have no picture", failed.len() - MOST_NAMED));
    }
    lines.join("\n")
}

/// The dialog. Returns what only the window can do.
pub fn export_ui(ctx: &egui::Context, state: &mut UiState) -> Option<WindowWish> {
    let mut is_open = true;
    let mut wish = None;
    egui::Window::new("Export pictures")
        .open(&mut is_open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(ctx, |ui| {
            ui.set_width(400.0_f32.min(ctx.content_rect().width() - 48.0));
            if state.open.is_none() {
                ui.label("Open a series first");
                return;
            }
            let is_running = matches!(state.export, ExportStatus::Running { .. });
            ui.add_enabled_ui(!is_running, |ui| wish = draft_ui(ui, state));
            ui.separator();
            status_ui(ui, state);
        });
    if !is_open {
        state.screen.dialog = None;
    }
    wish
}

fn draft_ui(ui: &mut Ui, state: &mut UiState) -> Option<WindowWish> {
    let mut wish = None;
    let count = state.open.as_ref().map_or(1, OpenSeries::slice_count);
    let draft = &mut state.export_draft;
    for (format, name) in [
        (ExportFormat::Png, "Colour, one PNG a slice"),
        (ExportFormat::PngPanes, "CT, edges and colour side by side, one PNG a slice"),
        (ExportFormat::Nifti, "Colour, one NIfTI volume"),
    ] {
        ui.radio_value(&mut draft.format, format, name);
    }
    Grid::new("export").num_columns(2).show(ui, |ui| {
        let label = ui.label("Slices");
        ui.horizontal(|ui| {
            let [first, last] = &mut draft.slices;
            ui.add(DragValue::new(first).range(1..=count)).labelled_by(label.id).accessible_name("First slice");
            ui.label("to");
            ui.add(DragValue::new(last).range(1..=count)).accessible_name("Last slice");
            if ui.button("All").clicked() {
                draft.slices = [1, count];
            }
        });
        ui.end_row();
        let label = ui.label("Folder");
        ui.horizontal(|ui| {
            let field = TextEdit::singleline(&mut draft.folder).hint_text("A new or empty folder");
            ui.add(field.desired_width(220.0)).labelled_by(label.id);
            if ui.button("Browse…").clicked() {
                wish = Some(WindowWish::BrowseExportFolder);
            }
        });
        ui.end_row();
    });
    ui.checkbox(&mut draft.is_overwriting, "Write again what is there already");
    let mark = format!("Each picture carries the words “{SYNTHETIC_MARK}”");
    ui.label(RichText::new(mark).small().weak());
    if state.open.as_ref().is_some_and(|open| open.info.has_burned_in_identity) {
        let words = "⚠ The pictures of this series may show who the patient is; look at them before you pass them on";
        ui.label(RichText::new(words).small().color(theme::colors(ui.ctx()).warning));
    }
    let request = state.export_draft.request(state);
    if ui.add_enabled(request.is_some(), egui::Button::new("Write pictures")).clicked()
        && let Some(request) = request
    {
        let total = request.slices.1.0 - request.slices.0.0 + 1;
        state.export = ExportStatus::Running { done: 0, total };
        state.wish(Command::Export(request));
    }
    wish
}

fn status_ui(ui: &mut Ui, state: &mut UiState) {
    let mut is_cancelled = false;
    match &state.export {
        ExportStatus::Idle => {}
        ExportStatus::Running { done, total } => {
            let share = *done as f32 / (*total).max(1) as f32;
            ui.add(ProgressBar::new(share).text(format!("{done} of {total} slices")));
            is_cancelled = ui.button("Stop").clicked();
        }
        ExportStatus::Done(words) => _ = ui.label(words),
        ExportStatus::Failed(error) => {
            let text = format!("⚠ {}", error.message);
            let color = theme::colors(ui.ctx()).warning;
            ui.add(egui::Label::new(RichText::new(text).color(color)).wrap().selectable(true));
            if ui.button("Copy").on_hover_text("Copy this message").clicked() {
                ui.ctx().copy_text(Notice::error("Export", error.clone()).text());
            }
        }
    }
    if is_cancelled {
        state.wish(Command::CancelExport);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_export_names_slices_without_a_picture() {
        assert_eq!(end_words(1, 0, &[]), "1 file written");
        assert_eq!(end_words(12, 3, &[]), "12 files written, 3 were there already");
        let failed: Vec<_> = (0..5).map(|slice| (SliceIndex(slice), "no body found".to_owned())).collect();
        let words = end_words(7, 0, &failed);
        assert!(
            words.contains("Slice 1 has no picture: no body found") && words.ends_with("2 more slices have no picture")
        );
    }
}
