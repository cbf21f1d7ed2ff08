//! The shader against its twins in Rust, drawn offscreen into 32-bit floats.

use std::sync::Arc;

use eframe::wgpu;

use super::*;
use crate::preprocess::{EdgeRanges, HuRange, edges_on_ct};
use crate::ui::pane_uniforms::{PaneKind, PanePlace};
use crate::volume::{BONE_EDGE_RGB8, FAT_EDGE_RGB8, WindowLevel};

/// 32-bit arithmetic in another order; a wrong weight or rounding of the window is a hundred times more.
const TOLERANCE: f32 = 2e-5;

struct Offscreen {
    device: wgpu::Device,
    queue: wgpu::Queue,
    painter: SlicePainter,
}

impl Offscreen {
    const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

    fn new() -> Self {
        let setup = egui_kittest::wgpu::default_wgpu_setup();
        let state = egui_kittest::wgpu::create_render_state(setup, egui_wgpu::RendererOptions::PREDICTABLE);
        let painter = SlicePainter::new(&state.device, Self::FORMAT);
        Self { device: state.device.clone(), queue: state.queue.clone(), painter }
    }

    /// Draws a pane of this size; red, green and blue of each pixel, row by row.
    fn draw(&mut self, draw: &PaneDraw, size: [usize; 2]) -> Vec<[f32; 3]> {
        let [width, height] = size.map(|side| side as u32);
        let target = self.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: Self::FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        self.painter.prepare(&self.device, &self.queue, draw);
        let target_view = view(&target);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target_view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::RED), store: wgpu::StoreOp::Store },
                })],
                ..Default::default()
            });
            self.painter.paint(&mut pass, draw.slot);
        }
        self.read_back(encoder, &target)
    }

    fn read_back(&self, mut encoder: wgpu::CommandEncoder, target: &wgpu::Texture) -> Vec<[f32; 3]> {
        let row_bytes = (target.width() * 16).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(row_bytes * target.height()),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row_bytes), rows_per_image: None };
        let into = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(target.as_image_copy(), into, target.size());
        self.queue.submit([encoder.finish()]);
        buffer.slice(..).map_async(wgpu::MapMode::Read, |result| result.expect("the picture can be read back"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the picture is drawn");
        let bytes = buffer.slice(..).get_mapped_range().expect("the picture is mapped").to_vec();
        let pixels_of_row = |row: &[u8]| -> Vec<[f32; 3]> {
            let floats: Vec<f32> = bytemuck::pod_collect_to_vec(&row[..target.width() as usize * 16]);
            floats.chunks_exact(4).map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect()
        };
        bytes.chunks_exact(row_bytes as usize).flat_map(pixels_of_row).collect()
    }
}

/// A pane that shows the whole slice, `points` screen pixels for each of its pixels.
fn whole(slice: &CtSlice, kind: PaneKind, points: f32) -> PaneDraw {
    let size_px = [slice.columns() as f32, slice.rows() as f32];
    PaneDraw {
        slot: kind.slot(),
        uniforms: PaneUniforms {
            kind,
            place: PanePlace { origin_px: [0.0; 2], extent_px: size_px, step_px: [1.0 / points; 2] },
            size_px,
            window: WindowLevel::SOFT_TISSUE,
            is_inverted: false,
            edges: EdgeRanges::default(),
            color_share: 0.0,
        },
        slice: slice.clone(),
        color: None,
    }
}

/// Values between −1100 and 2100 HU that look random and are the same everywhere.
fn noise(columns: usize, rows: usize, seed: u64) -> CtSlice {
    let mut state = seed;
    let values: Vec<i16> = (0..columns * rows)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) % 3200) as i16 - 1100
        })
        .collect();
    CtSlice::new(columns, rows, values.into())
}

fn assert_same(found: &[[f32; 3]], expected: &[[f32; 3]], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of pixels");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (0..3).map(|k| (found[k] - expected[k]).abs()).fold(0.0, f32::max);
        assert!(difference <= TOLERANCE, "{what}, pixel {index}: {found:?}, not {expected:?}");
    }
}

#[test]
fn grey_is_that_of_window_level_on_a_ramp() {
    let mut offscreen = Offscreen::new();
    let ramp: Vec<i16> = (-2000..3192).collect();
    let slice = CtSlice::new(649, 8, ramp.into());
    for (center, width) in [(40.0, 400.0), (40.0, 80.0), (-600.0, 1500.0), (480.0, 2500.0), (40.0, 1.0), (0.5, 2.0)] {
        let window = WindowLevel::new(center, width).unwrap();
        for is_inverted in [false, true] {
            let mut draw = whole(&slice, PaneKind::Grey, 1.0);
            draw.uniforms.window = window;
            draw.uniforms.is_inverted = is_inverted;
            draw.uniforms.place.step_px = [0.1; 2];
            let expected: Vec<[f32; 3]> = slice
                .values_hu()
                .iter()
                .map(|&value| {
                    let grey = window.apply(f32::from(value));
                    [if is_inverted { 1.0 - grey } else { grey }; 3]
                })
                .collect();
            let found = offscreen.draw(&draw, [649, 8]);
            assert_same(&found, &expected, &format!("window {center}/{width}, inverted: {is_inverted}"));
        }
    }
}

