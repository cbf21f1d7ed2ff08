//! Weights in the order in which the kernels read them.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::isa::Isa;
use super::kernel::CHANNEL_BLOCK;

/// Panels of columns: `[panel][row][column of the panel]`; the last panel may be 16 columns wide. Rows: taps × input channels.
#[derive(Debug)]
pub struct Packed {
    /// The instructions that the panels are cut for.
    pub isa: Isa,
    /// The values.
    pub data: Vec<f32>,
    /// Rows of each panel.
    pub rows: usize,
    /// Columns of all panels, a multiple of 16.
    pub columns: usize,
}

/// A kernel as files have it: for each pair of channels, its taps side by side.
#[derive(Clone, Copy)]
pub struct Kernel<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Taps.
    pub taps: usize,
    /// Input channels in the file.
    pub inputs: usize,
    /// Output channels in the file.
    pub outputs: usize,
    /// Whether the input channel is the outer axis, as in transposed convolutions.
    pub is_input_outer: bool,
}

impl Kernel<'_> {
    /// The taps between two channels.
    pub fn taps_of(&self, input: usize, output: usize) -> &[f32] {
        let pair = if self.is_input_outer { input * self.outputs + output } else { output * self.inputs + input };
        &self.data[pair * self.taps..][..self.taps]
    }
}

impl Packed {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize, isa: Isa) -> Self {
        let columns = columns.next_multiple_of(CHANNEL_BLOCK);
        Self { data: vec![0.0; rows * columns], rows, columns, isa }
    }

    /// Rows are (tap, stored channel), columns output channels. `stored`: where each input channel of the file is stored;
    /// `scale`: one factor for each output channel.
    pub fn from_kernel(isa: Isa, kernel: Kernel<'_>, stored: &Stored, scale: &[f32]) -> Self {
        let mut packed = Self::zeros(kernel.taps * stored.channels, kernel.outputs, isa);
        packed.pack(kernel, stored, |output| scale[output]);
        packed
    }

    /// The same in this memory, without factors: what the kernel does not fill keeps its old values, so channels must come
    /// in whole blocks.
    pub fn refill(&mut self, kernel: Kernel<'_>) {
        let stored = Stored::dense(kernel.inputs);
        self.reshape(kernel.taps * stored.channels, kernel.outputs);
        self.pack(kernel, &stored, |_| 1.0);
    }

    /// Another size in this memory; values are arbitrary.
    pub fn reshape(&mut self, rows: usize, columns: usize) {
        self.rows = rows;
        self.columns = columns.next_multiple_of(CHANNEL_BLOCK);
        self.data.resize(self.rows * self.columns, 0.0);
    }

    fn pack(&mut self, kernel: Kernel<'_>, stored: &Stored, scale: impl Fn(usize) -> f32 + Sync) {
        let taps = kernel.taps;
        self.fill(|part, first, width| {
            let columns = width.min(kernel.outputs.saturating_sub(first));
            let scales = (first..first + columns).map(&scale).collect::<Vec<_>>();
            let mut rows = vec![0.0; TURNED_INPUTS * taps * width];
            for (group, places) in stored.places.chunks(TURNED_INPUTS).enumerate() {
                let taps_of =
                    |input: usize, column: usize| kernel.taps_of(group * TURNED_INPUTS + input, first + column);
                turn(taps_of, [places.len(), columns], &mut rows, width);
                for (row, values) in rows.chunks_exact(width).enumerate().take(places.len() * taps) {
                    let (tap, input) = (row / places.len(), row % places.len());
                    let out = &mut part[(tap * stored.channels + places[input]) * width..][..columns];
                    for ((out, value), scale) in out.iter_mut().zip(values).zip(&scales) {
                        *out = value * scale;
                    }
                }
            }
        });
    }

    /// The values as `[column][channel][tap]`, the way files have them; `taps` rows of `channels` each.
    pub fn to_kernel(&self, taps: usize, channels: usize, columns: usize) -> Vec<f32> {
        let mut kernel = vec![0.0; columns * channels * taps];
        self.write_kernel(taps, channels, &mut kernel);
        kernel
    }

    /// The same into memory for as many columns as are asked for.
    pub fn write_kernel(&self, taps: usize, channels: usize, kernel: &mut [f32]) {
        if kernel.is_empty() {
            return;
        }
        kernel.par_chunks_mut(self.panel() * channels * taps).enumerate().for_each(|(index, out)| {
            let (part, width) = (self.part(index), self.width(index));
            let mut rows = vec![0.0; TURNED_INPUTS * taps * width];
            for first in (0..channels).step_by(TURNED_INPUTS) {
                let inputs = TURNED_INPUTS.min(channels - first);
                for (tap, rows) in rows.chunks_exact_mut(inputs * width).enumerate().take(taps) {
                    rows.copy_from_slice(&part[(tap * channels + first) * width..][..inputs * width]);
                }
                for (column, out) in out.chunks_exact_mut(channels * taps).enumerate() {
                    for (input, out) in out[first * taps..][..inputs * taps].chunks_exact_mut(taps).enumerate() {
                        let values = rows[input * width + column..].iter().step_by(inputs * width);
                        for (out, value) in out.iter_mut().zip(values) {
                            *out = *value;
                        }
                    }
                }
            }
        });
    }

    /// Rows are stored input channels, columns (tap, output channel): every product of a pixel with the kernel.
    pub fn from_kernel_by_taps(isa: Isa, kernel: Kernel<'_>, stored: &Stored, scale: &[f32]) -> Self {
        let mut packed = Self::zeros(stored.channels, kernel.taps * kernel.outputs, isa);
        packed.pack_by_taps(kernel, stored, |output| scale[output]);
        packed
    }

    /// The same in this memory, without factors; see [`Self::refill`].
    pub fn refill_by_taps(&mut self, kernel: Kernel<'_>) {
        let stored = Stored::dense(kernel.inputs);
        self.reshape(stored.channels, kernel.taps * kernel.outputs);
        self.pack_by_taps(kernel, &stored, |_| 1.0);
    }

    fn pack_by_taps(&mut self, kernel: Kernel<'_>, stored: &Stored, scale: impl Fn(usize) -> f32 + Sync) {
        let columns = kernel.taps * kernel.outputs;
        self.fill(|part, first, width| {
            for column in 0..width.min(columns.saturating_sub(first)) {
                let (tap, output) = ((first + column) / kernel.outputs, (first + column) % kernel.outputs);
                for (input, &at) in stored.places.iter().enumerate() {
                    part[at * width + column] = kernel.taps_of(input, output)[tap] * scale(output);
                }
            }
        });
    }

    /// `write(panel, first column, width)` for each panel, in parallel.
    pub fn fill(&mut self, write: impl Fn(&mut [f32], usize, usize) + Sync) {
        let (rows, panel) = (self.rows, self.panel());
        if rows > 0 {
            let panels = self.data.par_chunks_mut(panel * rows).enumerate();
            panels.for_each(|(index, part)| write(part, index * panel, part.len() / rows));
        }
    }

    /// Columns of a full panel.
    pub fn panel(&self) -> usize {
        self.isa.panel()
    }

    /// How many panels.
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(self.panel())
    }

    /// Columns of panel `index`.
    pub fn width(&self, index: usize) -> usize {
        (self.columns - index * self.panel()).min(self.panel())
    }

    /// Panel `index`.
    pub fn part(&self, index: usize) -> &[f32] {
        &self.data[index * self.panel() * self.rows..][..self.rows * self.width(index)]
    }
}

