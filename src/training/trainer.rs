//! One update of discriminator and generator at a time (paper §3.2).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::TrainingError;
use super::config::{Judge, TrainConfig};
use super::loss::{self, Adversarial};
use super::optim::{Adam, blend};
use super::upsampling::{ResizeKernels, Upsampling};
use crate::model::{
    Discriminator, DiscriminatorConfig, FeatureExtractor, FeatureNetwork, Generator, GeneratorWeights, Parameters,
    RandomStream, Seed, WeightsCard,
};

/// A loss beyond this has left the range in which training can recover: a least-squares loss starts near 1.
const EXPLODED: f32 = 1e4;

/// Slices for one step, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Slices.
    pub count: usize,
    /// Width and height of the network's grid.
    pub size: usize,
    /// `[count, C, size, size]`, signed unit.
    pub ct: Vec<f32>,
    /// `[count, 1, size, size]`, 1 inside the body and 0 outside.
    pub mask: Vec<f32>,
    /// `[count, 3, size, size]`, signed unit, black outside the body.
    pub rgb_real: Vec<f32>,
}

/// What a step did. Losses are before their λ.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct StepReport {
    /// Steps done, this one included.
    pub step: u64,
    /// Adam's learning rate in this step.
    pub learning_rate: f64,
    /// Discriminator on real pictures.
    pub loss_d_real: f32,
    /// Discriminator on generated pictures.
    pub loss_d_fake: f32,
    /// Generator against the discriminator.
    pub loss_g_adversarial: f32,
    /// Mean absolute difference.
    pub loss_g_rec: f32,
    /// Perceptual loss: of the network that sees the whole picture.
    pub loss_g_perc: f32,
    /// Perceptual loss of the network that sees a part; 0 without one.
    pub loss_g_part: f32,
}

impl StepReport {
    fn losses(&self) -> [(&'static str, f32); 6] {
        [
            ("loss_d_real", self.loss_d_real),
            ("loss_d_fake", self.loss_d_fake),
            ("loss_g_adversarial", self.loss_g_adversarial),
            ("loss_g_rec", self.loss_g_rec),
            ("loss_g_perc", self.loss_g_perc),
            ("loss_g_part", self.loss_g_part),
        ]
    }

    /// The first loss that is not a number or has exploded.
    fn broken_loss(&self) -> Option<(&'static str, f32)> {
        self.losses().into_iter().find(|(_, value)| !value.is_finite() || value.abs() > EXPLODED)
    }
}

/// The discriminator in training.
pub(super) struct Opponent {
    pub(super) network: Discriminator,
    /// The same tensors without gradients of their own, for the generator's step.
    frozen: Discriminator,
    pub(super) adam: Adam,
}

/// What the judges see of the pictures of a step, as top and left.
struct Views {
    /// Of the part of each slice.
    parts: Vec<[usize; 2]>,
    /// Of the window on all of them.
    window: [usize; 2],
}

/// Generator and discriminator in training. Knows no file, thread or clock.
pub struct Trainer {
    pub(super) config: TrainConfig,
    pub(super) total_steps: u64,
    pub(super) step: u64,
    pub(super) device: Device,
    pub(super) generator: Generator,
    pub(super) adam: Adam,
    resize: Option<ResizeKernels>,
    /// Running mean of the generator, by name.
    pub(super) ema: BTreeMap<String, Tensor>,
    pub(super) opponent: Option<Opponent>,
    judges: Vec<(FeatureExtractor, Judge)>,
    pub(super) dropout: RandomStream,
    /// Where the parts and the window lie that judges see.
    pub(super) parts: RandomStream,
    pub(super) is_broken: bool,
}

impl Trainer {
    /// Starts from `start`, or from new weights. `total_steps`: of the whole run, for the learning rate's fall.
    pub fn new(
        config: &TrainConfig,
        start: Option<&GeneratorWeights>,
        total_steps: u64,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        config.checked()?;
        let seed = Seed(config.seed);
        let structure = config.generator_config();
        let parameters = match start {
            Some(weights) => {
                check_start(config, weights)?;
                weights.parameters.to_device(device)?.to_variables()?
            }
            None => structure.initialize(seed, device)?.to_variables()?,
        };
        let generator = Generator::new(structure, parameters)?;
        let resize = match config.upsampling {
            Upsampling::Transposed => None,
            Upsampling::Resize => Some(ResizeKernels::new(generator.parameters())?),
        };
        let adam = Adam::new(generator.parameters(), config.betas())?;
        let ema = if config.ema_decay > 0.0 {
            generator.parameters().snapshot()?.iter().map(|(n, t)| (n.to_owned(), t.clone())).collect()
        } else {
            BTreeMap::new()
        };
        Ok(Self {
            total_steps,
            step: 0,
            device: device.clone(),
            generator,
            adam,
            resize,
            ema,
            opponent: opponent(config, structure.input_channels, device)?,
            judges: judges(config, device)?,
            dropout: seed.stream("dropout"),
            parts: seed.stream("parts"),
            is_broken: false,
            config: config.clone(),
        })
    }

