//! Many small pictures on one: what a person looks at before believing a set of slices.

use super::caption::Text;
use super::rgb_image::Picture;

/// Between tiles.
const GAP: usize = 4;
/// Height of a label's letters.
const LABEL_HEIGHT: f32 = 15.0;
/// Labels of what was taken.
const TAKEN_RGB8: [u8; 3] = [236, 236, 236];
/// Labels of what was rejected: amber, which also a colour-blind person tells from white by its brightness.
const REJECTED_RGB8: [u8; 3] = [240, 160, 40];

/// One slice on the sheet: pictures of one size, side by side below a label.
pub struct SheetEntry {
    /// What and why.
    pub label: String,
    /// Set apart by its colour.
    pub is_rejected: bool,
    /// Left to right.
    pub tiles: Vec<Picture>,
}

/// All entries in rows of `per_row`, each as wide as the widest; black where there is none.
pub fn contact_sheet(entries: &[SheetEntry], per_row: usize) -> Picture {
    let text = Text::new(LABEL_HEIGHT);
    let width = |entry: &SheetEntry| entry.tiles.iter().map(|tile| tile.columns() + GAP).sum::<usize>();
    let height = |entry: &SheetEntry| entry.tiles.iter().map(Picture::rows).max().unwrap_or(0);
    let cell_columns = entries.iter().map(width).max().unwrap_or(0) + GAP;
    let cell_rows = entries.iter().map(height).max().unwrap_or(0) + text.height() + 2 * GAP;
    let per_row = per_row.clamp(1, entries.len().max(1));
    let mut sheet = Picture::black(cell_columns * per_row, cell_rows * entries.len().div_ceil(per_row));
    for (index, entry) in entries.iter().enumerate() {
        let (left, top) = (index % per_row * cell_columns, index / per_row * cell_rows);
        let color = if entry.is_rejected { REJECTED_RGB8 } else { TAKEN_RGB8 };
        text.draw(
            &mut sheet,
            &fitting(&text, &entry.label, cell_columns - 2 * GAP),
            (left + GAP, top + GAP / 2),
            color,
        );
        let mut column = left;
        for tile in &entry.tiles {
            sheet.paste(tile, column, top + text.height() + GAP);
            column += tile.columns() + GAP;
        }
    }
    sheet
}

/// As many of a line's words as there is room for.
fn fitting(text: &Text, line: &str, most: usize) -> String {
    if text.width(line) <= most {
        return line.to_owned();
    }
    let mut words: Vec<&str> = line.split(' ').collect();
    while words.len() > 1 && text.width(&format!("{} …", words.join(" "))) > most {
        words.pop();
    }
    format!("{} …", words.join(" "))
}
