//! From stored cells to HU: bits, sign, rescale, padding.

use std::sync::OnceLock;

use crate::units::AIR_HU;

/// How a sample lies in its cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StoredFormat {
    /// 8 or 16.
    pub(super) bits_allocated: u16,
    /// 1 … `bits_allocated`.
    pub(super) bits_stored: u16,
    /// Unused bits below the sample: High Bit + 1 − Bits Stored.
    pub(super) shift: u16,
    /// Two's complement.
    pub(super) is_signed: bool,
}

impl StoredFormat {
    /// The sample in a cell, masked to its bits and sign-extended.
    pub(super) fn value(self, cell: u32) -> i32 {
        let unused = 32 - u32::from(self.bits_stored);
        let top = (cell >> self.shift) << unused;
        if self.is_signed { (top as i32) >> unused } else { (top >> unused) as i32 }
    }

    /// A value of an attribute such as Pixel Padding Value, which may be written with the wrong sign; `None` when no
    /// sample can have it.
    pub(super) fn attribute_value(self, number: i64) -> Option<i32> {
        let cell_range = 1_i64 << self.bits_allocated;
        if !(-cell_range / 2..cell_range).contains(&number) {
            return None;
        }
        let unused = 32 - u32::from(self.bits_allocated);
        let signed = ((number as i32) << unused) >> unused;
        let wanted = if self.is_signed { i64::from(signed) } else { number.rem_euclid(cell_range) };
        let half = 1_i64 << (self.bits_stored - 1);
        let possible = if self.is_signed { -half..half } else { 0..half * 2 };
        possible.contains(&wanted).then_some(wanted as i32)
    }
}

/// HU = slope · stored + intercept; padding is air. Rounded to whole HU and held within i16.
#[derive(Debug)]
pub(super) struct HuMapping {
    format: StoredFormat,
    slope: f64,
    intercept_hu: f64,
    /// First and last stored value that means "no measurement here".
    padding: Option<(i32, i32)>,
    hu_from_cell: OnceLock<Box<[i16]>>,
}

impl PartialEq for HuMapping {
    fn eq(&self, other: &Self) -> bool {
        self.format == other.format
            && self.slope.to_bits() == other.slope.to_bits()
            && self.intercept_hu.to_bits() == other.intercept_hu.to_bits()
            && self.padding == other.padding
    }
}

impl HuMapping {
    /// `slope` and `intercept_hu` are finite, `slope` is not 0: checked when the header is read.
    pub(super) fn new(format: StoredFormat, slope: f64, intercept_hu: f64, padding: Option<(i32, i32)>) -> Self {
        Self { format, slope, intercept_hu, padding, hu_from_cell: OnceLock::new() }
    }

    /// HU of a decoded sample, whose unused bits may hold anything.
    pub(super) fn hu(&self, cell: u32) -> i16 {
        let stored = self.format.value(cell);
        if self.padding.is_some_and(|(low, high)| (low..=high).contains(&stored)) {
            return AIR_HU;
        }
        let value_hu = self.slope * f64::from(stored) + self.intercept_hu;
        value_hu.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    }

    /// Turns the cells of a frame into HU. `bytes` holds one cell per value.
    pub(super) fn fill(&self, bytes: &[u8], is_big_endian: bool, values_hu: &mut [i16]) {
        if self.format.bits_allocated == 8 {
            let table = self.table();
            for (value_hu, byte) in values_hu.iter_mut().zip(bytes) {
                *value_hu = table[usize::from(*byte)];
            }
        } else if is_big_endian {
            self.fill_words(bytes, u16::from_be_bytes, values_hu);
        } else {
            self.fill_words(bytes, u16::from_le_bytes, values_hu);
        }
    }

