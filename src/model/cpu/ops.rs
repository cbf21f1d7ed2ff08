//! candle's convolutions on the processor: custom operations with gradients for input, weight and bias.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefMutIterator as _, ParallelIterator as _};

use super::conv::{self, Weights};
use super::geometry::Window;
use super::isa::Isa;
use super::kernel::CHANNEL_BLOCK;
use super::map::FeatureMap;
use super::packed::{Kernel, Packed, Stored};

/// Convolution of `[N, in, H, W]` with `[out, in, kh, kw]`; f32 on the processor.
pub fn conv2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, [stride, padding]: [usize; 2]) -> Result<Tensor> {
    let (_, channels, rows, columns) = input.dims4()?;
    let (outputs, inputs, kh, kw) = weight.dims4()?;
    let window = Window { kernel: [kh, kw], stride, padding };
    if inputs != channels {
        bail!("conv2d: expected a weight [out, {channels}, kh, kw], got {:?}", weight.dims());
    }
    let Some(size) = window.output([rows, columns]) else {
        bail!("conv2d: expected a picture that holds a {kh}×{kw} kernel, got {rows}×{columns} with padding {padding}");
    };
    let bias = bias_or_zeros(bias, outputs, weight)?;
    input.contiguous()?.apply_op3(&weight.contiguous()?, &bias, Convolve { window, size })
}

/// Transposed convolution of `[N, in, H, W]` with `[in, out, kh, kw]`; f32 on the processor.
pub fn conv_transpose2d(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [stride, padding]: [usize; 2],
) -> Result<Tensor> {
    let (_, channels, rows, columns) = input.dims4()?;
    let (inputs, outputs, kh, kw) = weight.dims4()?;
    let window = Window { kernel: [kh, kw], stride, padding };
    if inputs != channels {
        bail!("conv_transpose2d: expected a weight [{channels}, out, kh, kw], got {:?}", weight.dims());
    }
    let Some(size) = window.transposed_output([rows, columns]) else {
        bail!("conv_transpose2d: expected a picture with pixels left beside padding {padding}, got {rows}×{columns}");
    };
    let bias = bias_or_zeros(bias, outputs, weight)?;
    input.contiguous()?.apply_op3(&weight.contiguous()?, &bias, Spread { window, size })
}

fn bias_or_zeros(bias: Option<&Tensor>, outputs: usize, like: &Tensor) -> Result<Tensor> {
    match bias {
        None => Tensor::zeros(outputs, like.dtype(), like.device()),
        Some(bias) if bias.dims() == [outputs] => bias.contiguous(),
        Some(bias) => bail!("convolution bias: expected shape [{outputs}], got {:?}", bias.dims()),
    }
}

/// `size`: rows and columns of the output.
#[derive(Clone, Copy)]
struct Convolve {
    window: Window,
    size: [usize; 2],
}

/// `size`: rows and columns of the output.
#[derive(Clone, Copy)]
struct Spread {
    window: Window,
    size: [usize; 2],
}

/// The kernel's gradient from the large map and the small one.
struct WeightGradient {
    window: Window,
}

/// Sums over all but the second axis.
struct ChannelSums;

/// Values and sizes of a contiguous f32 tensor.
pub(super) fn plain<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<(&'a [f32], [usize; 4])> {
    let values = contiguous(storage, layout)?;
    let (n, c, h, w) = layout.shape().dims4()?;
    Ok((values, [n, c, h, w]))
}

pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("expected a contiguous tensor, got strides {:?}", layout.stride()),
    }
}

/// The picture as a map; `is_column`: whether its channels become columns of a product, which come in whole blocks.
fn map_of(values: &[f32], [n, c, h, w]: [usize; 4], border: usize, is_column: bool) -> FeatureMap {
    let channels = if is_column { c.next_multiple_of(CHANNEL_BLOCK) } else { c };
    let mut map = FeatureMap::zeros([n, channels, h, w], border);
    map.fill_from_planes(values, c);
    map
}

fn in_blocks(bias: &[f32]) -> Vec<f32> {
    let mut bias = bias.to_vec();
    bias.resize(bias.len().next_multiple_of(CHANNEL_BLOCK), 0.0);
    bias
}

type Inputs<'a> = (&'a [f32], [usize; 4]);

fn convolve(op: Convolve, (x, shape): Inputs<'_>, (w, kernel): Inputs<'_>, bias: &[f32]) -> (CpuStorage, Shape) {
    let [outputs, inputs, ..] = kernel;
    let [rows, columns] = op.size;
    let run = || {
        let large = map_of(x, shape, op.window.padding, false);
        let view = Kernel { data: w, taps: op.window.taps(), inputs, outputs, is_input_outer: false };
        let packed = Packed::from_kernel(Isa::best(), view, &Stored::dense(inputs), &vec![1.0; outputs]);
        let blocks = outputs.next_multiple_of(CHANNEL_BLOCK);
        let mut small = FeatureMap::zeros([shape[0], blocks, rows, columns], 0);
        conv::convolve(&large, op.window, Weights { packed: &packed, bias: &in_blocks(bias) }, &mut small);
        small.to_planes(outputs)
    };
    (CpuStorage::F32(rayon::scope(|_| run())), Shape::from((shape[0], outputs, rows, columns)))
}

