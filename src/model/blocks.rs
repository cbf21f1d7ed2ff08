//! Convolutions, pools and batch norm: the one seam between the networks and what computes them.
//!
//! The networks call nothing else. Weights are laid out as in PyTorch, pictures as `[N, C, H, W]`.

use candle_core::{D, DType, Device, Result, Tensor, Var};

use super::cpu;
use super::parameters::{Parameters, TensorSpec};

/// Added to the variance before the square root, PyTorch's default for batch norm.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;
/// Share of the new batch in the running statistics, PyTorch's default for batch norm.
pub const BATCH_NORM_MOMENTUM: f64 = 0.1;
/// Slope of pix2pix's leaky ReLU for negative values.
pub const LEAKY_SLOPE: f64 = 0.2;

/// Stride and padding of a convolution or pool, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride {
    /// Pixels from one window to the next.
    pub step: usize,
    /// Pixels added on each side: zeros for convolutions, nothing that could win for pools.
    pub padding: usize,
}

/// 4×4 kernels of pix2pix that halve or double a picture.
pub const HALVING: Stride = Stride { step: 2, padding: 1 };

/// Convolution of `[N, in, H, W]` with `[out, in, kh, kw]`.
pub fn conv2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: Stride) -> Result<Tensor> {
    if has_own_kernels(input) {
        return cpu::ops::conv2d(input, weight, bias, [stride.step, stride.padding]);
    }
    with_bias(input.conv2d(weight, stride.padding, stride.step, 1, 1)?, bias)
}

/// Transposed convolution of `[N, in, H, W]` with `[in, out, kh, kw]`.
pub fn conv_transpose2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: Stride) -> Result<Tensor> {
    if has_own_kernels(input) {
        return cpu::ops::conv_transpose2d(input, weight, bias, [stride.step, stride.padding]);
    }
    with_bias(input.contiguous()?.conv_transpose2d(weight, stride.padding, 0, stride.step, 1)?, bias)
}

/// CUDA and Metal keep candle's operations, and so does the processor for other types than f32.
fn has_own_kernels(input: &Tensor) -> bool {
    input.device().is_cpu() && input.dtype() == DType::F32
}

fn with_bias(output: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => output.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(output),
    }
}

/// Largest value of each `kernel`×`kernel` window, with gradients for any kernel, stride and padding.
///
/// candle's own gradient exists only where kernel and stride are equal, and there scales the gradient of a single
/// largest value by the window's area: it is used where no gradient is asked for.
pub fn max_pool2d(input: &Tensor, kernel: usize, stride: Stride) -> Result<Tensor> {
    if has_own_kernels(input) {
        return cpu::pool::max_pool2d(input, kernel, [stride.step, stride.padding]);
    }
    let padded = pad_for_pool(input, stride.padding)?;
    let (_, _, rows, columns) = padded.dims4()?;
    if rows < kernel || columns < kernel {
        candle_core::bail!("max pool: expected a picture of at least {kernel}×{kernel}, got {rows}×{columns}");
    }
    if !input.track_op() {
        return padded.max_pool2d_with_stride(kernel, stride.step);
    }
    let across = largest_along(&padded, D::Minus1, kernel, stride.step)?;
    largest_along(&across, D::Minus2, kernel, stride.step)
}

/// Largest of `kernel` neighbours along one axis, one result every `step`.
fn largest_along(input: &Tensor, axis: D, kernel: usize, step: usize) -> Result<Tensor> {
    let count = (input.dim(axis)? - kernel) / step + 1;
    let taps = (0..kernel).map(|offset| {
        let positions = (0..count).map(|i| (offset + i * step) as u32).collect::<Vec<_>>();
        input.contiguous()?.index_select(&Tensor::new(positions, input.device())?, axis)
    });
    let mut largest: Option<Tensor> = None;
    for tap in taps {
        let tap = tap?;
        largest = Some(match largest {
            Some(largest) => largest.maximum(&tap)?,
            None => tap,
        });
    }
    largest.ok_or_else(|| candle_core::Error::Msg("max pool: expected a kernel of at least 1, got 0".to_owned()))
}

