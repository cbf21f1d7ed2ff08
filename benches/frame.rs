//! The window thread's part of a frame: events of the engine, layout, tessellation, while colour is being made.
//!
//! 600 frames at 1280 × 720 on the bundled sample with the controls unfolded: scrubbing, window and level, edge ranges,
//! each by dragging. Needs no window; what the graphics device does afterwards is not in it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ct2rgb::engine::{Engine, EngineOptions, LoadSource};
use ct2rgb::ui::{OpenSeries, Settings, Viewer, install_theme};
use eframe::egui::accesskit::TreeUpdate;
use eframe::egui::{self, Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2};

const SIZE: Vec2 = Vec2::new(1280.0, 720.0);
const FRAMES: usize = 600;
/// Of a screen with 60 pictures a second: between frames the workers have the machine.
const FRAME: Duration = Duration::from_micros(16_667);
/// Long enough for any machine to read the sample and make the first colour.
const PATIENCE: Duration = Duration::from_mins(2);

struct Window {
    ctx: Context,
    engine: Engine,
    viewer: Viewer,
    started: Instant,
}

impl Window {
    fn new() -> anyhow::Result<Self> {
        let ctx = Context::default();
        install_theme(&ctx);
        let options = EngineOptions { has_window: true, ..EngineOptions::default() };
        let engine = Engine::start(&options, Arc::new(|_| {}))?;
        let mut viewer = Viewer::new(Settings::default());
        viewer.state.screen.is_controls_drawer_open = Some(true);
        viewer.state.open_source(LoadSource::Sample(0));
        Ok(Self { ctx, engine, viewer, started: Instant::now() })
    }

    /// One frame, as eframe runs it up to the graphics device. Returns what a screen reader would be told, if asked for.
    fn frame(&mut self, events: Vec<Event>) -> (Duration, Option<TreeUpdate>) {
        let time = Some(self.started.elapsed().as_secs_f64());
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, SIZE));
        let input = RawInput { time, screen_rect, events, max_texture_side: Some(8192), ..RawInput::default() };
        let start = Instant::now();
        while let Some(event) = self.engine.try_next_event() {
            self.viewer.state.apply(event);
        }
        let output = self.ctx.run_ui(input, |ui| {
            self.viewer.logic(ui.ctx());
            self.viewer.ui(ui, &self.engine);
        });
        for wish in self.viewer.state.take_wishes() {
            self.engine.send(wish);
        }
        let primitives = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let elapsed = start.elapsed();
        assert!(!primitives.is_empty(), "a frame draws something");
        (elapsed, output.platform_output.accesskit_update)
    }

    /// Frames until the sample is read and the slice on screen has its colour.
    fn is_ready(&mut self) -> bool {
        while self.started.elapsed() < PATIENCE {
            self.frame(Vec::new());
            let open = self.viewer.state.open.as_ref();
            if open.is_some_and(|open| open.load_secs.is_some() && open.ready_colors() > 0) {
                return true;
            }
            std::thread::sleep(FRAME);
        }
        false
    }

    /// Where the things with these names are.
    fn places<const N: usize>(&mut self, names: [&str; N]) -> Option<[Rect; N]> {
        self.ctx.enable_accesskit();
        let (_, tree) = self.frame(Vec::new());
        self.ctx.disable_accesskit();
        let nodes = tree?.nodes;
        let place = |name: &str| {
            let is_named = |label: Option<&str>| label.is_some_and(|label| label.starts_with(name));
            let bounds = nodes.iter().find(|(_, node)| is_named(node.label()))?.1.bounds()?;
            Some(Rect::from_min_max(
                egui::pos2(bounds.x0 as f32, bounds.y0 as f32),
                egui::pos2(bounds.x1 as f32, bounds.y1 as f32),
            ))
        };
        let found: Vec<Rect> = names.into_iter().map_while(place).collect();
        found.try_into().ok()
    }

    /// Drags through some points, a point a frame; returns seconds of each frame.
    fn drag(&mut self, button: PointerButton, points: &[Pos2]) -> Vec<Duration> {
        let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
        let [first, .., last] = points else { return Vec::new() };
        self.frame(vec![Event::PointerMoved(*first)]);
        self.frame(vec![press(*first, true)]);
        let mut times = Vec::new();
        for point in points {
            let (elapsed, _) = self.frame(vec![Event::PointerMoved(*point)]);
            times.push(elapsed);
            std::thread::sleep(FRAME.saturating_sub(elapsed));
        }
        self.frame(vec![press(*last, false)]);
        times
    }
}

/// To and fro between two places, `count` points.
fn swing(from: Pos2, to: Pos2, count: usize) -> Vec<Pos2> {
    (0..count).map(|index| from.lerp(to, 0.5 - 0.5 * (index as f32 * 0.11).cos())).collect()
}

fn main() -> anyhow::Result<()> {
    let mut window = Window::new()?;
    ensure!(window.is_ready(), "the sample had no colour after two minutes");
    let places = window.places(["Slice", "CT pane", "Bone from, handle"]);
    let [strip, pane, handle] = places.context("strip, CT pane or handle of the bone range are not on screen")?;
    let third = FRAMES / 3;
    let middle = pane.center();
    let drags = [
        (PointerButton::Primary, swing(strip.left_center(), strip.right_center(), third)),
        (PointerButton::Secondary, swing(middle, middle + Vec2::new(90.0, 60.0), third)),
        (PointerButton::Primary, swing(handle.center(), handle.center() + Vec2::new(40.0, 0.0), third)),
    ];
    let moving = |window: &Window| {
        let state = &window.viewer.state;
        (state.open.as_ref().map(OpenSeries::slice), state.window.window, state.edges.ranges)
    };
    let colored = |window: &Window| window.viewer.state.open.as_ref().map_or(0, OpenSeries::ready_colors);
    let colored_before = colored(&window);
    let before = moving(&window);
    let mut times: Vec<Duration> = drags.iter().flat_map(|(button, points)| window.drag(*button, points)).collect();
    let after = moving(&window);
    let have_moved = before.0 != after.0 && before.1 != after.1 && before.2 != after.2;
    ensure!(have_moved, "each drag did what it is for: {before:?}, {after:?}");
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let (median, p95, most) = (at(0.5), at(0.95), at(1.0));
    writeln!(
        std::io::stdout(),
        "window thread, {FRAMES} frames at {} × {}: median {median:.2} ms, p95 {p95:.2} ms, longest {most:.2} ms; {} slices coloured meanwhile",
        SIZE.x,
        SIZE.y,
        colored(&window) - colored_before
    )?;
    Ok(())
}
