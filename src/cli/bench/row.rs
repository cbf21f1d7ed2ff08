//! Lines of a measurement: for people, or one JSON object each.

use std::time::Instant;

use serde::Serialize;

use crate::cli::console::print;
use crate::model::bench::BenchRow;

/// Writes lines to standard output as they come.
pub(super) struct RowPrinter {
    is_json: bool,
    failure: Option<anyhow::Error>,
}

impl RowPrinter {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, failure: None }
    }

    /// One line. A failure is kept for [`Self::outcome`]: the measurement that calls this goes on.
    pub(super) fn print(&mut self, row: &impl Serialize, words: &str) {
        let line =
            if self.is_json { serde_json::to_string(row).map_err(anyhow::Error::from) } else { Ok(words.into()) };
        if let Err(error) = line.and_then(|line: String| print(&(line + "\n"))) {
            self.failure.get_or_insert(error);
        }
    }

    /// Whether all lines could be written.
    pub(super) fn outcome(&mut self) -> anyhow::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// Seconds of runs, sorted; never empty.
#[derive(Clone, Debug)]
pub(super) struct Seconds(Vec<f64>);

impl Seconds {
    /// Times `work`, after one run that is not counted.
    pub(super) fn of(runs: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        work()?;
        let mut secs = Vec::with_capacity(runs.max(1));
        for _ in 0..runs.max(1) {
            let started = Instant::now();
            work()?;
            secs.push(started.elapsed().as_secs_f64());
        }
        Ok(Self::sorted(secs))
    }

    /// # Panics
    /// When there is none.
    pub(super) fn sorted(mut secs: Vec<f64>) -> Self {
        assert!(!secs.is_empty(), "a measurement has runs");
        secs.sort_by(f64::total_cmp);
        Self(secs)
    }

    pub(super) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub(super) fn least(&self) -> f64 {
        self.0[0]
    }

    /// `17.4 ms (least 17.0)`.
    pub(super) fn words(&self) -> String {
        median_words(self.median(), self.least())
    }
}

fn median_words(median: f64, least: f64) -> String {
    if median < 1.0 {
        format!("{:.1} ms (least {:.1})", median * 1e3, least * 1e3)
    } else {
        format!("{median:.2} s (least {least:.2})")
    }
}

/// A row of the generator's bench for people.
pub(super) fn generator_words(row: &BenchRow) -> String {
    format!(
        "{}, {} base channels, {}², batch {}, {}, {}: {}; {:.0} GFLOP/s, {:.0} % of this machine's matrix peak",
        row.what,
        row.base_channels,
        row.size,
        row.batch,
        thread_words(row.threads),
        row.with,
        median_words(row.secs, row.least_secs),
        row.gflop_per_sec,
        row.peak_share * 100.0
    )
}

/// `1 thread`, `2 threads`.
pub(super) fn thread_words(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_least_are_given() {
        let secs = Seconds::sorted(vec![0.030, 0.010, 0.020]);
        assert_eq!(secs.words(), "20.0 ms (least 10.0)");
        assert_eq!(Seconds::sorted(vec![2.5]).words(), "2.50 s (least 2.50)");
    }
}
