//! One table of all commands: menus, keys, tooltips, the palette and the `?` sheet are made from it.

use super::open_series::OpenSeries;
use super::pane_uniforms::PaneKind;
use super::screen::{Crosshair, Dialog};
use super::settings::ThemeChoice;
use super::state::UiState;
use super::window_choice::WindowChoice;
use crate::units::SliceIndex;

/// Something the user can do by key, menu or palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below has a line on each")]
pub enum UiCommand {
    OpenFile,
    OpenFolder,
    OpenPath,
    Export,
    WeightsFile,
    Quit,
    Previous,
    Next,
    TenBack,
    TenOn,
    First,
    Last,
    Cine,
    Preset(usize),
    FileWindow,
    AutoWindow,
    ResetEdges,
    OnePane,
    Grid,
    ResetView,
    ZoomIn,
    ZoomOut,
    Pan(Direction),
    MoveCrosshair(Direction),
    Overlays,
    Identity,
    SeriesDrawer,
    ControlsDrawer,
    Present,
    FullScreen,
    NextScale,
    Theme,
    Palette,
    Keys,
    About,
    Training,
    StepBack,
}

/// On the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Left,
    Right,
    Up,
    Down,
}

impl Direction {
    /// Right and down, −1, 0 or 1.
    fn step(self) -> [f64; 2] {
        match self {
            Self::Left => [-1.0, 0.0],
            Self::Right => [1.0, 0.0],
            Self::Up => [0.0, -1.0],
            Self::Down => [0.0, 1.0],
        }
    }
}

/// What belongs together on the `?` sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    File,
    Slices,
    Window,
    View,
    Help,
    Advanced,
}

impl Group {
    /// In the order of the `?` sheet.
    pub const ALL: [Self; 6] = [Self::File, Self::Slices, Self::Window, Self::View, Self::Help, Self::Advanced];

    /// Its heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "Files",
            Self::Slices => "Slices",
            Self::Window => "Window and edges",
            Self::View => "View",
            Self::Help => "Help",
            Self::Advanced => "Advanced",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What is done.
    pub command: UiCommand,
    /// Where it stands on the `?` sheet.
    pub group: Group,
    /// What menus and buttons say.
    pub name: &'static str,
    /// One sentence for tooltips.
    pub help: &'static str,
}

const fn entry(command: UiCommand, group: Group, name: &'static str, help: &'static str) -> Entry {
    Entry { command, group, name, help }
}