    /// Settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Steps done.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// One update of the discriminator, then one of the generator. After [`TrainingError::Diverged`] nothing can be saved.
    pub fn step(&mut self, batch: &Batch) -> Result<StepReport, TrainingError> {
        let (ct, mask, rgb_real) = self.to_device(batch)?;
        let learning_rate = self.config.learning_rate_at(self.step, self.total_steps);
        let pass = self.generator.training_pass(&ct, &mut self.dropout)?;
        let rgb_fake = black_outside(pass.rgb(), &mask)?;
        let mut report = StepReport { step: self.step + 1, learning_rate, ..StepReport::default() };
        self.step_discriminator(&ct, [&rgb_real, &rgb_fake.detach()], &mut report)?;
        let views = Views { parts: self.draw_parts(batch), window: self.draw_window() };
        let loss = self.generator_loss(&ct, [&rgb_real, &rgb_fake], &views, &mut report)?;
        self.check(&report)?;
        let mut gradients = loss.backward()?;
        pass.backward(&self.generator, &mut gradients)?;
        self.adam.step(&gradients, learning_rate)?;
        if let Some(resize) = &self.resize {
            resize.restore()?;
        }
        self.step += 1;
        self.move_ema()?;
        Ok(report)
    }

    fn to_device(&self, batch: &Batch) -> Result<(Tensor, Tensor, Tensor), TrainingError> {
        let plane = (batch.count, batch.size);
        let tensor = |values: &[f32], channels: usize| {
            Tensor::from_slice(values, (plane.0, channels, plane.1, plane.1), &self.device)
        };
        let channels = self.generator.config().input_channels;
        Ok((tensor(&batch.ct, channels)?, tensor(&batch.mask, 1)?, tensor(&batch.rgb_real, 3)?))
    }

    fn step_discriminator(
        &mut self,
        ct: &Tensor,
        [rgb_real, rgb_fake]: [&Tensor; 2],
        report: &mut StepReport,
    ) -> Result<(), TrainingError> {
        let Some(opponent) = &mut self.opponent else { return Ok(()) };
        let adversarial = self.config.adversarial;
        let loss_real = adversarial.loss_d(&opponent.network.forward_train(ct, rgb_real)?, true)?;
        let loss_fake = adversarial.loss_d(&opponent.network.forward_train(ct, rgb_fake)?, false)?;
        report.loss_d_real = scalar(&loss_real)?;
        report.loss_d_fake = scalar(&loss_fake)?;
        if report.broken_loss().is_none() {
            // Half the sum, as in pix2pix: the discriminator learns at half the generator's pace.
            let gradients = loss_real.add(&loss_fake)?.affine(0.5, 0.0)?.backward()?;
            opponent.adam.step(&gradients, report.learning_rate)?;
        }
        Ok(())
    }

