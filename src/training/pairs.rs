//! The table of pairs: CT slices with the photograph of the same level, and which of them are held out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::TrainingError;
use crate::model::Seed;

/// Levels further apart than this belong to different regions of the body.
const REGION_GAP_MM: f64 = 20.0;
/// What the two parts are called when the program splits.
pub const TRAIN_SPLIT: &str = "train";
/// See [`TRAIN_SPLIT`].
pub const HELD_OUT_SPLIT: &str = "val";

/// One row: a CT picture and the photograph of the same level. Both start at the same corner and cover the same field.
#[derive(Clone, Debug, PartialEq)]
pub struct PairRow {
    /// Line in the table, from 1.
    pub line: u64,
    /// Which series of slices it belongs to.
    pub set: String,
    /// The slice's own name.
    pub slice: String,
    /// Millimetres along the body.
    pub level_mm: f64,
    /// `train`, `val`, or any other name; empty before the table is split.
    pub split: String,
    /// 16-bit grey PNG, HU = value − 1024.
    pub ct: PathBuf,
    /// 8-bit colour PNG or JPEG.
    pub rgb: PathBuf,
    /// Pixel size of the CT.
    pub ct_mm_per_pixel: f64,
    /// Pixel size of the photograph.
    pub rgb_mm_per_pixel: f64,
}

/// How a table without a split column is split: contiguous slabs, because neighbouring millimetres are nearly one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitRule {
    /// Share of each region that is held out (paper §4: 5 %).
    pub held_out_share: f64,
    /// Where the slabs lie.
    pub seed: Seed,
}

/// A table of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct PairTable {
    rows: Vec<PairRow>,
}

impl PairTable {
    /// Reads a CSV with the columns ct, rgb, `ct_mm_per_px`, `rgb_mm_per_px`, and if it likes set, slice and split.
    /// Paths are relative to the table. Rows without a split are split by `rule`.
    pub fn read(path: &Path, rule: SplitRule) -> Result<Self, TrainingError> {
        let table_error = |source| TrainingError::Table { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(table_error)?;
        let headers = reader.headers().map_err(table_error)?.clone();
        let columns = Columns::find(&headers, path)?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(columns.row(&record.map_err(table_error)?, folder, rows.len())?);
        }
        if columns.split.is_none() {
            split_into_slabs(&mut rows, rule);
        }
        Ok(Self { rows })
    }

    /// Rows of one split, in the order of the table.
    pub fn split(&self, name: &str) -> Result<Vec<PairRow>, TrainingError> {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.split == name).cloned().collect();
        if rows.is_empty() {
            let known: BTreeSet<_> = self.rows.iter().map(|row| row.split.clone()).collect();
            return Err(TrainingError::EmptySplit { split: name.to_owned(), known: known.into_iter().collect() });
        }
        Ok(rows)
    }

    /// Checks that every set that is asked for is there.
    pub fn check_sets(&self, sets: &[String]) -> Result<(), TrainingError> {
        let known: BTreeSet<_> = self.rows.iter().map(|row| &row.set).collect();
        match sets.iter().find(|set| !known.contains(set)) {
            Some(set) => {
                Err(TrainingError::UnknownSet { set: set.clone(), known: known.into_iter().cloned().collect() })
            }
            None => Ok(()),
        }
    }

    /// Rows of the split `train` that are more than `guard_mm` away from every level that is held out, in any set:
    /// frozen and fresh CT of one level share a photograph.
    pub fn training_rows(&self, train: &str, held_out: &str, guard_mm: f64) -> Result<Vec<PairRow>, TrainingError> {
        let held_out_mm: Vec<f64> =
            self.rows.iter().filter(|row| row.split == held_out).map(|row| row.level_mm).collect();
        let is_far = |row: &PairRow| held_out_mm.iter().all(|level| (level - row.level_mm).abs() > guard_mm);
        let rows: Vec<_> = self.split(train)?.into_iter().filter(is_far).collect();
        if rows.is_empty() {
            return Err(TrainingError::NothingToTrain { guard_mm, held_out: held_out.to_owned() });
        }
        Ok(rows)
    }
}

/// Where each field stands in a record.
struct Columns {
    ct: usize,
    rgb: usize,
    ct_mm_per_pixel: usize,
    rgb_mm_per_pixel: usize,
    set: Option<usize>,
    slice: Option<usize>,
    split: Option<usize>,
}

impl Columns {
    fn find(headers: &csv::StringRecord, path: &Path) -> Result<Self, TrainingError> {
        let find = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
        let need = |column: &'static str| {
            find(column).ok_or_else(|| TrainingError::MissingColumn { column, path: path.to_owned() })
        };
        Ok(Self {
            ct: need("ct")?,
            rgb: need("rgb")?,
            ct_mm_per_pixel: need("ct_mm_per_px")?,
            rgb_mm_per_pixel: need("rgb_mm_per_px")?,
            set: find("set"),
            slice: find("slice"),
            split: find("split"),
        })
    }

    fn row(&self, record: &csv::StringRecord, folder: &Path, index: usize) -> Result<PairRow, TrainingError> {
        let line = record.position().map_or(index as u64 + 2, csv::Position::line);
        let text = |column: usize| record.get(column).unwrap_or_default();
        let wrong =
            |field, expected, found: &str| TrainingError::Field { line, field, expected, found: found.to_owned() };
        let path = |column, field| match text(column) {
            "" => Err(wrong(field, "a path relative to the table", "")),
            name => Ok(folder.join(name)),
        };
        let millimeters = |column, field| match text(column).parse::<f64>() {
            Ok(value) if value > 0.0 && value < 100.0 => Ok(value),
            _ => Err(wrong(field, "millimetres per pixel, above 0 and below 100", text(column))),
        };
        let slice = self.slice.map_or_else(|| index.to_string(), |column| text(column).to_owned());
        let level_mm = level_mm(&slice)
            .ok_or_else(|| wrong("slice", "millimetres along the body, such as 1500 or 1500b", &slice))?;
        let split = self.split.map_or("", text);
        if self.split.is_some() && split.is_empty() {
            return Err(wrong("split", "a name such as train or val", ""));
        }
        Ok(PairRow {
            line,
            set: self.set.map_or("all", text).to_owned(),
            level_mm,
            slice,
            split: split.to_owned(),
            ct: path(self.ct, "ct")?,
            rgb: path(self.rgb, "rgb")?,
            ct_mm_per_pixel: millimeters(self.ct_mm_per_pixel, "ct_mm_per_px")?,
            rgb_mm_per_pixel: millimeters(self.rgb_mm_per_pixel, "rgb_mm_per_px")?,
        })
    }
}

