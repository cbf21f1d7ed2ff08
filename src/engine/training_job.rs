//! A training run on its own thread.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::UserError;
use super::events::Topic;
use super::messages::Event;
use super::session::{GeneratorChoice, GeneratorSource, Shared};
use super::training_messages::{TrainingControl, TrainingEvent, TrainingRequest};
use super::training_run::{self, RunContext};
use super::worker::{guarded, spawn};
use crate::model::GeneratorWeights;

/// Wishes that wait for the step in progress to end.
const WAITING_CONTROLS: usize = 64;

/// A run that is going on.
pub(super) struct RunningTraining {
    controls: SyncSender<TrainingControl>,
    thread: JoinHandle<()>,
}

impl RunningTraining {
    /// Hands a wish to the run; one too many is dropped, and `false` says so.
    pub(super) fn tell(&self, control: TrainingControl) -> bool {
        match self.controls.try_send(control) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks the run to save and end, and waits for it.
    pub(super) fn end(self) {
        self.tell(TrainingControl::Stop);
        drop(self.controls);
        // A panic has been told of already.
        if self.thread.join().is_err() {
            tracing::warn!("the training thread ended badly");
        }
    }
}

/// Starts a run; at most one at a time.
pub(super) fn start(shared: &Arc<Shared>, request: TrainingRequest) {
    let refuse = |message: &str| {
        let error = TrainingEvent::Failed(UserError::plain(message));
        shared.events.push_now(Topic::Program, Event::Training(error));
    };
    let mut session = shared.lock();
    if session.training.as_ref().is_some_and(|training| !training.is_over()) {
        drop(session);
        return refuse("a training run is going on already; stop it first");
    }
    let (controls, receiver) = sync_channel(WAITING_CONTROLS);
    let run = move |shared: &Shared| {
        let on_event = |event| shared.events.push(Topic::Program, Event::Training(event));
        let on_weights = |weights| apply(shared, weights);
        let context = RunContext {
            controls: &receiver,
            threads: shared.pool.current_num_threads(),
            on_event: &on_event,
            on_weights: &on_weights,
        };
        let outcome = guarded(|| training_run::run(&request, &context));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => on_event(TrainingEvent::Failed(UserError::from(&error))),
            Err(error) => on_event(TrainingEvent::Failed(error)),
        }
    };
    match spawn("ct2rgb-training", shared, run) {
        Ok(thread) => session.training = Some(RunningTraining { controls, thread }),
        Err(_no_thread) => {
            drop(session);
            refuse("the system gives no thread for the training; close other programs and try again");
        }
    }
}

/// Puts weights of a training in use for the open series.
fn apply(shared: &Shared, weights: GeneratorWeights) {
    let mut session = shared.lock();
    if session.before_training.is_none() {
        session.before_training = Some(session.in_use.source.clone());
    }
    let device = session.in_use.device;
    session.wanted = Some(GeneratorChoice { source: GeneratorSource::InMemory(Arc::new(weights)), device });
    drop(session);
    shared.announce();
}

/// Puts back in use what was in use before a training's weights were.
pub(super) fn stop_applying(shared: &Shared) {
    let mut session = shared.lock();
    if let Some(source) = session.before_training.take() {
        let device = session.in_use.device;
        session.wanted = Some(GeneratorChoice { source, device });
    }
    drop(session);
    shared.announce();
}
