//! `ct2rgb evaluate` on pairs and series that are made up in code.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fmt::Write as _;
use std::path::Path;

use assert_cmd::Command;
use ct2rgb::model::{GeneratorConfig, GeneratorWeights, NormMode, Precision, Seed, WeightsCard, WeightsSource};
use ct2rgb::preprocess::Recipe;
use ct2rgb::training::evaluation::fit_hu_table;
use ct2rgb::training::{PairTable, SplitRule};
use ct2rgb::units::CancelFlag;
use image::{ImageBuffer, Luma, Rgb};
use serde_json::Value;

/// Pixels of a CT.
const SIDE: u32 = 96;
const CT_MM: f64 = 2.0;
/// Bodies are narrow: measuring takes time by the pixel.
const HALF_WIDTH_MM: f64 = 30.0;
const HALF_HEIGHT_MM: f64 = 80.0;

/// A body of fat with muscle and a bone in it, which moves a little from level to level.
fn hu_at(x_mm: f64, y_mm: f64, level: u32) -> i16 {
    let shift = f64::from(level % 5);
    let distance = (x_mm / HALF_WIDTH_MM).hypot(y_mm / HALF_HEIGHT_MM);
    if (x_mm - shift).hypot(y_mm - 30.0) < 10.0 {
        700
    } else if distance < 0.7 {
        50
    } else if distance < 1.0 {
        -100
    } else {
        -1000
    }
}

fn color_of(hu: i16) -> [u8; 3] {
    match hu {
        700 => [230, 220, 200],
        50 => [150, 50, 40],
        -100 => [220, 190, 110],
        _ => [30, 80, 200],
    }
}

/// Distance of a pixel's centre from the middle of a picture.
fn place(pixel: u32, pixels: u32, mm: f64) -> f64 {
    (f64::from(pixel) + 0.5 - f64::from(pixels) / 2.0) * mm
}

fn write_pair(folder: &Path, level: u32) {
    let hu = |column, row, pixels, mm| hu_at(place(column, pixels, mm), place(row, pixels, mm), level);
    let ct = ImageBuffer::from_fn(SIDE, SIDE, |c, r| Luma([(hu(c, r, SIDE, CT_MM) + 1024) as u16]));
    ct.save(folder.join(format!("{level}_ct.png"))).unwrap();
    let rgb = ImageBuffer::from_fn(2 * SIDE, 2 * SIDE, |c, r| Rgb(color_of(hu(c, r, 2 * SIDE, CT_MM / 2.0))));
    rgb.save(folder.join(format!("{level}_rgb.png"))).unwrap();
}

/// A table of (set, level, split) with its pictures.
fn write_table(folder: &Path, rows: &[(&str, u32, &str)]) {
    let mut text = "set,slice,split,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n".to_owned();
    for (set, level, split) in rows {
        write_pair(folder, *level);
        writeln!(text, "{set},{level},{split},{level}_ct.png,{level}_rgb.png,{CT_MM},{}", CT_MM / 2.0).unwrap();
    }
    std::fs::write(folder.join("pairs.csv"), text).unwrap();
}

/// Four held-out slices in two sets, and training slices far from them.
fn small_table(folder: &Path) {
    let held_out = [("head", 100, "val"), ("head", 107, "val"), ("abdomen", 300, "val"), ("abdomen", 306, "val")];
    let training = [("head", 150, "train"), ("head", 151, "train"), ("abdomen", 352, "train")];
    write_table(folder, &[held_out.as_slice(), &training].concat());
}

fn ct2rgb(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ct2rgb"));
    command.current_dir(folder).args(["evaluate", "--device", "cpu"]).args(arguments);
    command
}

