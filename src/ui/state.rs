//! All that the window knows, without a window: events go in, wishes for the engine come out.

use std::sync::Arc;

use super::cine::Cine;
use super::export::ExportDraft;
use super::notices::Notice;
use super::open_series::OpenSeries;
use super::screen::Screen;
use super::settings::Settings;
use super::training_state::{RunPhase, TrainingState};
use super::view::View;
use super::window_choice::WindowChoice;
use crate::engine::{Command, Event, LoadSource, SAMPLES, Sample, TrainingControl, UserError};
use crate::model::{DeviceChoice, WeightsCard, WeightsSource};
use crate::preprocess::{EdgeRanges, Recipe};
use crate::units::SliceIndex;
use crate::volume::{SeriesInfo, SeriesWarning};

/// What is being opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Loading {
    /// Nothing.
    #[default]
    Idle,
    /// Headers are being read.
    Scanning {
        /// Files looked at.
        files: usize,
    },
    /// Slices are arriving.
    Slices,
}

/// The generator in use.
#[derive(Clone, Debug, Default)]
pub enum GeneratorStatus {
    /// Not ready yet.
    #[default]
    Starting,
    /// In use.
    Ready(Box<ReadyGenerator>),
    /// There is none, and why.
    Failed(UserError),
}

/// What a person is told about the generator in use.
#[derive(Clone, Debug)]
pub struct ReadyGenerator {
    /// The card of its weights.
    pub card: Arc<WeightsCard>,
    /// Its recipe.
    pub recipe: Recipe,
    /// `CPU`, or the GPU's name.
    pub device_name: String,
    /// Why it is not the device one would expect.
    pub device_note: Option<String>,
}

/// Ranges of the contours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeChoice {
    /// On screen.
    pub ranges: EdgeRanges,
    /// What the generator was trained with.
    pub recipe: EdgeRanges,
    /// Whether the generator follows the ranges on screen.
    pub is_used_for_color: bool,
}

/// How an export goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExportStatus {
    /// None was asked for.
    #[default]
    Idle,
    /// So many of so many slices.
    Running {
        /// Slices written or found finished.
        done: usize,
        /// Slices asked for.
        total: usize,
    },
    /// How the last one ended, in words.
    Done(String),
    /// Why the last one stopped.
    Failed(UserError),
}

/// All that the window knows.
#[derive(Debug)]
pub struct UiState {
    /// What is being opened.
    pub loading: Loading,
    /// Where the open series comes from, or the one being opened.
    pub source: Option<LoadSource>,
    /// Series of the last scan.
    pub series: Vec<SeriesInfo>,
    /// About files that belong to no series.
    pub scan_warnings: Vec<SeriesWarning>,
    /// What is on screen.
    pub open: Option<OpenSeries>,
    /// What makes the colours.
    pub generator: GeneratorStatus,
    /// The device that was asked for.
    pub device: DeviceChoice,
    /// The weights in use.
    pub weights: WeightsSource,
    /// Grey window.
    pub window: WindowChoice,
    /// Ranges of the contours.
    pub edges: EdgeChoice,
    /// Film mode.
    pub cine: Cine,
    /// What is unfolded, enlarged, open.
    pub screen: Screen,
    /// What the export dialog holds.
    pub export_draft: ExportDraft,
    /// How an export goes.
    pub export: ExportStatus,
    /// The training panel.
    pub training: TrainingState,
    /// Errors to read.
    pub notices: Vec<Notice>,
    /// What is kept from one start to the next.
    pub settings: Settings,
    wishes: Vec<Command>,
    wanted_weights: Option<WeightsSource>,
}

impl UiState {
    /// Nothing open yet.
    pub fn new(settings: Settings) -> Self {
        let recipe = EdgeRanges::default();
        Self {
            loading: Loading::Idle,
            source: None,
            series: Vec::new(),
            scan_warnings: Vec::new(),
            open: None,
            generator: GeneratorStatus::Starting,
            device: DeviceChoice::Auto,
            weights: WeightsSource::Bundled,
            wanted_weights: None,
            window: WindowChoice::default(),
            edges: EdgeChoice { ranges: recipe, recipe, is_used_for_color: false },
            cine: Cine::default(),
            screen: Screen::default(),
            export_draft: ExportDraft::default(),
            export: ExportStatus::Idle,
            training: TrainingState::default(),
            notices: Vec::new(),
            settings,
            wishes: Vec::new(),
        }
    }

    /// Asks the engine for something at the end of the frame.
    pub fn wish(&mut self, command: Command) {
        if matches!(command, Command::ShowSlice { .. }) {
            self.wishes.retain(|wish| !matches!(wish, Command::ShowSlice { .. }));
        }
        if let Command::UseWeights(weights) = &command {
            self.wanted_weights = Some(weights.clone());
            // A choice of weights outweighs a training that was applied; the engine sees it the same way.
            self.training.is_applied = false;
        }
        self.wishes.push(command);
    }

