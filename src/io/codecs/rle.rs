//! RLE Lossless (DICOM PS3.5 G): one `PackBits` segment for each byte of a sample, the most significant first.

use super::{CodecError, FrameLayout};

const CODEC: &str = "RLE";
/// Number of segments and fifteen offsets.
const HEADER_BYTES: usize = 64;

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are unsigned.
pub(super) fn decode(codestream: &[u8], layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    let header = codestream.first_chunk::<HEADER_BYTES>().ok_or_else(|| damaged("its header is cut short"))?;
    let word = |k: usize| u32::from_le_bytes(std::array::from_fn(|b| header[4 * k + b])) as usize;
    let segments = word(0);
    if segments != usize::from(layout.bits_allocated / 8) {
        let found = format!("{segments} bytes a sample");
        return Err(CodecError::WrongSize { codec: CODEC, found, columns: layout.columns, rows: layout.rows });
    }
    let mut samples = vec![0; layout.samples()];
    for segment in 0..segments {
        let start = word(1 + segment);
        let end = if segment + 1 < segments { word(2 + segment) } else { codestream.len() };
        let packed = codestream.get(start..end).filter(|_| start >= HEADER_BYTES);
        unpack(packed.ok_or_else(|| damaged("a segment lies outside it"))?, &mut samples)?;
    }
    Ok(samples)
}

/// `PackBits`: each byte goes below the bytes that a sample has already.
fn unpack(packed: &[u8], samples: &mut [i32]) -> Result<(), CodecError> {
    let ends = || damaged("it ends before its last pixel");
    let mut rest = packed;
    let mut left = samples.iter_mut();
    while left.len() > 0 {
        let (&head, tail) = rest.split_first().ok_or_else(ends)?;
        let head = head as i8;
        if head >= 0 {
            let (literal, tail) = tail.split_at_checked(head as usize + 1).ok_or_else(ends)?;
            // Rows are packed one by one, and some writers pad the last run.
            for (byte, sample) in literal.iter().zip(&mut left) {
                *sample = *sample << 8 | i32::from(*byte);
            }
            rest = tail;
        } else if head == -128 {
            rest = tail;
        } else {
            let (&byte, tail) = tail.split_first().ok_or_else(ends)?;
            for sample in left.by_ref().take((1 - isize::from(head)) as usize) {
                *sample = *sample << 8 | i32::from(byte);
            }
            rest = tail;
        }
    }
    Ok(())
}
