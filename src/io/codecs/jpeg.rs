//! Marker segments of JPEG (T.81 B) and JPEG-LS (T.87 C), up to the first scan of a grey picture.

use super::huffman::HuffmanTable;
use super::{CodecError, CodedSize};

/// How the samples are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// Baseline and extended sequential DCT.
    Sequential,
    /// Lossless with Huffman codes.
    Lossless,
    /// JPEG-LS.
    LosslessLs,
}

/// SOF.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub(super) process: Process,
    /// Bits of a sample.
    pub(super) precision: u32,
    pub(super) size: CodedSize,
    /// Which quantisation table the component uses.
    pub(super) quantization: usize,
}

/// SOS.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanHeader {
    pub(super) dc_table: usize,
    pub(super) ac_table: usize,
    /// Third byte from the end: predictor (lossless), NEAR (JPEG-LS), first coefficient (DCT).
    pub(super) start: u8,
    /// Point transform: the low half of the last byte.
    pub(super) point_transform: u32,
}

/// LSE with identifier 1; 0 stands for the default.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LsPresets {
    pub(super) max_value: i32,
    pub(super) thresholds: [i32; 3],
    pub(super) reset: i32,
}

/// A picture up to its first scan.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) frame: FrameHeader,
    pub(super) scan: ScanHeader,
    pub(super) dc_tables: [Option<HuffmanTable>; 4],
    pub(super) ac_tables: [Option<HuffmanTable>; 4],
    /// In the order of the codestream: zigzag.
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) presets: LsPresets,
    /// Restart interval; 0 for none.
    pub(super) restart_interval: usize,
    /// The coded samples and whatever follows them.
    pub(super) coded: &'a [u8],
}

const CODEC: &str = "JPEG";

pub(super) fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

fn feature(feature: impl Into<String>) -> CodecError {
    CodecError::Feature { codec: CODEC, feature: feature.into() }
}

/// Reads the markers up to the first scan.
pub(super) fn parse(codestream: &[u8]) -> Result<Picture<'_>, CodecError> {
    if !codestream.starts_with(&[0xFF, 0xD8]) {
        return Err(damaged("it does not begin with a JPEG marker"));
    }
    let mut found = Segments::default();
    let mut at = 2;
    loop {
        let (marker, start) = next_marker(codestream, at)?;
        if matches!(marker, 0x01 | 0xD0..=0xD7) {
            at = start;
            continue;
        }
        let length = codestream.get(start..start + 2).ok_or_else(ends_early)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let end = start + length.max(2);
        let payload = codestream.get(start + 2..end).ok_or_else(ends_early)?;
        if marker == 0xDA {
            return found.into_picture(payload, &codestream[end..]);
        }
        found.take(marker, payload)?;
        at = end;
    }
}

fn ends_early() -> CodecError {
    damaged("it ends before its first scan")
}

fn next_marker(codestream: &[u8], mut at: usize) -> Result<(u8, usize), CodecError> {
    if codestream.get(at) != Some(&0xFF) {
        return Err(if at < codestream.len() { damaged("a marker is missing") } else { ends_early() });
    }
    while codestream.get(at) == Some(&0xFF) {
        at += 1;
    }
    codestream.get(at).map(|marker| (*marker, at + 1)).ok_or_else(ends_early)
}

#[derive(Default)]
struct Segments {
    frame: Option<FrameHeader>,
    dc_tables: [Option<HuffmanTable>; 4],
    ac_tables: [Option<HuffmanTable>; 4],
    quantization: [Option<[u16; 64]>; 4],
    presets: LsPresets,
    restart_interval: usize,
}

impl Segments {
    fn take(&mut self, marker: u8, payload: &[u8]) -> Result<(), CodecError> {
        match marker {
            0xC0 | 0xC1 => self.take_frame(Process::Sequential, payload),
            0xC3 => self.take_frame(Process::Lossless, payload),
            0xF7 => self.take_frame(Process::LosslessLs, payload),
            0xC2 => Err(feature("progressive coding")),
            0xC4 => self.take_huffman(payload),
            0xC5..=0xC7 | 0xCD..=0xCF | 0xDE => Err(feature("hierarchical coding")),
            0xC9..=0xCC => Err(feature("arithmetic coding")),
            0xDB => self.take_quantization(payload),
            0xDD => self.take_restart_interval(payload),
            0xF8 => self.take_ls_presets(payload),
            0xD9 => Err(ends_early()),
            // Comments, application segments and what else has a length.
            _ => Ok(()),
        }
    }

