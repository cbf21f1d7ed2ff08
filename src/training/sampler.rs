//! In which order slices are seen, and how each is varied: seeded, and resumed exactly.

use serde::{Deserialize, Serialize};

use super::augment::{Augmentation, Variation};
use super::config::TrainConfig;
use super::pairs::PairRow;
use crate::model::weights::sha256_hex;
use crate::model::{RandomStream, Seed, StreamState};

/// A slice to train on, by its place in the data set, and how to vary it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// Place in the data set.
    pub index: usize,
    /// What is done to it.
    pub variation: Variation,
}

/// Draws slices: every slice once before any comes again.
#[derive(Clone, Debug)]
pub struct Sampler {
    batch: usize,
    limits: Augmentation,
    /// Slices of this epoch in their order.
    order: Vec<u32>,
    /// The next in `order`.
    position: usize,
    shuffle: RandomStream,
    augment: RandomStream,
    /// Says which slices they are; empty when nobody said.
    identity: String,
}

/// A sampler on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SamplerState {
    order: Vec<u32>,
    position: usize,
    shuffle: StreamState,
    augment: StreamState,
    /// Missing in the first checkpoints.
    #[serde(default)]
    identity: String,
}

impl Sampler {
    /// Over `count` slices; `count` must not be 0.
    pub fn new(config: &TrainConfig, count: usize) -> Self {
        let seed = Seed(config.seed);
        Self {
            batch: config.batch,
            limits: config.augmentation.clone(),
            order: (0..count as u32).collect(),
            position: count,
            shuffle: seed.stream("order"),
            augment: seed.stream("augment"),
            identity: String::new(),
        }
    }

    /// Over these rows, and no others: a run must not go on over other ones, nor train on what it held out.
    pub fn of_rows(config: &TrainConfig, training: &[PairRow], held_out: &[PairRow]) -> Self {
        let words = |row: &PairRow| format!("{}\t{}\t{:.6}\n", row.set, row.slice, row.level_mm);
        let words = |rows: &[PairRow]| rows.iter().map(words).collect::<String>();
        let identity = sha256_hex(format!("{}\n{}", words(training), words(held_out)).as_bytes());
        Self { identity, ..Self::new(config, training.len()) }
    }

    /// Slices for the next step.
    pub fn next_picks(&mut self) -> Vec<Pick> {
        (0..self.batch).map(|_| self.next_pick()).collect()
    }

    fn next_pick(&mut self) -> Pick {
        if self.position >= self.order.len() {
            // Fisher and Yates, from the last to the first.
            for last in (1..self.order.len()).rev() {
                self.order.swap(last, self.shuffle.below(last + 1));
            }
            self.position = 0;
        }
        let index = self.order[self.position] as usize;
        self.position += 1;
        Pick { index, variation: Variation::draw(&self.limits, &mut self.augment) }
    }

    /// Where it stands.
    pub fn state(&self) -> SamplerState {
        SamplerState {
            order: self.order.clone(),
            position: self.position,
            shuffle: self.shuffle.state(),
            augment: self.augment.state(),
            identity: self.identity.clone(),
        }
    }

    /// Goes on where `state` was taken, if it was taken over as many slices; says what is wrong otherwise.
    pub fn restore(&mut self, state: &SamplerState) -> Result<(), String> {
        let mut sorted = state.order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.order.len() as u32) {
            return Err(format!(
                "it was made with {} training slices, now there are {}",
                sorted.len(),
                self.order.len()
            ));
        }
        let are_known = !self.identity.is_empty() && !state.identity.is_empty();
        if are_known && self.identity != state.identity {
            return Err(
                "it was made with other slices to train on or to hold out; use the same table and split".to_owned()
            );
        }
        self.order.clone_from(&state.order);
        self.position = state.position;
        self.shuffle = RandomStream::resumed(&state.shuffle);
        self.augment = RandomStream::resumed(&state.augment);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler() -> Sampler {
        Sampler::new(&TrainConfig { batch: 3, ..TrainConfig::default() }, 7)
    }

    #[test]
    fn every_slice_comes_once_in_an_epoch() {
        let mut sampler = sampler();
        let mut seen: Vec<_> = (0..7).flat_map(|_| sampler.next_picks()).map(|pick| pick.index).collect();
        for epoch in seen.chunks_mut(7) {
            epoch.sort_unstable();
            assert_eq!(epoch, [0, 1, 2, 3, 4, 5, 6], "an epoch");
        }
    }

    #[test]
    fn a_restored_sampler_goes_on_where_it_stood() {
        let mut one = sampler();
        one.next_picks();
        let text = serde_json::to_string(&one.state()).unwrap();
        let mut other = sampler();
        other.restore(&serde_json::from_str(&text).unwrap()).unwrap();
        for _ in 0..5 {
            assert_eq!(one.next_picks(), other.next_picks(), "the same slices and variations");
        }
    }

    #[test]
    fn a_state_of_other_data_is_refused() {
        let mut fewer = Sampler::new(&TrainConfig::default(), 5);
        assert!(fewer.restore(&sampler().state()).unwrap_err().contains('7'), "seven slices then");
    }
}