#[test]
fn contours_are_those_of_sobel_in_range_on_any_slice() {
    let mut offscreen = Offscreen::new();
    let ranges = [
        EdgeRanges::default(),
        EdgeRanges { fat: HuRange { low_hu: -900.0, high_hu: 1500.0 }, bone: HuRange { low_hu: 10.0, high_hu: 20.0 } },
    ];
    for (index, &(columns, rows)) in [(64, 48), (37, 5), (1, 9), (9, 1), (1, 1), (2, 2)].iter().enumerate() {
        let slice = noise(columns, rows, index as u64);
        for edges in ranges {
            let mut draw = whole(&slice, PaneKind::Edges, 1.0);
            draw.uniforms.edges = edges;
            let (fat, bone) = edges_on_ct(&slice, edges);
            let rgb = |bytes: [u8; 3], k: usize| f32::from(bytes[k]) / 255.0;
            let expected: Vec<[f32; 3]> = fat
                .iter()
                .zip(&bone)
                .map(|(fat, bone)| {
                    [0, 1, 2].map(|k| (fat * rgb(FAT_EDGE_RGB8, k) + bone * rgb(BONE_EDGE_RGB8, k)).min(1.0))
                })
                .collect();
            assert_same(&offscreen.draw(&draw, [columns, rows]), &expected, &format!("{columns} × {rows}"));
        }
    }
}

#[test]
fn colour_replaces_the_dimmed_grey_slice_as_it_fades_in() {
    let mut offscreen = Offscreen::new();
    let slice = noise(16, 8, 3);
    let rgb8: Vec<u8> = (0..16 * 8 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let color = Arc::new(ColorSlice {
        columns: 16,
        rows: 8,
        rgb8: rgb8.clone().into(),
        is_outside_training: false,
        elapsed_secs: 0.0,
    });
    for share in [0.0, 0.25, 1.0] {
        let mut draw = whole(&slice, PaneKind::Color, 1.0);
        draw.uniforms.color_share = share;
        draw.color = (share > 0.0).then(|| Arc::clone(&color));
        let expected: Vec<[f32; 3]> = slice
            .values_hu()
            .iter()
            .zip(rgb8.chunks_exact(3))
            .map(|(&value, rgb)| {
                let grey = WindowLevel::SOFT_TISSUE.apply(f32::from(value)) * PaneUniforms::WAITING_GREY_GAIN;
                [0, 1, 2].map(|k| grey + share * (f32::from(rgb[k]) / 255.0 - grey))
            })
            .collect();
        assert_same(&offscreen.draw(&draw, [16, 8]), &expected, &format!("{share} of the colour"));
    }
}

#[test]
fn another_slice_of_another_size_replaces_the_first() {
    let mut offscreen = Offscreen::new();
    let first = offscreen.draw(&whole(&noise(16, 8, 1), PaneKind::Grey, 1.0), [16, 8]);
    for (columns, rows, seed) in [(16, 8, 2), (20, 6, 3)] {
        let slice = noise(columns, rows, seed);
        let expected: Vec<[f32; 3]> =
            slice.values_hu().iter().map(|&value| [WindowLevel::SOFT_TISSUE.apply(f32::from(value)); 3]).collect();
        let found = offscreen.draw(&whole(&slice, PaneKind::Grey, 1.0), [columns, rows]);
        assert_same(&found, &expected, "the new slice");
        assert_ne!(found, first, "not the old slice");
    }
}

#[test]
fn enlarged_pixels_are_square_blocks_and_small_steps_are_smooth() {
    let mut offscreen = Offscreen::new();
    let slice = CtSlice::new(2, 1, vec![-160, 239].into());
    let grey = |rgb: &[f32; 3]| rgb[0];
    let blocks = offscreen.draw(&whole(&slice, PaneKind::Grey, 4.0), [8, 1]);
    let blocks: Vec<u8> = blocks.iter().map(|rgb| (grey(rgb) * 255.0).round() as u8).collect();
    assert!(blocks[..4].iter().all(|&g| g == blocks[0]) && blocks[4..].iter().all(|&g| g == blocks[7]), "{blocks:?}");
    let smooth: Vec<f32> = offscreen.draw(&whole(&slice, PaneKind::Grey, 1.5), [3, 1]).iter().map(grey).collect();
    assert!((smooth[1] - 0.5).abs() < 0.01, "half way between its neighbours: {smooth:?}");
}

#[test]
fn around_the_slice_there_is_black() {
    let mut offscreen = Offscreen::new();
    let slice = CtSlice::new(2, 2, vec![1000; 4].into());
    let mut draw = whole(&slice, PaneKind::Grey, 1.0);
    draw.uniforms.place = PanePlace { origin_px: [-1.0; 2], extent_px: [4.0; 2], step_px: [1.0; 2] };
    let found: Vec<f32> = offscreen.draw(&draw, [4, 4]).iter().map(|rgb| rgb[0]).collect();
    let expected = [0., 0., 0., 0., 0., 1., 1., 0., 0., 1., 1., 0., 0., 0., 0., 0.];
    assert_eq!(found, expected);
}