/// All commands.
pub const COMMANDS: [Entry; 48] = {
    use Direction::{Down, Left, Right, Up};
    use Group::{Advanced, File, Help, Slices, View, Window};
    use UiCommand as C;
    [
        entry(C::OpenFile, File, "Open file…", "Open a DICOM file, a ZIP, a NIfTI volume"),
        entry(C::OpenFolder, File, "Open folder…", "Open a folder with a CT series, or several"),
        entry(C::OpenPath, File, "Open path…", "Type or paste where a file or folder is"),
        entry(C::Export, File, "Export…", "Write pictures of this series"),
        entry(C::WeightsFile, File, "Weights from a file…", "Make the colours with other weights"),
        entry(C::Quit, File, "Quit", "Close the window"),
        entry(C::Previous, Slices, "Previous slice", "One slice towards the first"),
        entry(C::Next, Slices, "Next slice", "One slice towards the last"),
        entry(C::TenBack, Slices, "Ten slices back", "Ten slices towards the first"),
        entry(C::TenOn, Slices, "Ten slices on", "Ten slices towards the last"),
        entry(C::First, Slices, "First slice", "Go to the first slice"),
        entry(C::Last, Slices, "Last slice", "Go to the last slice"),
        entry(C::Cine, Slices, "Play or stop", "Run through the slices like a film"),
        entry(C::Preset(0), Window, "Brain", "Window for the brain"),
        entry(C::Preset(1), Window, "Soft tissue", "Window for muscles and organs"),
        entry(C::Preset(2), Window, "Lung", "Window for the lungs"),
        entry(C::Preset(3), Window, "Bone", "Window for bones"),
        entry(C::Preset(4), Window, "Liver", "Narrow window for the liver"),
        entry(C::FileWindow, Window, "File's window", "The window that the file suggests; again for the next one"),
        entry(C::AutoWindow, Window, "Auto window", "A window that holds the body on this slice"),
        entry(C::ResetEdges, Window, "Reset edges", "The ranges of fat and bone that the colours were trained with"),
        entry(C::OnePane, View, "One pane", "Show the active pane alone, or all again"),
        entry(C::Grid, View, "Three panes", "CT, edges and colour side by side"),
        entry(C::ResetView, View, "Reset view", "All of the body on this slice in each pane"),
        entry(C::ZoomIn, View, "Zoom in", "Larger, in all panes"),
        entry(C::ZoomOut, View, "Zoom out", "Smaller, in all panes"),
        entry(C::Pan(Left), View, "Move picture left", "In all panes"),
        entry(C::Pan(Right), View, "Move picture right", "In all panes"),
        entry(C::Pan(Up), View, "Move picture up", "In all panes"),
        entry(C::Pan(Down), View, "Move picture down", "In all panes"),
        entry(C::MoveCrosshair(Left), View, "Crosshair left", "One pixel to the left"),
        entry(C::MoveCrosshair(Right), View, "Crosshair right", "One pixel to the right"),
        entry(C::MoveCrosshair(Up), View, "Crosshair up", "One pixel upwards"),
        entry(C::MoveCrosshair(Down), View, "Crosshair down", "One pixel downwards"),
        entry(C::Overlays, View, "Hide or show overlays", "Letters, scale bar and crosshair"),
        entry(
            C::Identity,
            View,
            "Show or hide identity",
            "Name and numbers of the patient; hidden when the program starts",
        ),
        entry(C::SeriesDrawer, View, "Series list", "Fold or unfold the list of series"),
        entry(C::ControlsDrawer, View, "Controls", "Fold or unfold window, edges and colour"),
        entry(C::Present, View, "Present", "Only the pictures, with big letters and without identity"),
        entry(C::FullScreen, View, "Full screen", "Fill the whole screen"),
        entry(C::NextScale, View, "Next text size", "Text and buttons at 1×, 1.5× or 2×"),
        entry(C::Theme, View, "Dark or light", "Dark for pictures, light for bright rooms"),
        entry(C::Palette, Help, "Find a command…", "Type a part of its name"),
        entry(C::Keys, Help, "Keys", "All keys on one sheet"),
        entry(C::About, Help, "About ct2rgb", "Version, weights, licences"),
        entry(C::Training, Advanced, "Training", "Train or fine-tune the network that makes the colours"),
        entry(C::StepBack, Help, "Step back", "Close what is in front"),
        entry(C::Preset(5), Window, "Own window", "The first window that you saved"),
    ]
};

impl UiCommand {
    /// Its line in the table.
    ///
    /// # Panics
    /// Never: a test finds every command in the table.
    pub fn entry(self) -> &'static Entry {
        COMMANDS.iter().find(|entry| entry.command == self).expect("every command is in the table")
    }
}

/// What only the window itself can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowWish {
    /// The system's dialog for a file.
    BrowseFile,
    /// The system's dialog for a folder.
    BrowseFolder,
    /// The system's dialog for a weights file.
    BrowseWeights,
    /// The system's dialog for the folder that pictures are written to.
    BrowseExportFolder,
    /// The system's dialog for a pairs table.
    BrowsePairs,
    /// The system's dialog for the folder of a training run.
    BrowseRunFolder,
    /// The system's dialog for the weights of the perceptual loss.
    BrowsePerceptualWeights,
    /// Into or out of full screen.
    ToggleFullScreen,
    /// Close the window.
    Close,
}

