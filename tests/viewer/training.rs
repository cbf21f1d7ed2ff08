//! The hidden training panel: it asks the engine, and shows what it tells.

use std::sync::Arc;

use ct2rgb::engine::{
    Command, Event, HeldOutMetrics, TrainingControl, TrainingEvent, TrainingPreview, TrainingStart, UserError,
};
use ct2rgb::training::{Preset, RgbPicture, StepReport, TrainConfig};
use eframe::egui::{Key, Modifiers, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::kittest::Queryable as _;

use super::case::Case;

/// The panel is open on an open series.
pub fn panel() -> Case {
    let mut case = Case::open();
    open_panel(&mut case);
    case
}

pub fn open_panel(case: &mut Case) {
    case.press_with(Modifiers::COMMAND | Modifiers::SHIFT, Key::T);
}

/// A run has gone so many steps.
pub fn run_to(case: &mut Case, steps: u64) {
    case.type_into("Pairs", "pairs.csv");
    case.type_into("Run folder", "run");
    case.click_and_go_on("Start training");
    case.wishes();
    for event in events_to(steps) {
        case.apply(Event::Training(event));
    }
    case.settle();
}

fn events_to(steps: u64) -> Vec<TrainingEvent> {
    let mut events = vec![
        TrainingEvent::Preparing { done: 90, total: 90 },
        TrainingEvent::Started {
            training_slices: 80,
            held_out_slices: 10,
            step: 0,
            total_steps: 4000,
            device_name: "CPU".to_owned(),
        },
    ];
    for step in 1..=steps {
        let fall = (-(step as f32) / 60.0).exp();
        let report = StepReport {
            step,
            learning_rate: 2e-4,
            loss_d_real: 0.2,
            loss_d_fake: 0.25,
            loss_g_adversarial: 0.5 - 0.2 * fall,
            loss_g_rec: 0.1 + 0.3 * fall,
            loss_g_perc: 0.2 + 0.4 * fall,
            loss_g_part: 0.0,
        };
        events.push(TrainingEvent::StepDone { report, secs_per_step: 0.85, secs_left: 3360.0 });
        if step % 50 == 0 {
            let (epoch, far) = (step as f64 / 40.0, f64::from(fall));
            let metrics = HeldOutMetrics {
                step,
                epoch,
                rmse: 32.0 + 20.0 * far,
                ssim: 0.55 - 0.2 * far,
                lpips: 0.16 + 0.2 * far,
                lpips_vgg: None,
                lattice: Some(0.5 + 2.0 * far),
            };
            events.push(TrainingEvent::Measured(metrics));
            events.push(TrainingEvent::Preview(Box::new(preview(step))));
            events.push(TrainingEvent::CheckpointSaved { step });
        }
    }
    events
}

fn preview(step: u64) -> TrainingPreview {
    let disc = |rgb8: [u8; 3]| {
        let pixel = |index: usize| {
            let [x, y] = [index % 64, index / 64].map(|place| place as f32 - 31.5);
            if x.hypot(y) < 26.0 { rgb8 } else { [0; 3] }
        };
        Arc::new(RgbPicture::new(64, 64, (0..64 * 64).flat_map(pixel).collect()))
    };
    let red = 100 + step.min(100) as u8;
    TrainingPreview {
        slice: "head 42".to_owned(),
        ct: disc([150; 3]),
        before: disc([110, 100, 90]),
        now: disc([red, 60, 50]),
        truth: disc([160, 58, 48]),
    }
}

#[test]
fn the_panel_is_hidden_until_its_keys_or_its_menu_entry() {
    let mut case = Case::open();
    assert!(case.harness.query_by_label("Start training").is_none());
    case.click("Menu");
    case.click("Advanced");
    case.harness.get_by_label_contains("Training").click();
    case.settle();
    assert!(case.harness.query_by_label("Start training").is_some());
    open_panel(&mut case);
    assert!(case.harness.query_by_label("Start training").is_none(), "and away again");
}

#[test]
fn nothing_starts_before_pairs_and_folder_are_named() {
    let mut case = panel();
    assert!(case.has("Choose a pairs table first"));
    case.click("Start training");
    assert!(case.wishes().is_empty());
}

#[test]
fn the_panel_starts_a_run_with_what_was_filled_in() {
    let mut case = panel();
    case.type_into("Pairs", "/data/pairs.csv");
    case.type_into("Run folder", "/data/run");
    case.click("nothing: new weights");
    case.click_and_go_on("Start training");
    let wishes = case.wishes();
    let [Command::StartTraining(request)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(request.config, TrainConfig::preset(Preset::Laptop));
    assert_eq!((request.pairs.as_path(), &request.start), ("/data/pairs.csv".as_ref(), &TrainingStart::Nothing));
    assert!(case.has("Reading the pairs"), "and says so at once");
}

#[test]
fn a_run_that_is_taken_up_again_asks_for_no_settings_but_its_length() {
    let mut case = panel();
    assert!(case.has("Preset") && case.has("Learning rate"));
    case.click("the checkpoint in the run's folder");
    assert!(!case.has("Preset") && !case.has("Learning rate") && case.has("Steps at most"));
    case.type_into("Pairs", "/data/pairs.csv");
    case.type_into("Run folder", "/data/run");
    case.click_and_go_on("Start training");
    let wishes = case.wishes();
    let [Command::StartTraining(request)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!((request.start.clone(), request.config.max_steps), (TrainingStart::CheckpointAsSaved, 0));
}

#[test]
fn a_run_shows_steps_losses_measurements_and_pictures() {
    let mut case = panel();
    run_to(&mut case, 120);
    for words in [
        "850 ms per step · 56 min left · CPU · 80 slices, 10 held out",
        "Saved at step 100",
        "LPIPS",
        "Held-out slice head 42",
        "Before and now: Synthetic colour, for teaching only",
        "gave their body to science",
    ] {
        assert!(case.has(words), "{words}");
    }
    assert!(case.harness.query_by_label("Start training").is_none(), "one run at a time");
}

#[test]
fn buttons_control_the_run() {
    let mut case = panel();
    run_to(&mut case, 60);
    let control_of = |case: &mut Case, name: &str| {
        case.click(name);
        let wishes = case.wishes();
        let [Command::ControlTraining(control)] = wishes[..] else { panic!("{name}: {wishes:?}") };
        control
    };
    assert_eq!(control_of(&mut case, "Pause"), TrainingControl::Pause);
    case.apply(Event::Training(TrainingEvent::Paused { step: 60 }));
    case.settle();
    assert_eq!(control_of(&mut case, "Go on"), TrainingControl::Resume);
    assert_eq!(control_of(&mut case, "Save"), TrainingControl::Save);
    assert_eq!(control_of(&mut case, "Roll back"), TrainingControl::RollBack);
    assert_eq!(control_of(&mut case, "Use for the open series"), TrainingControl::Apply);
    assert_eq!(control_of(&mut case, "Use for the open series"), TrainingControl::StopApplying);
    assert_eq!(control_of(&mut case, "Stop"), TrainingControl::Stop);
}

#[test]
fn a_run_that_fails_says_why_in_the_panel_and_can_be_started_anew() {
    let mut case = panel();
    run_to(&mut case, 10);
    let error = UserError { message: "row 3: 7_ct.png is missing".to_owned(), details: Vec::new() };
    case.apply(Event::Training(TrainingEvent::Failed(error)));
    case.settle();
    assert!(case.has("row 3: 7_ct.png is missing"));
    assert!(case.harness.query_by_label("Start training").is_some());
}

fn ask_to_close(case: &mut Case) -> Vec<ViewportCommand> {
    let viewport = case.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
    viewport.events.push(ViewportEvent::Close);
    case.harness.step();
    case.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.clear();
    viewport_commands(case)
}

fn viewport_commands(case: &Case) -> Vec<ViewportCommand> {
    case.harness.output().viewport_output[&ViewportId::ROOT].commands.clone()
}

#[test]
fn closing_while_a_run_is_on_asks_first_and_closes_when_it_is_saved() {
    let mut case = panel();
    run_to(&mut case, 10);
    assert!(ask_to_close(&mut case).contains(&ViewportCommand::CancelClose));
    case.settle();
    case.click("Cancel");
    assert!(case.harness.query_by_label("Stop and save").is_none() && case.wishes().is_empty());
    ask_to_close(&mut case);
    case.settle();
    case.click_and_go_on("Stop and save");
    assert!(matches!(case.wishes()[..], [Command::ControlTraining(TrainingControl::Stop)]));
    let weights = "run/generator.safetensors".into();
    case.apply(Event::Training(TrainingEvent::Ended { step: 10, is_complete: false, weights }));
    case.harness.step();
    assert!(viewport_commands(&case).contains(&ViewportCommand::Close));
}

#[test]
fn closing_without_a_run_does_not_ask() {
    let mut case = panel();
    assert!(!ask_to_close(&mut case).contains(&ViewportCommand::CancelClose));
}
