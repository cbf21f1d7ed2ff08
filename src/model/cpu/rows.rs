//! Where the pixels of a map lie in a buffer.

#![expect(clippy::inline_always, reason = "part of the kernels, which are one function each")]

use super::kernel::MAX_TILE_ROWS;

/// Offset of pixel `m = (n · height + y) · width + x`: `base + n · step_n + y · step_y + x · step_x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowMap {
    /// Offset of the first pixel.
    pub base: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows in an image.
    pub height: usize,
    /// From pixel to pixel.
    pub step_x: usize,
    /// From row to row.
    pub step_y: usize,
    /// From image to image.
    pub step_n: usize,
}

impl RowMap {
    /// Offsets of pixels `first … first + count`; `count` is at most a tile's rows.
    #[inline(always)]
    pub fn offsets(&self, first: usize, count: usize) -> [usize; MAX_TILE_ROWS] {
        let mut all = [0; MAX_TILE_ROWS];
        let (mut line, mut x) = (first / self.width, first % self.width);
        let mut start = self.line(line);
        for offset in &mut all[..count] {
            if x == self.width {
                x = 0;
                line += 1;
                start = self.line(line);
            }
            *offset = start + x * self.step_x;
            x += 1;
        }
        all
    }

    /// Offset of the first pixel of row `line`, counted over all images.
    #[inline(always)]
    pub fn line(&self, line: usize) -> usize {
        self.base + line / self.height * self.step_n + line % self.height * self.step_y
    }
}