impl UiState {
    /// Points that a key moves the picture by.
    const PAN_POINTS: f64 = 40.0;
    /// Factor of one zoom step.
    pub const ZOOM_STEP: f64 = 1.25;

    /// Does what a command says; what only the window can do is returned.
    pub fn run(&mut self, command: UiCommand) -> Option<WindowWish> {
        match command {
            UiCommand::OpenFile => return Some(WindowWish::BrowseFile),
            UiCommand::OpenFolder => return Some(WindowWish::BrowseFolder),
            UiCommand::WeightsFile => return Some(WindowWish::BrowseWeights),
            UiCommand::FullScreen => return Some(WindowWish::ToggleFullScreen),
            UiCommand::Quit => return Some(WindowWish::Close),
            UiCommand::Previous => self.move_slices(-1),
            UiCommand::Next => self.move_slices(1),
            UiCommand::TenBack => self.move_slices(-10),
            UiCommand::TenOn => self.move_slices(10),
            UiCommand::First => self.show_slice(SliceIndex(0)),
            UiCommand::Last => self.show_slice(SliceIndex(usize::MAX)),
            UiCommand::Cine => self.cine.toggle(),
            UiCommand::Preset(index) => self.use_preset(index),
            UiCommand::FileWindow => self.window.use_next_file_window(),
            UiCommand::AutoWindow => self.use_auto_window(),
            UiCommand::ResetEdges => self.reset_edges(),
            UiCommand::OpenPath => self.toggle_dialog(Dialog::Open),
            UiCommand::Export => self.toggle_dialog(Dialog::Export),
            UiCommand::Palette => self.toggle_dialog(Dialog::Palette),
            UiCommand::Keys => self.toggle_dialog(Dialog::Keys),
            UiCommand::About => self.toggle_dialog(Dialog::About),
            UiCommand::Training => self.training.is_open = !self.training.is_open,
            UiCommand::NextScale => self.settings.scale = self.settings.scale.next(),
            UiCommand::Theme => {
                self.settings.theme = match self.settings.theme {
                    ThemeChoice::Dark => ThemeChoice::Light,
                    ThemeChoice::Light => ThemeChoice::Dark,
                }
            }
            on_screen => self.run_on_screen(on_screen),
        }
        None
    }

    fn run_on_screen(&mut self, command: UiCommand) {
        let screen = &mut self.screen;
        match command {
            UiCommand::OnePane => screen.toggle_full(screen.full_pane.unwrap_or(screen.active_pane)),
            UiCommand::Grid => screen.full_pane = None,
            UiCommand::ResetView => {
                screen.forget_view();
                self.open.iter_mut().for_each(OpenSeries::fit_slice);
            }
            UiCommand::ZoomIn => screen.view.zoom_by(Self::ZOOM_STEP),
            UiCommand::ZoomOut => screen.view.zoom_by(1.0 / Self::ZOOM_STEP),
            UiCommand::Pan(direction) => self.pan(direction),
            UiCommand::MoveCrosshair(direction) => self.move_crosshair(direction),
            UiCommand::Overlays => screen.has_overlays = !screen.has_overlays,
            UiCommand::Identity => screen.wants_identity = !screen.wants_identity && !screen.is_presenting(),
            UiCommand::SeriesDrawer => screen.is_series_drawer_open = Some(screen.is_series_drawer_open != Some(true)),
            UiCommand::ControlsDrawer => {
                screen.is_controls_drawer_open = Some(screen.is_controls_drawer_open != Some(true));
            }
            UiCommand::Present => {
                screen.toggle_presenting();
            }
            UiCommand::StepBack => screen.step_back(),
            _ => {}
        }
    }

    fn toggle_dialog(&mut self, dialog: Dialog) {
        self.screen.dialog = if self.screen.dialog == Some(dialog) { None } else { Some(dialog) };
    }

