//! Reads a header up to the pixel data, from a bounded buffer, and hands it to dicom-object once its lengths are proven.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries;

use super::syntax;
use super::walk::{Encoding, WalkError, Walker};
use crate::io::LoadError;
use crate::io::files::FoundFile;

/// Read at first: most CT headers are shorter.
const FIRST_READ_BYTES: usize = 16 << 10;
/// Longest header: per-frame groups of an enhanced CT with some thousand frames.
const MAX_HEADER_BYTES: usize = 128 << 20;
/// Longest data set that is inflated.
const MAX_INFLATED_BYTES: u64 = 4 << 30;

/// Where the pixels begin, counted from the start of the file, or of the inflated data set.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelElement {
    pub(super) offset: u64,
    /// `None`: encapsulated.
    pub(super) length: Option<u64>,
    pub(super) vr: VR,
}

/// A header that has been read.
pub(super) struct Header {
    pub(super) object: InMemDicomObject,
    pub(super) syntax_uid: String,
    /// `Some`: the data set behind this offset is deflated, and `pixels` counts in the inflated one.
    pub(super) deflated_from: Option<u64>,
    pub(super) pixels: Option<PixelElement>,
}

/// Why a file gave no header.
#[derive(Debug)]
pub(super) enum HeaderError {
    /// It could not be read at all.
    Load(LoadError),
    /// In plain words.
    Damaged(String),
}

impl From<LoadError> for HeaderError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Whether a file looks like DICOM by its first bytes, with the preamble or without.
pub(super) fn recognises(head: &[u8]) -> bool {
    start_of_elements(head).is_some()
}

/// Reads the header of a file that [`recognises`] took.
pub(super) fn read(file: &FoundFile) -> Result<Header, HeaderError> {
    let mut bytes = file.read_head(FIRST_READ_BYTES)?;
    let start = start_of_elements(&bytes).ok_or_else(|| HeaderError::Damaged("no DICOM header".to_owned()))?;
    let meta = read_meta(&bytes, start, file.len())?;
    let syntax_uid = meta.syntax_uid.unwrap_or_else(|| guess_syntax(&bytes[meta.end..]).to_owned());
    let encoding = syntax::encoding(&syntax_uid);
    let is_deflated = syntax_uid == syntax::DEFLATED;
    let (mut at, total_len) = if is_deflated { (0, MAX_INFLATED_BYTES) } else { (meta.end, file.len()) };
    if is_deflated {
        bytes = inflate(file, meta.end as u64, FIRST_READ_BYTES)?;
    }
    let mut wanted = Vec::new();
    let pixels = loop {
        let is_whole = is_deflated && bytes.len() < FIRST_READ_BYTES;
        let known_len = if is_whole { bytes.len() as u64 } else { total_len };
        match walk(&Walker { bytes: &bytes, total_len: known_len, encoding }, &mut at, &mut wanted) {
            Ok(found) => break found,
            Err(WalkError::Damaged(problem)) => return Err(HeaderError::Damaged(problem)),
            Err(WalkError::NeedMore(end)) if end <= MAX_HEADER_BYTES => {
                let had = bytes.len();
                let target = end.max(had.saturating_mul(4)).min(MAX_HEADER_BYTES);
                bytes = if is_deflated { inflate(file, meta.end as u64, target)? } else { file.read_head(target)? };
                if bytes.len() <= had || bytes.len() < end {
                    return Err(HeaderError::Damaged("file ends within the header".to_owned()));
                }
            }
            Err(WalkError::NeedMore(_)) => {
                return Err(HeaderError::Damaged(format!("header is longer than {} MiB", MAX_HEADER_BYTES >> 20)));
            }
        }
    };
    let object = parse(&wanted, encoding)?;
    Ok(Header { object, syntax_uid, deflated_from: is_deflated.then_some(meta.end as u64), pixels })
}

/// At most `count` bytes of a deflated data set.
pub(super) fn inflate(file: &FoundFile, from: u64, count: usize) -> Result<Vec<u8>, HeaderError> {
    let packed = file.read_all(MAX_INFLATED_BYTES)?;
    let packed = packed.get(from as usize..).unwrap_or_default();
    let mut bytes = Vec::with_capacity(count.min(packed.len().saturating_mul(4)));
    flate2::read::DeflateDecoder::new(packed)
        .take(count as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| HeaderError::Damaged(format!("deflated data set is damaged: {e}")))?;
    Ok(bytes)
}

