//! Small encoders for tests: what no encoder at hand writes.

/// A writer of bits, most significant first, with JPEG's stuffing.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    partial: u32,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, bits: u32) {
        for k in (0..bits).rev() {
            self.partial = self.partial << 1 | (value >> k & 1);
            self.count += 1;
            if self.count == 8 {
                self.flush_byte();
            }
        }
    }

    fn flush_byte(&mut self) {
        self.bytes.push(self.partial as u8);
        if self.partial == 0xFF {
            self.bytes.push(0);
        }
        (self.partial, self.count) = (0, 0);
    }

    fn align(&mut self) {
        while self.count > 0 {
            self.put(1, 1);
        }
    }
}

/// How a lossless JPEG is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lossless {
    pub(super) columns: usize,
    pub(super) precision: u32,
    pub(super) predictor: u8,
    pub(super) point_transform: u32,
    /// 0 for no restarts.
    pub(super) rows_per_restart: usize,
}

impl Lossless {
    /// T.81 H with one Huffman table: a code of five bits for each of the seventeen sizes.
    pub(super) fn encode(&self, samples: &[i32]) -> Vec<u8> {
        let rows = samples.len() / self.columns;
        let word = |value: usize| (value as u16).to_be_bytes();
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, self.precision as u8];
        bytes.extend([word(rows), word(self.columns)].concat());
        bytes.extend([1, 1, 0x11, 0, 0xFF, 0xC4, 0, 36, 0, 0, 0, 0, 0, 17]);
        bytes.extend([0; 11]);
        bytes.extend(0..=16);
        if self.rows_per_restart > 0 {
            bytes.extend([0xFF, 0xDD, 0, 4]);
            bytes.extend(word(self.rows_per_restart * self.columns));
        }
        bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, self.predictor, 0, self.point_transform as u8]);
        let mut bits = BitWriter { bytes, ..BitWriter::default() };
        let coded: Vec<i32> = samples.iter().map(|s| s >> self.point_transform).collect();
        let mut first_row = 0;
        for row in 0..rows {
            if self.rows_per_restart > 0 && row > 0 && row % self.rows_per_restart == 0 {
                bits.align();
                bits.bytes.extend([0xFF, 0xD0 + ((row / self.rows_per_restart - 1) % 8) as u8]);
                first_row = row;
            }
            for column in 0..self.columns {
                let prediction = self.predict(&coded, [column, row], first_row);
                put_difference(&mut bits, (coded[row * self.columns + column] - prediction) as u16);
            }
        }
        bits.align();
        bits.bytes.extend([0xFF, 0xD9]);
        bits.bytes
    }

    fn predict(&self, coded: &[i32], [column, row]: [usize; 2], first_row: usize) -> i32 {
        let at = |column: usize, row: usize| coded[row * self.columns + column];
        match (column, row == first_row) {
            (0, true) => 1 << (self.precision - self.point_transform - 1),
            (_, true) => at(column - 1, row),
            (0, false) => at(0, row - 1),
            _ => {
                let (a, b, c) = (at(column - 1, row), at(column, row - 1), at(column - 1, row - 1));
                match self.predictor {
                    1 => a,
                    2 => b,
                    3 => c,
                    4 => a + b - c,
                    5 => a + (b - c).div_euclid(2),
                    6 => b + (a - c).div_euclid(2),
                    _ => i32::midpoint(a, b),
                }
            }
        }
    }
}

fn put_difference(bits: &mut BitWriter, difference: u16) {
    if difference == 1 << 15 {
        bits.put(16, 5);
        return;
    }
    let signed = i32::from(difference as i16);
    let size = i32::BITS - signed.abs().leading_zeros();
    bits.put(size, 5);
    bits.put(if signed < 0 { (signed - 1) as u32 } else { signed as u32 }, size);
}

/// DICOM PS3.5 G, with literal runs and repeats; `bytes_per_sample` segments.
pub(super) fn encode_rle(samples: &[i32], bytes_per_sample: usize) -> Vec<u8> {
    let mut header = vec![bytes_per_sample as u32];
    let mut segments = Vec::new();
    for byte in (0..bytes_per_sample).rev() {
        header.push(64 + segments.len() as u32);
        let plane: Vec<u8> = samples.iter().map(|s| (s >> (8 * byte)) as u8).collect();
        for run in plane.chunk_by(|a, b| a == b) {
            for piece in run.chunks(128) {
                match piece {
                    [one] => segments.extend([0, *one]),
                    [first, ..] => segments.extend([(1 - piece.len() as i16) as u8, *first]),
                    [] => {}
                }
            }
            // Stands for nothing.
            segments.push(0x80);
        }
        if segments.len() % 2 == 1 {
            segments.push(0);
        }
    }
    header.resize(16, 0);
    header.into_iter().flat_map(u32::to_le_bytes).chain(segments).collect()
}
