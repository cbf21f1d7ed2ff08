//! Settings of a training run: one struct for file, flags and panel.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::augment::Augmentation;
use super::loss::{Adversarial, FeatureDistance};
use super::optim::Betas;
use super::pairs::{HELD_OUT_SPLIT, SplitRule, TRAIN_SPLIT};
use super::target::GelatinRule;
use super::upsampling::Upsampling;
use crate::model::{FeatureNetwork, GeneratorConfig, NormMode, Seed};
use crate::preprocess::{Ablation, Recipe};

/// Regions of the body that a card can name (`WeightsCard::regions`).
pub const REGIONS: [&str; 6] = ["head", "neck", "chest", "abdomen", "pelvis", "legs"];

/// The paper's methods by name, and ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// CT and contours, adversarial (paper §4): for a GPU.
    Ct2rgb,
    /// CT alone, adversarial (paper §4).
    Direct,
    /// CT alone, no adversarial term (paper §4).
    Supervised,
    /// Our default: three channels, 32 filters, LPIPS as the perceptual loss, for a CPU.
    #[default]
    Laptop,
}

/// Channels that the generator sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum InputChannels {
    /// Whole HU range, soft tissue, contours of fat and bone (DESIGN.md).
    #[default]
    Three,
    /// Whole HU range and contours: the paper's `ct2rgb`.
    CtAndContours,
    /// Whole HU range alone: the paper's `direct` and `supervised`.
    Ct,
}

/// Who judges likeness in the perceptual loss (Eq. 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Perceptual {
    /// LPIPS v0.1 with AlexNet (bundled).
    #[default]
    LpipsAlex,
    /// LPIPS v0.1 with VGG-16 (bundled); many times slower than AlexNet.
    LpipsVgg,
    /// LPIPS v0.1 with AlexNet on the whole picture and, weighed by `lambda_vgg`, with VGG-16 on a part of the body that
    /// is drawn anew for every slice and step (bundled).
    LpipsBoth,
    /// Mean absolute difference of AlexNet's features (bundled).
    Alex,
    /// Mean absolute difference of VGG-16's features (bundled).
    Vgg,
    /// Mean absolute difference of ResNet-50's four stages: the paper's; needs `perceptual_weights`.
    Resnet50,
    /// No perceptual loss.
    None,
}

/// A network that judges likeness, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// The network.
    pub network: FeatureNetwork,
    /// How its features are compared.
    pub distance: FeatureDistance,
    /// Whether it sees a part of the body instead of the whole picture.
    pub sees_a_part: bool,
}

impl Perceptual {
    /// The networks that judge; none without a perceptual loss.
    pub fn judges(self) -> Vec<Judge> {
        use FeatureDistance::{Absolute, Lpips};
        use FeatureNetwork::{AlexNet, ResNet50, Vgg16};
        let judge = |network, distance| Judge { network, distance, sees_a_part: false };
        match self {
            Self::LpipsAlex => vec![judge(AlexNet, Lpips)],
            Self::LpipsVgg => vec![judge(Vgg16, Lpips)],
            Self::LpipsBoth => {
                vec![judge(AlexNet, Lpips), Judge { sees_a_part: true, ..judge(Vgg16, Lpips) }]
            }
            Self::Alex => vec![judge(AlexNet, Absolute)],
            Self::Vgg => vec![judge(Vgg16, Absolute)],
            Self::Resnet50 => vec![judge(ResNet50, Absolute)],
            Self::None => vec![],
        }
    }
}

