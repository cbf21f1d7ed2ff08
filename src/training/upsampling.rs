//! How the generator doubles its grid, and why some generators leave a chequered pattern.
//!
//! A transposed convolution of stride 2 paints even and odd pixels with different taps of its kernel. Where the input is flat, the
//! sums of these taps still differ, and the picture gets a pattern of 2 pixels, which later layers widen to 4 and 8. Doubling by
//! nearest neighbour with a 3×3 convolution behind it cannot do that (Odena, Dumoulin, Olah: *Deconvolution and Checkerboard
//! Artifacts*, Distill 2016).
//!
//! That pair is itself a transposed convolution with a 4×4 kernel: the 3×3 kernel, mirrored and blurred by a 2×2 box. Such kernels
//! are those that do not answer to `a = (1, −1, 1, −1)` along either axis, so that a generator learns resize-convolution when its
//! 4×4 kernels are put back among them after every step. Its weights file needs no word about it, and it paints as fast as any other.

use candle_core::{Result, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::model::Parameters;

/// Side of the kernels.
const SIDE: usize = 4;
/// Taps of a kernel.
const TAPS: usize = SIDE * SIDE;

/// How the generator doubles its grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// Any 4×4 transposed convolution, as in pix2pix and the paper.
    #[default]
    Transposed,
    /// Nearest neighbour and a 3×3 convolution, written as the 4×4 transposed convolution that they are.
    Resize,
}

/// Moves the kernels of all doublings to the nearest ones that are resize-convolutions.
pub(super) struct ResizeKernels {
    kernels: Vec<Var>,
    /// `[16, 16]`: takes from a kernel, row by row, what answers to `a` along an axis.
    projection: Tensor,
}

impl ResizeKernels {
    /// Of the variables of a generator.
    pub(super) fn new(generator: &Parameters) -> Result<Self> {
        let trained = generator.trained()?.into_iter();
        let kernels = trained.filter(|(name, _)| name.starts_with("up.") && name.ends_with(".conv.weight"));
        let kernels: Vec<Var> = kernels.map(|(_, kernel)| kernel).collect();
        let Some(first) = kernels.first() else { candle_core::bail!("a generator without doublings") };
        let projection = Tensor::new(&projection(), first.device())?;
        Ok(Self { kernels, projection })
    }

    /// After every step: before the first, the weights that one starts from are measured as they are.
    pub(super) fn restore(&self) -> Result<()> {
        for kernel in &self.kernels {
            let rows = kernel.as_tensor().detach().reshape(((), TAPS))?;
            kernel.set(&rows.matmul(&self.projection)?.reshape(kernel.dims())?)?;
        }
        Ok(())
    }
}

