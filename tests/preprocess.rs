//! The default recipe against its definition in numpy, and what every recipe keeps to.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use ct2rgb::preprocess::{Recipe, otsu_threshold_hu};
use ct2rgb::volume::CtSlice;
use safetensors::SafeTensors;

/// Two living patients; `tests/fixtures/README.md` says who made it.
const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");

/// The planes of one slice, as the definition made them.
struct Reference {
    slice: CtSlice,
    pixel_size_mm: [f64; 2],
    otsu_hu: f32,
    square: [f64; 3],
    mask: Vec<bool>,
    grid_mask: Vec<bool>,
    channels: Vec<f32>,
    output: Vec<f32>,
    rgb_on_ct: Vec<u8>,
}

fn reference(file: &[u8], name: &str) -> Reference {
    let file = SafeTensors::deserialize(file).unwrap();
    let bytes = |plane: &str| file.tensor(&format!("{name}.{plane}")).unwrap().data().to_vec();
    let floats = |plane| -> Vec<f32> { bytes(plane).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect() };
    let bools = |plane| bytes(plane).iter().map(|&byte| byte > 0).collect();
    let square: Vec<f64> = bytes("square").as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let shape = file.tensor(&format!("{name}.hu")).unwrap().shape().to_vec();
    let hu: Vec<i16> = bytes("hu").as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    Reference {
        slice: CtSlice::new(shape[1], shape[0], hu.into()),
        pixel_size_mm: [f64::from(floats("mm")[0]); 2],
        otsu_hu: floats("otsu_hu")[0],
        square: [square[0], square[1], square[2]],
        mask: bools("mask"),
        grid_mask: bools("grid_mask"),
        channels: floats("channels"),
        output: floats("output"),
        rgb_on_ct: bytes("rgb_on_ct"),
    }
}

fn check(file: &[u8], name: &str) {
    let reference = reference(file, name);
    let prepared = Recipe::default().prepare(&reference.slice, reference.pixel_size_mm).unwrap();
    assert_eq!(otsu_threshold_hu(reference.slice.values_hu()) as f32, reference.otsu_hu, "{name}: threshold");
    assert_eq!(prepared.mask, reference.mask, "{name}: mask");
    let square = [prepared.square.center_row, prepared.square.center_column, prepared.square.side];
    assert_eq!(square, reference.square, "{name}: square");
    assert_eq!(prepared.grid_mask, reference.grid_mask, "{name}: mask on the grid");
    assert_eq!((prepared.channel_count, prepared.size), (3, 256), "{name}: shape");
    let pairs = prepared.channels.iter().zip(&reference.channels);
    let largest = pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert_eq!(prepared.channels.len(), reference.channels.len(), "{name}: shape");
    // Rounding of HU in f32, 160 of which are the range of fat.
    assert!(largest < 1e-5, "{name}: channels differ by {largest}");
    println!("{name}: channels differ by at most {largest:e}");
    let rgb8 = prepared.rgb8_on_ct(&reference.output);
    assert_eq!(rgb8.len(), reference.rgb_on_ct.len(), "{name}: colours");
    let wrong = rgb8.iter().zip(&reference.rgb_on_ct).filter(|(found, expected)| found != expected).count();
    assert!(wrong * 10_000 <= rgb8.len(), "{name}: {wrong} of {} colours differ", rgb8.len());
    assert!(rgb8.iter().zip(&reference.rgb_on_ct).all(|(a, b)| a.abs_diff(*b) <= 1), "{name}: by 1 at most");
    println!("{name}: {wrong} colours of {} differ", rgb8.len());
}

#[test]
fn the_default_recipe_makes_the_planes_of_its_definition() {
    for name in ["chest", "coarse_abdomen"] {
        check(PIPELINE, name);
    }
}