/// Inputs that are turned at a time. The rows and columns of a kernel lie far apart, often by a power of two, and would push
/// each other out of the cache: what belongs together is put together in a small buffer.
const TURNED_INPUTS: usize = 8;

/// `rows[tap][input][column] = taps_of(input, column)[tap]`. Sixteen taps go four by four, which compilers make vectors of.
#[inline]
fn turn<'a>(
    taps_of: impl Fn(usize, usize) -> &'a [f32],
    [inputs, columns]: [usize; 2],
    rows: &mut [f32],
    width: usize,
) {
    let is_16 = columns.is_multiple_of(4) && taps_of(0, 0).len() == 16;
    for column in (0..columns).step_by(if is_16 { 4 } else { 1 }) {
        for input in 0..inputs {
            if is_16 {
                let from = [0, 1, 2, 3].map(|c| taps_of(input, column + c).as_chunks::<4>().0);
                for part in 0..4 {
                    let [a, b, c, d] = from.map(|column| column[part]);
                    for i in 0..4 {
                        let row = (part * 4 + i) * inputs + input;
                        rows[row * width + column..][..4].copy_from_slice(&[a[i], b[i], c[i], d[i]]);
                    }
                }
            } else {
                for (tap, value) in taps_of(input, column).iter().enumerate() {
                    rows[(tap * inputs + input) * width + column] = *value;
                }
            }
        }
    }
}

/// Where the channels of a file lie in a feature map.
pub struct Stored {
    /// Place of each channel.
    pub places: Vec<usize>,
    /// Channels of the map.
    pub channels: usize,
}

impl Stored {
    /// One after the other, without a gap.
    pub fn dense(channels: usize) -> Self {
        Self { places: (0..channels).collect(), channels }
    }

    /// Several groups, each starting at a whole block.
    pub fn in_blocks(groups: &[usize]) -> Self {
        let mut all = Self { places: Vec::new(), channels: 0 };
        for &group in groups {
            all.places.extend(all.channels..all.channels + group);
            all.channels += group.next_multiple_of(CHANNEL_BLOCK);
        }
        all
    }
}
