//! LPIPS v0.1 (Zhang et al. 2018) on the processor as one operation: the distance and its gradient in one go.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::chain::{ChainLayer, ChainMaps};
use super::kernel::CHANNEL_BLOCK;
use super::map::FeatureMap;
use super::ops::plain;
use super::values::with_values;

/// Added to the length of a feature vector before dividing by it, as in LPIPS.
const NORM_EPSILON: f32 = 1e-10;
/// Added under the root, where a length of 0 would have no gradient.
const ROOT_EPSILON: f32 = 1e-12;

/// A network with LPIPS's heads, packed once.
#[derive(Debug)]
pub struct LpipsKernels {
    layers: Vec<ChainLayer>,
    /// For each layer: the weights of its channels, none where nothing is compared.
    heads: Vec<Vec<f32>>,
    mean: [f32; 3],
    deviation: [f32; 3],
    spare: Mutex<Option<Box<ChainMaps>>>,
}

impl LpipsKernels {
    /// `heads`: one for each tap, in order. Pictures are normalised with `mean` and `deviation`.
    pub fn new(layers: Vec<ChainLayer>, heads: Vec<Vec<f32>>, mean: [f32; 3], deviation: [f32; 3]) -> Self {
        let mut heads = heads.into_iter();
        let of_layer = |layer: &ChainLayer| if layer.is_tap { heads.next().unwrap_or_default() } else { Vec::new() };
        let heads = layers.iter().map(of_layer).collect();
        Self { layers, heads, mean, deviation, spare: Mutex::default() }
    }

    /// The distance of `fake` from `real`, planes `[n, 3, h, w]`, and its gradient for `fake` if that is asked for.
    fn run(&self, [fake, real]: [&[f32]; 2], size: [usize; 3], has_gradient: bool) -> Result<(f32, Vec<f32>)> {
        let pixels = size[1] * size[2];
        let channel = |index: usize| index / pixels % 3;
        let normalized =
            |(index, value): (usize, &f32)| (value - self.mean[channel(index)]) / self.deviation[channel(index)];
        let planes: Vec<f32> = fake.iter().enumerate().chain(real.iter().enumerate()).map(normalized).collect();
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take().filter(|maps| maps.size == size);
        let mut maps = spare.map_or_else(|| ChainMaps::new(&self.layers, size).map(Box::new), Ok)?;
        maps.forward(&self.layers, &planes);
        let distance = self.heads.iter().zip(&maps.outputs).map(|(head, map)| distance(head, map)).sum::<f64>();
        let mut gradient = Vec::new();
        if has_gradient {
            gradient = maps.backward(&self.layers, &|layer, output, line, pixels| {
                add_gradient(&self.heads[layer], output, line, pixels);
            });
            gradient.iter_mut().enumerate().for_each(|(index, value)| *value /= self.deviation[channel(index)]);
        }
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(maps);
        Ok((distance as f32, gradient))
    }
}

/// The distance of `fake` from `real`, `[N, 3, H, W]` in −1 … 1, f32 on the processor; it can be taken back to `fake`.
pub fn lpips(kernels: &Arc<LpipsKernels>, fake: &Tensor, real: &Tensor) -> Result<Tensor> {
    if fake.dims() != real.dims() || fake.dims4()?.1 != 3 {
        bail!("LPIPS: expected two RGB pictures of one size, got {:?} and {:?}", fake.dims(), real.dims());
    }
    let operation = Lpips {
        kernels: Arc::clone(kernels),
        real: real.detach().contiguous()?,
        has_gradient: fake.track_op(),
        gradient: Mutex::default(),
    };
    fake.contiguous()?.apply_op1(operation)
}

struct Lpips {
    kernels: Arc<LpipsKernels>,
    real: Tensor,
    has_gradient: bool,
    /// From the forward half for the backward half.
    gradient: Mutex<Vec<f32>>,
}

