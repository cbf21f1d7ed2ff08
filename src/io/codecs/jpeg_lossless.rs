//! JPEG Lossless with Huffman codes (T.81 H): all seven predictors, point transform, restart intervals.

use super::bits::{BitReader, Stuffing};
use super::huffman::{HuffmanTable, take_signed};
use super::jpeg::Picture;
use super::{CodecError, FrameLayout};

const CODEC: &str = "JPEG Lossless";

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are unsigned, up to 16 bits.
pub(super) fn decode(picture: &Picture<'_>, layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    picture.frame.size.check(CODEC, layout)?;
    let (precision, transform) = (picture.frame.precision, picture.scan.point_transform);
    if !(2..=16).contains(&precision) || transform >= precision {
        return Err(damaged("its precision is not between 2 and 16 bits"));
    }
    let columns = layout.columns;
    if !picture.restart_interval.is_multiple_of(columns) {
        // H.1.1 asks for whole rows.
        return Err(damaged("its restart interval is not a whole number of rows"));
    }
    let table = picture.dc_tables.get(picture.scan.dc_table).and_then(Option::as_ref);
    let table = table.ok_or_else(|| damaged("its Huffman table is missing"))?;
    let predict = predictor(picture.scan.start).ok_or_else(|| damaged("its predictor is not one of 1 to 7"))?;
    let start = 1 << (precision - transform - 1);
    let mut bits = BitReader::new(picture.coded, Stuffing::ZeroByte);
    let mut samples = vec![0_u16; layout.samples()];
    let rows_per_interval = picture.restart_interval / columns;
    let mut is_first_row = true;
    for row in 0..layout.rows {
        if rows_per_interval > 0 && row > 0 && row % rows_per_interval == 0 {
            let number = ((row / rows_per_interval - 1) % 8) as u8;
            if !bits.restart(number) {
                return Err(damaged("a restart marker is missing"));
            }
            is_first_row = true;
        }
        let (above, line) = samples[..(row + 1) * columns].split_at_mut(row * columns);
        let mut coded = Coded { bits: &mut bits, table };
        let outcome = if is_first_row {
            coded.fill_first_row(start, line)
        } else {
            predict(&mut coded, &above[(row - 1) * columns..], line)
        };
        is_first_row = false;
        if bits.is_overrun() {
            return Err(damaged("it ends before its last pixel"));
        }
        outcome?;
    }
    Ok(samples.into_iter().map(|s| i32::from(s << transform)).collect())
}

struct Coded<'a, 'b> {
    bits: &'a mut BitReader<'b>,
    table: &'a HuffmanTable,
}

impl Coded<'_, '_> {
    /// The next difference, modulo 2^16.
    #[inline]
    fn difference(&mut self) -> Result<u16, CodecError> {
        match self.table.decode(self.bits) {
            Some(16) => Ok(1 << 15),
            Some(size @ 0..=15) => Ok(take_signed(self.bits, u32::from(size)) as u16),
            _ => Err(damaged("a code is unknown")),
        }
    }

    /// The first row, and the first after a restart: each sample from the one before it.
    fn fill_first_row(&mut self, start: u16, line: &mut [u16]) -> Result<(), CodecError> {
        let mut left = start;
        for sample in line {
            left = left.wrapping_add(self.difference()?);
            *sample = left;
        }
        Ok(())
    }

    #[inline]
    fn fill_row(
        &mut self,
        above: &[u16],
        line: &mut [u16],
        predict: impl Fn(i32, i32, i32) -> i32,
    ) -> Result<(), CodecError> {
        let mut up_left = above[0];
        let mut left = up_left.wrapping_add(self.difference()?);
        line[0] = left;
        for (sample, up) in line[1..].iter_mut().zip(&above[1..]) {
            let prediction = predict(i32::from(left), i32::from(*up), i32::from(up_left)) as u16;
            left = prediction.wrapping_add(self.difference()?);
            *sample = left;
            up_left = *up;
        }
        Ok(())
    }
}

type RowDecoder = fn(&mut Coded<'_, '_>, &[u16], &mut [u16]) -> Result<(), CodecError>;

/// Table H.1: from the samples left (a), above (b) and above left (c).
fn predictor(selection: u8) -> Option<RowDecoder> {
    Some(match selection {
        1 => |coded, above, line| coded.fill_row(above, line, |a, _, _| a),
        2 => |coded, above, line| coded.fill_row(above, line, |_, b, _| b),
        3 => |coded, above, line| coded.fill_row(above, line, |_, _, c| c),
        4 => |coded, above, line| coded.fill_row(above, line, |a, b, c| a + b - c),
        5 => |coded, above, line| coded.fill_row(above, line, |a, b, c| a + ((b - c) >> 1)),
        6 => |coded, above, line| coded.fill_row(above, line, |a, b, c| b + ((a - c) >> 1)),
        7 => |coded, above, line| coded.fill_row(above, line, |a, b, _| (a + b) >> 1),
        _ => return None,
    })
}
