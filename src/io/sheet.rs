//! Pictures in rows and columns with their names, as one picture to look at: what an evaluation shows.

use super::caption::Text;
use super::rgb_image::Picture;
use crate::volume::SYNTHETIC_MARK;

/// Width of a cell in pixels.
const CELL_COLUMNS: usize = 320;
/// Sheets of many columns get smaller cells.
const MOST_COLUMNS: usize = 3200;
/// Cells are never smaller.
const SMALLEST_CELL: usize = 160;
/// A cell is at most so many times higher than wide.
const MOST_HEIGHT: usize = 2;
/// Between cells and around the sheet.
const GAP: usize = 8;
/// Size of headings.
const HEADING_PIXELS: f32 = 24.0;
/// Size of what stands below a cell.
const NOTE_PIXELS: f32 = 19.0;
/// Height and width of the scale.
const SCALE_SIZE: [usize; 2] = [14, 240];
/// Ground of the sheet: dark, so that the black around a body has an edge.
const GROUND_RGB8: [u8; 3] = [28, 28, 30];
/// Headings.
const HEADING_RGB8: [u8; 3] = [236, 236, 236];
/// Notes.
const NOTE_RGB8: [u8; 3] = [178, 178, 178];

/// A picture with a line below it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Of any size; pixels of known size are made square.
    pub picture: Picture,
    /// May be empty.
    pub note: String,
}

/// What colours mean: their ends in words, and the colours from one to the other.
#[derive(Clone, Debug)]
pub struct ColorScale {
    /// Words before the scale.
    pub low: String,
    /// Words after the scale.
    pub high: String,
    /// From low to high.
    pub colors: Vec<[u8; 3]>,
}

/// Pictures in rows and columns.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// First line.
    pub title: String,
    /// Names of the columns.
    pub headings: Vec<String>,
    /// Rows of cells, as many as headings; `None` where there is nothing to show.
    pub rows: Vec<Vec<Option<Cell>>>,
    /// Below the cells, if colours need explaining.
    pub scale: Option<ColorScale>,
}

impl Sheet {
    /// All of it, with the mark of synthetic colour.
    pub fn picture(&self) -> Picture {
        let count = self.headings.len().max(1);
        let cell_columns = (MOST_COLUMNS / count).clamp(SMALLEST_CELL, CELL_COLUMNS);
        let (heading, note) = (Text::new(HEADING_PIXELS), Text::new(NOTE_PIXELS));
        let headings: Vec<Vec<String>> =
            self.headings.iter().map(|words| lines(&heading, words, cell_columns)).collect();
        let title = heading.wrapped(&self.title, count * (cell_columns + GAP));
        let heading_lines = headings.iter().map(Vec::len).max().unwrap_or(0);
        let top = 3 * GAP + (title.len() + heading_lines) * heading.height() + GAP;
        let rows: Vec<Vec<Option<Cell>>> = self.rows.iter().map(|row| fitted_row(row, cell_columns)).collect();
        let height = |row: &Vec<Option<Cell>>| row.iter().flatten().map(|cell| cell.picture.rows()).max().unwrap_or(0);
        let heights: Vec<usize> = rows.iter().map(height).collect();
        let band = note.height() + GAP;
        let below = top + heights.iter().sum::<usize>() + rows.len() * (band + GAP);
        let columns = GAP + count * (cell_columns + GAP);
        let mut picture = ground(columns, below + heading.height() + 2 * GAP);
        draw_lines(&mut picture, &heading, &title, (GAP, GAP), HEADING_RGB8);
        for (index, words) in headings.iter().enumerate() {
            let missing = heading_lines - words.len();
            let row = 3 * GAP + (title.len() + missing) * heading.height();
            draw_lines(&mut picture, &heading, words, (GAP + index * (cell_columns + GAP), row), HEADING_RGB8);
        }
        let mut row_top = top;
        for (row, height) in rows.iter().zip(&heights) {
            for (index, cell) in row.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let left = GAP + index * (cell_columns + GAP);
                picture.paste(&cell.picture, left, row_top);
                note.draw(&mut picture, &cell.note, (left, row_top + height + GAP / 4), NOTE_RGB8);
            }
            row_top += height + band + GAP;
        }
        self.draw_footer(&mut picture, &heading, below);
        picture
    }

    fn draw_footer(&self, picture: &mut Picture, text: &Text, row: usize) {
        text.draw(picture, SYNTHETIC_MARK, (GAP, row), HEADING_RGB8);
        let Some(scale) = &self.scale else { return };
        let mut column = GAP + text.width(SYNTHETIC_MARK) + 6 * GAP;
        text.draw(picture, &scale.low, (column, row), NOTE_RGB8);
        column += text.width(&scale.low) + GAP;
        let [height, width] = SCALE_SIZE;
        let colors = (0..height).flat_map(|_| (0..width).map(|x| scale.color(x, width)));
        let bar = Picture::new(width, height, colors.flatten().collect(), None);
        picture.paste(&bar, column, row + text.height().saturating_sub(height) / 2);
        text.draw(picture, &scale.high, (column + width + GAP, row), NOTE_RGB8);
    }
}

