//! Files of an evaluation: each appears whole or not at all.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::io::atomic_file::AtomicFile;
use crate::io::rgb_image::{Stamp, write_png};
use crate::io::sheet::Sheet;
use crate::model::Colorizer;

/// Finds out before the work whether its results can be written.
pub(super) fn check_writable<'a>(paths: impl Iterator<Item = &'a std::path::PathBuf>) -> anyhow::Result<()> {
    for path in paths {
        if path.is_dir() {
            anyhow::bail!("expected the name of a file to write, found a folder: {path:?}");
        }
        // Dropped without `commit`, it leaves nothing.
        drop(AtomicFile::create(path)?);
    }
    Ok(())
}

pub(super) fn write_text(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("the file could not be written: {path:?}"))?;
    Ok(file.commit()?)
}

/// Records as CSV, the first is the header.
pub(super) fn write_csv(path: &Path, records: impl Iterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
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
