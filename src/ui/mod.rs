//! The window: three panes drawn by `shaders/slice.wgsl`, a scrubber, and two drawers.
//!
//! ```text
//! Engine ── events ─▶ UiState ── read by ─▶ panels ── commands, wishes ─▶ UiState ── wishes ─▶ Engine
//! ```
//!
//! [`UiState`] knows no egui type and is tested without a window; panels only draw and say what was asked for.

mod about;
mod app;
mod body_extent;
mod choosers;
mod cine;
mod closing;
mod color_source;
mod commands;
mod controls_drawer;
mod export;
mod histogram;
mod hu_histogram;
mod icons;
mod key_sheet;
mod keys;
mod menus;
mod notices;
mod open;
mod open_series;
mod overlays;
mod palette;
mod pane_uniforms;
mod range_slider;
mod screen;
mod scrubber;
mod series_drawer;
mod settings;
mod slice_texture;
mod slice_view;
mod state;
mod symbols;
mod theme;
mod tips;
mod top_bar;
mod training_charts;
mod training_losses;
mod training_metric;
mod training_panel;
mod training_pictures;
mod training_settings;
mod training_setup;
mod training_state;
mod view;
mod viewer;
mod window_choice;
mod words;

pub use about::NOT_A_DEVICE;
pub use app::{LaunchOptions, ViewerApp, run};
pub use color_source::ColorSource;
pub use commands::{COMMANDS, UiCommand};
pub use open_series::OpenSeries;
pub use pane_uniforms::PaneKind;
pub use settings::{Scale, Settings, ThemeChoice};
pub use slice_texture::install as install_graphics;
pub use state::UiState;
pub use theme::install as install_theme;
pub use training_state::{RunPhase, StartChoice, TrainingDraft, TrainingState};
pub use viewer::Viewer;

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// Neither X11 nor Wayland: a server, or a shell from afar.
    #[error("there is no display here to open a window on; `ct2rgb colorize PATH --out DIR` works without one")]
    NoDisplay,
    /// No display, or no permission to use it.
    #[error("no window can be opened here; `ct2rgb colorize PATH --out DIR` works without one")]
    NoWindow(#[source] eframe::Error),
    /// Neither Vulkan, Metal, DX12 nor OpenGL.
    #[error("no graphics device can draw the panes; install a driver for Vulkan or OpenGL, or use `ct2rgb colorize`")]
    NoGraphics,
    /// The workers cannot start.
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
}

impl From<eframe::Error> for UiError {
    fn from(error: eframe::Error) -> Self {
        match error {
            eframe::Error::Wgpu(_) => Self::NoGraphics,
            // What the window's own start says comes back as it was.
            eframe::Error::AppCreation(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::NoWindow(eframe::Error::AppCreation(other)),
            },
            other => Self::NoWindow(other),
        }
    }
}
