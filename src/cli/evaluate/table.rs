//! What was measured against photographs, as tables.


use crate::training::Interval;
use crate::training::evaluation::{MethodReport, Metric, Report, Scores};

/// A table for a terminal, with the sets and the differences below it.
pub(in crate::cli) fn text(report: &Report) -> String {
    let metrics = metrics_of(report);
    let mut text = format!("split {}, {} slices; mean and 95 % interval\n\n", report.split, report.slices);
    text += &aligned(&method_rows(report, &metrics, |words, _| words));
    for (title, rows) in [("by set", set_rows(report, &metrics)), ("differences", difference_rows(report, &metrics))] {
        if rows.len() > 1 {
            text += &format!("\n{title}\n\n{}", aligned(&rows));
        }
    }
    text
}

/// The same in Markdown, the best of each metric in bold.
pub(in crate::cli) fn markdown(report: &Report) -> String {
    let metrics = metrics_of(report);
    let mut text = format!("Split `{}`, {} slices; mean [95 % interval].\n\n", report.split, report.slices);
    text += &in_markdown(&method_rows(
        report,
        &metrics,
        |words, is_best| {
            if is_best { format!("**{words}**") } else { words }
        },
    ));
    for rows in [set_rows(report, &metrics), difference_rows(report, &metrics)] {
        if rows.len() > 1 {
            text += &format!("\n{}", in_markdown(&rows));
        }
    }
    for note in &report.notes {
        text += &format!("\nNote: {note}.\n");
    }
    text
}

/// Metrics that were measured.
fn metrics_of(report: &Report) -> Vec<Metric> {
    let is_there = |metric: &Metric| report.methods.iter().any(|method| method.means.get(*metric).is_some());
    Metric::ALL.into_iter().filter(is_there).collect()
}

fn header(first: &[&str], metrics: &[Metric]) -> Vec<String> {
    let arrow = |metric: &Metric| format!("{} {}", metric.name(), if metric.is_likeness() { '↑' } else { '↓' });
    first.iter().map(|&words| words.to_owned()).chain(metrics.iter().map(arrow)).collect()
}

fn method_rows(report: &Report, metrics: &[Metric], marked: impl Fn(String, bool) -> String) -> Vec<Vec<String>> {
    let best: Vec<_> = metrics.iter().map(|metric| report.best(*metric).map(|best| number(*metric, best))).collect();
    let cell = |method: &MethodReport, (metric, best): (&Metric, &Option<String>)| {
        let Some(interval) = method.intervals.get(metric.key()) else { return String::new() };
        let mean = number(*metric, interval.mean);
        let is_best = best.as_ref() == Some(&mean);
        format!("{} {}", marked(mean, is_best), ends(*metric, interval))
    };
    let row = |method: &MethodReport| {
        let cells = metrics.iter().zip(&best).map(|place| cell(method, place));
        std::iter::once(method.name.clone()).chain(cells).collect()
    };
    std::iter::once(header(&["method"], metrics)).chain(report.methods.iter().map(row)).collect()
}

/// One row a set and method, where there is more than one set.
fn set_rows(report: &Report, metrics: &[Metric]) -> Vec<Vec<String>> {
    let mut rows = vec![header(&["set", "slices", "method"], metrics)];
    let Some(first) = report.methods.first().filter(|method| method.sets.len() > 1) else { return rows };
    for (set, of_first) in &first.sets {
        for method in &report.methods {
            let mut row = vec![set.clone(), of_first.slices.to_string(), method.name.clone()];
            let mean =
                |means: &Scores, metric: Metric| means.get(metric).map_or_else(String::new, |v| number(metric, v));
            row.extend(metrics.iter().map(|metric| mean(&method.sets[set].means, *metric)));
            rows.push(row);
        }
    }
    rows
}

fn difference_rows(report: &Report, metrics: &[Metric]) -> Vec<Vec<String>> {
    let mut rows = vec![header(&["method less method"], metrics)];
    for difference in &report.differences {
        let cell = |metric: &Metric| {
            let interval = difference.by_metric.get(metric.key());
            interval.map_or_else(String::new, |i| format!("{} {}", signed(*metric, i.mean), ends(*metric, i)))
        };
        let name = format!("{} less {}", difference.name, difference.from);
        rows.push(std::iter::once(name).chain(metrics.iter().map(cell)).collect());
    }
    rows
}

fn number(metric: Metric, value: f64) -> String {
    format!("{value:.*}", metric.decimals()).replace('-', "−")
}

fn signed(metric: Metric, value: f64) -> String {
    format!("{value:+.*}", metric.decimals()).replace('-', "−")
}

fn ends(metric: Metric, interval: &Interval) -> String {
    format!("[{}, {}]", number(metric, interval.low), number(metric, interval.high))
}

/// Columns as wide as their widest cell. The first row is the header.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("   ").trim_end();
        text.push('\n');
    }
    text
}

pub(super) fn in_markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if index == 0 {
            text += &format!("|{}\n", " --- |".repeat(row.len()));
        }
    }
    text
}
