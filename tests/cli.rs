//! The command line as a process: what it prints, what it writes, how it ends.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assert_cmd::Command;
use common::*;
use serde_json::Value as Json;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ct2rgb");
/// A generator of 2 base channels: fast, and of no use but for tests.
const SMALL_CHECKPOINT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pix2pix_zip.pth");

/// What a run printed and how it ended.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let run = Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        let all = format!("{}{}", run.out, run.err);
        assert!(!all.contains("panicked"), "{all}");
        run
    }

    /// Ended well: what it printed.
    #[track_caller]
    fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    /// Ended with this code and a message that has all these parts.
    #[track_caller]
    fn fails(self, code: i32, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} in: {}", self.err);
        }
        assert_eq!(self.code, code, "{}", self.err);
        self
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in: {}", self.out))
    }
}

fn run(arguments: &[&str]) -> Run {
    Run::of(Command::new(PROGRAM).args(arguments).output().unwrap())
}

/// A body of fat and soft tissue with a bone in it, on 40 × 40 pixels of 8 mm.
fn body_slice(phantom: &Phantom, slice: usize) -> DataSet {
    let value = |index: usize| {
        let (x, y) = ((index % 40) as f64 - 19.5, (index / 40) as f64 - 19.5);
        let within = |radius: f64| (x / (radius * 1.3)).hypot(y / radius) < 1.0;
        let hu = if within(2.0) {
            600 + slice as i16 * 10
        } else if within(9.0) {
            40
        } else if within(12.0) {
            -100
        } else {
            -1000
        };
        (hu + 1024) as u16
    };
    phantom.slice(slice).text(SPACING, *b"DS", "8\\8").value(
        PIXELS,
        *b"OW",
        Value::Words((0..1600).map(value).collect()),
    )
}

fn body() -> Phantom {
    Phantom { columns: 40, rows: 40, slices: 3, is_signed: false, ..Phantom::default() }
}

/// A folder with a series of three slices, and an empty one beside it.
struct Study {
    folder: TempDir,
}

