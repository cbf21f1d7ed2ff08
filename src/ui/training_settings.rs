//! Every number and choice of a run: the main ones, and the rest.

use std::ops::RangeInclusive;

use eframe::egui::{ComboBox, DragValue, Grid, Id, Response, TextEdit, Ui, emath};

use super::commands::WindowWish;
use super::training_setup::path_ui;
use super::training_state::TrainingDraft;
use crate::training::{Adversarial, GelatinRule, InputChannels, Perceptual, TrainConfig, Upsampling};

const CHANNELS: [(InputChannels, &str); 3] = [
    (InputChannels::Three, "CT, soft tissue, contours"),
    (InputChannels::CtAndContours, "CT and contours"),
    (InputChannels::Ct, "CT alone"),
];
const ADVERSARIAL: [(Adversarial, &str); 3] =
    [(Adversarial::LeastSquares, "Least squares"), (Adversarial::Log, "Log, Eq. 1"), (Adversarial::None, "None")];
const PERCEPTUAL: [(Perceptual, &str); 7] = [
    (Perceptual::LpipsAlex, "LPIPS, AlexNet"),
    (Perceptual::LpipsVgg, "LPIPS, VGG-16"),
    (Perceptual::LpipsBoth, "LPIPS, both"),
    (Perceptual::Alex, "AlexNet features"),
    (Perceptual::Vgg, "VGG-16 features"),
    (Perceptual::Resnet50, "ResNet-50 features"),
    (Perceptual::None, "None"),
];
const GELATIN: [(GelatinRule, &str); 3] = [
    (GelatinRule::Air, "Becomes dark air"),
    (GelatinRule::Measured, "Clearly blue becomes air"),
    (GelatinRule::Keep, "Stays blue"),
];
const UPSAMPLING: [(Upsampling, &str); 2] =
    [(Upsampling::Transposed, "Transposed convolution"), (Upsampling::Resize, "Resize-convolution")];
const SIZES: [(usize, &str); 4] = [(256, "256 × 256"), (512, "512 × 512"), (768, "768 × 768"), (1024, "1024 × 1024")];

/// A choice from a list. `place`: what tells it from others, and its label.
pub fn choice_ui<T: Copy + PartialEq>(ui: &mut Ui, place: (&str, Id), value: &mut T, choices: &[(T, &str)]) {
    let current = choices.iter().find(|(choice, _)| choice == value).map_or("", |(_, name)| *name);
    let combo = ComboBox::from_id_salt(place.0).selected_text(current).width(180.0);
    let shown = combo.show_ui(ui, |ui| {
        for (choice, name) in choices {
            ui.selectable_value(value, *choice, *name);
        }
    });
    shown.response.labelled_by(place.1);
}

/// Two columns: name and control.
struct Rows<'ui> {
    ui: &'ui mut Ui,
}

impl Rows<'_> {
    fn row(&mut self, (name, tip): (&str, &str), add: impl FnOnce(&mut Ui) -> Response) {
        let label = self.ui.label(name).on_hover_text(tip);
        add(self.ui).labelled_by(label.id).on_hover_text(tip);
        self.ui.end_row();
    }

    fn number<N: emath::Numeric>(&mut self, words: (&str, &str), value: &mut N, range: RangeInclusive<N>, speed: f64) {
        self.row(words, |ui| ui.add(DragValue::new(value).range(range).speed(speed)));
    }

    fn text(&mut self, words: (&str, &str), value: &mut String) {
        self.row(words, |ui| ui.add(TextEdit::singleline(value).desired_width(140.0)));
    }

    fn choice<T: Copy + PartialEq>(&mut self, (name, tip): (&str, &str), value: &mut T, choices: &[(T, &str)]) {
        let label = self.ui.label(name).on_hover_text(tip);
        choice_ui(self.ui, (name, label.id), value, choices);
        self.ui.end_row();
    }

    /// A small number as people write it: `2e-4`.
    fn rate(&mut self, words: (&str, &str), value: &mut f64) {
        let number = DragValue::new(value).range(1e-7..=0.1).speed(1e-6);
        let number =
            number.custom_formatter(|rate, _| format!("{rate:e}")).custom_parser(|typed| typed.trim().parse().ok());
        self.row(words, |ui| ui.add(number));
    }
}

