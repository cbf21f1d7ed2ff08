//! Adam (Kingma and Ba 2015) over named tensors in name order, and the running mean of the generator.
//!
//! On the CPU every tensor is updated in one pass, in place; elsewhere with the device's own arithmetic.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var};
use rayon::prelude::*;

use crate::model::Parameters;

/// Added to the root of the second moment, PyTorch's default.
const EPSILON: f64 = 1e-8;
/// Values that one task updates.
const CHUNK: usize = 1 << 15;

/// How fast Adam forgets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Betas {
    /// Of the mean gradient.
    pub first: f64,
    /// Of the mean squared gradient.
    pub second: f64,
}

/// Adam with its moments.
#[derive(Debug)]
pub struct Adam {
    betas: Betas,
    steps: u64,
    variables: Vec<(String, Var)>,
    means: BTreeMap<String, Tensor>,
    squares: BTreeMap<String, Tensor>,
}

impl Adam {
    /// Over all variables of a network but its running statistics.
    pub fn new(parameters: &Parameters, betas: Betas) -> Result<Self> {
        let variables = parameters.trained()?;
        let zero = |(name, var): &(String, Var)| Ok((name.clone(), var.zeros_like()?.detach()));
        let means = variables.iter().map(zero).collect::<Result<_>>()?;
        let squares = variables.iter().map(zero).collect::<Result<_>>()?;
        Ok(Self { betas, steps: 0, variables, means, squares })
    }

    /// Updates done so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moments by name: `{name}.mean`, `{name}.square`.
    pub fn moments(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let means = self.means.iter().map(|(name, tensor)| (format!("{name}.mean"), tensor));
        means.chain(self.squares.iter().map(|(name, tensor)| (format!("{name}.square"), tensor)))
    }

    /// Puts saved moments back; `moment` finds them by the names of [`Self::moments`].
    pub fn restore(&mut self, steps: u64, moment: impl Fn(&str, &Tensor) -> Result<Tensor>) -> Result<()> {
        for (name, tensor) in &mut self.means {
            *tensor = moment(&format!("{name}.mean"), tensor)?;
        }
        for (name, tensor) in &mut self.squares {
            *tensor = moment(&format!("{name}.square"), tensor)?;
        }
        self.steps = steps;
        Ok(())
    }

    /// Moves every variable that has a gradient, in name order.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<()> {
        self.steps += 1;
        let power = self.steps.min(i32::MAX as u64) as i32;
        let update = Update {
            rate: learning_rate / (1.0 - self.betas.first.powi(power)),
            square_scale: 1.0 / (1.0 - self.betas.second.powi(power)),
        };
        for (name, var) in &self.variables {
            let Some(gradient) = gradients.get(var) else { continue };
            let gradient = gradient.contiguous()?;
            if let (Some(mean), Some(square)) = (self.means.get_mut(name), self.squares.get_mut(name)) {
                blend(mean, &gradient, self.betas.first)?;
                blend(square, &gradient.sqr()?, self.betas.second)?;
                update.apply(var, mean, square)?;
            }
        }
        Ok(())
    }
}

/// `target ← keep · target + (1 − keep) · source`.
pub fn blend(target: &mut Tensor, source: &Tensor, keep: f64) -> Result<()> {
    if target.device().is_cpu() {
        return target.inplace_op2(source, &Blend { keep: keep as f32, take: (1.0 - keep) as f32 });
    }
    *target = target.affine(keep, 0.0)?.add(&source.affine(1.0 - keep, 0.0)?)?.detach();
    Ok(())
}

struct Blend {
    keep: f32,
    /// 1 − keep, taken before rounding: 1 − 0.999 in f32 is off by 5e-5.
    take: f32,
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(&self, target: &mut CpuStorage, tl: &Layout, source: &CpuStorage, sl: &Layout) -> Result<()> {
        let source = contiguous(source, sl)?;
        let target = contiguous_mut(target, tl)?;
        target.par_chunks_mut(CHUNK).zip(source.par_chunks(CHUNK)).for_each(|(target, source)| {
            for (t, s) in target.iter_mut().zip(source) {
                *t = self.keep * *t + self.take * s;
            }
        });
        Ok(())
    }
}

/// `var ← var − rate · mean / (√(square · square_scale) + ε)`.
struct Update {
    rate: f64,
    square_scale: f64,
}

impl Update {
    fn apply(&self, var: &Var, mean: &Tensor, square: &Tensor) -> Result<()> {
        if var.device().is_cpu() {
            return var.as_tensor().inplace_op3(mean, square, self);
        }
        let divisor = square.affine(self.square_scale, 0.0)?.sqrt()?.affine(1.0, EPSILON)?;
        var.set(&var.as_tensor().detach().sub(&mean.affine(self.rate, 0.0)?.div(&divisor)?)?)
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        var: &mut CpuStorage,
        vl: &Layout,
        mean: &CpuStorage,
        ml: &Layout,
        square: &CpuStorage,
        sl: &Layout,
    ) -> Result<()> {
        let (rate, scale, epsilon) = (self.rate as f32, self.square_scale as f32, EPSILON as f32);
        let (mean, square) = (contiguous(mean, ml)?, contiguous(square, sl)?);
        let var = contiguous_mut(var, vl)?;
        let chunks = var.par_chunks_mut(CHUNK).zip(mean.par_chunks(CHUNK)).zip(square.par_chunks(CHUNK));
        chunks.for_each(|((var, mean), square)| {
            for ((v, m), s) in var.iter_mut().zip(mean).zip(square) {
                *v -= rate * m / ((s * scale).sqrt() + epsilon);
            }
        });
        Ok(())
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("an in-place update needs values without gaps"),
    }
}

fn contiguous_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("an in-place update needs f32 values without gaps"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    const BETAS: Betas = Betas { first: 0.5, second: 0.999 };

    fn one_variable(values: &[f32]) -> (Parameters, Var) {
        let var = Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
        let mut parameters = Parameters::new();
        parameters.insert("weight", var.as_tensor().clone());
        (parameters, var)
    }

    #[test]
    fn the_first_steps_equal_pytorch() {
        // torch.optim.Adam(lr=0.1, betas=(0.5, 0.999)) on the sum of (x − 1)² from [0, 3], three steps (PyTorch 2.15).
        let (parameters, var) = one_variable(&[0.0, 3.0]);
        let mut adam = Adam::new(&parameters, BETAS).unwrap();
        for _ in 0..3 {
            let loss = var.as_tensor().affine(1.0, -1.0).unwrap().sqr().unwrap().sum_all().unwrap();
            adam.step(&loss.backward().unwrap(), 0.1).unwrap();
        }
        let values = var.to_vec1::<f32>().unwrap();
        let expected = EXPECTED_AFTER_THREE_STEPS;
        assert!((values[0] - expected[0]).abs() < 1e-6 && (values[1] - expected[1]).abs() < 1e-6, "{values:?}");
    }

    const EXPECTED_AFTER_THREE_STEPS: [f32; 2] = [0.293_028_68, 2.703_216_3];

    #[test]
    fn a_blend_of_one_keeps_and_of_zero_takes() {
        let mut target = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let source = Tensor::new(&[5f32, 6.0], &Device::Cpu).unwrap();
        blend(&mut target, &source, 1.0).unwrap();
        assert_eq!(target.to_vec1::<f32>().unwrap(), [1.0, 2.0], "kept");
        blend(&mut target, &source, 0.0).unwrap();
        assert_eq!(target.to_vec1::<f32>().unwrap(), [5.0, 6.0], "taken");
    }
}