struct Meta {
    syntax_uid: Option<String>,
    end: usize,
}

/// Group 0002, always explicit little endian; its own length element is often wrong and is not trusted.
fn read_meta(bytes: &[u8], start: usize, file_len: u64) -> Result<Meta, HeaderError> {
    let walker = Walker { bytes, total_len: file_len.min(bytes.len() as u64), encoding: Encoding::ExplicitLittle };
    let mut meta = Meta { syntax_uid: None, end: start };
    while let Ok(head) = walker.head(meta.end) {
        if head.tag.group() != 0x0002 {
            break;
        }
        let end = walker.end_of(&head).map_err(|_truncated| {
            HeaderError::Damaged("file ends within the header, or its first group is damaged".to_owned())
        })?;
        if head.tag == Tag(0x0002, 0x0010) {
            let uid = String::from_utf8_lossy(&bytes[head.value_offset..end]);
            meta.syntax_uid = Some(uid.trim_matches(['\0', ' ']).to_owned());
        }
        meta.end = end;
    }
    Ok(meta)
}

/// Collects the elements that CT is read from; ends at the pixel data or at the end of the file.
fn walk(walker: &Walker<'_>, at: &mut usize, wanted: &mut Vec<u8>) -> Result<Option<PixelElement>, WalkError> {
    while (*at as u64) < walker.total_len {
        let head = match walker.head(*at) {
            // Trailing bytes too few for an element.
            Err(WalkError::Damaged(_)) if !wanted.is_empty() && walker.total_len - (*at as u64) < 8 => return Ok(None),
            other => other?,
        };
        if matches!(head.tag, Tag(0x7FE0, 0x0008..=0x0010)) {
            let (offset, length) = (head.value_offset as u64, head.length.map(|l| l as u64));
            return Ok(Some(PixelElement { offset, length, vr: head.vr }));
        }
        let end = walker.end_of(&head)?;
        let is_wanted =
            matches!(head.tag.group(), 0x0004 | 0x0008 | 0x0010 | 0x0018 | 0x0020 | 0x0028 | 0x5200 | 0x7FE0)
                && head.tag.element() != 0
                && !(head.vr == VR::UN && walker.encoding != Encoding::ImplicitLittle);
        if is_wanted {
            wanted.extend_from_slice(&walker.bytes[*at..end]);
        }
        *at = end;
    }
    Ok(None)
}

fn parse(bytes: &[u8], encoding: Encoding) -> Result<InMemDicomObject, HeaderError> {
    let syntax = match encoding {
        Encoding::ImplicitLittle => entries::IMPLICIT_VR_LITTLE_ENDIAN.erased(),
        Encoding::ExplicitLittle => entries::EXPLICIT_VR_LITTLE_ENDIAN.erased(),
        Encoding::ExplicitBig => entries::EXPLICIT_VR_BIG_ENDIAN.erased(),
    };
    let damaged = || HeaderError::Damaged("header breaks the rules of DICOM and cannot be parsed".to_owned());
    catch_unwind(AssertUnwindSafe(|| InMemDicomObject::read_dataset_with_ts(bytes, &syntax)))
        .map_err(|_panic| damaged())?
        .map_err(|_parse| damaged())
}

/// Offset of the first element: behind the preamble, or 0 for files without one.
fn start_of_elements(head: &[u8]) -> Option<usize> {
    if head.get(128..132) == Some(b"DICM") {
        return Some(132);
    }
    let first = head.get(..8)?;
    let group = u16::from_le_bytes([first[0], first[1]]);
    let element = u16::from_le_bytes([first[2], first[3]]);
    let explicit = VR::from_binary([first[4], first[5]]).is_some() && first[4].is_ascii_uppercase();
    let length = u32::from_le_bytes([first[4], first[5], first[6], first[7]]);
    let is_known_start = matches!((group, element), (0x0002 | 0x0008, 0..=0x0018));
    (is_known_start && (explicit || length <= 256)).then_some(0)
}

/// For files that do not name their syntax: by the letters of a VR, or their absence.
fn guess_syntax(data_set: &[u8]) -> &'static str {
    match data_set.get(4..6) {
        Some(vr) if VR::from_binary([vr[0], vr[1]]).is_some() => syntax::EXPLICIT_LITTLE,
        _ => syntax::IMPLICIT_LITTLE,
    }
}