    /// What the engine is asked for since the last call, in order.
    pub fn take_wishes(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.wishes)
    }

    /// Opens a sample, file or folder.
    pub fn open_source(&mut self, source: LoadSource) {
        self.loading = Loading::Scanning { files: 0 };
        self.source = Some(source.clone());
        self.screen.dialog = None;
        self.wish(Command::Open(source));
    }

    /// Goes to a slice, or to the nearest there is.
    pub fn show_slice(&mut self, slice: SliceIndex) {
        if let Some(wish) = self.open.as_mut().and_then(|open| open.go_to(slice)) {
            self.wish(wish);
        }
    }

    /// Goes so many slices on; negative ones go back.
    pub fn move_slices(&mut self, count: isize) {
        if let Some(open) = &self.open {
            self.show_slice(SliceIndex(open.slice().0.saturating_add_signed(count)));
        }
    }

    /// Plays on by so much time.
    pub fn advance(&mut self, elapsed_secs: f32) {
        let Some(open) = &self.open else { return };
        if let Some(next) =
            self.cine.advance(elapsed_secs, (open.slice(), open.slice_count()), self.settings.cine_speed())
        {
            self.show_slice(next);
        }
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Scanning { files } => self.loading = Loading::Scanning { files },
            Event::SeriesListed { series, warnings } => {
                (self.series, self.scan_warnings) = (series, warnings);
                let sample = self.sample();
                self.series.iter_mut().for_each(|info| name_sample(info, sample));
            }
            Event::SeriesOpened { mut info, volume, start } => {
                name_sample(&mut info, self.sample());
                self.series_opened(OpenSeries::new(*info, volume, start));
            }
            Event::SliceRead(slice) => self.slice_read(slice),
            Event::LoadingFinished { warnings, elapsed_secs } => self.loading_finished(&warnings, elapsed_secs),
            Event::LoadingFailed(error) => {
                self.loading = Loading::Idle;
                self.notices.push(Notice::error("This could not be opened", error));
            }
            Event::LoadingCancelled => self.loading = Loading::Idle,
            Event::GeneratorReady { card, recipe, device_name, device_note } => {
                self.generator_ready(ReadyGenerator { card, recipe, device_name, device_note });
            }
            Event::GeneratorFailed(error) => self.generator_failed(error),
            Event::ColorReady { .. } | Event::ColorFailed { .. } | Event::ColorDropped(_) | Event::ColorsDropped => {
                if let Some(open) = &mut self.open {
                    open.apply_color(event);
                }
            }
            Event::ExportProgress { .. }
            | Event::ExportFinished { .. }
            | Event::ExportFailed(_)
            | Event::ExportCancelled => self.export = super::export::status_from(event),
            Event::Training(event) => {
                self.training.apply(event);
                self.settle_applied();
            }
        }
    }

    /// When a run that paints the open series is over, its result stays in use as any weights do; without one, what was in use
    /// before comes back.
    fn settle_applied(&mut self) {
        if !self.training.is_applied || self.training.is_on() {
            return;
        }
        if let RunPhase::Ended { weights, .. } = &self.training.phase {
            let weights = WeightsSource::File(weights.clone());
            self.wish(Command::UseWeights(weights));
        } else {
            let command = self.training.control(TrainingControl::StopApplying);
            self.wish(command);
        }
    }

    /// The bundled sample that is open or being opened.
    fn sample(&self) -> Option<&'static Sample> {
        match self.source {
            Some(LoadSource::Sample(index)) => SAMPLES.get(index),
            _ => None,
        }
    }

    fn series_opened(&mut self, mut open: OpenSeries) {
        open.is_sample = self.sample().is_some();
        if let (Some(LoadSource::Path(path)), true) = (&self.source, self.settings.remembers_recent) {
            self.settings.remember(path.clone());
        }
        self.loading = Loading::Slices;
        self.window = WindowChoice::for_series(&open.info);
        self.screen.forget_view();
        self.screen.wants_identity = false;
        self.cine.stop();
        self.export = ExportStatus::Idle;
        self.export_draft.for_slices(open.slice_count());
        self.wish(open.wish());
        self.open = Some(open);
    }

    fn slice_read(&mut self, slice: SliceIndex) {
        self.loading = Loading::Slices;
        if let Some(open) = &mut self.open {
            open.slice_read(slice);
        }
    }

    fn loading_finished(&mut self, warnings: &[SeriesWarning], elapsed_secs: f32) {
        self.loading = Loading::Idle;
        if let Some(open) = &mut self.open {
            // Not under the user's hands.
            if self.screen.view == View::default() {
                open.fit_body();
            }
            open.finish_loading(warnings, elapsed_secs);
            if let Some(listed) = self.series.iter_mut().find(|listed| listed.number == open.info.number) {
                listed.warnings.clone_from(&open.info.warnings);
            }
        }
    }

    fn generator_ready(&mut self, ready: ReadyGenerator) {
        let was_recipe = self.edges.ranges == self.edges.recipe;
        self.edges.recipe = ready.recipe.edges;
        if was_recipe {
            self.edges.ranges = ready.recipe.edges;
        }
        if let Some(weights) = self.wanted_weights.take() {
            self.weights = weights;
        }
        self.generator = GeneratorStatus::Ready(Box::new(ready));
    }

    fn generator_failed(&mut self, error: UserError) {
        self.wanted_weights = None;
        self.notices.push(Notice::error("The weights or the device cannot be used", error.clone()));
        if !matches!(self.generator, GeneratorStatus::Ready(_)) {
            self.generator = GeneratorStatus::Failed(error);
        }
    }

    /// Changes the ranges of the contours; colour follows only where the user asked for it.
    pub fn set_edges(&mut self, choice: EdgeChoice) {
        let followed = |choice: &EdgeChoice| choice.is_used_for_color.then_some(choice.ranges);
        let wanted = followed(&choice);
        if wanted != followed(&self.edges) {
            self.wish(Command::UseEdgesForColor(wanted));
        }
        self.edges = choice;
    }
}

/// A sample is called what it shows, not what its file is called.
fn name_sample(info: &mut SeriesInfo, sample: Option<&Sample>) {
    if let Some(sample) = sample {
        sample.title.clone_into(&mut info.description);
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
