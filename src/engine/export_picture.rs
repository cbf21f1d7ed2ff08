//! What a picture of an export shows, and the stamp that tells when it need not be made again.

use std::sync::Arc;

use rayon::prelude::*;

use super::coloring::ColorTask;
use super::messages::{ExportFormat, ExportRequest};
use crate::io::caption::with_caption;
use crate::io::panes::{Panes, PixelBox};
use crate::io::rgb_image::{Picture, Stamp, content_hash};
use crate::model::weights::sha256_hex;
use crate::preprocess::{EdgeRanges, Recipe, edges_on_ct};
use crate::units::SliceIndex;
use crate::volume::{ColorSlice, CtSlice, CtVolume, OUTSIDE_TRAINING_MARK, SYNTHETIC_MARK, WindowLevel};

/// Space around the body in panes, as a share of the picture.
const MARGIN: f64 = 0.02;

/// Makes the pictures of one export.
pub(super) struct PictureMaker {
    format: ExportFormat,
    window: WindowLevel,
    edges: EdgeRanges,
    volume: Arc<CtVolume>,
    /// The part that panes show.
    part: Option<PixelBox>,
}

impl PictureMaker {
    /// For panes, looks at all `slices` that are read.
    pub(super) fn new(request: &ExportRequest, volume: Arc<CtVolume>, slices: &[SliceIndex], recipe: &Recipe) -> Self {
        let part = if request.format == ExportFormat::PngPanes { part_of(&volume, slices, recipe) } else { None };
        Self { format: request.format, window: request.window, edges: request.edges, volume, part }
    }

    /// Tells pictures apart: CT values, size of a pixel, and everything that is shown.
    pub(super) fn content(&self, ct: &CtSlice) -> String {
        let settings = match self.format {
            ExportFormat::PngPanes => {
                format!("panes, {:?}, {:?}, {:?}", self.window, self.edges, self.part)
            }
            ExportFormat::Png | ExportFormat::Nifti => "color".to_owned(),
        };
        content_hash(ct, self.volume.geometry().pixel_size_mm(), &settings)
    }

    pub(super) fn picture(&self, slice: SliceIndex, ct: &CtSlice, color: &ColorSlice) -> Picture {
        let geometry = self.volume.geometry();
        let pixel_size_mm = geometry.is_spacing_known().then(|| geometry.pixel_size_mm());
        if self.format == ExportFormat::PngPanes {
            let (fat, bone) = edges_on_ct(ct, self.edges);
            let edges = (&fat[..], &bone[..]);
            let note = self.note(slice);
            let (window, part) = (self.window, self.part);
            return Panes { slice: ct, window, edges, color, pixel_size_mm, part, note: &note }.picture();
        }
        let marks = [SYNTHETIC_MARK, OUTSIDE_TRAINING_MARK];
        let marks = if color.is_outside_training { &marks[..] } else { &marks[..1] };
        with_caption(Picture::of_color(color, pixel_size_mm).with_square_pixels(), marks)
    }

    fn note(&self, slice: SliceIndex) -> String {
        let geometry = self.volume.geometry();
        let note = format!("Slice {slice} of {}", self.volume.slice_count());
        if geometry.is_spacing_known() {
            let position_mm = geometry.slice_position_mm(slice);
            let sign = if position_mm < -0.05 { "−" } else { "" };
            return format!("{note}, {sign}{:.1} mm", position_mm.abs());
        }
        note
    }
}

/// The smallest box around the bodies of all slices, with a margin.
fn part_of(volume: &CtVolume, slices: &[SliceIndex], recipe: &Recipe) -> Option<PixelBox> {
    let geometry = volume.geometry();
    let bounds = |slice: &SliceIndex| {
        let prepared = recipe.prepare(volume.ready_slice(*slice)?, geometry.pixel_size_mm()).ok()?;
        prepared.body_bounds()
    };
    let union = |a: [usize; 4], b: [usize; 4]| [a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])];
    let [top, bottom, left, right] = slices.par_iter().filter_map(bounds).reduce_with(union)?;
    let margin = (MARGIN * geometry.columns().max(geometry.rows()) as f64).ceil() as usize;
    let (top, left) = (top.saturating_sub(margin), left.saturating_sub(margin));
    let bottom = (bottom + margin).min(geometry.rows() - 1);
    let right = (right + margin).min(geometry.columns() - 1);
    Some(PixelBox { left, top, columns: right - left + 1, rows: bottom - top + 1 })
}

/// How a picture is made, for its stamp.
pub(super) fn stamp_of(task: &ColorTask, content: String) -> Stamp {
    let recipe = task.colorizer.recipe();
    let recipe = Recipe { edges: task.edges.unwrap_or(recipe.edges), ..recipe.clone() };
    Stamp {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        weights_sha256: task.colorizer.card().sha256.clone(),
        recipe: serde_json::to_string(&recipe).unwrap_or_default(),
        content,
    }
}

/// One hash for all slices of a volume.
pub(super) fn content_of_all(volume: &CtVolume, slices: &[SliceIndex]) -> String {
    let pixel_size_mm = volume.geometry().pixel_size_mm();
    let hash = |slice: &SliceIndex| {
        let origin = volume.geometry().slice_origin_mm(*slice);
        volume
            .ready_slice(*slice)
            .map_or_else(String::new, |ct| content_hash(ct, pixel_size_mm, &format!("{origin:?}")))
    };
    let all: Vec<String> = slices.par_iter().map(hash).collect();
    sha256_hex(all.join(" ").as_bytes())
}