/// NLM numbers levels in millimetres; the female's thirds carry the letters a, b and c.
fn level_mm(slice: &str) -> Option<f64> {
    let (number, third) = match slice.as_bytes().last()? {
        letter @ b'a'..=b'c' => (&slice[..slice.len() - 1], f64::from(letter - b'a') / 3.0),
        _ => (slice, 0.0),
    };
    let level = number.parse::<f64>().ok()? + third;
    level.is_finite().then_some(level)
}

/// Splits rows as [`splits`] does.
fn split_into_slabs(rows: &mut [PairRow], rule: SplitRule) {
    let levels: Vec<f64> = rows.iter().map(|row| row.level_mm).collect();
    for (row, split) in rows.iter_mut().zip(splits(&levels, rule)) {
        split.clone_into(&mut row.split);
    }
}

/// The split of each level: one slab of each region is held out, at a place that the seed chooses.
pub(super) fn splits(levels_mm: &[f64], rule: SplitRule) -> Vec<&'static str> {
    let mut levels = levels_mm.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let mut stream = rule.seed.stream("split");
    let mut held_out = Vec::new();
    for region in levels.chunk_by(|a, b| b - a <= REGION_GAP_MM) {
        let count = ((region.len() as f64 * rule.held_out_share).round() as usize).min(region.len().saturating_sub(1));
        let start = stream.below(region.len() - count + 1);
        if count > 0 {
            held_out.push(region[start]..=region[start + count - 1]);
        }
    }
    let split_of = |level: &f64| {
        let is_held_out = held_out.iter().any(|slab| slab.contains(level));
        if is_held_out { HELD_OUT_SPLIT } else { TRAIN_SPLIT }
    };
    levels_mm.iter().map(split_of).collect()
}

/// How many rows of each set, in words: `head 221, abdomen_fresh 90`.
pub fn count_by_set(rows: &[PairRow]) -> String {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.set.as_str()).or_insert(0) += 1;
    }
    counts.iter().map(|(set, count)| format!("{set} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SplitRule = SplitRule { held_out_share: 0.1, seed: Seed(3) };

    fn table(text: &str) -> Result<PairTable, TrainingError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, text).unwrap();
        PairTable::read(&path, RULE)
    }

    fn unsplit(levels: std::ops::Range<usize>) -> String {
        let rows = levels.map(|i| format!("{i},c{i}.png,r{i}.jpg,1,0.5\n"));
        "slice,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n".to_owned() + &rows.collect::<String>()
    }

    #[test]
    fn a_table_without_splits_holds_out_one_contiguous_slab() {
        let rows = table(&unsplit(1000..1100)).unwrap().split("val").unwrap();
        assert_eq!(rows.len(), 10, "a tenth");
        assert!((rows[9].level_mm - rows[0].level_mm - 9.0).abs() < 1e-9, "without gaps");
        let again = table(&unsplit(1000..1100)).unwrap().split("val").unwrap();
        assert_eq!(again[0].slice, rows[0].slice, "the seed decides");
    }

    #[test]
    fn training_keeps_away_from_held_out_levels_of_every_set() {
        let text = "set,slice,split,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n\
                    fresh,10,val,a,b,1,1\nfresh,14,train,a,b,1,1\nfrozen,12,train,a,b,1,1\nfrozen,16,train,a,b,1,1\n";
        let rows = table(text).unwrap().training_rows("train", "val", 5.0).unwrap();
        assert_eq!(rows.iter().map(|row| row.slice.as_str()).collect::<Vec<_>>(), ["16"], "only the far one");
    }

    #[test]
    fn a_bad_field_is_named_with_its_line() {
        let text = "slice,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n1,a,b,1,1\n2,a,b,-3,1\n";
        let message = table(text).unwrap_err().to_string();
        assert!(message.contains("line 3") && message.contains("ct_mm_per_px"), "{message}");
    }

    #[test]
    fn an_unknown_split_lists_the_known_ones() {
        let text = "slice,split,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n1,fold1,a,b,1,1\n";
        let message = table(text).unwrap().split("val").unwrap_err().to_string();
        assert!(message.contains("fold1"), "{message}");
    }

    #[test]
    fn thirds_of_a_millimetre_are_levels_too() {
        assert_eq!(level_mm("1001b").map(|mm| (mm * 3.0).round()), Some(3004.0), "the middle third");
        assert_eq!(level_mm("x"), None, "a word is no level");
    }
}
