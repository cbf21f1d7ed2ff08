//! What was measured against photographs, as tables.

use crate::training::Interval;
use crate::training::evaluation::{MethodReport, Metric, Report, Scores};

/// A table for a terminal, with the sets and the differences below it.
pub(super) fn text(report: &Report) -> String {
    let metrics = metrics_of(report);
    let title = format!("{}; mean and 95 % interval\n", title(report));
    let mut parts = vec![title, aligned(&method_rows(report, &metrics, |words, _| words))];
    let below = [("by set", set_rows(report, &metrics)), ("differences", difference_rows(report, &metrics))];
    for (title, rows) in below.iter().filter(|(_, rows)| rows.len() > 1) {
        parts.extend([format!("{title}\n"), aligned(rows)]);
    }
    parts.join("\n")
}

/// The same in Markdown, the best of each metric in bold.
pub(super) fn markdown(report: &Report) -> String {
    let metrics = metrics_of(report);
    let bold = |words: String, is_best| if is_best { format!("**{words}**") } else { words };
    let mut parts =
        vec![format!("{}; mean [95 % interval].\n", title(report)), in_markdown(&method_rows(report, &metrics, bold))];
    let below = [set_rows(report, &metrics), difference_rows(report, &metrics)];
    parts.extend(below.iter().filter(|rows| rows.len() > 1).map(|rows| in_markdown(rows)));
    parts.extend(report.notes.iter().map(|note| format!("Note: {note}.\n")));
    parts.join("\n")
}

fn title(report: &Report) -> String {
    let Report { split, slices, lattice_of_photographs, .. } = report;
    let lattice = lattice_of_photographs.map_or_else(String::new, |l| format!(" (lattice of the photographs: {l:.2})"));
    format!("Split {split}, {slices} slices{lattice}")
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
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("   ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The first row is the header.
pub(super) fn in_markdown(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if let Some(header) = rows.first() {
        lines.insert(1, format!("|{}\n", " --- |".repeat(header.len())));
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::training::evaluation::Difference;

    fn interval(mean: f64) -> Interval {
        Interval { mean, low: mean * 0.9, high: mean * 1.1 }
    }

    fn method(name: &str, [rmse, ssim, lpips, lattice]: [f64; 4]) -> MethodReport {
        let intervals = [("rmse", rmse), ("ssim", ssim), ("lpips", lpips), ("lattice", lattice)];
        MethodReport {
            name: name.to_owned(),
            weights: None,
            grid: 256,
            means: Scores { rmse, ssim, lpips, lpips_vgg: None, lattice: Some(lattice) },
            intervals: intervals.map(|(key, mean)| (key, interval(mean))).into(),
            sets: BTreeMap::new(),
        }
    }

    fn report() -> Report {
        let by_metric = BTreeMap::from([("rmse", Interval { mean: -2.5, low: -3.0, high: 0.25 })]);
        Report {
            split: "val".to_owned(),
            slices: 3,
            lattice_of_photographs: Some(0.1),
            methods: vec![method("a", [40.0, 0.4, 0.36, 2.0]), method("b", [31.83, 0.6, 0.4, 1.0])],
            differences: vec![Difference { name: "b".to_owned(), from: "a".to_owned(), by_metric }],
            notes: vec!["no grey".to_owned()],
        }
    }

    #[test]
    fn the_best_of_each_metric_is_bold_whichever_way_it_goes() {
        let text = markdown(&report());
        let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert_eq!(
            row("| a "),
            "| a | 40.00 [36.00, 44.00] | 0.400 [0.360, 0.440] | **0.360** [0.324, 0.396] | 2.00 [1.80, 2.20] |"
        );
        assert_eq!(
            row("| b |"),
            "| b | **31.83** [28.65, 35.01] | **0.600** [0.540, 0.660] | 0.400 [0.360, 0.440] | **1.00** [0.90, 1.10] |"
        );
        assert!(text.contains("| b less a | −2.50 [−3.00, 0.25] |  |  |  |"), "{text}");
        assert!(text.ends_with("Note: no grey.\n"), "{text}");
    }

    #[test]
    fn columns_of_the_table_for_people_begin_below_each_other() {
        let text = text(&report());
        let lines: Vec<_> = text.lines().skip(2).take(3).collect();
        let starts: Vec<_> = lines.iter().map(|line| line.chars().position(|c| c.is_ascii_digit())).collect();
        let rmse = lines[0].chars().position(|c| c == 'R');
        assert_eq!(starts, [None, rmse, rmse], "{text}");
    }
}
