//! The graphics side of a pane: HU and colour as textures, uploaded once per slice, drawn by `shaders/slice.wgsl`.
//!
//! All panes of a frame show the same slice, so one texture of each kind serves them all; each pane has its own uniforms.

use std::sync::Arc;

use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::wgpu::{self, util::DeviceExt as _};

use super::pane_uniforms::PaneUniforms;
use crate::volume::{ColorSlice, CtSlice};

/// Panes that can be drawn in one frame.
pub const PANE_SLOTS: usize = 3;

/// What one pane draws.
#[derive(Clone, Debug)]
pub struct PaneDraw {
    /// Which pane, below [`PANE_SLOTS`].
    pub slot: usize,
    /// Where and how.
    pub uniforms: PaneUniforms,
    /// The slice, the same for all panes of a frame.
    pub slice: CtSlice,
    /// Its colour, when it is ready and of the slice's size.
    pub color: Option<Arc<ColorSlice>>,
}

/// Makes the pipeline and leaves it where the paint callbacks find it.
pub fn install(render_state: &RenderState) {
    let painter = SlicePainter::new(&render_state.device, render_state.target_format);
    render_state.renderer.write().callback_resources.insert(painter);
}

impl CallbackTrait for PaneDraw {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen_descriptor: &ScreenDescriptor,
        _egui_encoder: &mut wgpu::CommandEncoder,
        callback_resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(painter) = callback_resources.get_mut::<SlicePainter>() {
            painter.prepare(device, queue, self);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: eframe::egui::PaintCallbackInfo,
        render_pass: &mut wgpu::RenderPass<'static>,
        callback_resources: &CallbackResources,
    ) {
        if let Some(painter) = callback_resources.get::<SlicePainter>() {
            painter.paint(render_pass, self.slot);
        }
    }
}

/// A paint callback for a pane, to be added to an egui painter.
pub fn pane_callback(rect: eframe::egui::Rect, draw: PaneDraw) -> eframe::egui::PaintCallback {
    egui_wgpu::Callback::new_paint_callback(rect, draw)
}

/// A texture and what lies in it. Holding the source keeps its address from being used again.
struct Uploaded<Source> {
    source: Option<Source>,
    texture: wgpu::Texture,
}

impl<Source> Uploaded<Source> {
    fn empty(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        Self { source: None, texture: texture_of_size(device, (1, 1), format) }
    }

    /// Makes room for a picture; true when the texture is a new one.
    fn make_room(&mut self, device: &wgpu::Device, size: (usize, usize)) -> bool {
        let size = (size.0 as u32, size.1 as u32);
        let fits = (self.texture.width(), self.texture.height()) == size;
        if !fits {
            self.texture = texture_of_size(device, size, self.texture.format());
        }
        !fits
    }

    fn write(&self, queue: &wgpu::Queue, bytes: &[u8], bytes_per_pixel: u32) {
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(self.texture.width() * bytes_per_pixel),
            rows_per_image: None,
        };
        queue.write_texture(self.texture.as_image_copy(), bytes, layout, self.texture.size());
    }
}

