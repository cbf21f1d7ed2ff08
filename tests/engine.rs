//! The engine: commands in, events out; colours nearest-first; exports that can be taken up again.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;
#[expect(dead_code, reason = "made-up pairs, of which each test uses a part")]
mod pairs;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{DataSet, PIXELS, Phantom, SPACING, Value, write_files};
use ct2rgb::engine::{
    ColorFailure, Command, Engine, EngineOptions, Event, ExportFormat, ExportRequest, LoadSource, TrainingControl,
    TrainingEvent, TrainingRequest, TrainingStart, Travel, UserError,
};
use ct2rgb::io::nifti_rgb;
use ct2rgb::io::rgb_image::read_stamp;
use ct2rgb::model::{DeviceChoice, WeightsSource};
use ct2rgb::preprocess::{EdgeRanges, HuRange};
use ct2rgb::training::TrainConfig;
use ct2rgb::units::SliceIndex;
use ct2rgb::volume::WindowLevel;

/// Rows and columns of the made-up CT.
const SIDE: usize = 48;
/// Longer than any step of these tests takes, so that a mistake ends in a message and not in a hang.
const PATIENCE: Duration = Duration::from_mins(1);

fn phantom(slices: usize) -> Phantom {
    Phantom { columns: SIDE, rows: SIDE, slices, ..Phantom::default() }
}

/// A slice with a disk of soft tissue, a rim of fat and a core of bone; all air where `has_body` is false.
fn body(phantom: &Phantom, slice: usize, has_body: bool) -> DataSet {
    let cell = |index: usize| {
        let (row, column) = ((index / SIDE) as f64 - 23.5, (index % SIDE) as f64 - 23.5);
        let hu = match row.hypot(column / 2.0) {
            _ if !has_body => -1000,
            r if r < 3.0 => 700,
            r if r < 9.0 => 40,
            r if r < 11.0 => -100,
            _ => -1000,
        };
        (hu + 1024) as u16
    };
    // 8 × 4 mm: what is small in millimetres is no body.
    let slice = phantom.slice(slice).text(SPACING, *b"DS", "8\\4");
    slice.value(PIXELS, *b"OW", Value::Words((0..SIDE * SIDE).map(cell).collect()))
}

/// A folder with a series of bodies; the slices in `empty` show only air.
fn series(slices: usize, empty: &[usize]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let phantom = phantom(slices);
    let files: Vec<_> =
        (0..slices).map(|slice| (format!("{slice:03}"), body(&phantom, slice, !empty.contains(&slice)))).collect();
    write_files(folder.path(), &files, phantom.syntax);
    folder
}

fn engine() -> Engine {
    let options = EngineOptions { device: DeviceChoice::Cpu, ..EngineOptions::default() };
    Engine::start(&options, Arc::new(|_| {})).unwrap()
}

/// All events until `is_last`, that one included.
fn events_until(engine: &Engine, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let event = engine.next_event(PATIENCE).unwrap_or_else(|| panic!("nothing more came after {events:?}"));
        let is_end = is_last(&event);
        events.push(event);
        if is_end {
            return events;
        }
    }
}

fn is_read(event: &Event) -> bool {
    matches!(event, Event::LoadingFinished { .. })
}

fn open(engine: &Engine, folder: &Path) -> Vec<Event> {
    engine.send(Command::Open(LoadSource::Path(folder.to_owned())));
    events_until(engine, is_read)
}

/// Slices in the order in which their colours came, until there are `count`.
fn colored(engine: &Engine, seen: &[Event], count: usize) -> Vec<usize> {
    let of = |event: &Event| if let Event::ColorReady { slice, .. } = event { Some(slice.0) } else { None };
    let mut order: Vec<usize> = seen.iter().filter_map(of).collect();
    while order.len() < count {
        let event = engine.next_event(PATIENCE).unwrap_or_else(|| panic!("no more colours than {order:?}"));
        order.extend(of(&event));
    }
    order
}

