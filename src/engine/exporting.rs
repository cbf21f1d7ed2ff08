//! Pictures and volumes of the open series, on their own thread; finished ones are not made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::UserError;
use super::coloring::{ColorTask, color};
use super::events::Topic;
use super::export_picture::{PictureMaker, content_of_all, stamp_of};
use super::messages::{ColorFailure, Event, ExportFormat, ExportRequest, LoadSource};
use super::session::{ExportJob, GeneratorState, Session, Shared};
use super::worker::guarded;
use crate::io::atomic_file::{WriteError, writable_folder};
use crate::io::nifti_rgb::{self, RgbVolumeWriter};
use crate::io::rgb_image::{Picture, Stamp, read_stamp, write_png};
use crate::preprocess::{PreprocessError, Recipe};
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{ColorSlice, CtSlice, CtVolume, SliceState};

/// Name of the volume in the export's folder.
pub(super) const VOLUME_NAME: &str = "ct2rgb_color.nii.gz";

/// Why an export is refused.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("nothing is open; open a series first")]
    NothingOpen,
    #[error("expected slices between 1 and {count}, found {first} to {last}")]
    Slices { count: usize, first: SliceIndex, last: SliceIndex },
    #[error("the folder holds the CT itself; choose another one for the pictures: {path:?}")]
    AmongOriginals { path: PathBuf },
    #[error("a file that is there already shows something else; choose another folder, or allow overwriting: {path:?}")]
    InTheWay { path: PathBuf },
    #[error("none of these slices could be read; choose others")]
    NothingRead,
    #[error("the series was closed before it was written; open it again")]
    Closed,
}

/// How an export ended early.
enum Halt {
    Cancelled,
    Failed(UserError),
}

impl From<ExportError> for Halt {
    fn from(error: ExportError) -> Self {
        Self::Failed(UserError::from(&error))
    }
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        Self::Failed(UserError::from(&error))
    }
}

impl From<UserError> for Halt {
    fn from(error: UserError) -> Self {
        Self::Failed(error)
    }
}

/// Writes exports, one after the other.
pub(super) fn export_loop(shared: &Shared) {
    while let Some(job) = shared.wait_for(|session| session.export_job.take()) {
        let _span = tracing::info_span!("export").entered();
        let event = match guarded(|| Export::begin(shared, &job).and_then(Export::write)) {
            Ok(Ok(done)) => done,
            Ok(Err(Halt::Cancelled)) => Event::ExportCancelled,
            Ok(Err(Halt::Failed(error))) | Err(error) => Event::ExportFailed(error),
        };
        shared.lock().export_cancel = None;
        shared.announce();
        shared.events.push(Topic::Program, event);
    }
}

/// An export under way.
struct Export<'a> {
    shared: &'a Shared,
    request: &'a ExportRequest,
    cancel: &'a CancelFlag,
    volume: Arc<CtVolume>,
    slices: Vec<SliceIndex>,
    written: usize,
    skipped: usize,
    failed: Vec<(SliceIndex, String)>,
}

impl<'a> Export<'a> {
    /// Checks the request before any work.
    fn begin(shared: &'a Shared, job: &'a ExportJob) -> Result<Self, Halt> {
        let request = &job.request;
        let (volume, source) = {
            let session = shared.lock();
            let open = session.open.as_ref().ok_or(ExportError::NothingOpen)?;
            (Arc::clone(&open.volume), session.source.clone())
        };
        let (first, last) = request.slices;
        if first > last || last.0 >= volume.slice_count() {
            let count = volume.slice_count();
            return Err(ExportError::Slices { count, first, last }.into());
        }
        refuse_originals(source.as_ref(), &request.folder)?;
        writable_folder(&request.folder)?;
        let slices = (first.0..=last.0).map(SliceIndex).collect();
        let cancel = &job.cancel;
        Ok(Self { shared, request, cancel, volume, slices, written: 0, skipped: 0, failed: Vec::new() })
    }

    fn write(mut self) -> Result<Event, Halt> {
        self.tell(0);
        let path = match self.request.format {
            ExportFormat::Png | ExportFormat::PngPanes => self.write_pictures()?,
            ExportFormat::Nifti => self.write_volume()?,
        };
        let Self { written, skipped, failed, .. } = self;
        Ok(Event::ExportFinished { path, written, skipped, failed })
    }

