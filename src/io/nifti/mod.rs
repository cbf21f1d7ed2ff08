//! NIfTI-1 volumes, plain or gzipped: CT-ORG's and `TotalSegmentator`'s format.

mod axes;
mod header;
mod voxels;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use self::axes::Axes;
use self::header::{HEADER_BYTES, Header, Placement, Refusal};
use self::voxels::NiftiSource;
use super::files::FoundFile;
use super::stream::{self, Packing};
use super::{LoadError, Scan, ScanProgress, Series};
use crate::volume::{Geometry, SeriesInfo, SeriesKind, SeriesWarning};

/// Enough of a gzipped file to unpack its header from.
const PACKED_HEAD_BYTES: usize = 4096;

/// Whether a file belongs to this format, by its name and its first bytes.
pub(super) fn recognises(file: &FoundFile, head: &[u8]) -> bool {
    let name = file.name().to_ascii_lowercase();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    stem.strip_suffix(".nii").is_some() || header::looks_like_nifti(&stream::content_head(head, HEADER_BYTES))
}

/// The series in the files that [`recognises`] took, and what a person should know of files that gave none.
pub(super) fn scan_nifti(files: &[FoundFile], progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    let outcomes: Vec<(&FoundFile, Result<Candidate, LoadError>)> = files
        .par_iter()
        .map(|file| {
            let outcome = if progress.cancel.is_cancelled() { Err(LoadError::Cancelled) } else { scan_one(file) };
            (file, outcome)
        })
        .collect();
    let mut candidates = Vec::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut first_error = None;
    for (_, outcome) in outcomes {
        match outcome {
            Ok(candidate) => candidates.push(candidate),
            Err(LoadError::Cancelled) => return Err(LoadError::Cancelled),
            Err(error) => {
                *refused.entry(error.without_path()).or_default() += 1;
                first_error.get_or_insert(error);
            }
        }
    }
    if let (Some(error), true) = (first_error, candidates.is_empty()) {
        return Err(error);
    }
    if candidates.len() > 1 {
        // Label maps often lie beside their CT and have its size: air tells them apart.
        candidates.par_iter_mut().for_each(|candidate| candidate.has_air = candidate.source.starts_with_air());
        candidates.sort_by_key(|candidate| !candidate.has_air);
    }
    let left_out = |(problem, count): (String, usize)| {
        let files = if count == 1 { "1 NIfTI file was".to_owned() } else { format!("{count} NIfTI files were") };
        SeriesWarning { code: "unusable-file", message: format!("{files} left out: {problem}") }
    };
    Ok(Scan {
        series: candidates.into_iter().map(Candidate::into_series).collect(),
        warnings: refused.into_iter().map(left_out).collect(),
    })
}

struct Candidate {
    source: NiftiSource,
    geometry: Geometry,
    has_air: bool,
}

fn scan_one(file: &FoundFile) -> Result<Candidate, LoadError> {
    let path = || file.path().to_owned();
    let malformed = |problem| LoadError::Malformed { format: "NIfTI file", problem, path: path() };
    let head = file.read_head(PACKED_HEAD_BYTES)?;
    let packing = Packing::of(&head);
    let content = stream::content_head(&head, HEADER_BYTES);
    let header = header::parse(&content).map_err(|refusal| match refusal {
        Refusal::NotCt(found) => LoadError::NotCt { found, path: path() },
        Refusal::Unusable(problem) => malformed(problem),
    })?;
    let voxels: u64 = header.dims.iter().map(|n| *n as u64).product();
    let bytes = header.offset + voxels * header.voxel_type.bytes() as u64;
    if !stream::can_hold(file, packing, bytes) {
        let [x, y, z] = header.dims;
        let found = file.len();
        return Err(malformed(format!(
            "{x} × {y} × {z} voxels need {bytes} bytes and cannot come from the file's {found}; copy it again"
        )));
    }
    let (axes, geometry) =
        Axes::new(&header).map_err(|source| LoadError::Geometry { format: "NIfTI file", path: path(), source })?;
    Ok(Candidate { source: NiftiSource { file: file.clone(), packing, header, axes }, geometry, has_air: true })
}

impl Candidate {
    fn into_series(self) -> Series {
        let Self { source, geometry, .. } = self;
        let name = source.file.name();
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let stem = stem.strip_suffix(".nii").unwrap_or(stem);
        let encoding = format!("NIfTI-1, {}{}", source.header.voxel_type.name(), packing_note(source.packing));
        let info = SeriesInfo {
            number: 0,
            uid: name.clone(),
            description: stem.to_owned(),
            kind: SeriesKind::Nifti,
            slice_count: geometry.slices(),
            rows: geometry.rows(),
            columns: geometry.columns(),
            pixel_spacing_mm: Some(geometry.pixel_size_mm()),
            slice_spacing_mm: geometry.slice_spacing_mm(),
            encodings: vec![encoding],
            windows: Vec::new(),
            is_inverted: false,
            has_burned_in_identity: false,
            identity: None,
            warnings: warnings_of(&source.header),
        };
        Series::new(info, geometry, Arc::new(source))
    }
}

fn packing_note(packing: Packing) -> &'static str {
    match packing {
        Packing::Plain => "",
        Packing::Gzip => ", gzip",
        Packing::Compress => ", compress",
    }
}

fn warnings_of(header: &Header) -> Vec<SeriesWarning> {
    let mut warnings = Vec::new();
    if header.has_broken_sform {
        let message = "the file's sform describes no lattice and was passed over".to_owned();
        warnings.push(SeriesWarning { code: "broken-affine", message });
    }
    if matches!(header.placement, Placement::SizesOnly(_)) {
        let message = "the file does not say how it lies in the patient: left and right may be swapped".to_owned();
        warnings.push(SeriesWarning { code: "unknown-orientation", message });
    }
    warnings
}
