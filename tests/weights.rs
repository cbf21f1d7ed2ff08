//! Weights files: what is written can be read, and what is wrong is named.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ct2rgb::model::weights::{self, sha256_hex, tensors_to_bytes};
use ct2rgb::model::{
    GeneratorConfig, GeneratorWeights, NormMode, Parameters, Precision, Seed, WeightsCard, WeightsError, WeightsSource,
};
use ct2rgb::preprocess::Recipe;

fn small() -> GeneratorWeights {
    let recipe = Recipe::default();
    let config = GeneratorConfig { input_channels: recipe.channel_count(), base_channels: 2, norm: NormMode::Picture };
    let parameters = config.initialize(Seed(3), &Device::Cpu).unwrap();
    let card = WeightsCard { name: "small".into(), norm: NormMode::Picture, steps: Some(7), ..WeightsCard::default() };
    GeneratorWeights { card, recipe, config, parameters }
}

/// The small weights with one change, and the card as text.
fn bytes_with(change: impl FnOnce(&mut Parameters), card: Option<&str>) -> Vec<u8> {
    let mut weights = small();
    change(&mut weights.parameters);
    let recipe = serde_json::to_string(&weights.recipe).unwrap();
    let text = card.map_or_else(|| format!(r#"{{"name": "small", "recipe": {recipe}}}"#), str::to_owned);
    tensors_to_bytes(&weights.parameters, Precision::F32, BTreeMap::from([("card".to_owned(), text)])).unwrap()
}

fn message(bytes: &[u8]) -> String {
    GeneratorWeights::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn the_bundled_weights_have_a_card_a_recipe_and_a_hash() {
    let weights = GeneratorWeights::read(&WeightsSource::Bundled).unwrap();
    assert_eq!(weights.card.name, "ct2rgb laptop", "name");
    assert_eq!(weights.card.regions, ["head", "neck", "abdomen"], "regions");
    assert!(weights.card.steps > Some(1000), "steps: {:?}", weights.card.steps);
    assert!(weights.card.tool.starts_with("ct2rgb"), "this program made it: {}", weights.card.tool);
    let lineage = weights.card.data.split_once("fine-tuned from").map(|(_, lineage)| lineage);
    assert!(lineage.is_some_and(|words| words.contains("generator_reference")), "its lineage: {}", weights.card.data);
    assert!(weights.card.architecture.contains("resize-convolution"), "no chequers: {}", weights.card.architecture);
    assert!(weights.card.region.is_some(), "what its training data looks like");
    assert_eq!(weights.recipe, Recipe::default(), "recipe");
    assert_eq!((weights.config.base_channels, weights.config.input_channels), (32, 3), "structure");
    let readme = include_str!("../weights/README.md");
    assert!(readme.contains(&weights.card.sha256), "weights/README.md names the hash {}", weights.card.sha256);
}

#[test]
fn the_first_weights_are_read_though_their_recipe_is_in_words() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/generator_reference.safetensors");
    let weights = GeneratorWeights::read(&WeightsSource::File(path.into())).unwrap();
    assert_eq!((weights.card.steps, weights.card.tool.as_str()), (Some(4676), "PyTorch 2.15"), "their card");
    assert_eq!(weights.recipe, Recipe::default(), "recipe");
}

#[test]
fn written_weights_come_back_with_card_recipe_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.safetensors");
    let weights = small();
    let hash = weights.write(&path, Precision::F32).unwrap();
    let read = GeneratorWeights::read(&WeightsSource::File(path.clone())).unwrap();
    assert_eq!(read.card.sha256, hash, "hash of the file");
    assert_eq!(hash, sha256_hex(&std::fs::read(&path).unwrap()), "hash of its bytes");
    assert_eq!((read.card.steps, read.card.norm), (Some(7), NormMode::Picture), "card");
    assert_eq!((&read.recipe, read.config), (&weights.recipe, weights.config), "recipe and structure");
    for (name, tensor) in weights.parameters.iter() {
        let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(tensor), values(read.parameters.get(name).unwrap()), "{name}");
    }
    assert_eq!(weights.to_bytes(Precision::F32).unwrap(), std::fs::read(&path).unwrap(), "the same bytes again");
}

#[test]
fn halves_are_half_the_size_and_within_their_rounding() {
    let weights = small();
    let (half, full) = (weights.to_bytes(Precision::F16).unwrap(), weights.to_bytes(Precision::F32).unwrap());
    assert!(half.len() < full.len() * 6 / 10, "{} of {} bytes", half.len(), full.len());
    let read = GeneratorWeights::from_bytes(&half).unwrap();
    let name = "up.3.conv.weight";
    let difference = (weights.parameters.get(name).unwrap() - read.parameters.get(name).unwrap()).unwrap();
    let largest = difference.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    // Values below 0.125 in halves are off by at most 2⁻¹⁵.
    assert!(largest <= 1.0 / 32768.0, "largest difference {largest}");
}

#[test]
fn files_that_are_not_safetensors_are_named_as_such() {
    assert!(message(b"PK\x03\x04 a zip archive of some kind").contains("import-weights"), "a PyTorch checkpoint");
    assert!(message(b"").contains("not a safetensors file"), "an empty file");
    let mut absurd = (u64::MAX / 2).to_le_bytes().to_vec();
    absurd.extend_from_slice(b"{}");
    assert!(message(&absurd).contains("its header would have 9223372036854775807 bytes"), "an absurd header");
    let folder = tempfile::tempdir().unwrap();
    let error = GeneratorWeights::read(&WeightsSource::File(folder.path().to_owned())).unwrap_err();
    assert!(matches!(error, WeightsError::NotAFile), "a folder: {error}");
    let error = GeneratorWeights::read(&WeightsSource::File(folder.path().join("none"))).unwrap_err();
    assert!(matches!(error, WeightsError::Read { .. }), "no file: {error}");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let bytes = bytes_with(|_| {}, None);
    assert!(GeneratorWeights::from_bytes(&bytes).is_ok(), "the whole file is fine");
    for length in (0..bytes.len()).step_by(bytes.len() / 97) {
        assert!(GeneratorWeights::from_bytes(&bytes[..length]).is_err(), "cut after {length} bytes");
    }
}

