//! The command line: one file a subcommand. No subcommand opens the window.
//!
//! Results go to standard output, everything else to standard error. Only here is anything printed.

mod bench;
mod colorize;
mod console;
mod evaluate;
mod failure;
mod import_weights;
mod inspect;
mod interrupt;
mod pace;
mod prepare;
mod series_choice;
mod slice_range;
mod source;
mod train;
mod weights;
mod window_choice;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::model::{DeviceChoice, WeightsSource};

pub use failure::report;

/// What the program says about itself, in `--help`.
const ABOUT: &str = "\
Browse a CT slice by slice: in grey, as contours of fat and bone, and in the colours of a real cryosection, painted by a neural \
generator on the CPU or a GPU. For teaching only: the colour is synthetic, and this is not a medical device.

Without a subcommand the viewer opens, on PATH or on the bundled sample.";

/// Below the options, in `--help`.
const AFTER_HELP: &str = "\
Examples:
  ct2rgb                                        the viewer, on the bundled sample
  ct2rgb ~/scans/my-ct                          the viewer, on a folder, a file, a DICOMDIR or a ZIP
  ct2rgb inspect ~/scans/my-ct                  which series are there, and what is odd about them
  ct2rgb colorize ~/scans/my-ct --out pictures  every slice in colour, as PNG
  ct2rgb colorize sample --out pictures --panes --slices 60..80

Exit codes: 0 all done; 1 failed; 2 wrong usage; 3 done, but some slices have no colour; 130 stopped by Ctrl-C.
RUST_LOG=ct2rgb=debug shows what the program does.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "ct2rgb", version, about = ABOUT, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do without a window.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
    /// What to open in the window.
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

/// What the viewer starts with.
#[derive(Args, Debug)]
pub struct ViewerArgs {
    /// CT to open: a DICOM file or folder, a DICOMDIR, a ZIP, NIfTI, DeepLesion or Visible Human. Without it, the bundled sample.
    pub path: Option<PathBuf>,
    /// Weights to colour with, a safetensors file; the bundled ones otherwise.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Where the generator runs: auto, cpu, cuda or metal.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
}

/// Work without a window.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Paint the slices of a CT and write them as pictures or as one volume.
    Colorize(colorize::ColorizeArgs),
    /// Show which series a path holds, how they lie in the patient, and what is odd about them.
    Inspect(inspect::InspectArgs),
    /// Train a generator on pairs of CT slices and photographs, or fine-tune one.
    Train(Box<train::TrainArgs>),
    /// Measure colours against photographs, or, on series without any, what can be said of them alone.
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Make pairs of CT slices and photographs from others' originals, for training and measuring.
    Prepare(prepare::PrepareArgs),
    /// Show the card of a weights file: what it is, what it was trained on, its terms, its recipe.
    Weights(weights::WeightsArgs),
    /// Turn a PyTorch checkpoint of the original pix2pix code (`latest_net_G.pth`, `unet_256`) into a weights file.
    ImportWeights(import_weights::ImportArgs),
    /// Measure this machine: loading, preparing, the generator, a training step.
    Bench(bench::BenchArgs),
}

/// Does what was asked for. Results are on standard output when it returns.
pub fn run(command: CliCommand) -> anyhow::Result<()> {
    match command {
        CliCommand::Colorize(args) => colorize::run(&args),
        CliCommand::Inspect(args) => inspect::run(&args),
        CliCommand::Train(args) => train::run(*args),
        CliCommand::Evaluate(args) => evaluate::run(&args),
        CliCommand::Prepare(args) => prepare::run(args),
        CliCommand::Weights(args) => weights::run(&args),
        CliCommand::ImportWeights(args) => import_weights::run(&args),
        CliCommand::Bench(args) => bench::run(&args),
    }
}

impl ViewerArgs {
    /// Makes sure that there is something to open, so that a mistyped subcommand is told here and not in a window.
    pub fn check_path(&self) -> anyhow::Result<()> {
        match &self.path {
            Some(path) if !path.exists() && path.as_os_str() != source::SAMPLE => {
                anyhow::bail!("there is no such file, folder or subcommand; `ct2rgb --help` lists them: {path:?}")
            }
            _ => Ok(()),
        }
    }

    /// The path; `None` for the bundled sample, which is said.
    pub fn path_to_open(self) -> Option<PathBuf> {
        let path = self.path.filter(|path| path.as_os_str() != source::SAMPLE || path.exists());
        if path.is_none() {
            console::say("no path given: opening the bundled sample");
        }
        path
    }
}

/// The weights that `--weights` names.
pub fn weights_source(file: Option<&Path>) -> WeightsSource {
    match file {
        Some(file) if file.as_os_str() != "bundled" => WeightsSource::File(file.to_owned()),
        _ => WeightsSource::Bundled,
    }
}
