//! The generator against planes that PyTorch computed (`tests/fixtures/README.md`).
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use candle_core::{Device, Tensor};
use ct2rgb::model::{Generator, GeneratorConfig, GeneratorWeights, NormMode, Parameters, Seed, WeightsSource};
use safetensors::SafeTensors;

const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");
const SLICES: [&str; 2] = ["chest", "coarse_abdomen"];

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "as many values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn small_generator(norm: NormMode) -> (GeneratorConfig, Parameters) {
    let config = GeneratorConfig { input_channels: 2, base_channels: 2, norm };
    let parameters = config.initialize(Seed(5), &Device::Cpu).unwrap();
    (config, parameters)
}

fn picture(batch: usize, channels: usize, seed: u64) -> Tensor {
    let values = Seed(seed).stream("picture").normals(batch * channels * 256 * 256, 0.0, 0.4);
    Tensor::from_vec(values, (batch, channels, 256, 256), &Device::Cpu).unwrap()
}

/// The generator that the definition's planes were made with.
fn reference() -> WeightsSource {
    WeightsSource::File(concat!(env!("CARGO_MANIFEST_DIR"), "/weights/generator_reference.safetensors").into())
}

#[test]
fn the_reference_generator_answers_as_pytorch_did() {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let generator = GeneratorWeights::read(&reference()).unwrap().generator(&Device::Cpu).unwrap();
    for slice in SLICES {
        let channels = floats(&file, &format!("{slice}.channels"));
        let ct = Tensor::from_vec(channels, (1, 3, 256, 256), &Device::Cpu).unwrap();
        let rgb = generator.forward(&ct).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let difference = largest_difference(&rgb, &floats(&file, &format!("{slice}.output")));
        // Plain candle operations give 7e-6; skips and upsampled half swapped give more than 0.5.
        assert!(difference <= 2e-5, "{slice}: largest difference {difference}");
    }
}

#[test]
fn the_pictures_own_statistics_do_not_depend_on_the_rest_of_the_batch() {
    let (config, parameters) = small_generator(NormMode::Picture);
    let generator = Generator::new(config, parameters).unwrap();
    let (first, second) = (picture(1, 2, 1), picture(1, 2, 2));
    let alone = generator.forward(&first).unwrap();
    let together = generator.forward(&Tensor::cat(&[&first, &second], 0).unwrap()).unwrap();
    let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let difference = largest_difference(&flat(alone), &flat(together.narrow(0, 0, 1).unwrap()));
    assert!(difference < 1e-5, "largest difference {difference}");
}

#[test]
fn training_moves_the_running_statistics_and_inference_does_not() {
    let (config, parameters) = small_generator(NormMode::Running);
    let parameters = parameters.to_variables().unwrap();
    let generator = Generator::new(config, parameters.clone()).unwrap();
    let mean = || parameters.get("down.1.norm.running_mean").unwrap().to_vec1::<f32>().unwrap();
    let before = mean();
    generator.forward(&picture(1, 2, 1)).unwrap();
    assert_eq!(mean(), before, "inference only reads");
    generator.forward_train(&picture(2, 2, 1), &mut Seed(1).stream("dropout")).unwrap();
    assert_ne!(mean(), before, "training moves them");
}

#[test]
fn training_reaches_every_weight_and_repeats_with_the_same_seed() {
    let gradients = || {
        let (config, parameters) = small_generator(NormMode::Running);
        let parameters = parameters.to_variables().unwrap();
        let generator = Generator::new(config, parameters.clone()).unwrap();
        let rgb = generator.forward_train(&picture(1, 2, 1), &mut Seed(1).stream("dropout")).unwrap();
        let gradients = rgb.sqr().unwrap().mean_all().unwrap().backward().unwrap();
        let sum = |tensor: &Tensor| tensor.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let trained = parameters.trained().unwrap();
        trained.into_iter().map(|(name, var)| (name, gradients.get(&var).map(sum))).collect::<Vec<_>>()
    };
    let first = gradients();
    assert!(first.iter().all(|(name, sum)| sum.is_some() && !name.contains("running")), "{first:?}");
    assert!(first.iter().any(|(_, sum)| sum.unwrap() > 0.0), "some gradient is not zero");
    assert_eq!(first, gradients(), "same seed, same gradients");
}

#[test]
fn sizes_that_do_not_halve_eight_times_are_refused() {
    let (config, parameters) = small_generator(NormMode::Running);
    let generator = Generator::new(config, parameters).unwrap();
    let ct = Tensor::zeros((1, 2, 256, 384), candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = generator.forward(&ct).unwrap_err().to_string();
    assert!(message.contains("expected [N, 2, 256·k, 256·l], got [1, 2, 256, 384]"), "{message}");
    let wide = Tensor::zeros((1, 2, 256, 512), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(generator.forward(&wide).unwrap().dims(), [1, 3, 256, 512], "multiples of 256 are taken");
}
