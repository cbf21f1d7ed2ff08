//! What the window knows after what happened.

use std::sync::Arc;

use super::*;
use crate::engine::{ColorFailure, TrainingEvent, Travel};
use crate::ui::commands::UiCommand;
use crate::ui::open_series::ColorStatus;
use crate::volume::{CtSlice, CtVolume, Geometry, NamedWindow, SeriesKind, SliceState, WindowLevel};

fn info(number: usize, windows: Vec<NamedWindow>) -> SeriesInfo {
    SeriesInfo {
        number,
        uid: format!("1.2.{number}"),
        description: "Phantom".to_owned(),
        kind: SeriesKind::Dicom,
        slice_count: 5,
        rows: 4,
        columns: 4,
        pixel_spacing_mm: Some([1.0, 1.0]),
        slice_spacing_mm: Some(2.5),
        encodings: Vec::new(),
        windows,
        is_inverted: false,
        has_burned_in_identity: false,
        identity: None,
        warnings: Vec::new(),
    }
}

fn volume() -> Arc<CtVolume> {
    let origins = (0..5).map(|s| [0.0, 0.0, -2.5 * f64::from(s)]).collect();
    let geometry = Geometry::new(4, 4, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], origins).unwrap();
    Arc::new(CtVolume::pending(geometry))
}

fn opened(windows: Vec<NamedWindow>) -> (UiState, Arc<CtVolume>) {
    let mut state = UiState::new(Settings::default());
    let volume = volume();
    state.open_source(LoadSource::Path("series".into()));
    state.apply(Event::SeriesListed { series: vec![info(1, Vec::new())], warnings: Vec::new() });
    state.apply(Event::SeriesOpened {
        info: Box::new(info(1, windows)),
        volume: Arc::clone(&volume),
        start: SliceIndex(2),
    });
    (state, volume)
}

fn error(message: &str) -> UserError {
    UserError { message: message.to_owned(), details: Vec::new() }
}

#[test]
fn opening_a_series_shows_its_start_with_the_windows_of_the_file() {
    let file_window = NamedWindow { name: "SINUS".to_owned(), window: WindowLevel::new(300.0, 2000.0).unwrap() };
    let (mut state, _) = opened(vec![file_window.clone()]);
    assert_eq!(state.open.as_ref().unwrap().slice(), SliceIndex(2));
    assert_eq!(state.window.window, file_window.window);
    let wishes = state.take_wishes();
    assert!(matches!(wishes[0], Command::Open(LoadSource::Path(_))), "{wishes:?}");
    assert!(matches!(wishes[1], Command::ShowSlice { slice: SliceIndex(2), .. }), "{wishes:?}");
    assert_eq!(opened(Vec::new()).0.window.window, WindowLevel::SOFT_TISSUE, "when the file says nothing");
}

#[test]
fn only_the_newest_slice_of_a_frame_is_asked_for_and_travel_is_known() {
    let (mut state, _) = opened(Vec::new());
    state.take_wishes();
    for command in [UiCommand::Next, UiCommand::Next, UiCommand::Previous] {
        state.run(command);
    }
    let wishes = state.take_wishes();
    assert_eq!(wishes.len(), 1, "{wishes:?}");
    assert!(matches!(wishes[0], Command::ShowSlice { slice: SliceIndex(3), travel: Travel::Backward }), "{wishes:?}");
    state.run(UiCommand::Last);
    state.run(UiCommand::Next);
    assert_eq!(state.open.as_ref().unwrap().slice(), SliceIndex(4), "there is no slice after the last");
    state.run(UiCommand::TenBack);
    assert_eq!(state.open.as_ref().unwrap().slice(), SliceIndex(0), "nor before the first");
    assert!(state.take_wishes().len() == 1, "the last of them");
}

#[test]
fn an_opening_that_fails_leaves_what_is_open_and_says_why() {
    let (mut state, _) = opened(Vec::new());
    state.open_source(LoadSource::Path("elsewhere".into()));
    state.apply(Event::Scanning { files: 12 });
    assert_eq!(state.loading, Loading::Scanning { files: 12 });
    state.apply(Event::LoadingFailed(error("no CT in this folder")));
    assert!(state.open.is_some(), "still on screen");
    assert_eq!(state.loading, Loading::Idle);
    assert!(state.notices[0].text().contains("no CT in this folder"));
}

#[test]
fn colours_are_counted_and_dropped() {
    let (mut state, _) = opened(Vec::new());
    for slice in [2, 3, 3] {
        state.apply(Event::ColorReady { slice: SliceIndex(slice), elapsed_secs: 0.1 });
    }
    let reason = ColorFailure::Slice("no body found in this slice".to_owned());
    state.apply(Event::ColorFailed { slice: SliceIndex(0), reason: reason.clone() });
    let open = state.open.as_ref().unwrap();
    assert_eq!((open.ready_colors(), &open.colors()[0]), (2, &ColorStatus::Failed(reason)));
    assert!((open.color_secs().unwrap() - 0.1).abs() < 1e-6);
    state.apply(Event::ColorReady { slice: SliceIndex(99), elapsed_secs: 0.1 });
    state.apply(Event::ColorsDropped);
    let open = state.open.as_ref().unwrap();
    assert_eq!(open.ready_colors(), 0);
    assert!(open.colors().iter().all(|color| *color == ColorStatus::Pending));
}

