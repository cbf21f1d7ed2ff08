//! Where the photographs of a set lie, and which way up they are.

use rayon::prelude::*;

use super::super::registration::{NoAgreement, Registration, ScaleRange, Subject, register};
use super::PrepareJob;
use super::ct::CtPlane;
use super::photo::PhotoPlane;
use super::report::SetReport;
use super::run::{SetRun, finer};
use super::sets::Candidate;
use crate::io::AnteriorSide;

/// Slices that a set is registered by.
const ANCHORS: usize = 11;
/// Width of NLM's photographs: what a picture of another size is taken to show, until the scale is found.
const PHOTO_WIDTH_MM: f64 = 2048.0 * 0.33;
/// The same for a CT.
const CT_WIDTH_MM: f64 = 480.0;
/// The photographs are turned against what their format says only when they fit so much better.
const CLEARLY_BETTER: f64 = 1.15;

/// What the photographs of a set have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PhotoFormat {
    /// Columns and rows.
    pub(super) size: [usize; 2],
    pub(super) mm_per_pixel: f64,
    /// Whether the last row has to become the first.
    pub(super) is_turned: bool,
}

/// Where the photographs of a set lie.
pub(super) struct SetPlace {
    pub(super) registration: Registration,
    pub(super) photo: PhotoFormat,
    /// Pixel size of the CT; a stand-in where it is not known.
    pub(super) ct_mm: f64,
    is_ct_known: bool,
    /// Pixels of the photograph as written in one of the CT, along a side.
    pub(super) finer: usize,
    warnings: Vec<String>,
}

/// A slice that the set is registered by.
struct Anchor {
    subject: Subject,
    size: [usize; 2],
    photo_mm: Option<f64>,
    anterior: AnteriorSide,
}

impl SetPlace {
    /// Registers some slices of a set; the text says why not.
    pub(super) fn find(run: &SetRun<'_>, job: &PrepareJob) -> Result<Self, String> {
        let info = run.set.series.info();
        let known_ct_mm = match (job.ct_mm, info.pixel_spacing_mm) {
            (Some(mm), _) => Some(mm),
            (None, Some([x, y])) if (x - y).abs() > 1e-3 * x => {
                return Err(format!("pixels of the CT are {x} × {y} mm; square ones are needed"));
            }
            (None, spacing) => spacing.map(|[x, _]| x),
        };
        let ct_mm = known_ct_mm.unwrap_or(CT_WIDTH_MM / info.columns as f64);
        let anchors = anchors(run, job, ct_mm)?;
        let (first, same) = most_common(&anchors);
        let known_photo_mm = job.rgb_mm.or(first.photo_mm);
        let scales = match (known_ct_mm, known_photo_mm) {
            (Some(_), Some(_)) => ScaleRange::Known,
            (None, None) => {
                return Err("neither CT nor photographs say how large a pixel is; give --ct-mm or --rgb-mm".to_owned());
            }
            _ => ScaleRange::Unknown,
        };
        let mut warnings = Vec::new();
        let upright: Vec<Subject> = same.iter().map(|anchor| anchor.subject.clone()).collect();
        let (registration, is_turned) = the_right_way_up(&upright, first.anterior, scales, &mut warnings)?;
        if registration.slices < 3 {
            warnings.push(format!("registered by {} slices only; look at the contact sheet", registration.slices));
        }
        let photo_mm = known_photo_mm.unwrap_or_else(|| photo_stand_in_mm(first.size));
        Ok(Self {
            registration,
            photo: PhotoFormat { size: first.size, mm_per_pixel: photo_mm, is_turned },
            ct_mm,
            is_ct_known: known_ct_mm.is_some(),
            finer: finer(info.columns, ct_mm * registration.placement.scale, photo_mm),
            warnings,
        })
    }

    /// Pixel size of the CT as it is written: where it is not known, by the photographs, whose pixel size is.
    pub(super) fn written_ct_mm(&self) -> f64 {
        if self.is_ct_known { self.ct_mm } else { self.ct_mm * self.registration.placement.scale }
    }

    /// Pixel size of the photographs as they are written.
    pub(super) fn written_rgb_mm(&self) -> f64 {
        self.written_ct_mm() / self.finer as f64
    }

    pub(super) fn describe(&self, report: &mut SetReport) {
        let Registration { placement, slices, agreeing, spread_mm, similarity } = self.registration;
        let round = |value: f64| (value * 1e4).round() / 1e4;
        report.shift_mm = placement.shift_mm.map(round);
        report.scale = if self.is_ct_known { round(placement.scale) } else { 1.0 };
        report.is_turned = self.photo.is_turned;
        (report.registered_slices, report.agreeing_slices) = (slices, agreeing);
        (report.spread_mm, report.similarity) = (round(spread_mm), round(similarity));
        (report.ct_mm_per_px, report.rgb_mm_per_px) = (self.written_ct_mm(), self.written_rgb_mm());
        report.warnings.clone_from(&self.warnings);
        if !self.is_ct_known {
            report.warnings.push("pixel size of the CT was found from the photographs".to_owned());
        }
    }
}

