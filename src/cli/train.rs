//! `ct2rgb train`: trains or fine-tunes a generator, without a window.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::failure::Interrupted;
use super::interrupt;
use crate::engine::training_run::{TrainingHooks, run as run_training};
use crate::engine::{TrainingControl, TrainingEvent, TrainingRequest, TrainingStart};
use crate::model::{DeviceChoice, WeightsSource};
use crate::training::{ConfigFlags, Preset, TrainConfig, checkpoint};
use crate::units::CancelFlag;

/// Time between two lines about losses.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Slices between two lines about preparing.
const PREPARED_EVERY: usize = 100;

/// Train a generator on pairs of CT slices and photographs.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Table of pairs: columns ct, rgb, `ct_mm_per_px`, `rgb_mm_per_px`, and set, slice, split.
    #[arg(long, value_name = "CSV")]
    pairs: PathBuf,
    /// Folder of the run: checkpoint, weights, measurements.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Settings to start from: the paper's methods by name, or ours for a laptop.
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,
    /// Settings as JSON, over those of the preset; flags go over both.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Go on with the run in the folder, with its settings.
    #[arg(long, conflicts_with_all = ["from", "settings", "preset"])]
    resume: bool,
    /// Weights to fine-tune: bundled, or a file. Without: from nothing.
    #[arg(long, value_name = "bundled|FILE")]
    from: Option<String>,
    /// Device to train on: auto, cpu, cuda, metal.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// One JSON object a line on stdout instead of text on stderr.
    #[arg(long)]
    json: bool,
    /// Print the settings as JSON, and train nothing.
    #[arg(long)]
    print_settings: bool,
    #[command(flatten)]
    flags: ConfigFlags,
}

/// Runs the command. Ctrl-C saves and ends; a second one quits at once.
pub fn run(args: TrainArgs) -> anyhow::Result<()> {
    let config = config(&args)?;
    if args.print_settings {
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&config)?)?;
        return Ok(());
    }
    let request =
        TrainingRequest { start: start(&args), pairs: args.pairs, folder: args.out, config, device: args.device };
    let cancel = CancelFlag::new();
    let stop = interrupt::flag()?;
    let reporter = Reporter { is_json: args.json, told_at: Mutex::new(None) };
    let hooks = TrainingHooks {
        next_control: &|| stop.is_cancelled().then_some(TrainingControl::Stop),
        on_event: &|event| {
            // While pictures are read, nobody asks for controls.
            if stop.is_cancelled() {
                cancel.cancel();
            }
            reporter.tell(&event);
        },
        on_weights: &|_| {},
        cancel: &cancel,
        spares_a_core: false,
    };
    let outcome = run_training(&request, &hooks).context("the training ended early")?;
    if outcome.is_complete {
        return Ok(());
    }
    Err(Interrupted(format!("the run is saved at step {}; go on with --resume", outcome.step)).into())
}

fn config(args: &TrainArgs) -> anyhow::Result<TrainConfig> {
    let base = if args.resume {
        checkpoint::saved_config(&args.out.join("checkpoint.safetensors"))?
    } else {
        TrainConfig::preset(args.preset)
    };
    let base = match &args.settings {
        Some(path) => base.updated_from_file(path)?,
        None => base,
    };
    Ok(args.flags.applied_to(base)?)
}

fn start(args: &TrainArgs) -> TrainingStart {
    match args.from.as_deref() {
        _ if args.resume => TrainingStart::Checkpoint,
        None => TrainingStart::Nothing,
        Some("bundled") => TrainingStart::Weights(WeightsSource::Bundled),
        Some(file) => TrainingStart::Weights(WeightsSource::File(file.into())),
    }
}

/// Tells what happens, in lines.
struct Reporter {
    is_json: bool,
    told_at: Mutex<Option<Instant>>,
}

impl Reporter {
    fn tell(&self, event: &TrainingEvent) {
        if !self.is_due(event) {
            return;
        }
        // A closed pipe is no reason to stop a training of hours.
        if self.is_json {
            if let Some(line) = json_of(event) {
                drop(writeln!(std::io::stdout(), "{line}"));
            }
        } else if let Some(line) = text_of(event) {
            drop(writeln!(std::io::stderr(), "{line}"));
        }
    }

