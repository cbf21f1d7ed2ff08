//! Losses and measurements of a run, as curves and numbers.

use eframe::egui::{Grid, RichText, Ui, Vec2b};
use egui_plot::{Corner, HoverPosition, Legend, Line, Plot, PlotPoints, Points};

use super::theme;
use super::training_losses::{LOSS_NAMES, LossHistory};
use super::training_metric::Metric;
use super::training_state::TrainingState;

/// A plot that only shows: the panel scrolls, and the wheel must not be caught here.
fn plot(id: &str) -> Plot<'_> {
    Plot::new(id)
        .height(150.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .show_grid(Vec2b::new(false, true))
        .y_axis_min_width(36.0)
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nstep {:.0}: {:.4}", position.x, position.y))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

/// Losses before their λ, from the first step.
pub fn losses_ui(ui: &mut Ui, losses: &LossHistory) {
    ui.label(RichText::new("Losses").strong());
    let colors = theme::colors(ui.ctx()).curves;
    let legend = Legend::default().position(Corner::RightTop).follow_insertion_order(true).background_alpha(0.6);
    plot("losses").include_y(0.0).legend(legend).show(ui, |plot| {
        for (index, name) in LOSS_NAMES.into_iter().enumerate() {
            let points = losses.points();
            if points.iter().all(|point| point.losses[index] == 0.0) {
                continue;
            }
            let curve: PlotPoints<'_> =
                points.iter().map(|point| [point.step as f64, f64::from(point.losses[index])]).collect();
            plot.line(Line::new(name, curve).color(colors[index]).width(1.5));
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
    plot("metrics").height(120.0).show(ui, |plot| {
        plot.line(Line::new(metric.name(), points.clone()).color(color).width(1.5));
        plot.points(Points::new(metric.name(), points).color(color).radius(2.5));
    });
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return };
    Grid::new("metrics numbers").num_columns(4).min_col_width(56.0).show(ui, |ui| {
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
