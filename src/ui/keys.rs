//! Which keys run which command. Keys never leak into text fields, and controls with focus keep their own keys.

use eframe::egui::{Context, EventFilter, Id, InputState, Key, KeyboardShortcut, Modifiers, Popup, Ui};

use super::commands::{COMMANDS, Direction, UiCommand};
use super::pane_uniforms::PaneKind;

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

/// Keys of each command; the first is the one that menus show.
const KEYS: [(UiCommand, &[KeyboardShortcut]); 45] = {
    use Direction::{Down, Left, Right, Up};
    use UiCommand as C;
    [
        (C::OpenFile, &[ctrl(Key::O)]),
        (C::OpenFolder, &[ctrl_shift(Key::O)]),
        (C::OpenPath, &[ctrl(Key::L)]),
        (C::Export, &[ctrl(Key::E)]),
        (C::Quit, &[ctrl(Key::Q)]),
        (C::Previous, &[key(Key::ArrowUp), key(Key::ArrowLeft)]),
        (C::Next, &[key(Key::ArrowDown), key(Key::ArrowRight)]),
        (C::TenBack, &[key(Key::PageUp)]),
        (C::TenOn, &[key(Key::PageDown)]),
        (C::First, &[key(Key::Home)]),
        (C::Last, &[key(Key::End)]),
        (C::Cine, &[key(Key::Space)]),
        (C::Preset(0), &[key(Key::Num1)]),
        (C::Preset(1), &[key(Key::Num2)]),
        (C::Preset(2), &[key(Key::Num3)]),
        (C::Preset(3), &[key(Key::Num4)]),
        (C::Preset(4), &[key(Key::Num5)]),
        (C::FileWindow, &[key(Key::Num6)]),
        (C::Preset(5), &[key(Key::Num7)]),
        (C::AutoWindow, &[key(Key::A)]),
        (C::ResetEdges, &[key(Key::E)]),
        (C::OnePane, &[key(Key::F)]),
        (C::Grid, &[key(Key::G)]),
        (C::ResetView, &[key(Key::R)]),
        (C::ZoomIn, &[key(Key::Plus), key(Key::Equals)]),
        (C::ZoomOut, &[key(Key::Minus)]),
        (C::Pan(Left), &[shift(Key::ArrowLeft)]),
        (C::Pan(Right), &[shift(Key::ArrowRight)]),
        (C::Pan(Up), &[shift(Key::ArrowUp)]),
        (C::Pan(Down), &[shift(Key::ArrowDown)]),
        (C::MoveCrosshair(Left), &[alt(Key::ArrowLeft)]),
        (C::MoveCrosshair(Right), &[alt(Key::ArrowRight)]),
        (C::MoveCrosshair(Up), &[alt(Key::ArrowUp)]),
        (C::MoveCrosshair(Down), &[alt(Key::ArrowDown)]),
        (C::Overlays, &[key(Key::H)]),
        (C::Identity, &[key(Key::I)]),
        (C::SeriesDrawer, &[key(Key::L)]),
        (C::ControlsDrawer, &[key(Key::C)]),
        (C::Present, &[key(Key::P), key(Key::F5)]),
        (C::FullScreen, &[key(Key::F11)]),
        (C::NextScale, &[key(Key::S)]),
        (C::Palette, &[ctrl(Key::K)]),
        (C::Keys, &[key(Key::Questionmark), key(Key::F1)]),
        (C::Training, &[ctrl_shift(Key::T)]),
        (C::StepBack, &[key(Key::Escape)]),
    ]
};

/// Keys of a command, the one that menus show first.
pub fn keys_of(command: UiCommand) -> &'static [KeyboardShortcut] {
    KEYS.iter().find(|(of, _)| *of == command).map_or(&[], |(_, keys)| keys)
}

/// The key that menus and tooltips show, as this system writes it.
pub fn key_text(ctx: &Context, command: UiCommand) -> Option<String> {
    keys_of(command).first().map(|key| shortcut_text(ctx, *key))
}

