//! Losses and measurements of a run, as curves and numbers.

use eframe::egui::{Color32, Grid, Rangef, RichText, Role, Sense, Ui, Vec2, Vec2b, WidgetInfo};
use egui_plot::{AxisHints, GridMark, HoverPosition, Line, Plot, PlotPoints, Points};

use super::theme;
use super::training_losses::{LOSS_NAMES, LossHistory, LossPoint};
use super::training_metric::Metric;
use super::training_state::TrainingState;
use super::view::scale_bar_mm as round_length;

/// A plot that only shows: the panel scrolls, and the wheel must not be caught here.
fn plot<'id>(ui: &Ui, id: &'id str) -> Plot<'id> {
    Plot::new(id)
        .height(150.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .show_grid(Vec2b::new(false, true))
        .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
        .grid_spacing(Rangef::new(8.0, 24.0))
        .y_grid_spacer(|input| even_marks(input.bounds))
        .custom_y_axes(vec![AxisHints::new_y().label_spacing(Rangef::new(8.0, 16.0)).min_thickness(40.0)])
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nstep {:.0}: {:.4}", position.x, position.y))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

/// A few round values, evenly spread.
fn even_marks((low, high): (f64, f64)) -> Vec<GridMark> {
    let Some(step_size) = round_length((high - low) / 2.5) else { return Vec::new() };
    let range = (low / step_size).ceil() as i64..=(high / step_size).floor() as i64;
    range.map(|index| GridMark { value: index as f64 * step_size, step_size }).collect()
}

/// What each curve is, above the plot, where it covers none.
fn legend_ui(ui: &mut Ui, curves: &[(&str, Color32)]) {
    let letters = ui.visuals().text_color();
    ui.horizontal_wrapped(|ui| {
        for (name, color) in curves {
            let galley = ui.painter().layout_no_wrap((*name).to_owned(), theme::font(theme::SMALL_POINTS), letters);
            let (rect, response) = ui.allocate_exact_size(galley.size() + Vec2::new(12.0, 2.0), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, *name));
            ui.painter().circle_filled(rect.left_center() + Vec2::new(4.0, 1.0), 3.5, *color);
            ui.painter().galley(rect.min + Vec2::new(12.0, 1.0), galley, letters);
        }
    });
}

/// Losses before their λ, from the first step.
pub fn losses_ui(ui: &mut Ui, losses: &LossHistory) {
    ui.label(RichText::new("Losses").strong());
    let points = losses.points();
    let colors = theme::colors(ui.ctx()).curves;
    let is_used = |index: usize| points.iter().any(|point| point.losses[index] != 0.0);
    let used: Vec<usize> = (0..LOSS_NAMES.len()).filter(|&index| is_used(index)).collect();
    let named: Vec<_> = used.iter().map(|&index| (LOSS_NAMES[index], colors[index])).collect();
    legend_ui(ui, &named);
    plot(ui, "losses").include_y(0.0).show(ui, |plot| {
        for index in used {
            let value = |point: &LossPoint| [point.step as f64, f64::from(point.losses[index])];
            let curve: PlotPoints<'_> = points.iter().map(value).collect();
            plot.line(Line::new(LOSS_NAMES[index], curve).color(colors[index]).width(1.5));
        }
    });
}

/// Measurements on the held-out slices.
pub fn metrics_ui(ui: &mut Ui, training: &mut TrainingState) {
    ui.horizontal(|ui| {
        ui.label(RichText::new("Held-out slices").strong());
        for metric in Metric::ALL {
            ui.selectable_value(&mut training.metric, metric, metric.name()).on_hover_text(metric.tip());
        }
    });
    let (metric, all) = (training.metric, &training.metrics);
    let color = theme::colors(ui.ctx()).curves[0];
    let points: Vec<[f64; 2]> = all.iter().map(|metrics| [metrics.step as f64, metric.of(metrics)]).collect();
    plot(ui, "metrics").height(120.0).show(ui, |plot| {
        plot.line(Line::new(metric.name(), points.clone()).color(color).width(1.5));
        plot.points(Points::new(metric.name(), points).color(color).radius(2.5));
    });
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return };
    let numbers = Grid::new("metrics numbers").num_columns(4).min_col_width(56.0).min_row_height(theme::LABEL_POINTS);
    numbers.spacing(Vec2::new(2.0, 1.0) * theme::GRID_POINTS).show(ui, |ui| {
        let before = format!("step {}", first.step);
        for heading in ["", before.as_str(), "best", "now"] {
            ui.label(RichText::new(heading).small().weak());
        }
        ui.end_row();
        for metric in Metric::ALL {
            ui.label(metric.name()).on_hover_text(metric.tip());
            for value in [metric.of(first), metric.best(all), metric.of(last)] {
                ui.label(RichText::new(metric.words(value)).monospace());
            }
            ui.end_row();
        }
    });
}
