//! From a CT slice to colour on the CT grid.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::error::Error as _;

use ct2rgb::model::{Colorizer, DeviceChoice, GeneratorWeights, ModelError, NormMode, WeightsSource};
use ct2rgb::preprocess::{EdgeRanges, HuRange};
use ct2rgb::volume::CtSlice;
use safetensors::SafeTensors;

const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");

/// The generator that the definition's planes were made with.
fn reference() -> WeightsSource {
    WeightsSource::File(concat!(env!("CARGO_MANIFEST_DIR"), "/weights/generator_reference.safetensors").into())
}

/// With the bundled weights.
fn colorizer() -> Colorizer {
    Colorizer::load(&WeightsSource::Bundled, DeviceChoice::Cpu).unwrap()
}

/// A slice of the fixture and its pixel size.
fn slice(name: &str) -> (CtSlice, [f64; 2]) {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let hu = file.tensor(&format!("{name}.hu")).unwrap();
    let values = hu.data().as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect::<Vec<_>>();
    let mm = file.tensor(&format!("{name}.mm")).unwrap();
    let mm = f64::from(f32::from_le_bytes(*mm.data().first_chunk().unwrap()));
    (CtSlice::new(hu.shape()[1], hu.shape()[0], values.into()), [mm, mm])
}

#[test]
fn colours_on_the_ct_grid_are_those_of_the_definition() {
    let file = SafeTensors::deserialize(PIPELINE).unwrap();
    let colorizer = Colorizer::load(&reference(), DeviceChoice::Cpu).unwrap();
    for name in ["chest", "coarse_abdomen"] {
        let (ct, mm) = slice(name);
        let color = colorizer.colorize(&ct, mm, None).unwrap();
        let expected = file.tensor(&format!("{name}.rgb_on_ct")).unwrap();
        assert_eq!([color.rows, color.columns, 3], expected.shape(), "{name}: shape");
        let differs = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > 1;
        let wrong = color.rgb8.iter().zip(expected.data()).filter(differs).count();
        assert!(wrong * 1000 <= expected.data().len(), "{name}: {wrong} values differ by more than 1");
        assert!(color.elapsed_secs > 0.0, "{name}: time is measured");
    }
}

#[test]
fn a_slice_through_the_lungs_is_said_to_be_outside_of_the_training_data() {
    for (name, is_outside) in [("chest", true), ("coarse_abdomen", false)] {
        let (ct, mm) = slice(name);
        let color = colorizer().colorize(&ct, mm, None).unwrap();
        assert_eq!(color.is_outside_training, is_outside, "{name}: the bundled weights know head, neck and abdomen");
    }
}

#[test]
fn layers_and_plan_give_the_same_colours() {
    // With the picture's own statistics the layers compute; with the running ones, on the processor, the plan.
    let mut weights = GeneratorWeights::read(&WeightsSource::Bundled).unwrap();
    let (ct, mm) = slice("coarse_abdomen");
    let plan = colorizer().colorize(&ct, mm, None).unwrap();
    weights.config.norm = NormMode::Picture;
    let own = Colorizer::from_weights(&weights, DeviceChoice::Cpu).unwrap().colorize(&ct, mm, None).unwrap();
    assert_ne!(plan.rgb8, own.rgb8, "other statistics, other colours");
    let difference = plan.rgb8.iter().zip(own.rgb8.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
    let mean = difference / plan.rgb8.len() as f64;
    assert!(mean < 40.0, "still the same body: mean difference {mean}");
}

#[test]
fn several_threads_share_one_colorizer() {
    let colorizer = colorizer();
    let (ct, mm) = slice("coarse_abdomen");
    let alone = colorizer.colorize(&ct, mm, None).unwrap();
    let work = || colorizer.colorize(&ct, mm, None).unwrap();
    let (first, second) = rayon::join(work, work);
    assert_eq!((&first.rgb8, &second.rgb8), (&alone.rgb8, &alone.rgb8), "the same colours at the same time");
}

#[test]
fn other_edge_ranges_change_the_colours() {
    let colorizer = colorizer();
    let (ct, mm) = slice("coarse_abdomen");
    let own = colorizer.colorize(&ct, mm, None).unwrap();
    assert_eq!(own.rgb8, colorizer.colorize(&ct, mm, Some(colorizer.recipe().edges)).unwrap().rgb8, "the recipe's own");
    let edges = EdgeRanges { fat: HuRange { low_hu: -500.0, high_hu: 0.0 }, ..EdgeRanges::default() };
    assert_ne!(own.rgb8, colorizer.colorize(&ct, mm, Some(edges)).unwrap().rgb8, "others");
}

#[test]
fn a_slice_without_a_body_is_an_error() {
    let air = CtSlice::new(64, 64, vec![-1000; 64 * 64].into());
    let error = colorizer().colorize(&air, [1.0, 1.0], None).unwrap_err();
    assert!(matches!(error, ModelError::Preprocess(_)), "{error}");
}

#[test]
fn unusable_weights_are_named_with_their_path_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, b"%PDF-1.4 no weights").unwrap();
    let error = Colorizer::load(&WeightsSource::File(path.clone()), DeviceChoice::Cpu).unwrap_err();
    assert_eq!(error.to_string(), format!("the weights cannot be used: {path:?}"), "the file");
    assert!(error.source().unwrap().to_string().starts_with("not a safetensors file"), "the reason");
}

#[test]
fn the_device_is_named_honestly() {
    let colorizer = Colorizer::load(&WeightsSource::Bundled, DeviceChoice::Auto).unwrap();
    if cfg!(not(any(feature = "cuda", feature = "metal"))) {
        assert_eq!((colorizer.device_name(), colorizer.device_note()), ("CPU", None), "a build for the CPU");
        let error = Colorizer::load(&WeightsSource::Bundled, DeviceChoice::Metal).unwrap_err();
        assert!(error.to_string().contains("--features metal"), "{error}");
    }
}