impl ColorScale {
    fn color(&self, place: usize, width: usize) -> [u8; 3] {
        self.colors.get(place * self.colors.len() / width).copied().unwrap_or_default()
    }
}

/// Words in lines that fit; a line break in them stays, and a name that is too wide loses its end.
fn lines(text: &Text, words: &str, most: usize) -> Vec<String> {
    let shortened = |line: String| {
        if text.width(&line) <= most {
            return line;
        }
        let mut kept = line;
        while text.width(&format!("{kept}…")) > most && kept.pop().is_some() {}
        kept + "…"
    };
    words.lines().flat_map(|line| text.wrapped(line, most)).map(shortened).collect()
}

fn draw_lines(picture: &mut Picture, text: &Text, lines: &[String], (column, row): (usize, usize), color: [u8; 3]) {
    for (index, line) in lines.iter().enumerate() {
        text.draw(picture, line, (column, row + index * text.height()), color);
    }
}

fn ground(columns: usize, rows: usize) -> Picture {
    Picture::new(columns, rows, GROUND_RGB8.repeat(columns * rows), None)
}

fn fitted_row(row: &[Option<Cell>], columns: usize) -> Vec<Option<Cell>> {
    let fit = |cell: &Cell| Cell { picture: fitted(&cell.picture, columns), note: cell.note.clone() };
    row.iter().map(|cell| cell.as_ref().map(fit)).collect()
}

/// The picture at the width of a cell, in its own shape; pixels are averaged where it shrinks.
fn fitted(picture: &Picture, columns: usize) -> Picture {
    let square = picture.clone().with_square_pixels();
    if square.columns() == 0 || square.rows() == 0 {
        return Picture::black(columns, columns);
    }
    let scale = (columns as f64 / square.columns() as f64).min((columns * MOST_HEIGHT) as f64 / square.rows() as f64);
    let side = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    let size = (side(square.columns()), side(square.rows()));
    let factor = (1.0 / scale).floor() as usize;
    let coarse = if factor > 1 { averaged(&square, factor) } else { square };
    coarse.resized(size.0, size.1)
}

/// Means of blocks of `factor` by `factor` pixels; what is left over at the right and below is dropped.
fn averaged(picture: &Picture, factor: usize) -> Picture {
    let (columns, rows) = ((picture.columns() / factor).max(1), (picture.rows() / factor).max(1));
    let mean = |column: usize, row: usize| -> [u8; 3] {
        let mut sum = [0_usize; 3];
        let mut count = 0;
        for y in (row * factor..(row + 1) * factor).take_while(|&y| y < picture.rows()) {
            for x in (column * factor..(column + 1) * factor).take_while(|&x| x < picture.columns()) {
                let pixel = picture.pixels()[y * picture.columns() + x];
                sum = std::array::from_fn(|k| sum[k] + usize::from(pixel[k]));
                count += 1;
            }
        }
        sum.map(|sum| ((sum + count / 2) / count.max(1)) as u8)
    };
    let rgb8 = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))).flat_map(|(c, r)| mean(c, r));
    Picture::new(columns, rows, rgb8.collect(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(columns: usize, rows: usize, color: [u8; 3]) -> Cell {
        let picture = Picture::new(columns, rows, color.repeat(columns * rows), None);
        Cell { picture, note: "RMSE 30.1".to_owned() }
    }

    #[test]
    fn cells_of_any_size_stand_side_by_side_below_their_names() {
        let sheet = Sheet {
            title: "val".to_owned(),
            headings: vec!["CT".to_owned(), "truth".to_owned()],
            rows: vec![
                vec![Some(cell(640, 320, [200, 0, 0])), Some(cell(16, 16, [0, 200, 0]))],
                vec![Some(cell(3, 9, [0, 0, 200])), None],
            ],
            scale: None,
        };
        let picture = sheet.picture();
        assert_eq!(picture.columns(), 2 * (CELL_COLUMNS + GAP) + GAP, "two cells");
        let count = |color: [u8; 3]| picture.pixels().iter().filter(|pixel| **pixel == color).count();
        assert_eq!(count([200, 0, 0]), CELL_COLUMNS * CELL_COLUMNS / 2, "shrunk in its shape");
        assert_eq!(count([0, 200, 0]), CELL_COLUMNS * CELL_COLUMNS, "enlarged");
        assert_eq!(count([0, 0, 200]), 213 * 640, "no higher than twice the width");
    }

    #[test]
    fn the_mark_stands_on_every_sheet() {
        let empty = Sheet::default().picture();
        let with_words = empty.pixels().iter().filter(|pixel| pixel.iter().all(|&v| v > 200)).count();
        assert!(with_words > 100, "words in {} × {}", empty.columns(), empty.rows());
    }

    #[test]
    fn names_that_are_too_wide_lose_their_end() {
        let text = Text::new(HEADING_PIXELS);
        let name = "generator_of_a_very_long_experiment_with_many_words_in_its_name";
        let kept = lines(&text, name, 160);
        assert!(kept.len() == 1 && kept[0].ends_with('…') && text.width(&kept[0]) <= 160, "{kept:?}");
        assert_eq!(lines(&text, "both\nsettings", 160), ["both", "settings"], "line breaks stay");
    }
}