fn photo_stand_in_mm([columns, _]: [usize; 2]) -> f64 {
    PHOTO_WIDTH_MM / columns.max(1) as f64
}

/// Evenly over the set, those that can be used.
fn anchors(run: &SetRun<'_>, job: &PrepareJob, ct_mm: f64) -> Result<Vec<Anchor>, String> {
    let candidates = &run.set.candidates;
    let count = candidates.len().min(ANCHORS);
    let chosen: Vec<&Candidate<'_>> =
        (0..count).map(|k| &candidates[(2 * k + 1) * candidates.len() / (2 * count)]).collect();
    let outcomes: Vec<Result<Anchor, String>> = chosen
        .par_iter()
        .map(
            |candidate| {
                if run.is_cancelled() { Err("cancelled".to_owned()) } else { anchor(run, job, candidate, ct_mm) }
            },
        )
        .collect();
    let last_problem = outcomes.iter().rev().find_map(|outcome| outcome.as_ref().err().cloned());
    let anchors: Vec<Anchor> = outcomes.into_iter().flatten().collect();
    if anchors.is_empty() {
        let problem = last_problem.unwrap_or_default();
        return Err(format!("none of {count} slices can be registered: {problem}"));
    }
    Ok(anchors)
}

fn anchor(run: &SetRun<'_>, job: &PrepareJob, candidate: &Candidate<'_>, ct_mm: f64) -> Result<Anchor, String> {
    let loaded = run.load(candidate).map_err(|(_, problem)| problem)?;
    let size = [loaded.picture.columns, loaded.picture.rows];
    let photo_mm = job.rgb_mm.or(loaded.picture.mm_per_pixel);
    let photo = PhotoPlane::of(&loaded.picture, photo_mm.unwrap_or_else(|| photo_stand_in_mm(size)));
    if photo.is_black {
        return Err("the photograph is black".to_owned());
    }
    let ct = CtPlane::of(&loaded.ct, ct_mm)?;
    let subject = Subject::new(&ct.plane, &ct.body, &photo.plane).ok_or("there is no tissue on the photograph")?;
    Ok(Anchor { subject, size, photo_mm, anterior: loaded.picture.anterior })
}

/// The anchors whose photographs have the most common size, and the first of them.
fn most_common(anchors: &[Anchor]) -> (&Anchor, Vec<&Anchor>) {
    let of_size = |size: [usize; 2]| anchors.iter().filter(move |anchor| anchor.size == size);
    let size = anchors.iter().map(|anchor| anchor.size).max_by_key(|size| of_size(*size).count());
    let same: Vec<&Anchor> = of_size(size.unwrap_or_default()).collect();
    (same[0], same)
}

/// Both ways up are tried; what the format says wins unless the other fits clearly better.
fn the_right_way_up(
    as_stored: &[Subject],
    anterior: AnteriorSide,
    scales: ScaleRange,
    warnings: &mut Vec<String>,
) -> Result<(Registration, bool), String> {
    let turned: Vec<Subject> = as_stored.iter().map(Subject::upside_down).collect();
    let outcomes = [register(as_stored, scales), register(&turned, scales)];
    let fit = |outcome: &Result<Registration, NoAgreement>| {
        outcome.as_ref().map_or(0.0, |found| found.similarity * found.agreeing as f64 / found.slices as f64)
    };
    let [fit_as_stored, fit_turned] = [fit(&outcomes[0]), fit(&outcomes[1])];
    let is_turned = match anterior {
        AnteriorSide::Top => fit_turned > CLEARLY_BETTER * fit_as_stored,
        AnteriorSide::Bottom => fit_as_stored <= CLEARLY_BETTER * fit_turned,
        AnteriorSide::Unknown => fit_turned > fit_as_stored,
    };
    let is_as_said = match anterior {
        AnteriorSide::Top => !is_turned,
        AnteriorSide::Bottom => is_turned,
        AnteriorSide::Unknown => true,
    };
    if !is_as_said {
        warnings
            .push("the photographs fit the CT the other way up than their format says; look at the sheet".to_owned());
    }
    let [as_stored, turned] = outcomes;
    let found = if is_turned { turned } else { as_stored };
    found.map(|registration| (registration, is_turned)).map_err(|error| error.to_string())
}
