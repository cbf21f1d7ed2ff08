//! Files packed with Unix `compress` (`.Z`): LZW with codes that widen from 9 to at most 16 bits, read front to back.
//!
//! Nothing is allocated by what a file claims: the table has at most 65 536 entries, and a string is unpacked only as far as
//! it is read.

use std::io::{self, BufRead, Read};

/// The first two bytes of every such file.
pub(super) const MAGIC: [u8; 2] = [0x1F, 0x9D];
/// A code stands for at most so many bytes: one entry of the table more for each.
pub(super) const LONGEST_STRING: u64 = 1 << 16;
/// Width of the first codes.
const FIRST_BITS: u32 = 9;
/// Empties the table.
const CLEAR: usize = 256;

/// Unpacks while it is read.
pub(super) struct Unpacker<R> {
    packed: R,
    codes: Codes,
    table: Table,
    /// The string of the last code, in reverse.
    pending: Vec<u8>,
    is_at_start: bool,
}

/// Reads codes of the current width.
#[derive(Default)]
struct Codes {
    bits: u64,
    bit_count: u32,
    width: u32,
    /// Since the width last changed: codes are written in groups of eight, and a change skips the rest of a group.
    in_group: u32,
}

/// Strings by code: each is another one and a byte.
struct Table {
    prefix: Vec<u16>,
    last_byte: Vec<u8>,
    widest: u32,
    has_clear: bool,
    /// The code before this one, and its first byte.
    previous: Option<(usize, u8)>,
}

fn damaged(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("file packed with compress is damaged: {problem}"))
}

impl<R: BufRead> Unpacker<R> {
    /// `packed` begins with the magic bytes.
    pub(super) fn new(packed: R) -> Self {
        let codes = Codes { width: FIRST_BITS, ..Codes::default() };
        Self { packed, codes, table: Table::new(0), pending: Vec::new(), is_at_start: true }
    }

    fn read_start(&mut self) -> io::Result<()> {
        let mut head = [0; 3];
        self.packed.read_exact(&mut head)?;
        let widest = u32::from(head[2] & 0x1F);
        if head[..2] != MAGIC || !(FIRST_BITS..=16).contains(&widest) {
            return Err(damaged("its first bytes are not those of compress"));
        }
        self.table = Table::new(widest);
        self.table.has_clear = head[2] & 0x80 != 0;
        self.is_at_start = false;
        self.table.clear();
        Ok(())
    }

    /// Fills `pending` with the next string; `false` at the end of the file.
    fn next_string(&mut self) -> io::Result<bool> {
        if self.is_at_start {
            self.read_start()?;
        }
        loop {
            if self.codes.width < self.table.widest && self.table.len() > (1 << self.codes.width) - 1 {
                self.codes.skip_group(&mut self.packed)?;
                self.codes.width += 1;
            }
            let Some(code) = self.codes.next(&mut self.packed)? else { return Ok(false) };
            if code == CLEAR && self.table.has_clear {
                self.codes.skip_group(&mut self.packed)?;
                self.codes.width = FIRST_BITS;
                self.table.clear();
                continue;
            }
            self.table.unpack(code, &mut self.pending)?;
            return Ok(true);
        }
    }
}

impl<R: BufRead> Read for Unpacker<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < bytes.len() {
            if let Some(byte) = self.pending.pop() {
                bytes[count] = byte;
                count += 1;
            } else if !self.next_string()? {
                break;
            }
        }
        Ok(count)
    }
}

impl Codes {
    /// `None` when fewer bits are left than a code has.
    fn next(&mut self, packed: &mut impl BufRead) -> io::Result<Option<usize>> {
        while self.bit_count < self.width {
            let mut byte = [0];
            if packed.read(&mut byte)? == 0 {
                return Ok(None);
            }
            self.bits |= u64::from(byte[0]) << self.bit_count;
            self.bit_count += 8;
        }
        let code = self.bits & ((1 << self.width) - 1);
        self.bits >>= self.width;
        self.bit_count -= self.width;
        self.in_group = (self.in_group + 1) % 8;
        Ok(Some(code as usize))
    }