fn spread(op: Spread, (x, shape): Inputs<'_>, (w, kernel): Inputs<'_>, bias: &[f32]) -> (CpuStorage, Shape) {
    let [inputs, outputs, ..] = kernel;
    let [rows, columns] = op.size;
    let run = || {
        let border = op.window.transposed_border([shape[2], shape[3]], op.size);
        let small = map_of(x, shape, border, false);
        let view = Kernel { data: w, taps: op.window.taps(), inputs, outputs, is_input_outer: true };
        let packed = Packed::from_kernel(Isa::best(), view, &Stored::dense(inputs), &vec![1.0; outputs]);
        let blocks = outputs.next_multiple_of(CHANNEL_BLOCK);
        let mut large = FeatureMap::zeros([shape[0], blocks, rows, columns], 0);
        conv::spread(&small, op.window, Weights { packed: &packed, bias: &in_blocks(bias) }, &mut large);
        large.to_planes(outputs)
    };
    (CpuStorage::F32(rayon::scope(|_| run())), Shape::from((shape[0], outputs, rows, columns)))
}

/// The gradient of the bias, if it is asked for.
fn bias_gradient(bias: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
    bias.track_op().then(|| gradient.apply_op1_no_bwd(&ChannelSums)).transpose()
}

impl CustomOp3 for Convolve {
    fn name(&self) -> &'static str {
        "conv2d"
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
        Ok(convolve(*self, plain(x, x_layout)?, plain(weight, weight_layout)?, contiguous(bias, bias_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (_, inputs, rows, columns) = x.dims4()?;
        let back = || {
            let zeros = Tensor::zeros(inputs, gradient.dtype(), gradient.device())?;
            gradient.apply_op3_no_bwd(weight, &zeros, &Spread { window: self.window, size: [rows, columns] })
        };
        let of_weight = || x.apply_op2_no_bwd(&gradient, &WeightGradient { window: self.window });
        Ok((
            x.track_op().then(back).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias_gradient(bias, &gradient)?,
        ))
    }
}

impl CustomOp3 for Spread {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
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
        Ok(spread(*self, plain(x, x_layout)?, plain(weight, weight_layout)?, contiguous(bias, bias_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (_, inputs, rows, columns) = x.dims4()?;
        let back = || {
            let zeros = Tensor::zeros(inputs, gradient.dtype(), gradient.device())?;
            gradient.apply_op3_no_bwd(weight, &zeros, &Convolve { window: self.window, size: [rows, columns] })
        };
        let of_weight = || gradient.apply_op2_no_bwd(x, &WeightGradient { window: self.window });
        Ok((
            x.track_op().then(back).transpose()?,
            weight.track_op().then(of_weight).transpose()?,
            bias_gradient(bias, &gradient)?,
        ))
    }
}

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d weight gradient"
    }

    fn cpu_fwd(
        &self,
        large: &CpuStorage,
        large_layout: &Layout,
        small: &CpuStorage,
        small_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((large, large_shape), (small, small_shape)) = (plain(large, large_layout)?, plain(small, small_layout)?);
        let (rows, columns) = (large_shape[1], small_shape[1]);
        let run = || {
            let large = map_of(large, large_shape, self.window.padding, false);
            let small = map_of(small, small_shape, 0, true);
            let mut gradient = Packed::zeros(self.window.taps() * rows, columns, Isa::best());
            conv::weight_gradient(&large, self.window, &small, &mut gradient);
            gradient.to_kernel(self.window.taps(), rows, columns)
        };
        let [kh, kw] = self.window.kernel;
        Ok((CpuStorage::F32(rayon::scope(|_| run())), Shape::from((columns, rows, kh, kw))))
    }
}

impl CustomOp1 for ChannelSums {
    fn name(&self) -> &'static str {
        "sums over each channel"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, [n, channels, h, w]) = plain(storage, layout)?;
        let mut sums = vec![0.0_f32; channels];
        sums.par_iter_mut().enumerate().for_each(|(c, sum)| {
            let plane = |image: usize| &values[(image * channels + c) * h * w..][..h * w];
            // In double precision: a plane may have 10⁵ pixels.
            *sum = (0..n).flat_map(plane).map(|&value| f64::from(value)).sum::<f64>() as f32;
        });
        Ok((CpuStorage::F32(sums), Shape::from(channels)))
    }
}
