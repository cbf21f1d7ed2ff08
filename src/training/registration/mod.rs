//! Where a photograph lies on the CT of the same level: one shift and one scale that maximise the normalised mutual
//! information of the two (Studholme, Hill & Hawkes 1999), coarse to fine. Pure functions on planes.
//!
//! Places are millimetres from the centre of a picture, to the right and downwards.

mod plane;

use rayon::prelude::*;

pub use plane::Plane;

/// Levels of grey that a joint histogram tells apart.
const BINS: usize = 20;
/// Pixel sizes of the planes that are compared, in turn.
const STAGES_MM: [f64; 3] = [6.6, 3.3, 1.65];
/// A plane serves a stage whose pixels it exceeds by no more than this.
const STAGE_TOLERANCE: f64 = 1.35;
/// Around the body, this much is compared too: an outline has two sides.
const MARGIN_MM: f64 = 20.0;
/// Skin dries, swells, and is pressed flat; gelatin glows beside it. What is so near to the outline does not decide at last.
const OUTLINE_MM: f64 = 6.0;
/// How far from the centres of gravity a shift is looked for.
const REACH_MM: f64 = 100.0;
/// A search ends when its steps are shorter than this.
const FINEST_STEP_MM: f64 = 0.2;
/// First steps of the search on each stage.
const STEPS_MM: [f64; 3] = [4.0, 2.0, 1.0];
/// Change of scale that goes with a step of one millimetre: as far, at the edge of a body.
const SCALE_PER_MM: f64 = 0.006;
/// Slices agree when their shifts lie within this of the median …
const AGREE_MM: f64 = 6.0;
/// … and their scales.
const AGREE_SCALE: f64 = 0.04;

/// Where a place of the CT is on the photograph: `scale · place + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Millimetres of the photograph for one of the CT.
    pub scale: f64,
    /// Where the CT's centre is on the photograph.
    pub shift_mm: [f64; 2],
}

impl Placement {
    /// The photograph's place for one of the CT.
    pub fn on_photo_mm(&self, ct_mm: [f64; 2]) -> [f64; 2] {
        std::array::from_fn(|k| self.scale * ct_mm[k] + self.shift_mm[k])
    }

    /// Shifted on the photograph.
    #[must_use]
    pub fn shifted(&self, by_mm: [f64; 2]) -> Self {
        Self { shift_mm: std::array::from_fn(|k| self.shift_mm[k] + by_mm[k]), ..*self }
    }

    /// The same place for `pivot_mm`, another scale around it.
    fn rescaled(&self, factor: f64, pivot_mm: [f64; 2]) -> Self {
        let scale = self.scale * factor;
        let shift_mm = std::array::from_fn(|k| self.shift_mm[k] + (self.scale - scale) * pivot_mm[k]);
        Self { scale, shift_mm }
    }
}

/// Scales that are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScaleRange {
    /// Both pixel sizes are known: within a tenth of 1.
    Known,
    /// One is not: the areas of the two bodies say roughly how large it is.
    Unknown,
}

impl ScaleRange {
    fn candidates(self, subject: &Subject) -> Vec<f64> {
        match self {
            Self::Known => vec![0.9, 0.95, 1.0, 1.05, 1.1],
            Self::Unknown => (-6..=6).map(|step| subject.scale_by_area * 1.06_f64.powi(step)).collect(),
        }
    }
}

/// A slice as it is registered.
#[derive(Clone, Debug)]
pub struct Subject {
    /// One for each of [`STAGES_MM`].
    samples: Vec<Vec<Sample>>,
    /// The finest, without the body's outline and what is outside.
    inner: Vec<Sample>,
    photos: Vec<Plane>,
    /// Centres of gravity of the body on the CT and of the tissue on the photograph.
    ct_center_mm: [f64; 2],
    photo_center_mm: [f64; 2],
    scale_by_area: f64,
}

/// A pixel of the CT.
#[derive(Clone, Copy, Debug)]
struct Sample {
    place_mm: [f32; 2],
    bin: u8,
}

