//! Words on pictures, without a window.

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};

use super::rgb_image::Picture;

/// Text height as a share of the picture's shorter side: legible from the last row, and out of the way.
const TEXT_SHARE: f32 = 0.028;
/// Smallest text that can be read.
const SMALLEST_TEXT: f32 = 11.0;
/// Largest text that is still discreet.
const LARGEST_TEXT: f32 = 48.0;
/// Words, on their plate.
const TEXT_RGB8: [u8; 3] = [236, 236, 236];
/// What is left of the picture under the plate: enough to see that nothing is hidden, too little to disturb the words.
const PLATE_TRANSPARENCY: f32 = 0.3;
/// Space around the words, in heights of the text.
const PLATE_MARGIN: f32 = 0.35;
/// On pictures whose shorter side has so many pixels the words stand in a corner: a CT's reconstruction circle leaves it free.
/// On smaller ones they would hide the body, and go below. All slices of a series have one size, so all are alike.
const ROOMY: usize = 384;

/// The typeface of every picture: egui's, so that words look as in the viewer.
///
/// # Panics
/// Never: the typeface is part of the program, and a test reads it.
pub(super) fn typeface() -> FontRef<'static> {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).expect("the typeface is part of the program")
}

/// Words at one size.
pub(super) struct Text {
    font: FontRef<'static>,
    scale: PxScale,
}

impl Text {
    /// Text of so many pixels a line.
    pub(super) fn new(line_height: f32) -> Self {
        Self { font: typeface(), scale: PxScale::from(line_height) }
    }

    /// Text that suits a picture.
    pub(super) fn for_picture(picture: &Picture) -> Self {
        let shorter = picture.columns().min(picture.rows()) as f32;
        Self::new((shorter * TEXT_SHARE).clamp(SMALLEST_TEXT, LARGEST_TEXT).round())
    }

    /// Height of a line in pixels.
    pub(super) fn height(&self) -> usize {
        self.scale.y.ceil() as usize
    }

    /// Width of a line in pixels.
    pub(super) fn width(&self, line: &str) -> usize {
        self.glyphs(line).1.ceil() as usize
    }

    /// Draws a line with its top left corner at (column, row); what lies outside the picture is left out.
    pub(super) fn draw(&self, picture: &mut Picture, line: &str, (column, row): (usize, usize), color: [u8; 3]) {
        let (columns, rows) = (picture.columns() as i64, picture.rows() as i64);
        for mut glyph in self.glyphs(line).0 {
            glyph.position.x += column as f32;
            glyph.position.y += row as f32;
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let (left, top) = (outline.px_bounds().min.x as i64, outline.px_bounds().min.y as i64);
            outline.draw(|x, y, coverage| {
                let (x, y) = (left + i64::from(x), top + i64::from(y));
                if (0..columns).contains(&x) && (0..rows).contains(&y) {
                    let pixel = &mut picture.pixels_mut()[(y * columns + x) as usize];
                    // A light typeface on dark ground looks thinner than it is.
                    let share = coverage.clamp(0.0, 1.0).powf(0.7);
                    for (value, color) in pixel.iter_mut().zip(color) {
                        *value = mixed(*value, color, share);
                    }
                }
            });
        }
    }

    /// Glyphs of a line from (0, 0), and its width.
    fn glyphs(&self, line: &str) -> (Vec<Glyph>, f32) {
        let font = self.font.as_scaled(self.scale);
        let mut glyphs: Vec<Glyph> = Vec::new();
        let mut x = 0.0;
        for character in line.chars() {
            let id = font.glyph_id(character);
            if let Some(last) = glyphs.last() {
                x += font.kern(last.id, id);
            }
            glyphs.push(id.with_scale_and_position(self.scale, point(x, font.ascent())));
            x += font.h_advance(id);
        }
        (glyphs, x)
    }

