//! What the header of one file says of its pictures.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::frames;
use super::header::{Header, PixelElement};
use super::stored::{HuMapping, StoredFormat};
use super::windows;
use crate::io::codecs::FrameLayout;
use crate::io::files::FoundFile;
use crate::volume::{NamedWindow, PatientIdentity, SeriesWarning};

/// Largest picture: four times the side of any CT.
const MAX_PIXELS: usize = 8192 * 8192;
/// Most frames in one file.
const MAX_FRAMES: i64 = 50_000;

/// Where the pixels of a file are and how they are written.
#[derive(Debug)]
pub(super) struct PixelFile {
    pub(super) file: FoundFile,
    pub(super) syntax_uid: String,
    pub(super) deflated_from: Option<u64>,
    pub(super) pixels: PixelElement,
    pub(super) layout: FrameLayout,
    pub(super) frame_count: usize,
    /// Extended Offset Table (7FE0,0001), empty when there is none.
    pub(super) extended_offsets: Vec<u64>,
}

/// One picture, in a file of its own or among others.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) pixel_file: Arc<PixelFile>,
    pub(super) series: Arc<SeriesHeader>,
    /// Position within its file, from 0.
    pub(super) number: usize,
    pub(super) mapping: Arc<HuMapping>,
    /// Centre of the top left pixel in the patient.
    pub(super) position_mm: Option<[f64; 3]>,
    /// Direction of increasing columns, then of increasing rows.
    pub(super) orientation: Option<[f64; 6]>,
    /// Distance between rows, then between columns, as DICOM orders them.
    pub(super) pixel_spacing_mm: Option<[f64; 2]>,
    /// Slice Thickness or Spacing Between Slices: only where positions are missing.
    pub(super) nominal_step_mm: Option<f64>,
    pub(super) instance_number: Option<i64>,
    /// Slice Location (0020,1041), of a file with one frame.
    pub(super) slice_location_mm: Option<f64>,
    pub(super) acquisition_number: Option<i64>,
    pub(super) is_localizer: bool,
}

/// What a file says of the series that it belongs to.
#[derive(Debug)]
pub(super) struct SeriesHeader {
    pub(super) uid: String,
    pub(super) frame_of_reference: Option<String>,
    pub(super) description: String,
    pub(super) identity: PatientIdentity,
    pub(super) windows: Vec<NamedWindow>,
    pub(super) is_inverted: bool,
    pub(super) has_burned_in_identity: bool,
    pub(super) warnings: Vec<SeriesWarning>,
}

/// Why a file has no picture for us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// DICOM of another kind, named.
    NotCt(String),
    /// In plain words: what is wrong, what is expected.
    Unusable(String),
}

fn unusable<T>(problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Unusable(problem.into()))
}

/// The pictures of one file; refuses what is not CT and what cannot be shown truthfully.
pub(super) fn frames_of(file: &FoundFile, header: &Header) -> Result<Vec<Frame>, Refusal> {
    let top = Attributes(&header.object);
    let mut warnings = Vec::new();
    check_is_ct(top, &mut warnings)?;
    let Some(pixels) = header.pixels else {
        return unusable("file has a header and no pixel data");
    };
    let layout = layout_of(top, &pixels, &mut warnings)?;
    let format = format_of(top, &layout)?;
    let frame_count = frame_count(top)?;
    if top.has(tags::MODALITY_LUT_SEQUENCE) {
        return unusable(
            "values are given by a Modality LUT (0028,3000), which is not supported; export with rescale slope and intercept",
        );
    }
    let padding = padding_of(top, format);
    let series = series_header(top, file, warnings);
    let pixel_file = Arc::new(PixelFile {
        file: file.clone(),
        syntax_uid: header.syntax_uid.clone(),
        deflated_from: header.deflated_from,
        pixels,
        layout,
        frame_count,
        extended_offsets: extended_offsets(top),
    });
    frames::describe(top, &pixel_file, series, |slope, intercept| HuMapping::new(format, slope, intercept, padding))
}

