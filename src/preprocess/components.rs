//! Connected regions of a yes-or-no picture, by runs of a row (4-connected).

use std::ops::Range;

use super::bits::BitPlane;

/// Ones side by side in a row.
#[derive(Clone, Debug)]
struct Run {
    row: usize,
    columns: Range<usize>,
    /// Number of a run of the same region, never a later one; itself for the region's first.
    parent: usize,
}

/// A connected region.
#[derive(Clone, Debug)]
pub(super) struct Region {
    /// Number of pixels.
    pub(super) area: usize,
    /// Rows it reaches over.
    pub(super) rows: Range<usize>,
    /// Columns it reaches over.
    pub(super) columns: Range<usize>,
}

impl Region {
    /// Whether it touches the picture's edge.
    pub(super) fn touches_edge(&self, columns: usize, rows: usize) -> bool {
        self.rows.start == 0 || self.columns.start == 0 || self.rows.end == rows || self.columns.end == columns
    }
}

/// The runs of a picture and the regions that they make.
#[derive(Debug)]
pub(super) struct Regions {
    runs: Vec<Run>,
    /// For each run, which region it belongs to.
    region_of_run: Vec<usize>,
    list: Vec<Region>,
    columns: usize,
    rows: usize,
}

/// Calls `found` with each run of ones in a row of words.
pub(super) fn for_each_run(words: &[u64], mut found: impl FnMut(Range<usize>)) {
    let mut open: Option<usize> = None;
    for (index, &word) in words.iter().enumerate() {
        let mut bit = 0;
        while bit < 64 {
            let rest = word >> bit;
            // Inside a run: where does it end? Outside: where does the next one start?
            let skipped = match open {
                Some(_) => rest.trailing_ones(),
                None => rest.trailing_zeros(),
            };
            let next = (bit + skipped as usize).min(64);
            if next < 64 {
                match open.take() {
                    Some(start) => found(start..index * 64 + next),
                    None => open = Some(index * 64 + next),
                }
            }
            bit = next;
        }
    }
    if let Some(start) = open {
        found(start..words.len() * 64);
    }
}

impl Regions {
    /// The regions of ones.
    pub(super) fn of_ones(plane: &BitPlane) -> Self {
        Self::new(plane, |plane, row, found| for_each_run(plane.row(row), found))
    }

    /// The regions of zeros.
    pub(super) fn of_zeros(plane: &BitPlane) -> Self {
        Self::new(plane, |plane, row, found| {
            let mut start = 0;
            for_each_run(plane.row(row), |run| {
                if start < run.start {
                    found(start..run.start);
                }
                start = run.end;
            });
            if start < plane.columns() {
                found(start..plane.columns());
            }
        })
    }

    fn new(plane: &BitPlane, runs_of: impl Fn(&BitPlane, usize, &mut dyn FnMut(Range<usize>))) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut above = 0..0;
        for row in 0..plane.rows() {
            let first = runs.len();
            runs_of(plane, row, &mut |columns| runs.push(Run { row, columns, parent: runs.len() }));
            join_rows(&mut runs, above, first);
            above = first..runs.len();
        }
        let mut regions: Vec<Region> = Vec::new();
        let mut region_of_run = Vec::with_capacity(runs.len());
        for index in 0..runs.len() {
            let root = root_of(&mut runs, index);
            let run = &runs[index];
            if root == index {
                region_of_run.push(regions.len());
                regions.push(Region { area: 0, rows: run.row..run.row + 1, columns: run.columns.clone() });
            } else {
                region_of_run.push(region_of_run[root]);
            }
            let region = &mut regions[region_of_run[index]];
            region.area += run.columns.len();
            region.rows.end = run.row + 1;
            region.columns.start = region.columns.start.min(run.columns.start);
            region.columns.end = region.columns.end.max(run.columns.end);
        }
        Self { runs, region_of_run, list: regions, columns: plane.columns(), rows: plane.rows() }
    }

    /// The regions, in the order in which their first runs appear.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Region> {
        self.list.iter()
    }

    /// Adds the regions that `is_wanted` picks to a picture.
    pub(super) fn draw(&self, target: &mut BitPlane, is_wanted: impl Fn(&Region) -> bool) {
        debug_assert_eq!((target.columns(), target.rows()), (self.columns, self.rows), "the same picture");
        let wanted: Vec<bool> = self.list.iter().map(is_wanted).collect();
        for (run, &region) in self.runs.iter().zip(&self.region_of_run) {
            if wanted[region] {
                target.fill(run.row, run.columns.clone());
            }
        }
    }
}

