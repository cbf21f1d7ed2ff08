//! JPEG-LS, lossless and near-lossless, for grey pictures (ITU-T T.87 | ISO/IEC 14495-1, annexes A and C).

use super::bits::{BitReader, Stuffing};
use super::jpeg::Picture;
use super::{CodecError, FrameLayout};

const CODEC: &str = "JPEG-LS";
/// Contexts of regular mode; two more are for the ends of runs.
const REGULAR_CONTEXTS: usize = 365;
/// Logarithms of run lengths (A.2.1).
const RUN_BITS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are unsigned, up to 16 bits.
pub(super) fn decode(picture: &Picture<'_>, layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    picture.frame.size.check(CODEC, layout)?;
    let parameters = Parameters::new(picture)?;
    let (columns, rows) = (layout.columns, layout.rows);
    let mut scan = Scan::new(&parameters, picture.coded);
    let mut samples = vec![0; layout.samples()];
    // Of the row above: one column more on each side (A.2.1).
    let mut above = vec![0; columns + 2];
    let mut line = vec![0; columns + 2];
    for row in 0..rows {
        // In JPEG-LS the interval counts rows (C.2.5).
        if picture.restart_interval > 0 && row > 0 && row % picture.restart_interval == 0 {
            if !scan.bits.restart(((row / picture.restart_interval - 1) % 8) as u8) {
                return Err(damaged("a restart marker is missing"));
            }
            scan.reset();
            above.fill(0);
            line.fill(0);
        }
        above[columns + 1] = above[columns];
        line[0] = above[1];
        // Behind the end come zeros, which may be no code at all: the end is what a person should hear of.
        let outcome = scan.decode_row(&above, &mut line);
        if scan.bits.is_overrun() {
            return Err(damaged("it ends before its last pixel"));
        }
        outcome?;
        for (sample, value) in samples[row * columns..(row + 1) * columns].iter_mut().zip(&line[1..]) {
            *sample = value << picture.scan.point_transform;
        }
        std::mem::swap(&mut above, &mut line);
    }
    Ok(samples)
}

/// What all samples of a scan share (A.2.1, C.2.4.1.1).
#[derive(Clone, Copy, Debug)]
struct Parameters {
    max_value: i32,
    near: i32,
    /// Width of a quantised error: 2 · NEAR + 1.
    step: i32,
    range: i32,
    /// Bits of a quantised error.
    error_bits: u32,
    limit: u32,
    thresholds: [i32; 3],
    reset: i32,
}

impl Parameters {
    fn new(picture: &Picture<'_>) -> Result<Self, CodecError> {
        let precision = picture.frame.precision;
        if !(2..=16).contains(&precision) || picture.scan.point_transform >= precision {
            return Err(damaged("its precision is not between 2 and 16 bits"));
        }
        let presets = picture.presets;
        let highest = (1 << precision) - 1;
        let max_value = if presets.max_value == 0 { highest } else { presets.max_value };
        let near = i32::from(picture.scan.start);
        if max_value > highest || near > (max_value / 2).min(255) {
            return Err(damaged("its largest value or its loss is out of range"));
        }
        let defaults = default_thresholds(max_value, near);
        let or_default = |value: i32, default: i32| if value == 0 { default } else { value };
        let thresholds: [i32; 3] = std::array::from_fn(|k| or_default(presets.thresholds[k], defaults[k]));
        let is_sorted = thresholds.is_sorted() && thresholds[0] > near && thresholds[2] <= max_value;
        let reset = or_default(presets.reset, 64);
        if !is_sorted || reset < 3 || max_value < 1 {
            return Err(damaged("its presets are out of range"));
        }
        let step = 2 * near + 1;
        let range = (max_value + 2 * near) / step + 1;
        let value_bits = bits_for(max_value + 1).max(2);
        let error_bits = bits_for(range);
        let limit = 2 * (value_bits + value_bits.max(8));
        Ok(Self { max_value, near, step, range, error_bits, limit, thresholds, reset })
    }

    /// Quantised gradient, −4 … 4 (A.3.3).
    #[inline]
    fn region(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.thresholds;
        let size = gradient.abs();
        let region = if size <= self.near {
            0
        } else if size < t1 {
            1
        } else if size < t2 {
            2
        } else if size < t3 {
            3
        } else {
            4
        };
        if gradient < 0 { -region } else { region }
    }

