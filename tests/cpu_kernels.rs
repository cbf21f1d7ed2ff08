//! The processor's kernels against PyTorch's planes and candle's own operations.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use candle_core::{Device, Tensor};
use ct2rgb::model::cpu::{GeneratorPlan, Isa};
use ct2rgb::model::{Generator, GeneratorConfig, GeneratorWeights, NormMode, Seed, WeightsSource};
use safetensors::SafeTensors;

const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "as many values");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn the_plan_answers_as_pytorch_did_whatever_the_instructions() {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let weights = GeneratorWeights::read(&WeightsSource::Bundled).unwrap();
    for isa in Isa::available() {
        let plan = GeneratorPlan::with_isa(weights.config, &weights.parameters, isa).unwrap();
        for slice in ["chest", "coarse_abdomen"] {
            let channels = floats(&file, &format!("{slice}.channels"));
            let rgb = plan.forward(&channels, [1, 3, 256, 256]).unwrap();
            let difference = largest_difference(&rgb, &floats(&file, &format!("{slice}.output")));
            // The order of sums alone gives 1e-5; one tap left out gives more than 0.1.
            assert!(difference <= 4e-5, "{slice} with {}: largest difference {difference}", isa.name());
        }
    }
}

#[test]
fn the_plan_agrees_with_the_layers_for_odd_widths_batches_and_oblong_pictures() {
    let config = GeneratorConfig { input_channels: 2, base_channels: 5, norm: NormMode::Running };
    let parameters = config.initialize(Seed(4), &Device::Cpu).unwrap();
    let plan = GeneratorPlan::new(config, &parameters).unwrap();
    let shape = [3, 2, 256, 512];
    let ct = Seed(6).stream("ct").normals(shape.iter().product(), 0.0, 0.5);
    let generator = Generator::new(config, parameters).unwrap();
    let expected = generator.forward(&Tensor::from_slice(&ct, &shape, &Device::Cpu).unwrap()).unwrap();
    let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for _ in 0..2 {
        // The second time in maps that are used again.
        let difference = largest_difference(&plan.forward(&ct, shape).unwrap(), &expected);
        assert!(difference <= 1e-5, "largest difference {difference}");
    }
}

#[test]
fn the_plan_gives_the_same_bits_on_any_number_of_threads() {
    let config = GeneratorConfig { input_channels: 3, base_channels: 8, norm: NormMode::Running };
    let plan = GeneratorPlan::new(config, &config.initialize(Seed(1), &Device::Cpu).unwrap()).unwrap();
    let ct = Seed(2).stream("ct").normals(3 * 256 * 256, 0.0, 0.5);
    let answer = |threads| on_threads(threads, || plan.forward(&ct, [1, 3, 256, 256]).unwrap());
    let alone = answer(1);
    for threads in [2, 3, 5] {
        assert_eq!(answer(threads), alone, "{threads} threads");
    }
}

#[test]
fn the_plan_refuses_other_shapes_by_name() {
    let config = GeneratorConfig { input_channels: 3, base_channels: 1, norm: NormMode::Running };
    let parameters = config.initialize(Seed(1), &Device::Cpu).unwrap();
    let plan = GeneratorPlan::new(config, &parameters).unwrap();
    let message = |length, shape| plan.forward(&vec![0.0; length], shape).unwrap_err().to_string();
    let text = message(3 * 128 * 256, [1, 3, 128, 256]);
    assert!(text.contains("expected [N, 3, 256·k, 256·l], got [1, 3, 128, 256]"), "{text}");
    let text = message(7, [1, 3, 256, 256]);
    assert!(text.contains("expected [1, 3, 256, 256], got 7 values"), "{text}");
    let other = GeneratorConfig { base_channels: 2, ..config };
    let text = GeneratorPlan::new(other, &parameters).unwrap_err().to_string();
    assert!(text.contains("down.0.conv.bias: expected shape [2], got [1]"), "{text}");
}