/// Joins the runs from `first` on with those of the row above that they touch. Both are sorted by column.
fn join_rows(runs: &mut [Run], above: Range<usize>, first: usize) {
    let mut upper = above.start;
    let mut lower = first;
    while upper < above.end && lower < runs.len() {
        let (a, b) = (runs[upper].columns.clone(), runs[lower].columns.clone());
        if a.start < b.end && b.start < a.end {
            let (a, b) = (root_of(runs, upper), root_of(runs, lower));
            runs[a.max(b)].parent = a.min(b);
        }
        if a.end < b.end {
            upper += 1;
        } else {
            lower += 1;
        }
    }
}

fn root_of(runs: &mut [Run], mut index: usize) -> usize {
    while runs[index].parent != index {
        // Halve the way for whoever asks next.
        runs[index].parent = runs[runs[index].parent].parent;
        index = runs[index].parent;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Areas of the 4-connected regions of `wanted`, by flood fill, in the order of their first pixels.
    fn plain_areas(plane: &[bool], columns: usize, wanted: bool) -> Vec<usize> {
        let mut seen = vec![false; plane.len()];
        let mut areas = Vec::new();
        for start in 0..plane.len() {
            if seen[start] || plane[start] != wanted {
                continue;
            }
            let (mut waiting, mut area) = (vec![start], 0);
            seen[start] = true;
            while let Some(index) = waiting.pop() {
                area += 1;
                let (row, column) = (index / columns, index % columns);
                let mut near = Vec::new();
                near.extend((column > 0).then(|| index - 1));
                near.extend((column + 1 < columns).then(|| index + 1));
                near.extend((row > 0).then(|| index - columns));
                near.extend((index + columns < plane.len()).then(|| index + columns));
                for next in near {
                    if !seen[next] && plane[next] == wanted {
                        seen[next] = true;
                        waiting.push(next);
                    }
                }
            }
            areas.push(area);
        }
        areas
    }

    #[test]
    fn regions_are_those_of_a_flood_fill() {
        for (columns, rows) in [(1, 1), (3, 5), (63, 9), (64, 9), (65, 9), (130, 40), (1, 70)] {
            for one_in in [1, 2, 3, 7, 200] {
                let plain: Vec<bool> =
                    (0..columns * rows).map(|i| ((i * 2_654_435_761) >> 9) % 103 % one_in == 0).collect();
                let plane = BitPlane::of(&plain, columns, |bit| bit);
                let areas = |regions: &Regions| regions.iter().map(|region| region.area).collect::<Vec<_>>();
                let (ones, zeros) = (Regions::of_ones(&plane), Regions::of_zeros(&plane));
                assert_eq!(
                    areas(&ones),
                    plain_areas(&plain, columns, true),
                    "{columns} × {rows}, one in {one_in}: ones"
                );
                assert_eq!(
                    areas(&zeros),
                    plain_areas(&plain, columns, false),
                    "{columns} × {rows}, one in {one_in}: zeros"
                );
                let mut drawn = BitPlane::new(columns, rows);
                ones.draw(&mut drawn, |_| true);
                assert_eq!(drawn.to_bools(), plain, "{columns} × {rows}, one in {one_in}: drawn");
            }
        }
    }

    #[test]
    fn a_spiral_is_one_region_with_its_box() {
        let picture = ["########", ".......#", "######.#", "#....#.#", "#.##.#.#", "#.####.#", "#......#", "########"];
        let plain: Vec<bool> = picture.iter().flat_map(|row| row.bytes()).map(|byte| byte == b'#').collect();
        let regions = Regions::of_ones(&BitPlane::of(&plain, 8, |bit| bit));
        let regions: Vec<&Region> = regions.iter().collect();
        assert_eq!(regions.len(), 1, "connected at its ends alone");
        assert_eq!((regions[0].rows.clone(), regions[0].columns.clone()), (0..8, 0..8), "its box");
        assert!(regions[0].touches_edge(8, 8), "it touches the edge");
    }
}
