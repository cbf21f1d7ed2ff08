//! DeepLesion (NIH, Yan et al. 2018): folders of 16-bit PNG, HU = value − 32768; spacing in `DL_info.csv`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::FoundFile;
use super::one_per_slice::{Numbered, OnePerSlice, group};
use super::{LoadError, Scan, ScanProgress, Series, grey_png};
use crate::units::AIR_HU;
use crate::volume::{Geometry, NamedWindow, SeriesInfo, SeriesKind, SeriesWarning, WindowLevel};

/// The data set's table of lesions.
const TABLE_NAME: &str = "DL_info.csv";
/// The real one has 10 MB.
const MAX_TABLE_BYTES: u64 = 64 << 20;
/// Stored value of 0 HU.
const ZERO_HU: i32 = 32768;
/// CT values below this are padding.
const LOWEST_HU: i32 = -1024;
/// `Images_png/000001_01_01/103.png`: the table lies beside `Images_png`.
const FOLDERS_UP: usize = 3;

/// Whether a file belongs to this format, by its name and its first bytes.
pub(super) fn recognises(file: &FoundFile, head: &[u8]) -> bool {
    if file.name() == TABLE_NAME {
        return true;
    }
    grey_png::size(head).is_some_and(|size| has_series_name(file) || grey_png::is_sane(size) && holds_ct(file, size))
}

/// `000001_01_01`: patient, study, series; as a folder's name or as the beginning of the file's.
fn has_series_name(file: &FoundFile) -> bool {
    series_name(file).is_some()
}

fn series_name(file: &FoundFile) -> Option<String> {
    let is_name = |name: &str| {
        let parts: Vec<&str> = name.split('_').collect();
        matches!(parts[..], [patient, study, series, ..] if patient.len() == 6 && study.len() == 2 && series.len() == 2)
            && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let name = file.name();
    let own = name.split('.').next().filter(|stem| is_name(stem));
    let folder = file.path().parent().and_then(|folder| folder.file_name()).map(|f| f.to_string_lossy().into_owned());
    own.and_then(|stem| stem.get(..12)).map(str::to_owned).or(folder.filter(|f| f.len() == 12 && is_name(f)))
}

/// Whether most of a picture lies where DeepLesion puts air and tissue.
fn holds_ct(file: &FoundFile, (columns, rows): (usize, usize)) -> bool {
    let Ok(values) = grey_png::read(file, columns, rows) else { return false };
    let likely = values.iter().filter(|v| (ZERO_HU - 3100..=ZERO_HU + 4096).contains(&i32::from(**v)));
    likely.count() * 2 > values.len()
}

/// The series in the files that [`recognises`] took, and what a person should know of files that gave none.
pub(super) fn scan_deep_lesion(files: &[FoundFile], progress: &ScanProgress<'_>) -> Result<Scan, LoadError> {
    let mut scan = Scan::default();
    let mut pictures = Vec::new();
    for file in files.iter().filter(|file| file.name() != TABLE_NAME) {
        if progress.cancel.is_cancelled() {
            return Err(LoadError::Cancelled);
        }
        match grey_png::size(&file.read_head(64)?).filter(|size| grey_png::is_sane(*size)) {
            Some(size) => pictures.push((file.clone(), size)),
            None => scan.warnings.push(SeriesWarning {
                code: "unusable-file",
                message: "1 PNG was left out: its size is not that of a CT".to_owned(),
            }),
        }
    }
    if pictures.is_empty() {
        return Ok(scan);
    }
    let table = find_table(files, &pictures[0].0).map_or_else(BTreeMap::new, |file| read_table(&file));
    for (numbered, (columns, rows)) in group(pictures) {
        scan.series.push(series(numbered, columns, rows, &table)?);
    }
    Ok(scan)
}

/// Of the files that were opened, or else in the folders above the pictures.
fn find_table(files: &[FoundFile], picture: &FoundFile) -> Option<FoundFile> {
    let own = files.iter().find(|file| file.name() == TABLE_NAME).cloned();
    own.or_else(|| {
        picture.path().ancestors().skip(1).take(FOLDERS_UP).find_map(|folder| {
            let path = folder.join(TABLE_NAME);
            let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            Some(FoundFile::on_disk(path, metadata.len()))
        })
    })
}

/// What the table says of a series.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Width and height of a pixel, distance of slices.
    spacing_mm: [f64; 3],
    window: Option<WindowLevel>,
}

