//! Slices, windows, panes: by key, wheel and drag.

use ct2rgb::engine::Command;
use ct2rgb::ui::PaneKind;
use eframe::egui::{
    self, Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, TouchPhase, Vec2,
};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::case::{Case, SLICES};

fn turn_wheel(case: &mut Case, at: Pos2, notches: f32, modifiers: Modifiers) {
    case.harness.hover_at(at);
    let (unit, delta) = (MouseWheelUnit::Line, Vec2::new(0.0, notches));
    let (phase, source) = (TouchPhase::Move, MouseWheelSource::Unknown);
    case.harness.event_modifiers(Event::MouseWheel { unit, delta, phase, source, modifiers }, modifiers);
    case.settle();
}

fn drag(case: &mut Case, [from, to]: [Pos2; 2], button: PointerButton) {
    let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
    case.harness.hover_at(from);
    case.harness.step();
    case.harness.event(press(from, true));
    case.harness.step();
    case.harness.hover_at(from.lerp(to, 0.5));
    case.harness.step();
    case.harness.hover_at(to);
    case.harness.step();
    case.harness.event(press(to, false));
    case.settle();
}

#[test]
fn an_empty_window_says_how_to_open_something() {
    let case = Case::empty();
    assert!(case.has("Nothing is open") && case.has("drop files or a folder here"));
    assert!(case.has("CT pane, empty"), "the panes are there and have names");
}

#[test]
fn a_series_opens_in_three_panes_with_its_name_number_and_position() {
    let case = Case::open();
    for pane in ["CT", "Edges", "Colour"] {
        case.harness.get_by_label_contains(&format!("{pane} pane, slice 6 of {SLICES}"));
    }
    assert!(case.has("Phantom, 12 slices, 5 mm") && case.has("6 / 12"));
    assert!(case.has("CPU · 42 ms per slice"), "device and speed");
    assert!(case.has("Synthetic colour, for teaching only"), "the mark is read aloud too");
}

#[test]
fn keys_go_from_slice_to_slice() {
    let mut case = Case::open();
    let steps = [
        (Key::ArrowDown, 7),
        (Key::ArrowUp, 6),
        (Key::PageDown, 12),
        (Key::PageUp, 2),
        (Key::End, 12),
        (Key::Home, 1),
        (Key::ArrowUp, 1),
    ];
    for (key, number) in steps {
        case.press(key);
        assert_eq!(case.slice_number(), number, "after {key:?}");
    }
    assert!(matches!(case.wishes()[..], [Command::ShowSlice { .. }]), "the newest slice is asked for, once");
}

#[test]
fn the_wheel_moves_one_slice_a_notch_and_ten_with_shift() {
    let mut case = Case::open();
    let middle = case.pane("Edges").center();
    turn_wheel(&mut case, middle, -1.0, Modifiers::NONE);
    assert_eq!(case.slice_number(), 7, "down is on");
    turn_wheel(&mut case, middle, 3.0, Modifiers::NONE);
    assert_eq!(case.slice_number(), 4);
    turn_wheel(&mut case, middle, -10.0 / 10.0, Modifiers::SHIFT);
    assert_eq!(case.slice_number(), 12, "no further than the last");
}

#[test]
fn dragging_on_the_strip_goes_to_the_slice_under_the_pointer() {
    let mut case = Case::open();
    let strip = case.harness.get_by_label("Slice").rect();
    let at = |share: f32| Pos2::new(egui::lerp(strip.x_range(), share), strip.center().y);
    drag(&mut case, [at(0.5), at(0.99)], PointerButton::Primary);
    assert_eq!(case.slice_number(), 12);
    drag(&mut case, [at(0.5), at(0.01)], PointerButton::Primary);
    assert_eq!(case.slice_number(), 1);
    drag(&mut case, [at(0.5), at(-3.0)], PointerButton::Primary);
    assert_eq!(case.slice_number(), 1, "beyond the end is the end");
}