impl Subject {
    /// `ct`: 0 in air; `body` on its pixels. `photo`: 0 where there is no tissue. `None` when either shows nothing.
    pub fn new(ct: &Plane, body: &[bool], photo: &Plane) -> Option<Self> {
        let (ct_center_mm, ct_area) = center_of(ct, |index| body[index])?;
        let (photo_center_mm, photo_area) = center_of(photo, |index| photo.values[index] > 0.0)?;
        let is_near = within_margin(ct, body);
        let (cts, photos) = (pyramid(ct), pyramid(photo));
        let is_inner = |place: [f64; 2]| {
            let around = [[0.0, 1.0], [0.7, 0.7], [1.0, 0.0], [0.7, -0.7]].map(|at| at.map(|k| k * OUTLINE_MM));
            let ends = around.iter().flat_map(|[x, y]| [[place[0] + x, place[1] + y], [place[0] - x, place[1] - y]]);
            ends.into_iter().all(|place| ct.index_at(place).is_some_and(|index| body[index]))
        };
        let inner = samples(at_stage(&cts, STAGES_MM[2]), &is_inner);
        let samples = STAGES_MM.iter().map(|&stage_mm| samples(at_stage(&cts, stage_mm), &is_near)).collect();
        let photos = STAGES_MM.iter().map(|&stage_mm| at_stage(&photos, stage_mm).clone()).collect();
        Some(Self {
            samples,
            inner,
            photos,
            ct_center_mm,
            photo_center_mm,
            scale_by_area: (photo_area / ct_area).sqrt(),
        })
    }

    /// The same slice with its photograph turned.
    #[must_use]
    pub fn upside_down(&self) -> Self {
        Self {
            photos: self.photos.iter().map(Plane::upside_down).collect(),
            photo_center_mm: [self.photo_center_mm[0], -self.photo_center_mm[1]],
            ..self.clone()
        }
    }

    /// Normalised mutual information less 1: 0 when neither picture says anything about the other, 1 when each gives the
    /// other. On a stage, the finest is the last.
    fn similarity(&self, stage: usize, placement: &Placement) -> f64 {
        similarity(&self.samples[stage], &self.photos[stage], placement)
    }

    /// The same of what is inside the body alone.
    fn inner_similarity(&self, placement: &Placement) -> f64 {
        similarity(&self.inner, &self.photos[STAGES_MM.len() - 1], placement)
    }

    /// Every shift and scale on the coarsest stage, the best of each scale improved.
    fn find(&self, scales: ScaleRange) -> (Placement, f64) {
        let step_mm = STAGES_MM[0];
        let steps = (REACH_MM / step_mm) as i32;
        let best_of_scale = |scale: f64| {
            let start = Placement {
                scale,
                shift_mm: std::array::from_fn(|k| self.photo_center_mm[k] - scale * self.ct_center_mm[k]),
            };
            let shifts = (-steps..=steps).flat_map(|y| (-steps..=steps).map(move |x| [x, y]));
            let placements = shifts.map(|shift| start.shifted(shift.map(|steps| f64::from(steps) * step_mm)));
            let scored = placements.map(|placement| (placement, self.similarity(0, &placement)));
            scored.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(start, |(placement, _)| placement)
        };
        let improved = scales.candidates(self).into_iter().map(|scale| {
            let score = |placement: &Placement| self.similarity(0, placement);
            climb(score, best_of_scale(scale), self.ct_center_mm, STEPS_MM[0], true)
        });
        let coarse = improved.max_by(|a, b| a.1.total_cmp(&b.1));
        let mut found = coarse.unwrap_or((Placement { scale: 1.0, shift_mm: [0.0; 2] }, 0.0));
        for (stage, &step_mm) in STEPS_MM.iter().enumerate().skip(1) {
            let score = |placement: &Placement| self.similarity(stage, placement);
            found = climb(score, found.0, self.ct_center_mm, step_mm, true);
        }
        found
    }