fn rows_ui(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Rows<'_>)) {
    Grid::new(name).num_columns(2).min_col_width(150.0).show(ui, |ui| add(&mut Rows { ui }));
}

/// What one changes first.
pub fn main_settings_ui(ui: &mut Ui, draft: &mut TrainingDraft) -> Option<WindowWish> {
    let config = &mut draft.config;
    rows_ui(ui, "main settings", |rows| {
        rows.choice(("Channels", "What the generator sees"), &mut config.input, &CHANNELS);
        rows.number(("Filters", "Width of the generator (paper: 128)"), &mut config.base_channels, 1..=256, 0.25);
        rows.number(("Slices in a step", "Batch (paper: 4)"), &mut config.batch, 1..=64, 0.05);
        rows.number(("Epochs", "Times that every slice is seen (paper: 1000)"), &mut config.epochs, 1..=1_000_000, 1.0);
        let most = ("Steps at most", "Ends the run whatever the epochs say; 0 leaves it to them");
        rows.number(most, &mut config.max_steps, 0..=100_000_000, 10.0);
        rows.rate(("Learning rate", "Adam, both networks (paper: 1e-4)"), &mut config.learning_rate);
        rows.choice(("Adversarial loss", "Paper: least squares"), &mut config.adversarial, &ADVERSARIAL);
        rows.choice(("Perceptual loss", "Who judges likeness (paper: ResNet-50)"), &mut config.perceptual, &PERCEPTUAL);
    });
    if config.perceptual != Perceptual::Resnet50 {
        return None;
    }
    let hint = "torchvision's weights, safetensors or .pth";
    path_ui(ui, "ResNet-50", &mut draft.perceptual_weights, (hint, WindowWish::BrowsePerceptualWeights))
}

/// What can change in a run that is taken up again.
pub fn length_ui(ui: &mut Ui, draft: &mut TrainingDraft) {
    rows_ui(ui, "length", |rows| {
        let most = ("Steps at most", "A shorter or longer run than was planned; 0 leaves it as it was");
        rows.number(most, &mut draft.config.max_steps, 0..=100_000_000, 10.0);
    });
}

