//! What a run leaves on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::engine::training_messages::HeldOutMetrics;
use crate::io::atomic_file::writable_folder;
use crate::model::weights::{UNFINISHED, write_atomically};
use crate::training::{StepReport, TrainingError};

const LOG_HEADER: &str =
    "step,learning_rate,loss_d_real,loss_d_fake,loss_g_adversarial,loss_g_rec,loss_g_perc,loss_g_part,secs";
const MEASUREMENTS_HEADER: &str = "step,epoch,rmse,ssim,lpips,lpips_vgg,lattice";

/// The folder of a run, held by one run at a time:
///
/// - `checkpoint.safetensors`: all that is needed to go on.
/// - `generator.safetensors`: the generator at the last measurement or at the end, `best.safetensors` at its best one.
/// - `log.csv`: every step; `measurements.csv`: every measurement.
/// - `before.png`: the previewed slice at the start of the run.
pub(super) struct RunFolder {
    path: PathBuf,
    /// Locked until the run ends, or its process does.
    _lock: File,
    log: Option<BufWriter<File>>,
    measurements: Option<BufWriter<File>>,
}

impl RunFolder {
    /// Makes the folder if need be, locks it, and clears away what a killed run left unfinished.
    pub(super) fn open(path: &Path) -> Result<Self, TrainingError> {
        writable_folder(path)?;
        let lock_path = path.join("run.lock");
        let failed = |source| TrainingError::Write { path: lock_path.clone(), source };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let reason = "another run is writing into it; wait for that one, or choose another folder";
                return Err(TrainingError::RunFolder { reason, path: path.to_owned() });
            }
            // Some network drives have no locks: better without than not at all.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        clear_unfinished(path);
        Ok(Self { path: path.to_owned(), _lock: lock, log: None, measurements: None })
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        Self::checkpoint_in(&self.path)
    }

    pub(super) fn checkpoint_in(folder: &Path) -> PathBuf {
        folder.join("checkpoint.safetensors")
    }

    /// Something that an earlier run has left: weights, or a table with more than its header.
    pub(super) fn left_behind(&self) -> Option<PathBuf> {
        let weights = [self.checkpoint(), self.generator(), self.best()].into_iter().filter(|path| path.exists());
        let has_lines = |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.lines().count() > 1);
        weights.chain([self.log_path(), self.measurements_path()].into_iter().filter(has_lines)).next()
    }

    fn log_path(&self) -> PathBuf {
        self.path.join("log.csv")
    }

    fn measurements_path(&self) -> PathBuf {
        self.path.join("measurements.csv")
    }

    pub(super) fn generator(&self) -> PathBuf {
        self.path.join("generator.safetensors")
    }

    pub(super) fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    pub(super) fn before(&self) -> PathBuf {
        self.path.join("before.png")
    }

    /// Opens the tables to go on after `step`: later lines are of steps that will be done again.
    /// `is_measured_anew`: whether the line of `step` will be, too.
    pub(super) fn open_tables(&mut self, step: u64, is_measured_anew: bool) -> Result<(), TrainingError> {
        (self.log, self.measurements) = (None, None);
        self.log = Some(open_table(&self.log_path(), LOG_HEADER, step + 1)?);
        let end = if is_measured_anew { step } else { step + 1 };
        self.measurements = Some(open_table(&self.measurements_path(), MEASUREMENTS_HEADER, end)?);
        Ok(())
    }

    pub(super) fn log_step(&mut self, report: &StepReport, secs: f32) -> Result<(), TrainingError> {
        let StepReport { step, learning_rate, loss_d_real, loss_d_fake, loss_g_adversarial, .. } = report;
        let StepReport { loss_g_rec, loss_g_perc, loss_g_part, .. } = report;
        let line = format!(
            "{step},{learning_rate},{loss_d_real},{loss_d_fake},{loss_g_adversarial},{loss_g_rec},{loss_g_perc},\
             {loss_g_part},{secs:.3}"
        );
        append(&mut self.log, &line, &self.path.join("log.csv"))
    }

    pub(super) fn log_metrics(&mut self, metrics: &HeldOutMetrics) -> Result<(), TrainingError> {
        let HeldOutMetrics { step, epoch, rmse, ssim, lpips, lpips_vgg, lattice } = metrics;
        let lpips_vgg = lpips_vgg.map(|value| format!("{value:.5}")).unwrap_or_default();
        let lattice = lattice.map(|value| format!("{value:.3}")).unwrap_or_default();
        let line = format!("{step},{epoch:.3},{rmse:.4},{ssim:.5},{lpips:.5},{lpips_vgg},{lattice}");
        append(&mut self.measurements, &line, &self.path.join("measurements.csv"))?;
        self.flush()
    }

    /// Puts the tables on disk.
    pub(super) fn flush(&mut self) -> Result<(), TrainingError> {
        for (table, name) in [(&mut self.log, "log.csv"), (&mut self.measurements, "measurements.csv")] {
            if let Some(table) = table {
                table.flush().map_err(|source| TrainingError::Write { path: self.path.join(name), source })?;
            }
        }
        Ok(())
    }
}

/// A table that could not be opened is left alone: that was told.
fn append(table: &mut Option<BufWriter<File>>, line: &str, path: &Path) -> Result<(), TrainingError> {
    let Some(writer) = table else { return Ok(()) };
    writeln!(writer, "{line}").map_err(|source| {
        // Told once, not at every step.
        *table = None;
        TrainingError::Write { path: path.to_owned(), source }
    })
}

/// Keeps the lines of steps before `end`.
fn open_table(path: &Path, header: &str, end: u64) -> Result<BufWriter<File>, TrainingError> {
    let failed = |source| TrainingError::Write { path: path.to_owned(), source };
    let before = if path.exists() { std::fs::read_to_string(path).map_err(failed)? } else { String::new() };
    let is_kept = |line: &&str| {
        let step_of_line = line.split(',').next().and_then(|step| step.parse::<u64>().ok());
        step_of_line.is_some_and(|step| step < end)
    };
    // Older programs wrote fewer columns.
    let commas = |line: &str| line.matches(',').count();
    let padded = |line: &str| line.to_owned() + &",".repeat(commas(header).saturating_sub(commas(line))) + "\n";
    let text: String = std::iter::once(header).chain(before.lines().filter(is_kept)).map(padded).collect();
    write_atomically(path, text.as_bytes()).map_err(failed)?;
    OpenOptions::new().append(true).open(path).map(BufWriter::new).map_err(failed)
}

/// Removes files that a killed run was in the middle of writing. What cannot be removed does no harm.
fn clear_unfinished(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_unfinished = name.starts_with(UNFINISHED[0]) && name.ends_with(UNFINISHED[1]);
        if is_unfinished && let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::debug!(%error, "an unfinished file stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_an_older_program_is_filled_up_to_its_new_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "step,rmse\n0,31.5\n200,30.1\n400,29.9\n").unwrap();
        drop(open_table(&path, "step,rmse,ssim,lattice", 400).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "step,rmse,ssim,lattice\n0,31.5,,\n200,30.1,,\n", "and later steps are cut off");
    }
}