    /// How far from the set's place this slice alone would lie, and how alike the pictures are in the set's place.
    pub fn own_shift(&self, placement: &Placement) -> ([f64; 2], f64) {
        let score = |placement: &Placement| self.similarity(1, placement);
        // From around the place, too: a slice that is far off has a hill of its own.
        let starts = [[0.0, 0.0], [-12.0, 0.0], [12.0, 0.0], [0.0, -12.0], [0.0, 12.0]];
        let climbs = starts.map(|start| climb(score, placement.shifted(start), self.ct_center_mm, STEPS_MM[1], false));
        let best = climbs.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(&climbs[0]);
        let shift_mm = std::array::from_fn(|k| best.0.shift_mm[k] - placement.shift_mm[k]);
        (shift_mm, self.similarity(STAGES_MM.len() - 1, placement))
    }
}

fn similarity(samples: &[Sample], photo: &Plane, placement: &Placement) -> f64 {
    let mut joint = [[0_u32; BINS]; BINS];
    for sample in samples {
        let value = photo.sample(placement.on_photo_mm(sample.place_mm.map(f64::from)));
        joint[usize::from(sample.bin)][usize::from(bin(value))] += 1;
    }
    let of_ct = joint.map(|row| row.iter().sum::<u32>());
    let of_photo: [u32; BINS] = std::array::from_fn(|k| joint.iter().map(|row| row[k]).sum());
    let total = samples.len().max(1) as f64;
    let both = entropy(joint.as_flattened(), total);
    if both <= 0.0 { 0.0 } else { (entropy(&of_ct, total) + entropy(&of_photo, total)) / both - 1.0 }
}

fn bin(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * (BINS as f32 - 0.01)) as u8
}

fn entropy(counts: &[u32], total: f64) -> f64 {
    counts.iter().filter(|count| **count > 0).map(|&count| f64::from(count) / total).map(|p| -p * p.ln()).sum()
}

/// Centre of gravity and area in mm².
fn center_of(plane: &Plane, is_inside: impl Fn(usize) -> bool) -> Option<([f64; 2], f64)> {
    let inside = (0..plane.values.len()).filter(|&index| is_inside(index)).map(|index| plane.place_mm(index));
    let (sum, count) =
        inside.fold(([0.0; 2], 0_u32), |([x, y], count), place| ([x + place[0], y + place[1]], count + 1));
    let area = f64::from(count) * plane.mm_per_pixel * plane.mm_per_pixel;
    (count > 0).then(|| (sum.map(|value| value / f64::from(count)), area))
}

/// Whether a place is inside the body's bounding box with [`MARGIN_MM`] around it.
fn within_margin(ct: &Plane, body: &[bool]) -> impl Fn([f64; 2]) -> bool + use<> {
    let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
    for place in (0..body.len()).filter(|&index| body[index]).map(|index| ct.place_mm(index)) {
        low = std::array::from_fn(|k| low[k].min(place[k] - MARGIN_MM));
        high = std::array::from_fn(|k| high[k].max(place[k] + MARGIN_MM));
    }
    move |place| (0..2).all(|k| (low[k]..=high[k]).contains(&place[k]))
}

/// A plane and its halves, down to the coarsest stage.
fn pyramid(plane: &Plane) -> Vec<Plane> {
    let mut planes = vec![plane.clone()];
    while let Some(last) = planes.last()
        && last.mm_per_pixel * 2.0 <= STAGES_MM[0] * STAGE_TOLERANCE
    {
        planes.push(last.halved());
    }
    planes
}

/// The coarsest plane that is fine enough for a stage; the finest when none is.
fn at_stage(planes: &[Plane], stage_mm: f64) -> &Plane {
    planes.iter().rfind(|plane| plane.mm_per_pixel <= stage_mm * STAGE_TOLERANCE).unwrap_or(&planes[0])
}

fn samples(ct: &Plane, is_near: &impl Fn([f64; 2]) -> bool) -> Vec<Sample> {
    let known = (0..ct.values.len()).filter(|&index| !ct.values[index].is_nan() && is_near(ct.place_mm(index)));
    known.map(|index| Sample { place_mm: ct.place_mm(index).map(|mm| mm as f32), bin: bin(ct.values[index]) }).collect()
}

