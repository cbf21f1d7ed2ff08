//! The whole window but the engine: what is laid out where, and which keys do what.

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Context, Panel, RichText, Ui, ViewportCommand};

use super::choosers::{ChooserPurpose, Choosers, Chosen};
use super::color_source::{ColorFade, ColorSource};
use super::commands::{UiCommand, WindowWish};
use super::open::OpenDraft;
use super::palette::Palette;
use super::screen::Dialog;
use super::settings::Settings;
use super::slice_view::{FrameContent, panes_ui};
use super::state::{Loading, UiState};
use super::training_panel::{Asked, training_panel_ui};
use super::training_pictures::TrainingPictures;
use super::{about, controls_drawer, export, key_sheet, keys, notices, open, palette, scrubber, series_drawer};
use super::{closing, theme, tips, top_bar};
use crate::engine::{Command, LoadSource};
use crate::model::WeightsSource;

/// The window without its engine: events are applied to `state`, wishes are taken from it.
pub struct Viewer {
    /// All that the window knows.
    pub state: UiState,
    fade: ColorFade,
    choosers: Choosers,
    open_draft: OpenDraft,
    palette: Palette,
    training_pictures: TrainingPictures,
}

impl Viewer {
    /// Nothing open yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            state: UiState::new(settings),
            fade: ColorFade::default(),
            choosers: Choosers::default(),
            open_draft: OpenDraft::default(),
            palette: Palette::default(),
            training_pictures: TrainingPictures::default(),
        }
    }

    /// What goes on without being drawn: dropped files, dialogs that ended, film.
    pub fn logic(&mut self, ctx: &Context) {
        theme::follow(ctx, &self.state.settings);
        let (now_secs, elapsed_secs) = ctx.input(|input| (input.time, input.stable_dt));
        self.state.screen.now_secs = now_secs;
        closing::guard_close(ctx, &mut self.state);
        self.take_dropped(ctx);
        if let Some((purpose, chosen)) = self.choosers.poll(ctx) {
            self.chosen(purpose, chosen);
        }
        self.state.advance(elapsed_secs);
        if self.state.cine.is_playing() {
            let rate = f32::from(self.state.settings.cine_speed().slices_per_second);
            ctx.request_repaint_after_secs((0.5 / rate).min(1.0 / 60.0));
        }
    }

    /// Lays out and draws everything.
    pub fn ui(&mut self, ui: &mut Ui, colors: &dyn ColorSource) {
        let ctx = ui.ctx().clone();
        self.state.screen.decide_drawers(ctx.content_rect().width());
        for command in keys::pressed(&ctx) {
            self.run(&ctx, command);
        }
        let mut command = None;
        if !self.state.screen.is_presenting() {
            command = self.bars_ui(ui);
        }
        CentralPanel::no_frame().show(ui, |ui| command = command.or(self.panes_ui(ui, colors)));
        command = command.or(self.dialogs_ui(&ctx));
        if let Some(command) = command {
            self.run(&ctx, command);
        }
        drop_hint_ui(&ctx);
    }

    fn bars_ui(&mut self, ui: &mut Ui) -> Option<UiCommand> {
        let bar = theme::bar_frame(ui.style());
        let drawer = theme::drawer_frame(ui.style());
        let state = &mut self.state;
        let mut command = Panel::top("top bar")
            .frame(bar)
            .exact_size(theme::TOP_BAR_POINTS)
            .show(ui, |ui| top_bar::top_bar_ui(ui, state))
            .inner;
        notices::notices_ui(ui, state);
        identity_ui(ui, state);
        hint_ui(ui, state);
        let clicked = Panel::bottom("scrubber")
            .frame(bar)
            .exact_size(theme::SCRUBBER_POINTS)
            .show(ui, |ui| scrubber::scrubber_ui(ui, state))
            .inner;
        command = command.or(clicked);
        if state.screen.is_series_drawer_open == Some(true) {
            Panel::left("series")
                .frame(drawer)
                .exact_size(theme::SERIES_DRAWER_POINTS)
                .show(ui, |ui| series_drawer::series_drawer_ui(ui, state));
        }
        if state.screen.is_controls_drawer_open == Some(true) {
            let clicked = Panel::right("controls")
                .frame(drawer)
                .exact_size(theme::CONTROLS_DRAWER_POINTS)
                .show(ui, |ui| controls_drawer::controls_drawer_ui(ui, state))
                .inner;
            command = command.or(clicked);
        }
        if state.training.is_open {
            let pictures = &mut self.training_pictures;
            let asked = Panel::right("training")
                .frame(drawer)
                .resizable(true)
                .default_size(theme::TRAINING_PANEL_POINTS)
                .size_range(theme::TRAINING_PANEL_RANGE)
                .show(ui, |ui| training_panel_ui(ui, state, pictures))
                .inner;
            command = command.or(self.asked(ui.ctx(), asked));
        }
        command
    }

    fn asked(&mut self, ctx: &Context, asked: Option<Asked>) -> Option<UiCommand> {
        match asked? {
            Asked::Engine(command) => self.state.wish(command),
            Asked::Window(wish) => self.window_wish(ctx, wish),
            Asked::Ui(command) => return Some(command),
        }
        None
    }

    fn panes_ui(&mut self, ui: &mut Ui, colors: &dyn ColorSource) -> Option<UiCommand> {
        let content = match &self.state.open {
            Some(open) => FrameContent::now(ui.ctx(), open, colors, &mut self.fade),
            None => FrameContent { slice: None, color: None, color_share: 0.0, is_too_large: false },
        };
        let command = panes_ui(ui, &mut self.state, &content);
        if self.state.open.is_none() { command.or(self.empty_ui(ui)) } else { command }
    }

    /// What stands on the empty panes.
    fn empty_ui(&self, ui: &mut Ui) -> Option<UiCommand> {
        let rect = egui::Rect::from_center_size(ui.max_rect().center(), egui::vec2(420.0, 120.0));
        let label = theme::colors(ui.ctx()).label;
        let mut command = None;
        ui.scope_builder(egui::UiBuilder::new().max_rect(rect), |ui| {
            ui.vertical_centered(|ui| {
                if self.state.loading == Loading::Idle {
                    ui.label(RichText::new("Nothing is open").heading().color(label));
                    let words = "Open a CT series, or drop files or a folder here";
                    ui.label(RichText::new(words).color(label));
                    ui.add_space(theme::GRID_POINTS);
                    ui.columns(2, |columns| {
                        let [left, right] = columns else { return };
                        left.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            command = command.or(tips::button(ui, UiCommand::OpenFile));
                        });
                        command = command.or(tips::button(right, UiCommand::OpenFolder));
                    });
                } else {
                    ui.spinner();
                    ui.label(RichText::new("Opening…").color(label));
                }
            });
        });
        command
    }

    fn dialogs_ui(&mut self, ctx: &Context) -> Option<UiCommand> {
        let dialog = self.state.screen.dialog;
        if dialog != Some(Dialog::Open) {
            self.open_draft.close();
        }
        if dialog != Some(Dialog::Palette) {
            self.palette.close();
        }
        closing::closing_ui(ctx, &mut self.state);
        let mut wish = None;
        let mut is_open = true;
        match dialog {
            None => {}
            Some(Dialog::Open) => wish = open::open_ui(ctx, &mut self.state, &mut self.open_draft),
            Some(Dialog::Export) => wish = export::export_ui(ctx, &mut self.state),
            Some(Dialog::About) => is_open = about::about_ui(ctx, &self.state),
            Some(Dialog::Keys) => is_open = key_sheet::key_sheet_ui(ctx),
            Some(Dialog::Palette) => {
                if let Some(command) = palette::palette_ui(ctx, &mut self.palette) {
                    self.state.screen.dialog = None;
                    return Some(command);
                }
            }
        }
        if !is_open {
            self.state.screen.dialog = None;
        }
        if let Some(wish) = wish {
            self.window_wish(ctx, wish);
        }
        None
    }

    fn run(&mut self, ctx: &Context, command: UiCommand) {
        if let Some(wish) = self.state.run(command) {
            self.window_wish(ctx, wish);
        }
    }

    fn window_wish(&mut self, ctx: &Context, wish: WindowWish) {
        match wish {
            WindowWish::BrowseFile => self.choosers.show(ChooserPurpose::OpenFile),
            WindowWish::BrowseFolder => self.choosers.show(ChooserPurpose::OpenFolder),
            WindowWish::BrowseWeights => self.choosers.show(ChooserPurpose::Weights),
            WindowWish::BrowseExportFolder => self.choosers.show(ChooserPurpose::ExportFolder),
            WindowWish::BrowsePairs => self.choosers.show(ChooserPurpose::Pairs),
            WindowWish::BrowseRunFolder => self.choosers.show(ChooserPurpose::RunFolder),
            WindowWish::BrowsePerceptualWeights => self.choosers.show(ChooserPurpose::PerceptualWeights),
            WindowWish::Close => ctx.send_viewport_cmd(ViewportCommand::Close),
            WindowWish::ToggleFullScreen => {
                let is_full = ctx.input(|input| input.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(!is_full));
            }
        }
        ctx.request_repaint();
    }

    fn chosen(&mut self, purpose: ChooserPurpose, chosen: Chosen) {
        match chosen {
            Chosen::Nothing => {}
            Chosen::Path(path) => self.chosen_path(purpose, path),
            Chosen::Unavailable => self.no_dialog(purpose),
        }
    }

    fn chosen_path(&mut self, purpose: ChooserPurpose, path: PathBuf) {
        let state = &mut self.state;
        let typed = path.display().to_string();
        match purpose {
            ChooserPurpose::OpenFile | ChooserPurpose::OpenFolder => state.open_source(LoadSource::Path(path)),
            ChooserPurpose::Weights => state.wish(Command::UseWeights(WeightsSource::File(path))),
            ChooserPurpose::ExportFolder => state.export_draft.folder = typed,
            ChooserPurpose::Pairs => state.training.draft.pairs = typed,
            ChooserPurpose::RunFolder => state.training.draft.folder = typed,
            ChooserPurpose::PerceptualWeights => state.training.draft.perceptual_weights = typed,
        }
    }

    /// This system has no dialog for files: says how it goes without.
    fn no_dialog(&mut self, purpose: ChooserPurpose) {
        if matches!(purpose, ChooserPurpose::OpenFile | ChooserPurpose::OpenFolder) {
            self.state.screen.dialog = Some(Dialog::Open);
            self.open_draft.note = Some("This system has no dialog for files: type or paste the path here");
            return;
        }
        let way = match purpose {
            ChooserPurpose::Weights => "drop the weights on the window",
            _ => "type or paste the path into the field",
        };
        let message = format!("this system has no dialog for files; {way}");
        let error = crate::engine::UserError { message, details: Vec::new() };
        self.state.notices.push(notices::Notice::error("No dialog", error));
    }

    /// One file or folder is opened, of several their folder; weights are used.
    fn take_dropped(&mut self, ctx: &Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        let paths: Vec<_> = dropped.into_iter().map(|file| file.path().to_path_buf()).collect();
        let Some(first) = paths.first() else { return };
        if first.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors")) {
            self.state.wish(Command::UseWeights(WeightsSource::File(first.clone())));
            return;
        }
        let together = first.parent().filter(|_| paths.len() > 1).unwrap_or(first);
        self.state.open_source(LoadSource::Path(together.to_path_buf()));
    }
}

