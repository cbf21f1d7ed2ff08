//! What PATH stands for: something on the disk, or a sample that is part of the program.

use std::path::Path;

use anyhow::Context as _;

use crate::engine::{LoadSource, SAMPLES};
use crate::io::{self, Scan};
use crate::units::CancelFlag;

/// What stands for the first bundled sample in place of a path; `sample:2` is the second.
pub(super) const SAMPLE: &str = "sample";

/// Tells `sample` and `sample:N` from paths. A file of that name is `./sample`.
pub(super) fn parse(path: &Path) -> anyhow::Result<LoadSource> {
    let number = match path.to_str().and_then(|text| text.strip_prefix(SAMPLE)) {
        Some("") => Some("1"),
        Some(rest) => rest.strip_prefix(':'),
        None => None,
    };
    let Some(number) = number else { return Ok(LoadSource::Path(path.to_owned())) };
    let count = SAMPLES.len();
    let number = number.parse::<usize>().ok().filter(|number| (1..=count).contains(number));
    let number = number.with_context(|| format!("the bundled samples are sample:1 to sample:{count}, not {path:?}"))?;
    Ok(LoadSource::Sample(number - 1))
}

/// Reads the headers.
pub(super) fn scan(path: &Path, cancel: &CancelFlag, on_files: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Scan> {
    match parse(path)? {
        LoadSource::Sample(index) => Ok(SAMPLES[index].scan()?),
        LoadSource::Path(path) => Ok(io::scan(&path, cancel, on_files)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_named_by_number_and_everything_else_is_a_path() {
        let parsed = |text: &str| parse(Path::new(text)).map_err(|error| error.to_string());
        assert_eq!(parsed("sample"), Ok(LoadSource::Sample(0)));
        assert_eq!(parsed("sample:2"), Ok(LoadSource::Sample(1)));
        for path in ["./sample", "samples", "sample/1.dcm", "head"] {
            assert_eq!(parsed(path), Ok(LoadSource::Path(path.into())));
        }
        let error = parsed("sample:3").unwrap_err();
        assert_eq!(error, "the bundled samples are sample:1 to sample:2, not \"sample:3\"");
    }
}
