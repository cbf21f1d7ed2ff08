//! A few slices of a split, side by side: CT, contours, every method, the photograph, and where each method errs.

use std::collections::BTreeMap;

use crate::io::panes::{contours_rgb8, grey_rgb8};
use crate::io::rgb_image::Picture;
use crate::io::sheet::{Cell, ColorScale, Sheet};
use crate::preprocess::sobel_in_range;
use crate::training::evaluation::{ERROR_SCALE, Method, Painted, Scores, error_color, error_map};
use crate::training::{GridBox, RgbPicture};
use crate::volume::WindowLevel;

/// Room above and below the body, in pixels of the network's grid.
const ROOM: usize = 4;
/// Steps of the scale of errors.
const SCALE_STEPS: usize = 240;

/// What a method made of a slice.
struct Shown {
    picture: Cell,
    error: Cell,
}

/// A slice of the sheet.
struct Row {
    ct: Cell,
    contours: Cell,
    truth: Cell,
    by_method: BTreeMap<usize, Shown>,
}

/// Gathers pictures while slices are measured.
pub(super) struct PairsSheet {
    title: String,
    /// Methods by their place, with their names. Grey is left out: it is the first column.
    names: Vec<(usize, String)>,
    chosen: Vec<usize>,
    rows: BTreeMap<usize, Row>,
}

impl PairsSheet {
    pub(super) fn new(split: &str, methods: &[Method], chosen: Vec<usize>, total: usize) -> Self {
        let named = methods.iter().map(|method| method.name().to_owned()).enumerate();
        Self {
            title: format!("Split {split}: {} of {total} slices", chosen.len()),
            names: named.filter(|(place, _)| !methods[*place].is_grey()).collect(),
            chosen,
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, painted: &Painted<'_>) {
        if !self.chosen.contains(&painted.row) {
            return;
        }
        let row = self.rows.entry(painted.row).or_insert_with(|| Row::new(painted));
        let error = error_map(painted.picture, &painted.slice.truth);
        let shown = Shown {
            picture: cell(painted, painted.picture, scores_in_words(&painted.scores)),
            error: cell(painted, &error, String::new()),
        };
        row.by_method.insert(painted.method, shown);
    }

    pub(super) fn sheet(&self) -> Sheet {
        let mut headings = vec!["CT, window 400, level 40".to_owned(), "Contours of fat and bone".to_owned()];
        headings.extend(self.names.iter().map(|(_, name)| name.clone()));
        headings.push("Photograph".to_owned());
        headings.extend(self.names.iter().map(|(_, name)| format!("Error of {name}")));
        let cells = |row: &Row| {
            let of_methods = |part: fn(&Shown) -> &Cell| -> Vec<Option<Cell>> {
                self.names.iter().map(|(place, _)| row.by_method.get(place).map(part).cloned()).collect()
            };
            let mut cells = vec![Some(row.ct.clone()), Some(row.contours.clone())];
            cells.extend(of_methods(|shown| &shown.picture));
            cells.push(Some(row.truth.clone()));
            cells.extend(of_methods(|shown| &shown.error));
            cells
        };
        let colors = (0..SCALE_STEPS).map(|step| error_color(step as f32 / (SCALE_STEPS - 1) as f32)).collect();
        let scale =
            ColorScale { low: "Error 0".to_owned(), high: format!("{ERROR_SCALE} of 255 levels and more"), colors };
        Sheet { title: self.title.clone(), headings, rows: self.rows.values().map(cells).collect(), scale: Some(scale) }
    }
}

impl Row {
    fn new(painted: &Painted<'_>) -> Self {
        let prepared = &painted.slice.prepared;
        let size = prepared.size;
        let grey = grey_rgb8(prepared.grid_hu.iter().copied(), WindowLevel::SOFT_TISSUE);
        let edges = painted.edges;
        let [fat, bone] = [edges.fat, edges.bone].map(|range| sobel_in_range(&prepared.grid_hu, size, range));
        let row = &painted.slice.row;
        let on_grid = |rgb8| RgbPicture::new(size, size, rgb8);
        Self {
            ct: cell(painted, &on_grid(grey), format!("{} {}", row.set, row.slice)),
            contours: cell(painted, &on_grid(contours_rgb8(&fat, &bone)), String::new()),
            truth: cell(painted, &painted.slice.truth, String::new()),
            by_method: BTreeMap::new(),
        }
    }
}

fn scores_in_words(scores: &Scores) -> String {
    format!("RMSE {:.1}, SSIM {:.2}, LPIPS {:.3}", scores.rmse, scores.ssim, scores.lpips)
}

/// The part around the body: the whole width, so that all rows of a sheet are in one scale.
fn cell(painted: &Painted<'_>, picture: &RgbPicture, note: String) -> Cell {
    let size = painted.slice.prepared.size;
    let body = painted.slice.body;
    let part =
        GridBox { top: body.top.saturating_sub(ROOM), bottom: (body.bottom + ROOM).min(size), left: 0, right: size };
    let picture = picture.crop(part);
    Cell { picture: Picture::new(picture.columns(), picture.rows(), picture.rgb8().to_vec(), None), note }
}
