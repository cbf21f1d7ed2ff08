//! A body drawn as CT and as photographs, in the layouts of the National Library of Medicine and the Imaging Data Commons.

use std::path::Path;

use crate::common::{self, DataSet, Value};

/// Columns and rows of NLM's raw photographs, and their pixel size.
pub const RAW: [usize; 2] = [2048, 1216];
pub const RAW_MM: f64 = 0.33;
/// Columns and rows of the CT.
pub const CT_SIDE: usize = 256;
pub const CT_MM: f64 = 1.875;

pub const GELATIN: [u8; 3] = [20, 60, 120];
pub const MUSCLE: [u8; 3] = [115, 50, 45];
/// Middle of the muscle, of the hollow, and of the spine, in mm from the CT's centre: anterior is up.
pub const MUSCLE_AT: [f64; 2] = [-50.0, -20.0];
pub const HOLLOW_AT: [f64; 2] = [65.0, 5.0];
pub const SPINE_AT: [f64; 2] = [4.0, 55.0];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Material {
    Outside,
    Fat,
    Muscle,
    Bone,
    Hollow,
}

fn material(level: u32, [x, y]: [f64; 2]) -> Material {
    let within = |[cx, cy]: [f64; 2], rx: f64, ry: f64| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
    if !within([4.0, 2.0], 140.0 + f64::from(level % 10), 95.0) {
        Material::Outside
    } else if within(SPINE_AT, 20.0, 18.0) || within([80.0, -45.0], 15.0, 8.0) {
        Material::Bone
    } else if within(HOLLOW_AT, 28.0, 18.0) {
        Material::Hollow
    } else if within(MUSCLE_AT, 55.0, 38.0) {
        Material::Muscle
    } else {
        Material::Fat
    }
}

/// Where the CT lies on the photographs: `scale · place + shift`, in mm from the centres.
#[derive(Clone, Copy)]
pub struct Truth {
    pub scale: f64,
    pub shift_mm: [f64; 2],
}

impl Truth {
    /// Furthest that another placement is off, over the body.
    pub fn furthest_off_mm(self, scale: f64, shift_mm: [f64; 2]) -> f64 {
        let corners = [[-146.0, -93.0], [154.0, -93.0], [-146.0, 97.0], [154.0, 97.0]];
        let off = corners.map(|corner| {
            let off: [f64; 2] =
                std::array::from_fn(|k| (self.scale - scale) * corner[k] + self.shift_mm[k] - shift_mm[k]);
            off[0].hypot(off[1])
        });
        off.into_iter().fold(0.0, f64::max)
    }
}

/// HU of a CT slice, row by row.
pub fn ct_hu(level: u32) -> Vec<i16> {
    let pixel = |index: usize| {
        let place = [index % CT_SIDE, index / CT_SIDE].map(|at| (at as f64 + 0.5 - CT_SIDE as f64 / 2.0) * CT_MM);
        let noise = (index * 7919 % 23) as i16 - 11;
        noise
            + match material(level, place) {
                Material::Outside => return -1000,
                Material::Fat => -100,
                Material::Muscle => 55,
                Material::Bone => 500,
                Material::Hollow => -900,
            }
    };
    (0..CT_SIDE * CT_SIDE).map(pixel).collect()
}

/// A photograph, anterior up. `is_torn`: a piece of the body is gone.
pub struct Photo {
    pub size: [usize; 2],
    pub mm: f64,
    pub truth: Truth,
    pub is_torn: bool,
}

impl Photo {
    pub fn new(size: [usize; 2], mm: f64, truth: Truth) -> Self {
        Self { size, mm, truth, is_torn: false }
    }

    pub fn torn(self) -> Self {
        Self { is_torn: true, ..self }
    }

    /// The colour of each pixel, row by row.
    pub fn pixels(&self, level: u32) -> Vec<[u8; 3]> {
        let [columns, rows] = self.size;
        let color = |index: usize| {
            let at = [(index % columns, columns), (index / columns, rows)];
            let place: [f64; 2] = std::array::from_fn(|k| {
                let on_photo = (at[k].0 as f64 + 0.5 - at[k].1 as f64 / 2.0) * self.mm;
                (on_photo - self.truth.shift_mm[k]) / self.truth.scale
            });
            if self.is_torn && place[0] > 30.0 && place[1] < 40.0 {
                return GELATIN;
            }
            let shade = (index % 5) as u8;
            match material(level, place) {
                Material::Outside | Material::Hollow => GELATIN,
                Material::Fat => [225 - shade, 195, 130],
                Material::Muscle => [MUSCLE[0] + shade, MUSCLE[1], MUSCLE[2]],
                Material::Bone => [235, 215, 185 - shade],
            }
        };
        (0..columns * rows).map(color).collect()
    }

