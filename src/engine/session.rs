//! What is open, what is wanted, and what is being done: the one state that all workers share.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::color_cache::ColorCache;
use super::color_queue::Gaze;
use super::events::{EventQueue, Topic};
use super::messages::{Event, ExportRequest, LoadSource};
use super::training_job::RunningTraining;
use super::{UserError, WakeUp};
use crate::io::Series;
use crate::model::{Colorizer, DeviceChoice, GeneratorWeights, WeightsSource};
use crate::preprocess::EdgeRanges;
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{ColorSlice, CtVolume, SliceState};

/// Most memory that finished colours take: 680 slices of 512².
const CACHE_BYTES: usize = 512 << 20;

/// How long the news of a colour may wait that is not on screen.
const IDLE_NEWS: Duration = Duration::from_millis(200);

/// A series on screen, or on its way there.
pub(super) struct OpenSeries {
    pub(super) volume: Arc<CtVolume>,
    pub(super) gaze: Gaze,
    /// All slices are settled, or nobody reads any more.
    pub(super) is_read: bool,
    /// Slices that have no colour, and never will have with this generator.
    pub(super) colorless: BTreeSet<SliceIndex>,
}

/// What makes colours, as asked for.
#[derive(Clone)]
pub(super) enum GeneratorSource {
    Stored(WeightsSource),
    /// From a training that is going on.
    InMemory(Arc<GeneratorWeights>),
}

/// A generator as asked for.
#[derive(Clone)]
pub(super) struct GeneratorChoice {
    pub(super) source: GeneratorSource,
    pub(super) device: DeviceChoice,
}

/// What there is to colour with.
pub(super) enum GeneratorState {
    Starting,
    Ready(Arc<Colorizer>),
    Failed(UserError),
}

/// Headers to be read.
pub(super) struct ScanJob {
    pub(super) number: u64,
    pub(super) source: LoadSource,
    pub(super) cancel: CancelFlag,
}

/// Slices to be read.
pub(super) struct ReadJob {
    /// Of the scan that the series came from.
    pub(super) scan: u64,
    pub(super) series: Series,
    pub(super) start: SliceIndex,
    pub(super) cancel: CancelFlag,
}

/// Pictures to be written.
pub(super) struct ExportJob {
    pub(super) request: ExportRequest,
    pub(super) cancel: CancelFlag,
}

/// Everything behind one lock; nothing slow is done under it.
pub(super) struct Session {
    pub(super) is_closing: bool,
    /// Where the open series, or the one being scanned, came from.
    pub(super) source: Option<LoadSource>,
    pub(super) scanned: Vec<Series>,
    /// One of `scanned` has been asked for.
    pub(super) is_series_chosen: bool,
    pub(super) open: Option<OpenSeries>,
    pub(super) scan_number: u64,
    pub(super) series_number: u64,
    pub(super) colors_number: u64,
    pub(super) scan_job: Option<ScanJob>,
    pub(super) read_job: Option<ReadJob>,
    pub(super) export_job: Option<ExportJob>,
    pub(super) scan_cancel: Option<CancelFlag>,
    pub(super) read_cancel: Option<CancelFlag>,
    pub(super) export_cancel: Option<CancelFlag>,
    pub(super) cache: ColorCache,
    pub(super) edges: Option<EdgeRanges>,
    /// In use, or the first to be tried.
    pub(super) in_use: GeneratorChoice,
    /// Asked for and not tried yet.
    pub(super) wanted: Option<GeneratorChoice>,
    pub(super) generator: GeneratorState,
    pub(super) training: Option<RunningTraining>,
    /// What was in use before a training was applied; nothing when none is.
    pub(super) before_training: Option<WeightsSource>,
    /// The last weights in use that were no training's.
    pub(super) last_stored: WeightsSource,
}

impl Session {
    fn new() -> Self {
        let bundled =
            GeneratorChoice { source: GeneratorSource::Stored(WeightsSource::Bundled), device: DeviceChoice::Auto };
        Self {
            is_closing: false,
            source: None,
            scanned: Vec::new(),
            is_series_chosen: false,
            open: None,
            scan_number: 0,
            series_number: 0,
            colors_number: 0,
            scan_job: None,
            read_job: None,
            export_job: None,
            scan_cancel: None,
            read_cancel: None,
            export_cancel: None,
            cache: ColorCache::new(CACHE_BYTES),
            edges: None,
            in_use: bundled.clone(),
            wanted: Some(bundled),
            generator: GeneratorState::Starting,
            training: None,
            before_training: None,
            last_stored: WeightsSource::Bundled,
        }
    }