fn stdout(command: &mut Command) -> String {
    let output = command.assert().success().get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

fn error(command: &mut Command) -> String {
    let output = command.assert().failure().get_output().clone();
    assert!(output.stdout.is_empty(), "nothing is printed as a result");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn everything_that_is_asked_for_is_written_and_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let outputs = ["--csv", "slices.csv", "--markdown", "table.md", "--sheet", "sheet.png", "--sheet-slices", "2"];
    let text = stdout(ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--json", "--without-vgg"]).args(outputs));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["split"], &report["slices"]), (&"val".into(), &4.into()), "{report}");
    let methods = report["methods"].as_array().unwrap();
    let weights: Vec<_> = methods.iter().map(|method| method["weights"].clone()).collect();
    assert_eq!(weights, [Value::Null, Value::Null, "bundled".into()], "baselines first");
    assert!(report["lattice_of_photographs"].is_number(), "{report}");
    for method in methods {
        for metric in ["rmse", "ssim", "lpips", "lattice"] {
            let interval = &method["intervals"][metric];
            let [low, mean, high] = ["low", "mean", "high"].map(|end| interval[end].as_f64().unwrap());
            assert!(low <= mean && mean <= high, "{metric} of {method}");
            assert!((mean - method[metric].as_f64().unwrap()).abs() < 1e-9, "{metric} of {method}");
        }
        assert_eq!(method["sets"]["head"]["slices"], 2, "{method}");
        assert!(method["lpips_vgg"].is_null(), "left out");
    }

    let mut slices = csv::Reader::from_path(folder.path().join("slices.csv")).unwrap();
    assert_eq!(
        slices.headers().unwrap().iter().take(5).collect::<Vec<_>>(),
        ["method", "set", "slice", "level_mm", "rmse"]
    );
    let records: Vec<_> = slices.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3 * 4, "one a method and slice");
    let of_grey = records.iter().filter(|record| &record[0] == "grey as RGB").map(|r| r[4].parse::<f64>().unwrap());
    assert!((of_grey.sum::<f64>() / 4.0 - methods[0]["rmse"].as_f64().unwrap()).abs() < 1e-5, "the mean is theirs");

    let markdown = std::fs::read_to_string(folder.path().join("table.md")).unwrap();
    let header = "| method | RMSE ↓ | SSIM ↑ | LPIPS ↓ | lattice ↓ |\n| --- | --- | --- | --- | --- |\n";
    assert!(markdown.contains(header), "{markdown}");
    assert!(markdown.lines().any(|line| line.starts_with("| HU to colour table | **")), "the best in bold: {markdown}");
    let stamp = ct2rgb::io::rgb_image::read_stamp(&folder.path().join("sheet.png")).unwrap();
    assert_eq!(stamp.weights_sha256.len(), 64, "the sheet names the weights");
}

#[test]
fn the_table_for_people_has_vgg_and_an_interval_in_every_cell() {
    let folder = tempfile::tempdir().unwrap();
    write_table(folder.path(), &[("head", 100, "test"), ("head", 150, "train")]);
    let text =
        stdout(&mut ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--split", "test", "--baselines", "hu-table"]));
    assert!(text.contains("LPIPS-VGG ↓") && text.starts_with("Split test, 1 slices"), "{text}");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("HU to ") || line.starts_with("bundled")).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows.iter().all(|row| row.matches('[').count() == 5), "{text}");
}

#[test]
fn the_fitted_table_gives_back_the_colours_that_the_photographs_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let rule = SplitRule { held_out_share: 0.0, seed: Seed(1) };
    let pairs = PairTable::read(&folder.path().join("pairs.csv"), rule).unwrap();
    let rows = pairs.training_rows("train", "val", 5.0).unwrap();
    let mut told = Vec::new();
    let table =
        fit_hu_table(&rows, &Recipe::default(), &CancelFlag::new(), &mut |done, total| told.push((done, total)));
    let table = table.unwrap();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)], "progress");
    for hu in [50, 700] {
        let (found, expected) = (table.color(f32::from(hu)), color_of(hu));
        // Few pixels of muscle and bone lie on an edge, where the photograph is smooth.
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 6), "{hu} HU: {found:?}, not {expected:?}");
    }
}

