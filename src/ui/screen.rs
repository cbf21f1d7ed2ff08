//! What is unfolded, enlarged or open in the window.

use super::pane_uniforms::PaneKind;
use super::view::{PaneArea, View};

/// A dialog; it never blocks the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// Type a path.
    Open,
    /// Write pictures.
    Export,
    /// Version, weights, licences.
    About,
    /// All keys.
    Keys,
    /// Find a command by its name.
    Palette,
}

/// A place on the slice that all panes mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crosshair {
    /// Pixel coordinates; (0, 0) is the top left corner of the first pixel.
    pub place_px: [f64; 2],
    /// When it was moved, in seconds of the window's clock.
    pub moved_secs: f64,
    /// It follows the pointer, and goes when the pointer leaves the panes.
    pub is_from_pointer: bool,
}

/// Who looks at the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One person at a desk: bars and drawers.
    #[default]
    Desk,
    /// A class: big letters, nothing but the pictures, no identity.
    Presenting,
}

/// What is unfolded, enlarged or open in the window. Not saved.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The pane that alone is shown.
    pub full_pane: Option<PaneKind>,
    /// The pane that was used last.
    pub active_pane: PaneKind,
    /// Zoom and pan of all panes.
    pub view: View,
    /// Marked place.
    pub crosshair: Option<Crosshair>,
    /// Series list; `None` until the width of the window decides.
    pub is_series_drawer_open: Option<bool>,
    /// Numbers and switches; `None` until the width of the window decides.
    pub is_controls_drawer_open: Option<bool>,
    /// Letters, scale bar and crosshair. The mark on synthetic colour always stays.
    pub has_overlays: bool,
    /// Patient identity, never while presenting.
    pub wants_identity: bool,
    /// At a desk, or in front of a class.
    pub mode: Mode,
    /// What is open over the panes.
    pub dialog: Option<Dialog>,
    /// The line about the sample was read.
    pub is_hint_dismissed: bool,
    /// Where the active pane was in the last frame.
    pub pane_area: Option<PaneArea>,
    /// The window's clock in this frame.
    pub now_secs: f64,
    /// Part of a notch that the wheel has been turned by.
    pub wheel_carry: f32,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            full_pane: None,
            active_pane: PaneKind::Grey,
            view: View::default(),
            crosshair: None,
            is_series_drawer_open: None,
            is_controls_drawer_open: None,
            has_overlays: true,
            wants_identity: false,
            mode: Mode::Desk,
            dialog: None,
            is_hint_dismissed: false,
            pane_area: None,
            now_secs: 0.0,
            wheel_carry: 0.0,
        }
    }
}

impl Screen {
    /// Points of width from which both drawers start unfolded: three panes of 512 points beside them.
    const ROOMY_POINTS: f32 = 1500.0;

    /// Whether the patient's identity may be on screen.
    pub fn shows_identity(&self) -> bool {
        self.wants_identity && !self.is_presenting()
    }

    /// Whether a class looks at the window.
    pub fn is_presenting(&self) -> bool {
        self.mode == Mode::Presenting
    }

    /// Begins or ends presenting; identity is hidden either way, and does not come back by itself.
    pub fn toggle_presenting(&mut self) {
        self.mode = if self.is_presenting() { Mode::Desk } else { Mode::Presenting };
        self.wants_identity = false;
    }

    /// Back to the whole body in each pane.
    pub fn forget_view(&mut self) {
        self.view = View::default();
        self.crosshair = None;
    }

    /// Folds or unfolds the drawers once the width of the window is known.
    pub fn decide_drawers(&mut self, width_points: f32) {
        let is_roomy = width_points >= Self::ROOMY_POINTS;
        self.is_series_drawer_open.get_or_insert(is_roomy);
        self.is_controls_drawer_open.get_or_insert(is_roomy);
    }

    /// Panes on screen, from left to right.
    pub fn panes(&self) -> Vec<PaneKind> {
        self.full_pane.map_or_else(|| PaneKind::ALL.to_vec(), |pane| vec![pane])
    }

    /// One pane alone, or back to three.
    pub fn toggle_full(&mut self, pane: PaneKind) {
        self.full_pane = if self.full_pane == Some(pane) { None } else { Some(pane) };
        self.active_pane = pane;
    }

    /// Steps back from whatever is in front: a dialog, presenting, one pane alone.
    pub fn step_back(&mut self) {
        if self.dialog.take().is_none() && std::mem::take(&mut self.mode) == Mode::Desk {
            self.full_pane = None;
        }
    }
}
