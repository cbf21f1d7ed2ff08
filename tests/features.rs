//! The feature extractors against values that PyTorch computed (`tests/fixtures/README.md`).
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use candle_core::{Device, Tensor, Var};
use ct2rgb::model::FeatureExtractor;
use ct2rgb::model::blocks::{Stride, max_pool2d};
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
