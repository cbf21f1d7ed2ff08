//! Visible Human originals of the U.S. National Library of Medicine: CT as GE Genesis or 16-bit PNG, and the cryosections.
//!
//! Files are numbered in millimetres from the vertex downwards; anterior is up, the patient's right on the left.

mod cryosections;
mod genesis;
mod level;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

pub use cryosections::{AnteriorSide, Cryosection, CryosectionPicture, Cryosections, find_cryosections};
pub use level::Level;

use super::files::FoundFile;
use super::one_per_slice::{Numbered, OnePerSlice, ReadPicture, group};
use super::{LoadError, Scan, ScanProgress, Series, grey_png, stream};
use crate::units::AIR_HU;
use crate::volume::{Geometry, SeriesInfo, SeriesKind, SeriesWarning};

/// Stored value of 0 HU.
const ZERO_HU: i32 = 1024;

/// HU = value − 1024; 0 is outside the field of view.
fn hu_of_stored(value: u16) -> i16 {
    match i32::from(value) {
        0 => AIR_HU,
        value => (value - ZERO_HU).min(i32::from(i16::MAX)) as i16,
    }
}

/// Whether a file belongs to this format, by its name and its first bytes.
pub(super) fn recognises(file: &FoundFile, head: &[u8]) -> bool {
    if stream::content_head(head, 4) == genesis::MAGIC {
        return true;
    }
    grey_png::size(head).is_some_and(|size| grey_png::is_sane(size) && (has_nlm_name(file) || holds_ct(file, size)))
}

/// `c_vm1500…`, `cvm1500f…`: CT of the male or the female.
fn has_nlm_name(file: &FoundFile) -> bool {
    let name = file.name().to_ascii_lowercase();
    let number = ["c_vm", "c_vf", "cvm", "cvf"].iter().find_map(|start| name.strip_prefix(start));
    number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a picture is one of 12 bits with tissue in it.
fn holds_ct(file: &FoundFile, (columns, rows): (usize, usize)) -> bool {
    let Ok(values) = grey_png::read(file, columns, rows) else { return false };
    let tissue = values.iter().filter(|v| (ZERO_HU - 150..ZERO_HU + 300).contains(&i32::from(**v))).count();
    values.iter().all(|v| i32::from(*v) < 5120) && tissue * 100 > values.len()
}

/// What the files of one series share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shared {
    is_genesis: bool,
    columns: usize,
    rows: usize,
    /// In steps of 0.0001 mm.
    pixel_size: Option<[u32; 2]>,
}

/// The series in the files that [`recognises`] took, and what a person should know of files that gave none.
pub(super) fn scan_visible_human(files: &[FoundFile], progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    let outcomes: Vec<Result<Result<Shared, String>, LoadError>> = files
        .par_iter()
        .map(|file| if progress.cancel.is_cancelled() { Err(LoadError::Cancelled) } else { Ok(read_header(file)) })
        .collect();
    let mut pictures = Vec::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome? {
            Ok(shared) => pictures.push((file.clone(), shared)),
            Err(problem) => *refused.entry(problem).or_default() += 1,
        }
    }
    if let (true, Some(problem)) = (pictures.is_empty(), refused.keys().next()) {
        let path = files[0].path().to_owned();
        return Err(LoadError::Malformed { format: "Visible Human file", problem: problem.clone(), path });
    }
    let left_out = |(problem, count): (String, usize)| {
        let files = if count == 1 { "1 file was".to_owned() } else { format!("{count} files were") };
        SeriesWarning { code: "unusable-file", message: format!("{files} left out: {problem}") }
    };
    let series = group(pictures).into_iter().map(|(numbered, shared)| series(numbered, shared));
    Ok(Scan { series: series.collect::<Result<_, _>>()?, warnings: refused.into_iter().map(left_out).collect() })
}

fn read_header(file: &FoundFile) -> Result<Shared, String> {
    let head = file.read_head(64).map_err(|error| error.without_path())?;
    if let Some((columns, rows)) = grey_png::size(&head) {
        return Ok(Shared { is_genesis: false, columns, rows, pixel_size: None });
    }
    let header = genesis::read_header(file)?;
    let pixel_size = header.pixel_size_mm.map(|size| size.map(|s| (s * 1e4).round() as u32));
    Ok(Shared { is_genesis: true, columns: header.columns, rows: header.rows, pixel_size })
}

fn series(numbered: Numbered, shared: Shared) -> Result<Series, LoadError> {
    let Numbered { folder, slices, mut warnings } = numbered;
    let Shared { is_genesis, columns, rows, pixel_size } = shared;
    let pixel_size_mm = pixel_size.map(|size| size.map(|s| f64::from(s) * 1e-4));
    if pixel_size_mm.is_none() {
        let message = "the files do not say how large a pixel is: sizes in mm are unknown".to_owned();
        warnings.push(SeriesWarning { code: "unknown-spacing", message });
    }
    let [x, y] = pixel_size_mm.unwrap_or([1.0; 2]);
    let origins = slices.iter().map(|slice| [0.0, 0.0, -f64::from(slice.number)]).collect();
    let geometry = Geometry::new(columns, rows, [x, 0.0, 0.0], [0.0, y, 0.0], origins)
        .map_err(|source| LoadError::Geometry { format: "Visible Human series", path: folder, source })?;
    let geometry = if pixel_size_mm.is_some() { geometry } else { geometry.with_unknown_spacing() };
    let name = slices[0].file.name();
    let info = SeriesInfo {
        number: 0,
        uid: name.clone(),
        description: describe(&name),
        kind: SeriesKind::VisibleHuman,
        slice_count: slices.len(),
        rows,
        columns,
        pixel_spacing_mm: pixel_size_mm,
        slice_spacing_mm: geometry.slice_spacing_mm(),
        encodings: vec![if is_genesis { "GE Genesis" } else { "16-bit PNG" }.to_owned()],
        windows: Vec::new(),
        is_inverted: false,
        has_burned_in_identity: false,
        identity: None,
        warnings,
    };
    let read: ReadPicture = if is_genesis { genesis::read } else { read_png };
    let files = slices.into_iter().map(|slice| slice.file).collect();
    Ok(Series::new(info, geometry, Arc::new(OnePerSlice { files, columns, rows, read })))
}

fn describe(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let person = if name.contains("vf") {
        " Female"
    } else if name.contains("vm") {
        " Male"
    } else {
        ""
    };
    let state = if name.contains(".fre") {
        ", fresh"
    } else if name.contains(".fro") {
        ", frozen"
    } else {
        ""
    };
    format!("Visible Human{person}{state}")
}

fn read_png(file: &FoundFile, columns: usize, rows: usize) -> Result<Vec<i16>, String> {
    Ok(grey_png::read(file, columns, rows)?.into_iter().map(hu_of_stored).collect())
}
