//! Small pictures for buttons, drawn with lines: no font has to have them.

use eframe::egui::{Painter, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use super::theme;

/// A small picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Corners pointing outwards.
    Enlarge,
    /// Corners pointing inwards.
    Shrink,
    /// Triangle.
    Play,
    /// Two bars.
    Stop,
    /// Three columns.
    ThreePanes,
    /// One frame.
    OnePane,
    /// Drawer at the left.
    LeftDrawer,
    /// Drawer at the right.
    RightDrawer,
    /// Three lines.
    Menu,
    /// A cross.
    Close,
}

/// A button that is only a picture; `name` is its tooltip and what a screen reader says.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let (_, response) = ui.allocate_exact_size(Vec2::splat(28.0), Sense::click());
    paint_button(ui, &response, icon, name);
    response.on_hover_text(name)
}

/// The same for something that is on or off.
pub fn icon_toggle(ui: &mut Ui, icon: Icon, name: &str, is_on: bool) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(28.0), Sense::click());
    if is_on {
        ui.painter().rect_filled(rect, ui.visuals().widgets.active.corner_radius, ui.visuals().selection.bg_fill);
    }
    paint_button(ui, &response, icon, name);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), is_on, name));
    response.on_hover_text(name)
}

/// Paints a button that has its place already.
pub fn paint_button(ui: &Ui, response: &Response, icon: Icon, name: &str) {
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let visuals = ui.style().interact(response);
    let rect = response.rect;
    if response.hovered() || response.has_focus() {
        ui.painter().rect(rect, visuals.corner_radius, visuals.bg_fill, visuals.bg_stroke, StrokeKind::Inside);
    }
    paint(ui.painter(), inside(rect), icon, Stroke::new(1.5, visuals.fg_stroke.color));
}

/// The same on a pane, which is black in both themes.
pub fn paint_button_on_picture(ui: &Ui, response: &Response, icon: Icon, name: &str) {
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    let (rect, colors) = (response.rect, theme::colors(ui.ctx()));
    let is_lit = response.hovered() || response.has_focus();
    let frame = if is_lit { Stroke::new(1.0, colors.label) } else { Stroke::NONE };
    ui.painter().rect(rect, 3.0, colors.label_plate, frame, StrokeKind::Inside);
    paint(ui.painter(), inside(rect), icon, Stroke::new(1.5, colors.label));
}

fn inside(rect: Rect) -> Rect {
    rect.shrink(rect.width() * 0.27)
}

fn paint(painter: &Painter, rect: Rect, icon: Icon, stroke: Stroke) {
    match icon {
        Icon::Enlarge => corners(painter, rect, rect.width() * 0.36, stroke),
        Icon::Shrink => corners(painter, rect, -rect.width() * 0.36, stroke),
        Icon::Play => {
            let points = vec![rect.left_top(), rect.right_center(), rect.left_bottom()];
            let shape = eframe::egui::Shape::convex_polygon(points, stroke.color, Stroke::NONE);
            painter.add(shape);
        }
        Icon::Stop => {
            for x in [rect.left() + rect.width() * 0.2, rect.right() - rect.width() * 0.2] {
                painter.vline(x, rect.y_range(), Stroke::new(rect.width() * 0.24, stroke.color));
            }
        }
        Icon::ThreePanes => {
            outline(painter, rect, stroke);
            for share in [1.0 / 3.0, 2.0 / 3.0] {
                painter.vline(rect.left() + rect.width() * share, rect.y_range(), stroke);
            }
        }
        Icon::Close => {
            painter.line_segment([rect.left_top(), rect.right_bottom()], stroke);
            painter.line_segment([rect.right_top(), rect.left_bottom()], stroke);
        }
        Icon::OnePane => outline(painter, rect, stroke),
        Icon::LeftDrawer => {
            outline(painter, rect, stroke);
            painter.vline(rect.left() + rect.width() * 0.35, rect.y_range(), stroke);
        }
        Icon::RightDrawer => {
            outline(painter, rect, stroke);
            painter.vline(rect.right() - rect.width() * 0.35, rect.y_range(), stroke);
        }
        Icon::Menu => {
            for share in [0.12, 0.5, 0.88] {
                painter.hline(rect.x_range(), rect.top() + rect.height() * share, stroke);
            }
        }
    }
}

fn outline(painter: &Painter, rect: Rect, stroke: Stroke) {
    painter.rect_stroke(rect, 1.0, stroke, StrokeKind::Middle);
}

/// An angle in each corner; with a negative length they stand inside and point inwards.
fn corners(painter: &Painter, rect: Rect, length: f32, stroke: Stroke) {
    let center = rect.center();
    for corner in [rect.left_top(), rect.right_top(), rect.left_bottom(), rect.right_bottom()] {
        let inwards = Vec2::new((center.x - corner.x).signum(), (center.y - corner.y).signum());
        let tip = if length < 0.0 { corner + inwards * length.abs() } else { corner };
        let across = Pos2::new(tip.x + inwards.x * length, tip.y);
        let down = Pos2::new(tip.x, tip.y + inwards.y * length);
        painter.line(vec![across, tip, down], stroke);
    }
}
