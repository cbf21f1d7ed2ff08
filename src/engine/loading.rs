//! Headers on one thread, slices on another: a path that cannot be opened disturbs nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::UserError;
use super::color_queue::Gaze;
use super::events::Topic;
use super::messages::{ColorFailure, Event, LoadSource, Travel};
use super::sample::SAMPLES;
use super::session::{OpenSeries, ReadJob, ScanJob, Session, Shared};
use super::worker::guarded;
use crate::io::{LoadError, ReadRequest, Scan, scan};
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{CtVolume, SeriesWarning, SliceState};

/// Reads headers, the newest request first.
pub(super) fn scan_loop(shared: &Shared) {
    while let Some(job) = shared.wait_for(|session| session.scan_job.take()) {
        let _span = tracing::info_span!("scan").entered();
        let topic = Topic::Scan(job.number);
        let outcome = guarded(|| scan_source(shared, &job));
        let event = match outcome {
            Ok(Ok(scan)) => {
                list(shared, &job, scan);
                continue;
            }
            Ok(Err(LoadError::Cancelled)) => Event::LoadingCancelled,
            Ok(Err(error)) => Event::LoadingFailed(UserError::from(&error)),
            Err(error) => Event::LoadingFailed(error),
        };
        shared.events.push(topic, event);
    }
}

fn scan_source(shared: &Shared, job: &ScanJob) -> Result<Scan, LoadError> {
    match &job.source {
        LoadSource::Sample(index) => SAMPLES[(*index).min(SAMPLES.len() - 1)].scan(),
        LoadSource::Path(path) => scan(path, &job.cancel, &|files| {
            shared.events.push(Topic::Scan(job.number), Event::Scanning { files });
        }),
    }
}

/// Tells what was found, and asks for the largest series.
fn list(shared: &Shared, job: &ScanJob, scan: Scan) {
    let infos = scan.series.iter().map(|series| series.info().clone()).collect();
    {
        let mut session = shared.lock();
        if session.scan_number != job.number {
            return;
        }
        session.scanned = scan.series;
        session.source = Some(job.source.clone());
        session.is_series_chosen = false;
    }
    // Told before anything is read: whoever hears of it may choose another series at once.
    shared.events.push(Topic::Scan(job.number), Event::SeriesListed { series: infos, warnings: scan.warnings });
    let mut session = shared.lock();
    if session.scan_number == job.number && !session.is_series_chosen {
        session.read_first(0);
    }
    drop(session);
    shared.announce();
}

impl Session {
    /// Asks for a series of the last scan by its place in it; false when there is none.
    pub(super) fn read_first(&mut self, index: usize) -> bool {
        let Some(series) = self.scanned.get(index).cloned() else { return false };
        let start = match (&self.source, index) {
            (Some(LoadSource::Sample(sample)), 0) => SAMPLES.get(*sample).map(|sample| sample.start),
            _ => None,
        };
        let slices = series.geometry().slices();
        let start = start.unwrap_or(SliceIndex(slices / 2)).min(SliceIndex(slices.saturating_sub(1)));
        let cancel = CancelFlag::new();
        if let Some(old) = self.read_cancel.replace(cancel.clone()) {
            old.cancel();
        }
        self.is_series_chosen = true;
        self.read_job = Some(ReadJob { scan: self.scan_number, series, start, cancel });
        true
    }
}

/// Reads slices, of the newest request only.
pub(super) fn read_loop(shared: &Shared) {
    while let Some(job) = shared.wait_for(|session| session.read_job.take()) {
        let _span = tracing::info_span!("read", slices = job.series.geometry().slices()).entered();
        let volume = job.series.pending_volume();
        let Some(number) = open(shared, &job, &volume) else { continue };
        let started = Instant::now();
        let on_slice = |slice| slice_read(shared, number, &volume, slice);
        let request = ReadRequest { first: job.start, cancel: &job.cancel, on_slice: &on_slice };
        let outcome = guarded(|| job.series.read_into(&volume, &request));
        if let Some(open) = shared.lock().open_series(number) {
            open.is_read = true;
        }
        shared.announce();
        let event = match outcome {
            Ok(Ok(warnings)) => finished(warnings, started),
            // Another series takes its place: nobody asked to stop.
            Ok(Err(LoadError::Cancelled)) if shared.lock().read_job.is_some() => continue,
            Ok(Err(LoadError::Cancelled)) => Event::LoadingCancelled,
            // The series is open: what was read stays, and the reason is told.
            Ok(Err(error)) => Event::LoadingFailed(UserError::from(&error)),
            Err(error) => Event::LoadingFailed(error),
        };
        shared.events.push(Topic::Series(number), event);
    }
}

fn finished(warnings: Vec<SeriesWarning>, started: Instant) -> Event {
    Event::LoadingFinished { warnings, elapsed_secs: started.elapsed().as_secs_f32() }
}

/// Puts the series in place of the one that was open; `None` when another was asked for meanwhile.
fn open(shared: &Shared, job: &ReadJob, volume: &Arc<CtVolume>) -> Option<u64> {
    let info = job.series.info().clone();
    let (number, colors) = {
        let mut session = shared.lock();
        if session.scan_number != job.scan || job.cancel.is_cancelled() {
            return None;
        }
        session.series_number += 1;
        session.open = Some(OpenSeries {
            volume: Arc::clone(volume),
            gaze: Gaze { slice: job.start, travel: Travel::Forward },
            is_read: false,
            colorless: BTreeSet::new(),
        });
        session.drop_colors();
        if let Some(export) = session.export_cancel.take() {
            export.cancel();
        }
        (session.series_number, session.colors_number)
    };
    shared.events.advance(Topic::Series(number));
    shared.events.advance(Topic::Colors(colors));
    let opened = Event::SeriesOpened { info: Box::new(info), volume: Arc::clone(volume), start: job.start };
    shared.events.push(Topic::Series(number), opened);
    Some(number)
}

fn slice_read(shared: &Shared, number: u64, volume: &CtVolume, slice: SliceIndex) {
    shared.events.push(Topic::Series(number), Event::SliceRead(slice));
    if let SliceState::Missing(reason) = volume.slice(slice) {
        if let Some(open) = shared.lock().open_series(number) {
            open.colorless.insert(slice);
        }
        let reason = ColorFailure::Slice(reason.to_string());
        shared.events.push(Topic::Series(number), Event::ColorFailed { slice, reason });
    }
    shared.announce();
}
