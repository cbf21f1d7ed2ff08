//! Measuring where there is no photograph (paper §4.3): three preprocessing settings side by side, and figures of the colours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::error::EvaluateError;
use super::series_sheet::SeriesSheet;
use super::{EvaluateArgs, files, methods, series_table, spread};
use crate::cli::console::{self, Console};
use crate::cli::{interrupt, source};
use crate::io::ReadRequest;
use crate::model::Colorizer;
use crate::preprocess::Ablation;
use crate::training::evaluation::{ColoredSlice, Method, SeriesFigures, SeriesWatch, measure_series};
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{CtVolume, SeriesInfo};

/// The settings of the paper's Fig. 5, by their names there.
pub(super) const SETTINGS: [(&str, Ablation); 3] =
    [("Both", Ablation::Both), ("Body mask", Ablation::BodyMask), ("Without both", Ablation::WithoutBoth)];

/// All series.
#[derive(Debug, Serialize)]
pub(super) struct SeriesReport {
    pub(super) series: Vec<OneSeries>,
}

/// One series.
#[derive(Debug, Serialize)]
pub(super) struct OneSeries {
    /// Its description, without identity.
    pub(super) name: String,
    pub(super) slices: usize,
    pub(super) slice_spacing_mm: Option<f64>,
    pub(super) results: Vec<SeriesResult>,
}

/// One generator with one setting.
#[derive(Debug, Serialize)]
pub(super) struct SeriesResult {
    pub(super) name: String,
    pub(super) weights: String,
    pub(super) setting: &'static str,
    #[serde(flatten)]
    pub(super) figures: SeriesFigures,
}

pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    if args.names.len() > args.series.len() {
        return Err(EvaluateError::MoreNames { names: args.names.len(), series: args.series.len() }.into());
    }
    let cancel = interrupt::flag()?;
    let mut console = Console::new();
    let generators = methods::generators(&args.weights, args.device)?;
    methods::say_where(&mut console, &generators);
    let opened = args.series.iter().map(|path| open(path, &mut console, &cancel)).collect::<Result<Vec<_>, _>>()?;
    let mut report = SeriesReport { series: Vec::new() };
    for (index, (info, volume)) in opened.iter().enumerate() {
        let chosen =
            args.sheet.as_ref().map_or_else(Vec::new, |_| spread(args.sheet_slices.into(), volume.slice_count()));
        let name = args.names.get(index).map_or_else(|| name_of(info), String::as_str);
        let mut sheet = SeriesSheet::new(name, volume, chosen);
        report.series.push(measure_one(name, volume, &generators, &mut sheet, (&mut console, &cancel))?);
        if let Some(path) = &args.sheet {
            let path = numbered(path, index, opened.len());
            let colorizers: Vec<&Colorizer> = generators.iter().filter_map(Method::colorizer).collect();
            files::write_sheet(&path, &sheet.sheet(), &colorizers, "evaluation of a series".to_owned())?;
        }
    }
    console.clear();
    if let Some(path) = &args.csv {
        files::write_csv(path, series_table::records(&report))?;
    }
    if let Some(path) = &args.markdown {
        files::write_text(path, &series_table::markdown(&report))?;
    }
    let text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { series_table::text(&report) };
    console::print(&text)
}

/// Reads the largest series of a path, all of it.
fn open(path: &Path, console: &mut Console, cancel: &CancelFlag) -> anyhow::Result<(SeriesInfo, Arc<CtVolume>)> {
    let scan = source::scan(path, cancel, &|_| {})?;
    let series = scan.series.first().ok_or_else(|| EvaluateError::NoSeries { path: path.to_owned() })?;
    if scan.series.len() > 1 {
        let (slices, others) = (series.info().slice_count, scan.series.len() - 1);
        console.say(&format!("the largest series ({slices} slices) is measured; {others} more are not"));
    }
    let volume = series.pending_volume();
    let first = SliceIndex(volume.slice_count() / 2);
    let mut warnings = series.info().warnings.clone();
    warnings.extend(series.read_into(&volume, &ReadRequest { first, cancel, on_slice: &|_| {} })?);
    for warning in warnings {
        console.say(&format!("{}: {}", name_of(series.info()), warning.message));
    }
    Ok((series.info().clone(), volume))
}

/// What a series is called: its description, or what it is.
fn name_of(info: &SeriesInfo) -> &str {
    if info.description.is_empty() { "CT" } else { &info.description }
}

fn measure_one(
    name: &str,
    volume: &CtVolume,
    generators: &[Method],
    sheet: &mut SeriesSheet,
    (console, cancel): (&mut Console, &CancelFlag),
) -> anyhow::Result<OneSeries> {
    let total = volume.slice_count() * generators.len() * SETTINGS.len();
    let mut done = 0;
    let mut results = Vec::new();
    for method in generators {
        let Some(colorizer) = method.colorizer() else { continue };
        for (setting, ablation) in SETTINGS {
            let column = sheet.add_column(format!("{}\n{setting}", method.name()));
            let mut on_slice = |slice: SliceIndex, colored: Option<&ColoredSlice<'_>>| {
                done += 1;
                sheet.add(column, slice, colored);
                console.progress(&format!("{name}: painted"), done, total);
            };
            let mut watch = SeriesWatch { cancel, on_slice: &mut on_slice };
            results.push(SeriesResult {
                name: method.name().to_owned(),
                weights: method.weights().unwrap_or_default().to_owned(),
                setting,
                figures: measure_series(volume, colorizer, ablation, &mut watch)?,
            });
        }
    }
    Ok(OneSeries {
        name: name.to_owned(),
        slices: volume.slice_count(),
        slice_spacing_mm: volume.geometry().slice_spacing_mm(),
        results,
    })
}

/// `sheet.png` for one series, `sheet-1.png` and so on for several.
fn numbered(path: &Path, index: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_owned();
    }
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = path.extension().map_or_else(String::new, |extension| format!(".{}", part(Some(extension))));
    path.with_file_name(format!("{}-{}{extension}", part(path.file_stem()), index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_of_several_series_are_numbered_before_their_ending() {
        let path = Path::new("out/sheet.png");
        assert_eq!(numbered(path, 0, 1), path, "one keeps its name");
        assert_eq!(numbered(path, 1, 2), Path::new("out/sheet-2.png"), "the second of two");
    }
}
