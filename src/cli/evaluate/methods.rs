//! The weights that are measured, and what they are called.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::EvaluateError;
use crate::cli::console::Console;
use crate::cli::weights_source;
use crate::model::{Colorizer, DeviceChoice};
use crate::training::evaluation::Method;

/// What stands for the program's own weights in place of a path.
pub(super) const BUNDLED: &str = "bundled";

/// Reads all weights, so that what is wrong with one is said before anything is measured.
pub(super) fn generators(paths: &[PathBuf], device: DeviceChoice) -> anyhow::Result<Vec<Method>> {
    refuse_repeated(paths)?;
    let load = |(path, name): (&PathBuf, String)| {
        let source = weights_source(Some(path));
        Ok(Method::generator(name, path.display().to_string(), Colorizer::load(&source, device)?))
    };
    paths.iter().zip(names(paths)).map(load).collect()
}

/// Says on what device they run, and why if it is not the one that one would expect.
pub(super) fn say_where(console: &mut Console, generators: &[Method]) {
    if let Some(colorizer) = generators.first().and_then(Method::colorizer) {
        let note = colorizer.device_note().map_or_else(String::new, |note| format!(" ({note})"));
        console.say(&format!("running on {}{note}", colorizer.device_name()));
    }
}

fn refuse_repeated(paths: &[PathBuf]) -> Result<(), EvaluateError> {
    let mut seen = BTreeSet::new();
    for path in paths {
        let file = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !seen.insert(file) {
            return Err(EvaluateError::WeightsTwice { path: path.clone() });
        }
    }
    Ok(())
}

/// The stem of each file; with its folder where two stems are equal.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let stem = |path: &Path| part(path.file_stem());
    let is_alone = |path: &Path| paths.iter().filter(|other| stem(other) == stem(path)).count() == 1;
    let name = |path: &PathBuf| match path.parent().and_then(Path::file_name) {
        Some(folder) if !is_alone(path) => format!("{}/{}", part(Some(folder)), stem(path)),
        _ => stem(path),
    };
    paths.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_called_by_their_stem_and_by_their_folder_where_that_is_not_enough() {
        let paths =
            ["bundled", "a/direct.safetensors", "runs/b/direct.safetensors", "x.safetensors"].map(PathBuf::from);
        assert_eq!(names(&paths), ["bundled", "a/direct", "b/direct", "x"]);
    }

    #[test]
    fn weights_given_twice_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.safetensors");
        std::fs::write(&file, "x").unwrap();
        let again = folder.path().join(".").join("w.safetensors");
        let error = refuse_repeated(&[file, again]).unwrap_err().to_string();
        assert!(error.contains("twice") && error.contains("w.safetensors"), "{error}");
    }
}
