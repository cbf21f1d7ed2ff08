//! Which pictures share a volume.

use std::collections::BTreeMap;

use super::image::Frame;

/// Directions that differ by less are the same (STACK: 1e-4 per component).
const ORIENTATION_TOLERANCE: f64 = 1e-4;
/// Pixel sizes that differ by a smaller share are the same.
const SPACING_TOLERANCE: f64 = 1e-3;
/// Positions closer than this are one position.
const POSITION_TOLERANCE_MM: f64 = 1e-2;

/// Pictures that share a volume, in the order of their files.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) frames: Vec<Frame>,
    /// Why the series was split, in plain words; `None` when it was not.
    pub(super) split_by: Option<&'static str>,
}

/// Groups frames by series, and by what cannot share a volume.
pub(super) fn group(frames: Vec<Frame>) -> Vec<Group> {
    let mut by_series: BTreeMap<(String, String), Vec<Group>> = BTreeMap::new();
    for frame in frames {
        let identity = &frame.series.identity;
        let patient = format!("{}\0{}\0{}", identity.id, identity.name, identity.birth_date);
        let groups = by_series.entry((frame.series.uid.clone(), patient)).or_default();
        let mut reason = None;
        // Neighbouring files mostly belong together, so the newest group is asked first.
        let home = groups.iter().rposition(|g| match difference(&g.frames[0], &frame) {
            None => true,
            Some(why) => {
                reason.get_or_insert(why);
                false
            }
        });
        if let Some(index) = home {
            groups[index].frames.push(frame);
            continue;
        }
        groups.push(Group { frames: vec![frame], split_by: reason });
        if let (Some(why), Some(first)) = (reason, groups.first_mut()) {
            first.split_by.get_or_insert(why);
        }
    }
    by_series.into_values().flatten().flat_map(split_passes).collect()
}

/// Why two pictures cannot share a volume; `None` when they can.
fn difference(a: &Frame, b: &Frame) -> Option<&'static str> {
    let size = |f: &Frame| (f.pixel_file.layout.rows, f.pixel_file.layout.columns);
    if a.is_localizer != b.is_localizer {
        Some("localizers among the slices")
    } else if size(a) != size(b) {
        Some("pictures of different size")
    } else if !agree(a.orientation.as_ref(), b.orientation.as_ref(), |x, y| (x - y).abs() < ORIENTATION_TOLERANCE) {
        Some("pictures of different orientation")
    } else if !agree(a.pixel_spacing_mm.as_ref(), b.pixel_spacing_mm.as_ref(), |x, y| {
        (x - y).abs() < SPACING_TOLERANCE * y
    }) {
        Some("pictures of different pixel spacing")
    } else if a.series.frame_of_reference != b.series.frame_of_reference {
        Some("different frames of reference")
    } else if a.position_mm.is_some() != b.position_mm.is_some() {
        Some("pictures with and without a position")
    } else if a.series.is_inverted != b.series.is_inverted {
        Some("different photometric interpretations")
    } else {
        None
    }
}

fn agree<const N: usize>(a: Option<&[f64; N]>, b: Option<&[f64; N]>, is_same: impl Fn(f64, f64) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.iter().zip(b).all(|(x, y)| is_same(*x, *y)),
        (None, None) => true,
        _ => false,
    }
}

/// Several passes over the same positions (contrast phases, perfusion) become a volume each, when the acquisition number
/// tells them apart; single repeats stay and are dealt with as duplicates.
fn split_passes(group: Group) -> Vec<Group> {
    let mut passes: BTreeMap<Option<i64>, Vec<usize>> = BTreeMap::new();
    for (index, frame) in group.frames.iter().enumerate() {
        passes.entry(frame.acquisition_number).or_default().push(index);
    }
    let all: Vec<usize> = (0..group.frames.len()).collect();
    let repeats = repeated_positions(&group.frames, &all);
    if passes.len() < 2 || repeats * 4 < group.frames.len() {
        return vec![group];
    }
    if passes.values().any(|pass| repeated_positions(&group.frames, pass) > 0) {
        return vec![group];
    }
    let pick = |pass: &Vec<usize>| pass.iter().map(|&i| group.frames[i].clone()).collect();
    passes
        .values()
        .map(|pass| Group { frames: pick(pass), split_by: Some("several passes over the same positions") })
        .collect()
}

/// How many frames stand where another one stands already.
fn repeated_positions(frames: &[Frame], among: &[usize]) -> usize {
    let mut positions: Vec<[i64; 3]> = among
        .iter()
        .filter_map(|&i| frames[i].position_mm)
        .map(|p| p.map(|c| (c / POSITION_TOLERANCE_MM).round() as i64))
        .collect();
    let all = positions.len();
    positions.sort_unstable();
    positions.dedup();
    all - positions.len()
}
