//! Means over a split, with intervals: the rows of the paper's tables.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measurement::Measurement;
use super::method::Method;
use super::scores::{Metric, Scores};
use crate::model::Seed;
use crate::training::bootstrap::{Blocks, Interval};
use crate::training::pairs::PairRow;

/// Draws of the bootstrap; the same for all methods, so that they are compared on the same draws.
const BOOTSTRAP_SEED: Seed = Seed(1);

/// What was measured over a split.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the split in the table.
    pub split: String,
    /// Slices in it.
    pub slices: usize,
    /// In the order in which they were given, baselines first.
    pub methods: Vec<MethodReport>,
    /// Mean lattice of the photographs themselves, in 8-bit levels: what a picture without a pattern has.
    pub lattice_of_photographs: Option<f64>,
    /// Each generator against the first.
    pub differences: Vec<Difference>,
    /// What a reader of the figures must know, in sentences without a full stop.
    pub notes: Vec<String>,
}

/// What was measured of a method.
#[derive(Clone, Debug, Serialize)]
pub struct MethodReport {
    /// Its name in tables.
    pub name: String,
    /// Where its weights come from; `null` for a baseline.
    pub weights: Option<String>,
    /// Width and height of the grid that it was measured on.
    pub grid: usize,
    /// Means over the slices.
    #[serde(flatten)]
    pub means: Scores,
    /// Mean and 95 % interval by metric.
    pub intervals: BTreeMap<&'static str, Interval>,
    /// Means over each set of the table.
    pub sets: BTreeMap<String, SetReport>,
}

/// Means over the slices of one set.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SetReport {
    /// Slices of the split in the set.
    pub slices: usize,
    /// Means.
    #[serde(flatten)]
    pub means: Scores,
}

/// A generator against the first: mean over the slices of its score less the other's, with the interval of that.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The generator.
    pub name: String,
    /// The first generator.
    pub from: String,
    /// By metric; an interval without 0 is a difference that another draw of slabs would show too.
    #[serde(flatten)]
    pub by_metric: BTreeMap<&'static str, Interval>,
}

impl Report {
    /// Sums up a measurement of these methods.
    pub fn new(split: &str, methods: &[Method], measurement: &Measurement, notes: Vec<String>) -> Self {
        let of_method = |(method, scores): (&Method, &Vec<Scores>)| MethodReport {
            name: method.name().to_owned(),
            weights: method.weights().map(str::to_owned),
            grid: method.recipe().size,
            means: Scores::mean(scores),
            intervals: intervals(&measurement.rows, |metric, slice| scores[slice].get(metric)),
            sets: by_set(measurement, scores),
        };
        Self {
            split: split.to_owned(),
            slices: measurement.rows.len(),
            methods: methods.iter().zip(&measurement.scores).map(of_method).collect(),
            lattice_of_photographs: measurement.lattice_of_photographs,
            differences: differences(methods, measurement),
            notes,
        }
    }

    /// The best mean of a metric, when there is something to compare.
    pub fn best(&self, metric: Metric) -> Option<f64> {
        let means = self.methods.iter().filter_map(|method| method.means.get(metric));
        let best = if metric.is_likeness() { means.max_by(f64::total_cmp) } else { means.min_by(f64::total_cmp) };
        best.filter(|_| self.methods.len() > 1)
    }
}

/// By metric, over the slices that have it.
fn intervals(rows: &[PairRow], score: impl Fn(Metric, usize) -> Option<f64>) -> BTreeMap<&'static str, Interval> {
    let of_metric = |metric: Metric| {
        let measured = rows.iter().enumerate().filter_map(|(slice, row)| Some((row, score(metric, slice)?)));
        let (rows, values): (Vec<&PairRow>, Vec<f64>) = measured.unzip();
        let blocks = Blocks::of_slices(rows.iter().map(|row| (row.set.as_str(), row.level_mm)));
        (!values.is_empty()).then(|| (metric.key(), blocks.interval(&values, BOOTSTRAP_SEED)))
    };
    Metric::ALL.into_iter().filter_map(of_metric).collect()
}

fn by_set(measurement: &Measurement, scores: &[Scores]) -> BTreeMap<String, SetReport> {
    let mut members: BTreeMap<&str, Vec<&Scores>> = BTreeMap::new();
    for (row, scores) in measurement.rows.iter().zip(scores) {
        members.entry(&row.set).or_default().push(scores);
    }
    let report = |scores: Vec<&Scores>| SetReport { slices: scores.len(), means: Scores::mean(scores.iter().copied()) };
    members.into_iter().map(|(set, scores)| (set.to_owned(), report(scores))).collect()
}

fn differences(methods: &[Method], measurement: &Measurement) -> Vec<Difference> {
    let mut generators = methods.iter().zip(&measurement.scores).filter(|(method, _)| method.weights().is_some());
    let Some((first, of_first)) = generators.next() else { return Vec::new() };
    let difference = |(method, scores): (&Method, &Vec<Scores>)| {
        let less = |metric, slice: usize| Some(scores[slice].get(metric)? - of_first.get(slice)?.get(metric)?);
        Difference {
            name: method.name().to_owned(),
            from: first.name().to_owned(),
            by_metric: intervals(&measurement.rows, less),
        }
    };
    // On another grid the same slice has other pixels: nothing to subtract.
    generators.filter(|(method, _)| method.recipe().size == first.recipe().size).map(difference).collect()
}