    /// The open series as it is, when it is still the one with this number.
    pub(super) fn open_series(&mut self, number: u64) -> Option<&mut OpenSeries> {
        if self.series_number == number { self.open.as_mut() } else { None }
    }

    /// Colours made so far are void. Says whether there were any.
    pub(super) fn drop_colors(&mut self) -> bool {
        let had_any = !self.cache.is_empty() || self.open.as_ref().is_some_and(|open| !open.colorless.is_empty());
        self.cache.clear();
        self.colors_number += 1;
        if let Some(open) = &mut self.open {
            // What could not be read stays unreadable.
            let volume = &open.volume;
            open.colorless.retain(|slice| matches!(volume.slice(*slice), SliceState::Missing(_)));
        }
        had_any
    }
}

/// What the workers and the door share.
pub(super) struct Shared {
    session: Mutex<Session>,
    changed: Condvar,
    pub(super) events: EventQueue,
    /// Threads that compute colours.
    pub(super) pool: rayon::ThreadPool,
    /// A window is drawn meanwhile.
    pub(super) has_window: bool,
}

impl Shared {
    pub(super) fn new(wake_up: WakeUp, pool: rayon::ThreadPool, has_window: bool) -> Self {
        Self {
            session: Mutex::new(Session::new()),
            changed: Condvar::new(),
            events: EventQueue::new(wake_up),
            pool,
            has_window,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes every worker to look whether there is something for it. Not to be called with the lock in hand.
    pub(super) fn announce(&self) {
        // Slices arrive without the lock: taking it here keeps the news from falling between a worker's look and its sleep.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Waits until `find` finds something to do; `None` when the engine closes.
    pub(super) fn wait_for<T>(&self, mut find: impl FnMut(&mut Session) -> Option<T>) -> Option<T> {
        let mut session = self.lock();
        loop {
            if session.is_closing {
                return None;
            }
            if let Some(found) = find(&mut session) {
                return Some(found);
            }
            session = self.changed.wait(session).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same, but `cancel` ends the wait too.
    pub(super) fn wait_unless<T>(
        &self,
        cancel: &CancelFlag,
        mut find: impl FnMut(&mut Session) -> Option<T>,
    ) -> Option<T> {
        /// A raised flag wakes nobody, so that it is looked at now and then.
        const LOOK: Duration = Duration::from_millis(50);
        let mut session = self.lock();
        loop {
            if session.is_closing || cancel.is_cancelled() {
                return None;
            }
            if let Some(found) = find(&mut session) {
                return Some(found);
            }
            session = self.changed.wait_timeout(session, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Keeps a finished colour, unless it belongs to what is gone, and tells of it.
    pub(super) fn keep_color(&self, number: u64, slice: SliceIndex, color: Arc<ColorSlice>) {
        let elapsed_secs = color.elapsed_secs;
        let (dropped, shown) = {
            let mut session = self.lock();
            if session.colors_number != number {
                return;
            }
            let shown = session.open.as_ref().map_or(slice, |open| open.gaze.slice);
            (session.cache.insert(slice, color, shown), shown)
        };
        // Colours made in idle time are only counted on screen: a frame for each would keep the machine busy.
        let at_most = if slice == shown { Duration::ZERO } else { IDLE_NEWS };
        self.events.push_within(at_most, Topic::Colors(number), Event::ColorReady { slice, elapsed_secs });
        for slice in dropped {
            self.events.push(Topic::Colors(number), Event::ColorDropped(slice));
        }
    }

    /// Tells that all colours are void, when there were any; from the reader's own thread or a worker's.
    pub(super) fn tell_colors_dropped(&self, number: u64, had_any: bool) {
        self.events.advance(Topic::Colors(number));
        if had_any {
            self.events.push_now(Topic::Colors(number), Event::ColorsDropped);
        }
        self.announce();
    }
}
