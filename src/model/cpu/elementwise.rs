//! Leaky ReLU and batch norm in training as candle operations on the processor: one pass each, forward and backward, where
//! candle's own operations make a dozen with a tensor for every step.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::isa::Isa;
use super::kernel::vectorized;
use super::ops::{contiguous, plain};
use super::values::with_values;

/// Values that one task works on.
const CHUNK: usize = 1 << 14;

/// `x` where positive, `slope · x` elsewhere; f32 on the processor.
pub fn leaky_relu(input: &Tensor, slope: f64) -> Result<Tensor> {
    input.contiguous()?.apply_op1(LeakyRelu { slope: slope as f32 })
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f32,
}

/// From the input and the gradient of the output.
struct LeakyReluGradient(LeakyRelu);

impl CustomOp1 for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky ReLU"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, slope, isa) = (contiguous(storage, layout)?, self.slope, Isa::best());
        let mut out = vec![0.0_f32; values.len()];
        out.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(out, values)| {
            vectorized(
                isa,
                #[inline(always)]
                || {
                    for (out, value) in out.iter_mut().zip(values) {
                        *out = value.max(value * slope);
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(input.apply_op2_no_bwd(&gradient.contiguous()?, &LeakyReluGradient(*self))?))
    }
}

impl CustomOp2 for LeakyReluGradient {
    fn name(&self) -> &'static str {
        "leaky ReLU gradient"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, gradient) = (contiguous(input, input_layout)?, contiguous(gradient, gradient_layout)?);
        let (slope, isa) = (self.0.slope, Isa::best());
        let mut out = vec![0.0_f32; values.len()];
        let inputs = values.par_chunks(CHUNK).zip(gradient.par_chunks(CHUNK));
        out.par_chunks_mut(CHUNK).zip(inputs).for_each(|(out, (values, gradient))| {
            vectorized(
                isa,
                #[inline(always)]
                || {
                    for ((out, value), gradient) in out.iter_mut().zip(values).zip(gradient) {
                        let (whole, part) = (*gradient, gradient * slope);
                        *out = if *value > 0.0 { whole } else { part };
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), input_layout.shape().clone()))
    }
}

/// Mean and biased variance of each channel of `[N, C, H, W]`.
pub fn batch_statistics(input: &Tensor) -> Result<[Vec<f32>; 2]> {
    let (n, channels, h, w) = input.dims4()?;
    if n * h * w == 0 {
        bail!("batch norm: expected at least one value for each channel, got {:?}", input.dims());
    }
    with_values(&input.contiguous()?, |values| {
        let planes = Planes { values, channels, size: h * w };
        let count = (n * h * w) as f64;
        let mean = planes.sums(|x, _| x, |_| 0.0).into_iter().map(|sum| (sum / count) as f32).collect::<Vec<_>>();
        let squares = planes.sums(|x, mean| (x - mean) * (x - mean), |c| mean[c]);
        let variance = squares.into_iter().map(|sum| (sum / count) as f32).collect();
        [mean, variance]
    })
}

/// Batch norm with the batch's statistics, through which the gradient passes. `mean` and `variance`: of [`batch_statistics`].
pub fn batch_norm(
    input: &Tensor,
    [weight, bias]: [&Tensor; 2],
    [mean, variance]: [Vec<f32>; 2],
    epsilon: f64,
) -> Result<Tensor> {
    let inverse_deviation = variance.iter().map(|&v| (1.0 / (f64::from(v) + epsilon).sqrt()) as f32).collect();
    input.contiguous()?.apply_op3(weight, bias, BatchNorm { mean: mean.into(), inverse_deviation })
}

#[derive(Clone)]
struct BatchNorm {
    mean: Arc<[f32]>,
    inverse_deviation: Arc<[f32]>,
}

/// Gradient of the input, from the input, the gradient of the output, and `a · gradient + b · (x − mean) + c`.
struct BatchNormGradient<'a> {
    mean: &'a [f32],
    coefficients: Vec<[f32; 3]>,
}

/// `[N, C, size]`.
#[derive(Clone, Copy)]
struct Planes<'a> {
    values: &'a [f32],
    channels: usize,
    size: usize,
}

/// Sums that are taken side by side, so that they become vectors.
const LANES: usize = 16;

impl<'a> Planes<'a> {
    fn of_channel(&self, c: usize) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.size).skip(c).step_by(self.channels)
    }

    /// For each channel the sum of `term(x, constant(channel))`.
    fn sums(&self, term: impl Fn(f32, f32) -> f32 + Sync, constant: impl Fn(usize) -> f32 + Sync) -> Vec<f64> {
        self.sums_with(self.values, |x, _, constant| term(x, constant), constant)
    }

    /// For each channel the sum of `term(x, y, constant(channel))`, `y` of other planes of the same shape.
    fn sums_with(
        &self,
        others: &[f32],
        term: impl Fn(f32, f32, f32) -> f32 + Sync,
        constant: impl Fn(usize) -> f32 + Sync,
    ) -> Vec<f64> {
        let (isa, others) = (Isa::best(), Planes { values: others, ..*self });
        let of_channel = |c: usize| {
            let constant = constant(c);
            let planes = self.of_channel(c).zip(others.of_channel(c));
            planes.map(|(x, y)| plane_sum(isa, [x, y], |x, y| term(x, y, constant))).sum()
        };
        (0..self.channels).into_par_iter().map(of_channel).collect()
    }
}

