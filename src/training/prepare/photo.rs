//! What a photograph of a cryosection shows: tissue, gelatin, or nothing.

use std::collections::VecDeque;

use super::super::registration::Plane;
use crate::io::CryosectionPicture;

/// Planes are about as fine as this: enough to register by, and quick.
pub(super) const PLANE_MM: f64 = 1.65;
/// Darker than this is no tissue.
const DARKEST_TISSUE: f32 = 28.0;
/// Red above blue, in tissue. Gelatin is blue, and the grey card that lies in the pictures is neither.
const LEAST_WARMTH: f32 = 8.0;
/// Tone of the darkest tissue, on a scale where gelatin is 0 and white 1.
const DARKEST_TONE: f32 = 0.15;
/// Brighter than this is something.
const BLACK: f32 = 24.0;
/// A picture with less than this share of anything is black.
const LEAST_CONTENT: f64 = 0.01;
/// A region of tissue belongs to the body when this share of it lies in the body on the CT.
const LEAST_OVERLAP: f64 = 0.1;

/// A photograph at the resolution of the planes.
pub(super) struct PhotoPlane {
    /// 0 in gelatin, [`DARKEST_TONE`] … 1 in tissue.
    pub(super) plane: Plane,
    /// Whether there is next to nothing on it: NLM's place holders for saw cuts.
    pub(super) is_black: bool,
}

impl PhotoPlane {
    /// `mm_per_pixel`: of the picture.
    pub(super) fn of(picture: &CryosectionPicture, mm_per_pixel: f64) -> Self {
        let block = ((PLANE_MM / mm_per_pixel).round() as usize).clamp(1, picture.columns.min(picture.rows).max(1));
        let (columns, rows) = (picture.columns / block, picture.rows / block);
        let mean = |index: usize| -> [f32; 3] {
            let (row, column) = (index / columns * block, index % columns * block);
            let mut sum = [0_u32; 3];
            for y in row..row + block {
                for pixel in &picture.pixels[y * picture.columns + column..][..block] {
                    (0..3).for_each(|k| sum[k] += u32::from(pixel[k]));
                }
            }
            sum.map(|value| value as f32 / (block * block) as f32)
        };
        let colors: Vec<[f32; 3]> = (0..columns * rows).map(mean).collect();
        let content = colors.iter().filter(|color| color.iter().any(|value| *value > BLACK)).count();
        let origin = |count: usize| (block as f64 - count as f64) / 2.0 * mm_per_pixel;
        let plane = Plane {
            columns,
            rows,
            mm_per_pixel: mm_per_pixel * block as f64,
            origin_mm: [origin(picture.columns), origin(picture.rows)],
            values: colors.into_iter().map(tone).collect(),
        };
        let is_black = (content as f64) < LEAST_CONTENT * plane.values.len() as f64;
        Self { plane, is_black }
    }

    /// What is kept of the picture, on the plane's pixels: regions of tissue that touch `is_body`, what they enclose, and
    /// `collar_mm` around them.
    pub(super) fn kept(&self, is_body: impl Fn([f64; 2]) -> bool, collar_mm: f64) -> Vec<bool> {
        let plane = &self.plane;
        let is_tissue: Vec<bool> = plane.values.iter().map(|value| *value > 0.0).collect();
        let mut body = vec![false; is_tissue.len()];
        for region in regions(&is_tissue, plane.columns) {
            let within = region.iter().filter(|&&index| is_body(plane.place_mm(index))).count();
            if within as f64 >= LEAST_OVERLAP * region.len() as f64 {
                mark(&mut body, &region);
            }
        }
        let hollow: Vec<bool> = body.iter().map(|is_body| !is_body).collect();
        let (columns, rows) = (plane.columns, plane.rows);
        let is_edge = |index: usize| {
            let (row, column) = (index / columns, index % columns);
            row == 0 || column == 0 || row + 1 == rows || column + 1 == columns
        };
        for region in regions(&hollow, columns) {
            if !region.iter().any(|&index| is_edge(index)) {
                mark(&mut body, &region);
            }
        }
        grow(&mut body, columns, (collar_mm / plane.mm_per_pixel).ceil() as usize);
        body
    }
}

