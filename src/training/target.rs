//! From a cryosection to what the generator should paint. Blue inside the body is gelatin that filled hollow spaces
//! before freezing: in a living body that is gas.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What gas in hollow spaces looks like: nearly black, a little warm.
pub const DARK_AIR: [u8; 3] = [12, 8, 8];
/// How far the blue glow of gelatin reaches into tissue in the photographs.
const GLOW_MM: f64 = 3.0;
/// Gelatin nearer than this to the edge of the mask is what stood around the body: there, tissue is continued.
const SKIN_MM: f64 = 4.0;
/// How far tissue is continued outwards, so that smoothing finds no blue beyond the skin.
const CONTINUED_MM: f64 = 10.0;

/// What becomes of blue gelatin in training targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GelatinRule {
    /// Hollow spaces become dark air, without a bluish fringe around them or along the skin.
    #[default]
    Air,
    /// The plain rule that measuring uses: clearly blue pixels become dark air; a fringe stays.
    Measured,
    /// Blue stays blue.
    Keep,
}

/// The ground truth of every measurement, on the network's grid: pixels with blue > red + 25 and blue > green become dark
/// air, everything outside the mask black.
pub fn measured_target(rgb8: &mut [u8], mask: &[bool]) {
    for (pixel, &is_inside) in rgb8.as_chunks_mut::<3>().0.iter_mut().zip(mask) {
        if !is_inside {
            *pixel = [0; 3];
        } else if is_blue(*pixel) {
            *pixel = DARK_AIR;
        }
    }
}

fn is_blue([r, g, b]: [u8; 3]) -> bool {
    i32::from(b) > i32::from(r) + 25 && b > g
}

/// May be tissue with blue light in it. In clean tissue blue stays below four fifths of red.
fn is_bluish([r, g, b]: [u8; 3]) -> bool {
    let [r, g, b] = [r, g, b].map(u32::from);
    b * 100 > r * 80 && b * 100 > g * 80 && r + g + b > 45
}

/// A photograph at its own resolution with the body's mask on the same pixels.
pub struct Photograph<'a> {
    /// Pixels in a row.
    pub columns: usize,
    /// `rows · columns` colours.
    pub pixels: &'a mut [[u8; 3]],
    /// `rows · columns`, true inside the body.
    pub mask: &'a [bool],
    /// Size of a pixel.
    pub mm_per_pixel: f64,
}

