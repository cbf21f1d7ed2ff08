//! DICOM: headers, grouping into volumes, pixels to HU.
//!
//! ```text
//! files ─▶ header (walk) ─▶ image (frames, windows, stored) ─▶ grouping ─▶ stack ─▶ Series
//!                                                             pixels (fragments, codecs) ─▶ volume
//! ```

mod attributes;
mod color;
mod directory;
mod fragments;
mod frames;
mod grouping;
mod header;
mod image;
mod pixels;
mod stack;
mod stored;
mod syntax;
mod walk;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

pub(super) use color::{Color, ColorHeader, read_color, read_color_header};
pub(super) use directory::{find_files as find_directory_files, is_directory};

use self::header::HeaderError;
use self::image::{Frame, Refusal};
use self::stack::Stack;
use super::files::FoundFile;
use super::{LoadError, Scan, ScanProgress, Series, codecs};
use crate::volume::{SeriesInfo, SeriesKind, SeriesWarning};

/// Largest volume in HU: two bytes a voxel.
const MAX_VOLUME_BYTES: u64 = 16 << 30;

/// More kinds of trouble than this help nobody.
const MAX_WARNINGS: usize = 12;

/// Whether a file belongs to this format, by its first bytes.
pub(super) fn recognises(head: &[u8]) -> bool {
    header::recognises(head)
}

/// The series in the files that [`recognises`] took; `opened` is for messages.
pub(super) fn scan_dicom(files: &[FoundFile], opened: &Path, progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    let outcomes: Vec<Result<Vec<Frame>, Refusal>> = files
        .par_iter()
        .map(|file| if progress.cancel.is_cancelled() { Err(LoadError::Cancelled) } else { Ok(read_file(file)) })
        .collect::<Result<_, _>>()?;
    let mut frames = Vec::new();
    let mut refusals: BTreeMap<Refusal, usize> = BTreeMap::new();
    for outcome in outcomes {
        match outcome {
            Ok(found) => frames.extend(found),
            Err(refusal) => *refusals.entry(refusal).or_default() += 1,
        }
    }
    if frames.is_empty() {
        return refusals.into_keys().next().map_or_else(|| Ok(Scan::default()), |r| Err(refused(r, opened)));
    }
    let mut warnings: Vec<SeriesWarning> =
        refusals.iter().take(MAX_WARNINGS).map(|(refusal, count)| left_out(refusal, *count)).collect();
    if refusals.len() > MAX_WARNINGS {
        let rest: usize = refusals.values().skip(MAX_WARNINGS).sum();
        let message = format!("{rest} more DICOM files were left out for other reasons");
        warnings.push(SeriesWarning { code: "unusable-file", message });
    }
    warnings.extend(mixed_patients(&frames));
    let mut series = Vec::new();
    for group in grouping::group(frames) {
        match series_of(group, opened) {
            Ok(one) => series.push(one),
            Err(error) => warnings.push(SeriesWarning { code: "unusable-series", message: error.without_path() }),
        }
    }
    if series.is_empty() {
        let problem = warnings.pop().map(|w| w.message).unwrap_or_default();
        return Err(LoadError::Malformed { format: "DICOM series", problem, path: opened.to_owned() });
    }
    series.sort_by_key(|(is_localizer, one)| (*is_localizer, std::cmp::Reverse(one.info.slice_count)));
    Ok(Scan { series: series.into_iter().map(|(_, one)| one).collect(), warnings })
}

fn read_file(file: &FoundFile) -> Result<Vec<Frame>, Refusal> {
    let header = header::read(file).map_err(|error| match error {
        HeaderError::Load(error) => Refusal::Unusable(error.without_path()),
        HeaderError::Damaged(problem) => Refusal::Unusable(problem),
    })?;
    image::frames_of(file, &header)
}

fn refused(refusal: Refusal, opened: &Path) -> LoadError {
    match refusal {
        Refusal::NotCt(found) => LoadError::NotCt { found, path: opened.to_owned() },
        Refusal::Unusable(problem) => LoadError::Malformed { format: "DICOM file", problem, path: opened.to_owned() },
    }
}