/// Says that files can be let go while they hover over the window.
fn drop_hint_ui(ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let painter = ctx.layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint")));
    let (rect, colors) = (ctx.content_rect(), theme::colors(ctx));
    painter.rect_filled(rect, 0.0, colors.label_plate);
    let font = theme::font(theme::LABEL_POINTS * 1.6);
    painter.text(rect.center(), egui::Align2::CENTER_CENTER, "Drop to open", font, colors.label);
}

/// Who is on the picture, when the user asked for it.
fn identity_ui(ui: &mut Ui, state: &mut UiState) {
    if !state.screen.shows_identity() {
        return;
    }
    let frame = theme::bar_frame(ui.style()).inner_margin(egui::Margin::symmetric(8, 4));
    Panel::top("identity").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let identity = state.open.as_ref().and_then(|open| open.info.identity.as_ref());
            let words = identity.map_or_else(
                || "The files do not say who this is".to_owned(),
                |identity| {
                    let parts = [
                        identity.name.clone(),
                        format!("ID {}", identity.id),
                        format!("born {}", identity.birth_date),
                        format!("study of {}", identity.study_date),
                    ];
                    parts.join("  ·  ")
                },
            );
            ui.add(egui::Label::new(RichText::new(words).strong()).truncate());
        });
    });
}

/// One line about the bundled sample, until it is put away or something else is open.
fn hint_ui(ui: &mut Ui, state: &mut UiState) {
    let is_sample = state.open.as_ref().is_some_and(|open| open.is_sample);
    if !is_sample || state.screen.is_hint_dismissed {
        return;
    }
    let frame = theme::bar_frame(ui.style()).inner_margin(egui::Margin::symmetric(8, 4));
    Panel::top("hint").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                state.screen.is_hint_dismissed |= ui.button("Got it").clicked();
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    let key = keys::key_text(ui.ctx(), UiCommand::OpenFile).unwrap_or_default();
                    let words = format!(
                        "A bundled sample: CT of a living patient, coloured by the network. Open your own with {key}, or drop a file or folder here"
                    );
                    ui.add(egui::Label::new(words).truncate());
                });
            });
        });
    });
}
