//! What `shaders/slice.wgsl` is told about a pane; the layout is that of its `Pane`.

use crate::preprocess::EdgeRanges;
use crate::volume::{BONE_EDGE_RGB8, FAT_EDGE_RGB8, WindowLevel};

/// What a pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaneKind {
    /// CT values through window and level.
    Grey,
    /// Contours of fat and bone.
    Edges,
    /// Synthetic colour.
    Color,
}

impl PaneKind {
    /// From left to right.
    pub const ALL: [Self; 3] = [Self::Grey, Self::Edges, Self::Color];

    /// What the pane is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "CT",
            Self::Edges => "Edges",
            Self::Color => "Colour",
        }
    }

    /// Place from the left, and in the graphics memory.
    pub fn slot(self) -> usize {
        self as usize
    }
}

/// Where a pane lies on the slice, in pixels of the slice; (0, 0) is the top left corner of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the unit is in the name")]
pub struct PanePlace {
    /// At the pane's top left corner.
    pub origin_px: [f32; 2],
    /// Pixels of the slice that the pane spans.
    pub extent_px: [f32; 2],
    /// Pixels of the slice under one pixel of the screen.
    pub step_px: [f32; 2],
}

/// Uniforms of one pane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaneUniforms {
    /// What the pane shows.
    pub kind: PaneKind,
    /// Where it lies on the slice.
    pub place: PanePlace,
    /// Columns and rows of the slice.
    pub size_px: [f32; 2],
    /// Grey mapping.
    pub window: WindowLevel,
    /// White is low (MONOCHROME1).
    pub is_inverted: bool,
    /// Ranges of the contours.
    pub edges: EdgeRanges,
    /// How much of the colour is there, 0 … 1.
    pub color_share: f32,
}

impl PaneUniforms {
    /// Size of `Pane` in the shader.
    pub const BYTES: usize = 112;
    /// Nearest pixel when a CT pixel covers more than this many pixels of the screen, smooth otherwise.
    pub const NEAREST_ABOVE: f32 = 2.0;
    /// Brightness of the grey slice while its colour is on its way.
    pub const WAITING_GREY_GAIN: f32 = 0.45;
    /// Most samples along a side of a screen pixel.
    const MAX_TAPS: f32 = 4.0;

    /// As the shader reads it.
    pub fn to_bytes(self, target_is_linear: bool) -> [u8; Self::BYTES] {
        let [fat_rgb, bone_rgb] = [FAT_EDGE_RGB8, BONE_EDGE_RGB8].map(|rgb8| rgb8.map(|byte| f32::from(byte) / 255.0));
        let range = |range: crate::preprocess::HuRange| [range.low_hu, range.high_hu];
        let floats: [f32; 24] = {
            let (fat, bone) = (range(self.edges.fat), range(self.edges.bone));
            let pairs = [
                self.place.origin_px,
                self.place.extent_px,
                self.size_px,
                self.place.step_px,
                [self.window.center_hu(), self.window.width_hu()],
                fat,
                bone,
                [self.color_share, Self::WAITING_GREY_GAIN],
                [fat_rgb[0], fat_rgb[1]],
                [fat_rgb[2], 1.0],
                [bone_rgb[0], bone_rgb[1]],
                [bone_rgb[2], 1.0],
            ];
            std::array::from_fn(|k| pairs[k / 2][k % 2])
        };
        let step = self.place.step_px[0].max(self.place.step_px[1]);
        let is_smooth = step * Self::NEAREST_ABOVE >= 1.0;
        let flags = u32::from(self.is_inverted) | (u32::from(target_is_linear) << 1);
        let taps = step.round().clamp(1.0, Self::MAX_TAPS) as u32;
        let words = [self.kind as u32, u32::from(is_smooth), taps, flags];
        let mut bytes = [0; Self::BYTES];
        bytes[..96].copy_from_slice(bytemuck::cast_slice(&floats));
        bytes[96..].copy_from_slice(bytemuck::cast_slice(&words));
        bytes
    }
}
