//! One set: where its photographs lie, then every pair.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::registration::Placement;
use super::ct::{self, CtPlane};
use super::measure::{self, Measures};
use super::photo::PhotoPlane;
use super::place::{PhotoFormat, SetPlace};
use super::render::{Field, render, turn_upside_down};
use super::report::{Reason, Rejection, SetReport, WrittenPair};
use super::sets::{Candidate, PairSet};
use super::{PrepareError, PrepareJob, PrepareProgress, Told, sheet};
use crate::io::photo_png::{PngSize, read_note, write_grey16, write_photo};
use crate::io::{CryosectionPicture, ReadRequest};
use crate::training::registration::Subject;
use crate::units::SliceIndex;
use crate::volume::{CtSlice, CtVolume, SliceState};

/// Around the body, so much gelatin stays: where the CT's outline lies a little further out, what makes training targets
/// continues the skin over gelatin, which it could not do over black.
const COLLAR_MM: f64 = 8.0;
/// Widest picture that is written.
const MOST_COLUMNS: usize = 4096;
/// In every photograph that is written.
const CREDIT: &str = "Visible Human cryosection, courtesy of the U.S. National Library of Medicine, placed on the CT of its \
                      level; the gelatin around the body is black";

/// What came of a set.
pub(super) struct SetOutcome {
    pub(super) report: SetReport,
    pub(super) pairs: Vec<WrittenPair>,
    pub(super) rejected: Vec<Rejection>,
}

/// Why a slice gave nothing.
pub(super) type Refusal = (Reason, String);

/// A finished pair.
#[derive(Clone, Copy)]
struct Finished {
    measures: Measures,
    is_reused: bool,
}

/// Kept in the photograph that is written, so that it need not be made again.
#[derive(Serialize, Deserialize)]
struct Note {
    key: String,
    measures: Measures,
}

/// One set at work.
pub(super) struct SetRun<'a> {
    job: &'a PrepareJob,
    pub(super) set: &'a PairSet<'a>,
    volume: Arc<CtVolume>,
    told: Told<'a>,
}

/// A pair as it was read.
pub(super) struct Loaded {
    pub(super) ct: CtSlice,
    pub(super) picture: CryosectionPicture,
}

impl<'a> SetRun<'a> {
    /// Reads the CT.
    pub(super) fn new(job: &'a PrepareJob, set: &'a PairSet<'a>, told: Told<'a>) -> Result<Self, PrepareError> {
        let volume = set.series.pending_volume();
        let request = ReadRequest { first: set.candidates[0].slice, cancel: told.cancel, on_slice: &|_| {} };
        // What could not be read is said slice by slice.
        let warnings = set.series.read_into(&volume, &request).map_err(super::of_ct)?;
        tracing::debug!(set = set.name, warnings = warnings.len(), "CT read");
        Ok(Self { job, set, volume, told })
    }

    /// Registers the set and writes its pairs.
    pub(super) fn run(&self) -> Result<SetOutcome, PrepareError> {
        let mut report =
            SetReport { name: self.set.name.clone(), candidates: self.set.candidates.len(), ..SetReport::default() };
        let found = SetPlace::find(self, self.job);
        self.told.check_cancelled()?;
        let place = match found {
            Ok(place) => place,
            Err(problem) => return Ok(self.unregistered(report, problem)),
        };
        place.describe(&mut report);
        self.told.tell(&PrepareProgress::Registered { set: &report });
        let folder = self.job.out.join(&self.set.name);
        crate::io::atomic_file::writable_folder(&folder)?;
        let outcomes = self.finish_all(&place)?;
        let (pairs, rejected) = self.judge(&place, &outcomes)?;
        report.pairs = pairs.len();
        let is_taken = |slice: &str| pairs.iter().any(|pair| pair.slice == slice);
        report.reused = outcomes
            .iter()
            .zip(&self.set.candidates)
            .filter(|(outcome, candidate)| {
                outcome.as_ref().is_ok_and(|pair| pair.is_reused) && is_taken(&candidate.level.to_string())
            })
            .count();
        sheet::write(self, self.job, &place, &rejected)?;
        Ok(SetOutcome { report, pairs, rejected })
    }

