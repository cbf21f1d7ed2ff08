//! Yes-or-no pictures, 64 pixels in a word: growing and shrinking a region costs a few operations a word.

/// Which neighbours a step of growing or shrinking looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Neighbours {
    /// Left, right, above, below.
    Plus,
    /// Left and right.
    Across,
    /// Above and below.
    Upright,
}

/// A picture of bits, row by row. A frame of zeros surrounds it, so that no step asks whether it is at the edge.
#[derive(Clone, Debug)]
pub(super) struct BitPlane {
    columns: usize,
    rows: usize,
    /// Words of a row, with one of the frame on either side.
    stride: usize,
    words: Vec<u64>,
}

impl BitPlane {
    /// All zeros.
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let stride = columns.div_ceil(64) + 2;
        Self { columns, rows, stride, words: vec![0; stride * (rows + 2)] }
    }

    /// One where `is_inside` holds for the value at that place.
    pub(super) fn of<T: Copy>(values: &[T], columns: usize, is_inside: impl Fn(T) -> bool) -> Self {
        let mut plane = Self::new(columns, values.len() / columns.max(1));
        if columns == 0 {
            return plane;
        }
        for (row, values) in values.chunks_exact(columns).enumerate() {
            let words = &mut plane.words[(row + 1) * plane.stride + 1..];
            for (word, values) in words.iter_mut().zip(values.chunks(64)) {
                let bits = values.iter().enumerate().map(|(bit, &value)| u64::from(is_inside(value)) << bit);
                *word = bits.fold(0, |word, bit| word | bit);
            }
        }
        plane
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The words of a row; bits beyond the last column are zero.
    pub(super) fn row(&self, row: usize) -> &[u64] {
        let start = (row + 1) * self.stride + 1;
        &self.words[start..start + self.stride - 2]
    }

    /// Ones in the columns `start..end` of a row.
    pub(super) fn fill(&mut self, row: usize, columns: std::ops::Range<usize>) {
        let first = (row + 1) * self.stride + 1;
        let mut column = columns.start;
        while column < columns.end {
            let (word, bit) = (column / 64, column % 64);
            let count = (64 - bit).min(columns.end - column);
            self.words[first + word] |= (u64::MAX >> (64 - count)) << bit;
            column += count;
        }
    }

    /// Row by row.
    pub(super) fn to_bools(&self) -> Vec<bool> {
        let mut bools = Vec::with_capacity(self.columns * self.rows);
        for row in 0..self.rows {
            let end = bools.len() + self.columns;
            for &word in self.row(row) {
                let count = (end - bools.len()).min(64);
                bools.extend((0..count).map(|bit| word >> bit & 1 == 1));
            }
        }
        bools
    }

    /// First and last row and column with a one: `[top, bottom, left, right]`, all inside. `None` when all is zero.
    pub(super) fn bounds(&self) -> Option<[usize; 4]> {
        let has_bits = |row: &usize| self.row(*row).iter().any(|&word| word != 0);
        let top = (0..self.rows).find(has_bits)?;
        let bottom = (0..self.rows).rfind(has_bits)?;
        let mut any = vec![0; self.stride - 2];
        for row in top..=bottom {
            any.iter_mut().zip(self.row(row)).for_each(|(any, word)| *any |= word);
        }
        let first = any.iter().position(|&word| word != 0)?;
        let last = any.iter().rposition(|&word| word != 0)?;
        let left = first * 64 + any[first].trailing_zeros() as usize;
        let right = last * 64 + 63 - any[last].leading_zeros() as usize;
        Some([top, bottom, left, right])
    }

    /// Turns each zero with a one beside it into a one, step by step.
    pub(super) fn grow(&mut self, steps: &[Neighbours]) {
        self.walk(steps, |word, [left, right, above, below]| word | left | right | above | below, 0);
    }

    /// Turns each one with a zero beside it into a zero, step by step. Outside the picture all is zero.
    pub(super) fn shrink(&mut self, steps: &[Neighbours]) {
        self.walk(steps, |word, [left, right, above, below]| word & left & right & above & below, u64::MAX);
    }

    /// One word of the next picture after the other; `ignored` stands for neighbours that a step does not look at.
    fn walk(&mut self, steps: &[Neighbours], next: impl Fn(u64, [u64; 4]) -> u64, ignored: u64) {
        let (stride, tail) = (self.stride, self.tail_mask());
        let mut target = vec![0; self.words.len()];
        for &step in steps {
            for row in 1..=self.rows {
                let start = row * stride;
                let source = &self.words[start - stride..start + 2 * stride];
                let (above, here, below) = (&source[..stride], &source[stride..2 * stride], &source[2 * stride..]);
                let target = &mut target[start..start + stride];
                for i in 1..stride - 1 {
                    let left = here[i] << 1 | here[i - 1] >> 63;
                    let right = here[i] >> 1 | here[i + 1] << 63;
                    let neighbours = match step {
                        Neighbours::Plus => [left, right, above[i], below[i]],
                        Neighbours::Across => [left, right, ignored, ignored],
                        Neighbours::Upright => [ignored, ignored, above[i], below[i]],
                    };
                    target[i] = next(here[i], neighbours);
                }
                target[stride - 2] &= tail;
            }
            std::mem::swap(&mut self.words, &mut target);
        }
    }

    /// Ones for the columns that the last word of a row really has.
    fn tail_mask(&self) -> u64 {
        match self.columns % 64 {
            0 => u64::MAX,
            count => u64::MAX >> (64 - count),
        }
    }

    /// The picture with `columns` and `rows` more on either side, the edge pixels repeated.
    pub(super) fn padded(&self, columns: usize, rows: usize) -> Self {
        let mut padded = Self::new(self.columns + 2 * columns, self.rows + 2 * rows);
        if self.columns == 0 || self.rows == 0 {
            return padded;
        }
        for row in 0..padded.rows {
            let source = row.saturating_sub(rows).min(self.rows - 1);
            super::components::for_each_run(self.row(source), |run| {
                let start = if run.start == 0 { 0 } else { run.start + columns };
                let end = if run.end == self.columns { padded.columns } else { run.end + columns };
                padded.fill(row, start..end);
            });
        }
        padded
    }

    /// The inverse of [`Self::padded`].
    pub(super) fn cropped(&self, columns: usize, rows: usize) -> Self {
        let mut cropped = Self::new(self.columns - 2 * columns, self.rows - 2 * rows);
        for row in 0..cropped.rows {
            super::components::for_each_run(self.row(row + rows), |run| {
                let end = run.end.saturating_sub(columns).min(cropped.columns);
                let start = run.start.saturating_sub(columns).min(end);
                cropped.fill(row, start..end);
            });
        }
        cropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels that look random, the same on every machine.
    fn speckled(columns: usize, rows: usize, one_in: usize) -> Vec<bool> {
        (0..columns * rows).map(|i| ((i * 2_654_435_761) >> 7) % 101 % one_in == 0).collect()
    }

    const SIZES: [(usize, usize); 8] = [(1, 1), (3, 5), (63, 4), (64, 4), (65, 4), (128, 2), (200, 30), (1, 70)];

    /// One step, pixel by pixel.
    fn plain_step(plane: &[bool], columns: usize, step: Neighbours, is_growing: bool) -> Vec<bool> {
        let rows = plane.len() / columns;
        let at = |row: i64, column: i64| {
            let is_inside = (0..rows as i64).contains(&row) && (0..columns as i64).contains(&column);
            is_inside && plane[row as usize * columns + column as usize]
        };
        (0..plane.len())
            .map(|index| {
                let (row, column) = ((index / columns) as i64, (index % columns) as i64);
                let (across, upright) =
                    ([at(row, column - 1), at(row, column + 1)], [at(row - 1, column), at(row + 1, column)]);
                let mut seen = vec![at(row, column)];
                if step != Neighbours::Upright {
                    seen.extend(across);
                }
                if step != Neighbours::Across {
                    seen.extend(upright);
                }
                if is_growing { seen.contains(&true) } else { !seen.contains(&false) }
            })
            .collect()
    }

    #[test]
    fn growing_and_shrinking_are_those_of_single_pixels() {
        let steps = [Neighbours::Plus, Neighbours::Across, Neighbours::Upright, Neighbours::Plus];
        for (columns, rows) in SIZES {
            for (one_in, is_growing) in [(9, true), (2, true), (2, false), (1, false)] {
                let mut plain = speckled(columns, rows, one_in);
                let mut plane = BitPlane::of(&plain, columns, |bit| bit);
                for step in steps {
                    plain = plain_step(&plain, columns, step, is_growing);
                }
                if is_growing {
                    plane.grow(&steps);
                } else {
                    plane.shrink(&steps);
                }
                assert_eq!(plane.to_bools(), plain, "{columns} × {rows}, one in {one_in}, growing {is_growing}");
            }
        }
    }

    #[test]
    fn padding_repeats_the_edge_and_cropping_undoes_it() {
        for (columns, rows) in SIZES {
            let plain = speckled(columns, rows, 3);
            let plane = BitPlane::of(&plain, columns, |bit| bit);
            for (across, down) in [(0, 0), (2, 3), (70, 1)] {
                let padded = plane.padded(across, down);
                let wide = columns + 2 * across;
                let expected: Vec<bool> = (0..wide * (rows + 2 * down))
                    .map(|index| {
                        let row = (index / wide).saturating_sub(down).min(rows - 1);
                        plain[row * columns + (index % wide).saturating_sub(across).min(columns - 1)]
                    })
                    .collect();
                assert_eq!(padded.to_bools(), expected, "{columns} × {rows} by {across}, {down}");
                assert_eq!(padded.cropped(across, down).to_bools(), plain, "{columns} × {rows}: back");
            }
        }
    }

    #[test]
    fn bounds_are_the_first_and_last_ones() {
        for (columns, rows) in SIZES {
            let plain = speckled(columns, rows, 40);
            let ones = || plain.iter().enumerate().filter(|(_, bit)| **bit).map(|(i, _)| (i / columns, i % columns));
            let expected = ones().next().map(|_| {
                let rows = || ones().map(|(row, _)| row);
                let columns = || ones().map(|(_, column)| column);
                [rows().min(), rows().max(), columns().min(), columns().max()].map(|bound| bound.unwrap())
            });
            assert_eq!(BitPlane::of(&plain, columns, |bit| bit).bounds(), expected, "{columns} × {rows}");
        }
        assert_eq!(BitPlane::new(0, 0).bounds(), None, "nothing");
    }
}
