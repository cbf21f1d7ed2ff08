//! A training run from the pairs table to the weights: what it leaves, how it stops and goes on, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test may end where a step fails")]

mod pairs;

use std::path::Path;
use std::sync::Mutex;

use ct2rgb::engine::training_run::{TrainingHooks, TrainingOutcome, run};
use ct2rgb::engine::{TrainingControl, TrainingEvent, TrainingRequest, TrainingStart};
use ct2rgb::model::{DeviceChoice, GeneratorWeights, WeightsSource};
use ct2rgb::training::{
    Dataset, GelatinRule, PairTable, Pick, TrainConfig, TrainingError, Variation, checkpoint, read_pair_slices,
};
use ct2rgb::units::CancelFlag;
use pairs::{tiny, write_pairs};

/// What a run told, and how it ended.
struct Told {
    events: Vec<TrainingEvent>,
    applied: usize,
    outcome: Result<TrainingOutcome, TrainingError>,
}

fn request(folder: &Path, config: TrainConfig, start: TrainingStart) -> TrainingRequest {
    let (pairs, folder) = (folder.join("pairs.csv"), folder.join("run"));
    TrainingRequest { pairs, folder, config, start, device: DeviceChoice::Cpu }
}

/// Runs; `control` is asked before each step with what was told so far, `on_event` is called with each event.
fn run_with(
    request: &TrainingRequest,
    control: &(dyn Fn(&[TrainingEvent]) -> Option<TrainingControl> + Sync),
    on_event: &(dyn Fn(&TrainingEvent) + Sync),
) -> Told {
    let (events, applied) = (Mutex::new(Vec::new()), Mutex::new(0));
    let hooks = TrainingHooks {
        next_control: &|| control(&events.lock().unwrap()),
        on_event: &|event| {
            on_event(&event);
            events.lock().unwrap().push(event);
        },
        on_weights: &|_| *applied.lock().unwrap() += 1,
        cancel: &CancelFlag::new(),
        spares_a_core: true,
    };
    let outcome = run(request, &hooks);
    Told { events: events.into_inner().unwrap(), applied: applied.into_inner().unwrap(), outcome }
}

fn run_through(request: &TrainingRequest) -> Told {
    run_with(request, &|_| None, &|_| {})
}

fn steps_done(events: &[TrainingEvent]) -> usize {
    events.iter().filter(|event| matches!(event, TrainingEvent::StepDone { .. })).count()
}

/// The chain of an error in one line.
fn words(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The log without the seconds, which differ from run to run.
fn losses(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("run/log.csv")).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

fn checkpoint_bytes(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("run/checkpoint.safetensors")).unwrap()
}

#[test]
fn a_run_leaves_weights_figures_and_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let request = request(folder.path(), tiny(), TrainingStart::Nothing);
    let told = run_through(&request);
    let outcome = told.outcome.unwrap();
    assert!(outcome.is_complete && outcome.step == 4, "{outcome:?}");
    assert_eq!(steps_done(&told.events), 4, "every step is told");
    assert_eq!(losses(folder.path()).len(), 5, "a header and four steps");
    let measured = std::fs::read_to_string(folder.path().join("run/measurements.csv")).unwrap();
    let steps: Vec<_> = measured.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(steps, ["0", "2", "4"], "at the start and every second step");
    let weights = GeneratorWeights::read(&WeightsSource::File(outcome.weights)).unwrap();
    assert_eq!((weights.card.steps, weights.card.batch), (Some(4), Some(1)), "its card");
    assert!(weights.card.metrics["ssim"] > 0.0 && weights.card.data.contains("phantom 4"), "{:?}", weights.card);
    assert!(folder.path().join("run/best.safetensors").exists(), "the best one");

    let again = words(&run_through(&request).outcome.unwrap_err());
    assert!(again.contains("holds a run already"), "a new run never overwrites one: {again}");
    for (left, next) in [("checkpoint", "generator"), ("generator", "best"), ("best", "log.csv")] {
        std::fs::remove_file(folder.path().join(format!("run/{left}.safetensors"))).unwrap();
        let again = words(&run_through(&request).outcome.unwrap_err());
        assert!(again.contains("holds a run already") && again.contains(next), "nor what is left of one: {again}");
    }
}

#[test]
fn a_run_that_is_stopped_while_pictures_are_read_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let cancel = CancelFlag::new();
    let hooks = TrainingHooks {
        next_control: &|| None,
        on_event: &|_| cancel.cancel(),
        on_weights: &|_| {},
        cancel: &cancel,
        spares_a_core: true,
    };
    let outcome = run(&request(folder.path(), tiny(), TrainingStart::Nothing), &hooks);
    assert!(matches!(outcome, Err(TrainingError::Cancelled)), "{outcome:?}");
    let told = run_through(&request(folder.path(), tiny(), TrainingStart::Nothing));
    assert!(told.outcome.unwrap().is_complete, "and the folder is free for a run");
}

