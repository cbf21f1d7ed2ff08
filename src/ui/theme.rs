//! Every colour, length and letter size of the window.

use eframe::egui::{
    self, Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme, Vec2, Visuals,
};

use super::settings::{Settings, ThemeChoice};
use crate::volume::{BONE_EDGE_RGB8, FAT_EDGE_RGB8};

/// Height of the top bar in points.
pub const TOP_BAR_POINTS: f32 = 40.0;
/// Height of the bottom bar in points.
pub const SCRUBBER_POINTS: f32 = 56.0;
/// Width of the series list in points.
pub const SERIES_DRAWER_POINTS: f32 = 208.0;
/// Width of the controls in points.
pub const CONTROLS_DRAWER_POINTS: f32 = 256.0;
/// Width of the training panel in points, at first.
pub const TRAINING_PANEL_POINTS: f32 = 408.0;
/// Width of the training panel in points, at least and at most.
pub const TRAINING_PANEL_RANGE: std::ops::RangeInclusive<f32> = 340.0..=720.0;
/// Between panes, in points.
pub const PANE_GAP_POINTS: f32 = 2.0;
/// The grid that everything stands on, in points.
pub const GRID_POINTS: f32 = 4.0;
/// Small letters, in points.
pub const SMALL_POINTS: f32 = 12.0;
/// Letters on the panes, in points.
pub const LABEL_POINTS: f32 = 14.0;
/// The letters of a pane while presenting, as a share of the window's height: legible from the last row.
pub const PRESENTING_LABEL_SHARE: f32 = 0.032;
/// Seconds that the crosshair stays after the pointer came to rest, and seconds that it fades for.
pub const CROSSHAIR_SECS: [f64; 2] = [1.2, 0.4];
/// Half of the gap in the middle of the crosshair, in points.
pub const CROSSHAIR_GAP_POINTS: f32 = 8.0;
/// Seconds in which colour fades in.
pub const COLOR_FADE_SECS: f64 = 0.1;
/// Roundness of buttons, in points.
const CORNER_POINTS: u8 = 4;

/// Colours that the widgets of egui have no name for.
#[derive(Clone, Copy, Debug)]
pub struct Colors {
    /// Around the picture, in both themes.
    pub pane: Color32,
    /// Names and letters on panes.
    pub label: Color32,
    /// Behind letters that may lie on the picture.
    pub label_plate: Color32,
    /// The crosshair.
    pub crosshair: Color32,
    /// The mark on synthetic colour, and warnings on panes.
    pub mark: Color32,
    /// The active thing.
    pub accent: Color32,
    /// Warnings beside the panes.
    pub warning: Color32,
    /// Contours of fat: handles and numbers.
    pub fat: Color32,
    /// Contours of bone: handles and numbers.
    pub bone: Color32,
    /// Scrubber: slices without colour yet.
    pub strip_empty: Color32,
    /// Scrubber: slices that have not been read.
    pub strip_unread: Color32,
    /// Scrubber: slices with colour.
    pub strip_ready: Color32,
    /// Scrubber: slices whose colour cannot be made.
    pub strip_failed: Color32,
    /// Columns of the histogram.
    pub histogram: Color32,
    /// The window over the histogram.
    pub histogram_window: Color32,
    /// Curves of the training panel.
    pub curves: [Color32; 6],
}

const fn grey(level: u8) -> Color32 {
    Color32::from_gray(level)
}

const FAT: Color32 = Color32::from_rgb(FAT_EDGE_RGB8[0], FAT_EDGE_RGB8[1], FAT_EDGE_RGB8[2]);
const BONE: Color32 = Color32::from_rgb(BONE_EDGE_RGB8[0], BONE_EDGE_RGB8[1], BONE_EDGE_RGB8[2]);

const DARK: Colors = Colors {
    pane: Color32::BLACK,
    label: grey(222),
    label_plate: Color32::from_black_alpha(150),
    crosshair: Color32::from_rgba_premultiplied(150, 150, 150, 150),
    mark: Color32::from_rgb(255, 190, 92),
    accent: Color32::from_rgb(96, 196, 158),
    warning: Color32::from_rgb(255, 190, 92),
    fat: FAT,
    bone: BONE,
    strip_empty: grey(62),
    strip_unread: grey(38),
    strip_ready: Color32::from_rgb(62, 122, 100),
    strip_failed: Color32::from_rgb(176, 128, 60),
    histogram: grey(120),
    histogram_window: Color32::from_rgba_premultiplied(38, 78, 63, 96),
    curves: [
        Color32::from_rgb(96, 196, 158),
        Color32::from_rgb(255, 190, 92),
        Color32::from_rgb(120, 176, 255),
        Color32::from_rgb(232, 128, 160),
        grey(170),
        Color32::from_rgb(196, 156, 255),
    ],
};