    /// Steps come by the second; a line every ten is enough.
    fn is_due(&self, event: &TrainingEvent) -> bool {
        match event {
            TrainingEvent::StepDone { .. } => {
                let Ok(mut told_at) = self.told_at.lock() else { return true };
                let is_due = told_at.is_none_or(|told_at| told_at.elapsed() >= PROGRESS_EVERY);
                if is_due {
                    *told_at = Some(Instant::now());
                }
                is_due
            }
            TrainingEvent::Preparing { done, total } => done.is_multiple_of(PREPARED_EVERY) || done == total,
            _ => true,
        }
    }
}

fn text_of(event: &TrainingEvent) -> Option<String> {
    Some(match event {
        TrainingEvent::Preparing { done, total } => format!("prepared {done} of {total} slices"),
        TrainingEvent::Started { training_slices, held_out_slices, step, total_steps, device_name } => format!(
            "training on {training_slices} slices, measuring on {held_out_slices}, from step {step} to {total_steps}, \
             on {device_name}"
        ),
        TrainingEvent::StepDone { report, secs_per_step, secs_left } => format!(
            "step {}: D {:.3}/{:.3} G adversarial {:.3} L1 {:.4} perceptual {:.4} part {:.4} | {secs_per_step:.2} s a \
             step, {} left",
            report.step,
            report.loss_d_real,
            report.loss_d_fake,
            report.loss_g_adversarial,
            report.loss_g_rec,
            report.loss_g_perc,
            report.loss_g_part,
            duration(*secs_left)
        ),
        TrainingEvent::Measured(metrics) => {
            let vgg = metrics.lpips_vgg.map(|value| format!(", LPIPS-VGG {value:.4}")).unwrap_or_default();
            let lattice = metrics.lattice.map(|value| format!(", lattice {value:.2}")).unwrap_or_default();
            format!(
                "held out at step {} (epoch {:.2}): RMSE {:.2}, SSIM {:.4}, LPIPS {:.4}{vgg}{lattice}",
                metrics.step, metrics.epoch, metrics.rmse, metrics.ssim, metrics.lpips
            )
        }
        TrainingEvent::CheckpointSaved { step } => format!("saved at step {step}"),
        TrainingEvent::CheckpointFailed(error) => {
            format!("not saved, training goes on: {}: {}", error.message, error.details.join(": "))
        }
        TrainingEvent::Ended { step, is_complete, weights } => {
            let how = if *is_complete { "complete" } else { "stopped" };
            format!("{how} at step {step}: {}", weights.display())
        }
        _ => return None,
    })
}

fn json_of(event: &TrainingEvent) -> Option<serde_json::Value> {
    Some(match event {
        TrainingEvent::Preparing { done, total } => json!({ "event": "preparing", "done": done, "total": total }),
        TrainingEvent::Started { training_slices, held_out_slices, step, total_steps, device_name } => json!({
            "event": "started", "training_slices": training_slices, "held_out_slices": held_out_slices, "step": step,
            "total_steps": total_steps, "device": device_name,
        }),
        TrainingEvent::StepDone { report, secs_per_step, secs_left } => {
            json!({ "event": "step", "report": report, "secs_per_step": secs_per_step, "secs_left": secs_left })
        }
        TrainingEvent::Measured(metrics) => json!({ "event": "measured", "metrics": metrics }),
        TrainingEvent::CheckpointSaved { step } => json!({ "event": "saved", "step": step }),
        TrainingEvent::CheckpointFailed(error) => {
            json!({ "event": "not_saved", "message": error.message, "details": error.details })
        }
        TrainingEvent::Ended { step, is_complete, weights } => {
            json!({ "event": "ended", "step": step, "is_complete": is_complete, "weights": weights })
        }
        _ => return None,
    })
}

/// Seconds in words: `3 h 05 min`, `12 min`, `40 s`.
fn duration(secs: f32) -> String {
    let secs = secs.max(0.0).round() as u64;
    match (secs / 3600, secs / 60 % 60) {
        (0, 0) => format!("{secs} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        assert_eq!([duration(40.2), duration(745.0), duration(11_120.0)], ["40 s", "12 min", "3 h 05 min"], "words");
    }
}
