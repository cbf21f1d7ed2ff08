//! One seed, named streams: the same numbers on every machine, and a new stream never moves an old one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The one seed of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream with this name, from its beginning.
    pub fn stream(self, name: &str) -> RandomStream {
        let mut hasher = Sha256::new();
        hasher.update(self.0.to_le_bytes());
        hasher.update(name.as_bytes());
        RandomStream { rng: ChaCha8Rng::from_seed(hasher.finalize().into()) }
    }
}

/// A stream of random numbers that can be saved and resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomStream {
    rng: ChaCha8Rng,
}

/// Where a stream stands; enough to go on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    key: [u8; 32],
    /// 32-bit words drawn so far; 68 bits in all, so in two parts.
    word_high: u64,
    word_low: u64,
}

impl RandomStream {
    /// A stream that goes on where `state` was taken.
    pub fn resumed(state: &StreamState) -> Self {
        let mut rng = ChaCha8Rng::from_seed(state.key);
        rng.set_word_pos((u128::from(state.word_high) << 64) | u128::from(state.word_low));
        Self { rng }
    }

    /// Where the stream stands now.
    pub fn state(&self) -> StreamState {
        let word = self.rng.get_word_pos();
        StreamState { key: self.rng.get_seed(), word_high: (word >> 64) as u64, word_low: word as u64 }
    }

    /// Uniform in [0, 1), 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low .. high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0 .. count`; `count` must not be 0.
    pub fn below(&mut self, count: usize) -> usize {
        // The bias of the remainder is below 2⁻³² for any count in use here.
        (self.rng.next_u64() % count.max(1) as u64) as usize
    }

    /// Standard normal, by Box and Muller's transform.
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.unit())).cos()) as f32
    }

    /// `count` values of a normal distribution.
    pub fn normals(&mut self, count: usize, mean: f32, deviation: f32) -> Vec<f32> {
        (0..count).map(|_| mean + deviation * self.normal()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_with_different_names_differ_and_repeat() {
        let draw = |name: &str| Seed(7).stream(name).normals(4, 0.0, 1.0);
        assert_eq!(draw("dropout"), draw("dropout"), "same name, same numbers");
        assert_ne!(draw("dropout"), draw("generator-init"), "another name, other numbers");
        assert_ne!(draw("dropout"), Seed(8).stream("dropout").normals(4, 0.0, 1.0), "another seed, other numbers");
    }

    #[test]
    fn a_resumed_stream_goes_on_where_it_stood() {
        let mut stream = Seed(1).stream("order");
        stream.normals(5, 0.0, 1.0);
        let text = serde_json::to_string(&stream.state()).unwrap();
        let mut resumed = RandomStream::resumed(&serde_json::from_str(&text).unwrap());
        assert_eq!(stream.normals(9, 0.0, 1.0), resumed.normals(9, 0.0, 1.0), "numbers after the pause");
    }

    #[test]
    fn normals_have_the_asked_mean_and_deviation() {
        let values = Seed(3).stream("check").normals(20_000, 1.0, 0.02);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        // Four standard errors: 0.02 / √20000 · 4 and 0.02 / √40000 · 4.
        assert!((mean - 1.0).abs() < 6e-4, "mean {mean}");
        assert!((variance.sqrt() - 0.02).abs() < 4e-4, "deviation {}", variance.sqrt());
    }
}
