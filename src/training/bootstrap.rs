//! Confidence intervals that know that neighbouring millimetres are nearly one picture.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Seed;

/// Slices of one set within so many millimetres are drawn together.
pub const BLOCK_MM: f64 = 5.0;
/// Draws; the ends of a 95 % interval then wander by about a twentieth of its width.
const DRAWS: usize = 4000;
/// Ends of a 95 % interval.
const QUANTILES: [f64; 2] = [0.025, 0.975];

/// Mean and 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Mean over the slices.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Which slices are drawn together.
#[derive(Clone, Debug)]
pub struct Blocks {
    members: Vec<Vec<usize>>,
}

impl Blocks {
    /// Blocks of [`BLOCK_MM`] of each set. `places`: set and level of each slice.
    pub fn of_slices<'a>(places: impl Iterator<Item = (&'a str, f64)>) -> Self {
        let mut members: BTreeMap<(&str, i64), Vec<usize>> = BTreeMap::new();
        for (index, (set, level_mm)) in places.enumerate() {
            members.entry((set, (level_mm / BLOCK_MM).floor() as i64)).or_default().push(index);
        }
        Self { members: members.into_values().collect() }
    }

    /// Mean of `values` (one per slice) with a percentile bootstrap over the blocks. Equal seeds draw equal blocks, so
    /// methods measured on the same slices are compared on the same draws.
    pub fn interval(&self, values: &[f64], seed: Seed) -> Interval {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let sums: Vec<(f64, f64)> = self
            .members
            .iter()
            .map(|block| (block.iter().map(|&index| values[index]).sum(), block.len() as f64))
            .collect();
        let mut stream = seed.stream("bootstrap");
        let mut draw = || {
            let (sum, count) = (0..sums.len()).fold((0.0, 0.0), |(sum, count), _| {
                let (block_sum, block_count) = sums[stream.below(sums.len())];
                (sum + block_sum, count + block_count)
            });
            sum / f64::max(count, 1.0)
        };
        let mut means: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        means.sort_by(f64::total_cmp);
        let [low, high] = QUANTILES.map(|q| means[((DRAWS - 1) as f64 * q).round() as usize]);
        Interval { mean, low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_mean_and_shrinks_with_more_blocks() {
        let of = |count: usize| {
            let values: Vec<f64> = (0..count).map(|i| (i / 5 % 2) as f64).collect();
            Blocks::of_slices((0..count).map(|i| ("set", i as f64))).interval(&values, Seed(1))
        };
        let (few, many) = (of(40), of(400));
        assert!(few.low < few.mean && few.mean < few.high, "{few:?}");
        assert!(many.high - many.low < 0.5 * (few.high - few.low), "{few:?} {many:?}");
        // Binomial: standard error √(0.25 / 80) = 0.056, so the interval is 0.22 wide.
        assert!((many.high - many.low - 0.22).abs() < 0.03, "{many:?}");
    }

    #[test]
    fn slices_of_one_block_count_as_one_draw() {
        let blocks = Blocks::of_slices([("a", 0.0), ("a", 4.0), ("a", 5.0), ("b", 0.0)].into_iter());
        assert_eq!(blocks.members, [vec![0, 1], vec![2], vec![3]], "5 mm of one set");
    }
}