/// Settings of a training run. Numbers without a source in their line are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of initial weights, order, dropout and augmentation.
    #[arg(long)]
    pub seed: u64,
    /// Channels that the generator sees.
    #[arg(long)]
    pub input: InputChannels,
    /// What the preparation of slices leaves out (paper §4.3; nothing: both).
    #[arg(long)]
    pub ablation: Ablation,
    /// Width and height of the network's grid, a multiple of 256 (pix2pix: 256).
    #[arg(long)]
    pub size: usize,
    /// Filters of the generator (paper: 128; laptop: 32).
    #[arg(long)]
    pub base_channels: usize,
    /// How the generator doubles its grid (paper: transposed; laptop: resize, against the chequered pattern). Weights of the other
    /// kind need some hundred steps to get used to it.
    #[serde(default)]
    #[arg(long)]
    pub upsampling: Upsampling,
    /// Filters of the discriminator (pix2pix: 64).
    #[arg(long)]
    pub discriminator_channels: usize,
    /// Adversarial loss (paper: least squares).
    #[arg(long)]
    pub adversarial: Adversarial,
    /// Weight of the adversarial loss of the generator (paper: 1).
    #[arg(long)]
    pub lambda_adversarial: f64,
    /// First steps in which the generator does not listen to the discriminator, which has to learn first when the generator
    /// already paints well (paper: 0).
    #[arg(long, value_name = "STEPS")]
    pub adversarial_from: u64,
    /// Weight of the reconstruction loss (paper §3.2: 10).
    #[arg(long)]
    pub lambda_rec: f64,
    /// Weight of the perceptual loss (paper §3.2: 10).
    #[arg(long)]
    pub lambda_perc: f64,
    /// Who judges likeness in the perceptual loss (paper: ResNet-50).
    #[arg(long)]
    pub perceptual: Perceptual,
    /// Weight of VGG-16 beside AlexNet in lpips-both, within the perceptual loss.
    #[arg(long)]
    pub lambda_vgg: f64,
    /// Side of the part of the picture that VGG-16 sees in lpips-both.
    #[arg(long, value_name = "PIXELS")]
    pub vgg_part: usize,
    /// Largest shift of the window through which a network that judges whole pictures sees them, drawn anew for each step: such a
    /// network looks at every fourth pixel, and would have the generator paint for these. One less than a multiple of 4, so that each comes equally often (paper: 0;
    /// laptop: 15).
    #[serde(default)]
    #[arg(long, value_name = "PIXELS")]
    pub perceptual_shift: usize,
    /// torchvision's ResNet-50, safetensors or .pth.
    #[arg(long, value_name = "FILE")]
    pub perceptual_weights: Option<PathBuf>,
    /// Adam's learning rate of both networks (paper §4: 1e-4; laptop: 2e-4, pix2pix).
    #[arg(long)]
    pub learning_rate: f64,
    /// Share of the run after which the learning rate falls linearly to 0 (pix2pix: 0.5; paper: none, so 1).
    #[arg(long)]
    pub decay_from: f64,
    /// Adam's first beta (pix2pix: 0.5).
    #[arg(long)]
    pub beta1: f64,
    /// Adam's second beta (Adam: 0.999).
    #[arg(long)]
    pub beta2: f64,
    /// Running mean of the generator that is measured and saved: share that stays at each step; 0 turns it off.
    #[arg(long)]
    pub ema_decay: f64,
    /// Slices in a step (paper §4: 4).
    #[arg(long)]
    pub batch: usize,
    /// Times that every slice is seen (paper §4: 1000).
    #[arg(long)]
    pub epochs: u64,
    /// Stop after so many steps, whatever the epochs say; 0 leaves it to the epochs.
    #[arg(long)]
    pub max_steps: u64,
    /// Split that is trained on.
    #[arg(long)]
    pub train_split: String,
    /// Split that is held out and measured.
    #[arg(long)]
    pub held_out_split: String,
    /// Share that is held out where the table has no split column (paper §4: 0.05).
    #[arg(long)]
    pub held_out_share: f64,
    /// Where the held-out slabs lie when the table has no split column; `evaluate` takes the same.
    #[serde(default)]
    #[arg(long)]
    pub split_seed: u64,
    /// Millimetres around held-out slices that are not trained on.
    #[arg(long, value_name = "MM")]
    pub guard_mm: f64,
    /// Sets of the table that are used, by name; all when empty (the paper trains head and body apart).
    #[arg(long, value_delimiter = ',')]
    pub sets: Vec<String>,
    /// What becomes of blue gelatin in the targets.
    #[arg(long)]
    pub gelatin: GelatinRule,
    /// Variation of the training pictures.
    #[command(flatten)]
    pub augmentation: Augmentation,
    /// Name of the generator, for its card.
    #[arg(long)]
    pub name: String,
    /// What the pairs are and whom to thank, for the card; empty: how many slices of which sets.
    #[arg(long, value_name = "WORDS")]
    pub data: String,
    /// Regions of the body that the pairs show, for the card: head, neck, chest, abdomen, pelvis, legs.
    #[serde(default)]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub regions: Vec<String>,
    /// Terms under which the weights may be used, for the card.
    #[arg(long, value_name = "WORDS")]
    pub licence: String,
    /// Steps between checkpoints.
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: u64,
    /// Steps between measurements on the held-out split.
    #[arg(long, value_name = "STEPS")]
    pub measure_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self::preset(Preset::Laptop)
    }
}

