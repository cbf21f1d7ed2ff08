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
        .custom_y_axes(vec![
            AxisHints::new_y()
                .label_spacing(Rangef::new(8.0, 16.0))
                .min_thickness(40.0)
                .formatter(|mark, _| mark_words(mark)),
        ])
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

/// As many decimals as tell a mark from its neighbours.
fn mark_words(mark: GridMark) -> String {
    let decimals = (-mark.step_size.log10()).ceil().clamp(0.0, 6.0) as usize;
    format!("{:.decimals$}", mark.value)
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
    let top = highest_after_the_start(points);
    plot(ui, "losses").show(ui, |plot| {
        plot.set_plot_bounds_y(0.0..=f64::from(top) * 1.05);
        for index in used {
            let value = |point: &LossPoint| [point.step as f64, f64::from(point.losses[index])];
            let curve: PlotPoints<'_> = points.iter().map(value).collect();
            plot.line(Line::new(LOSS_NAMES[index], curve).color(colors[index]).width(1.5));
        }
    });
}

/// The first tenth of a run may shoot up, and would press all the rest down to the axis.
fn highest_after_the_start(points: &[LossPoint]) -> f32 {
    let settled = &points[points.len() / 10..];
    settled.iter().flat_map(|point| point.losses).fold(0.01, f32::max)
}

/// Some room around the values, also when there is one alone.
fn roomy_bounds(values: impl Iterator<Item = f64> + Clone) -> std::ops::RangeInclusive<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let room = ((high - low) * 0.15).max(high.abs() * 0.05).max(1e-6);
    (low - room)..=(high + room)
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
    let points: Vec<[f64; 2]> =
        all.iter().filter_map(|metrics| Some([metrics.step as f64, metric.of(metrics)?])).collect();
    let bounds = roomy_bounds(points.iter().map(|point| point[1]));
    let last_step = points.last().map_or(1.0, |point| point[0]).max(1.0);
    plot(ui, "metrics").height(120.0).show(ui, |plot| {
        plot.set_plot_bounds_y(bounds);
        plot.set_plot_bounds_x((-0.03 * last_step)..=(1.03 * last_step));
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
                let words = value.map_or_else(|| "–".to_owned(), |value| metric.words(value));
                ui.label(RichText::new(words).monospace());
            }
            ui.end_row();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_marks_have_words_of_their_own() {
        for (low, high, expected) in [(0.42, 0.6, "0.45"), (0.1, 0.5, "0.2"), (0.0, 70.0, "20")] {
            let words: Vec<_> = even_marks((low, high)).into_iter().map(mark_words).collect();
            assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
            assert!(words.iter().any(|word| word == expected), "{expected}: {words:?}");
        }
    }

    #[test]
    fn a_wild_start_does_not_flatten_the_curves() {
        let points: Vec<LossPoint> =
            (0..100).map(|step| LossPoint { step, losses: [if step < 5 { 20.0 } else { 0.5 }; 6] }).collect();
        assert!((highest_after_the_start(&points) - 0.5).abs() < 1e-6);
        assert!((highest_after_the_start(&points[..1]) - 20.0).abs() < 1e-6, "all that there is");
    }

    #[test]
    fn a_single_measurement_lies_in_the_middle() {
        let bounds = roomy_bounds([0.16].into_iter());
        assert!((bounds.start().midpoint(*bounds.end()) - 0.16).abs() < 1e-9 && bounds.start() < bounds.end());
        assert!(roomy_bounds([0.2, 0.1].into_iter()).contains(&0.2));
    }
}
