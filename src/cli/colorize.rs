//! `colorize`: a CT's slices in colour, as files. The engine does the work; this drives it and says how it goes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::console::Console;
use super::failure::{Incomplete, Interrupted, from_user_error};
use super::series_choice::{choose, in_words};
use super::slice_range::{SliceRange, slices_words};
use super::window_choice::{WindowChoice, window_for};
use super::{interrupt, source, weights_source};
use crate::engine::{Command, Engine, EngineOptions, Event, ExportFormat, ExportRequest};
use crate::model::{DeviceChoice, WeightsCard};
use crate::preprocess::Recipe;
use crate::units::{CancelFlag, SliceIndex};
use crate::volume::{SeriesInfo, SeriesWarning};

/// Longest wait between two looks at Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for the work to stop after Ctrl-C: a slice in progress is finished.
const STOPPING: Duration = Duration::from_secs(20);

/// What `colorize` is told.
#[derive(Args, Debug)]
pub struct ColorizeArgs {
    /// CT to colour: a DICOM file or folder, a DICOMDIR, a ZIP, NIfTI, DeepLesion, Visible Human; or `sample`, `sample:2`.
    path: PathBuf,
    /// Folder to write into; made if it does not exist. Finished pictures in it are kept and not made again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Series by its number or UID, as `ct2rgb inspect` lists them; the largest otherwise.
    #[arg(long, value_name = "UID|N")]
    series: Option<String>,
    /// Slices to colour, from 1, both ends in; all of them otherwise.
    #[arg(long, value_name = "A..B")]
    slices: Option<SliceRange>,
    /// Weights to colour with, a safetensors file; the bundled ones otherwise.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Where the generator runs: auto, cpu, cuda or metal.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
    /// What to write: a PNG for each slice, or one RGB volume as NIfTI that other viewers place correctly.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    /// Grey, contours and colour side by side on each PNG.
    #[arg(long)]
    panes: bool,
    /// Grey window of the panes: brain, soft-tissue, lung, bone, liver, or CENTRE/WIDTH in HU.
    #[arg(long, value_name = "NAME|C/W", allow_hyphen_values = true, requires = "panes")]
    window: Option<WindowChoice>,
    /// Make pictures again that are there already.
    #[arg(long)]
    overwrite: bool,
}

/// Files to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// `slice_0001.png` and so on, at the CT's own resolution.
    #[default]
    Png,
    /// One RGB24 volume.
    Nifti,
}

/// Colours what was asked for; returns when the files are written.
pub(super) fn run(args: &ColorizeArgs) -> anyhow::Result<()> {
    if args.panes && args.format == OutputFormat::Nifti {
        anyhow::bail!("a NIfTI volume has no panes; leave out --panes, or use --format png");
    }
    let source = source::parse(&args.path)?;
    let stop = interrupt::flag()?;
    let options =
        EngineOptions { weights: weights_source(args.weights.as_deref()), device: args.device, has_window: false };
    let engine = Engine::start(&options, Arc::new(|_| {}))?;
    engine.send(Command::Open(source));
    let mut work = Colorizing {
        args,
        engine,
        stop,
        console: Console::new(),
        wanted_series: None,
        opened: None,
        recipe: None,
        progress: (0, 0),
        outcome: None,
    };
    let outcome = work.run();
    work.console.clear();
    outcome
}

/// How an export ended.
enum Outcome {
    Finished { path: PathBuf, written: usize, skipped: usize, failed: Vec<(SliceIndex, String)> },
    Stopped,
}

/// The work, and what is known of it.
struct Colorizing<'a> {
    args: &'a ColorizeArgs,
    engine: Engine,
    stop: CancelFlag,
    console: Console,
    /// Number of the series to be opened, once the headers are read.
    wanted_series: Option<usize>,
    opened: Option<SeriesInfo>,
    /// Recipe of the generator, once that is ready.
    recipe: Option<Recipe>,
    /// Slices of the export: done, asked for.
    progress: (usize, usize),
    outcome: Option<Outcome>,
}

