//! Who the patient is stays hidden until asked for, and never gets on the wall.

use ct2rgb::engine::LoadSource;
use ct2rgb::ui::Settings;
use eframe::egui::{Key, Modifiers, Vec2};

use super::case::{Case, PATIENT_NAME};

#[test]
fn identity_is_shown_only_when_asked_for_and_never_while_presenting() {
    let mut case = Case::open();
    assert!(!case.has(PATIENT_NAME), "hidden at first");
    case.press(Key::I);
    assert!(case.has(PATIENT_NAME), "asked for");
    case.press(Key::P);
    assert!(!case.has(PATIENT_NAME), "not on the wall");
    case.press(Key::I);
    assert!(!case.has(PATIENT_NAME), "not even when asked for");
    case.press(Key::Escape);
    assert!(!case.has(PATIENT_NAME), "and not back by itself");
}

#[test]
fn another_series_hides_the_identity_again() {
    let mut case = Case::open();
    case.press(Key::I);
    case.state().open_source(LoadSource::Path("another".into()));
    case.open_phantom();
    assert!(!case.has(PATIENT_NAME), "it was asked for on the other one");
}

#[test]
fn no_typed_or_remembered_path_is_on_screen_while_presenting() {
    let settings = Settings { remembers_recent: true, recent: vec!["secret-name".into()], ..Settings::default() };
    let mut case = Case::drawn(settings, Vec2::new(1280.0, 720.0));
    case.open_phantom();
    case.press(Key::P);
    assert!(!case.has("secret-name") && !case.has("Open ⏷"), "bars and menus are away");
    case.press_with(Modifiers::COMMAND, Key::K);
    assert!(!case.has("secret-name"));
}