    fn use_preset(&mut self, index: usize) {
        if index < self.window.presets.len() {
            self.window.use_preset(index);
        } else if let Some(own) = self.settings.presets.get(index - self.window.presets.len()) {
            (self.window.window, self.window.name) = (own.window, Some(own.name.clone()));
        }
    }

    fn use_auto_window(&mut self) {
        let window = self.open.as_mut().and_then(OpenSeries::histogram).and_then(|counts| counts.auto_window());
        if let Some(window) = window {
            self.window = WindowChoice { window, name: Some("Auto".to_owned()), ..self.window.clone() };
        }
    }

    fn reset_edges(&mut self) {
        let mut edges = self.edges;
        edges.ranges = edges.recipe;
        edges.is_used_for_color = false;
        self.set_edges(edges);
    }

    fn pan(&mut self, direction: Direction) {
        let (Some(open), Some(area)) = (&self.open, self.screen.pane_area) else { return };
        let delta = direction.step().map(|step| step * Self::PAN_POINTS);
        self.screen.view.pan(delta, &open.slice_size(), &area);
    }

    fn move_crosshair(&mut self, direction: Direction) {
        let Some(open) = &self.open else { return };
        let [columns, rows] = open.slice_size().pixels;
        let last_px = [columns, rows].map(|count| count as f64 - 0.5);
        let from = self.screen.crosshair.map_or([columns as f64 / 2.0, rows as f64 / 2.0], |cross| cross.place_px);
        let step = direction.step();
        let place_px = [0, 1].map(|k| (from[k].floor() + 0.5 + step[k]).clamp(0.5, last_px[k]));
        self.screen.crosshair = Some(Crosshair { place_px, moved_secs: self.screen.now_secs, is_from_pointer: false });
    }

    /// The pane that keys act on.
    pub fn active_pane(&self) -> PaneKind {
        self.screen.full_pane.unwrap_or(self.screen.active_pane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::settings::Settings;

    #[test]
    fn every_command_stands_once_in_the_table_and_has_words() {
        for (index, entry) in COMMANDS.iter().enumerate() {
            let same = COMMANDS.iter().position(|other| other.command == entry.command || other.name == entry.name);
            assert_eq!(same, Some(index), "{} stands there twice", entry.name);
            assert!(!entry.help.is_empty() && !entry.help.ends_with('.'), "{}: {}", entry.name, entry.help);
            assert_eq!(entry.command.entry().name, entry.name);
        }
    }

    #[test]
    fn every_command_runs_with_nothing_open() {
        let mut state = UiState::new(Settings::default());
        for entry in &COMMANDS {
            state.run(entry.command);
        }
        assert!(state.take_wishes().is_empty(), "nothing to ask the engine for");
    }

    #[test]
    fn identity_is_hidden_until_asked_for_and_never_shown_while_presenting() {
        let mut state = UiState::new(Settings::default());
        assert!(!state.screen.shows_identity(), "hidden at first");
        state.run(UiCommand::Identity);
        assert!(state.screen.shows_identity(), "asked for");
        state.run(UiCommand::Present);
        assert!(!state.screen.shows_identity(), "not on the wall");
        state.run(UiCommand::Identity);
        assert!(!state.screen.shows_identity(), "not even when asked for");
        state.run(UiCommand::Present);
        assert!(!state.screen.shows_identity(), "and not back by itself");
    }

    #[test]
    fn escape_steps_back_from_what_is_in_front() {
        let mut state = UiState::new(Settings::default());
        for command in [UiCommand::OnePane, UiCommand::Present, UiCommand::About] {
            state.run(command);
        }
        let front = |state: &UiState| {
            (state.screen.dialog.is_some(), state.screen.is_presenting(), state.screen.full_pane.is_some())
        };
        let mut seen = vec![front(&state)];
        for _ in 0..3 {
            state.run(UiCommand::StepBack);
            seen.push(front(&state));
        }
        assert_eq!(seen, [(true, true, true), (false, true, true), (false, false, true), (false, false, false)]);
    }
}
