//! Feature maps as the kernels want them: channels last, with a border of zeros.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::isa::Isa;
use super::kernel::vectorized;
use super::rows::RowMap;

/// Channels that are turned at a time between planes and pixels.
const TURNED: usize = 16;

/// `[N, H + 2·border, W + 2·border, step]`; the border, and in each pixel what lies past the channels in use, is zero.
#[derive(Debug, Default)]
pub struct FeatureMap {
    /// Images.
    pub count: usize,
    /// Rows without the border.
    pub height: usize,
    /// Columns without the border.
    pub width: usize,
    /// Channels, those that only fill up a vector included.
    pub channels: usize,
    /// From pixel to pixel, in elements.
    pub step: usize,
    /// Zeros around each image, in pixels.
    pub border: usize,
    /// The values.
    pub data: Vec<f32>,
}

impl FeatureMap {
    /// All zeros. `shape`: `[N, C, H, W]`.
    pub fn zeros([count, channels, height, width]: [usize; 4], border: usize) -> Self {
        // Pixels a multiple of 2 KiB apart would share a few lines of the first cache: 16 more floats spread them.
        let step = if channels >= 256 && channels.is_multiple_of(64) { channels + 16 } else { channels };
        let data = vec![0.0; count * (height + 2 * border) * (width + 2 * border) * step];
        Self { count, height, width, channels, step, border, data }
    }

    /// From row to row, in elements.
    pub fn step_y(&self) -> usize {
        (self.width + 2 * self.border) * self.step
    }

    /// From image to image, in elements.
    pub fn step_n(&self) -> usize {
        (self.height + 2 * self.border) * self.step_y()
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.count * self.height * self.width
    }

    /// All pixels inside the border, in order.
    pub fn rows(&self) -> RowMap {
        self.rows_from([self.border; 2], 1, [self.height, self.width])
    }

    /// Every `stride`-th pixel from `corner` (row and column, counted from the border's first pixel): a grid of `size` rows and columns.
    pub fn rows_from(&self, corner: [usize; 2], stride: usize, size: [usize; 2]) -> RowMap {
        RowMap {
            base: corner[0] * self.step_y() + corner[1] * self.step,
            width: size[1],
            height: size[0],
            step_x: stride * self.step,
            step_y: stride * self.step_y(),
            step_n: self.step_n(),
        }
    }

    /// Rows of all images.
    pub fn lines(&self) -> usize {
        self.count * self.height
    }

    /// The pixels of row `line`, counted over all images, without the border.
    pub fn line(&self, line: usize) -> &[f32] {
        let (n, y) = (line / self.height, line % self.height);
        let start = n * self.step_n() + (y + self.border) * self.step_y() + self.border * self.step;
        &self.data[start..start + self.width * self.step]
    }

    /// Calls `write(line, pixels)` for the rows of all images, in parallel, without the border.
    pub fn for_each_line(&mut self, write: impl Fn(usize, &mut [f32]) + Sync) {
        let (step, border, height, width) = (self.step, self.border, self.height, self.width);
        let (line_length, lines, isa) = (self.step_y(), self.height + 2 * self.border, Isa::best());
        if line_length == 0 {
            return;
        }
        self.data.par_chunks_mut(line_length).enumerate().for_each(|(line, values)| {
            let (n, y) = (line / lines, (line % lines).wrapping_sub(border));
            if y < height {
                vectorized(
                    isa,
                    #[inline(always)]
                    || write(n * height + y, &mut values[border * step..][..width * step]),
                );
            }
        });
    }

    /// Fills the inside from `[N, C, H, W]`; `channels` may be fewer than the map's.
    pub fn fill_from_planes(&mut self, planes: &[f32], channels: usize) {
        let (step, height, width) = (self.step, self.height, self.width);
        self.for_each_line(|line, pixels| {
            let (n, y) = (line / height, line % height);
            let plane = |c: usize| &planes[((n * channels + c) * height + y) * width..][..width];
            let whole = channels / TURNED * TURNED;
            for first in (0..whole).step_by(TURNED) {
                let from: [&[f32]; TURNED] = std::array::from_fn(|c| plane(first + c));
                for (x, pixel) in pixels.chunks_exact_mut(step).enumerate() {
                    for (out, from) in pixel[first..first + TURNED].iter_mut().zip(&from) {
                        *out = from[x];
                    }
                }
            }
            for c in whole..channels {
                for (pixel, value) in pixels.chunks_exact_mut(step).zip(plane(c)) {
                    pixel[c] = *value;
                }
            }
        });
    }

    /// The inside as `[N, channels, H, W]`.
    pub fn to_planes(&self, channels: usize) -> Vec<f32> {
        let mut planes = vec![0.0; self.count * channels * self.height * self.width];
        let plane = self.height * self.width;
        if planes.is_empty() {
            return planes;
        }
        // Neighbouring channels share cache lines: several planes at a time.
        planes.par_chunks_mut(channels * plane).enumerate().for_each(|(n, image)| {
            image.par_chunks_mut(TURNED * plane).enumerate().for_each(|(group, planes)| {
                for y in 0..self.height {
                    let from = self.line(n * self.height + y);
                    for (c, plane) in planes.chunks_exact_mut(plane).enumerate() {
                        let values = from[group * TURNED + c..].iter().step_by(self.step);
                        for (out, value) in plane[y * self.width..][..self.width].iter_mut().zip(values) {
                            *out = *value;
                        }
                    }
                }
            });
        });
        planes
    }
}