/// 0 in gelatin and in the dark.
fn tone([r, g, b]: [f32; 3]) -> f32 {
    let is_tissue = r >= DARKEST_TISSUE && r - b >= LEAST_WARMTH;
    let luminance = (0.3 * r + 0.59 * g + 0.11 * b) / 255.0;
    if is_tissue { DARKEST_TONE + (1.0 - DARKEST_TONE) * luminance } else { 0.0 }
}

fn mark(plane: &mut [bool], region: &[usize]) {
    for &index in region {
        plane[index] = true;
    }
}

/// Connected regions of `true`.
fn regions(plane: &[bool], columns: usize) -> Vec<Vec<usize>> {
    let mut open = plane.to_vec();
    let mut found = Vec::new();
    for start in 0..plane.len() {
        if !open[start] {
            continue;
        }
        open[start] = false;
        let mut region = vec![start];
        let mut next = 0;
        while let Some(&index) = region.get(next) {
            next += 1;
            for neighbor in neighbors(index, columns, plane.len()) {
                if std::mem::take(&mut open[neighbor]) {
                    region.push(neighbor);
                }
            }
        }
        found.push(region);
    }
    found
}

/// Adds everything within `steps` of a `true`.
fn grow(plane: &mut [bool], columns: usize, steps: usize) {
    let mut queue: VecDeque<(usize, usize)> = (0..plane.len()).filter(|&i| plane[i]).map(|i| (i, 0)).collect();
    while let Some((index, taken)) = queue.pop_front() {
        for neighbor in neighbors(index, columns, plane.len()) {
            if taken < steps && !plane[neighbor] {
                plane[neighbor] = true;
                queue.push_back((neighbor, taken + 1));
            }
        }
    }
}

/// Left, right, above and below.
fn neighbors(index: usize, columns: usize, count: usize) -> impl Iterator<Item = usize> {
    let column = index % columns;
    let across = [(column > 0).then(|| index - 1), (column + 1 < columns).then_some(index + 1)];
    let upright = [index.checked_sub(columns), Some(index + columns).filter(|below| *below < count)];
    across.into_iter().chain(upright).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::AnteriorSide;

    const GELATIN: [u8; 3] = [20, 60, 120];
    const MUSCLE: [u8; 3] = [110, 50, 45];

    fn picture(color: impl Fn(usize, usize) -> [u8; 3]) -> CryosectionPicture {
        let (columns, rows) = (60, 40);
        let pixels = (0..columns * rows).map(|i| color(i % columns, i / columns)).collect();
        CryosectionPicture { columns, rows, pixels, mm_per_pixel: Some(1.65), anterior: AnteriorSide::Unknown }
    }

    #[test]
    fn the_body_is_kept_with_its_hollows_and_the_grey_card_is_not() {
        let inside = |x: usize, y: usize| (10..30).contains(&x) && (10..30).contains(&y);
        let hollow = |x: usize, y: usize| (15..20).contains(&x) && (15..20).contains(&y);
        let label = |x: usize, y: usize| x > 50 && y < 5;
        let picture = picture(|x, y| match (x, y) {
            (x, y) if hollow(x, y) => GELATIN,
            (x, y) if inside(x, y) => MUSCLE,
            (x, y) if label(x, y) => [230, 220, 90],
            (40..50, 30..40) => [128, 128, 128],
            _ => GELATIN,
        });
        let photo = PhotoPlane::of(&picture, 1.65);
        assert!(!photo.is_black, "there is something");
        let kept = photo.kept(|place| place[0] < 0.0 && place[1].abs() < 17.0, 0.0);
        for (x, y) in [(11, 11), (17, 17), (29, 29)] {
            assert!(kept[y * 60 + x], "{x}, {y} is the body");
        }
        for (x, y) in [(55, 2), (45, 35), (35, 20), (9, 20)] {
            assert!(!kept[y * 60 + x], "{x}, {y} is not the body");
        }
        let collared = photo.kept(|_| true, 3.3);
        assert!(collared[20 * 60 + 8] && !collared[20 * 60 + 7], "two pixels of collar");
    }

    #[test]
    fn a_place_holder_is_black() {
        assert!(PhotoPlane::of(&picture(|_, _| [3, 2, 2]), 1.65).is_black, "nothing on it");
    }
}