#[test]
fn a_stopped_run_that_goes_on_equals_an_uninterrupted_one() {
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for folder in [&whole, &parts] {
        write_pairs(folder.path());
    }
    run_through(&request(whole.path(), tiny(), TrainingStart::Nothing)).outcome.unwrap();
    let stop = |events: &[TrainingEvent]| (steps_done(events) == 3).then_some(TrainingControl::Stop);
    let stopped = run_with(&request(parts.path(), tiny(), TrainingStart::Nothing), &stop, &|_| {});
    let outcome = stopped.outcome.unwrap();
    assert!(!outcome.is_complete && outcome.step == 3, "{outcome:?}");
    // The settings in the file count: those of the request are another network's.
    let other = TrainConfig { max_steps: 0, ..TrainConfig::default() };
    run_through(&request(parts.path(), other, TrainingStart::CheckpointAsSaved)).outcome.unwrap();
    assert_eq!(losses(parts.path()), losses(whole.path()), "the same losses");
    assert!(checkpoint_bytes(parts.path()) == checkpoint_bytes(whole.path()), "the same state, to the last bit");
}

#[test]
fn a_run_holds_rolls_back_and_lends_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let script = Mutex::new(vec![
        TrainingControl::Resume,
        TrainingControl::RollBack,
        TrainingControl::Resume,
        TrainingControl::Pause,
        TrainingControl::Apply,
    ]);
    // After the third step: lend, hold, go on; after the fourth: go back and hold, go on.
    let control = |events: &[TrainingEvent]| (steps_done(events) >= 3).then(|| script.lock().unwrap().pop()).flatten();
    let config = TrainConfig { max_steps: 5, measure_every: 100, ..tiny() };
    let told = run_with(&request(folder.path(), config, TrainingStart::Nothing), &control, &|_| {});
    assert!(told.outcome.unwrap().is_complete, "it reached the end");
    let steps = told.events.iter().filter_map(|event| match event {
        TrainingEvent::Paused { step } => Some(("paused", *step)),
        TrainingEvent::RolledBack { step } => Some(("back", *step)),
        TrainingEvent::Resumed => Some(("on", 0)),
        _ => None,
    });
    // Pausing saves, so the way back leads to the third step.
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [("paused", 3), ("on", 0), ("back", 3), ("paused", 3), ("on", 0)],
        "in order"
    );
    assert_eq!(told.applied, 2, "when asked, and at the last measurement");
    assert_eq!(losses(folder.path()).len(), 6, "a header, and every step once");
}

#[test]
fn a_full_disk_is_told_and_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let checkpoint = folder.path().join("run/checkpoint.safetensors");
    // A folder in the file's place cannot be overwritten, by no user.
    let on_event = |event: &TrainingEvent| {
        if let TrainingEvent::StepDone { report, .. } = event {
            if report.step == 1 {
                std::fs::remove_file(&checkpoint).unwrap();
                std::fs::create_dir_all(checkpoint.join("full")).unwrap();
            } else if report.step == 3 {
                std::fs::remove_dir_all(&checkpoint).unwrap();
            }
        }
    };
    let config = TrainConfig { checkpoint_every: 2, ..tiny() };
    let told = run_with(&request(folder.path(), config, TrainingStart::Nothing), &|_| None, &on_event);
    let failures = told.events.iter().filter(|event| matches!(event, TrainingEvent::CheckpointFailed(_))).count();
    assert_eq!(failures, 1, "told once");
    assert!(told.outcome.unwrap().is_complete && checkpoint.is_file(), "and the next one is whole");
}

#[test]
fn a_diverging_run_stops_at_its_step_and_keeps_the_last_good_state() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let config = TrainConfig { lambda_rec: 1e300, ..tiny() };
    let told = run_through(&request(folder.path(), config.clone(), TrainingStart::Nothing));
    let error = words(&told.outcome.unwrap_err());
    assert!(error.contains("stopped at step 2"), "{error}");
    let saved = checkpoint::saved_config(&folder.path().join("run/checkpoint.safetensors")).unwrap();
    assert_eq!(saved, config, "the checkpoint can be read");
}

#[test]
fn two_runs_never_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let request = request(folder.path(), TrainConfig { max_steps: 1, ..tiny() }, TrainingStart::Nothing);
    let second = Mutex::new(None);
    let start_second = |event: &TrainingEvent| {
        if matches!(event, TrainingEvent::Started { .. }) {
            *second.lock().unwrap() = Some(run_through(&request).outcome);
        }
    };
    run_with(&request, &|_| None, &start_second).outcome.unwrap();
    let error = words(&second.into_inner().unwrap().unwrap().unwrap_err());
    assert!(error.contains("another run is writing"), "{error}");
}

/// The error of a run that must not start.
fn refused(folder: &Path, config: TrainConfig, start: TrainingStart) -> String {
    let told = run_through(&request(folder, config, start));
    let has_started = told.events.iter().any(|event| matches!(event, TrainingEvent::Started { .. }));
    assert!(!has_started, "nothing starts before everything is checked");
    words(&told.outcome.unwrap_err())
}

