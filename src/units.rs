//! Positions on the voxel lattice, in the units and order that the rest of the program uses.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// CT value of air: what padding, the outside of the scan field and the outside of the body are painted with.
pub const AIR_HU: i16 = -1000;

/// Position of a slice in its volume, from 0. Shown to people from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceIndex(pub usize);

impl fmt::Display for SliceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 + 1)
    }
}

/// A lattice point. Voxels are stored slice by slice, row by row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoxelIndex {
    /// From the left edge of the stored picture, from 0.
    pub column: usize,
    /// From the top edge of the stored picture, from 0.
    pub row: usize,
    /// From the first slice, from 0.
    pub slice: usize,
}

/// Asks long work to stop. Cheap to clone; once raised it stays raised.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag {
    is_raised: Arc<AtomicBool>,
    is_noticed: Arc<AtomicBool>,
}

impl CancelFlag {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work that holds this flag to stop.
    pub fn cancel(&self) {
        self.is_raised.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        let is_raised = self.is_raised.load(Ordering::Relaxed);
        if is_raised {
            self.is_noticed.store(true, Ordering::Relaxed);
        }
        is_raised
    }

    /// For signal handlers, which can do no more than raise or read an `AtomicBool`: the flag itself, and whether anyone has seen it raised.
    pub fn for_signals(&self) -> (Arc<AtomicBool>, Arc<AtomicBool>) {
        (Arc::clone(&self.is_raised), Arc::clone(&self.is_noticed))
    }
}
