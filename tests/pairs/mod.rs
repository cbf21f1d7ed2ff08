//! Made-up pairs: an ellipse of fat, muscle and bone with a hollow, as CT and as a photograph in blue gelatin.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fmt::Write as _;
use std::path::Path;

use ct2rgb::training::{Augmentation, Perceptual, TrainConfig};
use image::{ImageBuffer, Luma, Rgb};

/// Pixels of the CT; a pixel is 2 mm, and one of the photograph 1 mm.
const SIDE: u32 = 100;

/// Settings of a network that trains in tenths of a second a step.
pub fn tiny() -> TrainConfig {
    TrainConfig {
        base_channels: 4,
        discriminator_channels: 4,
        perceptual: Perceptual::None,
        batch: 1,
        max_steps: 4,
        checkpoint_every: 100,
        measure_every: 2,
        guard_mm: 0.0,
        augmentation: Augmentation { hu_noise: 5.0, ..Augmentation::default() },
        ..TrainConfig::default()
    }
}

/// What lies at a place, in millimetres from the centre: HU and colour.
fn tissue(slice: u32, x: f64, y: f64) -> (i32, [u8; 3]) {
    let radius = (x / 80.0).hypot(y / 60.0);
    let hollow = (x + 25.0).hypot(y - 10.0) < 8.0 + f64::from(slice);
    let bone = x.hypot(y - 35.0) < 10.0;
    match radius {
        _ if hollow => (-990, [30, 90, 200]),
        _ if bone => (700, [230, 220, 190]),
        r if r < 0.8 => (45, [140, 40, 35]),
        r if r < 1.0 => (-100, [230, 190, 110]),
        _ => (-1000, [30, 90, 200]),
    }
}

/// Five slices in `pairs.csv`, the last one held out.
pub fn write_pairs(folder: &Path) {
    let mut table = "set,slice,split,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n".to_owned();
    let at = |pixel: u32, size: f64| (f64::from(pixel) + 0.5) * size - f64::from(SIDE);
    for slice in 0..5 {
        let stored = |x, y| (tissue(slice, at(x, 2.0), at(y, 2.0)).0 + 1024) as u16;
        let ct = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([stored(x, y)]));
        let rgb = ImageBuffer::from_fn(2 * SIDE, 2 * SIDE, |x, y| Rgb(tissue(slice, at(x, 1.0), at(y, 1.0)).1));
        ct.save(folder.join(format!("{slice}_ct.png"))).unwrap();
        rgb.save(folder.join(format!("{slice}_rgb.png"))).unwrap();
        let split = if slice == 4 { "val" } else { "train" };
        writeln!(table, "phantom,{},{split},{slice}_ct.png,{slice}_rgb.png,2,1", 10 * slice).unwrap();
    }
    std::fs::write(folder.join("pairs.csv"), table).unwrap();
}

/// Spoils the second row, which is line 3.
type Spoil = fn(&Path);

/// Ways to spoil a row, and what the error has to say.
pub const SPOILT: [(Spoil, &str); 6] = [
    (|folder| std::fs::remove_file(folder.join("1_ct.png")).unwrap(), "field ct"),
    (|folder| std::fs::write(folder.join("1_rgb.png"), b"no picture").unwrap(), "field rgb"),
    (
        |folder| ImageBuffer::from_pixel(SIDE, SIDE, Luma([40u8])).save(folder.join("1_ct.png")).unwrap(),
        "expected 16-bit grey",
    ),
    (
        |folder| ImageBuffer::from_pixel(SIDE, SIDE, Luma([60_000u16])).save(folder.join("1_ct.png")).unwrap(),
        "58976 HU",
    ),
    (
        |folder| ImageBuffer::from_pixel(SIDE, SIDE, Rgb([9u8; 3])).save(folder.join("1_rgb.png")).unwrap(),
        "same field of view",
    ),
    (
        |folder| ImageBuffer::from_pixel(SIDE, SIDE, Luma([0u16])).save(folder.join("1_ct.png")).unwrap(),
        "cannot be prepared",
    ),
];

/// A safetensors file with one tensor of zeros.
pub fn safetensors(name: &str, shape: &[usize]) -> Vec<u8> {
    let bytes = vec![0; shape.iter().product::<usize>() * 4];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &bytes).unwrap();
    safetensors::serialize([(name, view)], None).unwrap()
}
