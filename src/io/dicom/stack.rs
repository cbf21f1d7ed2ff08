//! Puts the pictures of a group in order and finds out how they lie in the patient.

use super::grouping::Group;
use super::image::Frame;
use crate::units::SliceIndex;
use crate::volume::{Geometry, GeometryError, SeriesWarning};

/// Share of the median gap below which two slices are at the same place.
const DUPLICATE_SHARE: f64 = 0.01;
/// Spacing is uneven from this share of the median on …
const UNEVEN_SHARE: f64 = 0.01;
/// … or from this length on, whichever is less.
const UNEVEN_MM: f64 = 0.1;
/// Positions are often written with two decimals.
const ROUNDING_MM: f64 = 0.02;
/// Smaller angles are rounding.
const TILT_DEGREES: f64 = 0.5;
/// A gap that is a multiple of the median within this share means that slices are missing.
const MULTIPLE_TOLERANCE: f64 = 0.1;

/// A group in the order of its slices, axial ones from head to feet, others along their normal.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) frames: Vec<Frame>,
    pub(super) geometry: Geometry,
    pub(super) warnings: Vec<SeriesWarning>,
}

/// Sorts, drops duplicates and describes the lattice.
pub(super) fn stack(group: Group) -> Result<Stack, GeometryError> {
    let mut warnings = Vec::new();
    if let Some(reason) = group.split_by {
        let message = format!("the series holds {reason}, which cannot share a volume; each part is listed by itself");
        warnings.push(SeriesWarning { code: "split-series", message });
    }
    let frames = group.frames;
    let normal = frames[0].orientation.map(normal_of);
    let placed: Option<Vec<f64>> =
        normal.and_then(|n| frames.iter().map(|f| f.position_mm.map(|p| dot(p, n))).collect());
    let (frames, origins) = match (placed, normal) {
        (Some(along), Some(normal)) if frames.len() == 1 || spread(&along) > 1e-3 => {
            let frames = sorted_by_position(frames, &along, normal, &mut warnings);
            let origins = frames.iter().filter_map(|f| f.position_mm).collect();
            (frames, origins)
        }
        _ => sorted_by_number(frames, normal, &mut warnings),
    };
    let geometry = geometry(&frames, origins, &mut warnings)?;
    if frames.iter().all(|f| f.position_mm.is_some()) && geometry.is_orientation_known() {
        warnings.extend(spacing_warnings(&geometry));
    }
    Ok(Stack { frames, geometry, warnings })
}

fn sorted_by_position(
    frames: Vec<Frame>,
    along: &[f64],
    normal: [f64; 3],
    warnings: &mut Vec<SeriesWarning>,
) -> Vec<Frame> {
    // Head to feet: z of DICOM's LPS falls.
    let is_axial = normal[2].abs() > std::f64::consts::FRAC_1_SQRT_2;
    let direction = if is_axial && normal[2] > 0.0 { -1.0 } else { 1.0 };
    let mut placed: Vec<(f64, Frame)> = along.iter().map(|a| a * direction).zip(frames).collect();
    // Of two at the same place the later acquisition comes first, and stays.
    let later = |f: &Frame| std::cmp::Reverse((f.acquisition_number, f.instance_number));
    placed.sort_by(|(a, f), (b, g)| a.total_cmp(b).then_with(|| later(f).cmp(&later(g))));
    let mut gaps: Vec<f64> = placed.windows(2).map(|w| w[1].0 - w[0].0).filter(|g| *g > 1e-3).collect();
    gaps.sort_by(f64::total_cmp);
    let closest = gaps.get(gaps.len() / 2).map_or(1e-3, |median| median * DUPLICATE_SHARE);
    let before = placed.len();
    let mut kept: Vec<(f64, Frame)> = Vec::with_capacity(before);
    for (position, frame) in placed {
        match kept.last_mut() {
            Some((last, other)) if position - *last < closest => {
                if later(&frame) < later(other) {
                    *other = frame;
                }
            }
            _ => kept.push((position, frame)),
        }
    }
    if kept.len() < before {
        let count = before - kept.len();
        let message = format!("{count} slices stand where another one stands already; the later acquisition is shown");
        warnings.push(SeriesWarning { code: "duplicate", message });
    }
    kept.into_iter().map(|(_, frame)| frame).collect()
}

