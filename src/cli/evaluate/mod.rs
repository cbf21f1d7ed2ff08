//! `evaluate`: how close the colours of generators and of baselines are to photographs, and what can be said without one.

mod error;
mod files;
mod methods;
mod pairs;
mod pairs_sheet;
mod series;
mod series_sheet;
mod series_table;
mod table;

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::failure::Interrupted;
use crate::io::LoadError;
use crate::model::DeviceChoice;
use crate::training::{HELD_OUT_SPLIT, TrainConfig, TrainingError};

/// What `evaluate` is told.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("data").required(true).args(["pairs", "series"])))]
pub struct EvaluateArgs {
    /// Table of pairs (CSV: `ct`, `rgb`, `ct_mm_per_px`, `rgb_mm_per_px`; `set`, `slice` and `split` if it likes): CT with the photograph
    /// of the same level.
    #[arg(long, value_name = "CSV")]
    pairs: Option<PathBuf>,
    /// CT without photographs, each with a sheet of its own: a DICOM file or folder, a DICOMDIR, a ZIP, NIfTI, DeepLesion or
    /// Visible Human; or `sample`, `sample:2`. Painted with the three preprocessing settings of the paper's Fig. 5.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["split", "baselines", "fit_pairs", "without_vgg"])]
    series: Vec<PathBuf>,
    /// What the series are called on sheets and in tables, in their order; by their descriptions otherwise.
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "series")]
    names: Vec<String>,
    /// Split of the table that is measured.
    #[arg(long, value_name = "NAME", default_value = HELD_OUT_SPLIT)]
    split: String,
    /// Share that a table without a split column holds out, as in `train`.
    #[arg(long, value_name = "SHARE", default_value_t = TrainConfig::default().held_out_share)]
    held_out_share: f64,
    /// Where the held-out slabs of such a table lie, as in `train`.
    #[arg(long, value_name = "SEED", default_value_t = TrainConfig::default().split_seed)]
    split_seed: u64,
    /// Weights to measure, safetensors files; `bundled` are the program's own, and the default.
    #[arg(long, value_name = "FILE", num_args = 1.., default_value = methods::BUNDLED)]
    weights: Vec<PathBuf>,
    /// What stands beside them and needs no network.
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1.., default_values_t = [Baseline::Grey, Baseline::HuTable])]
    baselines: Vec<Baseline>,
    /// Table whose split `train` the HU to colour table is fitted on; otherwise that of --pairs.
    #[arg(long, value_name = "CSV")]
    fit_pairs: Option<PathBuf>,
    /// Leave out LPIPS with VGG-16, which takes most of the time.
    #[arg(long)]
    without_vgg: bool,
    /// Write what was measured on each slice (or series) as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the tables as Markdown, the best in bold.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a sheet of pictures as PNG; one for each of several series, numbered.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Slices on a sheet, spread over the split or the series.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=40), requires = "sheet")]
    sheet_slices: u16,
    /// Print JSON in place of tables.
    #[arg(long)]
    json: bool,
    /// Where the networks run: auto, cpu, cuda or metal.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
}

/// A way to colour that needs no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Baseline {
    /// The CT in grey, as if it were a photograph.
    Grey,
    /// The best table from HU to colour, fitted on the split `train`.
    HuTable,
    /// Nothing.
    None,
}

/// Measures what was asked for; returns when tables and files are written.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    files::check_writable([&args.csv, &args.markdown, &args.sheet].into_iter().flatten())?;
    let outcome = match &args.pairs {
        Some(path) => pairs::run(args, path),
        None => series::run(args),
    };
    outcome.map_err(|error| {
        let is_training = matches!(error.downcast_ref(), Some(TrainingError::Cancelled));
        let is_loading = matches!(error.downcast_ref(), Some(LoadError::Cancelled));
        if is_training || is_loading { Interrupted("nothing was written".to_owned()).into() } else { error }
    })
}

/// `count` places spread evenly over `total`, away from the ends.
fn spread(count: usize, total: usize) -> Vec<usize> {
    let count = count.min(total);
    (0..count).map(|index| (2 * index + 1) * total / (2 * count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_and_none_comes_twice() {
        assert_eq!(spread(3, 30), [5, 15, 25], "the middles of thirds");
        assert_eq!(spread(9, 4), [0, 1, 2, 3], "all there are");
        assert_eq!(spread(5, 0), [0; 0], "none there are");
    }
}
