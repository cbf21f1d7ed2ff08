//! The feature extractors against values that PyTorch computed (`tests/fixtures/README.md`).
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ct2rgb::model::blocks::{Stride, max_pool2d};
use ct2rgb::model::features::resnet_50_tensors;
use ct2rgb::model::weights::tensors_to_bytes;
use ct2rgb::model::{FeatureExtractor, Precision, TensorSpec};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    net: String,
    layer: String,
    shape: Vec<usize>,
    mean: f64,
    std: f64,
    max: f64,
    at_0_0_0_0to3: Vec<f64>,
    l1_a_b: f64,
}

fn picture(bytes: &[u8]) -> Tensor {
    let rgb = image::load_from_memory(bytes).unwrap().to_rgb8();
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    let values = rgb.into_raw().into_iter().map(|value| f32::from(value) / 127.5 - 1.0).collect::<Vec<_>>();
    let pixels = Tensor::from_vec(values, (1, height, width, 3), &Device::Cpu).unwrap();
    pixels.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn alex_net_and_vgg_see_what_they_see_in_pytorch() {
    let expected: Vec<Expected> = serde_json::from_str(include_str!("fixtures/features_reference.json")).unwrap();
    let (a, b) =
        (picture(include_bytes!("fixtures/syn_a_64x64.png")), picture(include_bytes!("fixtures/syn_b_64x64.png")));
    for (net, extractor) in
        [("alex", FeatureExtractor::alex_net(&Device::Cpu)), ("vgg", FeatureExtractor::vgg_16(&Device::Cpu))]
    {
        let extractor = extractor.unwrap();
        let (taps_a, taps_b) = (extractor.taps(&a).unwrap(), extractor.taps(&b).unwrap());
        let expected = expected.iter().filter(|e| e.net == net).collect::<Vec<_>>();
        assert_eq!((taps_a.len(), extractor.heads().len()), (5, 5), "five taps, five heads");
        assert_eq!(expected.len(), 5, "five expectations");
        for ((tap_a, tap_b), expected) in taps_a.iter().zip(&taps_b).zip(expected) {
            let (a, b) = (values(tap_a), values(tap_b));
            let name = format!("{net} {}", expected.layer);
            // Weights in halves (2⁻¹¹ relative) against f32: single values differ by up to 2.2e-3 of their layer's spread (so they do in PyTorch).
            let close = |found: f64, wanted: f64, what: &str| {
                assert!((found - wanted).abs() <= 3e-3 * expected.std, "{name} {what}: {found}, expected {wanted}");
            };
            assert_eq!(tap_a.dims(), expected.shape, "{name}: shape");
            close(mean(&a), expected.mean, "mean");
            let variance = mean(&a.iter().map(|v| (v - expected.mean).powi(2)).collect::<Vec<_>>());
            close(variance.sqrt(), expected.std, "deviation");
            assert!((a.iter().copied().fold(0.0, f64::max) / expected.max - 1.0).abs() < 2e-3, "{name}: maximum");
            for (found, wanted) in a.iter().zip(&expected.at_0_0_0_0to3) {
                close(*found, *wanted, "first values");
            }
            close(
                mean(&a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()),
                expected.l1_a_b,
                "difference",
            );
        }
    }
}

#[test]
fn gradients_of_the_taps_reach_the_picture() {
    let extractor = FeatureExtractor::alex_net(&Device::Cpu).unwrap();
    let rgb = Var::from_tensor(&picture(include_bytes!("fixtures/syn_a_64x64.png"))).unwrap();
    for (index, tap) in extractor.taps(&rgb).unwrap().iter().enumerate() {
        let gradients = tap.mean_all().unwrap().backward().unwrap();
        let largest = values(&gradients.get(&rgb).unwrap().abs().unwrap()).into_iter().fold(0.0, f64::max);
        assert!(largest > 0.0 && largest.is_finite(), "tap {index}: largest gradient {largest}");
    }
}

#[test]
fn max_pools_of_any_stride_and_padding_have_right_gradients() {
    // Distinct values, so that finite differences are exact within one window's ranking.
    let count = 2 * 7 * 8;
    let start = (0..count).map(|i| ((i * 37) % count) as f32 / 10.0).collect::<Vec<_>>();
    for (kernel, step, padding) in [(3, 2, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1)] {
        let stride = Stride { step, padding };
        let weighted = |values: &Tensor| {
            let pooled = max_pool2d(values, kernel, stride).unwrap().flatten_all().unwrap();
            let weights = (0..pooled.elem_count()).map(|i| 1.0 + i as f32 * 0.25).collect::<Vec<_>>();
            (pooled * Tensor::new(weights, &Device::Cpu).unwrap()).unwrap().sum_all().unwrap()
        };
        let tensor = |values: &[f32]| Tensor::from_slice(values, (1, 2, 7, 8), &Device::Cpu).unwrap();
        let input = Var::from_tensor(&tensor(&start)).unwrap();
        let gradient = values(weighted(&input).backward().unwrap().get(&input).unwrap());
        for index in 0..count {
            let mut moved = start.clone();
            moved[index] += 0.05;
            let difference = values(&weighted(&tensor(&moved)))[0] - values(&weighted(&tensor(&start)))[0];
            let found = gradient[index];
            assert!((difference / 0.05 - found).abs() < 0.05, "{kernel}/{step}+{padding} at {index}: {found}");
        }
    }
}

#[derive(Deserialize)]
struct ExpectedStage {
    shape: Vec<usize>,
    mean: f64,
    std: f64,
    spread: Vec<f64>,
}

/// Uniform in 0 … 1 from the number of the tensor and of the value: the formula of `make_resnet.py`.
fn unit(tensor: u32, value: u32) -> f32 {
    let mut x = value.wrapping_mul(2_654_435_761).wrapping_add(tensor.wrapping_mul(97));
    x ^= x >> 15;
    x = x.wrapping_mul(2_246_822_519);
    x ^= x >> 13;
    (x >> 8) as f32 / (1u32 << 24) as f32
}

fn formula_tensor(number: usize, spec: &TensorSpec) -> (String, Tensor) {
    let count = spec.shape.iter().product::<usize>() as u32;
    let bound = (24.0 / (count as usize / spec.shape[0]) as f64).sqrt() as f32;
    let value = |u: f32| match spec.name.rsplit('.').next() {
        Some("weight") if spec.shape.len() == 4 => (u - 0.5) * bound,
        Some("weight") => 0.2 + 0.3 * u,
        Some("running_var") => 0.5 + u,
        _ => (u - 0.5) * 0.2,
    };
    let values = (0..count).map(|i| value(unit(number as u32, i))).collect::<Vec<_>>();
    (spec.name.clone(), Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu).unwrap())
}

