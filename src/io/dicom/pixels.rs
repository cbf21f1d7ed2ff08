//! Reads the pictures of a stack into a volume: plain cells straight into HU, compressed ones through the decoders.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::fragments::FrameTable;
use super::header::{self, HeaderError};
use super::image::{Frame, PixelFile};
use super::syntax;
use crate::io::{LoadError, ReadRequest, SliceSource, codecs, outward_order};
use crate::units::SliceIndex;
use crate::volume::{CtSlice, CtVolume, SeriesWarning};

/// No codec makes a frame more than twice as large; what lies behind in a file is not read.
const MAX_GROWTH: u64 = 2;
/// For tables and headers of compressed frames.
const SLACK_BYTES: u64 = 1 << 20;

/// The pictures of one volume, in the order of its slices.
#[derive(Debug)]
pub(super) struct DicomSource {
    pub(super) frames: Vec<Frame>,
}

/// A file whose frames can only be reached through its whole pixel data, read when the first frame is asked for.
#[derive(Default)]
struct WholeFile {
    content: OnceLock<Result<WholePixels, String>>,
}

struct WholePixels {
    bytes: Vec<u8>,
    /// For compressed pixels.
    table: Option<FrameTable>,
}

impl SliceSource for DicomSource {
    fn read_into(&self, volume: &CtVolume, request: &ReadRequest<'_>) -> Result<Vec<SeriesWarning>, LoadError> {
        let whole_files = self.whole_files();
        let failures: Mutex<BTreeMap<String, Vec<SliceIndex>>> = Mutex::default();
        let read = |slice: SliceIndex| {
            let frame = &self.frames[slice.0];
            let whole = whole_files.get(&Arc::as_ptr(&frame.pixel_file).addr());
            let outcome = read_frame(frame, whole);
            if let Err(reason) = &outcome {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.entry(reason.clone()).or_default().push(slice);
            }
            volume.set_slice(slice, outcome.map_err(Arc::from));
            (request.on_slice)(slice);
        };
        let order = outward_order(request.first, self.frames.len());
        let next = AtomicUsize::new(0);
        let take_turns = |_thread: usize| {
            while !request.cancel.is_cancelled()
                && let Some(slice) = order.get(next.fetch_add(1, Ordering::Relaxed))
            {
                read(*slice);
            }
        };
        (0..rayon::current_num_threads()).into_par_iter().with_max_len(1).for_each(take_turns);
        if request.cancel.is_cancelled() {
            return Err(LoadError::Cancelled);
        }
        let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(failures.into_iter().map(|(reason, slices)| missing_slices(&reason, slices)).collect())
    }

    fn level_mm(&self, slice: SliceIndex) -> Option<f64> {
        self.frames.get(slice.0)?.slice_location_mm
    }
}

impl DicomSource {
    /// One shared store for each file with several frames in it that has no cheaper way in.
    fn whole_files(&self) -> BTreeMap<usize, WholeFile> {
        let shared = self.frames.iter().filter(|f| f.pixel_file.frame_count > 1 && !can_seek(&f.pixel_file));
        shared.map(|f| (Arc::as_ptr(&f.pixel_file).addr(), WholeFile::default())).collect()
    }
}

fn missing_slices(reason: &str, mut slices: Vec<SliceIndex>) -> SeriesWarning {
    slices.sort_unstable();
    let which = match slices[..] {
        [one] => format!("slice {one}"),
        [first, .., last] if last.0 - first.0 + 1 == slices.len() => format!("slices {first} to {last}"),
        _ => format!("{} slices, the first of them slice {},", slices.len(), slices[0]),
    };
    SeriesWarning { code: "missing-slice", message: format!("{which} could not be read: {reason}") }
}

fn can_seek(pixel_file: &PixelFile) -> bool {
    pixel_file.file.is_seekable()
        && pixel_file.deflated_from.is_none()
        && syntax::is_uncompressed(&pixel_file.syntax_uid)
        && pixel_file.pixels.length.is_some()
}

