//! Some pairs of a set at a glance, and what was rejected.

use rayon::prelude::*;

use super::super::registration::Placement;
use super::ct::CtPlane;
use super::photo::PhotoPlane;
use super::place::SetPlace;
use super::render::{Field, render};
use super::report::Rejection;
use super::run::{Loaded, SetRun, kept};
use super::sets::Candidate;
use super::{PrepareError, PrepareJob};
use crate::io::contact_sheet::{SheetEntry, contact_sheet};
use crate::io::photo_png::{PngSize, write_photo};
use crate::io::rgb_image::Picture;
use crate::volume::CtSlice;

/// Pairs on a sheet.
const MOST_PAIRS: usize = 24;
/// Rejected slices on a sheet.
const MOST_REJECTED: usize = 12;
/// Width of a tile in pixels.
const TILE: usize = 220;
/// Entries beside each other.
const PER_ROW: usize = 2;
/// Black and white of the CT, in HU.
const WINDOW_HU: [f64; 2] = [-160.0, 240.0];
/// Bone's outline, from this on.
const BONE_HU: i16 = 250;
/// Outlines of the CT on the photograph: the body, and bone.
const OUTLINES_RGB8: [[u8; 3]; 2] = [[0, 230, 230], [255, 255, 255]];

/// Writes `contact_sheet_SET.png`: CT, photograph, and the CT's outlines of body and bone on the photograph.
pub(super) fn write(
    run: &SetRun<'_>,
    job: &PrepareJob,
    place: &SetPlace,
    rejected: &[Rejection],
) -> Result<(), PrepareError> {
    let reason_of = |candidate: &Candidate<'_>| {
        let slice = candidate.level.to_string();
        rejected.iter().find(|rejection| rejection.slice == slice)
    };
    let (out, taken): (Vec<_>, Vec<_>) =
        run.set.candidates.iter().partition(|candidate| reason_of(candidate).is_some());
    let chosen: Vec<_> = evenly(&taken, MOST_PAIRS).into_iter().chain(evenly(&out, MOST_REJECTED)).collect();
    let entries: Vec<SheetEntry> = chosen
        .into_par_iter()
        .filter_map(|candidate| {
            let loaded = run.load_upright(candidate, &place.photo).ok()?;
            let rejection = reason_of(candidate);
            let why = rejection.map(|rejection| format!(" {}: {}", rejection.reason.code(), rejection.detail));
            Some(SheetEntry {
                label: format!("{}{}", candidate.level, why.unwrap_or_default()),
                is_rejected: rejection.is_some(),
                tiles: tiles(&loaded, place),
            })
        })
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    let sheet = contact_sheet(&entries, PER_ROW);
    let path = job.out.join(format!("contact_sheet_{}.png", run.set.name));
    let size = PngSize { columns: sheet.columns(), rows: sheet.rows(), mm_per_pixel: 1.0 };
    let description = "CT, cryosection, and the CT's outlines on the cryosection, of the Visible Human";
    Ok(write_photo(&path, size, sheet.rgb8(), "", description)?)
}

/// At most so many, spread over all.
fn evenly<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    let count = all.len().min(most);
    (0..count).map(|k| all[(2 * k + 1) * all.len() / (2 * count)]).collect()
}

fn tiles(loaded: &Loaded, place: &SetPlace) -> Vec<Picture> {
    let ct = &loaded.ct;
    let mm_per_pixel = ct.columns() as f64 * place.ct_mm / TILE as f64;
    let rows = (ct.rows() * TILE).div_ceil(ct.columns());
    let field = Field { columns: TILE, rows, mm_per_pixel };
    let photo = PhotoPlane::of(&loaded.picture, place.photo.mm_per_pixel);
    let placement = &place.registration.placement;
    let ct_plane = CtPlane::of(ct, place.ct_mm).ok();
    let kept = match &ct_plane {
        Some(plane) => kept(&photo, plane, placement),
        None => vec![true; photo.plane.values.len()],
    };
    let grey: Vec<u8> = cells(ct, field).flat_map(|value_hu| [grey(value_hu); 3]).collect();
    let rgb8 = colors(loaded, place, placement, field, (&photo, &kept));
    let mut outlined = rgb8.clone();
    if let Some(plane) = ct_plane {
        let body: Vec<bool> = (0..TILE * rows).map(|index| plane.is_body(place_of(field, index))).collect();
        let bone: Vec<bool> = cells(ct, field).map(|value_hu| value_hu >= BONE_HU).collect();
        for (mask, color) in [bone, body].iter().zip([OUTLINES_RGB8[1], OUTLINES_RGB8[0]]) {
            draw_outline(&mut outlined, mask, color);
        }
    }
    [grey, rgb8, outlined].into_iter().map(|rgb8| Picture::new(TILE, rows, rgb8, None)).collect()
}

fn colors(
    loaded: &Loaded,
    place: &SetPlace,
    placement: &Placement,
    field: Field,
    (photo, kept): (&PhotoPlane, &[bool]),
) -> Vec<u8> {
    render(&loaded.picture, place.photo.mm_per_pixel, placement, field, (&photo.plane, kept))
}

/// The CT's value at each pixel of a tile.
fn cells(ct: &CtSlice, field: Field) -> impl Iterator<Item = i16> + '_ {
    let cell = move |index: usize| {
        let (row, column) = (index / field.columns, index % field.columns);
        let (row, column) = (row * ct.rows() / field.rows, column * ct.columns() / field.columns);
        ct.values_hu()[row * ct.columns() + column]
    };
    (0..field.columns * field.rows).map(cell)
}

fn grey(value_hu: i16) -> u8 {
    let [black, white] = WINDOW_HU;
    ((f64::from(value_hu) - black) / (white - black) * 255.0).clamp(0.0, 255.0) as u8
}

fn place_of(field: Field, index: usize) -> [f64; 2] {
    let (row, column) = (index / field.columns, index % field.columns);
    [(column, field.columns), (row, field.rows)]
        .map(|(at, count)| (at as f64 + 0.5 - count as f64 / 2.0) * field.mm_per_pixel)
}

fn draw_outline(rgb8: &mut [u8], mask: &[bool], color: [u8; 3]) {
    let (pixels, _) = rgb8.as_chunks_mut::<3>();
    for index in 0..mask.len().saturating_sub(TILE + 1) {
        if mask[index] != mask[index + 1] || mask[index] != mask[index + TILE] {
            pixels[index] = color;
        }
    }
}
