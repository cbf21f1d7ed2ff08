//! Sequential JPEG with Huffman codes, 8 and 12 bits (T.81 F): baseline and extended.

use super::bits::{BitReader, Stuffing};
use super::huffman::{HuffmanTable, take_signed};
use super::jpeg::Picture;
use super::{CodecError, FrameLayout};

const CODEC: &str = "JPEG";

/// Place of the k-th coefficient in its block (T.81 figure A.6).
#[rustfmt::skip]
const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are unsigned.
pub(super) fn decode(picture: &Picture<'_>, layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    picture.frame.size.check(CODEC, layout)?;
    let precision = picture.frame.precision;
    if precision != 8 && precision != 12 {
        return Err(damaged("its precision is neither 8 nor 12 bits"));
    }
    let table = |tables: &'_ [Option<HuffmanTable>; 4], index: usize| tables.get(index).cloned().flatten();
    let missing = || damaged("one of its tables is missing");
    let dc_table = table(&picture.dc_tables, picture.scan.dc_table).ok_or_else(missing)?;
    let ac_table = table(&picture.ac_tables, picture.scan.ac_table).ok_or_else(missing)?;
    let steps = picture.quantization.get(picture.frame.quantization).copied().flatten().ok_or_else(missing)?;
    let cosines = cosines();
    let mut bits = BitReader::new(picture.coded, Stuffing::ZeroByte);
    let mut samples = vec![0; layout.samples()];
    let (blocks_across, blocks_down) = (layout.columns.div_ceil(8), layout.rows.div_ceil(8));
    let mut dc = 0;
    for block in 0..blocks_across * blocks_down {
        let interval = picture.restart_interval;
        if interval > 0 && block > 0 && block % interval == 0 {
            if !bits.restart(((block / interval - 1) % 8) as u8) {
                return Err(damaged("a restart marker is missing"));
            }
            dc = 0;
        }
        let mut coefficients = [0.0; 64];
        let outcome = read_block(&mut bits, &dc_table, &ac_table, |k, value| {
            // Within i32: 2^17 differences of 16 bits.
            let value = if k == 0 {
                dc = dc_after(dc, value);
                dc
            } else {
                value
            };
            coefficients[ZIGZAG[k]] = value as f32 * f32::from(steps[k]);
        });
        if bits.is_overrun() {
            return Err(damaged("it ends before its last pixel"));
        }
        outcome?;
        let corner = [block % blocks_across * 8, block / blocks_across * 8];
        put_block(&inverse_transform(&coefficients, &cosines), corner, precision, layout, &mut samples);
    }
    Ok(samples)
}

/// No valid stream leaves 17 bits; a damaged one must not overflow.
fn dc_after(dc: i32, difference: i32) -> i32 {
    (dc + difference).clamp(-(1 << 17), 1 << 17)
}

fn read_block(
    bits: &mut BitReader<'_>,
    dc_table: &HuffmanTable,
    ac_table: &HuffmanTable,
    mut coefficient: impl FnMut(usize, i32),
) -> Result<(), CodecError> {
    let unknown = || damaged("a code is unknown");
    let size = dc_table.decode(bits).filter(|size| *size < 16).ok_or_else(unknown)?;
    coefficient(0, take_signed(bits, u32::from(size)));
    let mut k = 1;
    while k < 64 {
        let code = ac_table.decode(bits).ok_or_else(unknown)?;
        let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                k += zeros;
                if k > 63 {
                    return Err(damaged("a block has too many coefficients"));
                }
                coefficient(k, take_signed(bits, size));
                k += 1;
            }
        }
    }
    Ok(())
}

/// `[frequency][position]`: C(u)/2 · cos((2x + 1) u π / 16), T.81 A.3.3.
fn cosines() -> [[f32; 8]; 8] {
    std::array::from_fn(|u| {
        let scale = if u == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 } / 2.0;
        std::array::from_fn(|x| (scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()) as f32)
    })
}

fn inverse_transform(coefficients: &[f32; 64], cosines: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut rows = [0.0; 64];
    for v in 0..8 {
        for u in 0..8 {
            let coefficient = coefficients[8 * v + u];
            if coefficient != 0.0 {
                for x in 0..8 {
                    rows[8 * v + x] += coefficient * cosines[u][x];
                }
            }
        }
    }
    let mut block = [0.0; 64];
    for v in 0..8 {
        for y in 0..8 {
            for x in 0..8 {
                block[8 * y + x] += rows[8 * v + x] * cosines[v][y];
            }
        }
    }
    block
}

/// Level shift and clamp; what lies outside the picture is dropped.
fn put_block(block: &[f32; 64], [left, top]: [usize; 2], precision: u32, layout: &FrameLayout, samples: &mut [i32]) {
    let middle = (1 << (precision - 1)) as f32;
    let highest = ((1 << precision) - 1) as f32;
    for row in top..layout.rows.min(top + 8) {
        for column in left..layout.columns.min(left + 8) {
            let value = block[8 * (row - top) + column - left] + middle;
            samples[row * layout.columns + column] = value.clamp(0.0, highest).round() as i32;
        }
    }
}