    /// A prediction and its error as a sample (A.4.5, A.5).
    #[inline]
    fn reconstruct(&self, prediction: i32, error: i32) -> i32 {
        let mut value = prediction + error * self.step;
        if value < -self.near {
            value += self.range * self.step;
        } else if value > self.max_value + self.near {
            value -= self.range * self.step;
        }
        value.clamp(0, self.max_value)
    }
}

/// Bits that tell `count` values apart.
fn bits_for(count: i32) -> u32 {
    i32::BITS - (count - 1).leading_zeros()
}

/// C.2.4.1.1.1.
fn default_thresholds(max_value: i32, near: i32) -> [i32; 3] {
    const BASIC: [i32; 3] = [3, 7, 21];
    let clamp = |value: i32, low: i32| if value > max_value || value < low { low } else { value };
    let mut low = near + 1;
    std::array::from_fn(|k| {
        let loss = near * [3, 5, 7][k];
        let value = if max_value >= 128 {
            let factor = (max_value.min(4095) + 128) / 256;
            factor * (BASIC[k] - [2, 3, 4][k]) + [2, 3, 4][k] + loss
        } else {
            let factor = 256 / (max_value + 1);
            (BASIC[k] / factor + loss).max([2, 3, 4][k])
        };
        low = clamp(value, low);
        low
    })
}

/// Statistics of one context (A.2.1).
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Sum of the errors' sizes.
    a: i32,
    /// Sum of the errors.
    b: i32,
    /// Correction of the prediction.
    c: i32,
    /// Number of errors.
    n: i32,
}

impl Context {
    /// Parameter of the Golomb code (A.5.1).
    #[inline]
    fn golomb_bits(n: i32, a: i32) -> u32 {
        let mut bits = 0;
        while n << bits < a {
            bits += 1;
        }
        bits
    }

    /// A.6.
    #[inline]
    fn update(&mut self, error: i32, parameters: &Parameters) {
        self.b += error * parameters.step;
        self.a += error.abs();
        if self.n == parameters.reset {
            self.a >>= 1;
            self.b >>= 1;
            self.n >>= 1;
        }
        self.n += 1;
        if self.b <= -self.n {
            self.b = (self.b + self.n).max(1 - self.n);
            self.c = (self.c - 1).max(-128);
        } else if self.b > 0 {
            self.b = (self.b - self.n).min(0);
            self.c = (self.c + 1).min(127);
        }
    }
}

struct Scan<'a> {
    parameters: &'a Parameters,
    bits: BitReader<'a>,
    contexts: [Context; REGULAR_CONTEXTS],
    /// For runs that end where left and above differ, and where they agree: `a`, `n` as above, `b` counts negative errors.
    run_ends: [Context; 2],
    run_index: usize,
}

impl<'a> Scan<'a> {
    fn new(parameters: &'a Parameters, coded: &'a [u8]) -> Self {
        let fresh = Context { a: ((parameters.range + 32) / 64).max(2), b: 0, c: 0, n: 1 };
        Self {
            parameters,
            bits: BitReader::new(coded, Stuffing::ZeroBit),
            contexts: [fresh; REGULAR_CONTEXTS],
            run_ends: [fresh; 2],
            run_index: 0,
        }
    }

    /// Forgets all statistics, as at the start.
    fn reset(&mut self) {
        let fresh = Context { a: ((self.parameters.range + 32) / 64).max(2), b: 0, c: 0, n: 1 };
        self.contexts = [fresh; REGULAR_CONTEXTS];
        self.run_ends = [fresh; 2];
        self.run_index = 0;
    }

    /// Both rows have one column more on each side.
    fn decode_row(&mut self, above: &[i32], line: &mut [i32]) -> Result<(), CodecError> {
        let end = line.len() - 1;
        let mut column = 1;
        while column < end {
            let (left, up, up_left, up_right) = (line[column - 1], above[column], above[column - 1], above[column + 1]);
            let p = self.parameters;
            let regions = [p.region(up_right - up), p.region(up - up_left), p.region(up_left - left)];
            if regions == [0; 3] {
                column += self.fill_run(left, &mut line[column..end]);
                if column < end {
                    line[column] = self.run_end(left, above[column])?;
                    column += 1;
                }
            } else {
                let index = (regions[0] * 9 + regions[1]) * 9 + regions[2];
                let prediction = median(left, up, up_left);
                line[column] = self.regular(index, prediction)?;
                column += 1;
            }
        }
        Ok(())
    }

