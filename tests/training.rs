//! Training learns, stops and goes on as it should.

#![expect(clippy::unwrap_used, reason = "a test may end where a step fails")]

use std::path::Path;

use candle_core::Device;
use ct2rgb::model::WeightsCard;
use ct2rgb::training::{
    Adversarial, Augmentation, Batch, Perceptual, Sampler, StepReport, TrainConfig, Trainer, TrainingError, Upsampling,
    checkpoint,
};

const SIZE: usize = 256;

/// A network that trains in tenths of a second a step.
fn tiny() -> TrainConfig {
    TrainConfig {
        base_channels: 4,
        discriminator_channels: 4,
        perceptual: Perceptual::None,
        learning_rate: 2e-3,
        decay_from: 1.0,
        batch: 1,
        augmentation: Augmentation::NONE,
        ema_decay: 0.9,
        ..TrainConfig::default()
    }
}

/// A disk whose colour follows its CT, in stripes.
fn one_pair() -> Batch {
    let inside = |i: usize| {
        let (row, column) = ((i / SIZE) as f32 - 128.0, (i % SIZE) as f32 - 128.0);
        row.hypot(column) < 100.0
    };
    let stripe = |i: usize| if (i / SIZE / 32).is_multiple_of(2) { 0.5 } else { -0.3 };
    let plane = |of: &dyn Fn(usize) -> f32| (0..SIZE * SIZE).map(|i| if inside(i) { of(i) } else { -1.0 }).collect();
    let planes: [Vec<f32>; 3] = [plane(&stripe), plane(&|i| 0.5 * stripe(i)), plane(&|i| -stripe(i))];
    Batch {
        count: 1,
        size: SIZE,
        ct: planes.concat(),
        mask: (0..SIZE * SIZE).map(|i| f32::from(u8::from(inside(i)))).collect(),
        rgb_real: planes.concat(),
    }
}

fn trainer(config: &TrainConfig) -> Trainer {
    Trainer::new(config, None, 1000, &Device::Cpu).unwrap()
}

fn steps(trainer: &mut Trainer, count: usize) -> Vec<StepReport> {
    (0..count).map(|_| trainer.step(&one_pair()).unwrap()).collect()
}

fn weights(trainer: &Trainer) -> Vec<u8> {
    let weights = trainer.generator_weights(WeightsCard::default()).unwrap();
    weights.to_bytes(ct2rgb::model::Precision::F32).unwrap()
}

#[test]
fn a_tiny_network_learns_one_pair() {
    let mut trainer = trainer(&tiny());
    let reports = steps(&mut trainer, 40);
    let (first, last) = (reports[0].loss_g_rec, reports[39].loss_g_rec);
    // 40 steps reach a fifth; without the optimiser's step, the loss stays where dropout leaves it, within a tenth.
    assert!(last < 0.4 * first, "from {first} to {last}");
}

#[test]
fn resize_convolution_holds_after_every_step() {
    let unevenness = |upsampling: Upsampling| {
        let mut trainer = trainer(&TrainConfig { upsampling, ema_decay: 0.0, ..tiny() });
        steps(&mut trainer, 2);
        let weights = trainer.generator_weights(WeightsCard::default()).unwrap();
        let kernels = weights.parameters.get("up.2.conv.weight").unwrap().flatten_all().unwrap();
        let rows = kernels.to_vec1::<f32>().unwrap();
        rows.as_chunks::<4>().0.iter().map(|[a, b, c, d]| (a - b + c - d).abs()).fold(0.0, f32::max)
    };
    let [free, held] = [Upsampling::Transposed, Upsampling::Resize].map(unevenness);
    assert!(held < 1e-5 && free > 0.02, "taps of even and odd pixels differ by {free} and {held}");
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    // With all that draws at random or moves weights beside the optimiser.
    let config = TrainConfig {
        perceptual: Perceptual::LpipsAlex,
        perceptual_shift: 8,
        upsampling: Upsampling::Resize,
        ..tiny()
    };
    let mut uninterrupted = trainer(&config);
    let sampler = Sampler::new(&config, 1);
    steps(&mut uninterrupted, 3);
    checkpoint::save(&uninterrupted, &sampler, &path).unwrap();
    let expected = steps(&mut uninterrupted, 3);

    let mut resumed = trainer(&TrainConfig { epochs: 7, ..config.clone() });
    checkpoint::resume(&mut resumed, &mut Sampler::new(&config, 1), &path).unwrap();
    assert_eq!(steps(&mut resumed, 3), expected, "the same losses, to the last bit");
    assert_eq!(weights(&resumed), weights(&uninterrupted), "the same weights, to the last bit");
}

#[test]
fn a_loss_that_is_no_number_stops_and_leaves_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let config = tiny();
    let mut broken = trainer(&config);
    let sampler = Sampler::new(&config, 1);
    steps(&mut broken, 2);
    checkpoint::save(&broken, &sampler, &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut batch = one_pair();
    batch.rgb_real[1000] = f32::NAN;
    let error = broken.step(&batch).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { step: 3, .. }), "{error}");
    assert!(checkpoint::save(&broken, &sampler, &path).is_err(), "a broken state is not saved");
    assert_eq!(std::fs::read(&path).unwrap(), before, "the last good state is kept");
    checkpoint::resume(&mut broken, &mut Sampler::new(&config, 1), &path).unwrap();
    assert_eq!(broken.step_count(), 2, "and can be taken up again");
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let config = tiny();
    checkpoint::save(&trainer(&config), &Sampler::new(&config, 1), &path).unwrap();
    let refused = |config: TrainConfig, slices: usize| {
        let mut sampler = Sampler::new(&config, slices);
        checkpoint::resume(&mut trainer(&config), &mut sampler, &path).unwrap_err().to_string()
    };
    let wider = refused(TrainConfig { base_channels: 5, ..tiny() }, 1);
    assert!(wider.contains("base_channels"), "{wider}");
    let other = refused(TrainConfig { adversarial: Adversarial::None, ..tiny() }, 1);
    assert!(other.contains("adversarial"), "{other}");
    let more = refused(tiny(), 2);
    assert!(more.contains("training slices"), "{more}");
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_a_full_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let config = tiny();
    let mut trainer = trainer(&config);
    let mut sampler = Sampler::new(&config, 1);
    checkpoint::save(&trainer, &sampler, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for damaged in [&bytes[..0], &bytes[..7], &bytes[..bytes.len() / 2], b"not a checkpoint".as_slice()] {
        std::fs::write(&path, damaged).unwrap();
        assert!(checkpoint::resume(&mut trainer, &mut sampler, &path).is_err(), "{} bytes", damaged.len());
    }
    let missing = Path::new("/nowhere/at/all.safetensors");
    assert!(matches!(checkpoint::save(&trainer, &sampler, missing), Err(TrainingError::Write { .. })), "cannot write");
    steps(&mut trainer, 1);
}