#[test]
fn bad_pictures_are_refused_by_row_and_field() {
    for (spoil, expected) in pairs::SPOILT {
        let folder = tempfile::tempdir().unwrap();
        write_pairs(folder.path());
        spoil(folder.path());
        let error = refused(folder.path(), tiny(), TrainingStart::Nothing);
        for part in ["line 3", expected] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn bad_settings_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let wrong = folder.path().join("resnet.safetensors");
    std::fs::write(&wrong, pairs::safetensors("conv1.weight", &[64, 3, 3, 3])).unwrap();
    let resnet = TrainConfig {
        perceptual: ct2rgb::training::Perceptual::Resnet50,
        perceptual_weights: Some(wrong.clone()),
        ..tiny()
    };
    for (config, expected) in [
        (TrainConfig { held_out_split: "nobody".to_owned(), ..tiny() }, "\"nobody\""),
        (TrainConfig { sets: vec!["legs".to_owned()], ..tiny() }, "\"legs\""),
        (TrainConfig { guard_mm: 1e4, ..tiny() }, "no training slice is left"),
        (TrainConfig { learning_rate: 5.0, ..tiny() }, "learning_rate"),
        (resnet, "conv1.weight"),
    ] {
        let error = refused(folder.path(), config, TrainingStart::Nothing);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let bundled = || TrainingStart::Weights(WeightsSource::Bundled);
    let error = refused(folder.path(), tiny(), bundled());
    assert!(error.contains("base_channels"), "weights of another width: {error}");
    for start in [TrainingStart::Checkpoint, TrainingStart::CheckpointAsSaved] {
        let error = refused(folder.path(), tiny(), start);
        assert!(error.contains("no checkpoint"), "nothing to go on from: {error}");
    }
}

#[test]
fn a_run_does_not_go_on_over_other_slices() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let config = TrainConfig { max_steps: 1, ..tiny() };
    run_through(&request(folder.path(), config.clone(), TrainingStart::Nothing)).outcome.unwrap();
    let path = folder.path().join("pairs.csv");
    let table = std::fs::read_to_string(&path).unwrap();
    // The held-out slice changes places with the first: as many to train on as before.
    let swapped = table.replace("phantom,0,train", "phantom,0,val").replace("phantom,40,val", "phantom,40,train");
    assert_ne!(swapped, table, "two rows changed");
    std::fs::write(&path, swapped).unwrap();
    let error = refused(folder.path(), config, TrainingStart::Checkpoint);
    assert!(error.contains("other slices"), "{error}");
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    run_through(&request(folder.path(), TrainConfig { max_steps: 1, ..tiny() }, TrainingStart::Nothing))
        .outcome
        .unwrap();
    let error = refused(folder.path(), TrainConfig { beta1: 0.9, ..tiny() }, TrainingStart::Checkpoint);
    assert!(error.contains("beta1"), "{error}");
    std::fs::write(folder.path().join("run/checkpoint.safetensors"), b"half a file").unwrap();
    let error = refused(folder.path(), tiny(), TrainingStart::Checkpoint);
    assert!(error.contains("checkpoint"), "a damaged file: {error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    std::fs::write(folder.path().join("run"), b"a file in the way").unwrap();
    let error = refused(folder.path(), tiny(), TrainingStart::Nothing);
    assert!(error.contains("run"), "{error}");
}

#[test]
fn an_unvaried_training_slice_is_what_measuring_sees() {
    let folder = tempfile::tempdir().unwrap();
    write_pairs(folder.path());
    let rows = PairTable::read(&folder.path().join("pairs.csv"), tiny().split_rule()).unwrap().split("train").unwrap();
    let (recipe, cancel) = (tiny().recipe(), CancelFlag::new());
    let dataset = Dataset::read(&rows, &recipe, GelatinRule::Measured, &|_| {}, &cancel).unwrap();
    let measured = read_pair_slices(&rows, &recipe, &|_| {}, &cancel).unwrap();
    for (index, slice) in measured.iter().enumerate() {
        let batch = dataset.batch(&[Pick { index, variation: Variation::NONE }]);
        assert_eq!(batch.rgb_real, slice.truth.to_signed_unit(), "the target of slice {index}");
        let furthest = batch.ct.iter().zip(&slice.prepared.channels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // The edges' channel multiplies the rounding of f32 sums by up to 40.
        assert!(furthest < 1e-3, "the channels of slice {index} differ by {furthest}");
    }
    let turned = Variation { angle_degrees: 8.0, scale: 1.1, ..Variation::NONE };
    let batch = dataset.batch(&[Pick { index: 0, variation: turned }]);
    let body = |mask: &[f32]| mask.iter().sum::<f32>();
    let plain = dataset.batch(&[Pick { index: 0, variation: Variation::NONE }]);
    let growth = body(&batch.mask) / body(&plain.mask);
    assert!((growth - 1.21).abs() < 0.05, "a tenth longer is a fifth larger: {growth}");
}