    /// NLM's raw layout: posterior up, all red, then green, then blue.
    pub fn raw(&self, level: u32) -> Vec<u8> {
        planar(&upside_down(&self.pixels(level), self.size[0]))
    }

    /// As the Imaging Data Commons has it: RGB secondary capture, posterior up.
    pub fn dicom(&self, level: u32, level_mm: f64) -> DataSet {
        let [columns, rows] = self.size;
        DataSet::default()
            .text(common::SOP_CLASS, *b"UI", "1.2.840.10008.5.1.4.1.1.7")
            .text(common::MODALITY, *b"CS", "XC")
            .text(common::SERIES_UID, *b"UI", "1.2.3.9")
            .text(common::POSITION, *b"DS", &format!("0\\0\\{}", -level_mm))
            .text(common::ORIENTATION, *b"DS", "1\\0\\0\\0\\-1\\0")
            .text(common::SPACING, *b"DS", &format!("{}\\{}", self.mm, self.mm))
            .number((0x0028, 0x0002), 3)
            .text((0x0028, 0x0004), *b"CS", "RGB")
            .number((0x0028, 0x0006), 1)
            .number(common::ROWS, rows as u16)
            .number(common::COLUMNS, columns as u16)
            .number((0x0028, 0x0100), 8)
            .number((0x0028, 0x0101), 8)
            .number(common::HIGH_BIT, 7)
            .number(common::PIXEL_REPRESENTATION, 0)
            .value(common::PIXELS, *b"OB", Value::Bytes(self.raw(level)))
    }

    pub fn save_png(&self, level: u32, path: &Path) {
        let [columns, rows] = self.size.map(|count| count as u32);
        let bytes = self.pixels(level).into_flattened();
        image::RgbImage::from_raw(columns, rows, bytes).unwrap().save(path).unwrap();
    }
}

fn upside_down(pixels: &[[u8; 3]], columns: usize) -> Vec<[u8; 3]> {
    pixels.chunks_exact(columns).rev().flatten().copied().collect()
}

fn planar(pixels: &[[u8; 3]]) -> Vec<u8> {
    (0..3).flat_map(|channel| pixels.iter().map(move |pixel| pixel[channel])).collect()
}

/// GE Genesis in NLM's layout: `IMGF`, offsets, size, depth, compression; pixel size within the image header at 2394.
pub fn genesis(level: u32) -> Vec<u8> {
    const PIXEL_OFFSET: usize = 3416;
    let mut bytes = vec![0; PIXEL_OFFSET];
    bytes[..4].copy_from_slice(b"IMGF");
    let side = CT_SIDE as u32;
    for (at, word) in [(4, PIXEL_OFFSET as u32), (8, side), (12, side), (16, 16), (20, 1), (148, 2394)] {
        bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(word));
    }
    for at in [2444, 2448] {
        bytes[at..at + 4].copy_from_slice(&(CT_MM as f32).to_be_bytes());
    }
    bytes.extend(ct_hu(level).into_iter().flat_map(|value_hu| ((value_hu + 1024) as u16).to_be_bytes()));
    bytes
}

/// A CT slice in DICOM whose Slice Location is NLM's number, and whose place in the scanner is another.
pub fn ct_dicom(level: u32) -> DataSet {
    let phantom = common::Phantom { rows: CT_SIDE, columns: CT_SIDE, ..common::Phantom::default() };
    let cells = ct_hu(level).into_iter().map(|value_hu| (value_hu + 1024) as u16).collect();
    phantom
        .header()
        .text(common::SPACING, *b"DS", &format!("{CT_MM}\\{CT_MM}"))
        .text(common::ORIENTATION, *b"DS", "1\\0\\0\\0\\1\\0")
        .text(common::POSITION, *b"DS", &format!("-240\\-240\\{}", 700.0 - f64::from(level)))
        .text((0x0020, 0x1041), *b"DS", &level.to_string())
        .number((0x0028, 0x0100), 16)
        .number((0x0028, 0x0101), 16)
        .number(common::HIGH_BIT, 15)
        .number(common::PIXEL_REPRESENTATION, 0)
        .text(common::INTERCEPT, *b"DS", "-1024")
        .text(common::SLOPE, *b"DS", "1")
        .value(common::PIXELS, *b"OW", Value::Words(cells))
}

/// NLM's CT as 16-bit PNG, which does not say how large a pixel is.
pub fn save_ct_png(level: u32, path: &Path) {
    let values: Vec<u16> = ct_hu(level).into_iter().map(|value_hu| (value_hu + 1024) as u16).collect();
    let side = CT_SIDE as u32;
    image::ImageBuffer::<image::Luma<u16>, _>::from_raw(side, side, values).unwrap().save(path).unwrap();
}