impl CustomOp1 for Lpips {
    fn name(&self) -> &'static str {
        "LPIPS"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (fake, [count, _, rows, columns]) = plain(storage, layout)?;
        let run =
            |real: &[f32]| rayon::scope(|_| self.kernels.run([fake, real], [count, rows, columns], self.has_gradient));
        let (distance, gradient) = with_values(&self.real, run)??;
        *self.gradient.lock().unwrap_or_else(PoisonError::into_inner) = gradient;
        Ok((CpuStorage::F32(vec![distance]), Shape::from(())))
    }

    fn bwd(&self, fake: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let own = std::mem::take(&mut *self.gradient.lock().unwrap_or_else(PoisonError::into_inner));
        let own = Tensor::from_vec(own, fake.dims(), fake.device())?;
        Ok(Some(own.broadcast_mul(gradient)?))
    }
}

/// Sum of products, in as many parts as a vector has lanes: one chain of additions would wait for each of them.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; CHANNEL_BLOCK];
    let (a, b) = (a.as_chunks::<CHANNEL_BLOCK>().0, b.as_chunks::<CHANNEL_BLOCK>().0);
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

/// Length of a feature vector, whose channels come in whole blocks, and what it is divided by.
fn length(features: &[f32]) -> (f32, f32) {
    let length = (dot(features, features) + ROOT_EPSILON).sqrt();
    (length, length + NORM_EPSILON)
}

/// A line of the first kind of pictures with that of the second, pixel by pixel.
fn pixels_of(map: &FeatureMap, line: usize, channels: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
    let real = map.line(line + map.lines() / 2).chunks_exact(map.step);
    map.line(line).chunks_exact(map.step).zip(real).map(move |(fake, real)| (&fake[..channels], &real[..channels]))
}

/// What a tap adds to the distance: the mean over its pixels.
fn distance(head: &[f32], map: &FeatureMap) -> f64 {
    if head.is_empty() {
        return 0.0;
    }
    // The heads' weights are not negative.
    let roots: Vec<f32> = head.iter().map(|weight| weight.max(0.0).sqrt()).collect();
    let of_pixel = |difference: &mut Vec<f32>, (fake, real): (&[f32], &[f32])| {
        let (fake_length, real_length) = (length(fake).1, length(real).1);
        difference.clear();
        difference.extend(fake.iter().zip(real).map(|(fake, real)| fake / fake_length - real / real_length));
        difference.iter_mut().zip(&roots).for_each(|(difference, root)| *difference *= root);
        f64::from(dot(difference, difference))
    };
    let of_line = |line| {
        let mut difference = Vec::with_capacity(head.len());
        pixels_of(map, line, head.len()).map(|pixel| of_pixel(&mut difference, pixel)).sum::<f64>()
    };
    // Collected, so that the sum does not depend on the number of threads.
    let lines: Vec<f64> = (0..map.lines() / 2).into_par_iter().map(of_line).collect();
    lines.iter().sum::<f64>() / (map.pixels() / 2).max(1) as f64
}

/// Adds the gradient of what a tap adds to the distance to a line.
fn add_gradient(head: &[f32], map: &FeatureMap, line: usize, gradient: &mut [f32]) {
    let scale = 2.0 / (map.pixels() / 2).max(1) as f32;
    let pixels = gradient.chunks_exact_mut(map.step).zip(pixels_of(map, line, head.len()));
    let mut of_unit = vec![0.0; head.len()];
    for (gradient, (fake, real)) in pixels {
        let ((fake_length, fake_divisor), (_, real_divisor)) = (length(fake), length(real));
        let channels = fake.iter().zip(real).zip(head);
        for (of_unit, ((fake, real), weight)) in of_unit.iter_mut().zip(channels) {
            *of_unit = scale * weight * (fake / fake_divisor - real / real_divisor);
        }
        let turned = dot(&of_unit, fake) / (fake_divisor * fake_divisor * fake_length);
        for (gradient, (of_unit, fake)) in gradient.iter_mut().zip(of_unit.iter().zip(fake)) {
            *gradient += of_unit / fake_divisor - turned * fake;
        }
    }
}
