//! What can be said of coloured series without photographs, as tables.

use super::series::{OneSeries, SeriesReport, SeriesResult};
use super::table::{aligned, in_markdown};

/// A table for a terminal, one a series.
pub(super) fn text(report: &SeriesReport) -> String {
    let tables: Vec<_> = report.series.iter().map(|one| format!("{}\n\n{}", title(one), aligned(&rows(one)))).collect();
    tables.join("\n")
}

/// The same in Markdown.
pub(super) fn markdown(report: &SeriesReport) -> String {
    let tables: Vec<_> =
        report.series.iter().map(|one| format!("{}.\n\n{}", title(one), in_markdown(&rows(one)))).collect();
    tables.join("\n")
}

/// One record a series, generator and setting, after the header.
pub(super) fn records(report: &SeriesReport) -> impl Iterator<Item = Vec<String>> {
    let header = [
        "series",
        "method",
        "setting",
        "slices",
        "slices_without_color",
        "color_change",
        "ct_change",
        "change_ratio",
        "saturated_bright",
        "saturated_dark",
        "painted_outside",
        "lattice",
        "outside_training",
    ];
    let record = |one: &OneSeries, result: &SeriesResult| {
        let figures = &result.figures;
        let mut record = vec![one.name.clone(), result.name.clone(), result.setting.to_owned()];
        record.extend([figures.slices, figures.slices_without_color].map(|count| count.to_string()));
        let values = [
            figures.color_change,
            figures.ct_change,
            figures.change_ratio,
            figures.saturated_bright,
            figures.saturated_dark,
            figures.painted_outside,
        ];
        record.extend(values.map(|value| format!("{value:.6}")));
        record.extend([optional(figures.lattice), optional(figures.outside_training)]);
        record
    };
    let records: Vec<Vec<String>> =
        report.series.iter().flat_map(|one| one.results.iter().map(move |result| record(one, result))).collect();
    std::iter::once(header.map(str::to_owned).to_vec()).chain(records)
}

/// A cell that may be empty.
fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.6}"))
}

fn title(one: &OneSeries) -> String {
    let spacing = one.slice_spacing_mm.map_or_else(String::new, |mm| format!(", {} mm apart", rounded(mm)));
    format!("{}: {} slices{spacing}", one.name, one.slices)
}

fn rounded(mm: f64) -> f64 {
    (mm * 100.0).round() / 100.0
}

fn rows(one: &OneSeries) -> Vec<Vec<String>> {
    let header = [
        "method",
        "preprocessing",
        "colour change / CT change",
        "colour change (levels)",
        "CT change (levels)",
        "clipped bright",
        "clipped dark",
        "lattice (levels)",
        "painted outside the body",
        "outside training",
    ];
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let row = |result: &SeriesResult| {
        let figures = &result.figures;
        vec![
            result.name.clone(),
            result.setting.to_owned(),
            format!("{:.2}", figures.change_ratio),
            format!("{:.1}", figures.color_change),
            format!("{:.1}", figures.ct_change),
            percent(figures.saturated_bright),
            percent(figures.saturated_dark),
            figures.lattice.map_or_else(String::new, |levels| format!("{levels:.2}")),
            percent(figures.painted_outside),
            figures.outside_training.map_or_else(String::new, percent),
        ]
    };
    std::iter::once(header.map(str::to_owned).to_vec()).chain(one.results.iter().map(row)).collect()
}
