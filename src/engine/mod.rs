//! The one door for the command line and the viewer: commands in, events out.

mod messages;
mod training_messages;
pub mod training_run;

pub use messages::{ColorFailure, Command, Event, ExportFormat, ExportRequest, LoadSource, Travel, UserError};
pub use training_messages::{
    HeldOutMetrics, TrainingControl, TrainingEvent, TrainingPreview, TrainingRequest, TrainingStart,
};

use std::sync::Arc;

use crate::units::SliceIndex;
use crate::volume::ColorSlice;

/// Called from worker threads whenever an event waits: the viewer asks for a frame.
pub type WakeUp = Arc<dyn Fn() + Send + Sync>;

/// Workers, queues and the colour cache.
pub struct Engine {}

impl Engine {
    /// Starts the workers. `wake_up` is called whenever an event waits.
    pub fn start(_wake_up: WakeUp) -> Self {
        unimplemented!()
    }

    /// Hands a wish to the workers; never waits.
    pub fn send(&self, _command: Command) {
        unimplemented!()
    }

    /// The next thing that happened, if anything did; never waits.
    pub fn try_next_event(&self) -> Option<Event> {
        unimplemented!()
    }

    /// The colour of a slice of the open series under the present weights and ranges, when it is ready; never waits long.
    pub fn color_slice(&self, _slice: SliceIndex) -> Option<Arc<ColorSlice>> {
        unimplemented!()
    }
}