impl TrainConfig {
    /// A preset: the paper's methods exactly as in §4, or ours.
    pub fn preset(preset: Preset) -> Self {
        let paper = Self::paper();
        match preset {
            Preset::Ct2rgb => paper,
            Preset::Direct => Self { input: InputChannels::Ct, ..paper },
            Preset::Supervised => Self { input: InputChannels::Ct, adversarial: Adversarial::None, ..paper },
            Preset::Laptop => Self {
                input: InputChannels::Three,
                base_channels: 32,
                upsampling: Upsampling::Resize,
                perceptual: Perceptual::LpipsAlex,
                perceptual_shift: 15,
                learning_rate: 2e-4,
                decay_from: 0.5,
                ema_decay: 0.998,
                batch: 2,
                epochs: 100,
                augmentation: Augmentation::default(),
                ..paper
            },
        }
    }

    fn paper() -> Self {
        Self {
            seed: 0,
            input: InputChannels::CtAndContours,
            ablation: Ablation::Both,
            size: 256,
            base_channels: 128,
            upsampling: Upsampling::Transposed,
            discriminator_channels: 64,
            adversarial: Adversarial::LeastSquares,
            lambda_adversarial: 1.0,
            adversarial_from: 0,
            lambda_rec: 10.0,
            lambda_perc: 10.0,
            perceptual: Perceptual::Resnet50,
            lambda_vgg: 1.0,
            vgg_part: 128,
            perceptual_shift: 0,
            perceptual_weights: None,
            learning_rate: 1e-4,
            decay_from: 1.0,
            beta1: 0.5,
            beta2: 0.999,
            ema_decay: 0.0,
            batch: 4,
            epochs: 1000,
            max_steps: 0,
            train_split: TRAIN_SPLIT.to_owned(),
            held_out_split: HELD_OUT_SPLIT.to_owned(),
            held_out_share: 0.05,
            split_seed: 0,
            guard_mm: 5.0,
            sets: Vec::new(),
            gelatin: GelatinRule::Air,
            augmentation: Augmentation::NONE,
            name: "generator".to_owned(),
            data: String::new(),
            regions: Vec::new(),
            licence: String::new(),
            checkpoint_every: 500,
            measure_every: 1000,
        }
    }