    /// A.4 to A.6. The sign of `index` is that of the context.
    #[inline]
    fn regular(&mut self, index: i32, prediction: i32) -> Result<i32, CodecError> {
        let parameters = self.parameters;
        let sign = if index < 0 { -1 } else { 1 };
        let context = &mut self.contexts[index.unsigned_abs() as usize];
        let prediction = (prediction + sign * context.c).clamp(0, parameters.max_value);
        let bits = Context::golomb_bits(context.n, context.a);
        let mapped = golomb(&mut self.bits, bits, parameters.limit, parameters)?;
        let is_swapped = parameters.near == 0 && bits == 0 && 2 * context.b <= -context.n;
        let half = mapped >> 1;
        let error = match (mapped & 1 == 0, is_swapped) {
            (true, false) | (false, true) => half,
            _ => -half - 1,
        };
        context.update(error, parameters);
        Ok(parameters.reconstruct(prediction, sign * error))
    }

    /// Fills samples with the one on the left for as long as the run lasts (A.7.1.2); returns their number.
    fn fill_run(&mut self, left: i32, line: &mut [i32]) -> usize {
        let mut filled = 0;
        loop {
            if self.bits.take(1) == 0 {
                let run = self.bits.take(RUN_BITS[self.run_index]) as usize;
                filled = (filled + run).min(line.len());
                break;
            }
            let run = 1 << RUN_BITS[self.run_index];
            let room = line.len() - filled;
            filled += run.min(room);
            if run <= room {
                self.run_index = (self.run_index + 1).min(31);
            }
            if filled == line.len() {
                break;
            }
        }
        line[..filled].fill(left);
        filled
    }

    /// The sample that ends a run (A.7.2).
    fn run_end(&mut self, left: i32, up: i32) -> Result<i32, CodecError> {
        let parameters = self.parameters;
        let is_level = (left - up).abs() <= parameters.near;
        let (kind, prediction) = if is_level { (1, left) } else { (0, up) };
        let sign = if !is_level && left > up { -1 } else { 1 };
        let context = &mut self.run_ends[kind as usize];
        let size = context.a + if is_level { context.n >> 1 } else { 0 };
        let bits = Context::golomb_bits(context.n, size);
        let limit = parameters.limit - RUN_BITS[self.run_index] - 1;
        let mapped = golomb(&mut self.bits, bits, limit, parameters)?;
        self.run_index = self.run_index.saturating_sub(1);
        let doubled = mapped + kind;
        let is_odd = doubled & 1 == 1;
        let half = (doubled + 1) >> 1;
        let error = if (bits != 0 || 2 * context.b >= context.n) == is_odd { -half } else { half };
        if error < 0 {
            context.b += 1;
        }
        context.a += (mapped + 1 - kind) >> 1;
        if context.n == parameters.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        Ok(parameters.reconstruct(prediction, sign * error))
    }
}

/// A.4.1: the edge-detecting predictor.
#[inline]
fn median(left: i32, up: i32, up_left: i32) -> i32 {
    let (low, high) = (left.min(up), left.max(up));
    if up_left >= high {
        low
    } else if up_left <= low {
        high
    } else {
        left + up - up_left
    }
}

/// The limited-length Golomb code (A.5.3).
#[inline]
fn golomb(bits: &mut BitReader<'_>, golomb_bits: u32, limit: u32, parameters: &Parameters) -> Result<i32, CodecError> {
    let longest = limit - parameters.error_bits - 1;
    let zeros = bits.take_zeros(longest);
    if zeros < longest {
        return Ok(((zeros << golomb_bits) | bits.take(golomb_bits)) as i32);
    }
    if zeros > longest {
        return Err(damaged("a code is unknown"));
    }
    Ok(bits.take(parameters.error_bits) as i32 + 1)
}