fn left_out(refusal: &Refusal, count: usize) -> SeriesWarning {
    let files = if count == 1 { "1 DICOM file was".to_owned() } else { format!("{count} DICOM files were") };
    match refusal {
        Refusal::NotCt(found) => {
            SeriesWarning { code: "not-ct", message: format!("{files} left out: not CT but {found}") }
        }
        Refusal::Unusable(problem) => {
            SeriesWarning { code: "unusable-file", message: format!("{files} left out: {problem}") }
        }
    }
}

fn mixed_patients(frames: &[Frame]) -> Option<SeriesWarning> {
    let patients: BTreeSet<(&str, &str)> =
        frames.iter().map(|f| (f.series.identity.id.as_str(), f.series.identity.birth_date.as_str())).collect();
    (patients.len() > 1).then(|| SeriesWarning {
        code: "mixed-patients",
        message: format!("files of {} patients lie here; check that you show the right one", patients.len()),
    })
}

/// A group as a series, and whether it is a localizer.
fn series_of(group: grouping::Group, opened: &Path) -> Result<(bool, Series), LoadError> {
    let Stack { frames, geometry, mut warnings } = stack::stack(group).map_err(|source| LoadError::Geometry {
        format: "DICOM series",
        path: opened.to_owned(),
        source,
    })?;
    let voxels = geometry.columns() as u64 * geometry.rows() as u64 * geometry.slices() as u64;
    let bytes = voxels.saturating_mul(2);
    if bytes > MAX_VOLUME_BYTES {
        let (what, limit) = ("volume", MAX_VOLUME_BYTES);
        return Err(LoadError::TooLarge { what, bytes, limit, path: opened.to_owned() });
    }
    let is_localizer = frames[0].is_localizer;
    if is_localizer {
        let message = "this is a localizer (scout view), not a stack of slices".to_owned();
        warnings.push(SeriesWarning { code: "localizer", message });
    }
    for frame in &frames {
        for warning in &frame.series.warnings {
            if warnings.len() < MAX_WARNINGS && !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
    }
    let syntaxes: BTreeSet<&str> = frames.iter().map(|f| f.pixel_file.syntax_uid.as_str()).collect();
    for uid in syntaxes.iter().filter(|uid| !syntax::is_uncompressed(uid)) {
        if let Err(error) = codecs::check_support(uid) {
            warnings.push(SeriesWarning { code: "undecodable", message: error.to_string() });
        }
    }
    let encodings = syntaxes.iter().map(|uid| syntax::name(uid)).collect();
    let info = info_of(&frames, &geometry, encodings, warnings);
    let frames = share_mappings(frames);
    Ok((is_localizer, Series::new(info, geometry, Arc::new(pixels::DicomSource { frames }))))
}

fn info_of(
    frames: &[Frame],
    geometry: &crate::volume::Geometry,
    encodings: Vec<String>,
    warnings: Vec<SeriesWarning>,
) -> SeriesInfo {
    let series = &frames[frames.len() / 2].series;
    SeriesInfo {
        number: 0,
        uid: series.uid.clone(),
        description: series.description.clone(),
        kind: SeriesKind::Dicom,
        slice_count: geometry.slices(),
        rows: geometry.rows(),
        columns: geometry.columns(),
        pixel_spacing_mm: geometry.is_spacing_known().then(|| geometry.pixel_size_mm()),
        slice_spacing_mm: geometry.slice_spacing_mm(),
        encodings,
        windows: series.windows.clone(),
        is_inverted: series.is_inverted,
        has_burned_in_identity: frames.iter().any(|f| f.series.has_burned_in_identity),
        identity: Some(series.identity.clone()),
        warnings,
    }
}

/// Slices with the same rescale share one table.
fn share_mappings(mut frames: Vec<Frame>) -> Vec<Frame> {
    for index in 1..frames.len() {
        if *frames[index].mapping == *frames[index - 1].mapping {
            frames[index].mapping = Arc::clone(&frames[index - 1].mapping);
        }
    }
    frames
}
