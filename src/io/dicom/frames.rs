//! One frame or many: position, orientation, spacing and rescale from the top level, or from the functional groups of an
//! enhanced CT (DICOM PS3.3 C.7.6.16: a frame's own group, then the shared one).

use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::image::{Frame, PixelFile, Refusal, SeriesHeader};
use super::stored::HuMapping;
use super::windows;
use crate::volume::SeriesWarning;

/// Where the macros of a frame are looked for, nearest first.
struct Groups<'a> {
    nearest_first: Vec<Attributes<'a>>,
    top: Attributes<'a>,
}

impl<'a> Groups<'a> {
    /// The first that has `tag`: within the macro `sequence` of a group, then at the top level.
    fn holder(&self, sequence: Tag, tag: Tag) -> Option<Attributes<'a>> {
        let in_groups = self.nearest_first.iter().flat_map(|group| group.items(sequence));
        in_groups.chain([self.top]).find(|attributes| attributes.numbers(tag).is_some())
    }

    fn numbers(&self, sequence: Tag, tag: Tag) -> Option<Vec<f64>> {
        self.holder(sequence, tag)?.numbers(tag)
    }
}

/// The frames of a file; `mapping` makes HU of slope and intercept.
pub(super) fn describe(
    top: Attributes<'_>,
    pixel_file: &Arc<PixelFile>,
    mut series: SeriesHeader,
    mapping: impl Fn(f64, f64) -> HuMapping,
) -> Result<Vec<Frame>, Refusal> {
    let shared = top.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let per_frame = top.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let count = pixel_file.frame_count;
    if !per_frame.is_empty() && per_frame.len() != count {
        let found = per_frame.len();
        return Err(Refusal::Unusable(format!("file has {count} frames and describes {found}; export it again")));
    }
    let first_groups = Groups { nearest_first: nearest_first(&per_frame, &shared, 0), top };
    complete_series(&mut series, &first_groups);
    let series = Arc::new(series);
    let mut frames: Vec<Frame> = Vec::with_capacity(count);
    for number in 0..count {
        let groups = Groups { nearest_first: nearest_first(&per_frame, &shared, number), top };
        let (slope, intercept) = rescale(&groups)?;
        let mapping = mapping(slope, intercept);
        let mapping = match frames.last() {
            Some(last) if *last.mapping == mapping => Arc::clone(&last.mapping),
            _ => Arc::new(mapping),
        };
        frames.push(Frame {
            pixel_file: Arc::clone(pixel_file),
            series: Arc::clone(&series),
            number,
            mapping,
            position_mm: position(&groups, count),
            orientation: orientation(&groups),
            pixel_spacing_mm: pixel_spacing(&groups)?,
            nominal_step_mm: nominal_step(&groups),
            instance_number: instance_number(top, &groups, number, count),
            slice_location_mm: top.number(tags::SLICE_LOCATION).filter(|mm| count == 1 && mm.is_finite()),
            acquisition_number: acquisition_number(top, &groups),
            is_localizer: is_localizer(top, &groups),
        });
    }
    Ok(frames)
}