impl Study {
    fn new() -> Self {
        let study = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(study.ct()).unwrap();
        let files: Vec<_> = (0..3).map(|slice| (format!("{slice}.dcm"), body_slice(&body(), slice))).collect();
        write_files(&study.ct(), &files, EXPLICIT);
        study
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ct(&self) -> PathBuf {
        self.at("ct")
    }

    /// `colorize` of the series into `out`, with the small generator.
    fn colorize(&self, out: &str, more: &[&str]) -> Run {
        let weights = self.at("small.safetensors");
        if !weights.exists() {
            run(&["import-weights", SMALL_CHECKPOINT, text(&weights)]).well();
        }
        let (ct, out) = (self.ct(), self.at(out));
        let arguments = ["colorize", text(&ct), "--out", text(&out), "--weights", text(&weights)];
        run(&[&arguments, more].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn assert_no_identity(run: &Run) {
    for secret in ["GEHEIM", "4711"] {
        assert!(!run.out.contains(secret) && !run.err.contains(secret), "{}{}", run.out, run.err);
    }
}

#[test]
fn help_is_a_manual_and_the_version_is_there() {
    let help = run(&["--help"]).well().out;
    for word in ["colorize", "inspect", "import-weights", "weights", "bench", "--device", "Exit codes", "not a medical"]
    {
        assert!(help.contains(word), "{word} in: {help}");
    }
    let help = run(&["colorize", "--help"]).well().out;
    for word in ["--out", "--series", "--slices", "--weights", "--device", "--panes", "--format", "--window"] {
        assert!(help.contains(word), "{word} in: {help}");
    }
    assert_eq!(run(&["--version"]).well().out, format!("ct2rgb {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_told_with_code_2() {
    run(&["inspect", "sample", "--colour"]).fails(2, &["--colour"]);
    run(&["colorize", "sample"]).fails(2, &["--out"]);
    run(&["colorize", "sample", "--out", "x", "--device", "gpu"]).fails(2, &["auto, cpu, cuda or metal", "gpu"]);
    run(&["colorize", "sample", "--out", "x", "--slices", "0..3"]).fails(2, &["1 ≤ A ≤ B"]);
    run(&["colorize", "sample", "--out", "x", "--panes", "--window", "belly"]).fails(2, &["soft-tissue", "belly"]);
    run(&["colorise"]).fails(1, &["no such file, folder or subcommand", "colorise"]);
}

#[test]
fn colorize_writes_a_picture_for_each_slice_and_a_rerun_keeps_finished_ones() {
    let study = Study::new();
    let first = study.colorize("out", &[]).well();
    assert!(first.err.contains("on CPU") && first.err.contains("3 slices written"), "{}", first.err);
    assert!(first.out.is_empty(), "standard output belongs to results: {}", first.out);
    assert_no_identity(&first);
    let pictures = ["slice_0001.png", "slice_0002.png", "slice_0003.png"];
    assert_eq!(names_in(&study.at("out")), pictures);
    let size = image::image_dimensions(study.at("out").join(pictures[0])).unwrap();
    assert!(size.0 >= 40 && size.1 > 40, "the CT's own resolution, and a line for the mark: {size:?}");
    let bytes = |name: &str| std::fs::read(study.at("out").join(name)).unwrap();
    let before = pictures.map(bytes);

    std::fs::remove_file(study.at("out").join(pictures[1])).unwrap();
    let second = study.colorize("out", &[]).well();
    assert!(second.err.contains("1 slice written, 2 slices there already"), "{}", second.err);
    assert_eq!(pictures.map(bytes), before, "the same pictures again");
    let third = study.colorize("out", &["--overwrite"]).well();
    assert!(third.err.contains("3 slices written"), "{}", third.err);
}

#[test]
fn colorize_takes_a_part_and_other_forms() {
    let study = Study::new();
    study.colorize("part", &["--slices", "2..3", "--panes", "--window", "-600/1500"]).well();
    assert_eq!(names_in(&study.at("part")), ["slice_0002.png", "slice_0003.png"]);
    let (width, height) = image::image_dimensions(study.at("part").join("slice_0002.png")).unwrap();
    assert!(width > 2 * height, "three panes side by side: {width} × {height}");
    study.colorize("volume", &["--format", "nifti", "--device", "cpu"]).well();
    assert_eq!(names_in(&study.at("volume")).len(), 1, "one volume");
    study.colorize("none", &["--format", "nifti", "--panes"]).fails(1, &["no panes"]);
}

#[test]
fn colorize_chooses_a_series_by_number_or_uid_and_lists_them_otherwise() {
    let study = Study::new();
    let other = Phantom { slices: 2, ..body() };
    let files: Vec<_> = (0..2)
        .map(|slice| (format!("other{slice}.dcm"), body_slice(&other, slice).text(SERIES_UID, *b"UI", "1.2.3.9")))
        .collect();
    write_files(&study.ct(), &files, EXPLICIT);
    let whole = study.colorize("largest", &[]).well();
    assert!(whole.err.contains("also here, with --series: 2 (Phantom, 2 slices)"), "{}", whole.err);
    assert_eq!(names_in(&study.at("largest")).len(), 3);
    study.colorize("uid", &["--series", "1.2.3.9"]).well();
    assert_eq!(names_in(&study.at("uid")).len(), 2);
    study.colorize("number", &["--series", "2"]).well();
    assert_eq!(names_in(&study.at("number")).len(), 2);
    study
        .colorize("none", &["--series", "7"])
        .fails(1, &["no series 7 here; there are 1 (Phantom, 3 slices); 2 (Phantom, 2 slices)"]);
    assert!(!study.at("none").exists(), "nothing is written");
}

#[test]
fn colorize_refuses_slices_and_folders_that_cannot_be() {
    let study = Study::new();
    study.colorize("out", &["--slices", "2..9"]).fails(1, &["slices 2..9 were asked for, and the series has 1..3"]);
    assert!(!study.at("out").exists(), "nothing is written");
    std::fs::write(study.at("file"), "in the way").unwrap();
    study.colorize("file", &[]).fails(1, &["there is no such folder"]);
    study.colorize("file/below", &[]).fails(1, &["there is no such folder"]);
    study.colorize("ct", &[]).fails(1, &["the folder holds the CT itself"]);
    let nowhere = study.at("nowhere");
    run(&["colorize", text(&nowhere), "--out", "x"]).fails(1, &["file could not be read"]);
    assert_eq!(std::fs::read(study.at("file")).unwrap(), b"in the way", "and nothing is lost");
}

#[test]
fn a_slice_that_cannot_be_read_is_named_and_the_others_are_written() {
    let study = Study::new();
    let bytes = body_slice(&body(), 1).file_bytes(EXPLICIT);
    std::fs::write(study.ct().join("1.dcm"), &bytes[..bytes.len() - 100]).unwrap();
    study.colorize("out", &[]).fails(3, &["no colour for slice 2: ", "2 slices written"]);
    assert_eq!(names_in(&study.at("out")), ["slice_0001.png", "slice_0003.png"]);
    let ct = study.ct();
    let report = run(&["inspect", text(&ct), "--json", "--read"]).well().json();
    assert_eq!(report["series"][0]["pixels"]["missing"][0]["slice"], 2);
    assert_eq!(report["series"][0]["pixels"]["slices_read"], 2);
}

#[test]
fn inspect_reports_series_in_words_and_as_one_json_document() {
    let study = Study::new();
    let ct = study.ct();
    let words = run(&["inspect", text(&ct), "--read"]).well();
    for part in [
        "series 1: Phantom",
        "3 slices of 40 × 40 pixels, 8 × 8 mm, 2.5 mm apart",
        "Explicit VR Little Endian",
        "axial: left R, right L, top A, bottom P; from",
        "read: 3 slices, -1000 to 620 HU",
    ] {
        assert!(words.out.contains(part), "{part} in: {}", words.out);
    }
    let report = run(&["inspect", text(&ct), "--json"]).well().json();
    let series = &report["series"][0];
    assert_eq!((&series["number"], &series["slices"], &series["kind"]), (&1.into(), &3.into(), &"DICOM".into()));
    assert_eq!(series["pixel_size_mm"], serde_json::json!([8.0, 8.0]));
    assert_eq!(series["orientation"]["left"], "R");
    assert_eq!(report["warnings"], serde_json::json!([]));
    run(&["inspect", text(&study.at("nowhere"))]).fails(1, &["file could not be read"]);
}

#[test]
fn who_is_on_the_pictures_is_shown_only_when_asked_for() {
    let study = Study::new();
    let ct = study.ct();
    for arguments in [&["inspect", text(&ct)][..], &["inspect", text(&ct), "--json", "--read"]] {
        assert_no_identity(&run(arguments).well());
    }
    let (damaged, out) = (study.at("damaged"), study.at("out"));
    let bytes = body_slice(&body(), 0).number(ROWS, 0).file_bytes(EXPLICIT);
    std::fs::write(&damaged, bytes).unwrap();
    assert_no_identity(&run(&["colorize", text(&damaged), "--out", text(&out)]).fails(1, &["0 rows"]));
    let shown = run(&["inspect", text(&ct), "--json", "--identity"]).well().json();
    assert_eq!(shown["series"][0]["identity"]["name"], PATIENT_NAME);
    let shown = run(&["inspect", text(&ct), "--identity"]).well().out;
    assert!(shown.contains(PATIENT_NAME) && shown.contains(PATIENT_ID), "{shown}");
}

#[test]
fn weights_shows_the_card_of_the_bundled_ones() {
    let words = run(&["weights", "bundled"]).well().out;
    for part in ["ct2rgb laptop", "head, neck, abdomen", "32 base channels", "CC0-1.0", "256 × 256", "fine-tuned from"]
    {
        assert!(words.contains(part), "{part} in: {words}");
    }
    let card = run(&["weights", "bundled", "--json"]).well().json();
    assert_eq!((&card["base_channels"], &card["input_channels"]), (&32.into(), &3.into()));
    assert_eq!(card["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(card["recipe"]["size"], 256);
}

#[test]
fn import_weights_makes_a_file_that_weights_shows_and_does_not_replace_one() {
    let folder = tempfile::tempdir().unwrap();
    for fixture in ["pix2pix_zip.pth", "pix2pix_old.pth"] {
        let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
        let weights = folder.path().join(fixture).with_extension("safetensors");
        let more = ["--name", "small", "--licence", "CC0-1.0", "--regions", "head,neck", "--norm", "picture"];
        run(&[&["import-weights", text(&checkpoint), text(&weights)][..], &more].concat()).well();
        let card = run(&["weights", text(&weights), "--json"]).well().json();
        assert_eq!((&card["name"], &card["norm"]), (&"small".into(), &"picture".into()));
        assert_eq!(card["regions"], serde_json::json!(["head", "neck"]));
        let again = ["import-weights", text(&checkpoint), text(&weights)];
        run(&again).fails(1, &["there already", "--overwrite"]);
        run(&[&again[..], &["--recipe", "direct", "--overwrite"]].concat())
            .fails(1, &["takes 3 input channels, and the recipe makes 1"]);
    }
    let nothing = folder.path().join("nothing.pth");
    std::fs::write(&nothing, "no checkpoint").unwrap();
    let out = folder.path().join("out.safetensors");
    run(&["import-weights", text(&nothing), text(&out)]).fails(1, &["the checkpoint cannot be imported"]);
    assert!(!out.exists(), "nothing is written");
}

#[test]
fn weights_that_cannot_be_used_stop_colorize_before_anything_is_written() {
    let study = Study::new();
    study.colorize("good", &[]).well();
    let (ct, out, weights) = (study.ct(), study.at("bad"), study.at("bad.safetensors"));
    let good = std::fs::read(study.at("small.safetensors")).unwrap();
    let mut reshaped = good.clone();
    // A convolution claims another shape of as many values.
    let place = reshaped.windows(9).position(|bytes| bytes == b"[4,2,4,4]").unwrap();
    reshaped[place..place + 9].copy_from_slice(b"[2,4,4,4]");
    let cases: [(&[u8], &str); 4] = [
        (&good[..good.len() / 2], "damaged or cut short"),
        (&reshaped, "expected shape"),
        (b"PK\x03\x04 a PyTorch checkpoint", "import-weights"),
        (b"", "not a safetensors file"),
    ];
    for (bytes, message) in cases {
        std::fs::write(&weights, bytes).unwrap();
        run(&["colorize", text(&ct), "--out", text(&out), "--weights", text(&weights)]).fails(1, &[message]);
        run(&["weights", text(&weights)]).fails(1, &["the weights cannot be used", message]);
    }
    let missing = study.at("missing.safetensors");
    run(&["colorize", text(&ct), "--out", text(&out), "--weights", text(&missing)])
        .fails(1, &["cannot read the weights file"]);
    assert!(!out.exists(), "nothing is written");
}

#[test]
fn bench_prints_one_json_object_a_line() {
    let generator = ["generator", "--base-channels", "1", "--sizes", "256", "--batches", "1", "--runs", "1"];
    let step = ["train-step", "--base-channels", "1", "--sizes", "256", "--batches", "1", "--runs", "1"];
    let cases: [(&[&str], usize); 5] = [
        (&["load", "sample:2", "--runs", "1"], 2),
        (&["preprocess", "--runs", "1"], 4),
        (&["slice", "--runs", "1"], 1),
        (&generator, 1),
        (&step, 1),
    ];
    for (what, lines) in cases {
        let run = run(&[&["bench", "--json"], what].concat()).well();
        let rows: Vec<Json> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), lines, "{}", run.out);
        for row in rows {
            assert!(row["what"].is_string() && row["size"].is_u64() && row["threads"].is_u64(), "{row}");
            assert!(row["secs"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
    run(&["bench", "generator", "--sizes", "100"]).fails(1, &["multiples of 256"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = std::process::Command::new(PROGRAM)
        .args(["inspect", "sample", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    Run::of(child.wait_with_output().unwrap()).well();
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_finished_slices_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = ["colorize", "sample:2", "--out", text(&out)];
    let mut child = std::process::Command::new(PROGRAM).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
    while !out.join("slice_0002.png").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success(), "the signal is sent");
    let stopped = Run::of(child.wait_with_output().unwrap());
    let finished = names_in(&out);
    assert!(finished.iter().all(|name| name.starts_with("slice_")), "{finished:?}");
    if stopped.code == 0 {
        // Faster than the signal: there is nothing to go on with.
        return;
    }
    let stopped = stopped.fails(130, &["stopped; ", "the same command goes on from there"]);
    let last = finished.len().min(3);
    let slices = format!("1..{last}");
    let again = run(&[&arguments[..], &["--slices", &slices]].concat()).well();
    assert!(again.err.contains("there already"), "{}{}", stopped.err, again.err);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_viewer_points_to_colorize() {
    let mut command = Command::new(PROGRAM);
    for variable in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(variable);
    }
    Run::of(command.output().unwrap()).fails(1, &["ct2rgb colorize"]);
}
