//! CT volumes in HU, their place in the patient, and how grey is made of them.

mod color;
mod geometry;
mod series;
mod window;

pub use color::{BONE_EDGE_RGB8, ColorSlice, FAT_EDGE_RGB8, OUTSIDE_TRAINING_MARK, SYNTHETIC_MARK};
pub use geometry::{Geometry, GeometryError, OrientationLetters};
pub use series::{NamedWindow, PatientIdentity, SeriesInfo, SeriesKind, SeriesWarning};
pub use window::{WindowError, WindowLevel, WindowPreset, window_presets};

use std::sync::{Arc, OnceLock};

use crate::units::{SliceIndex, VoxelIndex};

/// One CT picture in HU, row by row. Rows and columns as stored; the size of a pixel is in [`Geometry`].
#[derive(Clone, Debug)]
pub struct CtSlice {
    columns: usize,
    rows: usize,
    values_hu: Arc<[i16]>,
}

impl CtSlice {
    /// # Panics
    /// When `values_hu` does not hold `columns · rows` values: readers check this before.
    pub fn new(columns: usize, rows: usize, values_hu: Arc<[i16]>) -> Self {
        assert_eq!(values_hu.len(), columns * rows, "a slice holds columns × rows values");
        Self { columns, rows, values_hu }
    }

    /// Pixels in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `rows · columns` values in HU, row by row.
    pub fn values_hu(&self) -> &[i16] {
        &self.values_hu
    }

    /// The same values, shared.
    pub fn shared_values_hu(&self) -> Arc<[i16]> {
        Arc::clone(&self.values_hu)
    }

    /// HU at a pixel, `None` outside the picture.
    pub fn value_hu(&self, column: usize, row: usize) -> Option<i16> {
        (column < self.columns).then(|| self.values_hu.get(row * self.columns + column).copied())?
    }
}

/// What is known of one slice of a volume that may still be loading.
#[derive(Clone, Debug)]
pub enum SliceState {
    /// Not read yet.
    Pending,
    /// Read and in HU.
    Ready(CtSlice),
    /// Could not be read: the reason, in plain words.
    Missing(Arc<str>),
}

/// A CT volume in HU. Slices arrive one by one, each exactly once, from any thread; readers never wait.
///
/// Axial slices run from head to feet, others along their normal.
#[derive(Debug)]
pub struct CtVolume {
    geometry: Geometry,
    slices: Vec<OnceLock<Result<CtSlice, Arc<str>>>>,
}

impl CtVolume {
    /// An empty volume whose slices are all pending.
    pub fn pending(geometry: Geometry) -> Self {
        let slices = (0..geometry.slices()).map(|_| OnceLock::new()).collect();
        Self { geometry, slices }
    }

    /// Lattice, spacing and orientation.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Number of slices, read or not.
    pub fn slice_count(&self) -> usize {
        self.slices.len()
    }

    /// What is known of a slice; `Pending` also for an index outside the volume.
    pub fn slice(&self, index: SliceIndex) -> SliceState {
        match self.slices.get(index.0).and_then(OnceLock::get) {
            None => SliceState::Pending,
            Some(Ok(slice)) => SliceState::Ready(slice.clone()),
            Some(Err(reason)) => SliceState::Missing(Arc::clone(reason)),
        }
    }

    /// The slice when it has been read.
    pub fn ready_slice(&self, index: SliceIndex) -> Option<&CtSlice> {
        self.slices.get(index.0)?.get()?.as_ref().ok()
    }

    /// HU of a voxel that has been read.
    pub fn value_hu(&self, voxel: VoxelIndex) -> Option<i16> {
        self.ready_slice(SliceIndex(voxel.slice))?.value_hu(voxel.column, voxel.row)
    }

    /// Number of slices that are no longer pending.
    pub fn settled_count(&self) -> usize {
        self.slices.iter().filter(|s| s.get().is_some()).count()
    }

    /// Puts a slice in its place. A second value for the same slice is ignored, and `false` says so.
    ///
    /// # Panics
    /// When the index or the size does not fit the geometry: readers check both.
    pub fn set_slice(&self, index: SliceIndex, content: Result<CtSlice, Arc<str>>) -> bool {
        if let Ok(slice) = &content {
            assert_eq!(
                (slice.columns(), slice.rows()),
                (self.geometry.columns(), self.geometry.rows()),
                "all slices of a volume have its size"
            );
        }
        self.slices[index.0].set(content).is_ok()
    }
}