fn pad_for_pool(input: &Tensor, padding: usize) -> Result<Tensor> {
    if padding == 0 {
        return Ok(input.clone());
    }
    let (batch, channels, rows, columns) = input.dims4()?;
    let lowest = |shape| Tensor::full(f32::MIN, shape, input.device())?.to_dtype(input.dtype());
    let side = lowest((batch, channels, rows, padding))?;
    let wide = Tensor::cat(&[&side, input, &side], D::Minus1)?;
    let strip = lowest((batch, channels, padding, columns + 2 * padding))?;
    Tensor::cat(&[&strip, &wide, &strip], D::Minus2)
}

/// `x` where positive, 0.2 · `x` elsewhere.
pub fn leaky_relu(input: &Tensor) -> Result<Tensor> {
    if has_own_kernels(input) {
        return cpu::elementwise::leaky_relu(input, LEAKY_SLOPE);
    }
    input.maximum(&input.affine(LEAKY_SLOPE, 0.0)?)
}

/// Where batch norm takes mean and variance from outside of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormMode {
    /// The running statistics of the training.
    #[default]
    Running,
    /// Each picture's own.
    Picture,
}

/// Batch norm over `[N, C, H, W]`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// From `{prefix}.weight|bias|running_mean|running_var`.
    pub fn new(parameters: &Parameters, prefix: &str) -> Result<Self> {
        let get = |part: &str| Ok::<_, candle_core::Error>(parameters.get(&format!("{prefix}.{part}"))?.clone());
        Ok(Self {
            weight: get("weight")?,
            bias: get("bias")?,
            running_mean: get("running_mean")?,
            running_var: get("running_var")?,
        })
    }

    /// Outside of training.
    pub fn forward(&self, input: &Tensor, mode: NormMode) -> Result<Tensor> {
        match mode {
            NormMode::Running => {
                let (scale, shift) = self.running_scale_and_shift()?;
                per_channel(input, &scale, &shift)
            }
            NormMode::Picture => {
                let (mean, variance) = mean_and_variance(input, false)?;
                self.normalize(input, &mean, &variance)
            }
        }
    }

    /// In training: the batch's statistics, which also move the running ones when they are variables.
    pub fn forward_train(&self, input: &Tensor) -> Result<Tensor> {
        if has_own_kernels(input) {
            return self.forward_train_on_cpu(input);
        }
        let (mean, variance) = mean_and_variance(input, true)?;
        let (batch, _, rows, columns) = input.dims4()?;
        let count = (batch * rows * columns) as f64;
        // PyTorch keeps the unbiased variance; one value per channel has none, and moves only the mean.
        move_running(&self.running_mean, &mean.detach().flatten_all()?)?;
        if count > 1.0 {
            move_running(&self.running_var, &variance.detach().flatten_all()?.affine(count / (count - 1.0), 0.0)?)?;
        }
        self.normalize(input, &mean, &variance)
    }

    fn forward_train_on_cpu(&self, input: &Tensor) -> Result<Tensor> {
        let (batch, _, rows, columns) = input.dims4()?;
        let [mean, variance] = cpu::elementwise::batch_statistics(input)?;
        let running = [&self.running_mean, &self.running_var];
        move_running_statistics(running, [&mean, &variance], batch * rows * columns)?;
        let weights = [&self.weight, &self.bias];
        cpu::elementwise::batch_norm(input, weights, [mean, variance], BATCH_NORM_EPSILON)
    }

    /// Batch norm with running statistics as `scale · x + shift`, each `[C]`.
    pub fn running_scale_and_shift(&self) -> Result<(Tensor, Tensor)> {
        let scale = self.weight.div(&self.running_var.affine(1.0, BATCH_NORM_EPSILON)?.sqrt()?)?;
        let shift = self.bias.sub(&self.running_mean.mul(&scale)?)?;
        Ok((scale, shift))
    }

    /// `mean` and `variance`: `[N or 1, C, 1, 1]`.
    fn normalize(&self, input: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let centered = input.broadcast_sub(mean)?;
        let unit = centered.broadcast_div(&variance.affine(1.0, BATCH_NORM_EPSILON)?.sqrt()?)?;
        per_channel(&unit, &self.weight, &self.bias)
    }
}

