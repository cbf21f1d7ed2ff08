//! The one door for the command line and the viewer: commands in, events out.
//!
//! ```text
//!            send(Command)                                   try_next_event()
//! window ──────────────────▶ Session (one lock) ◀── workers ──────────────────▶ window
//!                            color_slice() reads the cache
//!
//! ct2rgb-scan     headers of what is opened            loading
//! ct2rgb-read     slices of the open series            loading
//! ct2rgb-color    generators, colours                  coloring ─▶ color_queue, color_cache; computes on ct2rgb-compute-N
//! ct2rgb-export   pictures and volumes                 exporting ─▶ export_picture
//! ct2rgb-training a training run, while one goes on    training_job ─▶ training_run
//! ```

mod color_cache;
mod color_queue;
mod coloring;
mod events;
mod export_picture;
mod exporting;
mod loading;
mod messages;
mod sample;
mod session;
mod training_job;
mod training_messages;
pub mod training_run;
mod user_error;
mod worker;

pub use messages::{ColorFailure, Command, Event, ExportFormat, ExportRequest, LoadSource, Travel};
pub use sample::{SAMPLES, Sample};
pub use training_messages::{
    HeldOutMetrics, TrainingControl, TrainingEvent, TrainingPreview, TrainingRequest, TrainingStart,
};
pub use user_error::UserError;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::color_queue::Gaze;
use self::events::Topic;
use self::session::{ExportJob, GeneratorChoice, GeneratorSource, ScanJob, Shared};
use crate::model::{DeviceChoice, WeightsSource};
use crate::preprocess::EdgeRanges;
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::ColorSlice;