fn texture_of_size(device: &wgpu::Device, (width, height): (u32, u32), format: wgpu::TextureFormat) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("slice"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

struct Slot {
    uniforms: wgpu::Buffer,
    bind_group: Option<wgpu::BindGroup>,
}

/// Pipeline, textures and uniforms of the panes.
pub struct SlicePainter {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    target_is_linear: bool,
    values_hu: Uploaded<Arc<[i16]>>,
    colors: Uploaded<Arc<ColorSlice>>,
    rgba8: Vec<u8>,
    slots: Vec<Slot>,
}

impl SlicePainter {
    /// Compiles the shader for a target format.
    pub fn new(device: &wgpu::Device, target_format: wgpu::TextureFormat) -> Self {
        let layout = bind_group_layout(device);
        let pipeline = pipeline(device, &layout, target_format);
        let uniforms = || {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("pane"),
                contents: &[0; PaneUniforms::BYTES],
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            })
        };
        Self {
            pipeline,
            layout,
            target_is_linear: target_format.is_srgb(),
            values_hu: Uploaded::empty(device, wgpu::TextureFormat::R16Sint),
            colors: Uploaded::empty(device, wgpu::TextureFormat::Rgba8Unorm),
            rgba8: Vec::new(),
            slots: (0..PANE_SLOTS).map(|_| Slot { uniforms: uniforms(), bind_group: None }).collect(),
        }
    }

    /// Uploads what is new and sets the pane's uniforms.
    pub fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, draw: &PaneDraw) {
        let mut is_stale = self.upload_values(device, queue, &draw.slice);
        if let Some(color) = &draw.color {
            is_stale |= self.upload_color(device, queue, color);
        }
        if is_stale {
            self.slots.iter_mut().for_each(|slot| slot.bind_group = None);
        }
        let (values_hu, colors) = (view(&self.values_hu.texture), view(&self.colors.texture));
        let Some(slot) = self.slots.get_mut(draw.slot) else { return };
        queue.write_buffer(&slot.uniforms, 0, &draw.uniforms.to_bytes(self.target_is_linear));
        if slot.bind_group.is_none() {
            slot.bind_group = Some(device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("pane"),
                layout: &self.layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: slot.uniforms.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(&values_hu) },
                    wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(&colors) },
                ],
            }));
        }
    }

    /// Draws a prepared pane over the whole viewport of the pass.
    pub fn paint(&self, render_pass: &mut wgpu::RenderPass<'_>, slot: usize) {
        if let Some(bind_group) = self.slots.get(slot).and_then(|slot| slot.bind_group.as_ref()) {
            render_pass.set_pipeline(&self.pipeline);
            render_pass.set_bind_group(0, bind_group, &[]);
            render_pass.draw(0..3, 0..1);
        }
    }

    /// True when the texture is a new one.
    fn upload_values(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, slice: &CtSlice) -> bool {
        let values = slice.shared_values_hu();
        if self.values_hu.source.as_ref().is_some_and(|source| Arc::ptr_eq(source, &values)) {
            return false;
        }
        let is_new = self.values_hu.make_room(device, (slice.columns(), slice.rows()));
        self.values_hu.write(queue, bytemuck::cast_slice(&values), 2);
        self.values_hu.source = Some(values);
        is_new
    }

    /// True when the texture is a new one.
    fn upload_color(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, color: &Arc<ColorSlice>) -> bool {
        if self.colors.source.as_ref().is_some_and(|source| Arc::ptr_eq(source, color)) {
            return false;
        }
        let is_new = self.colors.make_room(device, (color.columns, color.rows));
        self.rgba8.clear();
        self.rgba8.reserve(color.columns * color.rows * 4);
        let (pixels, _) = color.rgb8.as_chunks::<3>();
        self.rgba8.extend(pixels.iter().flat_map(|&[red, green, blue]| [red, green, blue, u8::MAX]));
        self.colors.write(queue, &self.rgba8, 4);
        self.colors.source = Some(Arc::clone(color));
        is_new
    }
}

fn view(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let texture = |binding, sample_type| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Texture {
            sample_type,
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
        count: None,
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("pane"),
        entries: &[
            wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: std::num::NonZeroU64::new(PaneUniforms::BYTES as u64),
                },
                count: None,
            },
            texture(1, wgpu::TextureSampleType::Sint),
            texture(2, wgpu::TextureSampleType::Float { filterable: false }),
        ],
    })
}

fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    target_format: wgpu::TextureFormat,
) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("slice.wgsl"),
        source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/slice.wgsl").into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("pane"),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("pane"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vertex_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("fragment_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(target_format.into())],
        }),
        multiview_mask: None,
        cache: None,
    })
}

#[cfg(test)]
#[path = "slice_texture_tests.rs"]
mod tests;
