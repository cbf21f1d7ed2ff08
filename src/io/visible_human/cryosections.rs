//! NLM's photographs of the cryosections: planar `.raw` (also packed), PNG or JPEG, and the DICOM of the Imaging Data Commons.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use rayon::prelude::*;

use super::level::Level;
use crate::io::dicom::{self, Color, ColorHeader};
use crate::io::files::FoundFile;
use crate::io::one_per_slice::{MAX_PIXELS, without_packing};
use crate::io::stream::{self, Packing};
use crate::io::{LoadError, ScanProgress, recognise};
use crate::units::CancelFlag;

/// Size of NLM's raw photographs, which have no header.
const RAW_SIZE: [usize; 2] = [2048, 1216];
/// Pixel size of the originals.
const ORIGINAL_MM: f64 = 0.33;
/// Bytes that a kind is recognised by.
const HEAD_BYTES: usize = 1024;
/// Largest packed picture.
const MAX_PICTURE_BYTES: u64 = 256 << 20;

/// Where the front of the body lies in a picture as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnteriorSide {
    /// At the top, as in a CT.
    Top,
    /// At the bottom: NLM's raw photographs, and their DICOM.
    Bottom,
    /// The format does not say.
    Unknown,
}

/// A photograph that has been found; its pixels are still on the disk.
#[derive(Clone, Debug)]
pub struct Cryosection {
    file: FoundFile,
    kind: Kind,
    level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Raw,
    Dicom,
    Picture,
}

/// A photograph as stored: the patient's right on the left.
pub struct CryosectionPicture {
    /// Pixels in a row.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// `rows · columns` colours.
    pub pixels: Vec<[u8; 3]>,
    /// Size of a pixel; `None` when neither the file nor its layout says.
    pub mm_per_pixel: Option<f64>,
    /// Where the front of the body is.
    pub anterior: AnteriorSide,
}

/// The photographs below a folder.
#[derive(Debug, Default)]
pub struct Cryosections {
    /// By level, each level once.
    pub found: Vec<Cryosection>,
    /// Photographs of a level that another file shows too.
    pub duplicates: Vec<Cryosection>,
    /// Files that are no photograph that can be used: why, and how many.
    pub left_out: BTreeMap<String, usize>,
}

impl Cryosection {
    /// NLM's number.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What tells this file from another, or from itself before it was changed: name, size, and time of change.
    pub fn identity(&self) -> String {
        let changed = std::fs::metadata(self.file.path()).and_then(|metadata| metadata.modified()).ok();
        let since =
            changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).map(|time| time.as_nanos());
        format!("{} {} {since:?}", self.file.name(), self.file.len())
    }

    /// Reads the pixels; the text says in plain words why not.
    pub fn read(&self) -> Result<CryosectionPicture, String> {
        match self.kind {
            Kind::Raw => read_raw(&self.file),
            Kind::Picture => read_picture(&self.file),
            Kind::Dicom => read_dicom(&self.file),
        }
    }
}

/// Finds the photographs below a folder. `on_files` hears how many files have been looked at.
pub fn find_cryosections(
    folder: &Path,
    cancel: &CancelFlag,
    on_files: &(dyn Fn(usize) + Sync),
) -> Result<Cryosections, LoadError> {
    let files = recognise::files_below(folder, &ScanProgress { cancel, on_files })?;
    if files.is_empty() {
        return Err(LoadError::Empty(folder.to_owned()));
    }
    let outcomes: Vec<Result<Cryosection, String>> = files
        .par_iter()
        .map(|file| if cancel.is_cancelled() { Err(LoadError::Cancelled) } else { Ok(recognise(file)) })
        .collect::<Result<_, _>>()?;
    on_files(files.len());
    let mut sections = Cryosections::default();
    let mut candidates = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(section) => candidates.push(section),
            Err(reason) => *sections.left_out.entry(reason).or_default() += 1,
        }
    }
    candidates.sort_by(|a, b| (a.level, a.kind, a.file.path()).cmp(&(b.level, b.kind, b.file.path())));
    for section in candidates {
        let is_new = sections.found.last().is_none_or(|last| last.level != section.level);
        if is_new { &mut sections.found } else { &mut sections.duplicates }.push(section);
    }
    if sections.found.is_empty() {
        let reasons: Vec<_> = sections.left_out.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        let (looked_at, because) = (files.len(), reasons.join("; "));
        return Err(LoadError::NoCryosection { looked_at, because, path: folder.to_owned() });
    }
    Ok(sections)
}

