//! The `?` sheet: all keys and what the mouse does.

use eframe::egui::{self, Align2, Grid, RichText, ScrollArea, Ui, Vec2};

use super::commands::Group;
use super::keys;

/// From this width of the window, two columns.
const WIDE_POINTS: f32 = 780.0;
/// Height of a line, and what is between lines and columns, in points: all keys fit on a laptop's screen.
const ROW_POINTS: f32 = 16.0;
const SPACING: Vec2 = Vec2::new(8.0, 2.0);

/// What the mouse does.
const MOUSE: [(&str, &str); 8] = [
    ("Wheel", "One slice a notch; with Shift ten"),
    ("Ctrl + wheel", "Zoom about the pointer"),
    ("Drag", "Move the picture"),
    ("Drag with the right button", "Sideways the window's width, up and down its level"),
    ("W + drag", "The same"),
    ("Double click", "One pane, or all again"),
    ("Drag on the strip", "Go to a slice"),
    ("Drop files", "Open them"),
];

/// The sheet. False when it was closed.
pub fn key_sheet_ui(ctx: &egui::Context) -> bool {
    let mut is_open = true;
    let height = (ctx.content_rect().height() - 120.0).max(160.0);
    egui::Window::new("Keys")
        .open(&mut is_open)
        .collapsible(false)
        .resizable(false)
        .default_height(height)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .show(ctx, |ui| {
            ScrollArea::vertical().max_height(height).show(ui, |ui| {
                let is_wide = ui.ctx().content_rect().width() > WIDE_POINTS;
                if is_wide {
                    ui.set_min_width(WIDE_POINTS - 40.0);
                }
                if is_wide {
                    ui.horizontal_top(|ui| {
                        ui.vertical(|ui| {
                            let left = [Group::File, Group::Slices, Group::Window, Group::Help, Group::Advanced];
                            for group in left {
                                group_ui(ui, group);
                            }
                        });
                        ui.add_space(24.0);
                        ui.vertical(|ui| {
                            group_ui(ui, Group::View);
                            mouse_ui(ui);
                        });
                    });
                } else {
                    for group in Group::ALL {
                        group_ui(ui, group);
                    }
                    mouse_ui(ui);
                }
            });
        });
    is_open
}

fn group_ui(ui: &mut Ui, group: Group) {
    ui.label(RichText::new(group.name()).strong());
    let grid = Grid::new(("keys", group.name())).num_columns(2).min_col_width(96.0);
    grid.min_row_height(ROW_POINTS).spacing(SPACING).show(ui, |ui| {
        for (entry, keys) in keys::with_keys().filter(|(entry, keys)| entry.group == group && !keys.is_empty()) {
            let keys: Vec<String> = keys.iter().map(|key| keys::shortcut_text(ui.ctx(), *key)).collect();
            ui.label(RichText::new(keys.join(", ")).monospace());
            ui.label(entry.name).on_hover_text(entry.help);
            ui.end_row();
        }
    });
    ui.add_space(8.0);
}

fn mouse_ui(ui: &mut Ui) {
    ui.label(RichText::new("Mouse").strong());
    Grid::new("mouse").num_columns(2).min_row_height(ROW_POINTS).spacing(SPACING).show(ui, |ui| {
        for (gesture, effect) in MOUSE {
            ui.label(RichText::new(gesture).monospace());
            ui.label(effect);
            ui.end_row();
        }
    });
}
