//! Huffman codes of T.81, C.2 and F.2.2.

use super::bits::BitReader;

/// Codes up to this length are found by one look.
const FAST_BITS: u32 = 9;

/// A table as DHT gives it, ready for decoding.
#[derive(Clone, Debug)]
pub(super) struct HuffmanTable {
    /// By the next [`FAST_BITS`]: length of the code (0: longer than that) and its value.
    fast: Vec<(u8, u8)>,
    /// First code of each length, as a 16-bit prefix one past its last code.
    end_of_length: [u32; 17],
    /// Index of a value minus its code, by length.
    offset_of_length: [i32; 17],
    values: Vec<u8>,
}

impl HuffmanTable {
    /// `counts`: codes of length 1 … 16. `None` when there are more codes than the lengths allow.
    pub(super) fn new(counts: [u8; 16], values: &[u8]) -> Option<Self> {
        let mut fast = vec![(0, 0); 1 << FAST_BITS];
        let mut end_of_length = [0; 17];
        let mut offset_of_length = [0; 17];
        let (mut code, mut index) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            offset_of_length[length as usize] = index as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                let value = *values.get(index)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= FAST_BITS {
                    let first = (code as usize) << (FAST_BITS - length);
                    fast[first..first + (1 << (FAST_BITS - length))].fill((length as u8, value));
                }
                (code, index) = (code + 1, index + 1);
            }
            end_of_length[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(Self { fast, end_of_length, offset_of_length, values: values[..index].to_vec() })
    }

    /// The value of the next code; `None` when there is no such code.
    #[inline]
    pub(super) fn decode(&self, bits: &mut BitReader<'_>) -> Option<u8> {
        bits.fill();
        let (length, value) = self.fast[bits.peek(FAST_BITS) as usize];
        if length > 0 {
            bits.skip(u32::from(length));
            return Some(value);
        }
        let prefix = bits.peek(16);
        let length = (FAST_BITS + 1..=16).find(|l| prefix < self.end_of_length[*l as usize])?;
        bits.skip(length);
        let index = (prefix >> (16 - length)) as i32 + self.offset_of_length[length as usize];
        self.values.get(usize::try_from(index).ok()?).copied()
    }
}

/// The signed number of `size` bits (0 … 15) that follows its code (T.81 F.2.2.1, EXTEND).
#[inline]
pub(super) fn take_signed(bits: &mut BitReader<'_>, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let value = bits.take(size) as i32;
    if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}
