//! Buttons, menu lines and tooltips made from the table of commands.

use eframe::egui::{Button, Context, Response, Ui};

use super::commands::UiCommand;
use super::keys;

/// A name with the key of its command: `Play (Space)`.
pub fn named(ctx: &Context, name: &str, command: UiCommand) -> String {
    keys::key_text(ctx, command).map_or_else(|| name.to_owned(), |key| format!("{name} ({key})"))
}

/// What a command does, with its key.
pub fn tip(ctx: &Context, command: UiCommand) -> String {
    named(ctx, command.entry().help, command)
}

/// A line of a menu; closes the menu when it is clicked.
pub fn menu_line(ui: &mut Ui, command: UiCommand) -> Option<UiCommand> {
    let mut button = Button::new(command.entry().name);
    if let Some(key) = keys::key_text(ui.ctx(), command) {
        button = button.shortcut_text(key);
    }
    let is_clicked = ui.add(button).clicked();
    if is_clicked {
        ui.close();
    }
    is_clicked.then_some(command)
}

/// A button with the command's name and its tooltip.
pub fn button(ui: &mut Ui, command: UiCommand) -> Option<UiCommand> {
    with_tip(ui.button(command.entry().name), command).clicked().then_some(command)
}

/// Adds a command's tooltip.
pub fn with_tip(response: Response, command: UiCommand) -> Response {
    let tip = tip(&response.ctx, command);
    response.on_hover_text(tip)
}