const LIGHT: Colors = Colors {
    accent: Color32::from_rgb(18, 122, 86),
    warning: Color32::from_rgb(150, 82, 0),
    fat: Color32::from_rgb(168, 112, 0),
    bone: Color32::from_rgb(14, 104, 164),
    strip_empty: grey(190),
    strip_unread: grey(222),
    strip_ready: Color32::from_rgb(104, 176, 148),
    strip_failed: Color32::from_rgb(196, 132, 48),
    histogram: grey(120),
    histogram_window: Color32::from_rgba_premultiplied(6, 43, 30, 90),
    curves: [
        Color32::from_rgb(18, 122, 86),
        Color32::from_rgb(176, 104, 0),
        Color32::from_rgb(28, 96, 190),
        Color32::from_rgb(176, 44, 92),
        grey(110),
        Color32::from_rgb(112, 60, 176),
    ],
    ..DARK
};

/// The colours of the theme in use.
pub fn colors(ctx: &Context) -> &'static Colors {
    match ctx.theme() {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

/// Letters of a size in points.
pub fn font(points: f32) -> FontId {
    FontId::new(points, FontFamily::Proportional)
}

/// Sets up fonts and both themes; once, at the start.
pub fn install(ctx: &Context) {
    ctx.set_style_of(Theme::Dark, style(Visuals::dark(), &DARK, &DARK_GREYS));
    ctx.set_style_of(Theme::Light, style(Visuals::light(), &LIGHT, &LIGHT_GREYS));
    super::symbols::install(ctx);
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

/// Follows the settings.
pub fn follow(ctx: &Context, settings: &Settings) {
    let theme = match settings.theme {
        ThemeChoice::Dark => Theme::Dark,
        ThemeChoice::Light => Theme::Light,
    };
    if ctx.theme() != theme {
        ctx.set_theme(theme);
    }
    let scale = settings.scale.factor();
    if (ctx.zoom_factor() - scale).abs() > f32::EPSILON {
        ctx.set_zoom_factor(scale);
    }
}

/// Neutral greys of a theme: no blue tint next to colour pictures.
struct Greys {
    panel: u8,
    window: u8,
    field: u8,
    line: u8,
    button: u8,
    hovered: u8,
    pressed: u8,
    text: u8,
    strong: u8,
}

const DARK_GREYS: Greys =
    Greys { panel: 22, window: 30, field: 14, line: 52, button: 46, hovered: 62, pressed: 78, text: 206, strong: 246 };
const LIGHT_GREYS: Greys = Greys {
    panel: 246,
    window: 252,
    field: 255,
    line: 206,
    button: 228,
    hovered: 214,
    pressed: 200,
    text: 44,
    strong: 8,
};

fn style(mut visuals: Visuals, colors: &Colors, greys: &Greys) -> Style {
    visuals.panel_fill = grey(greys.panel);
    visuals.window_fill = grey(greys.window);
    visuals.extreme_bg_color = grey(greys.field);
    visuals.faint_bg_color = grey(greys.window);
    visuals.window_stroke = Stroke::new(1.0, grey(greys.line));
    visuals.warn_fg_color = colors.warning;
    visuals.hyperlink_color = colors.accent;
    visuals.selection.bg_fill = colors.accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.0, grey(greys.strong));
    visuals.slider_trailing_fill = true;
    let widgets = &mut visuals.widgets;
    let states = [
        (&mut widgets.noninteractive, greys.panel, greys.text),
        (&mut widgets.inactive, greys.button, greys.text),
        (&mut widgets.hovered, greys.hovered, greys.strong),
        (&mut widgets.active, greys.pressed, greys.strong),
        (&mut widgets.open, greys.hovered, greys.strong),
    ];
    for (widget, fill, text) in states {
        widget.bg_fill = grey(fill);
        widget.weak_bg_fill = grey(fill);
        widget.fg_stroke = Stroke::new(1.0, grey(text));
        widget.bg_stroke = Stroke::NONE;
        widget.corner_radius = CornerRadius::same(CORNER_POINTS);
        widget.expansion = 0.0;
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, grey(greys.line));
    // Keyboard focus is drawn with the stroke of the hovered state.
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, colors.accent);
    visuals.widgets.active.bg_stroke = Stroke::new(1.0, colors.accent);
    let mut style = Style { visuals, ..Style::default() };
    set_sizes(&mut style);
    style
}

fn set_sizes(style: &mut Style) {
    let sizes = [
        (TextStyle::Small, SMALL_POINTS),
        (TextStyle::Body, 14.0),
        (TextStyle::Button, 14.0),
        (TextStyle::Heading, 18.0),
    ];
    for (text_style, points) in sizes {
        style.text_styles.insert(text_style, font(points));
    }
    style.text_styles.insert(TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace));
    style.spacing.item_spacing = Vec2::new(2.0 * GRID_POINTS, 1.5 * GRID_POINTS);
    style.spacing.button_padding = Vec2::new(2.0 * GRID_POINTS, GRID_POINTS);
    style.spacing.interact_size = Vec2::new(28.0, 24.0);
    style.spacing.window_margin = Margin::same(12);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.slider_width = 120.0;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.08;
}

/// A bar at an edge of the window.
pub fn bar_frame(style: &Style) -> egui::Frame {
    egui::Frame::side_top_panel(style).inner_margin(Margin::symmetric(8, 0))
}

/// A drawer at a side of the window.
pub fn drawer_frame(style: &Style) -> egui::Frame {
    egui::Frame::side_top_panel(style).inner_margin(Margin::symmetric(10, 8))
}
