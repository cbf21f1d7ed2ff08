//! Encapsulated pixel data (DICOM PS3.5 A.4): from fragments to one codestream per frame.

use std::ops::Range;

use super::walk::{Encoding, WalkError, Walker};

/// Codestreams of a file's frames, as pieces of its bytes.
#[derive(Debug)]
pub(super) struct FrameTable {
    frames: Vec<Vec<Range<usize>>>,
}

impl FrameTable {
    /// Finds the frames in `bytes`, which begin with the first item: the basic offset table. Fragments that a cut file
    /// has lost leave the frames before them readable.
    pub(super) fn new(bytes: &[u8], frame_count: usize, extended_offsets: &[u64]) -> Result<Self, String> {
        let mut fragments = fragments(bytes)?;
        if fragments.is_empty() {
            return Err("compressed pixel data holds no fragments".to_owned());
        }
        let table = fragments.remove(0);
        let first = table.end;
        let offsets: Vec<u64> = if extended_offsets.len() == frame_count {
            extended_offsets.to_vec()
        } else {
            bytes[table].as_chunks::<4>().0.iter().map(|b| u64::from(u32::from_le_bytes(*b))).collect()
        };
        if frame_count == 1 {
            return Ok(Self { frames: vec![fragments] });
        }
        if offsets.len() == frame_count
            && let Some(frames) = by_offset(&fragments, first, &offsets)
        {
            return Ok(Self { frames });
        }
        if fragments.len() == frame_count {
            return Ok(Self { frames: fragments.into_iter().map(|f| vec![f]).collect() });
        }
        let frames = by_markers(bytes, fragments);
        if frames.len() <= frame_count && !frames.is_empty() {
            return Ok(Self { frames });
        }
        Err(format!("{frame_count} frames cannot be told apart in the compressed pixel data"))
    }

    /// The codestream of a frame.
    pub(super) fn codestream(&self, bytes: &[u8], number: usize) -> Result<Vec<u8>, String> {
        let pieces = self.frames.get(number).filter(|pieces| !pieces.is_empty());
        let pieces = pieces.ok_or_else(|| "file ends before this frame".to_owned())?;
        Ok(pieces.iter().flat_map(|piece| &bytes[piece.clone()]).copied().collect())
    }
}

/// Contents of all items, the offset table first. A last fragment that the file cuts short is left out.
fn fragments(bytes: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let walker = Walker { bytes, total_len: bytes.len() as u64, encoding: Encoding::ImplicitLittle };
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let head = match walker.head(at) {
            Ok(head) => head,
            Err(WalkError::NeedMore(_) | WalkError::Damaged(_)) => break,
        };
        match (head.tag.group(), head.tag.element(), head.length) {
            (0xFFFE, 0xE0DD, _) => break,
            (0xFFFE, 0xE000, Some(length)) => {
                let end = head.value_offset.saturating_add(length);
                if end > bytes.len() {
                    break;
                }
                found.push(head.value_offset..end);
                at = end;
            }
            _ if found.is_empty() => return Err("compressed pixel data does not begin with an item".to_owned()),
            _ => break,
        }
    }
    Ok(found)
}

/// Offsets count from the item head of the first fragment; every offset must meet an item head.
fn by_offset(fragments: &[Range<usize>], first: usize, offsets: &[u64]) -> Option<Vec<Vec<Range<usize>>>> {
    const ITEM_HEAD_BYTES: usize = 8;
    if !offsets.is_sorted_by(|a, b| a < b) || offsets.first() != Some(&0) {
        return None;
    }
    let mut frames = vec![Vec::new(); offsets.len()];
    for fragment in fragments {
        let offset = (fragment.start - ITEM_HEAD_BYTES - first) as u64;
        let frame = offsets.partition_point(|o| *o <= offset) - 1;
        if frames[frame].is_empty() && offsets[frame] != offset {
            return None;
        }
        frames[frame].push(fragment.clone());
    }
    Some(frames)
}

/// JPEG family: a frame begins with the start marker (FFD8, FF4F) and the next one begins with the next.
fn by_markers(bytes: &[u8], fragments: Vec<Range<usize>>) -> Vec<Vec<Range<usize>>> {
    let mut frames: Vec<Vec<Range<usize>>> = Vec::new();
    for fragment in fragments {
        let starts = matches!(bytes[fragment.clone()], [0xFF, 0xD8 | 0x4F | 0x0A, ..]);
        match frames.last_mut() {
            Some(frame) if !starts => frame.push(fragment),
            _ => frames.push(vec![fragment]),
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xFE, 0xFF, 0x00, 0xE0];
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend(content);
        bytes
    }

    const JPEG_A: &[u8] = &[0xFF, 0xD8, 1, 2];
    const REST_A: &[u8] = &[3, 4, 0xFF, 0xD9];
    const JPEG_B: &[u8] = &[0xFF, 0xD8, 5, 6, 0xFF, 0xD9];

    #[test]
    fn frames_follow_the_basic_offset_table() {
        let table: Vec<u8> = [0_u32, 24].iter().flat_map(|o| o.to_le_bytes()).collect();
        let bytes = [item(&table), item(&[1, 1, 1, 1]), item(&[2, 2, 2, 2]), item(&[3, 3])].concat();
        let frames = FrameTable::new(&bytes, 2, &[]).unwrap();
        assert_eq!(frames.codestream(&bytes, 0).unwrap(), [1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(frames.codestream(&bytes, 1).unwrap(), [3, 3]);
    }

    #[test]
    fn without_a_table_jpeg_frames_are_told_apart_by_their_start() {
        let bytes = [item(&[]), item(JPEG_A), item(REST_A), item(JPEG_B)].concat();
        let frames = FrameTable::new(&bytes, 2, &[]).unwrap();
        assert_eq!(frames.codestream(&bytes, 0).unwrap(), [JPEG_A, REST_A].concat());
        assert_eq!(frames.codestream(&bytes, 1).unwrap(), JPEG_B);
    }

    #[test]
    fn a_single_frame_takes_all_fragments_and_a_lost_frame_is_an_error() {
        let bytes = [item(&[]), item(JPEG_A), item(REST_A)].concat();
        assert_eq!(FrameTable::new(&bytes, 1, &[]).unwrap().codestream(&bytes, 0).unwrap(), [JPEG_A, REST_A].concat());
        let cut = &bytes[..bytes.len() - 2];
        let frames = FrameTable::new(cut, 2, &[]).unwrap();
        assert!(frames.codestream(cut, 1).is_err());
    }
}
