//! `ct2rgb prepare`: pairs for training and measuring from others' originals.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::interrupt;
use crate::model::Seed;
use crate::training::SplitRule;
use crate::training::prepare::{
    PrepareJob, PrepareProgress, PrepareReport, REJECTED_FILE, SetReport, TABLE_FILE, prepare_visible_human,
};

/// A line of progress at most so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Make pairs of CT and photograph for training and measuring.
#[derive(Debug, clap::Args)]
pub struct PrepareArgs {
    #[command(subcommand)]
    source: Source,
}

/// Whose originals.
#[derive(Debug, clap::Subcommand)]
enum Source {
    /// From the U.S. National Library of Medicine's own files, or the DICOM of the Imaging Data Commons.
    ///
    /// Finds where the photographs lie on the CT, turns them the right way up, masks the gelatin around the body, leaves out
    /// black and torn slices, and writes the pairs, pairs.csv, a contact sheet for each CT session, rejected.csv and
    /// report.json. Run again, it goes on where it stopped.
    VisibleHuman(VisibleHumanArgs),
}

#[derive(Debug, clap::Args)]
struct VisibleHumanArgs {
    /// Folder of the CT: .fre and .fro files (also .Z, .gz), 16-bit PNG, or DICOM.
    #[arg(long, value_name = "DIR")]
    ct: PathBuf,
    /// Folder of the photographs: .raw files (also .Z, .gz), PNG, or DICOM.
    #[arg(long, value_name = "DIR")]
    rgb: PathBuf,
    /// Folder for the pairs, apart from the originals.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pixel size of the CT in mm, for files that do not say or are wrong.
    #[arg(long, value_name = "MM")]
    ct_mm: Option<f64>,
    /// Pixel size of the photographs in mm, for files that do not say or are wrong.
    #[arg(long, value_name = "MM")]
    rgb_mm: Option<f64>,
    /// Share of each region that is held out as one slab, split `val`; 0 leaves the split to the reader of the table.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    held_out: f64,
    /// Where the slabs lie.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the report as JSON instead of lines; progress goes to stderr.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: PrepareArgs) -> anyhow::Result<()> {
    let Source::VisibleHuman(args) = args.source;
    anyhow::ensure!((0.0..=0.9).contains(&args.held_out), "--held-out is {}; expected 0 to 0.9", args.held_out);
    let split = SplitRule { held_out_share: args.held_out, seed: Seed(args.seed) };
    let job = PrepareJob {
        ct: args.ct,
        rgb: args.rgb,
        out: args.out,
        ct_mm: args.ct_mm,
        rgb_mm: args.rgb_mm,
        split: (args.held_out > 0.0).then_some(split),
    };
    let lines = ProgressLines::default();
    let report = prepare_visible_human(&job, &|progress| lines.show(progress), &interrupt::flag()?)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report).context("the report could not be printed")?;
        writeln!(out)?;
    } else {
        print(&mut out, &job, &report)?;
    }
    Ok(())
}

fn print(out: &mut impl std::io::Write, job: &PrepareJob, report: &PrepareReport) -> std::io::Result<()> {
    for warning in &report.warnings {
        writeln!(out, "note: {warning}")?;
    }
    for set in &report.sets {
        match &set.problem {
            Some(problem) => writeln!(out, "{}: no pairs: {problem}", set.name)?,
            None => writeln!(
                out,
                "{}: {} of {} slices paired ({} from an earlier run), ct {} mm, rgb {:.4} mm a pixel",
                set.name, set.pairs, set.candidates, set.reused, set.ct_mm_per_px, set.rgb_mm_per_px
            )?,
        }
    }
    if !report.rejected.is_empty() {
        let (count, words) = (report.rejected.len(), report.reasons_in_words());
        writeln!(out, "{count} without a pair: {words}; {REJECTED_FILE} names each")?;
    }
    writeln!(out, "{} pairs in {}", report.pairs, job.out.join(TABLE_FILE).display())
}

/// Progress on stderr, not more often than a person can read.
#[derive(Default)]
struct ProgressLines {
    last: Mutex<Option<Instant>>,
    furthest: AtomicUsize,
}

impl ProgressLines {
    fn show(&self, progress: &PrepareProgress<'_>) {
        match *progress {
            PrepareProgress::Looking { files } if self.is_due() => say(&format!("looked at {files} files")),
            PrepareProgress::Looking { .. } => {}
            PrepareProgress::Set { name, candidates } => {
                self.furthest.store(0, Ordering::Relaxed);
                say(&format!("{name}: reading the CT of {candidates} slices with photographs"));
            }
            PrepareProgress::Registered { set } => say(&registered(set)),
            PrepareProgress::Slice { set, done, total } => {
                let is_new = self.furthest.fetch_max(done, Ordering::Relaxed) < done;
                if is_new && (done == total || self.is_due()) {
                    say(&format!("{set}: {done} of {total} slices"));
                }
            }
        }
    }

    fn is_due(&self) -> bool {
        let Ok(mut last) = self.last.lock() else { return false };
        let is_due = last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

fn registered(set: &SetReport) -> String {
    let [x, y] = set.shift_mm;
    let turned = if set.is_turned { ", turned upright" } else { "" };
    let warnings = set.warnings.iter().fold(String::new(), |all, warning| all + "; " + warning);
    format!(
        "{}: photographs lie {x:+.1} mm across and {y:+.1} mm down, scale {:.4}{turned}; {} of {} slices agree, within {:.1} \
         mm{warnings}",
        set.name, set.scale, set.agreeing_slices, set.registered_slices, set.spread_mm
    )
}

/// A closed stderr is no reason to stop.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    if writeln!(stderr, "{line}").is_err() {
        tracing::debug!("progress cannot be shown");
    }
}