/// Without positions: by Instance Number, at the distance that the file names or 1 mm.
fn sorted_by_number(
    mut frames: Vec<Frame>,
    normal: Option<[f64; 3]>,
    warnings: &mut Vec<SeriesWarning>,
) -> (Vec<Frame>, Vec<[f64; 3]>) {
    if frames.len() > 1 {
        frames.sort_by_key(|f| f.instance_number.unwrap_or(i64::MAX));
        let are_numbered = frames.iter().all(|f| f.instance_number.is_some());
        let are_placed = frames.iter().all(|f| f.position_mm.is_some());
        let (code, trouble) = if are_placed {
            ("same-position", "all slices claim to lie at the same place")
        } else {
            ("no-position", "the files do not say where each slice lies")
        };
        let order = if are_numbered { "Instance Number" } else { "file name" };
        let message = format!("{trouble}; they are in the order of {order}, which may be wrong");
        warnings.push(SeriesWarning { code, message });
    }
    let step = frames[0].nominal_step_mm.unwrap_or(1.0);
    let normal = normal.unwrap_or([0.0, 0.0, 1.0]);
    let start = frames[0].position_mm.unwrap_or_default();
    let direction = if normal[2] > std::f64::consts::FRAC_1_SQRT_2 { -step } else { step };
    let origin = |index: usize| std::array::from_fn(|k| start[k] + normal[k] * direction * index as f64);
    let origins = (0..frames.len()).map(origin).collect();
    (frames, origins)
}

fn geometry(
    frames: &[Frame],
    origins: Vec<[f64; 3]>,
    warnings: &mut Vec<SeriesWarning>,
) -> Result<Geometry, GeometryError> {
    let layout = &frames[0].pixel_file.layout;
    let [row_spacing, column_spacing] = frames[0].pixel_spacing_mm.unwrap_or([1.0, 1.0]);
    let directions = frames[0].orientation.unwrap_or([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let column_step = std::array::from_fn(|k| directions[k] * column_spacing);
    let row_step = std::array::from_fn(|k| directions[k + 3] * row_spacing);
    let mut geometry = Geometry::new(layout.columns, layout.rows, column_step, row_step, origins)?;
    if frames[0].orientation.is_none() {
        let message = "the files do not say how the pictures lie in the patient; no orientation letters are shown";
        warnings.push(SeriesWarning { code: "no-orientation", message: message.to_owned() });
        geometry = geometry.with_unknown_orientation();
    }
    if frames[0].pixel_spacing_mm.is_none() {
        let message =
            "the files do not say how large a pixel is; lengths are not shown, and 1 mm is taken where one is needed";
        warnings.push(SeriesWarning { code: "no-pixel-spacing", message: message.to_owned() });
        geometry = geometry.with_unknown_spacing();
    }
    Ok(geometry)
}

fn spacing_warnings(geometry: &Geometry) -> Vec<SeriesWarning> {
    let mut warnings = Vec::new();
    let Some(median) = geometry.slice_spacing_mm() else { return warnings };
    let position = |s: usize| geometry.slice_position_mm(SliceIndex(s));
    let gaps: Vec<f64> = (1..geometry.slices()).map(|s| (position(s) - position(s - 1)).abs()).collect();
    let multiple = |gap: f64| (gap / median).round();
    let is_uneven = |gap: f64| (gap - median).abs() > (UNEVEN_SHARE * median).clamp(ROUNDING_MM, UNEVEN_MM);
    let is_hole = |gap: f64| multiple(gap) >= 2.0 && (gap / median - multiple(gap)).abs() < MULTIPLE_TOLERANCE;
    let holes: Vec<usize> = (0..gaps.len()).filter(|&g| is_hole(gaps[g])).collect();
    if let Some(&first) = holes.first() {
        let missing: f64 = holes.iter().map(|&g| multiple(gaps[g]) - 1.0).sum();
        warnings.push(SeriesWarning {
            code: "gap",
            message: format!(
                "{missing} slices are missing, the first after slice {}: {:.1} mm to the next instead of {median:.1} mm",
                SliceIndex(first),
                gaps[first]
            ),
        });
    }
    let uneven: Vec<usize> = (0..gaps.len()).filter(|&g| is_uneven(gaps[g]) && !is_hole(gaps[g])).collect();
    if let Some(&first) = uneven.first() {
        // Where the distance changes: behind the last even one, or behind the first slices that have their own.
        let changes = (1..gaps.len())
            .find(|&g| (gaps[g] - gaps[g - 1]).abs() > (UNEVEN_SHARE * median).clamp(ROUNDING_MM, UNEVEN_MM));
        let first = changes.unwrap_or(first);
        let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
        let most = gaps.iter().copied().fold(0.0, f64::max);
        warnings.push(SeriesWarning {
            code: "uneven-spacing",
            message: format!(
                "slices are {least:.2} to {most:.2} mm apart, not evenly; the distance first changes at slice {}",
                SliceIndex(first)
            ),
        });
    }
    let tilt = geometry.tilt_degrees();
    if tilt > TILT_DEGREES {
        warnings.push(SeriesWarning {
            code: "gantry-tilt",
            message: format!(
                "slices are tilted by {tilt:.1}° against the line that they are stacked along (gantry tilt)"
            ),
        });
    }
    warnings
}

fn spread(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most - least
}

fn normal_of(v: [f64; 6]) -> [f64; 3] {
    let n = [v[1] * v[5] - v[2] * v[4], v[2] * v[3] - v[0] * v[5], v[0] * v[4] - v[1] * v[3]];
    let length = dot(n, n).sqrt();
    n.map(|c| c / length)
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
