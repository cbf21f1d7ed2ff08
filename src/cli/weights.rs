//! `weights`: the card of a weights file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::console::print;
use super::weights_source;
use crate::model::{GeneratorWeights, NormMode, WeightsCard};
use crate::preprocess::{HuRange, InputChannel, MaskMode, Recipe};

/// What `weights` is told.
#[derive(Args, Debug)]
pub struct WeightsArgs {
    /// A safetensors file, or `bundled` for the weights that are part of the program.
    #[arg(value_name = "FILE|bundled")]
    file: PathBuf,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// A weights file for `--json`: the fields of the card, the recipe, and what the file itself shows.
#[derive(Serialize)]
struct WeightsReport<'a> {
    #[serde(flatten)]
    card: &'a WeightsCard,
    sha256: &'a str,
    input_channels: usize,
    tensors: usize,
    parameters: usize,
    bytes: u64,
    recipe: &'a Recipe,
}

/// Shows a card on standard output.
pub(super) fn run(args: &WeightsArgs) -> anyhow::Result<()> {
    let source = weights_source(Some(&args.file));
    let cannot = || format!("the weights cannot be used: {:?}", args.file);
    let weights = GeneratorWeights::read(&source).with_context(cannot)?;
    let report = WeightsReport {
        card: &weights.card,
        sha256: &weights.card.sha256,
        input_channels: weights.config.input_channels,
        tensors: weights.parameters.len(),
        parameters: weights.parameters.iter().map(|(_, tensor)| tensor.elem_count()).sum(),
        bytes: source.size_bytes().with_context(cannot)?,
        recipe: &weights.recipe,
    };
    print(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { in_words(&report) })
}

fn in_words(report: &WeightsReport<'_>) -> String {
    let WeightsReport { card, recipe, .. } = report;
    let norm = match card.norm {
        NormMode::Running => "running statistics",
        NormMode::Picture => "the picture's own statistics",
    };
    let base = card.base_channels.map_or_else(String::new, |base| format!("{base} base channels, "));
    let network = format!("{}, {base}batch norm with {norm}", card.architecture);
    let count = |count: Option<u64>, unit: &str| count.map_or_else(String::new, |count| format!("{count} {unit}"));
    let training = [
        count(card.steps, "steps"),
        count(card.batch.map(|batch| batch as u64), "slices a step"),
        card.optimizer.clone(),
        card.losses.clone(),
    ];
    let metrics: Vec<String> = card.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let millions = report.parameters as f64 / 1e6;
    let megabytes = report.bytes as f64 / 1e6;
    let region = if card.region.is_some() { "known: other regions are marked" } else { "" };
    let lines = [
        ("data", card.data.clone()),
        ("regions", card.regions.join(", ")),
        ("training data", region.to_owned()),
        ("licence", card.licence.clone()),
        ("network", network.trim_start_matches(", ").to_owned()),
        ("training", joined(&training)),
        ("held out", metrics.join(", ")),
        ("made with", joined(&[card.tool.clone(), card.date.clone()])),
        ("grid", format!("{0} × {0}", recipe.size)),
        ("channels", recipe.inputs.iter().map(|input| channel_words(*input, recipe)).collect::<Vec<_>>().join("; ")),
        ("body", mask_words(recipe)),
        ("size", format!("{millions:.1} million parameters in {} tensors, {megabytes:.1} MB", report.tensors)),
        ("SHA-256", report.sha256.to_owned()),
    ];
    let told = lines.iter().filter(|(_, text)| !text.is_empty());
    let body = told.map(|(name, text)| format!("  {name:<14} {text}\n")).collect::<Vec<_>>().concat();
    format!("{}\n{body}", if card.name.is_empty() { "without a name" } else { &card.name })
}

fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
}

fn range_words(range: HuRange) -> String {
    format!("{} … {} HU", range.low_hu, range.high_hu)
}

fn channel_words(input: InputChannel, recipe: &Recipe) -> String {
    match input {
        InputChannel::Hu(range) => range_words(range),
        InputChannel::Sobel(range) => format!("contours of {}", range_words(range)),
        InputChannel::SobelInRange => {
            let [fat, bone] = [recipe.edges.fat, recipe.edges.bone].map(range_words);
            format!("contours of fat ({fat}) and bone ({bone})")
        }
    }
}

fn mask_words(recipe: &Recipe) -> String {
    let found = match recipe.mask {
        MaskMode::Body => "Otsu's threshold and region work",
        MaskMode::CornerMedian => "above the median of the top left corner",
    };
    format!("{found}; square of {} × its longer side", recipe.crop_margin)
}
