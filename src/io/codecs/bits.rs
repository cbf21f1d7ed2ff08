//! Bits of a JPEG scan, most significant first, up to the next marker.

/// What follows a byte FF within a scan, so that no marker appears in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stuffing {
    /// A byte 00 (T.81 F.1.2.3).
    ZeroByte,
    /// A bit 0, the first of the next byte (T.87 A.1).
    ZeroBit,
}

/// Reads bits; past the end come zeros, and [`Self::is_overrun`] tells.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    stuffing: Stuffing,
    /// The next bits, left-aligned.
    buffer: u64,
    /// Bits in the buffer.
    count: u32,
    /// Zeros at the buffer's end that the scan does not hold.
    missing: u32,
    was_ff: bool,
    /// Missing bits have been taken.
    skipped_missing: bool,
}

impl<'a> BitReader<'a> {
    /// Starts at the first byte of a scan.
    pub(super) fn new(bytes: &'a [u8], stuffing: Stuffing) -> Self {
        Self { bytes, at: 0, stuffing, buffer: 0, count: 0, missing: 0, was_ff: false, skipped_missing: false }
    }

    /// Makes at least 32 bits available.
    #[inline]
    pub(super) fn fill(&mut self) {
        if self.count < 32 {
            self.refill();
        }
    }

    fn refill(&mut self) {
        while self.count <= 56 {
            let (byte, bits) = match self.next_byte() {
                Some(byte) if self.stuffing == Stuffing::ZeroBit && self.was_ff => (byte << 1, 7),
                Some(byte) => (byte, 8),
                None => {
                    self.missing += 8;
                    self.count += 8;
                    continue;
                }
            };
            self.was_ff = bits == 8 && byte == 0xFF;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += bits;
        }
    }

    /// `None` at a marker and at the end.
    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if byte == 0xFF {
            let next = *self.bytes.get(self.at + 1)?;
            match self.stuffing {
                Stuffing::ZeroByte if next == 0 => self.at += 1,
                Stuffing::ZeroBit if next < 0x80 => {}
                _ => return None,
            }
        }
        self.at += 1;
        Some(byte)
    }

    /// The next `bits` (1 … 32) without taking them; call [`Self::fill`] before.
    #[inline]
    pub(super) fn peek(&self, bits: u32) -> u32 {
        (self.buffer >> (64 - bits)) as u32
    }

    /// Passes over bits that have been looked at.
    #[inline]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Takes `bits` (0 … 32).
    #[inline]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        self.fill();
        let value = self.peek(bits);
        self.skip(bits);
        value
    }

    /// Takes zeros up to the next one, and the one; at most `limit` zeros count.
    #[inline]
    pub(super) fn take_zeros(&mut self, limit: u32) -> u32 {
        let mut zeros = 0;
        loop {
            self.fill();
            let found = self.buffer.leading_zeros().min(self.count);
            if found < self.count {
                self.skip(found);
                self.skip(1);
                return zeros + found;
            }
            (self.buffer, self.count) = (0, 0);
            zeros += found;
            // What was missing is behind us, and stays missing.
            self.skipped_missing |= self.missing > 0;
            self.missing = 0;
            if zeros > limit {
                return zeros;
            }
        }
    }

    /// Whether more bits were taken than the scan holds.
    pub(super) fn is_overrun(&self) -> bool {
        self.skipped_missing || self.missing > self.count
    }

    /// Takes the restart marker `number` (0 … 7), which must come next; `false` where it does not.
    pub(super) fn restart(&mut self, number: u8) -> bool {
        let left = self.count.saturating_sub(self.missing);
        if self.is_overrun() || left >= 8 || self.bytes.get(self.at) != Some(&0xFF) {
            return false;
        }
        // Any number of bytes FF may stand before a marker.
        while self.bytes.get(self.at + 1) == Some(&0xFF) {
            self.at += 1;
        }
        if self.bytes.get(self.at + 1) != Some(&(0xD0 + number)) {
            return false;
        }
        self.at += 2;
        (self.buffer, self.count, self.missing, self.was_ff) = (0, 0, 0, false);
        true
    }
}
