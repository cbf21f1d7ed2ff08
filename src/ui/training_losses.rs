//! Losses of a run, thinned: as many points as a plot can show, however long the run.

use crate::training::StepReport;

/// Losses that the plot shows, in this order.
pub const LOSS_NAMES: [&str; 6] =
    ["L1", "perceptual", "adversarial", "discriminator, real", "discriminator, made", "perceptual, of a part"];

/// Means over some steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossPoint {
    /// The last step.
    pub step: u64,
    /// In the order of [`LOSS_NAMES`].
    pub losses: [f32; 6],
}

/// Losses of a run.
#[derive(Clone, Debug)]
pub struct LossHistory {
    points: Vec<LossPoint>,
    /// Steps that one point stands for.
    steps_per_point: u32,
    sums: [f64; 6],
    summed: u32,
}

impl Default for LossHistory {
    fn default() -> Self {
        Self { points: Vec::new(), steps_per_point: 1, sums: [0.0; 6], summed: 0 }
    }
}

impl LossHistory {
    /// With more points than this, neighbours become one.
    const MOST_POINTS: usize = 512;

    /// Takes in a step.
    pub fn push(&mut self, report: &StepReport) {
        let losses = [
            report.loss_g_rec,
            report.loss_g_perc,
            report.loss_g_adversarial,
            report.loss_d_real,
            report.loss_d_fake,
            report.loss_g_part,
        ];
        for (sum, loss) in self.sums.iter_mut().zip(losses) {
            *sum += f64::from(loss);
        }
        self.summed += 1;
        if self.summed >= self.steps_per_point {
            let losses = self.sums.map(|sum| (sum / f64::from(self.summed)) as f32);
            self.points.push(LossPoint { step: report.step, losses });
            (self.sums, self.summed) = ([0.0; 6], 0);
        }
        if self.points.len() >= Self::MOST_POINTS {
            self.points = self.points.as_chunks::<2>().0.iter().map(|&[first, second]| merged(first, second)).collect();
            self.steps_per_point *= 2;
        }
    }

    /// Means so far, in order of their steps.
    pub fn points(&self) -> &[LossPoint] {
        &self.points
    }

    /// Back to an earlier step.
    pub fn forget_after(&mut self, step: u64) {
        self.points.retain(|point| point.step <= step);
        (self.sums, self.summed) = ([0.0; 6], 0);
    }
}

fn merged(first: LossPoint, second: LossPoint) -> LossPoint {
    LossPoint { step: second.step, losses: std::array::from_fn(|k| first.losses[k].midpoint(second.losses[k])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: u64) -> StepReport {
        StepReport { step, loss_g_rec: step as f32, loss_d_fake: 0.25, ..StepReport::default() }
    }

    #[test]
    fn a_long_run_keeps_few_points_with_the_means_of_their_steps() {
        let mut history = LossHistory::default();
        for step in 1..=100_000 {
            history.push(&report(step));
        }
        let points = history.points();
        assert!((200..512).contains(&points.len()), "{} points", points.len());
        assert!(points.iter().all(|point| (point.losses[4] - 0.25).abs() < 1e-6), "a constant stays");
        let spacing = points[1].step - points[0].step;
        let (last, middle) = (points[points.len() - 1], spacing as f32 / 2.0);
        assert!((last.losses[0] - (last.step as f32 - middle)).abs() < 1.0, "{last:?}, {spacing} steps apart");
    }

    #[test]
    fn going_back_forgets_what_came_after() {
        let mut history = LossHistory::default();
        (1..=20).for_each(|step| history.push(&report(step)));
        history.forget_after(12);
        history.push(&report(13));
        let steps: Vec<u64> = history.points().iter().map(|point| point.step).collect();
        assert_eq!(steps, (1..=13).collect::<Vec<_>>());
    }
}
