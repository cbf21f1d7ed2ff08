//! Files of an evaluation: each appears whole or not at all.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::EvaluateError;
use crate::io::atomic_file::{AtomicFile, WriteError};
use crate::io::rgb_image::{Stamp, write_png};
use crate::io::sheet::Sheet;
use crate::model::Colorizer;

/// Finds out before the work whether its results can be written.
pub(super) fn check_writable<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            return Err(EvaluateError::Folder { path: path.clone() }.into());
        }
        if !seen.insert(path) {
            return Err(EvaluateError::SameFile { path: path.clone() }.into());
        }
        // Dropped without `commit`, it leaves nothing.
        drop(AtomicFile::create(path)?);
    }
    Ok(())
}

pub(super) fn write_text(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(|source| WriteError::from_io(path, source))?;
    Ok(file.commit()?)
}

/// Records as CSV, the first is the header.
pub(super) fn write_csv(path: &Path, records: impl Iterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    write_text(path, &String::from_utf8(bytes)?)
}

/// Writes a sheet with a stamp that names the weights and what is shown.
pub(super) fn write_sheet(
    path: &Path,
    sheet: &Sheet,
    colorizers: &[&Colorizer],
    content: String,
) -> anyhow::Result<()> {
    let joined = |of: fn(&Colorizer) -> String| colorizers.iter().map(|c| of(c)).collect::<Vec<_>>().join(" ");
    let stamp = Stamp {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        weights_sha256: joined(|colorizer| colorizer.card().sha256.clone()),
        recipe: joined(|colorizer| colorizer.recipe().to_json()),
        content,
    };
    Ok(write_png(path, &sheet.picture(), &stamp)?)
}