/// (1 − a·aᵀ/4) ⊗ (1 − a·aᵀ/4): the same for rows as for columns.
fn projection() -> [[f32; TAPS]; TAPS] {
    let along = |i: usize, j: usize| {
        let sign = if (i + j).is_multiple_of(2) { 1.0 } else { -1.0 };
        f32::from(i == j) - sign / SIDE as f32
    };
    std::array::from_fn(|i| std::array::from_fn(|j| along(i / SIDE, j / SIDE) * along(i % SIDE, j % SIDE)))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::model::{GeneratorConfig, NormMode, Seed};

    fn kernels() -> (Parameters, ResizeKernels) {
        let config = GeneratorConfig { input_channels: 1, base_channels: 2, norm: NormMode::Running };
        let parameters = config.initialize(Seed(3), &Device::Cpu).unwrap().to_variables().unwrap();
        let resize = ResizeKernels::new(&parameters).unwrap();
        (parameters, resize)
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        values(&a.sub(b).unwrap().abs().unwrap()).into_iter().fold(0.0, f32::max)
    }

    /// What nearest neighbour and 3×3 convolutions `[out, in, 3, 3]` make of a picture.
    fn resized(input: &Tensor, weight: &Tensor) -> Tensor {
        let (_, _, rows, columns) = input.dims4().unwrap();
        input.upsample_nearest2d(2 * rows, 2 * columns).unwrap().conv2d(weight, 1, 1, 1, 1).unwrap()
    }

    /// The 4×4 kernel `[in, out, 4, 4]` of that: mirrored, and blurred by a 2×2 box.
    fn as_transposed(weight: &Tensor) -> Tensor {
        let (outputs, inputs, _, _) = weight.dims4().unwrap();
        let of = values(weight);
        let tap = |output: usize, input: usize, row: usize, column: usize| {
            let index = |y: usize, x: usize| ((output * inputs + input) * 3 + y) * 3 + x;
            // Kernel row r is fed by the mirrored rows r − 1 and r of the small kernel: 3 − r and 2 − r.
            let near =
                |at: usize| [3usize.checked_sub(at), 2usize.checked_sub(at)].into_iter().flatten().filter(|i| *i < 3);
            near(row).flat_map(|y| near(column).map(move |x| (y, x))).map(|(y, x)| of[index(y, x)]).sum::<f32>()
        };
        let taps = (0..inputs * outputs * TAPS)
            .map(|i| tap(i / TAPS % outputs, i / TAPS / outputs, i % TAPS / SIDE, i % SIDE))
            .collect();
        Tensor::from_vec(taps, (inputs, outputs, SIDE, SIDE), &Device::Cpu).unwrap()
    }

    #[test]
    fn a_resize_convolution_is_a_transposed_one_that_the_projection_leaves_alone() {
        let mut stream = Seed(5).stream("test");
        let mut tensor = |shape: &[usize]| {
            Tensor::from_vec(stream.normals(shape.iter().product(), 0.0, 1.0), shape, &Device::Cpu).unwrap()
        };
        let (input, weight) = (tensor(&[1, 3, 6, 5]), tensor(&[2, 3, 3, 3]));
        let transposed = as_transposed(&weight);
        let doubled = input.conv_transpose2d(&transposed, 1, 0, 2, 1).unwrap();
        assert!(largest_difference(&doubled, &resized(&input, &weight)) < 1e-4, "the two are one");
        let projection = Tensor::new(&projection(), &Device::Cpu).unwrap();
        let projected = transposed.reshape(((), TAPS)).unwrap().matmul(&projection).unwrap();
        assert!(largest_difference(&projected, &transposed.reshape(((), TAPS)).unwrap()) < 1e-5, "left alone");
    }

    #[test]
    fn after_it_a_flat_picture_stays_flat() {
        let (parameters, resize) = kernels();
        let unevenness = |parameters: &Parameters| {
            let kernel = parameters.get("up.3.conv.weight").unwrap().detach();
            let channels = kernel.dim(0).unwrap();
            let flat = Tensor::ones((1, channels, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
            let doubled = flat.conv_transpose2d(&kernel, 1, 0, 2, 1).unwrap();
            // The border sees zeros beyond the picture.
            let inner = doubled.narrow(2, 2, 12).unwrap().narrow(3, 2, 12).unwrap();
            let moved = doubled.narrow(2, 2, 12).unwrap().narrow(3, 3, 12).unwrap();
            largest_difference(&inner, &moved)
        };
        assert!(unevenness(&parameters) > 0.01, "new kernels paint a chequered pattern");
        resize.restore().unwrap();
        assert!(unevenness(&parameters) < 1e-6, "and now they do not");
    }

    #[test]
    fn only_doublings_are_moved_and_only_once() {
        let (parameters, resize) = kernels();
        let before = parameters.snapshot().unwrap();
        resize.restore().unwrap();
        let once = parameters.snapshot().unwrap();
        resize.restore().unwrap();
        for (name, tensor) in parameters.iter() {
            let is_kernel = name.starts_with("up.") && name.ends_with("conv.weight");
            let moved = largest_difference(tensor, before.get(name).unwrap());
            assert_eq!(moved > 0.0, is_kernel, "{name} moved by {moved}");
            assert!(largest_difference(tensor, once.get(name).unwrap()) < 1e-7, "{name}: nothing is left to move");
        }
    }
}