    /// Reads a JSON file; what it does not name keeps the value of `self`.
    pub fn updated_from_file(&self, path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainingError::ConfigFile { path: path.to_owned(), source })?;
        let json = |source| TrainingError::ConfigJson { path: path.to_owned(), source };
        let mut merged = serde_json::to_value(self).map_err(json)?;
        merge(&mut merged, serde_json::from_str(&text).map_err(json)?);
        serde_json::from_value(merged).map_err(json)
    }

    /// Checks every setting; names the first that makes no sense.
    pub fn checked(&self) -> Result<(), TrainingError> {
        let check = |is_right: bool, field, expected, found: String| {
            if is_right { Ok(()) } else { Err(TrainingError::Config { field, expected, found }) }
        };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let weight = |value: f64| value.is_finite() && value >= 0.0;
        let size = self.size;
        check(size > 0 && size.is_multiple_of(256) && size <= 1024, "size", "256, 512, 768 or 1024", size.to_string())?;
        let widths = [("base_channels", self.base_channels), ("discriminator_channels", self.discriminator_channels)];
        for (field, width) in widths {
            check((1..=256).contains(&width), field, "1 to 256", width.to_string())?;
        }
        let weights = [
            ("lambda_adversarial", self.lambda_adversarial),
            ("lambda_rec", self.lambda_rec),
            ("lambda_perc", self.lambda_perc),
            ("lambda_vgg", self.lambda_vgg),
            ("guard_mm", self.guard_mm),
        ];
        for (field, value) in weights {
            check(weight(value), field, "0 or more", value.to_string())?;
        }
        let shares = [("decay_from", self.decay_from), ("held_out_share", self.held_out_share)];
        for (field, value) in shares {
            check(share(value), field, "0 to 1", value.to_string())?;
        }
        let decays = [("beta1", self.beta1), ("beta2", self.beta2), ("ema_decay", self.ema_decay)];
        for (field, value) in decays {
            check(share(value) && value < 1.0, field, "at least 0 and below 1", value.to_string())?;
        }
        let part = self.vgg_part;
        let is_part = self.perceptual != Perceptual::LpipsBoth || (32..=size).contains(&part);
        check(is_part, "vgg_part", "32 to the size of the grid", part.to_string())?;
        let shift = self.perceptual_shift;
        check(shift <= size / 4, "perceptual_shift", "0 to a quarter of the grid", shift.to_string())?;
        let unknown = self.regions.iter().find(|name| !REGIONS.contains(&name.as_str()));
        let known = "head, neck, chest, abdomen, pelvis or legs";
        check(unknown.is_none(), "regions", known, unknown.cloned().unwrap_or_default())?;
        let rate = self.learning_rate;
        check(rate > 0.0 && rate <= 0.1, "learning_rate", "above 0 and at most 0.1", rate.to_string())?;
        let counts = [("checkpoint_every", self.checkpoint_every), ("measure_every", self.measure_every)];
        for (field, value) in [("batch", self.batch as u64), ("epochs", self.epochs)].into_iter().chain(counts) {
            check((1..=1_000_000).contains(&value), field, "1 to 1000000", value.to_string())?;
        }
        let resnet = self.perceptual != Perceptual::Resnet50 || self.perceptual_weights.is_some();
        check(
            resnet,
            "perceptual_weights",
            "a file with torchvision's ResNet-50, which the paper uses",
            "none".to_owned(),
        )?;
        let is_judged = self.lambda_rec > 0.0
            || (self.perceptual != Perceptual::None && self.lambda_perc > 0.0)
            || (self.adversarial != Adversarial::None && self.lambda_adversarial > 0.0);
        check(is_judged, "lambda_rec", "some loss with a weight above 0", "no loss at all".to_owned())?;
        self.augmentation.checked()
    }

    /// Adam's betas.
    pub fn betas(&self) -> Betas {
        Betas { first: self.beta1, second: self.beta2 }
    }

    /// How a table without a split column is split.
    pub fn split_rule(&self) -> SplitRule {
        SplitRule { held_out_share: self.held_out_share, seed: Seed(self.split_seed) }
    }

    /// Steps of the whole run over `slices` training slices.
    pub fn total_steps(&self, slices: usize) -> u64 {
        let of_epochs = (slices as u64).saturating_mul(self.epochs).div_ceil(self.batch.max(1) as u64).max(1);
        if self.max_steps == 0 { of_epochs } else { of_epochs.min(self.max_steps) }
    }

    /// Learning rate of a step, from 0, in a run of `total` steps.
    pub fn learning_rate_at(&self, step: u64, total: u64) -> f64 {
        let start = self.decay_from * total as f64;
        let left = (total as f64 - step as f64) / (total as f64 - start).max(1.0);
        self.learning_rate * left.clamp(0.0, 1.0)
    }

    /// How slices are prepared.
    pub fn recipe(&self) -> Recipe {
        let of_input = match self.input {
            InputChannels::Three => Recipe::default(),
            InputChannels::CtAndContours => Recipe::ct2rgb(),
            InputChannels::Ct => Recipe::direct(),
        };
        Recipe { size: self.size, ..of_input }.with_ablation(self.ablation)
    }

    /// Structure of the generator.
    pub fn generator_config(&self) -> GeneratorConfig {
        let input_channels = self.recipe().channel_count();
        GeneratorConfig { input_channels, base_channels: self.base_channels, norm: NormMode::Running }
    }
}

fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    match (into, from) {
        (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_the_papers() {
        let ct2rgb = TrainConfig::preset(Preset::Ct2rgb);
        assert_eq!((ct2rgb.base_channels, ct2rgb.batch, ct2rgb.epochs), (128, 4, 1000), "§4");
        assert_eq!(TrainConfig::preset(Preset::Supervised).adversarial, Adversarial::None, "no adversarial term");
        let recipe = |preset| TrainConfig::preset(preset).recipe();
        assert_eq!(recipe(Preset::Laptop), Recipe::default(), "DESIGN.md's recipe");
        assert_eq!(recipe(Preset::Ct2rgb), Recipe::ct2rgb(), "CT and contours");
        assert_eq!(recipe(Preset::Direct), Recipe::direct(), "CT alone");
        assert_eq!(recipe(Preset::Supervised), Recipe::direct(), "CT alone");
    }

    #[test]
    fn a_file_changes_what_it_names_and_refuses_unknown_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::fs::write(&path, r#"{"lambda_rec": 5, "augmentation": {"scale": 0}}"#).unwrap();
        let config = TrainConfig::default().updated_from_file(&path).unwrap();
        assert!((config.lambda_rec - 5.0).abs() < 1e-12 && config.augmentation.scale.abs() < 1e-12, "{config:?}");
        assert!(config.augmentation.shift > 0.0, "the rest stays");
        std::fs::write(&path, r#"{"lamda_rec": 5}"#).unwrap();
        assert!(TrainConfig::default().updated_from_file(&path).is_err(), "a misspelt name");
    }

    #[test]
    fn bad_settings_are_named() {
        let error = |config: TrainConfig| config.checked().unwrap_err().to_string();
        let base = TrainConfig::default;
        assert!(base().checked().is_ok(), "the defaults are fine");
        assert!(error(TrainConfig { size: 300, ..base() }).contains("size"), "size");
        assert!(error(TrainConfig { learning_rate: f64::NAN, ..base() }).contains("learning_rate"), "rate");
        assert!(error(TrainConfig::preset(Preset::Ct2rgb)).contains("perceptual_weights"), "the paper's needs a file");
        let nothing =
            TrainConfig { perceptual: Perceptual::None, adversarial: Adversarial::None, lambda_rec: 0.0, ..base() };
        assert!(error(nothing).contains("no loss at all"), "λ of what is not there");
        assert!(error(TrainConfig { perceptual_shift: 65, ..base() }).contains("perceptual_shift"), "shift");
        let regions = vec!["head".to_owned(), "heart".to_owned()];
        assert!(error(TrainConfig { regions, ..base() }).contains("heart"), "an organ is no region");
    }

    #[test]
    fn the_learning_rate_falls_to_nothing_at_the_end() {
        let config = TrainConfig { learning_rate: 1.0, decay_from: 0.5, ..TrainConfig::default() };
        assert!((config.learning_rate_at(40, 100) - 1.0).abs() < 1e-12, "first half");
        assert!((config.learning_rate_at(75, 100) - 0.5).abs() < 1e-12, "half way down");
        let paper = TrainConfig { decay_from: 1.0, ..config };
        assert!((paper.learning_rate_at(99, 100) - 1.0).abs() < 1e-12, "the paper's never falls");
    }
}
