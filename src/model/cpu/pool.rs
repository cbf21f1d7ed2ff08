//! Max pools on the processor, with gradients for any kernel, stride and padding.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::geometry::Window;
use super::ops::plain;

/// Largest value of each `kernel`×`kernel` window of `[N, C, H, W]`; f32 on the processor. Of equal values the first takes
/// the gradient, as in PyTorch.
pub fn max_pool2d(input: &Tensor, kernel: usize, [stride, padding]: [usize; 2]) -> Result<Tensor> {
    let (_, _, rows, columns) = input.dims4()?;
    let window = Window { kernel: [kernel; 2], stride, padding };
    // Beyond half the kernel a window could lie in the padding alone.
    if 2 * padding > kernel {
        bail!("max pool: expected a padding of at most {}, got {padding}", kernel / 2);
    }
    match window.output([rows, columns]) {
        Some(size) if kernel > 0 => input.contiguous()?.apply_op1(MaxPool { window, size }),
        _ => bail!("max pool: expected a picture of at least {kernel}×{kernel}, got {rows}×{columns}"),
    }
}

/// `size`: rows and columns of the output.
#[derive(Clone, Copy)]
struct MaxPool {
    window: Window,
    size: [usize; 2],
}

/// Gradient of the input, from the input and the gradient of the output.
struct MaxPoolGradient(MaxPool);

impl MaxPool {
    /// Place and value of the first largest value of the window at (`y`, `x`) of a plane of `width` columns.
    fn largest(&self, plane: &[f32], width: usize, [y, x]: [usize; 2]) -> (usize, f32) {
        let along = |at: usize, size: usize| {
            let first = (at * self.window.stride) as isize - self.window.padding as isize;
            first.max(0) as usize..((first + self.window.kernel[0] as isize) as usize).min(size)
        };
        let mut best = (0, f32::NEG_INFINITY);
        for row in along(y, plane.len() / width) {
            for column in along(x, width) {
                let place = row * width + column;
                // A NaN wins and stays, as in PyTorch.
                if plane[place] > best.1 || plane[place].is_nan() && !best.1.is_nan() {
                    best = (place, plane[place]);
                }
            }
        }
        best
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, [n, c, h, w]) = plain(storage, layout)?;
        let [rows, columns] = self.size;
        let mut out = vec![0.0_f32; n * c * rows * columns];
        if !out.is_empty() {
            out.par_chunks_mut(rows * columns).zip(values_by_plane(values, h * w)).for_each(|(out, plane)| {
                for (y, line) in out.chunks_exact_mut(columns).enumerate() {
                    for (x, value) in line.iter_mut().enumerate() {
                        *value = self.largest(plane, w, [y, x]).1;
                    }
                }
            });
        }
        Ok((CpuStorage::F32(out), Shape::from((n, c, rows, columns))))
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(input.apply_op2_no_bwd(&gradient.contiguous()?, &MaxPoolGradient(*self))?))
    }
}

impl CustomOp2 for MaxPoolGradient {
    fn name(&self) -> &'static str {
        "max pool gradient"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, [n, c, h, w]) = plain(input, input_layout)?;
        let (gradient, _) = plain(gradient, gradient_layout)?;
        let [rows, columns] = self.0.size;
        let mut out = vec![0.0_f32; values.len()];
        if !out.is_empty() {
            let planes = values_by_plane(values, h * w).zip(values_by_plane(gradient, rows * columns));
            out.par_chunks_mut(h * w).zip(planes).for_each(|(out, (plane, gradient))| {
                for (index, gradient) in gradient.iter().enumerate() {
                    let (place, _) = self.0.largest(plane, w, [index / columns, index % columns]);
                    out[place] += gradient;
                }
            });
        }
        Ok((CpuStorage::F32(out), Shape::from((n, c, h, w))))
    }
}

fn values_by_plane(values: &[f32], size: usize) -> rayon::slice::ChunksExact<'_, f32> {
    rayon::slice::ParallelSlice::par_chunks_exact(values, size)
}
