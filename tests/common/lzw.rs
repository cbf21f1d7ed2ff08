//! Unix `compress`, to make `.Z` files in code. Its output was checked once with `gzip -d`.

use std::collections::HashMap;

const CLEAR: u16 = 256;
const WIDEST: u32 = 16;

struct Codes {
    bytes: Vec<u8>,
    bits: u64,
    bit_count: u32,
    width: u32,
    in_group: u32,
}

impl Codes {
    fn push(&mut self, code: u16) {
        self.bits |= u64::from(code) << self.bit_count;
        self.bit_count += self.width;
        self.in_group = (self.in_group + 1) % 8;
        while self.bit_count >= 8 {
            self.bytes.push(self.bits as u8);
            self.bits >>= 8;
            self.bit_count -= 8;
        }
    }

    /// Codes of another width begin behind a whole group of eight.
    fn fill_group(&mut self) {
        while self.in_group != 0 {
            self.push(0);
        }
    }
}

/// A whole file, with codes of at most 16 bits.
pub fn compress(content: &[u8]) -> Vec<u8> {
    let start = vec![0x1F, 0x9D, 0x80 | WIDEST as u8];
    let mut codes = Codes { bytes: start, bits: 0, bit_count: 0, width: 9, in_group: 0 };
    let mut table: HashMap<(u16, u8), u16> = HashMap::new();
    let mut next = 257_u32;
    let Some((&first, rest)) = content.split_first() else { return codes.bytes };
    let mut string = u16::from(first);
    for &byte in rest {
        if let Some(&longer) = table.get(&(string, byte)) {
            string = longer;
            continue;
        }
        codes.push(string);
        if next > (1 << codes.width) - 1 && codes.width < WIDEST {
            codes.fill_group();
            codes.width += 1;
        }
        if next < 1 << WIDEST {
            table.insert((string, byte), next as u16);
            next += 1;
        } else {
            codes.push(CLEAR);
            codes.fill_group();
            codes.width = 9;
            table.clear();
            next = 257;
        }
        string = u16::from(byte);
    }
    codes.push(string);
    if codes.bit_count > 0 {
        codes.bytes.push(codes.bits as u8);
    }
    codes.bytes
}
