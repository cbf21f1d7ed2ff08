//! A slice as the generator sees it, and the way back from the generator's answer.

use super::PreprocessError;
use super::bits::BitPlane;
use super::body_mask::find_body;
use super::edges::sobel_in_range;
use super::recipe::{InputChannel, Recipe};
use super::resample::{GridAxes, WayBack};
use crate::units::AIR_HU;
use crate::volume::CtSlice;

/// Smallest and largest size of a pixel that lengths in millimetres make sense for.
const PIXEL_MM: std::ops::RangeInclusive<f64> = 0.01..=100.0;
/// Largest ratio of a pixel's sides.
const MOST_ASPECT: f64 = 20.0;

/// The network's square on the CT grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropSquare {
    /// Row of its centre, in pixels between centres.
    pub center_row: f64,
    /// Column of its centre.
    pub center_column: f64,
    /// Its side in widths of a pixel. A square in millimetres: where pixels are not square, it spans fewer or more rows.
    pub side: f64,
}

/// A slice as the generator sees it, with what is needed to bring its answer back.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Body mask on the CT grid, row by row.
    pub mask: Vec<bool>,
    /// Pixels in a row of the CT grid.
    pub columns: usize,
    /// Width and height of a CT pixel.
    pub pixel_size_mm: [f64; 2],
    /// The network's square on the CT grid.
    pub square: CropSquare,
    /// HU on the network's grid, air outside the body.
    pub grid_hu: Vec<f32>,
    /// Body mask on the network's grid.
    pub grid_mask: Vec<bool>,
    /// `[C, size, size]`, signed unit.
    pub channels: Vec<f32>,
    /// Number of channels.
    pub channel_count: usize,
    /// Width and height of the network's grid.
    pub size: usize,
}

impl Recipe {
    /// Prepares one slice. `pixel_size_mm`: width and height of a pixel.
    pub fn prepare(&self, slice: &CtSlice, pixel_size_mm: [f64; 2]) -> Result<Prepared, PreprocessError> {
        let _span = tracing::debug_span!("prepare").entered();
        self.validate()?;
        let [width_mm, height_mm] = pixel_size_mm;
        let aspect = height_mm / width_mm;
        let is_usable = PIXEL_MM.contains(&width_mm) && PIXEL_MM.contains(&height_mm);
        if !is_usable || !(MOST_ASPECT.recip()..=MOST_ASPECT).contains(&aspect) {
            return Err(PreprocessError::PixelSize { width_mm, height_mm });
        }
        let body = find_body(slice, pixel_size_mm, self.mask);
        let [top, bottom, left, right] = body.bounds().ok_or(PreprocessError::NoBody)?;
        let longer_side = ((bottom - top + 1) as f64 * aspect).max((right - left + 1) as f64);
        let square = CropSquare {
            center_row: (top + bottom) as f64 / 2.0,
            center_column: (left + right) as f64 / 2.0,
            side: self.crop_margin * longer_side,
        };
        let axes = GridAxes::new(square, aspect, self.size);
        let mask = body.to_bools();
        let grid_mask = axes.sample_mask(&mask, slice.columns());
        let mut grid_hu = axes.sample(slice.values_hu(), slice.columns(), f32::from(AIR_HU));
        clear_outside(&mut grid_hu, &grid_mask);
        Ok(Prepared {
            mask,
            columns: slice.columns(),
            pixel_size_mm,
            square,
            channels: self.channels(&grid_hu, &grid_mask),
            grid_hu,
            grid_mask,
            channel_count: self.channel_count(),
            size: self.size,
        })
    }

    /// The planes that the generator sees, `[C, size, size]`, signed unit. `grid_hu` and `grid_mask` are `size · size`, row by row;
    /// what lies outside the mask counts as air.
    pub fn channels(&self, grid_hu: &[f32], grid_mask: &[bool]) -> Vec<f32> {
        let mut hu = grid_hu.to_vec();
        clear_outside(&mut hu, grid_mask);
        let mut channels = Vec::with_capacity(self.inputs.len() * hu.len());
        for input in &self.inputs {
            match *input {
                InputChannel::Hu(range) => channels.extend(hu.iter().map(|&hu| range.unit_from_hu(hu) * 2.0 - 1.0)),
                InputChannel::Sobel(range) => {
                    channels.extend(sobel_in_range(&hu, self.size, range).into_iter().map(|edge| edge * 2.0 - 1.0));
                }
                InputChannel::SobelInRange => {
                    let fat = sobel_in_range(&hu, self.size, self.edges.fat);
                    let bone = sobel_in_range(&hu, self.size, self.edges.bone);
                    channels.extend(fat.iter().zip(&bone).map(|(fat, bone)| fat.max(*bone) * 2.0 - 1.0));
                }
            }
        }
        channels
    }
}

fn clear_outside(hu: &mut [f32], mask: &[bool]) {
    for (hu, &is_inside) in hu.iter_mut().zip(mask) {
        if !is_inside {
            *hu = f32::from(AIR_HU);
        }
    }
}

impl Prepared {
    /// First and last row and column of the body on the CT grid, `[top, bottom, left, right]`: what a picture of it must show.
    pub fn body_bounds(&self) -> Option<[usize; 4]> {
        BitPlane::of(&self.mask, self.columns, |is_inside| is_inside).bounds()
    }

    /// The generator's answer (`[3, size, size]`, signed unit) as 8-bit sRGB on the CT grid (`rows · columns · 3`), black outside the body.
    ///
    /// # Panics
    /// When the answer has another length.
    pub fn rgb8_on_ct(&self, rgb_signed_unit: &[f32]) -> Vec<u8> {
        let grid = self.grid_rgb(rgb_signed_unit);
        let way = WayBack {
            grid: &grid,
            size: self.size,
            square: self.square,
            pixel_aspect: self.pixel_size_mm[1] / self.pixel_size_mm[0],
        };
        way.rgb8(&self.mask, self.columns)
    }

    /// The generator's answer as colours in 0 … 255 on the network's grid, black outside the body.
    fn grid_rgb(&self, rgb_signed_unit: &[f32]) -> Vec<[f32; 3]> {
        let pixels = self.size * self.size;
        assert_eq!(rgb_signed_unit.len(), 3 * pixels, "the generator's answer has three planes");
        let (red, rest) = rgb_signed_unit.split_at(pixels);
        let (green, blue) = rest.split_at(pixels);
        let level = |signed_unit: f32| ((signed_unit + 1.0) * 127.5).clamp(0.0, 255.0);
        let colors = red.iter().zip(green).zip(blue).zip(&self.grid_mask);
        colors
            .map(
                |(((&red, &green), &blue), &is_inside)| {
                    if is_inside { [level(red), level(green), level(blue)] } else { [0.0; 3] }
                },
            )
            .collect()
    }
}