/// The nearest top of the hill: the best of the neighbours until none is better, then with half the step.
fn climb(
    score: impl Fn(&Placement) -> f64,
    start: Placement,
    pivot_mm: [f64; 2],
    first_step_mm: f64,
    may_scale: bool,
) -> (Placement, f64) {
    let mut best = (start, score(&start));
    let mut step_mm = first_step_mm;
    while step_mm >= FINEST_STEP_MM {
        let shifts = [[-step_mm, 0.0], [step_mm, 0.0], [0.0, -step_mm], [0.0, step_mm]];
        let mut neighbors: Vec<Placement> = shifts.iter().map(|shift| best.0.shifted(*shift)).collect();
        if may_scale {
            let change = 1.0 + step_mm * SCALE_PER_MM;
            neighbors.extend([change, 1.0 / change].map(|factor| best.0.rescaled(factor, pivot_mm)));
        }
        let scored = neighbors.into_iter().map(|neighbor| (neighbor, score(&neighbor)));
        match scored.max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some(better) if better.1 > best.1 => best = better,
            _ => step_mm /= 2.0,
        }
    }
    best
}

/// One place for a set of slices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registration {
    /// Of the CT on the photographs.
    pub placement: Placement,
    /// Slices that were registered each by itself …
    pub slices: usize,
    /// … and those of them that agree.
    pub agreeing: usize,
    /// Median distance of the agreeing slices' own places from the set's.
    pub spread_mm: f64,
    /// Mean of the normalised mutual information less 1, over the agreeing slices.
    pub similarity: f64,
}

/// The slices want different places.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "only {agreeing} of {slices} slices agree on one place within 6 mm; check that CT and photographs are of the same \
     person and have the same numbers"
)]
pub struct NoAgreement {
    /// Slices that agree.
    pub agreeing: usize,
    /// Slices that were registered.
    pub slices: usize,
}

/// One shift and one scale for all slices: each is registered by itself, those that agree are then registered together, at
/// last by what is inside the body.
pub fn register(subjects: &[Subject], scales: ScaleRange) -> Result<Registration, NoAgreement> {
    let alone: Vec<Placement> = subjects.par_iter().map(|subject| subject.find(scales).0).collect();
    let middle = |value: &dyn Fn(&Subject, &Placement) -> f64| {
        median(subjects.iter().zip(&alone).map(|(subject, placement)| value(subject, placement)).collect())
    };
    let pivot_mm: [f64; 2] = std::array::from_fn(|k| middle(&|subject, _| subject.ct_center_mm[k]));
    let scale = middle(&|_, placement| placement.scale);
    // Compared at one place of the body: shift and scale hang together elsewhere.
    let at_pivot: [f64; 2] = std::array::from_fn(|k| middle(&|_, placement| placement.on_photo_mm(pivot_mm)[k]));
    let distance = |placement: &Placement, to_mm: [f64; 2]| {
        let place = placement.on_photo_mm(pivot_mm);
        (place[0] - to_mm[0]).hypot(place[1] - to_mm[1])
    };
    let agrees = |placement: &Placement| {
        distance(placement, at_pivot) <= AGREE_MM && (placement.scale / scale - 1.0).abs() <= AGREE_SCALE
    };
    let agreeing: Vec<&Subject> =
        subjects.iter().zip(&alone).filter(|(_, placement)| agrees(placement)).map(|(subject, _)| subject).collect();
    if agreeing.len() * 2 <= subjects.len() {
        return Err(NoAgreement { agreeing: agreeing.len(), slices: subjects.len() });
    }
    let shift_mm = std::array::from_fn(|k| at_pivot[k] - scale * pivot_mm[k]);
    let mut found = (Placement { scale, shift_mm }, 0.0);
    for (stage, &step_mm) in STEPS_MM.iter().enumerate().skip(1) {
        let score = |placement: &Placement| {
            agreeing.par_iter().map(|subject| subject.similarity(stage, placement)).sum::<f64>() / agreeing.len() as f64
        };
        found = climb(score, found.0, pivot_mm, step_mm, true);
    }
    let inside = |placement: &Placement| {
        agreeing.par_iter().map(|subject| subject.inner_similarity(placement)).sum::<f64>() / agreeing.len() as f64
    };
    let by_inside = climb(inside, found.0, pivot_mm, STEPS_MM[2], true);
    let (placement, similarity) = (by_inside.0, found.1);
    let place = placement.on_photo_mm(pivot_mm);
    let spread_mm = median(alone.iter().filter(|own| agrees(own)).map(|own| distance(own, place)).collect());
    Ok(Registration { placement, slices: subjects.len(), agreeing: agreeing.len(), spread_mm, similarity })
}

