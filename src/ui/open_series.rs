//! The series on screen: which slice, what has been read, which colours are ready.

use std::sync::Arc;

use super::body_extent::{BodyExtent, PixelBox};
use super::hu_histogram::HuHistogram;
use super::view::SliceSize;
use crate::engine::{ColorFailure, Command, Event, Travel};
use crate::units::SliceIndex;
use crate::volume::{CtSlice, CtVolume, SeriesInfo, SeriesWarning, SliceState};

/// What is known of a slice's colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ColorStatus {
    /// On its way.
    #[default]
    Pending,
    /// Made.
    Ready,
    /// Cannot be made, and why.
    Failed(ColorFailure),
}

/// The series on screen.
#[derive(Debug)]
pub struct OpenSeries {
    /// What a person is told about it.
    pub info: SeriesInfo,
    /// Its slices.
    pub volume: Arc<CtVolume>,
    /// One of the bundled samples.
    pub is_sample: bool,
    /// Seconds from opening to the last slice, when all are read.
    pub load_secs: Option<f32>,
    slice: SliceIndex,
    travel: Travel,
    colors: Vec<ColorStatus>,
    ready_colors: usize,
    color_secs: Option<f32>,
    histogram: Option<(SliceIndex, Arc<HuHistogram>)>,
    body: BodyExtent,
    shown_body: Option<PixelBox>,
}

impl OpenSeries {
    /// Weight of the newest slice in the time per slice.
    const NEWEST_SHARE: f32 = 0.2;

    /// A series whose slices may still be arriving.
    pub fn new(info: SeriesInfo, volume: Arc<CtVolume>, start: SliceIndex) -> Self {
        let colors = vec![ColorStatus::Pending; volume.slice_count()];
        let slice = SliceIndex(start.0.min(volume.slice_count().saturating_sub(1)));
        Self {
            info,
            volume,
            is_sample: false,
            load_secs: None,
            slice,
            travel: Travel::Forward,
            colors,
            ready_colors: 0,
            color_secs: None,
            histogram: None,
            body: BodyExtent::default(),
            shown_body: None,
        }
    }

    /// The slice on screen.
    pub fn slice(&self) -> SliceIndex {
        self.slice
    }

    /// Number of slices.
    pub fn slice_count(&self) -> usize {
        self.volume.slice_count()
    }

    /// What is known of the slice on screen.
    pub fn slice_state(&self) -> SliceState {
        self.volume.slice(self.slice)
    }

    /// The slice on screen when it has been read.
    pub fn ready_slice(&self) -> Option<&CtSlice> {
        self.volume.ready_slice(self.slice)
    }

    /// Size of every slice.
    pub fn slice_size(&self) -> SliceSize {
        let geometry = self.volume.geometry();
        let pixels = [geometry.columns(), geometry.rows()];
        let fit = self.shown_body.map_or_else(|| PixelBox::whole(pixels), |body| body.to_fit(pixels));
        SliceSize { pixels, pixel_size_mm: geometry.pixel_size_mm(), fit }
    }

    /// Takes in a slice that was read; the first one decides what fills the panes until all are there.
    pub fn slice_read(&mut self, slice: SliceIndex) {
        if let Some(slice) = self.volume.ready_slice(slice) {
            self.body.add(slice);
            self.shown_body = self.shown_body.or_else(|| self.body.typical());
        }
    }

    /// Fills the panes with the body as it is on nearly all slices.
    pub fn fit_body(&mut self) {
        self.shown_body = self.body.typical();
    }

    /// Fills the panes with the body as it is on the slice on screen.
    pub fn fit_slice(&mut self) {
        self.shown_body = self.ready_slice().and_then(BodyExtent::of_slice);
    }

    /// Position along the normal in mm, when the file says how its slices lie.
    pub fn position_mm(&self) -> Option<f64> {
        let geometry = self.volume.geometry();
        geometry.is_spacing_known().then(|| geometry.slice_position_mm(self.slice))
    }

