//! Which input pixel meets which tap of a kernel, for convolutions and transposed ones.

use super::kernel::Segment;
use super::map::FeatureMap;
use super::rows::RowMap;

/// Kernel, stride and padding of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Zeros around the picture.
    pub padding: usize,
}

impl Window {
    /// The window of every layer of the U-Net.
    pub const UNET: Self = Self { kernel: [4, 4], stride: 2, padding: 1 };

    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Rows and columns that a convolution gives; `None` where the kernel does not fit.
    pub fn output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let room = (input[axis] + 2 * self.padding).checked_sub(self.kernel[axis])?;
            (self.stride > 0).then(|| room / self.stride + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// Rows and columns that a transposed convolution gives; `None` where the padding eats all.
    pub fn transposed_output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let size = (input[axis].checked_sub(1)? * self.stride + self.kernel[axis]).checked_sub(2 * self.padding)?;
            (size > 0 && self.stride > 0).then_some(size)
        };
        Some([along(0)?, along(1)?])
    }

    /// Zeros that the phases of a transposed convolution to `output` read around its input.
    pub fn transposed_border(&self, input: [usize; 2], output: [usize; 2]) -> usize {
        let mut border = 0;
        for axis in 0..2 {
            for parity in 0..self.stride {
                let count = output[axis].saturating_sub(parity).div_ceil(self.stride);
                for (shift, _) in self.meets(axis, parity) {
                    let last = count as isize - 1 + shift;
                    border = border.max((-shift).max(last - (input[axis] as isize - 1)));
                }
            }
        }
        border as usize
    }

    /// For outputs `stride · y + parity` of a transposed convolution: (`shift`, `tap`) so that input `y + shift` meets `tap`.
    fn meets(&self, axis: usize, parity: usize) -> impl Iterator<Item = (isize, usize)> {
        let (stride, from) = (self.stride as isize, (parity + self.padding) as isize);
        (0..self.kernel[axis])
            .filter(move |&tap| (from - tap as isize) % stride == 0)
            .map(move |tap| ((from - tap as isize) / stride, tap))
    }
}

/// Input pixels of each output pixel, and the taps they meet.
pub struct Reads {
    /// Where the first tap of each output pixel reads.
    pub rows: RowMap,
    /// Which parts of the input meet which rows of the weights.
    pub segments: Vec<Segment>,
    /// Length of each segment.
    pub len: usize,
}

/// Whether any of `count` outputs reads inside `0 .. size` at `stride · y + shift`.
fn is_used(shift: isize, stride: usize, count: usize, size: usize) -> bool {
    let first = if shift >= 0 { 0 } else { (-shift as usize).div_ceil(stride) };
    first < count && ((first * stride) as isize + shift) < size as isize
}

/// A convolution's reads; `output`: its rows and columns.
pub fn convolution_reads(input: &FeatureMap, window: Window, output: [usize; 2]) -> Reads {
    let size = [input.height, input.width];
    let corner = [input.border - window.padding; 2];
    let used = |axis: usize, tap: usize| {
        is_used(tap as isize - window.padding as isize, window.stride, output[axis], size[axis])
    };
    let [rows, columns] =
        [0, 1].map(|axis| (0..window.kernel[axis]).filter(|&tap| used(axis, tap)).collect::<Vec<_>>());
    // Where pixels follow each other without a gap, the taps of a kernel row are one segment.
    let is_dense = input.step == input.channels && columns.len() == window.kernel[1];
    let mut segments = Vec::new();
    for ky in rows {
        for &kx in columns.iter().take(if is_dense { 1 } else { usize::MAX }) {
            segments.push(Segment {
                input: ky * input.step_y() + kx * input.step,
                weight_row: (ky * window.kernel[1] + kx) * input.channels,
            });
        }
    }
    let len = if is_dense { window.kernel[1] * input.channels } else { input.channels };
    Reads { rows: input.rows_from(corner, window.stride, output), segments, len }
}

/// One phase of a transposed convolution: the outputs of one parity.
pub struct Phase {
    /// What it reads.
    pub reads: Reads,
    /// Where in the output it writes: row and column of the first pixel.
    pub parity: [usize; 2],
    /// Rows and columns that it writes.
    pub size: [usize; 2],
}

/// The phases of a transposed convolution; `output`: its rows and columns.
pub fn transposed_phases(input: &FeatureMap, window: Window, output: [usize; 2]) -> Vec<Phase> {
    let input_size = [input.height, input.width];
    let mut phases = Vec::new();
    for parity in (0..window.stride).flat_map(|py| (0..window.stride).map(move |px| [py, px])) {
        let size = [0, 1].map(|axis| output[axis].saturating_sub(parity[axis]).div_ceil(window.stride));
        if size.contains(&0) {
            continue;
        }
        let [rows, columns] = [0, 1].map(|axis| {
            let used = |&(shift, _): &(isize, usize)| is_used(shift, 1, size[axis], input_size[axis]);
            window.meets(axis, parity[axis]).filter(used).collect::<Vec<_>>()
        });
        let offset = |shift: isize| (input.border as isize + shift) as usize;
        let mut segments = Vec::new();
        for &(dy, ky) in &rows {
            for &(dx, kx) in &columns {
                segments.push(Segment {
                    input: offset(dy) * input.step_y() + offset(dx) * input.step,
                    weight_row: (ky * window.kernel[1] + kx) * input.channels,
                });
            }
        }
        let reads = Reads { rows: input.rows_from([0, 0], 1, size), segments, len: input.channels };
        phases.push(Phase { reads, parity, size });
    }
    phases
}