/// The middle value; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of ellipses, fat with muscle and bone in it; `tone` of each.
    fn drawn(mm_per_pixel: f64, side: usize, tones: [f32; 3], place: impl Fn([f64; 2]) -> [f64; 2]) -> Plane {
        let origin_mm = [-(side as f64 - 1.0) / 2.0 * mm_per_pixel; 2];
        let mut plane = Plane { columns: side, rows: side, mm_per_pixel, origin_mm, values: vec![0.0; side * side] };
        for index in 0..side * side {
            let [x, y] = place(plane.place_mm(index));
            let within = |cx: f64, cy: f64, rx: f64, ry: f64| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
            let tone = [within(5.0, 3.0, 120.0, 80.0), within(-30.0, -15.0, 50.0, 35.0), within(5.0, 45.0, 18.0, 16.0)];
            if let Some(last) = (0..3).rev().find(|&k| tone[k]) {
                plane.values[index] = tones[last];
            }
        }
        plane
    }

    fn subject(truth: Placement) -> Subject {
        let ct = drawn(1.9, 256, [0.4, 0.6, 1.0], |place| place);
        let body: Vec<bool> = ct.values.iter().map(|value| *value > 0.0).collect();
        let to_ct = |place: [f64; 2]| std::array::from_fn(|k| (place[k] - truth.shift_mm[k]) / truth.scale);
        Subject::new(&ct, &body, &drawn(1.65, 360, [0.9, 0.3, 0.8], to_ct)).unwrap()
    }

    #[test]
    fn shift_and_scale_are_found_though_the_tones_differ() {
        for (scale, shift_mm) in [(1.0, [0.0, 0.0]), (0.97, [13.0, -9.0]), (1.06, [-55.0, 30.0])] {
            let found = register(&[subject(Placement { scale, shift_mm })], ScaleRange::Known).unwrap().placement;
            for corner in [[-115.0, -77.0], [125.0, 83.0]] {
                let (is, should) = (found.on_photo_mm(corner), Placement { scale, shift_mm }.on_photo_mm(corner));
                let off_mm = (is[0] - should[0]).hypot(is[1] - should[1]);
                // The inside has the last word, and reaches half as far as these corners: 1.04 mm at most.
                assert!(off_mm < 1.5, "{off_mm} mm off at {corner:?}: {found:?} for {scale}, {shift_mm:?}");
            }
        }
    }

    #[test]
    fn an_unknown_pixel_size_is_found_from_the_body() {
        let truth = Placement { scale: 1.7, shift_mm: [10.0, 20.0] };
        let found = register(&[subject(truth)], ScaleRange::Unknown).unwrap().placement;
        assert!((found.scale / 1.7 - 1.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn slices_that_disagree_are_outvoted_or_stop_the_set() {
        let at = |x: f64| subject(Placement { scale: 1.0, shift_mm: [x, 0.0] });
        let found = register(&[at(10.0), at(10.0), at(60.0)], ScaleRange::Known).unwrap();
        assert_eq!((found.agreeing, found.slices), (2, 3), "one is outvoted");
        assert!((found.placement.shift_mm[0] - 10.0).abs() < 1.0, "{found:?}");
        assert!(register(&[at(-40.0), at(0.0), at(40.0)], ScaleRange::Known).is_err(), "no majority");
    }

    #[test]
    fn a_body_upside_down_fits_worse() {
        let upright = subject(Placement { scale: 1.0, shift_mm: [0.0, 5.0] });
        let turned = register(&[upright.upside_down()], ScaleRange::Known).unwrap();
        assert!(register(&[upright], ScaleRange::Known).unwrap().similarity > 1.1 * turned.similarity, "{turned:?}");
    }
}
