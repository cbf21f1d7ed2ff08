//! A window on a phantom: a body of fat, muscle and bone whose every value follows from its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use ct2rgb::engine::{Command, Event, LoadSource};
use ct2rgb::model::WeightsCard;
use ct2rgb::preprocess::Recipe;
use ct2rgb::ui::{ColorSource, Settings, UiState, Viewer, install_graphics, install_theme};
use ct2rgb::units::SliceIndex;
use ct2rgb::volume::{ColorSlice, CtSlice, CtVolume, Geometry, PatientIdentity, SeriesInfo, SeriesKind};
use eframe::egui::{self, Key, Modifiers, Vec2};
use egui_kittest::wgpu::WgpuTestRenderer;
use egui_kittest::{Harness, kittest::Queryable as _};

/// Slices of the phantom.
pub const SLICES: usize = 12;
/// Its side in pixels.
pub const SIDE: usize = 96;
/// In the identity of the phantom; must not be on screen unasked.
pub const PATIENT_NAME: &str = "GEHEIM^PATIENT";

/// Colours that are ready, by slice.
#[derive(Default)]
struct Colors(BTreeMap<usize, Arc<ColorSlice>>);

impl ColorSource for Colors {
    fn color_slice(&self, slice: SliceIndex) -> Option<Arc<ColorSlice>> {
        self.0.get(&slice.0).cloned()
    }
}

/// The window as an eframe application, without an engine.
pub struct App {
    pub viewer: Viewer,
    colors: Colors,
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.viewer.logic(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.viewer.ui(ui, &self.colors);
    }
}

/// A window with what drives it.
pub struct Case {
    pub harness: Harness<'static, App>,
}

impl Case {
    /// An empty window of a laptop's size; nothing is drawn.
    pub fn empty() -> Self {
        Self::built(Settings::default(), Vec2::new(1280.0, 720.0), false)
    }

    /// The phantom is open, all slices are read, colour is ready for some.
    pub fn open() -> Self {
        let mut case = Self::empty();
        case.open_phantom();
        case
    }

    /// A window that can be drawn.
    pub fn drawn(settings: Settings, size: Vec2) -> Self {
        Self::built(settings, size, true)
    }

    fn built(settings: Settings, size: Vec2, is_drawn: bool) -> Self {
        let builder = Harness::builder().with_size(size).with_context_setup(install_theme).with_render_cursor(false);
        let builder = if is_drawn { builder.renderer(WgpuTestRenderer::new()) } else { builder };
        let harness = builder.build_eframe(|context| {
            if let Some(render_state) = &context.wgpu_render_state {
                install_graphics(render_state);
            }
            App { viewer: Viewer::new(settings), colors: Colors::default() }
        });
        let mut case = Self { harness };
        case.harness.run();
        case
    }

    pub fn open_phantom(&mut self) {
        self.state().open_source(LoadSource::Path("phantom".into()));
        self.apply(generator_ready());
        self.apply(Event::SeriesListed { series: vec![info()], warnings: Vec::new() });
        let volume = Arc::new(phantom());
        self.apply(Event::SeriesOpened { info: Box::new(info()), volume, start: SliceIndex(5) });
        (0..SLICES).for_each(|slice| self.apply(Event::SliceRead(SliceIndex(slice))));
        self.apply(Event::LoadingFinished { warnings: Vec::new(), elapsed_secs: 0.1 });
        for slice in 3..8 {
            self.harness.state_mut().colors.0.insert(slice, Arc::new(color_of(slice)));
            self.apply(Event::ColorReady { slice: SliceIndex(slice), elapsed_secs: 0.042 });
        }
        self.settle();
        self.wishes();
    }

    pub fn state(&mut self) -> &mut UiState {
        &mut self.harness.state_mut().viewer.state
    }

    pub fn apply(&mut self, event: Event) {
        self.state().apply(event);
    }

    /// What the engine would have been asked for since the last call.
    pub fn wishes(&mut self) -> Vec<Command> {
        self.state().take_wishes()
    }

    /// Until nothing moves; checks that every control has a name.
    pub fn settle(&mut self) {
        self.harness.run();
    }

    pub fn press(&mut self, key: Key) {
        self.press_with(Modifiers::NONE, key);
    }

    pub fn press_with(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Clicks on what has this name.
    pub fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
    }

    /// The same where something goes on turning afterwards.
    pub fn click_and_go_on(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run_steps(3);
    }