#[test]
fn a_screen_reader_knows_the_strip_as_a_slider_and_can_move_it() {
    let mut case = Case::open();
    let node = case.harness.get_by_label("Slice");
    let value = |node: &egui_kittest::Node<'_>| node.accesskit_node().numeric_value().map(|value| value as usize);
    assert_eq!(value(&node), Some(6));
    node.increment_accesskit();
    case.settle();
    assert_eq!(case.slice_number(), 7);
}

#[test]
fn number_keys_choose_a_window_and_dragging_changes_it() {
    let mut case = Case::open();
    let named = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5].map(|key| {
        case.press(key);
        case.state().window.name.clone().unwrap_or_default()
    });
    assert_eq!(named, ["Brain", "Soft tissue", "Lung", "Bone", "Liver"]);
    case.click("Soft tissue");
    let before = case.state().window.window;
    let middle = case.pane("CT").center();
    drag(&mut case, [middle, middle + Vec2::new(60.0, 30.0)], PointerButton::Secondary);
    let after = case.state().window.window;
    assert!(after.width_hu() > before.width_hu(), "to the right is wider");
    assert!(after.center_hu() > before.center_hu(), "downwards is darker");
    case.press(Key::A);
    assert_eq!(case.state().window.name.as_deref(), Some("Auto"));
}

#[test]
fn w_and_a_drag_change_the_window_and_a_drag_alone_moves_the_picture() {
    let mut case = Case::open();
    let middle = case.pane("CT").center();
    let (window, view) = (case.state().window.window, case.state().screen.view);
    case.harness.key_down(Key::W);
    drag(&mut case, [middle, middle + Vec2::new(60.0, 0.0)], PointerButton::Primary);
    case.harness.key_up(Key::W);
    case.settle();
    assert!(case.state().window.window.width_hu() > window.width_hu());
    assert_eq!(case.state().screen.view, view, "the picture stayed");
    drag(&mut case, [middle, middle + Vec2::new(60.0, 0.0)], PointerButton::Primary);
    assert_ne!(case.state().screen.view, view, "the picture moved");
    case.press(Key::R);
    assert_eq!(case.state().screen.view, view, "and is back");
}

#[test]
fn one_click_enlarges_a_pane_and_one_key_brings_all_back() {
    let mut case = Case::open();
    case.click("Enlarge Colour pane");
    assert_eq!(case.state().screen.full_pane, Some(PaneKind::Color));
    assert!(!case.has("CT pane, slice"));
    case.click("Show all panes");
    assert!(case.has("CT pane, slice"));
    case.press(Key::F);
    assert_eq!(case.state().screen.full_pane, Some(PaneKind::Color), "the pane used last");
    case.press(Key::G);
    assert_eq!(case.state().screen.full_pane, None);
}

#[test]
fn the_value_under_the_pointer_is_told_in_words_in_all_panes() {
    let mut case = Case::open();
    let pane = case.pane("Edges");
    case.harness.hover_at(pane.center());
    case.harness.run_steps(2);
    let told = case.harness.query_all_by_label_contains("50 HU: soft tissue, blood").count();
    assert_eq!(told, 3);
    case.press(Key::H);
    assert!(!case.state().screen.has_overlays, "H hides what stands on the panes");
}

#[test]
fn the_film_runs_stops_and_stops_when_the_strip_is_used() {
    let mut case = Case::open();
    case.harness.key_press(Key::Space);
    case.harness.run_steps(6);
    assert!(case.state().cine.is_playing() && case.slice_number() != 6);
    let strip = case.harness.get_by_label("Slice").rect();
    drag(&mut case, [strip.center(), strip.left_center()], PointerButton::Primary);
    assert!(!case.state().cine.is_playing());
}

#[test]
fn colour_that_is_on_its_way_or_unlike_the_training_data_says_so() {
    let mut case = Case::open();
    case.press(Key::Home);
    assert!(case.has("Colour is on its way"), "the first slice has none yet");
    for _ in 0..7 {
        case.press(Key::ArrowDown);
    }
    assert!(case.has("Region not in the training data"));
}
