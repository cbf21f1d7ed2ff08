//! Series of plain pictures: one file a slice, numbered by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::files::FoundFile;
use super::{LoadError, ReadRequest, SliceSource, outward_order};
use crate::units::SliceIndex;
use crate::volume::{CtSlice, CtVolume, SeriesWarning};

/// Largest picture: four times the side of any CT.
pub(super) const MAX_PIXELS: usize = 8192 * 8192;
/// More slices than any CT has.
const MAX_SLICES: usize = 50_000;

/// A picture and its number.
#[derive(Clone, Debug)]
pub(super) struct NumberedFile {
    pub(super) file: FoundFile,
    pub(super) number: u32,
}

/// Files that make one series, by rising number; each number once.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    /// Folder that holds them.
    pub(super) folder: PathBuf,
    pub(super) slices: Vec<NumberedFile>,
    pub(super) warnings: Vec<SeriesWarning>,
}

/// Groups files by folder, by their names without the last number, and by what else they share (size, …).
pub(super) fn group<K: Ord>(files: Vec<(FoundFile, K)>) -> Vec<(Numbered, K)> {
    let mut groups: BTreeMap<(PathBuf, String, String, K), Vec<NumberedFile>> = BTreeMap::new();
    for (file, shared) in files {
        let folder = file.path().parent().unwrap_or(Path::new("")).to_owned();
        let name = file.name();
        let (before, number, after) = split_number(without_packing(&name));
        groups.entry((folder, before, after, shared)).or_default().push(NumberedFile { file, number });
    }
    groups.into_iter().map(|((folder, _, _, shared), slices)| (numbered(folder, slices), shared)).collect()
}

/// A name without the ending of gzip or compress.
pub(super) fn without_packing(name: &str) -> &str {
    [".gz", ".Z", ".z"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// A name before its last number, the number, and what follows: `c_vm`, 1500, `.fre`.
pub(super) fn split_number(name: &str) -> (String, u32, String) {
    let is_digit = |c: char| c.is_ascii_digit();
    // Not the 2 of `.j2k`: the number stands before the first dot.
    let stem = name.split('.').next().unwrap_or(name);
    let Some(end) = stem.rfind(is_digit).map(|last| last + 1) else { return (name.to_owned(), 0, String::new()) };
    let start = stem[..end].rfind(|c| !is_digit(c)).map_or(0, |before| before + 1);
    let start = stem[..end].char_indices().map(|(at, _)| at).find(|at| *at >= start).unwrap_or(end);
    let number = stem[start..end].parse().unwrap_or(0);
    (name[..start].to_owned(), number, name[end..].to_owned())
}

fn numbered(folder: PathBuf, mut slices: Vec<NumberedFile>) -> Numbered {
    let mut warnings = Vec::new();
    slices.sort_by(|a, b| (a.number, a.file.path()).cmp(&(b.number, b.file.path())));
    let before = slices.len();
    slices.dedup_by_key(|slice| slice.number);
    slices.truncate(MAX_SLICES);
    if slices.len() < before {
        let message =
            format!("{} files have a number that another file has too, and were left out", before - slices.len());
        warnings.push(SeriesWarning { code: "duplicate", message });
    }
    let steps: Vec<u32> = slices.windows(2).map(|pair| pair[1].number - pair[0].number).collect();
    let usual = median(&steps);
    let uneven: Vec<usize> = (0..steps.len()).filter(|k| Some(steps[*k]) != usual).collect();
    if let (Some(first), Some(usual)) = (uneven.first(), usual) {
        let (from, to) = (slices[*first].number, slices[first + 1].number);
        let exceptions =
            if uneven.len() == 1 { "1 exception".to_owned() } else { format!("{} exceptions", uneven.len()) };
        let message =
            format!("slices are numbered in steps of {usual}, with {exceptions}, the first between {from} and {to}");
        warnings.push(SeriesWarning { code: "gap", message });
    }
    Numbered { folder, slices, warnings }
}

fn median(steps: &[u32]) -> Option<u32> {
    let mut sorted = steps.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// Reads one picture in HU; the text says in plain words why not.
pub(super) type ReadPicture = fn(&FoundFile, columns: usize, rows: usize) -> Result<Vec<i16>, String>;

/// The pictures of one series.
#[derive(Debug)]
pub(super) struct OnePerSlice {
    pub(super) files: Vec<FoundFile>,
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) read: ReadPicture,
}

impl SliceSource for OnePerSlice {
    fn read_into(&self, volume: &CtVolume, request: &ReadRequest<'_>) -> Result<Vec<SeriesWarning>, LoadError> {
        let read = |slice: &SliceIndex| {
            if request.cancel.is_cancelled() {
                return None;
            }
            let outcome = (self.read)(&self.files[slice.0], self.columns, self.rows);
            let problem = outcome.as_ref().err().cloned();
            let content = outcome.map(|values_hu| CtSlice::new(self.columns, self.rows, values_hu.into()));
            volume.set_slice(*slice, content.map_err(Into::into));
            (request.on_slice)(*slice);
            problem.map(|problem| (problem, *slice))
        };
        let order = outward_order(request.first, self.files.len());
        let problems: BTreeSet<(String, SliceIndex)> = order.par_iter().with_max_len(1).filter_map(read).collect();
        if request.cancel.is_cancelled() {
            return Err(LoadError::Cancelled);
        }
        let mut by_problem: BTreeMap<String, Vec<SliceIndex>> = BTreeMap::new();
        for (problem, slice) in problems {
            by_problem.entry(problem).or_default().push(slice);
        }
        Ok(by_problem.into_iter().map(|(problem, slices)| missing(&problem, &slices)).collect())
    }
}

fn missing(problem: &str, slices: &[SliceIndex]) -> SeriesWarning {
    let message = match slices {
        [one] => format!("slice {one} could not be read: {problem}"),
        more => format!("{} slices, the first of them slice {}, could not be read: {problem}", more.len(), more[0]),
    };
    SeriesWarning { code: "missing-slice", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_before_the_dot_orders_files() {
        let parts = |name: &str| {
            let (before, number, after) = split_number(name);
            (before, number, after)
        };
        let of = |before: &str, number, after: &str| (before.to_owned(), number, after.to_owned());
        assert_eq!(parts("c_vm1500.fre"), of("c_vm", 1500, ".fre"));
        assert_eq!(parts("000001_01_01_109.png"), of("000001_01_01_", 109, ".png"));
        assert_eq!(parts("cvm1500f.png.gz"), of("cvm", 1500, "f.png.gz"));
        assert_eq!(parts("ä7ö.png"), of("ä", 7, "ö.png"));
        assert_eq!(parts("none.png"), of("none.png", 0, ""));
        assert_eq!(parts("99999999999999.png"), of("", 0, ".png"));
    }
}