#[test]
fn work_that_is_cancelled_says_so() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let rule = SplitRule { held_out_share: 0.0, seed: Seed(1) };
    let rows = PairTable::read(&folder.path().join("pairs.csv"), rule).unwrap().split("train").unwrap();
    let cancel = CancelFlag::new();
    cancel.cancel();
    let error = fit_hu_table(&rows, &Recipe::default(), &cancel, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "cancelled");
}

#[test]
fn a_split_that_is_not_there_is_named_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let message = error(&mut ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--split", "test"]));
    assert!(message.contains("\"test\"") && message.contains("\"train\", \"val\""), "{message}");
    std::fs::write(folder.path().join("empty.csv"), "slice,split,ct,rgb,ct_mm_per_px,rgb_mm_per_px\n").unwrap();
    let message = error(&mut ct2rgb(folder.path(), &["--pairs", "empty.csv"]));
    assert!(message.contains("no row") && message.contains("\"val\""), "{message}");
}

#[test]
fn a_table_without_training_rows_is_measured_without_the_fitted_baseline_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_table(folder.path(), &[("female", 100, "all"), ("female", 110, "all")]);
    let arguments = ["--pairs", "pairs.csv", "--split", "all", "--json", "--without-vgg"];
    let report: Value = serde_json::from_str(&stdout(&mut ct2rgb(folder.path(), &arguments))).unwrap();
    assert_eq!(report["methods"].as_array().unwrap().len(), 2, "grey and the weights");
    assert!(report["notes"][0].as_str().unwrap().contains("--fit-pairs"), "{report}");

    let other = tempfile::tempdir().unwrap();
    small_table(other.path());
    let fit_pairs = other.path().join("pairs.csv");
    let mut command = ct2rgb(folder.path(), &arguments);
    let report: Value = serde_json::from_str(&stdout(command.arg("--fit-pairs").arg(fit_pairs))).unwrap();
    assert_eq!(report["methods"][1]["name"], "HU to colour table", "fitted on the other table");
}

#[test]
fn weights_that_are_missing_or_named_twice_are_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let refused = |weights: &[&str]| error(ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--weights"]).args(weights));
    let message = refused(&["bundled", "gone.safetensors"]);
    assert!(message.contains("gone.safetensors") && !message.contains("measured"), "{message}");
    let message = refused(&["bundled", "bundled"]);
    assert!(message.contains("twice"), "{message}");
}

/// New weights of a small network that follows a recipe.
fn write_weights(path: &Path, recipe: Recipe) {
    let config = GeneratorConfig { input_channels: recipe.channel_count(), base_channels: 2, norm: NormMode::Running };
    let parameters = config.initialize(Seed(5), &candle_core::Device::Cpu).unwrap();
    GeneratorWeights { card: WeightsCard::default(), recipe, config, parameters }.write(path, Precision::F16).unwrap();
}

#[test]
fn weights_of_other_recipes_stand_in_one_table_each_measured_by_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write_table(folder.path(), &[("head", 100, "val"), ("head", 109, "val")]);
    write_weights(&folder.path().join("direct.safetensors"), Recipe::direct());
    write_weights(&folder.path().join("fine.safetensors"), Recipe { size: 512, ..Recipe::ct2rgb() });
    let bundled = GeneratorWeights::read(&WeightsSource::Bundled).unwrap();
    bundled.write(&folder.path().join("again.safetensors"), Precision::F16).unwrap();
    let names = ["bundled", "again.safetensors", "direct.safetensors", "fine.safetensors"];
    let mut command =
        ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--json", "--without-vgg", "--baselines", "none", "--weights"]);
    let report: Value = serde_json::from_str(&stdout(command.args(names))).unwrap();
    let methods = report["methods"].as_array().unwrap();
    let grids: Vec<_> = methods.iter().map(|method| method["grid"].as_u64().unwrap()).collect();
    assert_eq!(grids, [256, 256, 256, 512], "each its own");
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("fine on 512²"), "figures of two grids are not to be compared: {note}");

    let differences = report["differences"].as_array().unwrap();
    let compared: Vec<_> = differences.iter().map(|difference| difference["name"].as_str().unwrap()).collect();
    assert_eq!(compared, ["again", "direct"], "with the first, on one grid");
    assert!(differences[0]["rmse"]["mean"].as_f64().unwrap().abs() < 1e-9, "the same weights: {}", differences[0]);
    let mean = differences[1]["rmse"]["mean"].as_f64().unwrap();
    let means = [0, 2].map(|method: usize| methods[method]["rmse"].as_f64().unwrap());
    assert!((mean - (means[1] - means[0])).abs() < 1e-9, "the difference of the means");
}