    fn generator_loss(
        &self,
        ct: &Tensor,
        [rgb_real, rgb_fake]: [&Tensor; 2],
        views: &Views,
        report: &mut StepReport,
    ) -> Result<Tensor, TrainingError> {
        let rec = loss::loss_rec(rgb_fake, rgb_real)?;
        report.loss_g_rec = scalar(&rec)?;
        let mut sum = rec.affine(self.config.lambda_rec, 0.0)?;
        if let Some(opponent) = self.opponent.as_ref().filter(|_| self.step >= self.config.adversarial_from) {
            let adversarial = self.config.adversarial.loss_g(&opponent.frozen.forward_train(ct, rgb_fake)?)?;
            report.loss_g_adversarial = scalar(&adversarial)?;
            sum = sum.add(&adversarial.affine(self.config.lambda_adversarial, 0.0)?)?;
        }
        for (features, judge) in &self.judges {
            let perc = if judge.sees_a_part {
                let side = self.config.vgg_part;
                let [fake, real] = [parts_of(rgb_fake, &views.parts, side)?, parts_of(rgb_real, &views.parts, side)?];
                let perc = loss::loss_perc(features, judge.distance, &fake, &real)?;
                report.loss_g_part = scalar(&perc)?;
                perc.affine(self.config.lambda_vgg, 0.0)?
            } else {
                let seen = |rgb| window_of(rgb, views.window, self.config.perceptual_shift);
                let perc = loss::loss_perc(features, judge.distance, &seen(rgb_fake)?, &seen(rgb_real)?)?;
                report.loss_g_perc = scalar(&perc)?;
                perc
            };
            sum = sum.add(&perc.affine(self.config.lambda_perc, 0.0)?)?;
        }
        Ok(sum)
    }

    /// Top and left of the part of each slice that a judge sees: around a pixel of the body. Draws nothing when no judge does.
    fn draw_parts(&mut self, batch: &Batch) -> Vec<[usize; 2]> {
        if !self.judges.iter().any(|(_, judge)| judge.sees_a_part) {
            return Vec::new();
        }
        let (size, side) = (batch.size, self.config.vgg_part);
        let mut part = |mask: &[f32]| {
            let body: Vec<usize> = (0..mask.len()).filter(|&index| mask[index] > 0.5).collect();
            let center = body.get(self.parts.below(body.len())).copied().unwrap_or(mask.len() / 2);
            [center / size, center % size].map(|center| center.saturating_sub(side / 2).min(size - side))
        };
        batch.mask.chunks_exact(size * size).map(&mut part).collect()
    }

    /// Top and left of the window through which whole pictures are seen. Draws nothing when it never moves.
    fn draw_window(&mut self) -> [usize; 2] {
        match self.config.perceptual_shift {
            0 => [0; 2],
            most => [(); 2].map(|()| self.parts.below(most + 1)),
        }
    }

    fn check(&mut self, report: &StepReport) -> Result<(), TrainingError> {
        match report.broken_loss() {
            None => Ok(()),
            Some((loss, value)) => {
                self.is_broken = true;
                Err(TrainingError::Diverged { step: report.step, loss, value })
            }
        }
    }

    fn move_ema(&mut self) -> Result<(), TrainingError> {
        // Early on the mean follows quickly, so that it does not hold the initial weights for long.
        let keep = self.config.ema_decay.min((1.0 + self.step as f64) / (10.0 + self.step as f64));
        for (name, mean) in &mut self.ema {
            blend(mean, self.generator.parameters().get(name)?, keep)?;
        }
        Ok(())
    }

    /// The generator as it would be used now: its running mean where one is kept. `card`: what to write about it.
    pub fn generator_weights(&self, card: WeightsCard) -> Result<GeneratorWeights, TrainingError> {
        let parameters = if self.ema.is_empty() {
            self.generator.parameters().snapshot()?
        } else {
            let mean = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.copy()?));
            self.ema.iter().map(mean).collect::<Result<Parameters, candle_core::Error>>()?
        };
        let card = WeightsCard {
            base_channels: Some(self.config.base_channels),
            steps: Some(self.step),
            batch: Some(self.config.batch),
            ..card
        };
        Ok(GeneratorWeights {
            card,
            recipe: self.config.recipe(),
            config: self.config.generator_config(),
            parameters: parameters.to_device(&Device::Cpu)?,
        })
    }
}

/// Fine-tuning starts from weights of the same structure and recipe.
fn check_start(config: &TrainConfig, weights: &GeneratorWeights) -> Result<(), TrainingError> {
    let found = weights.config;
    let wanted = config.generator_config();
    let check = |is_right: bool, field, expected, found: String| {
        if is_right { Ok(()) } else { Err(TrainingError::Config { field, expected, found }) }
    };
    let same_width = found.base_channels == wanted.base_channels;
    check(same_width, "base_channels", "the width of the weights to start from", wanted.base_channels.to_string())?;
    let same_recipe = weights.recipe == config.recipe();
    check(same_recipe, "input", "the recipe of the weights to start from", format!("{:?}", config.input))
}