#[test]
fn resnet_50_sees_what_it_sees_in_pytorch() {
    let mut specs = resnet_50_tensors();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    let tensors = specs.iter().enumerate().map(|(number, spec)| formula_tensor(number, spec));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet50.safetensors");
    let bytes = tensors_to_bytes(&tensors.collect(), Precision::F32, BTreeMap::new()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let extractor = FeatureExtractor::resnet_50(&path, &Device::Cpu).unwrap();
    let taps = extractor.taps(&picture(include_bytes!("fixtures/syn_a_64x64.png"))).unwrap();
    let expected: Vec<ExpectedStage> = serde_json::from_str(include_str!("fixtures/resnet_reference.json")).unwrap();
    assert_eq!(taps.len(), expected.len(), "four stages");
    for (stage, (tap, expected)) in taps.iter().zip(&expected).enumerate() {
        assert_eq!(tap.dims(), expected.shape, "stage {stage}: shape");
        let found = values(tap);
        let sampled = found.iter().skip(3).step_by(found.len() / 16);
        let differences = sampled.zip(&expected.spread).map(|(a, b)| (a - b).abs() / expected.std);
        let largest = differences.fold(0.0, f64::max);
        // Rounding of f32 over fifty layers, measured 1e-6; the stride in the first instead of the second convolution gives 0.06.
        assert!(largest < 1e-4, "stage {stage}: {largest} of the spread");
        assert!((mean(&found) - expected.mean).abs() < 1e-5 * expected.std, "stage {stage}: mean");
    }
}

#[test]
fn resnet_weights_of_another_network_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet50.pth");
    std::fs::write(&path, include_bytes!("fixtures/pix2pix_old.pth")).unwrap();
    let error = FeatureExtractor::resnet_50(&path, &Device::Cpu).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights have no tensor conv1.weight; expected one of shape [64, 3, 7, 7]",
        "name"
    );
    std::fs::write(&path, b"no weights").unwrap();
    let error = FeatureExtractor::resnet_50(&path, &Device::Cpu).unwrap_err();
    assert!(error.to_string().starts_with("not a safetensors file"), "{error}");
}
