//! What the training panel knows after what happened.

use std::sync::Arc;

use super::*;
use crate::training::{RgbPicture, StepReport};

fn draft() -> TrainingDraft {
    TrainingDraft { pairs: "pairs.csv".to_owned(), folder: "run".to_owned(), ..TrainingDraft::default() }
}

fn request(draft: &TrainingDraft) -> TrainingRequest {
    draft.request(&WeightsSource::Bundled, DeviceChoice::Cpu).unwrap()
}

fn started() -> TrainingState {
    let mut state = TrainingState { draft: draft(), ..TrainingState::default() };
    let request = request(&state.draft);
    let command = state.start(request);
    assert!(matches!(command, Command::StartTraining(_)));
    state.apply(TrainingEvent::Preparing { done: 3, total: 12 });
    assert_eq!(state.phase, RunPhase::Preparing { done: 3, total: 12 });
    state.apply(TrainingEvent::Started {
        training_slices: 10,
        held_out_slices: 2,
        step: 0,
        total_steps: 100,
        device_name: "CPU".to_owned(),
    });
    state
}

fn step(step: u64) -> TrainingEvent {
    let report = StepReport { step, loss_g_rec: 0.3, ..StepReport::default() };
    TrainingEvent::StepDone { report, secs_per_step: 0.5, secs_left: 50.0 }
}

fn measured(step: u64) -> TrainingEvent {
    TrainingEvent::Measured(HeldOutMetrics { step, rmse: 40.0, ..HeldOutMetrics::default() })
}

fn error(message: &str) -> UserError {
    UserError { message: message.to_owned(), details: Vec::new() }
}

#[test]
fn a_request_says_what_is_missing_before_anything_starts() {
    let ask = |draft: &TrainingDraft| draft.request(&WeightsSource::Bundled, DeviceChoice::Auto);
    assert!(ask(&TrainingDraft::default()).unwrap_err().contains("pairs"));
    assert!(ask(&TrainingDraft { folder: " ".to_owned(), ..draft() }).unwrap_err().contains("folder"));
    let mut wrong = draft();
    wrong.config.learning_rate = 0.0;
    assert!(ask(&wrong).unwrap_err().contains("learning_rate"), "names the setting");
}

#[test]
fn a_request_holds_what_was_filled_in() {
    let mut draft = draft();
    draft.use_preset(Preset::Supervised);
    draft.perceptual_weights = "\"resnet50.pth\"".to_owned();
    draft.sets = "head, ,abdomen".to_owned();
    draft.start = StartChoice::WeightsInUse;
    draft.pairs = " file:///pairs.csv ".to_owned();
    let weights = WeightsSource::File("mine.safetensors".into());
    let request = draft.request(&weights, DeviceChoice::Cpu).unwrap();
    let expected = TrainConfig {
        perceptual_weights: Some("resnet50.pth".into()),
        sets: vec!["head".to_owned(), "abdomen".to_owned()],
        ..TrainConfig::preset(Preset::Supervised)
    };
    assert_eq!((request.config, request.pairs), (expected, PathBuf::from("/pairs.csv")));
    assert_eq!(request.start, TrainingStart::Weights(weights));
}

#[test]
fn steps_and_measurements_are_kept_in_order() {
    let mut state = started();
    assert_eq!((state.phase.clone(), state.facts.slices), (RunPhase::Running, [10, 2]));
    for event in [step(1), step(2), measured(2), step(3), measured(2)] {
        state.apply(event);
    }
    assert_eq!((state.facts.step, state.facts.secs_per_step), (3, Some(0.5)));
    assert_eq!(state.losses.points().len(), 3);
    assert_eq!(state.metrics.iter().map(|metrics| metrics.step).collect::<Vec<_>>(), [2], "told twice, kept once");
}

#[test]
fn rolling_back_forgets_what_came_after_the_checkpoint_and_holds() {
    let mut state = started();
    (1..=9).for_each(|number| state.apply(step(number)));
    for event in [measured(4), TrainingEvent::CheckpointSaved { step: 5 }, measured(8)] {
        state.apply(event);
    }
    state.control(TrainingControl::RollBack);
    state.apply(TrainingEvent::RolledBack { step: 5 });
    assert_eq!((state.phase.clone(), state.facts.step), (RunPhase::Paused, 5));
    assert_eq!(state.losses.points().last().map(|point| point.step), Some(5));
    assert_eq!(state.metrics.len(), 1);
    state.apply(TrainingEvent::Resumed);
    assert_eq!(state.phase, RunPhase::Running);
}

#[test]
fn a_run_that_is_asked_to_stop_is_on_until_it_has_saved() {
    let mut state = started();
    state.control(TrainingControl::Stop);
    for event in [step(1), TrainingEvent::Paused { step: 1 }, TrainingEvent::Resumed] {
        state.apply(event);
        assert_eq!(state.phase, RunPhase::Stopping, "whatever else happens meanwhile");
    }
    assert!(state.is_on());
    state.apply(TrainingEvent::Ended { step: 1, is_complete: false, weights: "run/weights.safetensors".into() });
    assert!(!state.is_on() && matches!(state.phase, RunPhase::Ended { is_complete: false, .. }));
    assert_eq!(state.draft.start, StartChoice::Checkpoint, "the next start goes on with it");
}

#[test]
fn a_run_that_is_stopped_before_its_first_step_leaves_the_panel_as_it_was() {
    let mut state = started();
    state.phase = RunPhase::Preparing { done: 1, total: 12 };
    state.control(TrainingControl::Stop);
    state.apply(TrainingEvent::Preparing { done: 2, total: 12 });
    state.apply(TrainingEvent::Cancelled);
    assert_eq!(state.phase, RunPhase::Idle);
}

#[test]
fn a_run_that_is_taken_up_again_keeps_its_own_settings() {
    let mut draft = draft();
    draft.start = StartChoice::Checkpoint;
    draft.config.learning_rate = 0.0;
    let request = draft.request(&WeightsSource::Bundled, DeviceChoice::Auto).unwrap();
    assert_eq!(request.start, TrainingStart::CheckpointAsSaved, "what is filled in does not count");
}

#[test]
fn a_full_disk_is_told_and_training_goes_on() {
    let mut state = started();
    state.apply(TrainingEvent::CheckpointFailed(error("the disk is full")));
    state.apply(step(1));
    assert_eq!(
        (state.phase.clone(), state.saving.clone()),
        (RunPhase::Running, Saving::Failed(error("the disk is full")))
    );
    state.apply(TrainingEvent::CheckpointSaved { step: 2 });
    assert_eq!(state.saving, Saving::Saved(2));
}

#[test]
fn a_new_run_forgets_the_last_one_but_not_what_was_filled_in() {
    let mut state = started();
    let picture = Arc::new(RgbPicture::black(2, 2));
    let [ct, before, now, truth] = std::array::from_fn(|_| Arc::clone(&picture));
    state.apply(TrainingEvent::Preview(Box::new(TrainingPreview { slice: "a".to_owned(), ct, before, now, truth })));
    state.apply(step(1));
    state.control(TrainingControl::Apply);
    state.apply(TrainingEvent::Failed(error("loss is not a number at step 2")));
    assert!(!state.is_on());
    let request = request(&state.draft);
    state.start(request);
    assert!(state.preview.is_none() && state.losses.points().is_empty() && !state.is_applied);
    assert_eq!(state.draft.pairs, "pairs.csv");
}