fn opponent(config: &TrainConfig, input_channels: usize, device: &Device) -> Result<Option<Opponent>, TrainingError> {
    if config.adversarial == Adversarial::None {
        return Ok(None);
    }
    let structure = DiscriminatorConfig { input_channels, base_channels: config.discriminator_channels };
    let parameters = structure.initialize(Seed(config.seed), device)?.to_variables()?;
    let frozen: Parameters = parameters.iter().map(|(name, tensor)| (name.to_owned(), tensor.detach())).collect();
    let adam = Adam::new(&parameters, config.betas())?;
    Ok(Some(Opponent {
        network: Discriminator::new(structure, parameters)?,
        frozen: Discriminator::new(structure, frozen)?,
        adam,
    }))
}

fn judges(config: &TrainConfig, device: &Device) -> Result<Vec<(FeatureExtractor, Judge)>, TrainingError> {
    let mut judges = config.perceptual.judges();
    judges.retain(|judge| config.lambda_perc > 0.0 && (!judge.sees_a_part || config.lambda_vgg > 0.0));
    let path = config.perceptual_weights.as_deref().unwrap_or(Path::new("bundled"));
    let open = |judge: Judge| {
        let extractor = match judge.network {
            FeatureNetwork::AlexNet => FeatureExtractor::alex_net(device),
            FeatureNetwork::Vgg16 => FeatureExtractor::vgg_16(device),
            FeatureNetwork::ResNet50 => FeatureExtractor::resnet_50(path, device),
        };
        let extractor = extractor.map_err(|source| TrainingError::Weights { path: path.to_owned(), source })?;
        Ok((extractor, judge))
    };
    judges.into_iter().map(open).collect()
}

/// The square part of each picture whose top and left are given.
fn parts_of(rgb: &Tensor, parts: &[[usize; 2]], side: usize) -> Result<Tensor, candle_core::Error> {
    let part = |(index, &[top, left]): (usize, &[usize; 2])| {
        rgb.narrow(0, index, 1)?.narrow(2, top, side)?.narrow(3, left, side)
    };
    let parts = parts.iter().enumerate().map(part).collect::<Result<Vec<_>, _>>()?;
    Tensor::cat(&parts, 0)
}

/// The pictures without `shift` rows and columns, of which `top` and `left` are missing before them.
fn window_of(rgb: &Tensor, [top, left]: [usize; 2], shift: usize) -> Result<Tensor, candle_core::Error> {
    if shift == 0 {
        return Ok(rgb.clone());
    }
    let (_, _, rows, columns) = rgb.dims4()?;
    rgb.narrow(2, top, rows - shift)?.narrow(3, left, columns - shift)?.contiguous()
}

/// −1, which is black, outside the body: there nothing is judged (paper §3.1).
fn black_outside(rgb: &Tensor, mask: &Tensor) -> Result<Tensor, candle_core::Error> {
    rgb.affine(1.0, 1.0)?.broadcast_mul(mask)?.affine(1.0, -1.0)
}

fn scalar(loss: &Tensor) -> Result<f32, candle_core::Error> {
    loss.to_scalar::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Perceptual;

    #[test]
    fn the_window_takes_every_place_and_leaves_out_what_it_says() {
        let config = TrainConfig {
            base_channels: 1,
            perceptual: Perceptual::None,
            perceptual_shift: 3,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(&config, None, 1, &Device::Cpu).unwrap();
        let places: std::collections::BTreeSet<[usize; 2]> = (0..400).map(|_| trainer.draw_window()).collect();
        assert_eq!(places.len(), 16, "all shifts of 0 to 3 in both directions: {places:?}");
        let picture = Tensor::arange(0.0_f32, 25.0, &Device::Cpu).unwrap().reshape((1, 1, 5, 5)).unwrap();
        let seen = window_of(&picture, [1, 2], 3).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(seen, [7.0, 8.0, 12.0, 13.0], "two rows from the second on, two columns from the third on");
    }
}