/// Sum over a plane, in one order whatever the threads.
fn plane_sum(isa: Isa, [x, y]: [&[f32]; 2], term: impl Fn(f32, f32) -> f32) -> f64 {
    vectorized(
        isa,
        #[inline(always)]
        || {
            let mut total = 0.0;
            for (x, y) in x.chunks(CHUNK / 16).zip(y.chunks(CHUNK / 16)) {
                let mut lanes = [0.0_f32; LANES];
                let (x, x_rest) = x.as_chunks::<LANES>();
                let (y, y_rest) = y.as_chunks::<LANES>();
                for (x, y) in x.iter().zip(y) {
                    for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
                        *lane += term(*x, *y);
                    }
                }
                for ((lane, x), y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
                    *lane += term(*x, *y);
                }
                total += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
            }
            total
        },
    )
}

/// `write(channel, out, x, y)` for each plane of `[N, C, H, W]`.
fn map_planes(
    [n, channels, h, w]: [usize; 4],
    [x, y]: [&[f32]; 2],
    write: impl Fn(usize, &mut [f32], &[f32], &[f32]) + Sync,
) -> (CpuStorage, Shape) {
    let (mut out, isa) = (vec![0.0_f32; x.len()], Isa::best());
    if !out.is_empty() {
        let inputs = x.par_chunks(h * w).zip(y.par_chunks(h * w));
        out.par_chunks_mut(h * w).zip(inputs).enumerate().for_each(|(plane, (out, (x, y)))| {
            vectorized(
                isa,
                #[inline(always)]
                || write(plane % channels, out, x, y),
            );
        });
    }
    (CpuStorage::F32(out), Shape::from((n, channels, h, w)))
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = plain(x, x_layout)?;
        let (weight, bias) = (contiguous(weight, weight_layout)?, contiguous(bias, bias_layout)?);
        for found in [weight.len(), bias.len()] {
            if found != shape[1] {
                bail!("batch norm: expected {} weights and biases, got {found}", shape[1]);
            }
        }
        Ok(map_planes(
            shape,
            [values, values],
            #[inline(always)]
            |c, out, x, _| {
                let scale = weight[c] * self.inverse_deviation[c];
                let (mean, bias) = (self.mean[c], bias[c]);
                for (out, x) in out.iter_mut().zip(x) {
                    *out = (x - mean) * scale + bias;
                }
            },
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (n, channels, h, w) = x.dims4()?;
        let (of_weight, of_bias) = with_values(x, |x| {
            with_values(&gradient, |gradient| {
                let planes = Planes { values: x, channels, size: h * w };
                let products = planes.sums_with(gradient, |x, gradient, mean| (x - mean) * gradient, |c| self.mean[c]);
                let products = products.iter().zip(self.inverse_deviation.iter());
                let of_bias = planes.sums_with(gradient, |_, gradient, _| gradient, |_| 0.0);
                (products.map(|(sum, inverse)| sum * f64::from(*inverse)).collect::<Vec<_>>(), of_bias)
            })
        })??;
        let weights = with_values(weight, <[f32]>::to_vec)?;
        let count = (n * h * w) as f64;
        // w·i · (g − Σg / n − x̂ · Σ(g·x̂) / n), with x̂ = i · (x − mean)
        let coefficients = (0..channels).map(|c| {
            let inverse = f64::from(self.inverse_deviation[c]);
            let a = f64::from(weights[c]) * inverse;
            [a, -a * of_weight[c] / count * inverse, -a * of_bias[c] / count].map(|value| value as f32)
        });
        let op = BatchNormGradient { mean: &self.mean, coefficients: coefficients.collect() };
        let of_input = x.track_op().then(|| x.apply_op2_no_bwd(&gradient, &op)).transpose()?;
        let vector = |sums: Vec<f64>| {
            Tensor::from_vec(sums.into_iter().map(|sum| sum as f32).collect::<Vec<_>>(), channels, x.device())
        };
        Ok((of_input, Some(vector(of_weight)?), Some(vector(of_bias)?)))
    }
}

impl CustomOp2 for BatchNormGradient<'_> {
    fn name(&self) -> &'static str {
        "batch norm gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((x, shape), (gradient, _)) = (plain(x, x_layout)?, plain(gradient, gradient_layout)?);
        Ok(map_planes(
            shape,
            [x, gradient],
            #[inline(always)]
            |channel, out, x, gradient| {
                let ([a, b, c], mean) = (self.coefficients[channel], self.mean[channel]);
                for ((out, x), gradient) in out.iter_mut().zip(x).zip(gradient) {
                    *out = a * gradient + b * (x - mean) + c;
                }
            },
        ))
    }
}