    fn take_frame(&mut self, process: Process, payload: &[u8]) -> Result<(), CodecError> {
        let [precision, y1, y0, x1, x0, components, ..] = *payload else {
            return Err(damaged("its header is cut short"));
        };
        if self.frame.is_some() {
            return Err(feature("several frames"));
        }
        let size = CodedSize {
            columns: usize::from(u16::from_be_bytes([x1, x0])),
            rows: usize::from(u16::from_be_bytes([y1, y0])),
            components: usize::from(components),
        };
        if size.rows == 0 {
            return Err(feature("a height that is given after the picture"));
        }
        let quantization = payload.get(8).copied().unwrap_or_default();
        self.frame = Some(FrameHeader {
            process,
            precision: u32::from(precision),
            size,
            quantization: usize::from(quantization),
        });
        Ok(())
    }

    fn take_huffman(&mut self, mut payload: &[u8]) -> Result<(), CodecError> {
        let wrong = || damaged("a Huffman table is wrong");
        while let Some((&head, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
            let count = counts.iter().map(|c| usize::from(*c)).sum();
            let (values, rest) = rest.split_at_checked(count).ok_or_else(wrong)?;
            let table = HuffmanTable::new(*counts, values).ok_or_else(wrong)?;
            let tables = if head >> 4 == 0 { &mut self.dc_tables } else { &mut self.ac_tables };
            *tables.get_mut(usize::from(head & 15)).ok_or_else(wrong)? = Some(table);
            payload = rest;
        }
        Ok(())
    }

    fn take_quantization(&mut self, mut payload: &[u8]) -> Result<(), CodecError> {
        let wrong = || damaged("a quantisation table is wrong");
        while let Some((&head, rest)) = payload.split_first() {
            let place = self.quantization.get_mut(usize::from(head & 15)).ok_or_else(wrong)?;
            if head >> 4 == 0 {
                let (steps, rest) = rest.split_first_chunk::<64>().ok_or_else(wrong)?;
                *place = Some(steps.map(u16::from));
                payload = rest;
            } else {
                let (steps, rest) = rest.split_first_chunk::<128>().ok_or_else(wrong)?;
                *place = Some(std::array::from_fn(|k| u16::from_be_bytes([steps[2 * k], steps[2 * k + 1]])));
                payload = rest;
            }
        }
        Ok(())
    }

    /// Two bytes; three and four are allowed in JPEG-LS.
    fn take_restart_interval(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        if !(2..=4).contains(&payload.len()) {
            return Err(damaged("its restart interval is wrong"));
        }
        self.restart_interval = payload.iter().fold(0, |interval, byte| interval << 8 | usize::from(*byte));
        Ok(())
    }

    fn take_ls_presets(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        match *payload {
            [1, ref words @ ..] if words.len() == 10 => {
                let word = |k: usize| i32::from(u16::from_be_bytes([words[2 * k], words[2 * k + 1]]));
                self.presets =
                    LsPresets { max_value: word(0), thresholds: [word(1), word(2), word(3)], reset: word(4) };
                Ok(())
            }
            [2 | 3, ..] => Err(feature("a palette")),
            _ => Err(feature("an unknown preset")),
        }
    }

    fn into_picture<'a>(self, payload: &[u8], coded: &'a [u8]) -> Result<Picture<'a>, CodecError> {
        let frame = self.frame.ok_or_else(|| damaged("its first scan comes before its header"))?;
        // A picture of other components is refused by its size; its scan may be anything.
        let scan = match *payload {
            [1, _component, tables, start, _end, transform] => ScanHeader {
                dc_table: usize::from(tables >> 4),
                ac_table: usize::from(tables & 15),
                start,
                point_transform: u32::from(transform & 15),
            },
            _ if frame.size.components == 1 => return Err(damaged("its scan header is wrong")),
            _ => ScanHeader { dc_table: 0, ac_table: 0, start: 0, point_transform: 0 },
        };
        Ok(Picture {
            frame,
            scan,
            dc_tables: self.dc_tables,
            ac_tables: self.ac_tables,
            quantization: self.quantization,
            presets: self.presets,
            restart_interval: self.restart_interval,
            coded,
        })
    }
}