    fn skip_group(&mut self, packed: &mut impl BufRead) -> io::Result<()> {
        while self.in_group != 0 {
            if self.next(packed)?.is_none() {
                break;
            }
        }
        (self.bits, self.bit_count) = (0, 0);
        Ok(())
    }
}

impl Table {
    fn new(widest: u32) -> Self {
        Self { prefix: Vec::new(), last_byte: Vec::new(), widest, has_clear: false, previous: None }
    }

    /// Single bytes, and the code that clears.
    fn clear(&mut self) {
        let first = if self.has_clear { CLEAR + 1 } else { CLEAR };
        self.prefix.clear();
        self.prefix.resize(first, 0);
        self.last_byte = (0..first).map(|code| code as u8).collect();
        self.previous = None;
    }

    fn len(&self) -> usize {
        self.prefix.len()
    }

    /// The string of a code in reverse, and a new entry: the string before it and this one's first byte.
    fn unpack(&mut self, code: usize, reversed: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = code;
        match self.previous {
            None if code >= CLEAR => return Err(damaged("its first code is no byte")),
            // The one code that is used before it is complete: the string before it with its own first byte behind it.
            Some((previous, first_byte)) if code == self.len() => {
                reversed.push(first_byte);
                rest = previous;
            }
            _ if code >= self.len() => return Err(damaged("a code stands for no string yet")),
            _ => {}
        }
        // Each prefix is an older entry, so this ends.
        while rest >= CLEAR {
            reversed.push(self.last_byte[rest]);
            rest = usize::from(self.prefix[rest]);
        }
        let first_byte = rest as u8;
        reversed.push(first_byte);
        if let Some((previous, _)) = self.previous
            && self.len() < 1 << self.widest
        {
            self.prefix.push(previous as u16);
            self.last_byte.push(first_byte);
        }
        self.previous = Some((code, first_byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of at most 16 bits, with one that clears.
    const PACKED: &[u8] = &[0x1F, 0x9D, 0x90];

    fn unpacked(codes: &[(u32, u32)]) -> io::Result<Vec<u8>> {
        let mut bytes = PACKED.to_vec();
        let (mut bits, mut count) = (0_u64, 0);
        for &(code, width) in codes {
            bits |= u64::from(code) << count;
            count += width;
            while count >= 8 {
                bytes.push(bits as u8);
                bits >>= 8;
                count -= 8;
            }
        }
        if count > 0 {
            bytes.push(bits as u8);
        }
        let mut content = Vec::new();
        Unpacker::new(&bytes[..]).take(1 << 20).read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn a_code_may_be_used_before_it_is_complete() {
        let a = u32::from(b'a');
        assert_eq!(unpacked(&[(a, 9), (257, 9), (258, 9), (a + 1, 9)]).unwrap(), b"aaaaaab");
    }

    #[test]
    fn clearing_skips_the_rest_of_its_group() {
        let (a, b) = (u32::from(b'a'), u32::from(b'b'));
        let mut codes = vec![(a, 9), (256, 9)];
        codes.extend([(0, 9); 6]);
        codes.extend([(b, 9), (257, 9)]);
        assert_eq!(unpacked(&codes).unwrap(), b"abbb");
    }

    #[test]
    fn codes_without_a_string_are_refused() {
        assert!(unpacked(&[(300, 9)]).is_err(), "the first");
        assert!(unpacked(&[(97, 9), (300, 9)]).is_err(), "a later one");
        assert!(Unpacker::new(&[0x1F, 0x9D, 0x88][..]).read(&mut [0]).is_err(), "codes of 8 bits");
        assert_eq!(Unpacker::new(PACKED).read(&mut [0]).unwrap(), 0, "nothing but a head");
    }
}
