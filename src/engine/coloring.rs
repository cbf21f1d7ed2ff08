//! Colours, one slice at a time: what is on screen first, and what is idle time for the rest.

use std::sync::Arc;

use super::UserError;
use super::events::Topic;
use super::messages::{ColorFailure, Event};
use super::session::{GeneratorChoice, GeneratorSource, GeneratorState, Session, Shared};
use super::worker::guarded;
use crate::model::{Colorizer, ModelError};
use crate::preprocess::EdgeRanges;
use crate::units::SliceIndex;
use crate::volume::{ColorSlice, CtSlice};

/// One slice to colour.
pub(super) struct ColorTask {
    pub(super) colorizer: Arc<Colorizer>,
    pub(super) slice: SliceIndex,
    pub(super) ct: CtSlice,
    pub(super) pixel_size_mm: [f64; 2],
    pub(super) edges: Option<EdgeRanges>,
    /// Of the colours that it belongs to.
    pub(super) number: u64,
}

enum Work {
    Generator(GeneratorChoice),
    Slice(ColorTask),
}

/// Prepares generators and colours slices.
pub(super) fn color_loop(shared: &Shared) {
    while let Some(work) = shared.wait_for(next_work) {
        match work {
            Work::Generator(choice) => use_generator(shared, choice),
            Work::Slice(task) => {
                let outcome = color(shared, &task);
                settle(shared, &task, outcome);
            }
        }
    }
}

fn next_work(session: &mut Session) -> Option<Work> {
    if let Some(choice) = session.wanted.take() {
        return Some(Work::Generator(choice));
    }
    let open = session.open.as_ref()?;
    let is_wanted = |slice: SliceIndex| {
        !session.cache.contains(slice) && !open.colorless.contains(&slice) && open.volume.ready_slice(slice).is_some()
    };
    let geometry = open.volume.geometry();
    // An export makes the other colours, in its own order.
    let is_idle = session.export_cancel.is_none();
    let most = if is_idle { session.cache.capacity(geometry.columns() * geometry.rows()) } else { 1 };
    let slice = open.gaze.next(open.volume.slice_count(), most, is_wanted)?;
    session.color_task(slice).map(Work::Slice)
}

impl Session {
    /// What it takes to colour a slice of the open series; `None` while it, or the generator, is not ready.
    pub(super) fn color_task(&self, slice: SliceIndex) -> Option<ColorTask> {
        let GeneratorState::Ready(colorizer) = &self.generator else { return None };
        let open = self.open.as_ref()?;
        Some(ColorTask {
            colorizer: Arc::clone(colorizer),
            slice,
            ct: open.volume.ready_slice(slice)?.clone(),
            pixel_size_mm: open.volume.geometry().pixel_size_mm(),
            edges: self.edges,
            number: self.colors_number,
        })
    }
}

/// Colours a slice on the threads that compute.
pub(super) fn color(shared: &Shared, task: &ColorTask) -> Result<ColorSlice, ColorFailure> {
    let colorize = || task.colorizer.colorize(&task.ct, task.pixel_size_mm, task.edges);
    match guarded(|| shared.pool.install(colorize)) {
        Ok(Ok(color)) => Ok(color),
        Ok(Err(ModelError::Preprocess(error))) => Err(ColorFailure::Slice(error.to_string())),
        Ok(Err(error)) => Err(ColorFailure::Generator(UserError::from(&error))),
        Err(error) => Err(ColorFailure::Generator(error)),
    }
}

/// Keeps a colour or the reason why there is none, and tells of it.
pub(super) fn settle(shared: &Shared, task: &ColorTask, outcome: Result<ColorSlice, ColorFailure>) {
    match outcome {
        Ok(color) => shared.keep_color(task.number, task.slice, Arc::new(color)),
        Err(reason) => {
            let mut session = shared.lock();
            if session.colors_number != task.number {
                return;
            }
            if let Some(open) = &mut session.open {
                open.colorless.insert(task.slice);
            }
            drop(session);
            shared.events.push(Topic::Colors(task.number), Event::ColorFailed { slice: task.slice, reason });
        }
    }
}

/// Loads a generator and puts it in place of the one in use; one that cannot be used changes nothing.
fn use_generator(shared: &Shared, choice: GeneratorChoice) {
    let _span = tracing::info_span!("use_generator").entered();
    let load = || match &choice.source {
        GeneratorSource::Stored(source) => Colorizer::load(source, choice.device),
        GeneratorSource::InMemory(weights) => Colorizer::from_weights(weights, choice.device),
    };
    let error = match guarded(|| shared.pool.install(load)) {
        Ok(Ok(colorizer)) => return put_in_use(shared, choice, colorizer),
        Ok(Err(error)) => UserError::from(&error),
        Err(error) => error,
    };
    let mut session = shared.lock();
    if !matches!(session.generator, GeneratorState::Ready(_)) {
        session.generator = GeneratorState::Failed(error.clone());
    }
    drop(session);
    shared.announce();
    shared.events.push(Topic::Program, Event::GeneratorFailed(error));
}

fn put_in_use(shared: &Shared, choice: GeneratorChoice, colorizer: Colorizer) {
    let ready = Event::GeneratorReady {
        card: Arc::clone(colorizer.card()),
        recipe: colorizer.recipe().clone(),
        device_name: colorizer.device_name().to_owned(),
        device_note: colorizer.device_note().map(str::to_owned),
    };
    let mut session = shared.lock();
    session.generator = GeneratorState::Ready(Arc::new(colorizer));
    if let GeneratorSource::Stored(source) = &choice.source {
        session.last_stored = source.clone();
    }
    session.in_use = choice;
    let had_any = session.drop_colors();
    let number = session.colors_number;
    drop(session);
    shared.tell_colors_dropped(number, had_any);
    shared.events.push(Topic::Program, ready);
}
