//! Forward passes of the generator, a training step, and one slice from HU to colour, on all cores.
#![expect(clippy::unwrap_used, reason = "a bench may fail")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ct2rgb::model::cpu::GeneratorPlan;
use ct2rgb::model::cpu::adam::{AdamStep, Moments};
use ct2rgb::model::cpu::train::Gradient;
use ct2rgb::model::{Colorizer, DeviceChoice, Generator, GeneratorConfig, NormMode, Seed, WeightsSource};
use ct2rgb::volume::CtSlice;
use safetensors::SafeTensors;

const PIPELINE: &[u8] = include_bytes!("../tests/fixtures/pipeline_living.safetensors");

/// Rows and columns of a CT slice.
const SIDE: usize = 512;

fn main() {
    divan::main();
}

fn config(base_channels: usize) -> GeneratorConfig {
    GeneratorConfig { input_channels: 3, base_channels, norm: NormMode::Running }
}

fn noise(shape: &[usize]) -> Vec<f32> {
    Seed(1).stream("picture").normals(shape.iter().product(), 0.0, 0.5)
}

/// (base channels, width and height of the picture).
#[divan::bench(args = [(32, 256), (32, 512), (64, 256), (64, 512)], sample_count = 15)]
fn forward(bencher: divan::Bencher<'_, '_>, (base_channels, size): (usize, usize)) {
    let config = config(base_channels);
    let plan = GeneratorPlan::new(config, config.initialize(Seed(0), &Device::Cpu).unwrap()).unwrap();
    let shape = [1, 3, size, size];
    let ct = noise(&shape);
    bencher.bench_local(|| plan.forward(&ct, shape).unwrap());
}

/// L1 and Adam on two pictures of 256².
#[divan::bench(args = [32, 64], sample_count = 9)]
fn training_step(bencher: divan::Bencher<'_, '_>, base_channels: usize) {
    let config = config(base_channels);
    let parameters = config.initialize(Seed(0), &Device::Cpu).unwrap().to_variables().unwrap();
    let generator = Generator::new(config, parameters).unwrap();
    let mut moments = BTreeMap::new();
    let shape = [2, 3, 256, 256];
    let ct = Tensor::from_vec(noise(&shape), &shape, &Device::Cpu).unwrap();
    let rgb_real = Tensor::from_vec(noise(&shape), &shape, &Device::Cpu).unwrap();
    let mut dropout = Seed(0).stream("dropout");
    let mut t = 0;
    bencher.bench_local(|| {
        let pass = generator.training_pass(&ct, &mut dropout).unwrap();
        let loss = pass.rgb().sub(&rgb_real).unwrap().abs().unwrap().mean_all().unwrap();
        let mut gradients = loss.backward().unwrap();
        t += 1;
        let adam = AdamStep::new(t, 1e-4, [0.5, 0.999], 1e-8);
        let take = &mut |name: &str, weight: &Tensor, gradient: Gradient<'_>| {
            let moments = moments.entry(name.to_owned()).or_insert_with(|| Moments::zeros(weight.elem_count()));
            adam.apply(weight, gradient, moments)
        };
        pass.backward_each(&generator, &mut gradients, take).unwrap();
    });
}

/// One slice of 512² from HU to colour on the CT grid: preparation, the bundled generator at 256², and back.
#[divan::bench(sample_count = 25)]
fn slice(bencher: divan::Bencher<'_, '_>) {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let hu = file.tensor("chest.hu").unwrap();
    let values = hu.data().as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect::<Vec<_>>();
    let mm = file.tensor("chest.mm").unwrap();
    let mm = f64::from(f32::from_le_bytes(*mm.data().first_chunk().unwrap()));
    // The fixture is small: each pixel several times, as large as a CT usually is.
    let (rows, columns) = (hu.shape()[0], hu.shape()[1]);
    let at = |i: usize| values[i / SIDE * rows / SIDE * columns + i % SIDE * columns / SIDE];
    let ct = CtSlice::new(SIDE, SIDE, (0..SIDE * SIDE).map(at).collect());
    let mm = [mm * columns as f64 / SIDE as f64, mm * rows as f64 / SIDE as f64];
    let colorizer = Colorizer::load(&WeightsSource::Bundled, DeviceChoice::Cpu).unwrap();
    bencher.bench_local(|| colorizer.colorize(&ct, mm, None).unwrap());
}