    fn fill_words(&self, bytes: &[u8], word: impl Fn([u8; 2]) -> u16 + Copy, values_hu: &mut [i16]) {
        let cells = bytes.as_chunks::<2>().0;
        if let Some(line) = self.whole_line() {
            if self.format.is_signed {
                line.fill(cells, word, |top, unused| i32::from((top as i16) >> unused), values_hu);
            } else {
                line.fill(cells, word, |top, unused| i32::from(top >> unused), values_hu);
            }
            return;
        }
        let table = self.table();
        for (value_hu, cell) in values_hu.iter_mut().zip(cells) {
            *value_hu = table[usize::from(word(*cell))];
        }
    }

    /// The usual case, slope and intercept whole numbers: a loop that the compiler turns into vector instructions.
    fn whole_line(&self) -> Option<WholeLine> {
        let is_whole = |x: f64| x.fract() == 0.0 && x.abs() <= 10_000.0;
        (is_whole(self.slope) && is_whole(self.intercept_hu)).then(|| {
            // An empty range where there is no padding.
            let (low, high) = self.padding.unwrap_or((1, 0));
            WholeLine {
                shift: self.format.shift,
                unused: 16 - self.format.bits_stored,
                slope: self.slope as i32,
                intercept_hu: self.intercept_hu as i32,
                padding_low: low,
                padding_high: high,
            }
        })
    }

    fn table(&self) -> &[i16] {
        self.hu_from_cell.get_or_init(|| (0..1_u32 << self.format.bits_allocated).map(|cell| self.hu(cell)).collect())
    }
}

struct WholeLine {
    shift: u16,
    unused: u16,
    slope: i32,
    intercept_hu: i32,
    padding_low: i32,
    padding_high: i32,
}

impl WholeLine {
    fn fill(
        &self,
        cells: &[[u8; 2]],
        word: impl Fn([u8; 2]) -> u16,
        extend: impl Fn(u16, u16) -> i32,
        values_hu: &mut [i16],
    ) {
        for (value_hu, cell) in values_hu.iter_mut().zip(cells) {
            let stored = extend((word(*cell) >> self.shift) << self.unused, self.unused);
            // Within i32: |stored| < 65536 and |slope| ≤ 10 000.
            let hu = (stored.wrapping_mul(self.slope)).wrapping_add(self.intercept_hu);
            let hu = hu.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
            let is_padding = stored >= self.padding_low && stored <= self.padding_high;
            *value_hu = if is_padding { AIR_HU } else { hu };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bits_stored: u16, shift: u16, is_signed: bool) -> StoredFormat {
        StoredFormat { bits_allocated: 16, bits_stored, shift, is_signed }
    }

    #[test]
    fn samples_are_masked_shifted_and_sign_extended() {
        assert_eq!(format(12, 0, false).value(0xF018), 0x018);
        assert_eq!(format(12, 0, true).value(0x0FFF), -1);
        assert_eq!(format(12, 4, true).value(0x8000), -2048);
        assert_eq!(format(16, 0, true).value(0xFC18), -1000);
    }

    #[test]
    fn whole_numbers_and_table_give_the_same_hu() {
        for is_signed in [false, true] {
            for (bits_stored, shift) in [(16, 0), (12, 0), (12, 4), (14, 1), (1, 0)] {
                let mapping = HuMapping::new(format(bits_stored, shift, is_signed), 3.0, -1024.0, Some((-5, 7)));
                let cells: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
                let mut values_hu = vec![0; 65536];
                mapping.fill(&cells, false, &mut values_hu);
                assert!(values_hu == mapping.table(), "{bits_stored} bits, shift {shift}, signed {is_signed}");
            }
        }
    }

    #[test]
    fn a_padding_value_that_no_sample_can_have_is_ignored() {
        assert_eq!(format(16, 0, true).attribute_value(63536), Some(-2000));
        assert_eq!(format(16, 0, false).attribute_value(-2000), Some(63536));
        assert_eq!(format(12, 0, false).attribute_value(63536), None);
        assert_eq!(format(14, 0, true).attribute_value(-2000), Some(-2000));
    }
}