/// Everything else.
pub fn more_settings_ui(ui: &mut Ui, draft: &mut TrainingDraft) {
    let config = &mut draft.config;
    rows_ui(ui, "losses and steps", |rows| {
        let weight = 0.0..=1000.0;
        rows.number(("λ adversarial", "Paper: 1"), &mut config.lambda_adversarial, weight.clone(), 0.05);
        rows.number(("λ rec", "Weight of L1 (paper: 10)"), &mut config.lambda_rec, weight.clone(), 0.1);
        rows.number(
            ("λ perc", "Weight of the perceptual loss (paper: 10)"),
            &mut config.lambda_perc,
            weight.clone(),
            0.1,
        );
        if config.perceptual == Perceptual::LpipsBoth {
            let vgg = ("λ VGG-16", "Weight of VGG-16 beside AlexNet, within the perceptual loss");
            rows.number(vgg, &mut config.lambda_vgg, weight, 0.01);
            let part = ("VGG-16 sees", "Side of the part of the picture that VGG-16 judges, in pixels");
            rows.number(part, &mut config.vgg_part, 32..=config.size, 1.0);
        }
        let shift = (
            "Moving window",
            "Largest shift of what judges whole pictures, in pixels; against a lattice of dots. One less than a multiple of 4",
        );
        rows.number(shift, &mut config.perceptual_shift, 0..=config.size / 4, 0.1);
        let from = ("Adversarial from", "First steps in which the generator does not listen to the discriminator");
        rows.number(from, &mut config.adversarial_from, 0..=1_000_000, 1.0);
        rows.choice(
            (
                "Doubling",
                "Resize-convolution leaves no chequered pattern; weights of the other kind need some hundred steps",
            ),
            &mut config.upsampling,
            &UPSAMPLING,
        );
        let filters = ("Discriminator filters", "pix2pix: 64");
        rows.number(filters, &mut config.discriminator_channels, 1..=256, 0.25);
        rows.choice(("Grid", "What the network sees"), &mut config.size, &SIZES);
        let decay = ("Rate falls after", "Share of the run after which the learning rate falls to 0; 1: never");
        rows.number(decay, &mut config.decay_from, 0.0..=1.0, 0.01);
        rows.number(("Beta 1", "Adam (pix2pix: 0.5)"), &mut config.beta1, 0.0..=0.999, 0.005);
        rows.number(("Beta 2", "Adam"), &mut config.beta2, 0.0..=0.9999, 0.0005);
        let mean = ("Running mean", "Share of the generator that stays at each step; 0 turns it off");
        rows.number(mean, &mut config.ema_decay, 0.0..=0.9999, 0.0005);
        rows.number(("Seed", "Of weights, order, dropout and variation"), &mut config.seed, 0..=u64::MAX, 1.0);
        let saved = ("Saved every", "Steps between checkpoints");
        rows.number(saved, &mut config.checkpoint_every, 1..=1_000_000, 10.0);
        let measured = ("Measured every", "Steps between measurements on the held-out slices");
        rows.number(measured, &mut config.measure_every, 1..=1_000_000, 10.0);
    });
    data_ui(ui, draft);
    variation_ui(ui, &mut draft.config);
}

fn data_ui(ui: &mut Ui, draft: &mut TrainingDraft) {
    let config = &mut draft.config;
    ui.strong("Slices");
    rows_ui(ui, "slices", |rows| {
        rows.text(("Train on split", "A name in the table"), &mut config.train_split);
        rows.text(("Hold out split", "A name in the table"), &mut config.held_out_split);
        let share = ("Share held out", "Where the table has no split (paper: 0.05)");
        rows.number(share, &mut config.held_out_share, 0.0..=1.0, 0.005);
        let seed = ("Seed of the split", "Where the held-out slabs lie, where the table has no split");
        rows.number(seed, &mut config.split_seed, 0..=u64::MAX, 1.0);
        let guard = ("Guard in mm", "Around held-out slices, not trained on");
        rows.number(guard, &mut config.guard_mm, 0.0..=1000.0, 0.1);
        rows.text(("Sets", "Names in the table with commas between them; all when empty"), &mut draft.sets);
        rows.choice(("Blue gelatin", "In the photographs"), &mut config.gelatin, &GELATIN);
    });
}

fn variation_ui(ui: &mut Ui, config: &mut TrainConfig) {
    let variation = &mut config.augmentation;
    ui.strong("Variation of the pictures");
    rows_ui(ui, "variation", |rows| {
        rows.number(("Size", "Largest change, as a share"), &mut variation.scale, 0.0..=0.5, 0.005);
        rows.number(("Shift", "Largest, as a share of the side"), &mut variation.shift, 0.0..=0.5, 0.005);
        rows.number(("Rotation in degrees", "Largest"), &mut variation.rotation_degrees, 0.0..=45.0, 0.25);
        rows.number(("HU gain", "Largest change above air, as a share"), &mut variation.hu_gain, 0.0..=0.5, 0.005);
        rows.number(("HU shift", "Largest, in HU"), &mut variation.hu_offset, 0.0..=200.0, 0.5);
        rows.number(("HU noise", "Largest deviation, in HU"), &mut variation.hu_noise, 0.0..=200.0, 0.5);
    });
}