    fn tell(&self, done: usize) {
        let total = self.slices.len();
        self.shared.events.push(Topic::Program, Event::ExportProgress { done, total });
    }

    /// One picture a slice. The next slice is coloured while the last one is encoded.
    fn write_pictures(&mut self) -> Result<PathBuf, Halt> {
        let maker = self.picture_maker()?;
        let mut waiting: Option<Finished> = None;
        for (done, slice) in self.slices.clone().into_iter().enumerate() {
            let last = waiting.take();
            let (wrote, next) = std::thread::scope(|scope| {
                let encoder = std::thread::Builder::new().name("ct2rgb-encode".to_owned());
                let encode = || last.as_ref().map_or(Ok(()), Finished::write);
                let encoder = encoder.spawn_scoped(scope, encode);
                let next = self.next_picture(&maker, slice);
                match encoder.map(std::thread::ScopedJoinHandle::join) {
                    Ok(Ok(wrote)) => (wrote, next),
                    Ok(Err(panic)) => std::panic::resume_unwind(panic),
                    // No thread to be had: one after the other.
                    Err(_no_thread) => (encode(), next),
                }
            });
            wrote?;
            waiting = next?;
            self.tell(done);
        }
        if let Some(last) = waiting {
            last.write()?;
        }
        self.tell(self.slices.len());
        Ok(self.request.folder.clone())
    }

    fn next_picture(&mut self, maker: &PictureMaker, slice: SliceIndex) -> Result<Option<Finished>, Halt> {
        let Some(ct) = self.wait_for_slice(slice)? else { return Ok(None) };
        let task = self.wait_for_task(slice)?;
        let path = self.request.folder.join(format!("slice_{:04}.png", slice.0 + 1));
        let stamp = stamp_of(&task, maker.content(&ct));
        if self.is_finished(&path, read_stamp(&path).as_ref(), &stamp)? {
            self.skipped += 1;
            return Ok(None);
        }
        let Some(color) = self.color_of(&task) else { return Ok(None) };
        self.written += 1;
        Ok(Some(Finished { picture: maker.picture(slice, &ct, &color), stamp, path }))
    }

    /// One volume of all slices.
    fn write_volume(&mut self) -> Result<PathBuf, Halt> {
        let path = self.request.folder.join(VOLUME_NAME);
        for slice in self.slices.clone() {
            self.wait_for_slice(slice)?;
        }
        self.failed.clear();
        let first = self.slices.iter().copied().find(|slice| self.volume.ready_slice(*slice).is_some());
        let Some(first) = first else { return Err(ExportError::NothingRead.into()) };
        let stamp = stamp_of(&self.wait_for_task(first)?, content_of_all(&self.volume, &self.slices));
        if self.is_finished(&path, nifti_rgb::read_stamp(&path).as_ref(), &stamp)? {
            self.skipped = self.slices.len();
            return Ok(path);
        }
        let mut writer = RgbVolumeWriter::create(&path, self.volume.geometry(), self.request.slices, &stamp)?;
        for (done, slice) in self.slices.clone().into_iter().enumerate() {
            let color = match self.wait_for_slice(slice)? {
                Some(_) => self.color_of(&self.wait_for_task(slice)?),
                None => None,
            };
            writer.push(color.as_deref().map(|color| &color.rgb8[..]))?;
            self.written += usize::from(color.is_some());
            self.tell(done + 1);
        }
        writer.finish()?;
        Ok(path)
    }

    /// Whether the file is there as it would be written. One that shows something else (another scan, other weights) is not
    /// replaced unless that is asked for.
    fn is_finished(&self, path: &Path, found: Option<&Stamp>, wanted: &Stamp) -> Result<bool, ExportError> {
        match found {
            _ if self.request.is_overwriting => Ok(false),
            Some(found) if found == wanted => Ok(true),
            _ if path.exists() => Err(ExportError::InTheWay { path: path.to_owned() }),
            _ => Ok(false),
        }
    }

