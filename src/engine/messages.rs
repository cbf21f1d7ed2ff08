//! What can be asked of the engine, and all that can happen: plain data.

use std::path::PathBuf;
use std::sync::Arc;

use super::UserError;
use super::training_messages::{TrainingControl, TrainingEvent, TrainingRequest};
use crate::model::{DeviceChoice, WeightsCard, WeightsSource};
use crate::preprocess::{EdgeRanges, Recipe};
use crate::units::SliceIndex;
use crate::volume::{CtVolume, SeriesInfo, SeriesWarning, WindowLevel};

/// Where a series comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadSource {
    /// The bundled sample, by its number from 0.
    Sample(usize),
    /// A file, folder, DICOMDIR or ZIP.
    Path(PathBuf),
}

/// Which way the user scrolls; colour runs ahead that way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Travel {
    /// Towards higher slice numbers.
    #[default]
    Forward,
    /// Towards lower slice numbers.
    Backward,
}

/// Files to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `slice_0001.png` …, 8-bit colour.
    Png,
    /// `slice_0001.png` … with grey, edges and colour side by side.
    PngPanes,
    /// One RGB24 volume.
    Nifti,
}

/// An export of the open series.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// Folder that is made if it does not exist; never one that holds the originals.
    pub folder: PathBuf,
    /// First and last slice, both included.
    pub slices: (SliceIndex, SliceIndex),
    /// What to write.
    pub format: ExportFormat,
    /// Grey window of the panes.
    pub window: WindowLevel,
    /// Edge ranges of the panes.
    pub edges: EdgeRanges,
    /// Write again what is already there.
    pub is_overwriting: bool,
}

/// A wish. Nothing here waits; what comes of it is told by [`Event`]s.
#[derive(Clone, Debug)]
pub enum Command {
    /// Read the headers of a source and open its largest series. What is open stays until the new series is there.
    Open(LoadSource),
    /// Open another series of the last scan, by [`SeriesInfo::number`].
    SelectSeries(usize),
    /// Stop scanning or loading; what is there stays.
    CancelLoading,
    /// The slice on screen: its colour comes first, then its neighbours in the direction of travel, then the rest.
    ShowSlice {
        /// The slice.
        slice: SliceIndex,
        /// Where the user is going.
        travel: Travel,
    },
    /// Use other weights; colours made with the old ones are dropped.
    UseWeights(WeightsSource),
    /// Use another device.
    UseDevice(DeviceChoice),
    /// Let the generator follow the user's edge ranges (`None`: the recipe's own, as trained).
    UseEdgesForColor(Option<EdgeRanges>),
    /// Write pictures of the open series.
    Export(ExportRequest),
    /// Stop the export; finished files stay.
    CancelExport,
    /// Start a training run; refused while one is running.
    StartTraining(Box<TrainingRequest>),
    /// Tell the training run something; nothing happens when none is running.
    ControlTraining(TrainingControl),
}

/// Why a slice has no colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColorFailure {
    /// The slice itself could not be read, or shows no body.
    Slice(String),
    /// The generator cannot run.
    Generator(UserError),
}

/// Something that happened. Events of a series that is no longer open are never delivered.
#[derive(Clone, Debug)]
pub enum Event {
    /// Headers are being read; so many files so far.
    Scanning {
        /// Files looked at.
        files: usize,
    },
    /// The headers have been read.
    SeriesListed {
        /// What was found, the series that will be opened first.
        series: Vec<SeriesInfo>,
        /// About files that belong to no series.
        warnings: Vec<SeriesWarning>,
    },
    /// A series is open; its slices arrive from now on, the middle first.
    SeriesOpened {
        /// What a person is told about it.
        info: Box<SeriesInfo>,
        /// Fills while it loads.
        volume: Arc<CtVolume>,
        /// A good slice to start with.
        start: SliceIndex,
    },
    /// A slice has been read (or is `Missing` in the volume).
    SliceRead(SliceIndex),
    /// All slices are settled. More may be known now than the headers said.
    LoadingFinished {
        /// Found while reading pixels.
        warnings: Vec<SeriesWarning>,
        /// Seconds from opening the series.
        elapsed_secs: f32,
    },
    /// Nothing new was opened; what was open stays.
    LoadingFailed(UserError),
    /// Loading was cancelled by the user.
    LoadingCancelled,
    /// A generator is ready.
    GeneratorReady {
        /// Its card.
        card: Arc<WeightsCard>,
        /// Its recipe.
        recipe: Recipe,
        /// `CPU`, or the GPU's name.
        device_name: String,
        /// Why it is not the device one would expect.
        device_note: Option<String>,
    },
    /// The weights or the device cannot be used; what was in use stays in use.
    GeneratorFailed(UserError),
    /// [`super::Engine::color_slice`] has this slice now.
    ColorReady {
        /// The slice.
        slice: SliceIndex,
        /// Seconds for preprocessing, generator and the way back.
        elapsed_secs: f32,
    },
    /// This slice has no colour, and why.
    ColorFailed {
        /// The slice.
        slice: SliceIndex,
        /// The reason.
        reason: ColorFailure,
    },
    /// The colour of this slice made room for others; it is made again when it comes near the screen.
    ColorDropped(SliceIndex),
    /// All colours made so far are void (other weights, device or ranges).
    ColorsDropped,
    /// So many slices of the export are written.
    ExportProgress {
        /// Slices written or found finished.
        done: usize,
        /// Slices asked for.
        total: usize,
    },
    /// The export is complete.
    ExportFinished {
        /// Folder or file.
        path: PathBuf,
        /// Files written now.
        written: usize,
        /// Files that were there already.
        skipped: usize,
        /// Slices without a picture, and why.
        failed: Vec<(SliceIndex, String)>,
    },
    /// The export stopped; finished files stay.
    ExportFailed(UserError),
    /// The export was cancelled by the user; finished files stay.
    ExportCancelled,
    /// News of the training run.
    Training(TrainingEvent),
}
