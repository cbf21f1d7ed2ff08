//! How fast steps go.

use std::time::Instant;

/// Share of the older steps in the mean.
const KEEP: f32 = 0.9;

/// Running mean of the seconds of a step.
pub(super) struct Pace {
    started: Instant,
    mean_secs: Option<f32>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), mean_secs: None }
    }

    /// The time until now belongs to no step.
    pub(super) fn pause(&mut self) {
        self.started = Instant::now();
    }

    /// Seconds of the step that ends now.
    pub(super) fn step_done(&mut self) -> f32 {
        let secs = self.started.elapsed().as_secs_f32();
        self.started = Instant::now();
        self.mean_secs = Some(self.mean_secs.map_or(secs, |mean| KEEP * mean + (1.0 - KEEP) * secs));
        secs
    }

    /// Mean of the last steps.
    pub(super) fn secs_per_step(&self) -> f32 {
        self.mean_secs.unwrap_or_default()
    }
}