impl Colorizing<'_> {
    fn run(&mut self) -> anyhow::Result<()> {
        let request = loop {
            self.take_event()?;
            if let (Some(info), Some(recipe)) = (&self.opened, &self.recipe) {
                break self.request(info, recipe)?;
            }
        };
        self.engine.send(Command::Export(request));
        while self.outcome.is_none() {
            self.take_event()?;
        }
        self.conclude()
    }

    fn request(&self, info: &SeriesInfo, recipe: &Recipe) -> anyhow::Result<ExportRequest> {
        let last = SliceIndex(info.slice_count.saturating_sub(1));
        let slices = match self.args.slices {
            Some(range) => range.within(info.slice_count)?,
            None => (SliceIndex(0), last),
        };
        let format = match (self.args.format, self.args.panes) {
            (OutputFormat::Nifti, _) => ExportFormat::Nifti,
            (OutputFormat::Png, true) => ExportFormat::PngPanes,
            (OutputFormat::Png, false) => ExportFormat::Png,
        };
        Ok(ExportRequest {
            folder: self.args.out.clone(),
            slices,
            format,
            window: window_for(self.args.window, info),
            edges: recipe.edges,
            is_overwriting: self.args.overwrite,
        })
    }

    /// Waits for something to happen, and takes note of it.
    fn take_event(&mut self) -> anyhow::Result<()> {
        loop {
            if self.stop.is_cancelled() {
                return Err(self.interrupted().into());
            }
            if let Some(event) = self.engine.next_event(LOOK) {
                return self.apply(event);
            }
        }
    }

    fn apply(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::SeriesListed { series, warnings } => self.list(&series, &warnings)?,
            Event::SeriesOpened { info, .. } if Some(info.number) == self.wanted_series => self.opened(*info),
            Event::LoadingFinished { warnings, .. } => self.warn(&warnings),
            Event::GeneratorReady { card, recipe, device_name, device_note } => {
                self.generator_ready(&card, recipe, &device_name, device_note.as_deref());
            }
            Event::LoadingFailed(error) | Event::GeneratorFailed(error) | Event::ExportFailed(error) => {
                return Err(from_user_error(error));
            }
            Event::ExportProgress { done, total } => {
                self.progress = (done, total);
                self.console.progress("slice", done, total);
            }
            Event::ExportFinished { path, written, skipped, failed } => {
                self.outcome = Some(Outcome::Finished { path, written, skipped, failed });
            }
            Event::ExportCancelled | Event::LoadingCancelled => self.outcome = Some(Outcome::Stopped),
            _ => {}
        }
        Ok(())
    }

    /// The headers are read: which series is it to be?
    fn list(&mut self, series: &[SeriesInfo], warnings: &[SeriesWarning]) -> anyhow::Result<()> {
        self.warn(warnings);
        let chosen = choose(series, self.args.series.as_deref())?;
        self.wanted_series = Some(chosen.number);
        if self.args.series.is_none() && series.len() > 1 {
            let others: Vec<String> = series.iter().filter(|one| one.number != chosen.number).map(in_words).collect();
            self.console.say(&format!("also here, with --series: {}", others.join("; ")));
        }
        if series.first().is_some_and(|first| first.number != chosen.number) {
            self.engine.send(Command::SelectSeries(chosen.number));
        }
        Ok(())
    }

    fn opened(&mut self, info: SeriesInfo) {
        let size = format!("{} × {} pixels", info.columns, info.rows);
        self.console.say(&format!("series {}, {size}", in_words(&info)));
        self.warn(&info.warnings);
        if info.has_burned_in_identity {
            self.console
                .say("warning: these pictures may show who the patient is; look at them before you pass them on");
        }
        self.opened = Some(info);
    }

    fn warn(&mut self, warnings: &[SeriesWarning]) {
        for warning in warnings {
            self.console.say(&format!("warning: {}", warning.message));
        }
    }

    fn generator_ready(&mut self, card: &WeightsCard, recipe: Recipe, device_name: &str, note: Option<&str>) {
        if let Some(note) = note {
            self.console.say(&format!("note: {note}"));
        }
        self.console.say(&format!("weights {} ({}), on {device_name}", card.name, card.short_hash()));
        self.recipe = Some(recipe);
    }

    /// What was made, what was there already, and which slices have no colour.
    fn conclude(&mut self) -> anyhow::Result<()> {
        let Some(Outcome::Finished { path, written, skipped, mut failed }) = self.outcome.take() else {
            return Err(self.interrupted().into());
        };
        let slices = |count: usize| if count == 1 { "1 slice".to_owned() } else { format!("{count} slices") };
        let kept = match skipped {
            0 => String::new(),
            count => format!(", {} there already and kept (--overwrite makes them again)", slices(count)),
        };
        self.console.say(&format!("{} written{kept}: {}", slices(written), path.display()));
        if failed.is_empty() {
            return Ok(());
        }
        failed.sort();
        let numbers = slices_words(failed.iter().map(|(slice, _)| *slice));
        let mut reasons: Vec<&str> = failed.iter().map(|(_, reason)| reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        Err(Incomplete(format!("no colour for slice {numbers}: {}", reasons.join("; "))).into())
    }

    /// Stops the work, waits until it has stopped, and says how far it got.
    fn interrupted(&mut self) -> Interrupted {
        self.engine.send(Command::CancelExport);
        self.engine.send(Command::CancelLoading);
        let started = Instant::now();
        let is_exporting = self.progress.1 > 0;
        while is_exporting && self.outcome.is_none() && started.elapsed() < STOPPING {
            match self.engine.next_event(LOOK) {
                Some(Event::ExportCancelled | Event::ExportFailed(_)) => break,
                Some(Event::ExportProgress { done, total }) => self.progress = (done, total),
                Some(Event::ExportFinished { .. }) => self.progress.0 = self.progress.1,
                _ => {}
            }
        }
        let (done, total) = self.progress;
        Interrupted(match (total, self.args.format) {
            (0, _) => "nothing was written".to_owned(),
            (_, OutputFormat::Nifti) => "no volume was written".to_owned(),
            (_, OutputFormat::Png) => {
                format!("{done} of {total} slices are finished; the same command goes on from there")
            }
        })
    }
}