#[test]
fn what_is_found_while_reading_is_added_to_the_warnings_once() {
    let (mut state, volume) = opened(Vec::new());
    volume.set_slice(SliceIndex(2), Ok(CtSlice::new(4, 4, vec![0; 16].into())));
    volume.set_slice(SliceIndex(1), Err("cut short".into()));
    state.apply(Event::SliceRead(SliceIndex(2)));
    assert_eq!(state.loading, Loading::Slices);
    let warning = SeriesWarning { code: "truncated", message: "slice 2 is cut short".to_owned() };
    for _ in 0..2 {
        state.apply(Event::LoadingFinished { warnings: vec![warning.clone()], elapsed_secs: 0.5 });
    }
    assert_eq!(state.series[0].warnings, [warning], "in the list");
    assert_eq!(state.loading, Loading::Idle);
    state.run(UiCommand::Previous);
    assert!(matches!(state.open.as_ref().unwrap().slice_state(), SliceState::Missing(_)));
}

#[test]
fn edges_follow_the_recipe_until_the_user_moves_them_and_colour_only_on_request() {
    let mut state = UiState::new(Settings::default());
    let mut wider = state.edges;
    wider.ranges.fat.low_hu = -250.0;
    state.set_edges(wider);
    assert!(state.take_wishes().is_empty(), "the edge pane alone");
    wider.is_used_for_color = true;
    state.set_edges(wider);
    assert!(matches!(state.take_wishes()[..], [Command::UseEdgesForColor(Some(ranges))] if ranges == wider.ranges));
    state.run(UiCommand::ResetEdges);
    assert!(matches!(state.take_wishes()[..], [Command::UseEdgesForColor(None)]));
    assert_eq!(state.edges.ranges, state.edges.recipe);
}

#[test]
fn a_failing_device_leaves_the_generator_in_use() {
    let mut state = UiState::new(Settings::default());
    state.apply(Event::GeneratorReady {
        card: Arc::new(crate::model::WeightsCard::default()),
        recipe: crate::preprocess::Recipe::default(),
        device_name: "CPU".to_owned(),
        device_note: None,
    });
    state.apply(Event::GeneratorFailed(error("no usable NVIDIA GPU")));
    assert!(matches!(state.generator, GeneratorStatus::Ready(_)), "still in use");
    assert_eq!(state.notices.len(), 1, "and the user is told");
    let mut without = UiState::new(Settings::default());
    without.apply(Event::GeneratorFailed(error("weights are cut short")));
    assert!(matches!(without.generator, GeneratorStatus::Failed(_)), "the pane says why");
}

#[test]
fn paths_are_remembered_only_when_the_user_agreed() {
    let (state, _) = opened(Vec::new());
    assert!(state.settings.recent.is_empty());
    let settings = Settings { remembers_recent: true, ..Settings::default() };
    let mut state = UiState::new(settings);
    state.open_source(LoadSource::Path("series".into()));
    let start = SliceIndex(0);
    state.apply(Event::SeriesOpened { info: Box::new(info(1, Vec::new())), volume: volume(), start });
    assert_eq!(state.settings.recent, [std::path::PathBuf::from("series")]);
}

#[test]
fn a_sample_is_called_what_it_shows() {
    let mut state = UiState::new(Settings::default());
    state.open_source(LoadSource::Sample(1));
    state.apply(Event::SeriesListed { series: vec![info(1, Vec::new())], warnings: Vec::new() });
    let start = SliceIndex(0);
    state.apply(Event::SeriesOpened { info: Box::new(info(1, Vec::new())), volume: volume(), start });
    let open = state.open.as_ref().unwrap();
    assert_eq!([&open.info.description, &state.series[0].description], [SAMPLES[1].title; 2]);
    assert!(open.is_sample && open.title().starts_with(SAMPLES[1].title));
}

#[test]
fn when_a_run_is_over_its_file_stays_in_use_or_what_was_before_comes_back() {
    let mut state = UiState::new(Settings::default());
    let ended = TrainingEvent::Ended { step: 2, is_complete: true, weights: "run/generator.safetensors".into() };
    for (event, is_kept) in [(ended, true), (TrainingEvent::Failed(error("the disk is gone")), false)] {
        state.training.phase = RunPhase::Running;
        state.training.is_applied = true;
        state.apply(Event::Training(event));
        let wishes = state.take_wishes();
        let is_right = match &wishes[..] {
            [Command::UseWeights(WeightsSource::File(path))] => is_kept && path.ends_with("generator.safetensors"),
            [Command::ControlTraining(TrainingControl::StopApplying)] => !is_kept,
            _ => false,
        };
        assert!(is_right && !state.training.is_applied, "{wishes:?}");
    }
}

#[test]
fn choosing_weights_ends_the_use_of_a_training() {
    let mut state = UiState::new(Settings::default());
    state.training.is_applied = true;
    state.wish(Command::UseDevice(DeviceChoice::Cpu));
    assert!(state.training.is_applied, "another device does not");
    state.wish(Command::UseWeights(WeightsSource::Bundled));
    assert!(!state.training.is_applied, "other weights do");
}
