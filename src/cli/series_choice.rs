//! `--series UID|N`: which of several.

use crate::volume::SeriesInfo;

/// No such series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no series {wanted} here; there {there}")]
pub(super) struct NoSuchSeries {
    wanted: String,
    there: String,
}

/// The series that was asked for by number or UID; the first, which is the largest CT, when none was.
pub(super) fn choose<'a>(series: &'a [SeriesInfo], wanted: Option<&str>) -> Result<&'a SeriesInfo, NoSuchSeries> {
    let found = match wanted {
        None => series.first(),
        Some(wanted) => series.iter().find(|one| one.uid == wanted || one.number.to_string() == wanted),
    };
    found.ok_or_else(|| {
        let names: Vec<String> = series.iter().map(in_words).collect();
        let there =
            if let [one] = names.as_slice() { format!("is {one}") } else { format!("are {}", names.join("; ")) };
        NoSuchSeries { wanted: wanted.unwrap_or("at all").to_owned(), there }
    })
}

/// `1 (Phantom, 4 slices)`.
pub(super) fn in_words(info: &SeriesInfo) -> String {
    let slices = if info.slice_count == 1 { "slice" } else { "slices" };
    let description = if info.description.is_empty() { "no description" } else { &info.description };
    format!("{} ({description}, {} {slices})", info.number, info.slice_count)
}
