//! Find a command by a part of its name.

use eframe::egui::{self, Align2, Button, Key, Modifiers, ScrollArea, TextEdit, Ui};

use super::commands::{COMMANDS, Entry, UiCommand};
use super::keys;
use super::theme;

/// Of the list.
const WIDTH_POINTS: f32 = 380.0;

/// What is typed and which line is chosen.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    query: String,
    chosen: usize,
    was_open: bool,
}

impl Palette {
    /// Not on screen in this frame: starts anew next time.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

/// Commands whose name or help holds all words, those whose name starts with the first word before others.
pub fn matching(query: &str) -> Vec<&'static Entry> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let text = |entry: &Entry| format!("{} {}", entry.name, entry.help).to_lowercase();
    let mut found: Vec<&Entry> = COMMANDS
        .iter()
        .filter(|entry| entry.command != UiCommand::Palette && entry.command != UiCommand::StepBack)
        .filter(|entry| words.iter().all(|word| text(entry).contains(word)))
        .collect();
    if let Some(first) = words.first() {
        let rank = |entry: &Entry| {
            let name = entry.name.to_lowercase();
            if name.starts_with(first) { 0 } else { 1 + usize::from(!name.contains(first)) }
        };
        found.sort_by_key(|entry| rank(entry));
    }
    found
}

/// The palette. Returns the command to run.
pub fn palette_ui(ctx: &egui::Context, palette: &mut Palette) -> Option<UiCommand> {
    let window = egui::Window::new("Commands")
        .title_bar(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, egui::vec2(0.0, theme::TOP_BAR_POINTS + 24.0))
        .default_size(egui::vec2(WIDTH_POINTS, 320.0));
    window.show(ctx, |ui| palette_lines_ui(ui, palette)).and_then(|shown| shown.inner?)
}

fn palette_lines_ui(ui: &mut Ui, palette: &mut Palette) -> Option<UiCommand> {
    ui.set_width(WIDTH_POINTS);
    // Taken before the text field sees them.
    let (up, down, enter) = ui.input_mut(|input| {
        (
            input.count_and_consume_key(Modifiers::NONE, Key::ArrowUp),
            input.count_and_consume_key(Modifiers::NONE, Key::ArrowDown),
            input.consume_key(Modifiers::NONE, Key::Enter),
        )
    });
    let field = TextEdit::singleline(&mut palette.query).hint_text("Type a part of a command's name");
    let response = ui.add(field.desired_width(f32::INFINITY)).accessible_name("Find a command");
    if !palette.was_open {
        response.request_focus();
        palette.was_open = true;
    }
    if response.changed() {
        palette.chosen = 0;
    }
    let found = matching(&palette.query);
    palette.chosen = (palette.chosen + down).saturating_sub(up).min(found.len().saturating_sub(1));
    let mut command = None;
    ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
        for (index, entry) in found.iter().enumerate() {
            let is_chosen = index == palette.chosen;
            let mut button = Button::selectable(is_chosen, entry.name).min_size(egui::vec2(ui.available_width(), 0.0));
            if let Some(key) = keys::key_text(ui.ctx(), entry.command) {
                button = button.shortcut_text(key);
            }
            let response = ui.add(button).on_hover_text(entry.help);
            if is_chosen && (up + down) > 0 {
                response.scroll_to_me(None);
            }
            if response.clicked() || (is_chosen && enter) {
                command = Some(entry.command);
            }
        }
        if found.is_empty() {
            ui.label("No command has this name");
        }
    });
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_by_any_part_of_its_name_or_help() {
        assert_eq!(matching("exp").first().map(|entry| entry.command), Some(UiCommand::Export));
        assert!(matching("film").iter().any(|entry| entry.command == UiCommand::Cine), "by its help");
        assert!(matching("slice ten").iter().any(|entry| entry.command == UiCommand::TenOn), "words in any order");
        assert!(matching("no such thing").is_empty());
        assert!(matching("").len() > 30, "all of them when nothing is typed");
    }
}