fn request(folder: &Path, slices: (usize, usize), format: ExportFormat) -> ExportRequest {
    ExportRequest {
        folder: folder.to_owned(),
        slices: (SliceIndex(slices.0), SliceIndex(slices.1)),
        format,
        window: WindowLevel::new(40.0, 400.0).unwrap(),
        edges: EdgeRanges::default(),
        is_overwriting: false,
    }
}

/// Written, skipped and failed slices, or the error.
fn export(engine: &Engine, request: ExportRequest) -> Result<(usize, usize, Vec<usize>), UserError> {
    engine.send(Command::Export(request));
    let is_end =
        |event: &Event| matches!(event, Event::ExportFinished { .. } | Event::ExportFailed(_) | Event::ExportCancelled);
    match events_until(engine, is_end).pop() {
        Some(Event::ExportFinished { written, skipped, failed, .. }) => {
            Ok((written, skipped, failed.into_iter().map(|(slice, _)| slice.0).collect()))
        }
        Some(Event::ExportFailed(error)) => Err(error),
        other => panic!("expected an end, found {other:?}"),
    }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn opening_lists_opens_reads_and_colours_every_slice() {
    let folder = series(7, &[]);
    let engine = engine();
    let events = open(&engine, folder.path());
    let listed = events.iter().position(|e| matches!(e, Event::SeriesListed { series, .. } if series.len() == 1));
    let opened = events.iter().position(|e| matches!(e, Event::SeriesOpened { start: SliceIndex(3), .. }));
    let first = events.iter().position(|e| matches!(e, Event::SliceRead(_)));
    assert!(listed.unwrap() < opened.unwrap() && opened < first, "{events:?}");
    let read: BTreeSet<usize> =
        events.iter().filter_map(|e| if let Event::SliceRead(s) = e { Some(s.0) } else { None }).collect();
    assert_eq!(read, (0..7).collect(), "each slice is told of");
    let colored = colored(&engine, &events, 7);
    assert_eq!(colored.iter().copied().collect::<BTreeSet<_>>(), (0..7).collect(), "each slice gets its colour");
    let color = engine.color_slice(SliceIndex(3)).unwrap();
    assert_eq!((color.columns, color.rows), (SIDE, SIDE), "on the CT's own grid");
    assert!(color.rgb8.iter().any(|&v| v > 60), "and it is not black");
}

#[test]
fn the_slice_on_screen_is_coloured_before_the_rest() {
    let folder = series(40, &[]);
    let engine = engine();
    let events = open(&engine, folder.path());
    engine.send(Command::ShowSlice { slice: SliceIndex(2), travel: Travel::Backward });
    // Edges for colour void what has been made already, so that the order begins anew.
    let fat = HuRange { low_hu: -150.0, high_hu: -50.0 };
    engine.send(Command::UseEdgesForColor(Some(EdgeRanges { fat, ..EdgeRanges::default() })));
    let mut order = Vec::new();
    let _seen = events;
    while order.len() < 6 {
        match engine.next_event(PATIENCE).unwrap() {
            Event::ColorsDropped => order.clear(),
            Event::ColorReady { slice, .. } => order.push(slice.0),
            _ => {}
        }
    }
    let start = order.iter().position(|&slice| slice == 2).unwrap();
    assert!(start <= 1, "at most the slice in work comes before it: {order:?}");
    assert_eq!(order[start..start + 4], [2, 1, 0, 3], "then the direction of travel");
}

#[test]
fn a_path_that_cannot_be_opened_leaves_what_is_open() {
    let folder = series(3, &[]);
    let empty = tempfile::tempdir().unwrap();
    let engine = engine();
    let events = open(&engine, folder.path());
    colored(&engine, &events, 3);
    engine.send(Command::Open(LoadSource::Path(empty.path().to_owned())));
    let events = events_until(&engine, |event| matches!(event, Event::LoadingFailed(_)));
    let Some(Event::LoadingFailed(error)) = events.last() else { panic!("{events:?}") };
    assert!(error.message.starts_with("folder is empty"), "{error:?}");
    assert!(engine.color_slice(SliceIndex(1)).is_some(), "the colours are still there");
    engine.send(Command::SelectSeries(99));
    events_until(&engine, |event| matches!(event, Event::LoadingFailed(_)));
    assert!(engine.color_slice(SliceIndex(1)).is_some(), "a series that is not there changes nothing either");
}

#[test]
fn weights_that_cannot_be_used_leave_the_old_ones_in_use() {
    let folder = series(2, &[]);
    let broken = folder.path().join("broken.safetensors");
    let engine = engine();
    let events = open(&engine, folder.path());
    colored(&engine, &events, 2);
    std::fs::write(&broken, "no weights").unwrap();
    engine.send(Command::UseWeights(WeightsSource::File(broken)));
    let events = events_until(&engine, |event| matches!(event, Event::GeneratorFailed(_)));
    assert!(!events.iter().any(|event| matches!(event, Event::ColorsDropped)), "{events:?}");
    assert!(engine.color_slice(SliceIndex(0)).is_some(), "its colours stay");
}

#[test]
fn a_training_colours_the_open_series_until_other_weights_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    pairs::write_pairs(folder.path());
    let config = TrainConfig { max_steps: 1000, measure_every: 1, name: "in training".to_owned(), ..pairs::tiny() };
    let engine = engine();
    engine.send(Command::StartTraining(Box::new(TrainingRequest {
        pairs: folder.path().join("pairs.csv"),
        folder: folder.path().join("run"),
        config,
        start: TrainingStart::Nothing,
        device: DeviceChoice::Cpu,
    })));
    let is_measured = |event: &Event| matches!(event, Event::Training(TrainingEvent::Measured(_)));
    let uses = |event: &Event, name: &str| matches!(event, Event::GeneratorReady { card, .. } if card.name == name);
    events_until(&engine, is_measured);
    engine.send(Command::ControlTraining(TrainingControl::Apply));
    events_until(&engine, |event| uses(event, "in training"));
    engine.send(Command::UseWeights(WeightsSource::Bundled));
    events_until(&engine, |event| uses(event, "ct2rgb laptop"));
    for _ in 0..3 {
        let events = events_until(&engine, is_measured);
        assert!(!events.iter().any(|event| uses(event, "in training")), "a measurement undoes the choice");
    }
}

