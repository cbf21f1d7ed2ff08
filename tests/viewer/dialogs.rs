//! Dialogs, palette, errors: they never block, and all have names.

use ct2rgb::engine::{Command, Event, ExportFormat, LoadSource, UserError};
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use super::case::Case;

fn error() -> UserError {
    let details = vec!["caused by: no such file".to_owned()];
    UserError { message: "nothing to read here; choose another folder".to_owned(), details }
}

#[test]
fn the_sheet_lists_the_keys_of_the_table() {
    let mut case = Case::open();
    case.press(Key::Questionmark);
    for words in ["Previous slice", "Home", "Ctrl+K", "Drag with the right button"] {
        assert!(case.has(words), "{words}");
    }
    case.press(Key::Escape);
    assert!(!case.has("Drag with the right button"));
}

#[test]
fn the_palette_finds_a_command_and_enter_runs_it() {
    let mut case = Case::open();
    case.press_with(Modifiers::COMMAND, Key::K);
    case.harness.get_by_label("Find a command").type_text("bone");
    case.settle();
    case.press(Key::Enter);
    assert_eq!(case.state().window.name.as_deref(), Some("Bone"));
    assert!(case.harness.query_by_label("Find a command").is_none(), "closed");
}

#[test]
fn letters_typed_into_a_field_run_no_command() {
    let mut case = Case::open();
    case.press_with(Modifiers::COMMAND, Key::L);
    case.harness.get_by_label_contains("A DICOM file, folder").type_text("/scans/ifg h");
    for key in [Key::I, Key::F, Key::G, Key::Space, Key::H] {
        case.press(key);
    }
    let screen = &case.state().screen;
    assert!(!screen.wants_identity && screen.full_pane.is_none() && screen.has_overlays);
    assert!(!case.state().cine.is_playing());
}

#[test]
fn a_typed_path_is_opened() {
    let mut case = Case::open();
    case.press_with(Modifiers::COMMAND, Key::L);
    case.harness.get_by_label_contains("A DICOM file, folder").type_text("\"/scans/head\"");
    case.settle();
    case.harness.key_press(Key::Enter);
    case.harness.run_steps(2);
    let wishes = case.wishes();
    let is_opened = |wish: &Command| matches!(wish, Command::Open(LoadSource::Path(path)) if path.ends_with("head"));
    assert!(wishes.iter().any(is_opened), "{wishes:?}");
    assert!(case.has("Cancel"), "the window goes on, and it can be stopped");
}

#[test]
fn an_error_stands_in_the_window_can_be_copied_and_put_away() {
    let mut case = Case::open();
    case.apply(Event::LoadingFailed(error()));
    case.settle();
    assert!(case.has("nothing to read here") && case.has("CT pane, slice 6"), "what was open stays");
    case.click("Details");
    assert!(case.has("no such file"));
    case.harness.get_by_label("Copy").click();
    case.harness.step();
    let copied = case.copied();
    case.harness.step();
    let copied = copied.or_else(|| case.copied()).unwrap_or_default();
    assert!(copied.contains("choose another folder") && copied.contains("no such file"), "{copied:?}");
    case.settle();
    case.click("Dismiss");
    assert!(!case.has("nothing to read here"));
}

#[test]
fn a_generator_that_cannot_run_says_so_on_the_colour_pane_and_grey_stays() {
    let mut case = Case::empty();
    case.apply(Event::GeneratorFailed(UserError {
        message: "the weights are cut short".to_owned(),
        details: Vec::new(),
    }));
    case.settle();
    assert!(case.has("the weights are cut short") && case.has("No colour"));
}

#[test]
fn an_export_asks_for_what_the_dialog_says() {
    let mut case = Case::open();
    case.press_with(Modifiers::COMMAND, Key::E);
    case.click("CT, edges and colour side by side, one PNG a slice");
    case.type_into("Folder", "out");
    case.click("Write pictures");
    let wishes = case.wishes();
    let [Command::Export(request)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!((request.format, request.slices.1.0), (ExportFormat::PngPanes, 11));
    case.apply(Event::ExportProgress { done: 3, total: 12 });
    case.harness.run_steps(2);
    case.harness.get_by_label("Stop").click();
    case.harness.run_steps(2);
    assert!(matches!(case.wishes()[..], [Command::CancelExport]));
    case.apply(Event::ExportFailed(error()));
    case.settle();
    assert!(case.has("nothing to read here"), "the error stands where it happened");
}

#[test]
fn every_control_of_every_dialog_and_drawer_has_a_name() {
    let mut case = Case::open();
    case.press(Key::L);
    case.press(Key::C);
    for (modifiers, key) in [
        (Modifiers::COMMAND, Key::L),
        (Modifiers::COMMAND, Key::E),
        (Modifiers::COMMAND, Key::K),
        (Modifiers::NONE, Key::F1),
        (Modifiers::COMMAND | Modifiers::SHIFT, Key::T),
    ] {
        // `settle` looks for controls without a name.
        case.press_with(modifiers, key);
        case.press(Key::Escape);
    }
    case.click("More settings");
    case.click("Menu");
    case.click("About ct2rgb");
    assert!(case.has("Not a medical device") && case.has("Phantom weights"));
}