/// By series name; rows that cannot be read are as good as absent.
fn read_table(file: &FoundFile) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    let Ok(bytes) = file.read_all(MAX_TABLE_BYTES) else { return rows };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
    let Ok(titles) = reader.headers().cloned() else { return rows };
    let column = |title: &str| titles.iter().position(|t| t.trim() == title);
    let (Some(name), Some(spacing)) = (column("File_name"), column("Spacing_mm_px_")) else { return rows };
    let windows = column("DICOM_windows");
    for record in reader.records().flatten() {
        let numbers = |at: usize| -> Vec<f64> {
            record.get(at).unwrap_or_default().split(',').filter_map(|n| n.trim().parse().ok()).collect()
        };
        let Some(series) = record.get(name).and_then(|file_name| file_name.get(..12)) else { continue };
        let [x, y, z] = numbers(spacing)[..] else { continue };
        let spacing_mm = [x, y, z].map(f64::abs);
        if !spacing_mm.iter().all(|s| (1e-3..1e2).contains(s)) {
            continue;
        }
        let window = windows.and_then(|at| match numbers(at)[..] {
            [low, high] => WindowLevel::new((low + high) as f32 / 2.0, (high - low) as f32).ok(),
            _ => None,
        });
        rows.entry(series.to_owned()).or_insert(Row { spacing_mm, window });
    }
    rows
}

fn series(numbered: Numbered, columns: usize, rows: usize, table: &BTreeMap<String, Row>) -> Result<Series, LoadError> {
    let Numbered { folder, slices, mut warnings } = numbered;
    let name = series_name(&slices[0].file);
    let row = name.as_ref().and_then(|name| table.get(name)).copied();
    let [x, y, z] = row.map_or([1.0; 3], |row| row.spacing_mm);
    if row.is_none() {
        let message =
            format!("{TABLE_NAME} does not lie near the pictures or does not name them: sizes in mm are unknown");
        warnings.push(SeriesWarning { code: "unknown-spacing", message });
    }
    warnings.push(SeriesWarning {
        code: "unknown-orientation",
        message: "DeepLesion does not say how its pictures lie in the patient: left and right may be swapped"
            .to_owned(),
    });
    let origins = slices.iter().map(|slice| [0.0, 0.0, -z * f64::from(slice.number)]).collect();
    let geometry = Geometry::new(columns, rows, [x, 0.0, 0.0], [0.0, y, 0.0], origins)
        .map_err(|source| LoadError::Geometry { format: "DeepLesion series", path: folder, source })?
        .with_unknown_orientation();
    let geometry = if row.is_some() { geometry } else { geometry.with_unknown_spacing() };
    let name = name.unwrap_or_else(|| "DeepLesion".to_owned());
    let windows = row.and_then(|row| row.window).map(|window| NamedWindow { name: TABLE_NAME.to_owned(), window });
    let info = SeriesInfo {
        number: 0,
        uid: name.clone(),
        description: name,
        kind: SeriesKind::DeepLesion,
        slice_count: slices.len(),
        rows,
        columns,
        pixel_spacing_mm: row.map(|_| [x, y]),
        slice_spacing_mm: row.and_then(|_| geometry.slice_spacing_mm()),
        encodings: vec!["16-bit PNG".to_owned()],
        windows: windows.into_iter().collect(),
        is_inverted: false,
        has_burned_in_identity: false,
        identity: None,
        warnings,
    };
    let files = slices.into_iter().map(|slice| slice.file).collect();
    Ok(Series::new(info, geometry, Arc::new(OnePerSlice { files, columns, rows, read })))
}

fn read(file: &FoundFile, columns: usize, rows: usize) -> Result<Vec<i16>, String> {
    let hu = |value: u16| match i32::from(value) - ZERO_HU {
        below if below < LOWEST_HU => AIR_HU,
        hu => hu as i16,
    };
    Ok(grey_png::read(file, columns, rows)?.into_iter().map(hu).collect())
}