    /// A slice when it is read; `None`, and noted, when it cannot be.
    fn wait_for_slice(&mut self, slice: SliceIndex) -> Result<Option<CtSlice>, Halt> {
        let volume = Arc::clone(&self.volume);
        let state = self.shared.wait_unless(self.cancel, |session| match volume.slice(slice) {
            SliceState::Pending if session.is_reading(&volume) => None,
            state => Some(state),
        });
        match state.ok_or(Halt::Cancelled)? {
            SliceState::Ready(ct) => Ok(Some(ct)),
            SliceState::Missing(reason) => {
                self.failed.push((slice, reason.to_string()));
                Ok(None)
            }
            SliceState::Pending => {
                self.failed.push((slice, "was not read".to_owned()));
                Ok(None)
            }
        }
    }

    /// What it takes to colour a slice that is read, as soon as there is a generator.
    fn wait_for_task(&self, slice: SliceIndex) -> Result<ColorTask, Halt> {
        let found = self.shared.wait_unless(self.cancel, |session| match &session.generator {
            GeneratorState::Starting => None,
            GeneratorState::Failed(error) => Some(Err(error.clone())),
            GeneratorState::Ready(_) => session
                .wanted
                .is_none()
                .then(|| session.color_task(slice).ok_or_else(|| UserError::from(&ExportError::Closed))),
        });
        Ok(found.ok_or(Halt::Cancelled)??)
    }

    /// From the cache, or made now; a slice without a body is black. `None`, and noted, when it cannot be coloured.
    fn color_of(&mut self, task: &ColorTask) -> Option<Arc<ColorSlice>> {
        let kept = {
            let session = self.shared.lock();
            if session.colors_number == task.number { session.cache.get(task.slice) } else { None }
        };
        if kept.is_some() {
            return kept;
        }
        match color(self.shared, task) {
            Ok(color) => {
                let color = Arc::new(color);
                self.shared.keep_color(task.number, task.slice, Arc::clone(&color));
                Some(color)
            }
            Err(ColorFailure::Slice(reason)) if reason == PreprocessError::NoBody.to_string() => {
                Some(Arc::new(black(&task.ct)))
            }
            Err(ColorFailure::Slice(reason)) => {
                self.failed.push((task.slice, reason));
                None
            }
            Err(ColorFailure::Generator(error)) => {
                self.failed.push((task.slice, error.message));
                None
            }
        }
    }

    /// Panes show the same part of every slice: all bodies, so all slices are waited for.
    fn picture_maker(&mut self) -> Result<PictureMaker, Halt> {
        if self.request.format == ExportFormat::PngPanes {
            for slice in self.slices.clone() {
                self.wait_for_slice(slice)?;
            }
            self.failed.clear();
        }
        let recipe = self.wait_for_recipe()?;
        Ok(PictureMaker::new(self.request, Arc::clone(&self.volume), &self.slices, &recipe))
    }

    fn wait_for_recipe(&self) -> Result<Recipe, Halt> {
        let found = self.shared.wait_unless(self.cancel, |session| match &session.generator {
            GeneratorState::Starting => None,
            GeneratorState::Failed(error) => Some(Err(error.clone())),
            GeneratorState::Ready(colorizer) => session.wanted.is_none().then(|| Ok(colorizer.recipe().clone())),
        });
        Ok(found.ok_or(Halt::Cancelled)??)
    }
}

impl Session {
    fn is_reading(&self, volume: &Arc<CtVolume>) -> bool {
        self.open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.volume, volume) && !open.is_read)
    }
}

/// A picture that waits to be written.
struct Finished {
    picture: Picture,
    stamp: Stamp,
    path: PathBuf,
}

impl Finished {
    fn write(&self) -> Result<(), WriteError> {
        write_png(&self.path, &self.picture, &self.stamp)
    }
}

fn black(ct: &CtSlice) -> ColorSlice {
    let rgb8 = vec![0; ct.columns() * ct.rows() * 3].into();
    ColorSlice { columns: ct.columns(), rows: ct.rows(), rgb8, is_outside_training: false, elapsed_secs: 0.0 }
}

/// Pictures never go among the files that were opened.
fn refuse_originals(source: Option<&LoadSource>, folder: &Path) -> Result<(), Halt> {
    let Some(LoadSource::Path(opened)) = source else { return Ok(()) };
    let originals = if opened.is_dir() { Some(opened.as_path()) } else { None };
    let (Some(originals), Ok(folder_there)) = (originals, folder.canonicalize()) else { return Ok(()) };
    if originals.canonicalize().is_ok_and(|originals| folder_there == originals) {
        return Err(ExportError::AmongOriginals { path: folder.to_owned() }.into());
    }
    Ok(())
}
