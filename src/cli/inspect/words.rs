//! The report for people.

use super::report::{InspectReport, MissingReport, PixelReport, SeriesReport, WarningReport};

/// Tilt from which on it is said.
const TOLD_DEGREES: f64 = 0.5;

/// A paragraph a series.
pub(super) fn report_words(report: &InspectReport) -> String {
    let mut text = warning_lines(&report.warnings, "");
    for series in &report.series {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &series_words(series);
    }
    text
}

fn series_words(series: &SeriesReport) -> String {
    let description = if series.description.is_empty() { "no description" } else { &series.description };
    let slices = if series.slices == 1 { "slice" } else { "slices" };
    let mut lines = vec![
        format!("series {}: {description}", series.number),
        format!("  {} {slices} of {} × {} pixels{}", series.slices, series.columns, series.rows, sizes(series)),
        format!("  {}: {}", series.kind, series.encodings.join(", ")),
        format!("  {}", place(series)),
        format!("  UID {}", series.uid),
    ];
    let windows: Vec<String> =
        series.windows.iter().map(|w| format!("{} {}/{}", w.name, w.center_hu, w.width_hu)).collect();
    if !windows.is_empty() {
        lines.push(format!("  windows of the file, centre/width in HU: {}", windows.join(", ")));
    }
    if series.is_inverted {
        lines.push("  stored with white as low (MONOCHROME1)".to_owned());
    }
    if let Some(who) = &series.identity {
        lines.push(format!(
            "  patient {}, ID {}, born {}, study of {}",
            who.name, who.id, who.birth_date, who.study_date
        ));
    }
    if series.has_burned_in_identity {
        lines.push("  warning: the pictures may show who the patient is".to_owned());
    }
    let mut text = lines.join("\n") + "\n" + &warning_lines(&series.warnings, "  ");
    if let Some(pixels) = &series.pixels {
        text += &pixel_lines(pixels);
    }
    text
}

fn warning_lines(warnings: &[WarningReport], indent: &str) -> String {
    let line = |warning: &WarningReport| format!("{indent}warning: {} ({})\n", warning.message, warning.code);
    warnings.iter().map(line).collect::<Vec<_>>().concat()
}

fn sizes(series: &SeriesReport) -> String {
    let pixel = match series.pixel_size_mm {
        Some([width, height]) => format!(", {} × {} mm", short(width), short(height)),
        None => ", size of a pixel unknown".to_owned(),
    };
    let spacing = series.slice_spacing_mm.map_or_else(String::new, |mm| format!(", {} mm apart", short(mm)));
    pixel + &spacing
}

fn place(series: &SeriesReport) -> String {
    let plane = if series.is_axial { "axial" } else { "not axial" };
    let letters = match &series.orientation {
        Some(at) => format!("left {}, right {}, top {}, bottom {}", at.left, at.right, at.top, at.bottom),
        None => "orientation unknown".to_owned(),
    };
    let tilt = match series.tilt_degrees {
        degrees if degrees > TOLD_DEGREES => format!(", tilted by {}°", short(degrees)),
        _ => String::new(),
    };
    let [first, last] = [series.first_position_mm, series.last_position_mm].map(short);
    format!("{plane}: {letters}{tilt}; from {first} to {last} mm")
}

fn pixel_lines(pixels: &PixelReport) -> String {
    let range = match (pixels.lowest_hu, pixels.highest_hu) {
        (Some(lowest), Some(highest)) => format!(", {lowest} to {highest} HU"),
        _ => String::new(),
    };
    let line = |one: &MissingReport| format!("  slice {} cannot be read: {}\n", one.slice, one.reason);
    let missing = pixels.missing.iter().map(line).collect::<Vec<_>>().concat();
    format!("  read: {} slices{range}\n{missing}{}", pixels.slices_read, warning_lines(&pixels.warnings, "  "))
}

/// At most two decimals, none that are zero.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([2.0, 1.5, 0.754, -12.0, 100.0, -0.001].map(short), ["2", "1.5", "0.75", "-12", "100", "0"]);
    }
}
