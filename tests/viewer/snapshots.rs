//! Pictures of the window, drawn by Mesa's lavapipe. After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test --release
//! --test viewer`, and look at them.

use ct2rgb::engine::{ColorFailure, Event, UserError};
use ct2rgb::ui::{Settings, ThemeChoice};
use ct2rgb::units::SliceIndex;
use eframe::egui::{Key, Vec2};

use super::case::Case;
use super::training::{open_panel, run_to};

const SMALL: Vec2 = Vec2::new(1000.0, 480.0);

fn window(theme: ThemeChoice, size: Vec2) -> Case {
    Case::drawn(Settings { theme, ..Settings::default() }, size)
}

fn picture(mut case: Case, name: &str) {
    case.settle();
    case.harness.snapshot(name);
}

#[test]
fn an_empty_window() {
    picture(window(ThemeChoice::Dark, SMALL), "empty_dark");
}

fn open_series(theme: ThemeChoice, name: &str) {
    let mut case = window(theme, SMALL);
    case.open_phantom();
    case.press(Key::C);
    picture(case, name);
}

#[test]
fn an_open_series_in_the_dark() {
    open_series(ThemeChoice::Dark, "open_dark");
}

#[test]
fn an_open_series_in_a_bright_room() {
    open_series(ThemeChoice::Light, "open_light");
}

#[test]
fn presenting_shows_big_letters_and_nothing_else() {
    let mut case = window(ThemeChoice::Dark, Vec2::new(1024.0, 480.0));
    case.open_phantom();
    case.press(Key::P);
    picture(case, "presenting_dark");
}

fn training_run(theme: ThemeChoice, name: &str) {
    let mut case = window(theme, Vec2::new(1000.0, 960.0));
    case.open_phantom();
    open_panel(&mut case);
    run_to(&mut case, 200);
    picture(case, name);
}

#[test]
fn a_training_run_in_the_dark() {
    training_run(ThemeChoice::Dark, "training_dark");
}

#[test]
fn a_training_run_in_a_bright_room() {
    training_run(ThemeChoice::Light, "training_light");
}

#[test]
fn what_failed_is_said_where_it_happened() {
    let mut case = window(ThemeChoice::Dark, SMALL);
    case.open_phantom();
    let message = "nothing to read here; choose a folder that holds a CT series".to_owned();
    case.apply(Event::LoadingFailed(UserError { message, details: vec!["no such folder".to_owned()] }));
    case.press(Key::Home);
    let reason = ColorFailure::Slice("no body found in this slice".to_owned());
    case.apply(Event::ColorFailed { slice: SliceIndex(0), reason });
    picture(case, "failed_dark");
}