#[test]
fn flipped_bytes_in_the_header_never_panic() {
    let bytes = bytes_with(|_| {}, None);
    for position in 0..2000 {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (position % 8);
        drop(GeneratorWeights::from_bytes(&flipped));
    }
}

#[test]
fn a_recipe_that_cannot_be_followed_is_refused_with_its_reason() {
    let recipe = serde_json::to_string(&Recipe::default()).unwrap().replace("\"version\":1", "\"version\":7");
    let card = format!(r#"{{"name": "x", "recipe": {recipe}}}"#);
    let error = GeneratorWeights::from_bytes(&bytes_with(|_| {}, Some(&card))).unwrap_err();
    assert_eq!(error.to_string(), "the recipe in the card cannot be followed", "what");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(reason, "recipe version 7 is unknown; this program follows version 1", "why");
}

#[test]
fn a_card_without_a_recipe_is_refused() {
    assert!(message(&bytes_with(|_| {}, Some(r#"{"name": "x"}"#))).contains("no recipe"), "no recipe");
    assert!(message(&bytes_with(|_| {}, Some("not json"))).contains("card of the weights cannot be read"), "no JSON");
    let bytes = tensors_to_bytes(&small().parameters, Precision::F32, BTreeMap::new()).unwrap();
    assert!(message(&bytes).contains("no card"), "no card");
}

#[test]
fn a_card_that_contradicts_the_tensors_is_refused() {
    let recipe = serde_json::to_string(&Recipe::default()).unwrap();
    let card = format!(r#"{{"name": "x", "base_channels": 64, "recipe": {recipe}}}"#);
    assert_eq!(
        message(&bytes_with(|_| {}, Some(&card))),
        "the card says 64 base channels, the tensors have 2",
        "width"
    );
}

#[test]
fn tensors_of_another_shape_or_name_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let text = message(&bytes_with(|p| p.insert("up.3.conv.weight", zeros(&[4, 4, 4, 4])), None));
    assert_eq!(text, "tensor up.3.conv.weight: expected shape [32, 8, 4, 4], found [4, 4, 4, 4]", "shape");
    let text = message(&bytes_with(|p| p.insert("down.0.conv.weight", zeros(&[2, 5, 4, 4])), None));
    assert_eq!(text, "the recipe in the card makes 3 channels, but down.0.conv.weight takes 5", "channels");
    let text = message(&bytes_with(|p| p.insert("extra", zeros(&[1])), None));
    assert!(text.contains("tensors that this network does not know (1, first extra)"), "{text}");
    let text = message(&bytes_with(|p| p.insert("down.0.conv.weight", zeros(&[2, 3, 3, 3])), None));
    assert!(text.contains("not the weights of a generator"), "{text}");
    let lpips = message(include_bytes!("../weights/lpips_alex.f16.safetensors"));
    assert!(lpips.contains("no card"), "weights of another network: {lpips}");
}

#[test]
fn missing_tensors_are_named() {
    let without = |p: &mut Parameters| {
        *p = p.iter().filter(|(n, _)| *n != "up.0.conv.bias").map(|(n, t)| (n.to_owned(), t.clone())).collect();
    };
    let text = message(&bytes_with(without, None));
    assert_eq!(text, "the weights have no tensor up.0.conv.bias; expected one of shape [3]", "name");
}

#[test]
fn values_that_are_not_numbers_are_refused() {
    let bias = |values: Vec<f32>| Tensor::new(values, &Device::Cpu).unwrap();
    let text = message(&bytes_with(|p| p.insert("up.0.conv.bias", bias(vec![0.0, f32::NAN, f32::INFINITY])), None));
    assert!(text.starts_with("tensor up.0.conv.bias has 2 values that are not finite"), "{text}");
    let text = message(&bytes_with(|p| p.insert("up.1.norm.running_var", bias(vec![1.0, -1.0])), None));
    assert!(text.contains("negative variances"), "{text}");
}

#[test]
fn an_unwritable_folder_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = small().write(&folder.path().join("none/small.safetensors"), Precision::F16).unwrap_err();
    assert!(matches!(error, WeightsError::Write { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    assert_eq!(weights::MOST_BASE_CHANNELS, 256, "the limit that the message names");
}

/// The bundled generator doubles by resize-convolution: even and odd pixels get the same sum of taps.
#[test]
fn the_bundled_weights_paint_no_chequers_on_what_is_flat() {
    let weights = GeneratorWeights::read(&WeightsSource::Bundled).unwrap();
    for level in 0..8 {
        let kernels = weights.parameters.get(&format!("up.{level}.conv.weight")).unwrap().flatten_all().unwrap();
        let kernels = kernels.to_vec1::<f32>().unwrap();
        let uneven = |kernel: &[f32; 16]| -> f32 {
            kernel.as_chunks::<4>().0.iter().map(|[a, b, c, d]| a - b + c - d).map(|row| row * row).sum()
        };
        let off: f32 = kernels.as_chunks::<16>().0.iter().map(uneven).sum();
        let size: f32 = kernels.iter().map(|tap| tap * tap).sum();
        // The file holds halves, which round by 1/4096 of a tap at most.
        assert!(off < 1e-6 * size, "up.{level}: {off} of {size}");
    }
}
