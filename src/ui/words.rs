//! Numbers and CT values in words that a student understands.

/// What usually has this CT value; ranges of the textbooks, rounded.
pub fn tissue_words(value_hu: i16) -> &'static str {
    match value_hu {
        ..=-930 => "air",
        -929..=-500 => "lung",
        -499..=-200 => "partly air",
        -199..=-30 => "fat",
        -29..=-10 => "fat and water",
        -9..=19 => "water, fluid",
        20..=90 => "soft tissue, blood",
        91..=200 => "contrast, clot or soft bone",
        201..=700 => "spongy bone, contrast",
        701..=2000 => "dense bone",
        2001..=2999 => "enamel or metal",
        3000.. => "metal",
    }
}

/// HU with a real minus sign and what usually has this value: `−95 HU: fat`.
pub fn probe_words(value_hu: i16) -> String {
    format!("{} HU: {}", signed(f64::from(value_hu), 0), tissue_words(value_hu))
}

/// A number with a real minus sign.
pub fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    match text.strip_prefix('-') {
        Some(positive) if is_zero => positive.to_owned(),
        Some(positive) => format!("−{positive}"),
        None => text,
    }
}

/// A whole number as people type it, with either minus sign.
pub fn number_from_typed(typed: &str) -> Option<f64> {
    typed.trim().trim_end_matches("HU").trim().replace('−', "-").parse().ok().filter(|number: &f64| number.is_finite())
}

/// At most two decimals, none that are zero: `2`, `1.5`, `0.75`.
pub fn short_number(value: f64) -> String {
    let text = signed(value, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A length in the unit that reads best: `5 mm`, `2 cm`.
pub fn length_words(length_mm: f64) -> String {
    if length_mm >= 10.0 {
        format!("{} cm", short_number(length_mm / 10.0))
    } else {
        format!("{} mm", short_number(length_mm))
    }
}

/// A place in the patient (DICOM LPS) in whole mm with the letters of the directions: `L 12  P 40  H 7 mm`.
pub fn place_words(point_in_patient_mm: [f64; 3]) -> String {
    let letters = [["L", "R"], ["P", "A"], ["H", "F"]];
    let words: Vec<String> = (0..3)
        .map(|k| {
            format!("{} {:.0}", letters[k][usize::from(point_in_patient_mm[k] < 0.0)], point_in_patient_mm[k].abs())
        })
        .collect();
    format!("{} mm", words.join("  "))
}

/// Seconds a slice takes, in milliseconds below two seconds: `42 ms per slice`.
pub fn speed_words(secs: f32) -> String {
    if secs < 2.0 { format!("{:.0} ms per slice", secs * 1000.0) } else { format!("{secs:.1} s per slice") }
}

/// Pace of a training run: `850 ms per step`, `1.3 s per step`.
pub fn pace_words(secs: f32) -> String {
    if secs < 1.0 { format!("{:.0} ms per step", secs * 1000.0) } else { format!("{secs:.1} s per step") }
}

/// A time to wait, in the unit that one plans with: `45 s`, `12 min`, `2 h 5 min`, `3 days 12 h`.
pub fn duration_words(secs: f32) -> String {
    let minutes = (secs / 60.0).round() as u64;
    match minutes {
        _ if secs < 90.0 => format!("{:.0} s", secs.max(0.0)),
        0..90 => format!("{minutes} min"),
        90..2880 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// A count with a thin space between thousands: `12 400`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups = digits.len().div_ceil(3);
    let first = digits.len() - 3 * (groups - 1);
    let rest = (0..groups - 1).map(|group| &digits[first + 3 * group..first + 3 * group + 3]);
    std::iter::once(&digits[..first]).chain(rest).collect::<Vec<_>>().join("\u{202f}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_textbooks_have_their_tissue() {
        let words = [-1000, -800, -95, 0, 45, 1000].map(tissue_words);
        assert_eq!(words, ["air", "lung", "fat", "water, fluid", "soft tissue, blood", "dense bone"]);
        assert_eq!(probe_words(-95), "−95 HU: fat");
    }

    #[test]
    fn numbers_are_short_and_have_a_real_minus_sign() {
        assert_eq!([2.0, 1.5, 0.75, -12.0, 100.0].map(short_number), ["2", "1.5", "0.75", "−12", "100"]);
        assert_eq!(signed(-0.04, 1), "0.0", "no minus before nothing");
        assert_eq!(
            ["−190", " -30 HU", "1200", "x", "nan"].map(number_from_typed),
            [Some(-190.0), Some(-30.0), Some(1200.0), None, None]
        );
        assert_eq!([5.0, 50.0, 0.5].map(length_words), ["5 mm", "5 cm", "0.5 mm"]);
        assert_eq!(place_words([12.4, -40.0, -7.0]), "L 12  A 40  F 7 mm");
        assert_eq!([0.042, 2.345].map(speed_words), ["42 ms per slice", "2.3 s per slice"]);
        assert_eq!([0.85, 1.3].map(pace_words), ["850 ms per step", "1.3 s per step"]);
        let durations = [45.0, 720.0, 7500.0, 303_000.0].map(duration_words);
        assert_eq!(durations, ["45 s", "12 min", "2 h 5 min", "3 days 12 h"]);
        assert_eq!([7, 999, 1000, 1_234_567].map(grouped), ["7", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }
}
