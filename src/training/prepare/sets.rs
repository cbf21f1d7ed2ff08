//! Which CT slice has which photograph.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Reason, Rejection};
use super::{PrepareError, PrepareJob};
use crate::io::{Cryosection, Cryosections, Level, Scan, Series};
use crate::units::SliceIndex;

/// A CT slice and the photograph of its level.
pub(super) struct Candidate<'a> {
    pub(super) slice: SliceIndex,
    pub(super) level: Level,
    pub(super) section: &'a Cryosection,
}

/// One CT session with its photographs.
pub(super) struct PairSet<'a> {
    pub(super) name: String,
    pub(super) series: &'a Series,
    /// By level.
    pub(super) candidates: Vec<Candidate<'a>>,
    without_photograph: Vec<Level>,
}

/// Everything that can be paired, and what cannot.
pub(super) struct Matched<'a> {
    pub(super) sets: Vec<PairSet<'a>>,
    pub(super) rejected: Vec<Rejection>,
    pub(super) warnings: Vec<String>,
}

/// Pairs slices and photographs of the same number.
pub(super) fn match_levels<'a>(
    job: &PrepareJob,
    scan: &'a Scan,
    photographs: &'a Cryosections,
) -> Result<Matched<'a>, PrepareError> {
    let by_level: BTreeMap<Level, &Cryosection> = photographs.found.iter().map(|one| (one.level(), one)).collect();
    let mut matched = Matched { sets: Vec::new(), rejected: Vec::new(), warnings: Vec::new() };
    let mut ct_levels = BTreeSet::new();
    let mut numbered = 0;
    for series in &scan.series {
        let is_localizer = series.info().warnings.iter().any(|warning| warning.code == "localizer");
        let slices = (0..series.info().slice_count).map(SliceIndex);
        let levels: Vec<(SliceIndex, Level)> =
            slices.filter(|_| !is_localizer).filter_map(|slice| Some((slice, series.level(slice)?))).collect();
        if levels.is_empty() {
            let what = if is_localizer { "is a localizer" } else { "has no numbers" };
            matched.warnings.push(format!("CT series {} {what} and was left out", series.info().number));
            continue;
        }
        numbered += 1;
        ct_levels.extend(levels.iter().map(|(_, level)| *level));
        matched.add_set(series, &levels, &by_level);
    }
    if numbered == 0 {
        return Err(PrepareError::NoNumbers { series: scan.series.len(), path: job.ct.clone() });
    }
    if matched.sets.is_empty() {
        let (ct, photographs) = (range(ct_levels.iter()), range(by_level.keys()));
        return Err(PrepareError::NothingInCommon { ct, photographs });
    }
    matched.name_sets();
    matched.reject_lonely_slices();
    matched.reject_photographs(photographs, &ct_levels);
    Ok(matched)
}

/// `1001 to 1878`.
fn range<'a>(levels: impl Iterator<Item = &'a Level> + Clone) -> String {
    match (levels.clone().min(), levels.max()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(only), _) => only.to_string(),
        _ => "none".to_owned(),
    }
}

impl<'a> Matched<'a> {
    fn add_set(
        &mut self,
        series: &'a Series,
        levels: &[(SliceIndex, Level)],
        by_level: &BTreeMap<Level, &'a Cryosection>,
    ) {
        let mut set =
            PairSet { name: base_name(series), series, candidates: Vec::new(), without_photograph: Vec::new() };
        for &(slice, level) in levels {
            match by_level.get(&level) {
                Some(&section) => set.candidates.push(Candidate { slice, level, section }),
                None => set.without_photograph.push(level),
            }
        }
        set.candidates.sort_by_key(|candidate| (candidate.level, candidate.slice));
        set.candidates.dedup_by_key(|candidate| candidate.level);
        if set.candidates.is_empty() {
            self.reject_lonely(&set.name, set.without_photograph);
        } else {
            self.sets.push(set);
        }
    }

    /// CT slices without a photograph, under the name that their set has got.
    fn reject_lonely_slices(&mut self) {
        for index in 0..self.sets.len() {
            let levels = std::mem::take(&mut self.sets[index].without_photograph);
            let name = self.sets[index].name.clone();
            self.reject_lonely(&name, levels);
        }
    }

    fn reject_lonely(&mut self, set: &str, levels: Vec<Level>) {
        for level in levels {
            self.reject(set, level, Reason::NoPhotograph, "no photograph has this number".to_owned());
        }
    }

    fn reject(&mut self, set: &str, level: Level, reason: Reason, detail: String) {
        self.rejected.push(Rejection { set: set.to_owned(), slice: level.to_string(), reason, detail });
    }

    /// Sessions of one kind are told apart by a number, from the head downwards.
    fn name_sets(&mut self) {
        self.sets.sort_by_key(|set| (set.name.clone(), set.candidates[0].level));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for set in &self.sets {
            *counts.entry(set.name.clone()).or_default() += 1;
        }
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for set in &mut self.sets {
            if counts.get(&set.name).is_some_and(|count| *count > 1) {
                let number = numbers.entry(set.name.clone()).or_default();
                *number += 1;
                set.name = format!("{}_{number}", set.name);
            }
        }
    }

    fn reject_photographs(&mut self, photographs: &Cryosections, ct_levels: &BTreeSet<Level>) {
        for one in photographs.found.iter().filter(|one| !ct_levels.contains(&one.level())) {
            self.reject("", one.level(), Reason::NoCt, "no CT slice has this number".to_owned());
        }
        for one in &photographs.duplicates {
            self.reject("", one.level(), Reason::Duplicate, "another file shows this level and was used".to_owned());
        }
        for (reason, count) in &photographs.left_out {
            self.warnings.push(format!("{count} files among the photographs were left out: {reason}"));
        }
    }
}

/// `male_fresh`, `female_fresh`, `ct`. Not a DICOM description, which may name a person.
fn base_name(series: &Series) -> String {
    let description = series.info().description.to_lowercase();
    let is_nlm = series.info().kind == crate::volume::SeriesKind::VisibleHuman;
    let words = ["female", "male", "fresh", "frozen"].into_iter().filter(|word| {
        let mut words = description.split(|c: char| !c.is_alphanumeric());
        is_nlm && words.any(|found| found == *word)
    });
    let name = words.collect::<Vec<_>>().join("_");
    if name.is_empty() { "ct".to_owned() } else { name }
}
