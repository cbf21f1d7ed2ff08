//! The window with its engine, as eframe runs it.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Ui};

use super::UiError;
use super::settings::Settings;
use super::slice_texture;
use super::theme;
use super::viewer::Viewer;
use crate::engine::{Engine, EngineOptions, Event, LoadSource};
use crate::model::{DeviceChoice, WeightsSource};

/// What the window starts with.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// What to open; the bundled sample otherwise.
    pub path: Option<PathBuf>,
    /// What makes the colours.
    pub weights: WeightsSource,
    /// Where the colours are made.
    pub device: DeviceChoice,
}

/// The window with its engine.
pub struct ViewerApp {
    engine: Engine,
    viewer: Viewer,
}

/// Opens the window, and returns when it is closed.
///
/// # Panics
/// Never: a test reads the bundled icon.
pub fn run(options: LaunchOptions) -> Result<(), UiError> {
    if !has_display() {
        return Err(UiError::NoDisplay);
    }
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png"))
        .expect("the bundled icon is a PNG: a test reads it");
    let viewport = egui::ViewportBuilder::default()
        .with_app_id("ct2rgb")
        .with_title("ct2rgb")
        .with_icon(icon)
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([560.0, 360.0])
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native("ct2rgb", native, Box::new(|context| Ok(Box::new(ViewerApp::new(context, options)?))))
        .map_err(UiError::from)
}

/// Whether there is an X11 or Wayland server to talk to; where windows need none, there always is.
fn has_display() -> bool {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let needs_server = cfg!(all(unix, not(target_vendor = "apple")));
    !needs_server || ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].iter().any(is_set)
}

impl ViewerApp {
    /// Events taken in one frame; more wait for the next.
    const EVENTS_PER_FRAME: usize = 256;

    /// Starts the engine and opens what the options say.
    pub fn new(context: &eframe::CreationContext<'_>, options: LaunchOptions) -> Result<Self, UiError> {
        let render_state = context.wgpu_render_state.as_ref().ok_or(UiError::NoGraphics)?;
        slice_texture::install(render_state);
        theme::install(&context.egui_ctx);
        let settings = context
            .storage
            .and_then(|storage| eframe::get_value::<Settings>(storage, Settings::KEY))
            .unwrap_or_default();
        let ctx = context.egui_ctx.clone();
        let LaunchOptions { path, weights, device } = options;
        let engine_options = EngineOptions { weights: weights.clone(), device, has_window: true };
        let engine = Engine::start(&engine_options, Arc::new(move |at_most| ctx.request_repaint_after(at_most)))?;
        let mut viewer = Viewer::new(settings);
        (viewer.state.device, viewer.state.weights) = (device, weights);
        viewer.state.open_source(path.map_or(LoadSource::Sample(0), LoadSource::Path));
        let mut app = Self { engine, viewer };
        app.send_wishes();
        Ok(app)
    }

    /// All that the window knows: for tests and benches.
    pub fn viewer(&mut self) -> &mut Viewer {
        &mut self.viewer
    }

    /// All news but the colours of other slices, which are only counted: this frame does that.
    fn is_on_screen(&self, event: &Event) -> bool {
        let Event::ColorReady { slice, .. } = event else { return true };
        self.viewer.state.open.as_ref().is_none_or(|open| open.slice() == *slice)
    }

    fn send_wishes(&mut self) {
        for wish in self.viewer.state.take_wishes() {
            self.engine.send(wish);
        }
    }
}

impl eframe::App for ViewerApp {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        for _ in 0..Self::EVENTS_PER_FRAME {
            let Some(event) = self.engine.try_next_event() else { break };
            if self.is_on_screen(&event) {
                ctx.request_repaint();
            }
            self.viewer.state.apply(event);
        }
        self.viewer.logic(ctx);
        self.send_wishes();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.viewer.ui(ui, &self.engine);
        self.send_wishes();
        // One frame more: text size and theme take effect in the next, and some software rasterisers show a picture only
        // when the one after it is there.
        if ui.input(|input| !input.events.is_empty()) {
            ui.ctx().request_repaint();
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, Settings::KEY, &self.viewer.state.settings);
    }

    /// Typed paths and the like must not reach the disk.
    fn persist_egui_memory(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bundled_icon_is_a_square_png() {
        let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png")).unwrap();
        assert_eq!(icon.width, icon.height);
    }
}