    /// Types into the field of this name.
    pub fn type_into(&mut self, name: &str, text: &str) {
        self.harness.get_by_label(name).click();
        self.settle();
        self.harness.get_by_label(name).type_text(text);
        self.settle();
    }

    /// Whether something on screen has this name or text.
    pub fn has(&self, name: &str) -> bool {
        self.harness.query_all_by_label_contains(name).next().is_some()
    }

    /// The number of the slice on screen, from 1.
    pub fn slice_number(&mut self) -> usize {
        self.state().open.as_ref().map_or(0, |open| open.slice().0 + 1)
    }

    /// Where a pane is.
    pub fn pane(&self, name: &str) -> egui::Rect {
        self.harness.get_by_label_contains(&format!("{name} pane, slice")).rect()
    }

    /// What would have been copied in the last frame.
    pub fn copied(&self) -> Option<String> {
        self.harness.output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    }
}

/// The bundled recipe on a CPU.
pub fn generator_ready() -> Event {
    Event::GeneratorReady {
        card: Arc::new(WeightsCard { name: "Phantom weights".to_owned(), ..WeightsCard::default() }),
        recipe: Recipe::default(),
        device_name: "CPU".to_owned(),
        device_note: None,
    }
}

/// The phantom's series.
pub fn info() -> SeriesInfo {
    let identity = PatientIdentity {
        name: PATIENT_NAME.to_owned(),
        id: "ID-4711".to_owned(),
        birth_date: "19010101".to_owned(),
        study_date: "20010101".to_owned(),
    };
    SeriesInfo {
        number: 1,
        uid: "1.2.3".to_owned(),
        description: "Phantom".to_owned(),
        kind: SeriesKind::Dicom,
        slice_count: SLICES,
        rows: SIDE,
        columns: SIDE,
        pixel_spacing_mm: Some([4.0, 4.0]),
        slice_spacing_mm: Some(5.0),
        encodings: vec!["Explicit VR Little Endian".to_owned()],
        windows: Vec::new(),
        is_inverted: false,
        has_burned_in_identity: false,
        identity: Some(identity),
        warnings: Vec::new(),
    }
}

/// What a pixel of the phantom is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tissue {
    Air,
    Fat,
    Muscle,
    Bone,
}

fn tissue(column: usize, row: usize, slice: usize) -> Tissue {
    let half = SIDE as f32 / 2.0;
    let [x, y] = [column, row].map(|index| (index as f32 + 0.5 - half) / half);
    let body = (x / 0.8).hypot(y / 0.6);
    let bone = (x - 0.04 * slice as f32).hypot(y - 0.25);
    if body > 1.0 {
        Tissue::Air
    } else if body > 0.82 {
        Tissue::Fat
    } else if bone < 0.16 {
        Tissue::Bone
    } else {
        Tissue::Muscle
    }
}

fn pixels(slice: usize) -> impl Iterator<Item = Tissue> {
    (0..SIDE * SIDE).map(move |index| tissue(index % SIDE, index / SIDE, slice))
}

fn phantom() -> CtVolume {
    let origins = (0..SLICES).map(|slice| [-192.0, -192.0, -5.0 * slice as f64]).collect();
    let geometry =
        Geometry::new(SIDE, SIDE, [4.0, 0.0, 0.0], [0.0, 4.0, 0.0], origins).expect("a lattice of 4 × 4 × 5 mm");
    let volume = CtVolume::pending(geometry);
    for slice in 0..SLICES {
        let value_hu = |tissue| match tissue {
            Tissue::Air => -1000,
            Tissue::Fat => -100,
            Tissue::Muscle => 50,
            Tissue::Bone => 800,
        };
        volume.set_slice(SliceIndex(slice), Ok(CtSlice::new(SIDE, SIDE, pixels(slice).map(value_hu).collect())));
    }
    volume
}

fn color_of(slice: usize) -> ColorSlice {
    let rgb8 = |tissue| match tissue {
        Tissue::Air => [0, 0, 0],
        Tissue::Fat => [222, 188, 96],
        Tissue::Muscle => [148, 52, 44],
        Tissue::Bone => [216, 204, 186],
    };
    ColorSlice {
        columns: SIDE,
        rows: SIDE,
        rgb8: pixels(slice).flat_map(rgb8).collect(),
        is_outside_training: slice == 7,
        elapsed_secs: 0.042,
    }
}
