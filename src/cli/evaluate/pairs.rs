//! Measuring against photographs: the paper's Tables 1 and 2.

use std::path::Path;

use super::pairs_sheet::PairsSheet;
use super::{Baseline, EvaluateArgs, files, methods, spread, table};
use crate::cli::console::{self, Console};
use crate::cli::interrupt;
use crate::model::OpenDevice;
use crate::training::evaluation::{
    Measurement, Meter, Method, Metric, Painted, Report, Scores, Watch, fit_hu_table, measure,
};
use crate::training::{PairRow, PairTable, TrainConfig, TrainingError, count_by_set};
use crate::units::CancelFlag;

pub(super) fn run(args: &EvaluateArgs, path: &Path) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let mut console = Console::new();
    let config = config(args)?;
    let pairs = PairTable::read(path, config.split_rule())?;
    let rows = pairs.split(&args.split)?;
    let generators = methods::generators(&args.weights, args.device)?;
    methods::say_where(&mut console, &generators);
    let mut notes = Vec::new();
    let mut methods = baselines(args, &pairs, &generators[0], (&mut console, &mut notes, &cancel))?;
    methods.extend(generators);
    notes.extend(grid_note(&methods));
    for note in &notes {
        console.say(note);
    }
    console.say(&format!("measuring {} slices: {}", rows.len(), count_by_set(&rows)));
    let meter = Meter::new(OpenDevice::open(args.device)?.device(), !args.without_vgg)?;
    let chosen = args.sheet.as_ref().map_or_else(Vec::new, |_| spread(args.sheet_slices.into(), rows.len()));
    let mut sheet = PairsSheet::new(&args.split, &methods, chosen, rows.len());
    let total = rows.len() * methods.len();
    let mut done = 0;
    let mut on_painted = |painted: &Painted<'_>| {
        done += 1;
        sheet.add(painted);
        console.progress("measured", done, total);
    };
    let measurement = measure(rows, &methods, &meter, &mut Watch { cancel: &cancel, on_painted: &mut on_painted })?;
    console.clear();
    let report = Report::new(&args.split, &methods, &measurement, notes);
    write_files(args, &methods, &measurement, &report, &sheet)?;
    let text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { table::text(&report) };
    console::print(&text)
}

/// Our own settings with the split that was asked for.
fn config(args: &EvaluateArgs) -> Result<TrainConfig, TrainingError> {
    let (held_out_share, split_seed) = (args.held_out_share, args.split_seed);
    let config = TrainConfig { held_out_share, split_seed, ..TrainConfig::default() };
    config.checked()?;
    Ok(config)
}

/// The baselines see slices as the first generator does.
fn baselines(
    args: &EvaluateArgs,
    pairs: &PairTable,
    first: &Method,
    (console, notes, cancel): (&mut Console, &mut Vec<String>, &CancelFlag),
) -> anyhow::Result<Vec<Method>> {
    let recipe = first.recipe();
    let mut methods = Vec::new();
    if args.baselines.contains(&Baseline::Grey) {
        methods.push(Method::grey(recipe.clone()));
    }
    if args.baselines.contains(&Baseline::HuTable) {
        match rows_to_fit(args, pairs)? {
            Ok(rows) => {
                let mut on_slice = |done, total| console.progress("fitting the HU to colour table, slice", done, total);
                methods.push(Method::hu_table(recipe.clone(), fit_hu_table(&rows, recipe, cancel, &mut on_slice)?));
            }
            Err(nothing) => notes.push(format!(
                "the HU to colour table is left out, because there is nothing to fit it on ({nothing}); --fit-pairs names another table"
            )),
        }
    }
    Ok(methods)
}

/// Training rows away from what is measured. The inner error: a table that has none.
fn rows_to_fit(args: &EvaluateArgs, pairs: &PairTable) -> anyhow::Result<Result<Vec<PairRow>, TrainingError>> {
    let config = config(args)?;
    let other = args.fit_pairs.as_deref().map(|path| PairTable::read(path, config.split_rule())).transpose()?;
    let table = other.as_ref().unwrap_or(pairs);
    let rows = if other.is_none() && args.split == config.train_split {
        table.split(&config.train_split)
    } else {
        table.training_rows(&config.train_split, &args.split, config.guard_mm)
    };
    match rows {
        Err(error) if args.fit_pairs.is_some() => Err(error.into()),
        rows => Ok(rows),
    }
}

/// Figures from grids of different size stand in one table, and must not be compared.
fn grid_note(methods: &[Method]) -> Option<String> {
    let size = methods.first()?.recipe().size;
    let others: Vec<_> = methods.iter().filter(|method| method.recipe().size != size).collect();
    let list = |method: &&Method| format!("{} on {}²", method.name(), method.recipe().size);
    (!others.is_empty()).then(|| {
        let others = others.iter().map(list).collect::<Vec<_>>().join(", ");
        format!("not all methods are measured on the same grid ({size}²): {others}; compare only figures of one grid")
    })
}

fn write_files(
    args: &EvaluateArgs,
    methods: &[Method],
    measurement: &Measurement,
    report: &Report,
    sheet: &PairsSheet,
) -> anyhow::Result<()> {
    if let Some(path) = &args.csv {
        files::write_csv(path, records(methods, measurement))?;
    }
    if let Some(path) = &args.markdown {
        files::write_text(path, &table::markdown(report))?;
    }
    if let Some(path) = &args.sheet {
        let colorizers: Vec<_> = methods.iter().filter_map(Method::colorizer).collect();
        files::write_sheet(path, &sheet.sheet(), &colorizers, format!("evaluation of the split {:?}", args.split))?;
    }
    Ok(())
}

/// One record a method and slice, after the header.
fn records(methods: &[Method], measurement: &Measurement) -> impl Iterator<Item = Vec<String>> {
    let places = ["method", "set", "slice", "level_mm"].map(str::to_owned);
    let header = places.into_iter().chain(Metric::ALL.map(|metric| metric.key().to_owned())).collect();
    let of_method = |(method, scores): (&Method, &Vec<Scores>)| {
        let record = |(row, scores): (&PairRow, &Scores)| {
            let place = [method.name().to_owned(), row.set.clone(), row.slice.clone(), format!("{:.3}", row.level_mm)];
            let values = Metric::ALL.map(|metric| scores.get(metric).map_or_else(String::new, |v| format!("{v:.6}")));
            place.into_iter().chain(values).collect()
        };
        measurement.rows.iter().zip(scores).map(record).collect::<Vec<Vec<String>>>()
    };
    let records: Vec<_> = methods.iter().zip(&measurement.scores).flat_map(of_method).collect();
    std::iter::once(header).chain(records)
}