    /// Words of a line, broken so that each line is at most so wide where its words allow it.
    pub(super) fn wrapped(&self, line: &str, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            match lines.last_mut() {
                Some(last) if self.width(&format!("{last} {word}")) <= most => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

fn mixed(under: u8, over: u8, share: f32) -> u8 {
    (f32::from(under) + (f32::from(over) - f32::from(under)) * share + 0.5) as u8
}

/// A rectangle of words on their plate.
struct Plate {
    text: Text,
    lines: Vec<String>,
    margin: usize,
    width: usize,
    height: usize,
}

impl Plate {
    /// `widest`: most pixels in a row, where the words allow it.
    fn new(picture: &Picture, words: &[&str], widest: usize) -> Self {
        let text = Text::for_picture(picture);
        let margin = (text.scale.y * PLATE_MARGIN).round() as usize;
        let lines: Vec<String> =
            words.iter().flat_map(|words| text.wrapped(words, widest.saturating_sub(2 * margin))).collect();
        let width = lines.iter().map(|line| text.width(line)).max().unwrap_or(0) + 2 * margin;
        let height = lines.len() * text.height() + margin;
        Self { text, lines, margin, width, height }
    }

    fn draw(&self, picture: &mut Picture, (left, top): (usize, usize)) {
        let columns = picture.columns().max(1);
        for row in picture.pixels_mut().chunks_exact_mut(columns).skip(top).take(self.height) {
            for value in row.iter_mut().skip(left).take(self.width).flatten() {
                *value = (f32::from(*value) * PLATE_TRANSPARENCY) as u8;
            }
        }
        for (index, line) in self.lines.iter().enumerate() {
            let place = (left + self.margin, top + self.margin / 2 + index * self.text.height());
            self.text.draw(picture, line, place, TEXT_RGB8);
        }
    }
}

/// The picture with words in its lower left corner, on a dark plate that keeps them legible over black and over tissue; below a
/// picture that is small.
#[must_use]
pub fn with_caption(mut picture: Picture, words: &[&str]) -> Picture {
    if picture.columns().min(picture.rows()) >= ROOMY {
        let plate = Plate::new(&picture, words, picture.columns() / 2);
        let top = picture.rows().saturating_sub(plate.height);
        plate.draw(&mut picture, (0, top));
        return picture;
    }
    let plate = Plate::new(&picture, words, picture.columns());
    let mut larger = Picture::black(picture.columns().max(plate.width), picture.rows() + plate.height);
    larger.paste(&picture, 0, 0);
    plate.draw(&mut larger, (0, picture.rows()));
    larger.with_pixel_size(picture.pixel_size_mm())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::SYNTHETIC_MARK;

    /// Brightness from 0 to 1, as WCAG defines contrast.
    fn luminance(pixel: [u8; 3]) -> f32 {
        let linear = pixel
            .map(|v| f32::from(v) / 255.0)
            .map(|v| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn filled(columns: usize, rows: usize, color: [u8; 3]) -> Picture {
        Picture::new(columns, rows, color.repeat(columns * rows), Some([1.0, 1.0]))
    }

    #[test]
    fn the_mark_is_legible_over_black_and_over_the_brightest_tissue() {
        for color in [[0, 0, 0], [150, 70, 60], [240, 220, 170], [255, 255, 255]] {
            let picture = with_caption(filled(512, 512, color), &[SYNTHETIC_MARK]);
            assert_eq!((picture.columns(), picture.rows()), (512, 512), "a large picture keeps its size");
            let changed: Vec<[u8; 3]> = picture.pixels().iter().copied().filter(|pixel| *pixel != color).collect();
            let brightest = changed.iter().copied().map(luminance).fold(0.0, f32::max);
            let ground = luminance(color.map(|value| (f32::from(value) * PLATE_TRANSPARENCY) as u8));
            let contrast = (brightest + 0.05) / (ground + 0.05);
            assert!(contrast > 4.5, "over {color:?} the contrast is {contrast}, WCAG asks for 4.5");
            assert!(changed.len() < 512 * 512 / 20, "discreet: {} pixels", changed.len());
        }
    }

    #[test]
    fn small_pictures_get_the_whole_mark_below_them() {
        for (columns, rows) in [(1, 1), (3, 5), (40, 200), (122, 101), (233, 167), (0, 0)] {
            let picture = filled(columns, rows, [200, 150, 100]);
            let marked = with_caption(picture.clone(), &[SYNTHETIC_MARK]);
            assert!(marked.rows() >= rows + 11 && marked.columns() >= columns, "{columns} × {rows}: room for words");
            for row in 0..rows {
                let kept = &marked.pixels()[row * marked.columns()..][..columns];
                assert_eq!(kept, &picture.pixels()[row * columns..][..columns], "{columns} × {rows}: row {row} stays");
            }
            let text = Text::for_picture(&picture);
            let longest = SYNTHETIC_MARK.split(' ').map(|word| text.width(word)).max().unwrap();
            assert!(marked.columns() >= longest, "{columns} × {rows}: the longest word fits");
        }
    }

    #[test]
    fn words_are_never_broken_and_none_is_lost() {
        let text = Text::new(14.0);
        for most in [0, 30, 60, 100, 500] {
            let lines = text.wrapped(SYNTHETIC_MARK, most);
            assert_eq!(lines.join(" "), SYNTHETIC_MARK, "at {most}");
            assert!(lines.iter().all(|line| text.width(line) <= most || !line.contains(' ')), "at {most}: {lines:?}");
        }
    }

    #[test]
    fn every_letter_of_our_own_words_is_in_the_typeface() {
        let font = typeface();
        for letter in "Synthetic colour, for teaching only Slice 57 of 117, −12 mm window level × · –".chars() {
            assert_ne!(font.glyph_id(letter).0, 0, "{letter:?} has no picture");
        }
    }
}