    fn unregistered(&self, report: SetReport, problem: String) -> SetOutcome {
        let rejected = self.set.candidates.iter().map(|candidate| Rejection {
            set: self.set.name.clone(),
            slice: candidate.level.to_string(),
            reason: Reason::UnregisteredSet,
            detail: problem.clone(),
        });
        let rejected = rejected.collect();
        SetOutcome { report: SetReport { problem: Some(problem), ..report }, pairs: Vec::new(), rejected }
    }

    /// Whether the user wants no more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.told.cancel.is_cancelled()
    }

    /// A CT slice upright.
    pub(super) fn ct_slice(&self, slice: SliceIndex) -> Result<CtSlice, Refusal> {
        match self.volume.slice(slice) {
            SliceState::Ready(content) => ct::upright(&content, self.volume.geometry())
                .ok_or_else(|| (Reason::UnreadableCt, "the CT slice does not lie across the body".to_owned())),
            SliceState::Missing(reason) => Err((Reason::UnreadableCt, reason.to_string())),
            SliceState::Pending => Err((Reason::UnreadableCt, "the CT slice was not read".to_owned())),
        }
    }

    /// A pair as stored, the CT upright.
    pub(super) fn load(&self, candidate: &Candidate<'_>) -> Result<Loaded, Refusal> {
        let picture = candidate.section.read().map_err(|problem| (Reason::UnreadablePhotograph, problem))?;
        Ok(Loaded { ct: self.ct_slice(candidate.slice)?, picture })
    }

    /// The pair of a candidate with its photograph upright, checked against the set's format.
    pub(super) fn load_upright(&self, candidate: &Candidate<'_>, format: &PhotoFormat) -> Result<Loaded, Refusal> {
        let mut loaded = self.load(candidate)?;
        let (columns, rows) = (loaded.picture.columns, loaded.picture.rows);
        if [columns, rows] != format.size {
            let [expected_columns, expected_rows] = format.size;
            let detail = format!(
                "expected {expected_columns} × {expected_rows} pixels as in the rest, found {columns} × {rows}"
            );
            return Err((Reason::WrongSize, detail));
        }
        if format.is_turned {
            turn_upside_down(&mut loaded.picture);
        }
        Ok(loaded)
    }

    fn finish_all(&self, place: &SetPlace) -> Result<Vec<Result<Finished, Refusal>>, PrepareError> {
        let done = AtomicUsize::new(0);
        let total = self.set.candidates.len();
        let finish = |candidate: &Candidate<'_>| {
            self.told.check_cancelled()?;
            let outcome = self.finish(candidate, place)?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.told.tell(&PrepareProgress::Slice { set: &self.set.name, done, total });
            Ok(outcome)
        };
        self.set.candidates.par_iter().with_max_len(1).map(finish).collect()
    }

    /// Measures a pair and writes it.
    fn finish(&self, candidate: &Candidate<'_>, place: &SetPlace) -> Result<Result<Finished, Refusal>, PrepareError> {
        let paths = self.paths(candidate);
        let ct = match self.ct_slice(candidate.slice) {
            Ok(ct) => ct,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = key_of(candidate, &ct, place);
        if let Some(measures) = finished_before(&paths, &key) {
            return Ok(Ok(Finished { measures, is_reused: true }));
        }
        let made = self.load_upright(candidate, &place.photo).and_then(|loaded| make(&loaded, place));
        let (measures, rgb8, field) = match made {
            Ok(made) => made,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let ct_size = PngSize { columns: ct.columns(), rows: ct.rows(), mm_per_pixel: place.written_ct_mm() };
        write_grey16(&paths[0], ct_size, &ct::stored_values(&ct))?;
        let size = PngSize { columns: field.columns, rows: field.rows, mm_per_pixel: place.written_rgb_mm() };
        let note = serde_json::to_string(&Note { key, measures }).unwrap_or_default();
        write_photo(&paths[1], size, &rgb8, &note, CREDIT)?;
        Ok(Ok(Finished { measures, is_reused: false }))
    }

    /// CT and photograph.
    fn paths(&self, candidate: &Candidate<'_>) -> [PathBuf; 2] {
        let folder = self.job.out.join(&self.set.name);
        ["ct", "rgb"].map(|kind| folder.join(format!("{}_{kind}.png", candidate.level)))
    }

    /// Takes out what does not fit its neighbours, files and all.
    fn judge(
        &self,
        place: &SetPlace,
        outcomes: &[Result<Finished, Refusal>],
    ) -> Result<(Vec<WrittenPair>, Vec<Rejection>), PrepareError> {
        let measures: Vec<Measures> = outcomes.iter().flatten().map(|pair| pair.measures).collect();
        let mut verdicts = measure::judge(&measures).into_iter();
        let (mut pairs, mut rejected) = (Vec::new(), Vec::new());
        for (candidate, outcome) in self.set.candidates.iter().zip(outcomes) {
            let refusal = match outcome {
                Ok(_) => verdicts.next().flatten(),
                Err(refusal) => Some(refusal.clone()),
            };
            let (set, slice) = (self.set.name.clone(), candidate.level.to_string());
            if let Some((reason, detail)) = refusal {
                self.remove(candidate)?;
                rejected.push(Rejection { set, slice, reason, detail });
            } else {
                pairs.push(WrittenPair {
                    set,
                    slice,
                    level_mm: candidate.level.millimeters(),
                    ct_mm_per_pixel: place.written_ct_mm(),
                    rgb_mm_per_pixel: place.written_rgb_mm(),
                });
            }
        }
        Ok((pairs, rejected))
    }

    /// Takes away what this command wrote for a slice, now or before.
    fn remove(&self, candidate: &Candidate<'_>) -> Result<(), PrepareError> {
        for path in self.paths(candidate) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(crate::io::atomic_file::WriteError::from_io(&path, error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn make(loaded: &Loaded, place: &SetPlace) -> Result<(Measures, Vec<u8>, Field), Refusal> {
    let photo = PhotoPlane::of(&loaded.picture, place.photo.mm_per_pixel);
    if photo.is_black {
        return Err((
            Reason::Black,
            "there is next to nothing on the photograph: a place holder for a saw cut".to_owned(),
        ));
    }
    let ct = CtPlane::of(&loaded.ct, place.ct_mm).map_err(|problem| (Reason::NoBody, problem))?;
    let subject = Subject::new(&ct.plane, &ct.body, &photo.plane)
        .ok_or_else(|| (Reason::Unlike, "there is no tissue on the photograph".to_owned()))?;
    let placement = place.registration.placement;
    let measures = Measures::of(&ct, &photo, &subject, &placement);
    let kept = kept(&photo, &ct, &placement);
    let field = field(&loaded.ct, place.ct_mm, place.finer);
    let rgb8 = render(&loaded.picture, place.photo.mm_per_pixel, &placement, field, (&photo.plane, &kept));
    Ok((measures, rgb8, field))
}

/// What of a photograph is shown, on the pixels of its plane.
pub(super) fn kept(photo: &PhotoPlane, ct: &CtPlane, placement: &Placement) -> Vec<bool> {
    let on_ct = |place: [f64; 2]| std::array::from_fn(|k| (place[k] - placement.shift_mm[k]) / placement.scale);
    photo.kept(|place| ct.is_body(on_ct(place)), COLLAR_MM)
}

/// The CT's field of view in pixels `finer` times as small.
fn field(ct: &CtSlice, ct_mm: f64, finer: usize) -> Field {
    Field { columns: ct.columns() * finer, rows: ct.rows() * finer, mm_per_pixel: ct_mm / finer as f64 }
}

/// How many pixels of the photograph as written make one of the CT: as fine as the photograph, not finer.
pub(super) fn finer(ct_columns: usize, ct_mm_on_photo: f64, photo_mm: f64) -> usize {
    let most = (MOST_COLUMNS / ct_columns.max(1)).max(1);
    ((ct_mm_on_photo / photo_mm + 0.05) as usize).clamp(1, most)
}

/// Equal keys mean equal pairs.
fn key_of(candidate: &Candidate<'_>, ct: &CtSlice, place: &SetPlace) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(candidate.section.identity());
    hash.update(bytemuck::cast_slice::<i16, u8>(ct.values_hu()));
    let settings = (ct.columns(), place.ct_mm, place.finer, &place.photo, place.registration.placement);
    hash.update(format!("{settings:?}"));
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn finished_before(paths: &[PathBuf; 2], key: &str) -> Option<Measures> {
    let note: Note = serde_json::from_str(&read_note(&paths[1])?).ok()?;
    (note.key == key && paths[0].is_file()).then_some(note.measures)
}
