//! The two symbols that the bundled fonts lack, drawn by hand, so that they look the same on every system: `⚠` and `⏷`.

use eframe::egui::{Color32, ColorImage, Context, FontData, FontDefinitions, FontFamily, Vec2};
use eframe::epaint::text::{FontPriority, GlyphBitmap, GlyphRasterizer, GlyphRasterizerRequest, RasterizedGlyph};

/// Teaches the fonts both symbols, and takes arrows from the font for numbers.
pub fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let arrows = FontData::from_static(epaint_default_fonts::HACK_REGULAR).into();
    fonts.font_data.insert("arrows".to_owned(), arrows);
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.entry(family).or_default().push("arrows".to_owned());
    }
    ctx.set_fonts(fonts);
    ctx.add_glyph_rasterizer(GlyphRasterizer::new("ct2rgb::symbols", rasterize).with_priority(FontPriority::Highest));
}

/// A symbol in a square of 1 × 1 whose lower edge stands on the line; y downwards.
type Inside = fn(f32, f32) -> bool;

fn shape_of(cluster: &str) -> Option<Inside> {
    match cluster.trim_end_matches('\u{FE0F}') {
        "⚠" => Some(is_in_warning),
        "⏷" => Some(is_in_fold),
        _ => None,
    }
}

/// A triangle with an exclamation mark cut out.
fn is_in_warning(x: f32, y: f32) -> bool {
    let from_axis = (x - 0.5).abs();
    let is_triangle = (0.04..=0.96).contains(&y) && from_axis <= (y - 0.0) * 0.52;
    let is_bar = from_axis < 0.055 && (0.34..0.66).contains(&y);
    let is_dot = from_axis < 0.06 && (0.73..0.85).contains(&y);
    is_triangle && !is_bar && !is_dot
}

/// A small triangle that points down.
fn is_in_fold(x: f32, y: f32) -> bool {
    (0.32..=0.72).contains(&y) && (x - 0.5).abs() <= (0.72 - y) * 0.85
}

fn rasterize(request: &GlyphRasterizerRequest<'_>) -> Option<RasterizedGlyph> {
    /// Samples along each side of a pixel.
    const SAMPLES: usize = 4;
    /// Height of a symbol, as a share of the letters' size.
    const HEIGHT: f32 = 0.86;
    let inside = shape_of(request.cluster)?;
    let side_px = request.font_size_px * HEIGHT;
    let side = side_px.ceil().max(1.0) as usize;
    let coverage = |pixel: usize| {
        let at = |pixel: usize, sample: usize| (pixel as f32 + (sample as f32 + 0.5) / SAMPLES as f32) / side_px;
        let hits = (0..SAMPLES * SAMPLES)
            .filter(|sample| inside(at(pixel % side, sample % SAMPLES), at(pixel / side, sample / SAMPLES)))
            .count();
        Color32::from_white_alpha((hits * 255 / (SAMPLES * SAMPLES)) as u8)
    };
    let image = ColorImage::new([side, side], (0..side * side).map(coverage).collect());
    let offset_px = Vec2::new(0.0, -side_px + request.font_size_px * 0.08);
    let bitmap = GlyphBitmap { image, offset_px, is_color: false };
    Some(RasterizedGlyph { bitmap, advance_px: side_px * 1.04 })
}