fn nearest_first<'a>(per_frame: &[Attributes<'a>], shared: &[Attributes<'a>], number: usize) -> Vec<Attributes<'a>> {
    per_frame.get(number).into_iter().chain(shared.first()).copied().collect()
}

/// Windows and the rescale's unit stand in functional groups too.
fn complete_series(series: &mut SeriesHeader, groups: &Groups<'_>) {
    if series.windows.is_empty()
        && let Some(holder) = groups.holder(tags::FRAME_VOILUT_SEQUENCE, tags::WINDOW_CENTER)
    {
        series.windows = windows::of(holder, &mut series.warnings);
    }
    let Some(holder) = groups.holder(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_INTERCEPT) else {
        series.warnings.push(SeriesWarning {
            code: "missing-attribute",
            message: "rescale slope and intercept are missing; stored values are taken as HU, which may be wrong"
                .to_owned(),
        });
        return;
    };
    let unit = holder.text(tags::RESCALE_TYPE).unwrap_or_else(|| "HU".to_owned());
    let (code, message) = match unit.as_str() {
        "HU" => return,
        "US" => (
            "unit-unspecified",
            "the file leaves the unit of its values open; they are taken as Hounsfield units".to_owned(),
        ),
        other => {
            let unit: String = other.chars().filter(|c| !c.is_control()).take(16).collect();
            let message = format!("values are in {unit}, not in Hounsfield units; tissue cannot be told from them");
            ("not-hounsfield", message)
        }
    };
    series.warnings.push(SeriesWarning { code, message });
}

fn rescale(groups: &Groups<'_>) -> Result<(f64, f64), Refusal> {
    let sequence = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    let first = |tag, otherwise| groups.numbers(sequence, tag).map_or(otherwise, |n| n[0]);
    let slope: f64 = first(tags::RESCALE_SLOPE, 1.0);
    let intercept: f64 = first(tags::RESCALE_INTERCEPT, 0.0);
    if !slope.is_finite() || slope == 0.0 {
        return Err(Refusal::Unusable(format!("rescale slope is {slope}; a number other than 0 is needed")));
    }
    if !intercept.is_finite() {
        return Err(Refusal::Unusable(format!("rescale intercept is {intercept}; a number is needed")));
    }
    Ok((slope, intercept))
}

fn position(groups: &Groups<'_>, count: usize) -> Option<[f64; 3]> {
    let sequence = tags::PLANE_POSITION_SEQUENCE;
    let holder = groups.holder(sequence, tags::IMAGE_POSITION_PATIENT)?;
    // One position at the top level cannot be that of many frames.
    let is_own = count == 1 || !std::ptr::eq(holder.0, groups.top.0);
    if is_own { holder.vector(tags::IMAGE_POSITION_PATIENT) } else { None }
}

/// Two unit vectors at right angles (within 1e-2), or nothing.
fn orientation(groups: &Groups<'_>) -> Option<[f64; 6]> {
    const TOLERANCE: f64 = 1e-2;
    let holder = groups.holder(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT)?;
    let v: [f64; 6] = holder.vector(tags::IMAGE_ORIENTATION_PATIENT)?;
    let dot = |a: usize, b: usize| (0..3).map(|k| v[a + k] * v[b + k]).sum::<f64>();
    let is_frame =
        (dot(0, 0) - 1.0).abs() < TOLERANCE && (dot(3, 3) - 1.0).abs() < TOLERANCE && dot(0, 3).abs() < TOLERANCE;
    is_frame.then_some(v)
}

fn pixel_spacing(groups: &Groups<'_>) -> Result<Option<[f64; 2]>, Refusal> {
    let Some(numbers) = groups.numbers(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING) else { return Ok(None) };
    match numbers[..] {
        [row, column] if [row, column].iter().all(|s| s.is_finite() && *s > 1e-4 && *s < 1e3) => {
            Ok(Some([row, column]))
        }
        _ => Err(Refusal::Unusable(format!("pixel spacing is {numbers:?}; two lengths in mm above 0 are needed"))),
    }
}

fn nominal_step(groups: &Groups<'_>) -> Option<f64> {
    let sequence = tags::PIXEL_MEASURES_SEQUENCE;
    let of = |tag| groups.numbers(sequence, tag).map(|n| n[0].abs()).filter(|s| s.is_finite() && *s > 1e-3 && *s < 1e3);
    of(tags::SPACING_BETWEEN_SLICES).or_else(|| of(tags::SLICE_THICKNESS))
}

fn instance_number(top: Attributes<'_>, groups: &Groups<'_>, number: usize, count: usize) -> Option<i64> {
    if count == 1 {
        return top.whole(tags::INSTANCE_NUMBER);
    }
    let in_stack = groups.numbers(tags::FRAME_CONTENT_SEQUENCE, tags::IN_STACK_POSITION_NUMBER);
    Some(in_stack.filter(|n| n[0].is_finite()).map_or(number as i64, |n| n[0] as i64))
}

/// What tells one pass over the same positions from another.
fn acquisition_number(top: Attributes<'_>, groups: &Groups<'_>) -> Option<i64> {
    let temporal = groups.numbers(tags::FRAME_CONTENT_SEQUENCE, tags::TEMPORAL_POSITION_INDEX);
    temporal.filter(|n| n[0].is_finite()).map(|n| n[0] as i64).or_else(|| top.whole(tags::ACQUISITION_NUMBER))
}

fn is_localizer(top: Attributes<'_>, groups: &Groups<'_>) -> bool {
    let says_so = |values: Vec<String>| values.iter().any(|v| v.eq_ignore_ascii_case("LOCALIZER"));
    let in_groups = groups.nearest_first.iter().flat_map(|g| g.items(tags::CT_IMAGE_FRAME_TYPE_SEQUENCE));
    says_so(top.texts(tags::IMAGE_TYPE)) || in_groups.into_iter().any(|a| says_so(a.texts(tags::FRAME_TYPE)))
}