#[test]
fn a_picture_that_is_missing_is_named_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    std::fs::remove_file(folder.path().join("306_rgb.png")).unwrap();
    let message = error(&mut ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--baselines", "none", "--without-vgg"]));
    assert!(message.contains("line 5") && message.contains("306_rgb.png"), "{message}");
    assert!(!message.contains("measured 1"), "{message}");
}

#[test]
fn results_that_cannot_be_written_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    small_table(folder.path());
    let message = error(&mut ct2rgb(folder.path(), &["--pairs", "pairs.csv", "--csv", "no/such/folder.csv"]));
    assert!(message.contains("no such folder"), "{message}");
    let both = ["--pairs", "pairs.csv", "--csv", "one.txt", "--markdown", "one.txt"];
    assert!(error(&mut ct2rgb(folder.path(), &both)).contains("one.txt"), "one file for two results");
    assert!(!folder.path().join("one.txt").exists(), "nothing is left");
}

/// A CT without photographs, as DeepLesion keeps them: 16-bit PNG, HU = value − 32768.
fn write_series(folder: &Path, slices: u32) {
    std::fs::create_dir_all(folder).unwrap();
    for level in 1..=slices {
        // Noise in the air: what a threshold from a corner takes for a body.
        let hu = |c: u32, r: u32| match hu_at(place(c, SIDE, CT_MM), place(r, SIDE, CT_MM), level) {
            -1000 => -1000 + 5 * ((c + r) % 3) as i32,
            hu => i32::from(hu),
        };
        let ct = ImageBuffer::from_fn(SIDE, SIDE, |c, r| Luma([(hu(c, r) + 32768) as u16]));
        ct.save(folder.join(format!("{level:03}.png"))).unwrap();
    }
}

#[test]
fn a_series_without_photographs_is_painted_with_three_settings() {
    let folder = tempfile::tempdir().unwrap();
    write_series(&folder.path().join("000001_01_01"), 3);
    let outputs = ["--sheet", "sheet.png", "--csv", "series.csv", "--json"];
    let text = stdout(ct2rgb(folder.path(), &["--series", "000001_01_01"]).args(outputs));
    let report: Value = serde_json::from_str(&text).unwrap();
    let results = report["series"][0]["results"].as_array().unwrap();
    let settings: Vec<_> = results.iter().map(|result| result["setting"].as_str().unwrap()).collect();
    assert_eq!(settings, ["Both", "Body mask", "Without both"], "as in the paper's Fig. 5");
    for result in results {
        assert_eq!(result["slices"], 3, "{result}");
        let painted_outside = result["painted_outside"].as_f64().unwrap();
        assert_eq!(painted_outside > 0.0, result["setting"] == "Without both", "what is not body: {result}");
        assert!(result["ct_change"].as_f64().unwrap() > 0.0, "the bone moves: {result}");
        assert!((0.0..=1.0).contains(&result["saturated_bright"].as_f64().unwrap()), "{result}");
    }
    assert_eq!(csv::Reader::from_path(folder.path().join("series.csv")).unwrap().records().count(), 3, "one a setting");
    assert!(ct2rgb::io::rgb_image::read_stamp(&folder.path().join("sheet.png")).is_some(), "a complete sheet");
}

#[test]
fn pairs_or_series_must_be_given_and_not_both() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["--pairs", "a.csv", "--series", "b"], &["--series", "b", "--split", "val"]] {
        ct2rgb(folder.path(), arguments).assert().code(2);
    }
}
