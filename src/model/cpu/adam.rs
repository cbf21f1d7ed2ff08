//! Adam (Kingma and Ba 2015) as one pass over a tensor: weights, gradient and both moments are read once and written once.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, bail};
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::isa::Isa;
use super::kernel::vectorized;
use super::train::Gradient;
use super::values::with_values;

/// Values that one task updates.
const CHUNK: usize = 1 << 14;

/// Running means of a tensor's gradient and of its square, one of each for every weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Of the gradient.
    pub mean: Vec<f32>,
    /// Of the squared gradient.
    pub square: Vec<f32>,
}

impl Moments {
    /// Before the first step, for a tensor of `count` values.
    pub fn zeros(count: usize) -> Self {
        Self { mean: vec![0.0; count], square: vec![0.0; count] }
    }
}

/// One step's numbers, the same for all tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    keep_mean: f32,
    take_mean: f32,
    keep_square: f32,
    take_square: f32,
    /// Learning rate / (1 − β₁ᵗ).
    rate: f32,
    /// 1 / (1 − β₂ᵗ).
    square_scale: f32,
    epsilon: f32,
}

impl AdamStep {
    /// Step `t`, counted from 1. `betas`: how much of the mean and of the mean square is kept.
    pub fn new(t: u64, learning_rate: f64, betas: [f64; 2], epsilon: f64) -> Self {
        let power = i32::try_from(t).unwrap_or(i32::MAX);
        // 1 − β in double precision: 1 − 0.999 in f32 is off by 5e-5.
        Self {
            keep_mean: betas[0] as f32,
            take_mean: (1.0 - betas[0]) as f32,
            keep_square: betas[1] as f32,
            take_square: (1.0 - betas[1]) as f32,
            rate: (learning_rate / (1.0 - betas[0].powi(power))) as f32,
            square_scale: (1.0 / (1.0 - betas[1].powi(power))) as f32,
            epsilon: epsilon as f32,
        }
    }

    /// Moves a variable on the processor against its gradient.
    pub fn apply(&self, variable: &Tensor, gradient: Gradient<'_>, moments: &mut Moments) -> Result<()> {
        match gradient {
            Gradient::Values(values) => self.move_by(variable, values, moments),
            Gradient::Tensor(tensor) => {
                with_values(&tensor.contiguous()?, |values| self.move_by(variable, values, moments))?
            }
        }
    }

    fn move_by(&self, variable: &Tensor, gradient: &[f32], moments: &mut Moments) -> Result<()> {
        let count = variable.elem_count();
        let lengths = [("gradient", gradient.len()), ("mean", moments.mean.len()), ("square", moments.square.len())];
        for (what, found) in lengths {
            if found != count {
                bail!("adam: expected a {what} of {count} values, got {found}");
            }
        }
        variable.inplace_op1(&Update { step: *self, gradient, moments: RefCell::new(moments) })
    }
}

struct Update<'a> {
    step: AdamStep,
    gradient: &'a [f32],
    moments: RefCell<&'a mut Moments>,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, variable: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(variable), Some((start, end))) = (variable, layout.contiguous_offsets()) else {
            bail!("adam: expected a contiguous f32 variable, got strides {:?}", layout.stride());
        };
        let mut moments = self.moments.borrow_mut();
        let Moments { mean, square } = &mut **moments;
        let (step, isa) = (self.step, Isa::best());
        let moments = mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK));
        let weights = variable[start..end].par_chunks_mut(CHUNK).zip(self.gradient.par_chunks(CHUNK));
        weights.zip(moments).for_each(|((weights, gradient), (mean, square))| {
            vectorized(
                isa,
                #[inline(always)]
                || {
                    for (((w, g), m), s) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
                        *m = step.keep_mean * *m + step.take_mean * g;
                        *s = step.keep_square * *s + step.take_square * g * g;
                        *w -= step.rate * *m / ((*s * step.square_scale).sqrt() + step.epsilon);
                    }
                },
            );
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn the_first_steps_equal_pytorch() {
        // torch.optim.Adam(lr=0.1, betas=(0.5, 0.999)) on the sum of (x − 1)² from [0, 3], three steps (PyTorch 2.15).
        let variable = Var::from_slice(&[0.0_f32, 3.0], 2, &Device::Cpu).unwrap();
        let mut moments = Moments::zeros(2);
        for t in 1..=3 {
            let gradient = variable.as_tensor().detach().affine(2.0, -2.0).unwrap();
            AdamStep::new(t, 0.1, [0.5, 0.999], 1e-8)
                .apply(&variable, Gradient::Tensor(&gradient), &mut moments)
                .unwrap();
        }
        let values = variable.to_vec1::<f32>().unwrap();
        // The moments without their correction for the start give 0.38 instead of 0.293.
        assert!((values[0] - 0.293_028_68).abs() < 1e-6 && (values[1] - 2.703_216_3).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn moments_of_another_size_are_refused() {
        let variable = Var::from_slice(&[0.0_f32, 3.0], 2, &Device::Cpu).unwrap();
        let step = AdamStep::new(1, 0.1, [0.5, 0.999], 1e-8);
        let error = step.apply(&variable, Gradient::Values(&[1.0; 2]), &mut Moments::zeros(3)).unwrap_err().to_string();
        assert!(error.contains("expected a mean of 2 values, got 3"), "{error}");
    }
}
