//! `import-weights`: a PyTorch checkpoint becomes a weights file.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::console::say;
use crate::model::{ImportOptions, NormMode, Precision, WeightsCard, import_pix2pix};
use crate::preprocess::{Recipe, RecipeError};

/// What `import-weights` is told.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// Checkpoint of the original pix2pix code: `latest_net_G.pth` of a `unet_256` with batch norm. Nothing in it is executed.
    #[arg(value_name = "IN")]
    checkpoint: PathBuf,
    /// Weights file to write, in safetensors format.
    #[arg(value_name = "OUT")]
    weights: PathBuf,
    /// How slices were prepared for it: default, ct2rgb, direct, both, body-mask or without-both. It must make as many
    /// channels as the network takes.
    #[arg(long, value_name = "NAME")]
    recipe: Option<RecipeName>,
    /// Statistics for batch norm. pix2pix's own test.py takes the picture's unless it runs with --eval.
    #[arg(long, value_enum, default_value_t)]
    norm: NormChoice,
    /// Name on the card; the file's otherwise.
    #[arg(long)]
    name: Option<String>,
    /// What it was trained on, for the card.
    #[arg(long)]
    data: Option<String>,
    /// Its terms, for the card.
    #[arg(long)]
    licence: Option<String>,
    /// Regions of the body it is for, such as head,neck.
    #[arg(long, value_delimiter = ',')]
    regions: Vec<String>,
    /// Numbers in the file: f16 for colouring, f32 to go on training from.
    #[arg(long, value_enum, default_value_t)]
    precision: PrecisionChoice,
    /// Replace OUT if it is there.
    #[arg(long)]
    overwrite: bool,
}

/// A recipe by name, kept as it was written.
#[derive(Clone, Debug)]
struct RecipeName(Recipe);

impl FromStr for RecipeName {
    type Err = RecipeError;

    fn from_str(name: &str) -> Result<Self, RecipeError> {
        Recipe::named(name).map(Self)
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum NormChoice {
    /// Those that were gathered in training.
    #[default]
    Running,
    /// The picture's own.
    Picture,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum PrecisionChoice {
    /// Half the size.
    #[default]
    F16,
    /// As in memory.
    F32,
}

/// Reads the checkpoint, checks it tensor by tensor, and writes the weights.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let ImportArgs { checkpoint, weights: path, .. } = args;
    if path.exists() && !args.overwrite {
        anyhow::bail!("this file is there already; choose another name, or use --overwrite: {path:?}");
    }
    if std::fs::canonicalize(path).is_ok_and(|out| std::fs::canonicalize(checkpoint).is_ok_and(|input| input == out)) {
        anyhow::bail!("the checkpoint would be replaced by its own import; choose another name: {path:?}");
    }
    let options = ImportOptions {
        recipe: args.recipe.clone().map(|name| name.0),
        norm: match args.norm {
            NormChoice::Running => NormMode::Running,
            NormChoice::Picture => NormMode::Picture,
        },
        card: WeightsCard {
            name: args.name.clone().unwrap_or_default(),
            data: args.data.clone().unwrap_or_default(),
            licence: args.licence.clone().unwrap_or_default(),
            regions: args.regions.clone(),
            ..WeightsCard::default()
        },
    };
    let weights = import_pix2pix(checkpoint, &options)?;
    let precision = match args.precision {
        PrecisionChoice::F16 => Precision::F16,
        PrecisionChoice::F32 => Precision::F32,
    };
    let hash = weights.write(path, precision).with_context(|| format!("the weights are not written: {path:?}"))?;
    let config = weights.config;
    say(&format!(
        "{}: {} base channels, {} input channels, {hash}: {}",
        weights.card.name,
        config.base_channels,
        config.input_channels,
        path.display()
    ));
    Ok(())
}