#[test]
fn a_slice_of_air_has_no_colour_and_says_why() {
    let folder = series(3, &[1]);
    let engine = engine();
    engine.send(Command::Open(LoadSource::Path(folder.path().to_owned())));
    let events = events_until(&engine, |event| matches!(event, Event::ColorFailed { .. }));
    let Some(Event::ColorFailed { slice, reason: ColorFailure::Slice(reason) }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((slice.0, reason.as_str()), (1, "no body found in this slice"), "the slice and the reason");
}

#[test]
fn an_export_is_marked_complete_and_not_made_twice() {
    let folder = series(4, &[2]);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("pictures");
    let engine = engine();
    open(&engine, folder.path());
    let all = || request(&target, (0, 3), ExportFormat::Png);
    assert_eq!(export(&engine, all()).unwrap(), (4, 0, vec![]), "every slice, the one without a body in black");
    let names: BTreeSet<String> = (1..=4).map(|n| format!("slice_{n:04}.png")).collect();
    assert_eq!(names_in(&target), names, "nothing else");
    let stamp = read_stamp(&target.join("slice_0001.png")).unwrap();
    assert_eq!(stamp.weights_sha256.len(), 64, "which weights made it");
    assert_eq!(export(&engine, all()).unwrap(), (0, 4, vec![]), "a second time nothing is made");
    let finished = std::fs::read(target.join("slice_0001.png")).unwrap();
    let error = export(&engine, request(&target, (0, 3), ExportFormat::PngPanes)).unwrap_err();
    assert!(error.message.contains("shows something else"), "{error:?}");
    assert_eq!(std::fs::read(target.join("slice_0001.png")).unwrap(), finished, "other pictures of ours stay too");
    std::fs::write(target.join("slice_0003.png"), "mine").unwrap();
    let error = export(&engine, all()).unwrap_err();
    assert!(error.message.contains("shows something else"), "{error:?}");
    assert_eq!(std::fs::read(target.join("slice_0003.png")).unwrap(), b"mine", "somebody else's file stays");
    let again = ExportRequest { is_overwriting: true, ..all() };
    assert_eq!(export(&engine, again).unwrap(), (4, 0, vec![]), "unless it may be overwritten");
}

#[test]
fn panes_and_volumes_are_written_too() {
    let folder = series(3, &[]);
    let out = tempfile::tempdir().unwrap();
    let engine = engine();
    open(&engine, folder.path());
    assert_eq!(export(&engine, request(out.path(), (1, 2), ExportFormat::PngPanes)).unwrap(), (2, 0, vec![]), "panes");
    let picture = image::open(out.path().join("slice_0002.png")).unwrap();
    assert!(picture.width() > 2 * picture.height(), "three panes side by side");
    let volume = || request(out.path(), (0, 2), ExportFormat::Nifti);
    assert_eq!(export(&engine, volume()).unwrap(), (3, 0, vec![]), "a volume");
    assert!(nifti_rgb::read_stamp(&out.path().join("ct2rgb_color.nii.gz")).is_some(), "with its stamp");
    assert_eq!(export(&engine, volume()).unwrap(), (0, 3, vec![]), "once");
}

#[test]
fn an_export_that_makes_no_sense_is_refused_before_any_work() {
    let folder = series(2, &[]);
    let out = tempfile::tempdir().unwrap();
    let engine = engine();
    let early = export(&engine, request(out.path(), (0, 0), ExportFormat::Png)).unwrap_err();
    assert!(early.message.contains("open a series first"), "{early:?}");
    open(&engine, folder.path());
    let beyond = export(&engine, request(out.path(), (0, 9), ExportFormat::Png)).unwrap_err();
    assert!(beyond.message.contains("between 1 and 2"), "{beyond:?}");
    let before = names_in(folder.path());
    let among = export(&engine, request(folder.path(), (0, 1), ExportFormat::Png)).unwrap_err();
    assert!(among.message.contains("holds the CT itself"), "{among:?}");
    assert_eq!(names_in(folder.path()), before, "no file among the originals");
    let file = out.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let no_folder = export(&engine, request(&file, (0, 1), ExportFormat::Png)).unwrap_err();
    assert!(no_folder.message.contains("no such folder"), "{no_folder:?}");
}

#[test]
fn an_export_can_be_cancelled_and_taken_up_again() {
    let folder = series(60, &[]);
    let out = tempfile::tempdir().unwrap();
    let engine = engine();
    open(&engine, folder.path());
    engine.send(Command::Export(request(out.path(), (0, 59), ExportFormat::Png)));
    events_until(&engine, |event| matches!(event, Event::ExportProgress { done, .. } if *done >= 3));
    engine.send(Command::CancelExport);
    let events = events_until(&engine, |e| matches!(e, Event::ExportCancelled | Event::ExportFinished { .. }));
    assert!(matches!(events.last(), Some(Event::ExportCancelled)), "{:?}", events.last());
    let finished = names_in(out.path()).len();
    assert!((3..60).contains(&finished), "finished slices stay: {finished}");
    let (written, skipped, failed) = export(&engine, request(out.path(), (0, 59), ExportFormat::Png)).unwrap();
    assert_eq!((written + skipped, failed.len()), (60, 0), "the rest is made");
    assert!(skipped >= 3, "and what was there is not: {skipped}");
}

#[test]
fn a_closed_engine_leaves_no_thread_behind() {
    let folder = series(60, &[]);
    let out = tempfile::tempdir().unwrap();
    let engine = engine();
    engine.send(Command::Open(LoadSource::Path(folder.path().to_owned())));
    engine.send(Command::Export(request(out.path(), (0, 59), ExportFormat::Png)));
    let weak = Arc::new(());
    let held = Arc::clone(&weak);
    drop(engine);
    drop(held);
    assert_eq!(Arc::strong_count(&weak), 1, "dropping came to an end");
    assert!(names_in(out.path()).iter().all(|name| !name.contains(".part")), "no half file is left");
}
