//! Time of everything between a CT slice of 512² and the generator, and of the way back, on one core.
#![expect(clippy::unwrap_used, reason = "a bench that cannot set itself up has failed")]

use ct2rgb::preprocess::{EdgeRanges, Recipe, RegionFeatures, edges_on_ct};
use ct2rgb::volume::CtSlice;
use divan::Bencher;
use divan::counter::ItemsCount;

/// A body of 460 × 330 mm with lungs, bowel and noise on a table, at 0.9 mm: as large as bodies come.
fn slice(size: usize) -> CtSlice {
    let mm = 460.8 / size as f64;
    let hu = (0..size * size).map(|index| {
        let (x, y) = (((index % size) as f64 + 0.5) * mm - 230.4, ((index / size) as f64 + 0.5) * mm - 230.4);
        let noise = ((index * 2_654_435_761) >> 9) as i16 % 30;
        let within = |cx: f64, cy: f64, rx: f64, ry: f64| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
        noise
            + if within(-70.0, 0.0, 45.0, 70.0) || within(70.0, 0.0, 45.0, 70.0) {
                -850
            } else if within(0.0, 80.0, 25.0, 25.0) {
                500
            } else if within(0.0, 0.0, 200.0, 140.0) {
                40
            } else if within(0.0, 0.0, 222.0, 160.0) {
                -110
            } else if (175.0..182.0).contains(&y) {
                100
            } else {
                -1010
            }
    });
    CtSlice::new(size, size, hu.collect::<Vec<i16>>().into())
}

fn main() {
    divan::main();
}

/// Mask, crop and channels of a slice of 512².
#[divan::bench(args = [256, 512])]
fn prepare_512(bencher: Bencher, grid: usize) {
    let (slice, recipe) = (slice(512), Recipe { size: grid, ..Recipe::default() });
    bencher.counter(ItemsCount::new(1_usize)).bench(|| recipe.prepare(&slice, [0.9, 0.9]).unwrap());
}

/// The generator's answer on the CT grid of 512².
#[divan::bench(args = [256, 512])]
fn rgb8_on_ct_512(bencher: Bencher, grid: usize) {
    let recipe = Recipe { size: grid, ..Recipe::default() };
    let prepared = recipe.prepare(&slice(512), [0.9, 0.9]).unwrap();
    let answer: Vec<f32> = (0..3 * grid * grid).map(|i| (i % 200) as f32 / 100.0 - 1.0).collect();
    bencher.bench(|| prepared.rgb8_on_ct(&answer));
}

/// There and back: the whole of what a colour costs beside the generator.
#[divan::bench]
fn there_and_back_512(bencher: Bencher) {
    let (slice, recipe) = (slice(512), Recipe::default());
    let answer = vec![0.1; 3 * 256 * 256];
    bencher.bench(|| recipe.prepare(&slice, [0.9, 0.9]).unwrap().rgb8_on_ct(&answer));
}

/// What tells whether the region was in the training data.
#[divan::bench]
fn region_features(bencher: Bencher) {
    let prepared = Recipe::default().prepare(&slice(512), [0.9, 0.9]).unwrap();
    bencher.bench(|| RegionFeatures::of(&prepared));
}

/// Contours of fat and bone on the CT grid of 512².
#[divan::bench]
fn edges_on_ct_512(bencher: Bencher) {
    let slice = slice(512);
    bencher.bench(|| edges_on_ct(&slice, EdgeRanges::default()));
}
