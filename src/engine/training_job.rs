//! A training run on its own thread.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::UserError;
use super::events::Topic;
use super::messages::Event;
use super::session::{GeneratorChoice, GeneratorSource, Shared};
use super::training_messages::{TrainingControl, TrainingEvent, TrainingRequest};
use super::training_run::{self, TrainingHooks};
use super::worker::{guarded, spawn};
use crate::model::GeneratorWeights;
use crate::training::TrainingError;
use crate::units::CancelFlag;

/// Wishes that wait for the step in progress to end.
const WAITING_CONTROLS: usize = 64;

/// A run that is going on.
pub(super) struct RunningTraining {
    controls: SyncSender<TrainingControl>,
    stop: CancelFlag,
    thread: JoinHandle<()>,
}

impl RunningTraining {
    /// Hands a wish to the run; one too many is dropped, and `false` says so.
    pub(super) fn tell(&self, control: TrainingControl) -> bool {
        if control == TrainingControl::Stop {
            // Heard while pictures are read, too.
            self.stop.cancel();
        }
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
        self.stop.cancel();
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
    // The run asks from a thread of its own pool.
    let receiver = Mutex::new(receiver);
    let stop = CancelFlag::new();
    let cancel = stop.clone();
    let run = move |shared: &Shared| {
        let on_event = |event| shared.events.push(Topic::Program, Event::Training(event));
        let hooks = TrainingHooks {
            next_control: &|| lock(&receiver).try_recv().ok(),
            on_event: &on_event,
            on_weights: &|weights| apply(shared, weights),
            cancel: &cancel,
            spares_a_core: shared.has_window,
        };
        let outcome = guarded(|| training_run::run(&request, &hooks));
        match outcome {
            Ok(Ok(outcome)) => tracing::info!(step = outcome.step, "training ended"),
            Ok(Err(TrainingError::Cancelled)) => on_event(TrainingEvent::Cancelled),
            Ok(Err(error)) => on_event(TrainingEvent::Failed(UserError::from(&error))),
            Err(error) => on_event(TrainingEvent::Failed(error)),
        }
    };
    match spawn("ct2rgb-training", shared, run) {
        Ok(thread) => session.training = Some(RunningTraining { controls, stop, thread }),
        Err(_no_thread) => {
            drop(session);
            refuse("the system gives no thread for the training; close other programs and try again");
        }
    }
}

/// From now on the open series is coloured by the training, as soon as it hands out weights.
pub(super) fn start_applying(shared: &Shared) {
    let mut session = shared.lock();
    if session.before_training.is_none() && session.training.as_ref().is_some_and(|training| !training.is_over()) {
        let choice = session.wanted.as_ref().unwrap_or(&session.in_use);
        // Weights of a training in memory are what one comes back from, not to.
        let before = match &choice.source {
            GeneratorSource::Stored(stored) => stored,
            GeneratorSource::InMemory(_) => &session.last_stored,
        };
        session.before_training = Some(before.clone());
    }
}

/// Puts weights of a training in use for the open series, unless others were chosen while they were on their way.
fn apply(shared: &Shared, weights: GeneratorWeights) {
    let mut session = shared.lock();
    if session.before_training.is_none() {
        return;
    }
    let device = session.wanted.as_ref().unwrap_or(&session.in_use).device;
    session.wanted = Some(GeneratorChoice { source: GeneratorSource::InMemory(Arc::new(weights)), device });
    drop(session);
    shared.announce();
}

/// Other weights were chosen: the training goes on, and hands out none.
pub(super) fn forget_applied(shared: &Shared) {
    let mut session = shared.lock();
    if session.before_training.take().is_some()
        && let Some(training) = &session.training
    {
        training.tell(TrainingControl::StopApplying);
    }
}

/// Puts back in use what was in use before a training's weights were.
pub(super) fn stop_applying(shared: &Shared) {
    let mut session = shared.lock();
    if let Some(source) = session.before_training.take() {
        let device = session.wanted.as_ref().unwrap_or(&session.in_use).device;
        session.wanted = Some(GeneratorChoice { source: GeneratorSource::Stored(source), device });
    }
    drop(session);
    shared.announce();
}

fn lock(receiver: &Mutex<Receiver<TrainingControl>>) -> MutexGuard<'_, Receiver<TrainingControl>> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner)
}