/// A thread's name and what it does.
type Worker = (&'static str, fn(&Shared));

/// Called from worker threads whenever an event waits, with the time within which it should be read: the viewer asks for a frame.
pub type WakeUp = Arc<dyn Fn(Duration) + Send + Sync>;

/// What an engine starts with.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// What makes the colours.
    pub weights: WeightsSource,
    /// Where the colours are made.
    pub device: DeviceChoice,
    /// A window is drawn meanwhile: one core is left to it.
    pub has_window: bool,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system gives no thread.
    #[error("the system gives no more threads; close other programs and start again")]
    NoThread(#[from] std::io::Error),
    /// The same, for the threads that compute.
    #[error("the system gives no threads to compute with; close other programs and start again")]
    NoPool(#[from] rayon::ThreadPoolBuildError),
}

/// Workers, queues and the colour cache. Dropped, it stops them all and waits for them.
pub struct Engine {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the workers. `wake_up` is called whenever an event waits.
    pub fn start(options: &EngineOptions, wake_up: WakeUp) -> Result<Self, EngineError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = worker::compute_pool(if options.has_window { cores - 1 } else { cores })?;
        let shared = Arc::new(Shared::new(wake_up, pool, options.has_window));
        let source = GeneratorSource::Stored(options.weights.clone());
        let choice = GeneratorChoice { source, device: options.device };
        {
            let mut session = shared.lock();
            session.in_use = choice.clone();
            session.wanted = Some(choice);
        }
        let mut engine = Self { shared, workers: Vec::new() };
        let loops: [Worker; 4] = [
            ("ct2rgb-scan", loading::scan_loop),
            ("ct2rgb-read", loading::read_loop),
            ("ct2rgb-color", coloring::color_loop),
            ("ct2rgb-export", exporting::export_loop),
        ];
        for (name, work) in loops {
            engine.workers.push(worker::spawn(name, &engine.shared, work)?);
        }
        Ok(engine)
    }

    /// Hands a wish to the workers; never waits for them.
    pub fn send(&self, command: Command) {
        match command {
            Command::Open(source) => self.open(source),
            Command::SelectSeries(number) => self.select_series(number),
            Command::CancelLoading => self.cancel_loading(),
            Command::ShowSlice { slice, travel } => {
                if let Some(open) = &mut self.shared.lock().open {
                    open.gaze = Gaze { slice, travel };
                }
            }
            Command::UseWeights(source) => {
                training_job::forget_applied(&self.shared);
                self.want(|choice| choice.source = GeneratorSource::Stored(source));
            }
            Command::UseDevice(device) => self.want(|choice| choice.device = device),
            Command::UseEdgesForColor(edges) => self.use_edges(edges),
            Command::Export(request) => self.export(request),
            Command::CancelExport => {
                if let Some(cancel) = &self.shared.lock().export_cancel {
                    cancel.cancel();
                }
            }
            Command::StartTraining(request) => training_job::start(&self.shared, *request),
            Command::ControlTraining(control) => self.control_training(control),
        }
        self.shared.announce();
    }

    /// The next thing that happened, if anything did; never waits.
    pub fn try_next_event(&self) -> Option<Event> {
        self.shared.events.try_pop()
    }

    /// The next thing that happened; waits for it as long as `at_most`.
    pub fn next_event(&self, at_most: Duration) -> Option<Event> {
        self.shared.events.pop(at_most)
    }

    /// The colour of a slice of the open series under the present weights and ranges, when it is ready; never waits long.
    pub fn color_slice(&self, slice: SliceIndex) -> Option<Arc<ColorSlice>> {
        self.shared.lock().cache.get(slice)
    }

    fn open(&self, source: LoadSource) {
        let cancel = CancelFlag::new();
        let mut session = self.shared.lock();
        session.scan_number += 1;
        let number = session.scan_number;
        if let Some(old) = session.scan_cancel.replace(cancel.clone()) {
            old.cancel();
        }
        session.scan_job = Some(ScanJob { number, source, cancel });
        drop(session);
        self.shared.events.advance(Topic::Scan(number));
    }

    fn select_series(&self, number: usize) {
        let mut session = self.shared.lock();
        let index = session.scanned.iter().position(|series| series.info().number == number);
        let is_there = index.is_some_and(|index| session.read_first(index));
        let scan = session.scan_number;
        drop(session);
        if !is_there {
            let error = UserError::plain(format!("there is no series number {number} here"));
            self.shared.events.push_now(Topic::Scan(scan), Event::LoadingFailed(error));
        }
    }

    fn cancel_loading(&self) {
        let session = self.shared.lock();
        for cancel in [&session.scan_cancel, &session.read_cancel].into_iter().flatten() {
            cancel.cancel();
        }
    }

    /// Changes what is wanted, on top of what is wanted already.
    fn want(&self, change: impl FnOnce(&mut GeneratorChoice)) {
        let mut session = self.shared.lock();
        let mut choice = session.wanted.clone().unwrap_or_else(|| session.in_use.clone());
        change(&mut choice);
        session.wanted = Some(choice);
    }

    fn use_edges(&self, edges: Option<EdgeRanges>) {
        let mut session = self.shared.lock();
        if session.edges == edges {
            return;
        }
        session.edges = edges;
        let had_any = session.drop_colors();
        let number = session.colors_number;
        drop(session);
        self.shared.tell_colors_dropped(number, had_any);
    }

    fn export(&self, request: ExportRequest) {
        let mut session = self.shared.lock();
        if session.export_cancel.is_some() {
            drop(session);
            let error = UserError::plain("an export is going on already; stop it first");
            self.shared.events.push_now(Topic::Program, Event::ExportFailed(error));
            return;
        }
        let cancel = CancelFlag::new();
        session.export_cancel = Some(cancel.clone());
        session.export_job = Some(ExportJob { request, cancel });
    }

    fn control_training(&self, control: TrainingControl) {
        match control {
            TrainingControl::Apply => training_job::start_applying(&self.shared),
            TrainingControl::StopApplying => training_job::stop_applying(&self.shared),
            _ => {}
        }
        let is_told = self.shared.lock().training.as_ref().is_some_and(|training| training.tell(control));
        if !is_told {
            tracing::debug!(?control, "no training run to tell this");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let training = {
            let mut session = self.shared.lock();
            session.is_closing = true;
            for cancel in [&session.scan_cancel, &session.read_cancel, &session.export_cancel].into_iter().flatten() {
                cancel.cancel();
            }
            session.training.take()
        };
        self.shared.events.close();
        self.shared.announce();
        if let Some(training) = training {
            training.end();
        }
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::warn!("a worker thread ended badly");
            }
        }
    }
}
