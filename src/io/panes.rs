//! Grey, contours and colour side by side: a slice for a lecture.

use super::caption::Text;
use super::rgb_image::Picture;
use crate::volume::{
    BONE_EDGE_RGB8, ColorSlice, CtSlice, FAT_EDGE_RGB8, OUTSIDE_TRAINING_MARK, SYNTHETIC_MARK, WindowLevel,
};

/// Panes narrower than this are enlarged, by a whole factor.
const SMALLEST_PANE: usize = 384;
/// Largest factor.
const MOST_ENLARGED: usize = 16;
/// Between panes, in pixels.
const GAP: usize = 6;
/// Labels.
const LABEL_RGB8: [u8; 3] = [220, 220, 220];
/// What is less important.
const QUIET_RGB8: [u8; 3] = [150, 150, 150];
/// What the viewer must not overlook.
const WARNING_RGB8: [u8; 3] = [255, 176, 32];

/// A part of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelBox {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Number of columns.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
}

/// One slice in three ways. All planes are on the CT's own grid.
#[derive(Clone, Copy, Debug)]
pub struct Panes<'a> {
    /// The CT.
    pub slice: &'a CtSlice,
    /// How grey is made.
    pub window: WindowLevel,
    /// Contours of fat and of bone, 0 … 1, as the edge pane shows them.
    pub edges: (&'a [f32], &'a [f32]),
    /// The colours.
    pub color: &'a ColorSlice,
    /// Width and height of a pixel, when known.
    pub pixel_size_mm: Option<[f64; 2]>,
    /// The part that is shown, the same for all slices of a series; `None` for all of it.
    pub part: Option<PixelBox>,
    /// The slice in words (`Slice 57 of 117, −12 mm`), without identity.
    pub note: &'a str,
}

impl Panes<'_> {
    /// The three panes with their labels, the note, and the mark of synthetic colour.
    pub fn picture(&self) -> Picture {
        let panes = [self.grey(), self.contours(), Picture::of_color(self.color, self.pixel_size_mm)]
            .map(|pane| enlarged(self.part.map_or(pane.clone(), |part| pane.part(part))));
        let (columns, rows) = (panes[0].columns(), panes[0].rows());
        let text = Text::new((columns as f32 * 0.034).clamp(13.0, 48.0).round());
        let band = text.height() * 3 / 2;
        let mut picture = Picture::black(3 * columns + 2 * GAP, rows + 2 * band);
        let row = text.height() / 4;
        let inset = text.height() / 3;
        for (index, pane) in panes.iter().enumerate() {
            picture.paste(pane, index * (columns + GAP), band);
        }
        let place = |pane: usize| pane * (columns + GAP) + inset;
        let window = format!("CT, window {}, level {}", self.window.width_hu(), self.window.center_hu());
        text.draw(&mut picture, &window, (place(0), row), LABEL_RGB8);
        let words =
            [("Contours of ", LABEL_RGB8), ("fat", FAT_EDGE_RGB8), (" and ", LABEL_RGB8), ("bone", BONE_EDGE_RGB8)];
        let mut column = place(1);
        for (word, color) in words {
            text.draw(&mut picture, word, (column, row), color);
            column += text.width(word);
        }
        text.draw(&mut picture, SYNTHETIC_MARK, (place(2), row), LABEL_RGB8);
        let below = (place(0), band + rows + row);
        text.draw(&mut picture, self.note, below, QUIET_RGB8);
        if self.color.is_outside_training {
            text.draw(&mut picture, OUTSIDE_TRAINING_MARK, (place(2), below.1), WARNING_RGB8);
        }
        picture
    }

    fn grey(&self) -> Picture {
        self.pane(grey_rgb8(self.slice.values_hu().iter().map(|&hu| f32::from(hu)), self.window))
    }

    fn contours(&self) -> Picture {
        self.pane(contours_rgb8(self.edges.0, self.edges.1))
    }

    fn pane(&self, rgb8: Vec<u8>) -> Picture {
        Picture::new(self.slice.columns(), self.slice.rows(), rgb8, self.pixel_size_mm)
    }
}

/// HU in the grey of a window, red first.
pub fn grey_rgb8(values_hu: impl Iterator<Item = f32>, window: WindowLevel) -> Vec<u8> {
    values_hu.flat_map(|hu| [(window.apply(hu) * 255.0 + 0.5) as u8; 3]).collect()
}

/// Contours of fat and of bone (0 … 1), each in its own colour, on black; where both are, they add up.
pub fn contours_rgb8(fat: &[f32], bone: &[f32]) -> Vec<u8> {
    let mixed = |(&fat, &bone): (&f32, &f32)| -> [u8; 3] {
        std::array::from_fn(|k| (fat * f32::from(FAT_EDGE_RGB8[k]) + bone * f32::from(BONE_EDGE_RGB8[k]) + 0.5) as u8)
    };
    fat.iter().zip(bone).flat_map(mixed).collect()
}

/// Square pixels, and large enough to be looked at.
fn enlarged(pane: Picture) -> Picture {
    let pane = pane.with_square_pixels();
    let factor = SMALLEST_PANE.div_ceil(pane.columns().max(1)).min(MOST_ENLARGED);
    if factor <= 1 { pane } else { pane.resized(pane.columns() * factor, pane.rows() * factor) }
}
