//! A few slices of a series, side by side: CT, contours, and the colours with each preprocessing setting.

use crate::io::panes::{PixelBox, contours_rgb8, grey_rgb8};
use crate::io::rgb_image::Picture;
use crate::io::sheet::{Cell, Sheet};
use crate::preprocess::edges_on_ct;
use crate::training::evaluation::ColoredSlice;
use crate::units::SliceIndex;
use crate::volume::{CtVolume, OUTSIDE_TRAINING_MARK, WindowLevel};

/// Room around the body, as a share of its longer side.
const ROOM: f64 = 0.03;
/// What stands below a cell without colours.
const NO_BODY: &str = "no body found";

/// A slice of the sheet.
struct Row {
    slice: SliceIndex,
    ct: Cell,
    contours: Option<Cell>,
    colors: Vec<Option<Cell>>,
}

/// Gathers pictures while a series is painted.
pub(super) struct SeriesSheet {
    title: String,
    pixel_size_mm: Option<[f64; 2]>,
    headings: Vec<String>,
    rows: Vec<Row>,
    /// Around the bodies, as the first column saw them: top, bottom, left, right.
    body: Option<[usize; 4]>,
}

impl SeriesSheet {
    pub(super) fn new(name: &str, volume: &CtVolume, chosen: Vec<usize>) -> Self {
        let geometry = volume.geometry();
        let pixel_size_mm = geometry.is_spacing_known().then(|| geometry.pixel_size_mm());
        let row = |slice: usize| {
            let slice = SliceIndex(slice);
            let picture = match volume.ready_slice(slice) {
                Some(ct) => {
                    let values = ct.values_hu().iter().map(|&hu| f32::from(hu));
                    let grey = grey_rgb8(values, WindowLevel::SOFT_TISSUE);
                    Picture::new(ct.columns(), ct.rows(), grey, pixel_size_mm)
                }
                None => Picture::black(geometry.columns(), geometry.rows()),
            };
            let note = format!("Slice {slice} of {}", volume.slice_count());
            Row { slice, ct: Cell { picture, note }, contours: None, colors: Vec::new() }
        };
        Self {
            title: format!("{name}: {} of {} slices", chosen.len(), volume.slice_count()),
            pixel_size_mm,
            headings: Vec::new(),
            rows: chosen.into_iter().map(row).collect(),
            body: None,
        }
    }

    /// A column more; its number.
    pub(super) fn add_column(&mut self, heading: String) -> usize {
        self.headings.push(heading);
        for row in &mut self.rows {
            row.colors.push(None);
        }
        self.headings.len() - 1
    }

    pub(super) fn add(&mut self, column: usize, slice: SliceIndex, colored: Option<&ColoredSlice<'_>>) {
        let pixel_size_mm = self.pixel_size_mm;
        let Some(row) = self.rows.iter_mut().find(|row| row.slice == slice) else { return };
        let Some(colored) = colored else {
            let picture = Picture::black(row.ct.picture.columns(), row.ct.picture.rows());
            row.colors[column] = Some(Cell { picture, note: NO_BODY.to_owned() });
            return;
        };
        let (columns, rows) = (colored.ct.columns(), colored.ct.rows());
        let on_ct = |rgb8| Cell { picture: Picture::new(columns, rows, rgb8, pixel_size_mm), note: String::new() };
        let mut cell = on_ct(colored.rgb8.to_vec());
        if colored.is_outside_training {
            OUTSIDE_TRAINING_MARK.clone_into(&mut cell.note);
        }
        row.colors[column] = Some(cell);
        if row.contours.is_none() {
            let (fat, bone) = edges_on_ct(colored.ct, colored.edges);
            row.contours = Some(on_ct(contours_rgb8(&fat, &bone)));
        }
        if column == 0 {
            self.body = joined(self.body, colored.prepared.body_bounds());
        }
    }

    pub(super) fn sheet(&self) -> Sheet {
        let mut headings = vec!["CT, window 400, level 40".to_owned(), "Contours of fat and bone".to_owned()];
        headings.extend(self.headings.iter().cloned());
        let cells = |row: &Row| {
            let cells = [Some(&row.ct), row.contours.as_ref()].into_iter().chain(row.colors.iter().map(Option::as_ref));
            cells.map(|cell| cell.map(|cell| self.part_of(cell))).collect()
        };
        Sheet { title: self.title.clone(), headings, rows: self.rows.iter().map(cells).collect(), scale: None }
    }

    /// The part that shows the bodies of all rows.
    fn part_of(&self, cell: &Cell) -> Cell {
        let Some([top, bottom, left, right]) = self.body else { return cell.clone() };
        let room = ((bottom - top).max(right - left) as f64 * ROOM).ceil() as usize;
        let (first_row, first_column) = (top.saturating_sub(room), left.saturating_sub(room));
        let part = PixelBox {
            left: first_column,
            top: first_row,
            columns: right + room + 1 - first_column,
            rows: bottom + room + 1 - first_row,
        };
        Cell { picture: cell.picture.part(part), note: cell.note.clone() }
    }
}

fn joined(a: Option<[usize; 4]>, b: Option<[usize; 4]>) -> Option<[usize; 4]> {
    match (a, b) {
        (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])]),
        (one, other) => one.or(other),
    }
}