fn check_is_ct(top: Attributes<'_>, warnings: &mut Vec<SeriesWarning>) -> Result<(), Refusal> {
    const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
    let class = top.text(tags::SOP_CLASS_UID).unwrap_or_default();
    if class.starts_with(SECONDARY_CAPTURE) {
        return Err(Refusal::NotCt("a secondary capture (a picture of a screen or a scanned page)".to_owned()));
    }
    match top.text(tags::MODALITY).as_deref() {
        Some("CT") => {}
        Some(other) => return Err(Refusal::NotCt(modality_name(other))),
        None => warnings.push(SeriesWarning {
            code: "missing-attribute",
            message: "the files do not say that they are CT (Modality is missing); read as CT".to_owned(),
        }),
    }
    let samples = top.whole(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    let photometric = top.text(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    if samples != 1 || !matches!(photometric.as_str(), "MONOCHROME1" | "MONOCHROME2" | "") {
        return Err(Refusal::NotCt(format!("a colour picture ({photometric})")));
    }
    Ok(())
}

fn modality_name(code: &str) -> String {
    match code {
        "MR" => "an MR series",
        "PT" => "a PET series",
        "US" => "an ultrasound series",
        "NM" => "a nuclear medicine series",
        "CR" | "DX" | "RF" | "XA" | "MG" => "an X-ray projection",
        "SR" => "a report",
        "SEG" | "RTSTRUCT" => "a segmentation",
        "PR" | "KO" => "a presentation state or a list of key images",
        "OT" | "SC" | "DOC" => "a document or a secondary capture",
        other => return format!("a series of modality {}", other.chars().take(16).collect::<String>()),
    }
    .to_owned()
}

fn layout_of(
    top: Attributes<'_>,
    pixels: &PixelElement,
    warnings: &mut Vec<SeriesWarning>,
) -> Result<FrameLayout, Refusal> {
    let side = |tag, name: &str| match top.whole(tag) {
        Some(side @ 1..=65535) => Ok(side as usize),
        Some(side) => unusable(format!("picture has {side} {name}; at least one is needed")),
        None => unusable(format!("number of {name} is missing")),
    };
    let (rows, columns) = (side(tags::ROWS, "rows")?, side(tags::COLUMNS, "columns")?);
    if rows * columns > MAX_PIXELS {
        return unusable(format!("picture of {columns} × {rows} pixels is larger than {MAX_PIXELS} pixels"));
    }
    if pixels.vr == dicom_core::VR::OF || pixels.vr == dicom_core::VR::OD {
        return unusable("pixels are floating-point numbers, which is not supported; export 16-bit integers");
    }
    let mut missing = |name: &str, meant: String| {
        warnings
            .push(SeriesWarning { code: "missing-attribute", message: format!("{name} is missing; taken as {meant}") });
    };
    let bits_allocated = top.whole(tags::BITS_ALLOCATED).unwrap_or_else(|| {
        missing("Bits Allocated", "16".to_owned());
        16
    });
    if bits_allocated != 8 && bits_allocated != 16 {
        return unusable(format!("pixels have {bits_allocated} bits; 8 or 16 are supported"));
    }
    let bits_stored = top.whole(tags::BITS_STORED).unwrap_or_else(|| {
        missing("Bits Stored", bits_allocated.to_string());
        bits_allocated
    });
    if !(1..=bits_allocated).contains(&bits_stored) {
        return unusable(format!(
            "{bits_stored} of {bits_allocated} bits are said to be used; 1 to {bits_allocated} are possible"
        ));
    }
    let is_signed = top.whole(tags::PIXEL_REPRESENTATION).unwrap_or_else(|| {
        missing("Pixel Representation", "unsigned".to_owned());
        0
    }) == 1;
    Ok(FrameLayout {
        rows,
        columns,
        bits_allocated: bits_allocated as u16,
        bits_stored: bits_stored as u16,
        is_signed,
        samples_per_pixel: 1,
    })
}

fn format_of(top: Attributes<'_>, layout: &FrameLayout) -> Result<StoredFormat, Refusal> {
    let (allocated, stored) = (i64::from(layout.bits_allocated), i64::from(layout.bits_stored));
    let high_bit = top.whole(tags::HIGH_BIT).unwrap_or(stored - 1);
    if high_bit < stored - 1 || high_bit >= allocated {
        return unusable(format!("High Bit is {high_bit}; from {} to {} is possible here", stored - 1, allocated - 1));
    }
    Ok(StoredFormat {
        bits_allocated: layout.bits_allocated,
        bits_stored: layout.bits_stored,
        shift: (high_bit + 1 - stored) as u16,
        is_signed: layout.is_signed,
    })
}

fn frame_count(top: Attributes<'_>) -> Result<usize, Refusal> {
    match top.whole(tags::NUMBER_OF_FRAMES) {
        None => Ok(1),
        Some(count @ 1..=MAX_FRAMES) => Ok(count as usize),
        Some(count) => unusable(format!("file claims {count} frames; 1 to {MAX_FRAMES} are accepted")),
    }
}

/// Pixel Padding Value, or the range up to Pixel Padding Range Limit, as stored values.
fn padding_of(top: Attributes<'_>, format: StoredFormat) -> Option<(i32, i32)> {
    let first = format.attribute_value(top.whole(tags::PIXEL_PADDING_VALUE)?)?;
    let last = top.whole(tags::PIXEL_PADDING_RANGE_LIMIT).and_then(|limit| format.attribute_value(limit));
    let last = last.unwrap_or(first);
    Some((first.min(last), first.max(last)))
}

fn extended_offsets(top: Attributes<'_>) -> Vec<u64> {
    let element = top.0.get(tags::EXTENDED_OFFSET_TABLE);
    let bytes = element.and_then(|e| e.to_bytes().ok()).unwrap_or_default();
    bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect()
}

fn series_header(top: Attributes<'_>, file: &FoundFile, mut warnings: Vec<SeriesWarning>) -> SeriesHeader {
    let uid = top.text(tags::SERIES_INSTANCE_UID).unwrap_or_else(|| {
        warnings.push(SeriesWarning {
            code: "missing-attribute",
            message: "Series Instance UID is missing; the files of one folder are taken as one series".to_owned(),
        });
        // Not the folder's name, which may be a patient's.
        let mut hasher = DefaultHasher::new();
        file.path().parent().hash(&mut hasher);
        format!("folder-{:016x}", hasher.finish())
    });
    let windows = windows::of(top, &mut warnings);
    let is_yes = |tag| top.text(tag).is_some_and(|t| t.eq_ignore_ascii_case("YES"));
    let text = |tag| top.text(tag).unwrap_or_default();
    SeriesHeader {
        uid,
        frame_of_reference: top.text(tags::FRAME_OF_REFERENCE_UID),
        description: top.text(tags::SERIES_DESCRIPTION).unwrap_or_else(|| "CT".to_owned()),
        identity: PatientIdentity {
            name: text(tags::PATIENT_NAME),
            id: text(tags::PATIENT_ID),
            birth_date: text(tags::PATIENT_BIRTH_DATE),
            study_date: text(tags::STUDY_DATE),
        },
        windows,
        is_inverted: text(tags::PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1",
        has_burned_in_identity: is_yes(tags::BURNED_IN_ANNOTATION) || is_yes(tags::RECOGNIZABLE_VISUAL_FEATURES),
        warnings,
    }
}