    /// Goes to a slice, or to the nearest there is; says what to ask the engine for when that is another one.
    pub fn go_to(&mut self, slice: SliceIndex) -> Option<Command> {
        let slice = SliceIndex(slice.0.min(self.slice_count().saturating_sub(1)));
        if slice == self.slice {
            return None;
        }
        self.travel = if slice > self.slice { Travel::Forward } else { Travel::Backward };
        self.slice = slice;
        Some(self.wish())
    }

    /// What to ask the engine for: the slice on screen.
    pub fn wish(&self) -> Command {
        Command::ShowSlice { slice: self.slice, travel: self.travel }
    }

    /// Colour of each slice, in order.
    pub fn colors(&self) -> &[ColorStatus] {
        &self.colors
    }

    /// Slices that have their colour.
    pub fn ready_colors(&self) -> usize {
        self.ready_colors
    }

    /// `40 of 117 slices have their colour`.
    pub fn color_count_words(&self) -> String {
        format!("{} of {} have their colour", self.ready_colors, slices_in_words(self.slice_count()))
    }

    /// Colour of the slice on screen.
    pub fn color_status(&self) -> &ColorStatus {
        &self.colors[self.slice.0]
    }

    /// Seconds for the colour of one slice, lately.
    pub fn color_secs(&self) -> Option<f32> {
        self.color_secs
    }

    /// Takes in what happened to colours; other events change nothing.
    pub fn apply_color(&mut self, event: Event) {
        match event {
            Event::ColorReady { slice, elapsed_secs } => {
                let newest = Self::NEWEST_SHARE;
                self.color_secs = Some(self.color_secs.map_or(elapsed_secs, |old| old + newest * (elapsed_secs - old)));
                self.set_color(slice, ColorStatus::Ready);
            }
            Event::ColorFailed { slice, reason } => self.set_color(slice, ColorStatus::Failed(reason)),
            Event::ColorDropped(slice) => self.set_color(slice, ColorStatus::Pending),
            Event::ColorsDropped => {
                self.colors.fill(ColorStatus::Pending);
                self.ready_colors = 0;
                self.color_secs = None;
            }
            _ => {}
        }
    }

    fn set_color(&mut self, slice: SliceIndex, status: ColorStatus) {
        if let Some(color) = self.colors.get_mut(slice.0) {
            let was_ready = usize::from(*color == ColorStatus::Ready);
            self.ready_colors = self.ready_colors + usize::from(status == ColorStatus::Ready) - was_ready;
            *color = status;
        }
    }

    /// All slices are settled; takes in what is known only now.
    pub fn finish_loading(&mut self, warnings: &[SeriesWarning], elapsed_secs: f32) {
        self.load_secs = Some(elapsed_secs);
        for warning in warnings {
            if !self.info.warnings.contains(warning) {
                self.info.warnings.push(warning.clone());
            }
        }
    }

    /// Distribution of the CT values of the slice on screen, when it has been read.
    pub fn histogram(&mut self) -> Option<Arc<HuHistogram>> {
        if let Some((slice, histogram)) = &self.histogram
            && *slice == self.slice
        {
            return Some(Arc::clone(histogram));
        }
        let histogram = Arc::new(HuHistogram::of_slice(self.ready_slice()?));
        self.histogram = Some((self.slice, Arc::clone(&histogram)));
        Some(histogram)
    }

    /// What the series is called: description, slices, distance.
    pub fn title(&self) -> String {
        let slices = slices_in_words(self.slice_count());
        let spacing = self.info.slice_spacing_mm.map(|mm| format!("{} mm", super::words::short_number(mm)));
        let name = Some(self.info.description.clone()).filter(|name| !name.is_empty());
        [name, Some(slices), spacing].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// `1 slice`, `117 slices`.
pub fn slices_in_words(count: usize) -> String {
    if count == 1 { "1 slice".to_owned() } else { format!("{count} slices") }
}