/// A key as it is printed on keyboards: `Ctrl+O`, `Shift+←`, `?`.
pub fn shortcut_text(ctx: &Context, key: KeyboardShortcut) -> String {
    let symbol = match key.logical_key {
        Key::ArrowUp => "↑",
        Key::ArrowDown => "↓",
        Key::ArrowLeft => "←",
        Key::ArrowRight => "→",
        Key::Questionmark => "?",
        Key::Plus => "+",
        Key::Equals => "=",
        Key::Minus => "−",
        other => other.name(),
    };
    let modifiers = ctx.format_modifiers(key.modifiers);
    if modifiers.is_empty() { symbol.to_owned() } else { format!("{modifiers}+{symbol}") }
}

/// Where a pane takes its focus.
pub fn pane_id(pane: PaneKind) -> Id {
    Id::unique(("pane", pane))
}

/// Where the scrubber takes its focus.
pub fn scrubber_id() -> Id {
    Id::unique("scrubber")
}

/// Arrows act on panes and scrubber, and do not move the focus away from them.
pub fn keep_arrows(ui: &Ui, id: Id) {
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
}

/// Commands whose keys were pressed since the last frame, each as often as its key. The keys are used up.
pub fn pressed(ctx: &Context) -> Vec<UiCommand> {
    let is_typing = ctx.text_edit_focused();
    let is_on_control = ctx
        .memory(eframe::egui::Memory::focused)
        .is_some_and(|focused| focused != scrubber_id() && PaneKind::ALL.iter().all(|&pane| focused != pane_id(pane)));
    let is_menu_open = Popup::is_any_open(ctx);
    let is_taken = |key: KeyboardShortcut| {
        (is_menu_open && key.logical_key == Key::Escape)
            || (is_typing && key.conflicts_with_text_editing())
            || (is_on_control && belongs_to_control(key))
    };
    ctx.input_mut(|input| {
        let mut commands = Vec::new();
        // Shift + ↑ before ↑: the plain key would take both.
        for has_modifiers in [true, false] {
            for (command, keys) in KEYS {
                let keys = keys.iter().copied().filter(|key| key.modifiers.any() == has_modifiers);
                for key in keys.filter(|&key| !is_taken(key)) {
                    commands.extend(std::iter::repeat_n(command, presses(input, key)));
                }
            }
        }
        commands
    })
}

fn presses(input: &mut InputState, key: KeyboardShortcut) -> usize {
    input.count_and_consume_key(key.modifiers, key.logical_key)
}

/// Keys that a focused button, slider or list uses itself.
fn belongs_to_control(key: KeyboardShortcut) -> bool {
    use Key::{ArrowDown, ArrowLeft, ArrowRight, ArrowUp, End, Enter, Home, PageDown, PageUp, Space};
    let own = [ArrowDown, ArrowLeft, ArrowRight, ArrowUp, End, Enter, Home, PageDown, PageUp, Space];
    !key.modifiers.command && own.contains(&key.logical_key)
}

/// Commands in the order of the table, with their keys: for the `?` sheet.
pub fn with_keys() -> impl Iterator<Item = (&'static super::commands::Entry, &'static [KeyboardShortcut])> {
    COMMANDS.iter().map(|entry| (entry, keys_of(entry.command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_runs_two_commands() {
        let all: Vec<_> = KEYS.iter().flat_map(|(_, keys)| keys.iter()).collect();
        for (index, key) in all.iter().enumerate() {
            assert!(!all[..index].contains(key), "{key:?} stands there twice");
        }
    }

    #[test]
    fn keys_belong_to_commands_of_the_table() {
        for (command, keys) in KEYS {
            assert!(COMMANDS.iter().any(|entry| entry.command == command), "{command:?}");
            assert!(!keys.is_empty(), "{command:?}");
        }
    }
}