fn recognise(file: &FoundFile) -> Result<Cryosection, String> {
    let head = file.read_head(HEAD_BYTES).map_err(|_source| "unreadable".to_owned())?;
    let section = |kind, level| Cryosection { file: file.clone(), kind, level };
    let name = file.name();
    if dicom::recognises(&head) {
        let header = dicom::read_color_header(file)?;
        return level_of_dicom(&header).map(|level| section(Kind::Dicom, level));
    }
    let is_picture = head.starts_with(b"\x89PNG\r\n\x1a\n") || head.starts_with(&[0xFF, 0xD8, 0xFF]);
    let is_raw = without_packing(&name).to_ascii_lowercase().ends_with(".raw");
    if !is_picture && !is_raw {
        return Err("of another kind".to_owned());
    }
    if is_picture && crate::io::grey_png::size(&head).is_some() {
        return Err("16-bit grey".to_owned());
    }
    let level = Level::of_name(without_packing(&name)).ok_or("no number in the name")?;
    Ok(section(if is_picture { Kind::Picture } else { Kind::Raw }, level))
}

fn level_of_dicom(header: &ColorHeader) -> Result<Level, String> {
    let from_position = header.position_mm.and_then(|position| Level::of_millimeters(-position[2]));
    let level = from_position.filter(|level| level.millimeters() > 0.0);
    let level = level.or_else(|| header.slice_location_mm.and_then(|mm| Level::of_millimeters(mm.abs())));
    level.ok_or_else(|| "DICOM at no position that is one of NLM's numbers".to_owned())
}

/// 2048 × 1216 pixels, all red, then green, then blue.
fn read_raw(file: &FoundFile) -> Result<CryosectionPicture, String> {
    let [columns, rows] = RAW_SIZE;
    let plane = columns * rows;
    let head = file.read_head(4).map_err(|error| error.without_path())?;
    let content = stream::open(file, Packing::of(&head)).map_err(|error| error.without_path())?;
    let mut bytes = Vec::new();
    // One byte more shows that there are too many.
    let read = content.take(plane as u64 * 3 + 1).read_to_end(&mut bytes);
    let wrong_size = |found: &str| {
        format!("expected {} bytes, 2048 × 1216 pixels of red, green and blue, found {found}; copy it again", plane * 3)
    };
    match read {
        Err(error) => return Err(format!("the file is damaged ({error}); copy it again")),
        Ok(count) if count > plane * 3 => return Err(wrong_size("more")),
        Ok(count) if count < plane * 3 => return Err(wrong_size(&count.to_string())),
        Ok(_) => {}
    }
    let pixels = (0..plane).map(|i| [bytes[i], bytes[plane + i], bytes[2 * plane + i]]).collect();
    Ok(CryosectionPicture { columns, rows, pixels, mm_per_pixel: Some(ORIGINAL_MM), anterior: AnteriorSide::Bottom })
}

fn read_picture(file: &FoundFile) -> Result<CryosectionPicture, String> {
    let bytes = file.read_all(MAX_PICTURE_BYTES).map_err(|error| error.without_path())?;
    let mut reader = image::ImageReader::new(Cursor::new(&bytes));
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_PIXELS as u64 * 8);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(|error| format!("the picture cannot be read ({error})"))?;
    let picture = reader.decode().map_err(|error| format!("the picture is damaged ({error}); copy it again"))?;
    if !picture.color().has_color() {
        return Err("the picture is grey; photographs in colour are needed".to_owned());
    }
    let picture = picture.into_rgb8();
    let [columns, rows] = [picture.width() as usize, picture.height() as usize];
    let pixels = picture.into_raw().as_chunks::<3>().0.to_vec();
    let mm_per_pixel = ([columns, rows] == RAW_SIZE).then_some(ORIGINAL_MM);
    Ok(CryosectionPicture { columns, rows, pixels, mm_per_pixel, anterior: AnteriorSide::Unknown })
}

fn read_dicom(file: &FoundFile) -> Result<CryosectionPicture, String> {
    let Color { header, mut pixels } = dicom::read_color(file)?;
    let ColorHeader { columns, rows, pixel_spacing_mm, orientation, .. } = header;
    let mm_per_pixel = match pixel_spacing_mm {
        Some([height, width]) if (height - width).abs() > 1e-3 * height => {
            return Err(format!("pixels are {width} × {height} mm; square ones are needed"));
        }
        other => other.map(|[height, _]| height),
    };
    if orientation.is_some_and(|direction| direction[0] < 0.0) {
        pixels.chunks_exact_mut(columns).for_each(<[_]>::reverse);
    }
    let anterior = match orientation.map(|direction| direction[4]) {
        Some(down) if down > 0.5 => AnteriorSide::Top,
        Some(down) if down < -0.5 => AnteriorSide::Bottom,
        Some(_) => return Err("the picture is not a slice across the body".to_owned()),
        None => AnteriorSide::Unknown,
    };
    Ok(CryosectionPicture { columns, rows, pixels, mm_per_pixel, anterior })
}