/// `scale · x + shift` with one number per channel.
fn per_channel(input: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    input.broadcast_mul(&scale.reshape((1, (), 1, 1))?)?.broadcast_add(&shift.reshape((1, (), 1, 1))?)
}

/// Mean and biased variance of each channel, over the batch or of each picture, `[N or 1, C, 1, 1]`.
fn mean_and_variance(input: &Tensor, over_batch: bool) -> Result<(Tensor, Tensor)> {
    let mean_of = |values: &Tensor| -> Result<Tensor> {
        let per_picture = values.mean_keepdim((2, 3))?;
        if over_batch { per_picture.mean_keepdim(0) } else { Ok(per_picture) }
    };
    let mean = mean_of(input)?;
    let variance = mean_of(&input.broadcast_sub(&mean)?.sqr()?)?;
    Ok((mean, variance))
}

/// Moves running mean and variance, where they are variables, towards a batch's mean and biased variance over `pixels` values.
pub(super) fn move_running_statistics(
    [running_mean, running_var]: [&Tensor; 2],
    [mean, variance]: [&[f32]; 2],
    pixels: usize,
) -> Result<()> {
    let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), running_mean.device());
    move_running(running_mean, &tensor(mean)?)?;
    // PyTorch keeps the unbiased variance; one value per channel has none, and moves only the mean.
    if pixels > 1 {
        let unbiased = pixels as f64 / (pixels as f64 - 1.0);
        move_running(running_var, &tensor(variance)?.affine(unbiased, 0.0)?)?;
    }
    Ok(())
}

fn move_running(running: &Tensor, batch: &Tensor) -> Result<()> {
    if !running.is_variable() {
        return Ok(());
    }
    let moved =
        running.detach().affine(1.0 - BATCH_NORM_MOMENTUM, 0.0)?.add(&batch.affine(BATCH_NORM_MOMENTUM, 0.0)?)?;
    Var::from_tensor(running)?.set(&moved)
}

/// A convolution with a bias, or one without and batch norm behind it.
#[derive(Clone, Debug)]
pub struct Block {
    /// Kernel.
    pub weight: Tensor,
    /// Bias, where there is no norm.
    pub bias: Option<Tensor>,
    /// Norm, where there is no bias.
    pub norm: Option<BatchNorm>,
}

impl Block {
    /// From `{prefix}.conv.*` and `{prefix}.norm.*`.
    pub fn new(parameters: &Parameters, prefix: &str, has_norm: bool) -> Result<Self> {
        let weight = parameters.get(&format!("{prefix}.conv.weight"))?.clone();
        if has_norm {
            let norm = BatchNorm::new(parameters, &format!("{prefix}.norm"))?;
            return Ok(Self { weight, bias: None, norm: Some(norm) });
        }
        let bias = parameters.get(&format!("{prefix}.conv.bias"))?.clone();
        Ok(Self { weight, bias: Some(bias), norm: None })
    }

    /// The tensors of such a block; `width`: channels that it puts out.
    pub fn tensors(prefix: &str, weight: [usize; 4], width: usize, has_norm: bool) -> Vec<TensorSpec> {
        let mut specs = vec![TensorSpec::new(format!("{prefix}.conv.weight"), &weight)];
        if has_norm {
            let parts = ["weight", "bias", "running_mean", "running_var"];
            specs.extend(parts.map(|part| TensorSpec::new(format!("{prefix}.norm.{part}"), &[width])));
        } else {
            specs.push(TensorSpec::new(format!("{prefix}.conv.bias"), &[width]));
        }
        specs
    }
}

/// Puts host values on a device.
pub(super) fn tensor_from(values: Vec<f32>, shape: &[usize], device: &Device) -> Result<Tensor> {
    Tensor::from_vec(values, shape, device)
}
