//! Walks over data elements without interpreting them, so that no later step meets a length that the file cannot hold.

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// How data elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
}

/// The head of a data element; offsets count from the start of the walked bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElementHead {
    pub(super) tag: Tag,
    pub(super) vr: VR,
    pub(super) value_offset: usize,
    /// `None`: undefined, ended by a delimiter.
    pub(super) length: Option<usize>,
}

/// Why a walk stopped early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WalkError {
    /// The bytes at hand end before this offset, the file may go on.
    NeedMore(usize),
    /// In plain words.
    Damaged(String),
}

/// Deeper nesting than any real header has.
const MAX_DEPTH: usize = 16;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_DELIMITER: Tag = Tag(0xFFFE, 0xE0DD);

/// The first bytes of a data set of `total_len` bytes.
#[derive(Clone, Copy)]
pub(super) struct Walker<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) total_len: u64,
    pub(super) encoding: Encoding,
}

impl Walker<'_> {
    /// The head of the element at an offset.
    pub(super) fn head(&self, at: usize) -> Result<ElementHead, WalkError> {
        self.need(at, 8)?;
        let tag = Tag(self.u16(at), self.u16(at + 2));
        if tag.group() == 0xFFFE {
            let length = defined(self.u32(at + 4));
            return Ok(ElementHead { tag, vr: VR::UN, value_offset: at + 8, length });
        }
        if self.encoding == Encoding::ImplicitLittle {
            let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
            return Ok(ElementHead { tag, vr, value_offset: at + 8, length: defined(self.u32(at + 4)) });
        }
        let vr = VR::from_binary([self.bytes[at + 4], self.bytes[at + 5]]).unwrap_or(VR::UN);
        if has_short_length(vr) {
            let length = Some(self.u16(at + 6) as usize);
            return Ok(ElementHead { tag, vr, value_offset: at + 8, length });
        }
        self.need(at, 12)?;
        Ok(ElementHead { tag, vr, value_offset: at + 12, length: defined(self.u32(at + 8)) })
    }

    /// Offset behind an element, with everything inside it checked.
    pub(super) fn end_of(&self, head: &ElementHead) -> Result<usize, WalkError> {
        self.end_within(head, self.total_len.try_into().unwrap_or(usize::MAX), 0)
    }

    fn end_within(&self, head: &ElementHead, limit: usize, depth: usize) -> Result<usize, WalkError> {
        if depth > MAX_DEPTH {
            return Err(WalkError::Damaged(format!("sequences are nested more than {MAX_DEPTH} deep")));
        }
        let Some(length) = head.length else {
            // Undefined length with VR UN: the content is implicit little endian (PS3.5 6.2.2, note 4).
            let inner = if head.vr == VR::UN { Encoding::ImplicitLittle } else { self.encoding };
            return Walker { encoding: inner, ..*self }.end_of_items(head.value_offset, None, limit, depth);
        };
        let end = head.value_offset.saturating_add(length);
        if end > limit {
            let left = limit.saturating_sub(head.value_offset);
            let problem = format!("element {} claims {length} bytes where {left} are left", name(head.tag));
            return Err(WalkError::Damaged(problem));
        }
        self.need(head.value_offset, length)?;
        if head.vr == VR::SQ { self.end_of_items(head.value_offset, Some(end), end, depth) } else { Ok(end) }
    }

    fn end_of_items(&self, mut at: usize, end: Option<usize>, limit: usize, depth: usize) -> Result<usize, WalkError> {
        while end.is_none_or(|end| at < end) {
            let head = self.head(at)?;
            match head.tag {
                SEQUENCE_DELIMITER => return Ok(head.value_offset),
                ITEM => at = self.end_of_item(&head, limit, depth)?,
                other => {
                    return Err(WalkError::Damaged(format!(
                        "{} stands where a sequence item is expected",
                        name(other)
                    )));
                }
            }
        }
        Ok(at)
    }

    fn end_of_item(&self, item: &ElementHead, limit: usize, depth: usize) -> Result<usize, WalkError> {
        let end = item.length.map(|length| item.value_offset.saturating_add(length));
        if end.is_some_and(|end| end > limit) {
            return Err(WalkError::Damaged("a sequence item claims more bytes than its sequence".to_owned()));
        }
        let mut at = item.value_offset;
        while end.is_none_or(|end| at < end) {
            let head = self.head(at)?;
            if head.tag == ITEM_DELIMITER {
                return Ok(head.value_offset);
            }
            at = self.end_within(&head, end.unwrap_or(limit), depth + 1)?;
        }
        Ok(at)
    }

    fn need(&self, at: usize, count: usize) -> Result<(), WalkError> {
        let end = at.saturating_add(count);
        if end <= self.bytes.len() {
            Ok(())
        } else if end as u64 <= self.total_len {
            Err(WalkError::NeedMore(end))
        } else {
            Err(WalkError::Damaged("file ends within the header".to_owned()))
        }
    }

    fn u16(&self, at: usize) -> u16 {
        let bytes = [self.bytes[at], self.bytes[at + 1]];
        if self.encoding == Encoding::ExplicitBig { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(&self, at: usize) -> u32 {
        let bytes = [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]];
        if self.encoding == Encoding::ExplicitBig { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// A tag as people write it.
pub(super) fn name(tag: Tag) -> String {
    format!("({:04X},{:04X})", tag.group(), tag.element())
}

fn defined(length: u32) -> Option<usize> {
    (length != u32::MAX).then_some(length as usize)
}

/// PS3.5 7.1.2: these have a 16-bit length behind the VR.
fn has_short_length(vr: VR) -> bool {
    use VR::{AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, PN, SH, SL, SS, ST, TM, UI, UL, US};
    matches!(vr, AE | AS | AT | CS | DA | DS | DT | FL | FD | IS | LO | LT | PN | SH | SL | SS | ST | TM | UI | UL | US)
}