fn read_frame(frame: &Frame, whole: Option<&WholeFile>) -> Result<CtSlice, String> {
    let pixel_file = &frame.pixel_file;
    let layout = &pixel_file.layout;
    if can_seek(pixel_file) {
        let offset = pixel_file.pixels.offset + cell_range(pixel_file, frame.number)?.start as u64;
        let mut bytes = vec![0; frame_bytes(pixel_file)];
        pixel_file.file.read_range(offset, &mut bytes).map_err(|error| in_words(&error))?;
        return Ok(slice_of_cells(frame, &mut bytes));
    }
    let own = WholeFile::default();
    let content = whole.unwrap_or(&own).content.get_or_init(|| read_whole(pixel_file));
    let WholePixels { bytes, table } = content.as_ref().map_err(Clone::clone)?;
    let Some(table) = table else {
        let cells = bytes.get(cell_range(pixel_file, frame.number)?).ok_or_else(cut_short)?;
        return Ok(slice_of_cells(frame, &mut cells.to_vec()));
    };
    let codestream = table.codestream(bytes, frame.number)?;
    let decode = || codecs::decode_frame(&pixel_file.syntax_uid, &codestream, layout);
    let samples = catch_unwind(AssertUnwindSafe(decode))
        .map_err(|_panic| "the decoder gave up on damaged pixel data".to_owned())?
        .map_err(|error| error.to_string())?;
    let expected = layout.rows * layout.columns;
    if samples.len() != expected {
        return Err(format!("decoder gave {} pixels where {expected} are expected", samples.len()));
    }
    let values_hu = samples.iter().map(|&sample| frame.mapping.hu(sample as u32)).collect();
    Ok(CtSlice::new(layout.columns, layout.rows, values_hu))
}

/// Plain cells to HU, written once into the memory that the volume keeps.
fn slice_of_cells(frame: &Frame, bytes: &mut [u8]) -> CtSlice {
    let pixel_file = &frame.pixel_file;
    let layout = &pixel_file.layout;
    let is_big_endian = syntax::has_big_endian_pixels(&pixel_file.syntax_uid);
    if is_big_endian && layout.bits_allocated == 8 && pixel_file.pixels.vr == dicom_core::VR::OW {
        // Two 8-bit samples share a big-endian word, the first in its low byte (PS3.5 D.2).
        bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
    }
    let mut values_hu: Arc<[i16]> = std::iter::repeat_n(0, layout.rows * layout.columns).collect();
    if let Some(values_hu) = Arc::get_mut(&mut values_hu) {
        frame.mapping.fill(bytes, is_big_endian, values_hu);
    }
    CtSlice::new(layout.columns, layout.rows, values_hu)
}

fn frame_bytes(pixel_file: &PixelFile) -> usize {
    let layout = &pixel_file.layout;
    layout.rows * layout.columns * usize::from(layout.bits_allocated / 8)
}

/// Where the cells of a frame lie in the pixel data; refused when the element is too short for them.
fn cell_range(pixel_file: &PixelFile, number: usize) -> Result<std::ops::Range<usize>, String> {
    let bytes = frame_bytes(pixel_file);
    let start = bytes.checked_mul(number).ok_or_else(cut_short)?;
    let end = start.checked_add(bytes).ok_or_else(cut_short)?;
    match pixel_file.pixels.length {
        Some(length) if end as u64 > length => {
            Err(format!("pixel data holds {length} bytes where {end} are needed for this picture"))
        }
        _ => Ok(start..end),
    }
}

fn read_whole(pixel_file: &PixelFile) -> Result<WholePixels, String> {
    let offset = pixel_file.pixels.offset;
    let plain_bytes = frame_bytes(pixel_file) as u64 * pixel_file.frame_count as u64;
    let most = pixel_file.pixels.length.unwrap_or(plain_bytes * MAX_GROWTH + SLACK_BYTES);
    let most = most.min(plain_bytes * MAX_GROWTH + SLACK_BYTES);
    let bytes = if let Some(from) = pixel_file.deflated_from {
        let all = header::inflate(&pixel_file.file, from, (offset + most) as usize);
        let mut all = all.map_err(|error| match error {
            HeaderError::Load(error) => in_words(&error),
            HeaderError::Damaged(problem) => problem,
        })?;
        all.drain(..(offset as usize).min(all.len()));
        all
    } else {
        let mut bytes = vec![0; pixel_file.file.len().saturating_sub(offset).min(most) as usize];
        pixel_file.file.read_range(offset, &mut bytes).map_err(|error| in_words(&error))?;
        bytes
    };
    let table = match pixel_file.pixels.length {
        None if syntax::is_uncompressed(&pixel_file.syntax_uid) => {
            return Err("pixels are in fragments, which an uncompressed file cannot have".to_owned());
        }
        None => Some(FrameTable::new(&bytes, pixel_file.frame_count, &pixel_file.extended_offsets)?),
        Some(_) if !syntax::is_uncompressed(&pixel_file.syntax_uid) => {
            return Err("pixels are not in fragments, which a compressed file needs".to_owned());
        }
        Some(_) => None,
    };
    Ok(WholePixels { bytes, table })
}

fn cut_short() -> String {
    "file ends within the pixel data".to_owned()
}

/// Without the path, which may hold a name.
fn in_words(error: &LoadError) -> String {
    match error {
        LoadError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => cut_short(),
        LoadError::Unreadable { source, .. } => format!("file could not be read ({source})"),
        other => other.without_path(),
    }
}