impl Photograph<'_> {
    /// Turns gelatin in hollow spaces into dark air, takes its glow out of the tissue around, and continues the skin
    /// outwards over the gelatin around the body, so that no blue is left for smoothing to spread.
    pub fn clear_gelatin(&mut self) {
        let depth = self.gelatin();
        for region in self.regions(&depth) {
            let is_around_body = region.iter().any(|&index| !self.mask[index]);
            if !is_around_body {
                self.darken(&region, &depth);
            }
        }
        // What is still blue belongs to the surroundings.
        let around: Vec<bool> = (0..self.pixels.len())
            .map(|index| depth[index].is_some() && self.pixels[index] != DARK_AIR && is_bluish(self.pixels[index]))
            .collect();
        self.continue_tissue(&around);
    }

    /// Steps from clear gelatin through bluish pixels, at most [`GLOW_MM`]; `None` in tissue.
    fn gelatin(&self) -> Vec<Option<u32>> {
        let sources = (0..self.pixels.len()).filter(|&index| is_blue(self.pixels[index]));
        self.steps_from(sources, self.steps(GLOW_MM), |index| is_bluish(self.pixels[index]))
    }

    /// Connected regions of gelatin and its glow.
    fn regions(&self, depth: &[Option<u32>]) -> Vec<Vec<usize>> {
        let mut is_seen = vec![false; depth.len()];
        let mut regions = Vec::new();
        for start in 0..depth.len() {
            if depth[start].is_none() || is_seen[start] {
                continue;
            }
            is_seen[start] = true;
            let mut region = vec![start];
            let mut next = 0;
            while let Some(&index) = region.get(next) {
                next += 1;
                for neighbor in self.neighbors(index) {
                    if depth[neighbor].is_some() && !is_seen[neighbor] {
                        is_seen[neighbor] = true;
                        region.push(neighbor);
                    }
                }
            }
            regions.push(region);
        }
        regions
    }

    /// A hollow space: clear gelatin becomes air; in its glow the share of blue light is replaced by darkness.
    fn darken(&mut self, region: &[usize], depth: &[Option<u32>]) {
        let clear: Vec<[f32; 3]> =
            region.iter().filter(|&&i| depth[i] == Some(0)).map(|&i| self.pixels[i].map(f32::from)).collect();
        let count = clear.len().max(1) as f32;
        let gelatin: [f32; 3] = std::array::from_fn(|c| clear.iter().map(|color| color[c]).sum::<f32>() / count);
        let blueness = |[r, _, b]: [f32; 3]| b - 0.6 * r;
        for &index in region {
            let color = self.pixels[index].map(f32::from);
            let share = (blueness(color) / blueness(gelatin).max(1.0)).clamp(0.0, 1.0);
            let share = if depth[index] == Some(0) { 1.0 } else { share };
            let mut cleared: [f32; 3] =
                std::array::from_fn(|c| color[c] - share * (gelatin[c] - f32::from(DARK_AIR[c])));
            cleared[0] = cleared[0].max(f32::from(DARK_AIR[0]));
            cleared[1] = cleared[1].clamp(f32::from(DARK_AIR[1]), cleared[0]);
            cleared[2] = cleared[2].clamp(f32::from(DARK_AIR[2]), cleared[1]);
            self.pixels[index] = if share >= 1.0 { DARK_AIR } else { cleared.map(|value| value.round() as u8) };
        }
    }

    /// Gelatin around the body: near the edge of the mask and beyond it the nearest tissue goes on, deeper inside is air.
    fn continue_tissue(&mut self, around: &[bool]) {
        let outside = (0..self.mask.len()).filter(|&index| !self.mask[index]);
        let skin = self.steps_from(outside, self.steps(SKIN_MM), |_| true);
        // One pixel more than the gelatin: its neighbours still carry a little of the glow.
        let rim: Vec<usize> = (0..around.len())
            .filter(|&index| !around[index] && self.mask[index] && self.neighbors(index).any(|n| around[n]))
            .collect();
        let mut open = around.to_vec();
        for index in rim {
            open[index] = true;
        }
        let mut queue: VecDeque<(usize, u32)> = (0..open.len())
            .filter(|&index| !open[index] && self.mask[index] && self.neighbors(index).any(|n| open[n]))
            .map(|index| (index, 0))
            .collect();
        let furthest = self.steps(CONTINUED_MM);
        while let Some((index, steps)) = queue.pop_front() {
            for neighbor in self.neighbors(index) {
                if open[neighbor] && steps < furthest {
                    open[neighbor] = false;
                    let is_skin = !self.mask[neighbor] || skin[neighbor].is_some();
                    if is_skin || !around[neighbor] {
                        self.pixels[neighbor] = self.pixels[index];
                    } else {
                        self.pixels[neighbor] = DARK_AIR;
                        continue;
                    }
                    queue.push_back((neighbor, steps + 1));
                }
            }
        }
        for index in (0..open.len()).filter(|&index| open[index] && around[index]) {
            self.pixels[index] = DARK_AIR;
        }
    }

    /// Steps between neighbours from the nearest source, through pixels that may be entered; `None` where none arrives.
    fn steps_from(
        &self,
        sources: impl Iterator<Item = usize>,
        furthest: u32,
        may_enter: impl Fn(usize) -> bool,
    ) -> Vec<Option<u32>> {
        let mut steps = vec![None; self.mask.len()];
        let mut queue = VecDeque::new();
        for source in sources {
            steps[source] = Some(0);
            queue.push_back((source, 0));
        }
        while let Some((index, taken)) = queue.pop_front() {
            for neighbor in self.neighbors(index) {
                if taken < furthest && steps[neighbor].is_none() && may_enter(neighbor) {
                    steps[neighbor] = Some(taken + 1);
                    queue.push_back((neighbor, taken + 1));
                }
            }
        }
        steps
    }

    fn steps(&self, length_mm: f64) -> u32 {
        (length_mm / self.mm_per_pixel).round().clamp(1.0, 200.0) as u32
    }

    /// Left, right, above and below.
    fn neighbors(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let (columns, count) = (self.columns, self.mask.len());
        let column = index % columns;
        [
            (column > 0).then(|| index - 1),
            (column + 1 < columns).then(|| index + 1),
            index.checked_sub(columns),
            (index + columns < count).then_some(index + columns),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: [u8; 3] = [30, 90, 200];
    const FAT: [u8; 3] = [230, 200, 130];
    const SIDE: usize = 60;

    fn mixed(share: f32) -> [u8; 3] {
        std::array::from_fn(|c| (share * f32::from(BLUE[c]) + (1.0 - share) * f32::from(FAT[c])).round() as u8)
    }

    /// A disk of fat in gelatin, with a hollow in it; edges two pixels soft, as in a photograph.
    fn body() -> (Vec<[u8; 3]>, Vec<bool>) {
        let distance = |index: usize, center: (f32, f32)| {
            ((index % SIDE) as f32 - center.0).hypot((index / SIDE) as f32 - center.1)
        };
        let pixels = (0..SIDE * SIDE).map(|i| {
            let hollow = ((8.0 - distance(i, (30.0, 30.0))) / 4.0 + 0.5).clamp(0.0, 1.0);
            let around = ((distance(i, (30.0, 30.0)) - 24.0) / 4.0 + 0.5).clamp(0.0, 1.0);
            mixed(hollow.max(around))
        });
        let mask = (0..SIDE * SIDE).map(|i| distance(i, (30.0, 30.0)) < 25.0).collect();
        (pixels.collect(), mask)
    }

    #[test]
    fn no_bluish_pixel_is_left_in_the_body() {
        let (mut pixels, mask) = body();
        Photograph { columns: SIDE, pixels: &mut pixels, mask: &mask, mm_per_pixel: 0.5 }.clear_gelatin();
        let bluest = (0..pixels.len()).filter(|&i| mask[i]).map(|i| i32::from(pixels[i][2]) - i32::from(pixels[i][0]));
        assert!(bluest.max().unwrap() <= 0, "blue above red in the body");
        assert_eq!(pixels[30 * SIDE + 30], DARK_AIR, "the hollow is air");
        assert_eq!(pixels[30 * SIDE + 45], FAT, "tissue far from gelatin stays as it was");
        let skin = pixels[30 * SIDE + 53];
        assert!(skin[0] > 200, "the skin goes on to the edge of the mask: {skin:?}");
    }

    #[test]
    fn the_measured_rule_is_plain() {
        let mut rgb8 = [FAT, BLUE, [100, 130, 126], FAT].concat();
        measured_target(&mut rgb8, &[true, true, true, false]);
        assert_eq!(rgb8, [FAT, DARK_AIR, [100, 130, 126], [0; 3]].concat(), "blue to air, outside to black");
    }
}
