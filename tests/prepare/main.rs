//! Pairs from the Visible Human's originals: synthetic files in every layout give back the shift and scale that were put in,
//! and each slice that is left out is named with its reason.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/lzw.rs"]
mod lzw;
mod phantom;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ct2rgb::model::Seed;
use ct2rgb::training::prepare::{PrepareJob, PrepareReport, SetReport, prepare_visible_human};
use ct2rgb::training::{PairTable, SplitRule};
use ct2rgb::units::CancelFlag;
use phantom::{CT_MM, CT_SIDE, GELATIN, HOLLOW_AT, MUSCLE, MUSCLE_AT, Photo, RAW, RAW_MM, SPINE_AT, Truth};

const TRUTH: Truth = Truth { scale: 0.97, shift_mm: [13.0, -9.0] };
const RULE: SplitRule = SplitRule { held_out_share: 0.2, seed: Seed(1) };

/// Folders for CT, photographs and pairs.
struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["ct", "rgb"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn job(&self) -> PrepareJob {
        let (ct, rgb, out) = (self.path("ct"), self.path("rgb"), self.path("out"));
        PrepareJob { ct, rgb, out, ct_mm: None, rgb_mm: None, split: Some(RULE) }
    }

    fn prepare(&self) -> PrepareReport {
        prepare_visible_human(&self.job(), &|_| {}, &CancelFlag::new()).unwrap()
    }
}

/// What a job that fails says, with its causes.
fn problem(job: &PrepareJob) -> String {
    let error = prepare_visible_human(job, &|_| {}, &CancelFlag::new()).unwrap_err();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn rejections(report: &PrepareReport) -> Vec<(String, &'static str)> {
    report.rejected.iter().map(|one| (format!("{}{}", one.set, one.slice), one.reason.code())).collect()
}

/// A colour of a written photograph, at a place in mm from the CT's centre.
fn color_at(path: &Path, mm_per_pixel: f64, place_mm: [f64; 2]) -> [u8; 3] {
    let picture = image::open(path).unwrap().into_rgb8();
    let side = [picture.width(), picture.height()];
    let at: [u32; 2] = std::array::from_fn(|k| (place_mm[k] / mm_per_pixel + f64::from(side[k]) / 2.0) as u32);
    picture.get_pixel(at[0], at[1]).0
}

fn assert_close(found: [u8; 3], expected: [u8; 3], what: &str) {
    let is_close = (0..3).all(|k| found[k].abs_diff(expected[k]) <= 6);
    assert!(is_close, "{what} is {found:?}, expected {expected:?}");
}

fn assert_in_place(set: &SetReport, truth: Truth) {
    let off_mm = truth.furthest_off_mm(set.scale, set.shift_mm);
    assert!(off_mm < 2.0, "{off_mm:.2} mm off: {set:?}");
}

/// Ten slices in NLM's layouts: packed in every way, a place holder, a torn slice, two damaged ones, and one without partner on
/// either side.
fn nlm_originals() -> Folders {
    let folders = Folders::new();
    let photo = || Photo::new(RAW, RAW_MM, TRUTH);
    for level in 1500..1510 {
        let genesis = phantom::genesis(level);
        match level {
            1502 => folders.save("ct/c_vm1502.fre.Z", &lzw::compress(&genesis)),
            1503 => folders.save("ct/c_vm1503.fre.gz", &gzip(&genesis)),
            _ => folders.save(&format!("ct/c_vm{level}.fre"), &genesis),
        }
        match level {
            1501 => folders.save("rgb/a_vm1501.raw.Z", &lzw::compress(&photo().raw(level))),
            1502 => folders.save("rgb/a_vm1502.raw.gz", &gzip(&photo().raw(level))),
            1504 => folders.save("rgb/a_vm1504.raw", &vec![2; RAW[0] * RAW[1] * 3]),
            1506 => folders.save("rgb/a_vm1506.raw", &photo().torn().raw(level)),
            1507 => folders.save("rgb/a_vm1507.raw", &photo().raw(level)[..5_000_000]),
            1508 => folders.save("rgb/a_vm1508.raw.Z", &[0x1F, 0x9D, 0x90, 0xFF, 0xFF, 0xFF]),
            1509 => {}
            _ => folders.save(&format!("rgb/a_vm{level}.raw"), &photo().raw(level)),
        }
    }
    folders.save("rgb/a_vm1600.raw", b"never read");
    folders.save("rgb/readme.txt", b"by NLM");
    folders
}

#[test]
fn nlm_originals_are_put_in_place_and_each_reject_is_named() {
    let folders = nlm_originals();
    let report = folders.prepare();
    let [set] = &report.sets[..] else { panic!("one set: {report:?}") };
    assert_eq!((set.name.as_str(), set.is_turned, set.warnings.len()), ("male_fresh", true, 0), "{set:?}");
    assert_in_place(set, TRUTH);
    let mut rejected = rejections(&report);
    rejected.sort();
    let expected = [
        ("1600", "no-ct"),
        ("male_fresh1504", "black"),
        ("male_fresh1506", "torn"),
        ("male_fresh1507", "unreadable-photograph"),
        ("male_fresh1508", "unreadable-photograph"),
        ("male_fresh1509", "no-photograph"),
    ];
    assert_eq!(rejected, expected.map(|(slice, reason)| (slice.to_owned(), reason)), "{:?}", report.rejected);
}

#[test]
fn nlm_originals_become_upright_pairs_on_the_ct_and_a_table() {
    let folders = nlm_originals();
    let report = folders.prepare();
    let set = &report.sets[0];
    let out = folders.path("out");
    let names = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&out.join("male_fresh")).len(), 10, "two files for each of 1500 to 1503 and 1505");
    assert_eq!(
        names(&out),
        ["contact_sheet_male_fresh.png", "male_fresh", "pairs.csv", "rejected.csv", "report.json"],
        "nothing else"
    );
    let photo = out.join("male_fresh/1501_rgb.png");
    assert_close(color_at(&photo, set.rgb_mm_per_px, MUSCLE_AT), MUSCLE, "muscle, at the front right");
    assert_close(color_at(&photo, set.rgb_mm_per_px, HOLLOW_AT), GELATIN, "gelatin in a hollow stays");
    assert_close(color_at(&photo, set.rgb_mm_per_px, SPINE_AT), [235, 215, 183], "the spine, at the back");
    assert_eq!(color_at(&photo, set.rgb_mm_per_px, [-200.0, 0.0]), [0; 3], "gelatin around the body is masked");
    let ct = image::open(out.join("male_fresh/1502_ct.png")).unwrap().into_luma16();
    let expected = phantom::ct_hu(1502);
    assert_eq!(ct.dimensions(), (CT_SIDE as u32, CT_SIDE as u32), "the CT's own grid");
    let middle = CT_SIDE / 2 * CT_SIDE + CT_SIDE / 2;
    assert_eq!(i32::from(ct.into_raw()[middle]), i32::from(expected[middle]) + 1024, "HU + 1024");

    let table = PairTable::read(&out.join("pairs.csv"), RULE).unwrap();
    let (train, held_out) = (table.split("train").unwrap(), table.split("val").unwrap());
    assert_eq!((train.len(), held_out.len()), (4, 1), "a seeded slab");
    assert!((held_out[0].ct_mm_per_pixel - CT_MM).abs() < 1e-6, "{held_out:?}");
    let per_ct = held_out[0].ct_mm_per_pixel / held_out[0].rgb_mm_per_pixel;
    assert!((per_ct - per_ct.round()).abs() < 1e-4 && per_ct > 4.0, "whole pixels, about as fine as the photographs");
}

#[test]
fn a_second_run_keeps_what_is_finished_and_makes_what_is_missing() {
    let folders = Folders::new();
    let photo = Photo::new([340, 202], 2.0, TRUTH);
    for level in 1001..1006 {
        folders.save(&format!("ct/c_vm{level}.fro"), &phantom::genesis(level));
        photo.save_png(level, &folders.path(&format!("rgb/a_vm{level}.png")));
    }
    let job = PrepareJob { rgb_mm: Some(2.0), ..folders.job() };
    let prepare = || prepare_visible_human(&job, &|_| {}, &CancelFlag::new()).unwrap();
    assert_eq!((prepare().pairs, prepare().sets[0].reused), (5, 5), "all of the first run");
    let kept = folders.path("out/male_frozen/1002_rgb.png");
    let written = |path: &Path| -> SystemTime { std::fs::metadata(path).unwrap().modified().unwrap() };
    let before = written(&kept);
    std::fs::write(folders.path("out/male_frozen/1003_rgb.png"), "half a picture").unwrap();
    let report = prepare();
    assert_eq!((report.pairs, report.sets[0].reused), (5, 4), "one was made again");
    assert_eq!(written(&kept), before, "the others were not touched");
}

#[test]
fn dicom_of_the_imaging_data_commons_is_paired_by_slice_location_and_position() {
    let folders = Folders::new();
    let photo = Photo::new([680, 404], 1.0, TRUTH);
    let ct: Vec<_> = (1200..1206).map(|level| (format!("{level}.dcm"), phantom::ct_dicom(level))).collect();
    common::write_files(&folders.path("ct"), &ct, common::EXPLICIT);
    let sections: Vec<_> = (1200..1206)
        .flat_map(|level| {
            let section = |third: f64| photo.dicom(level, f64::from(level) + third);
            [(format!("{level}.dcm"), section(0.0)), (format!("{level}b.dcm"), section(0.333))]
        })
        .collect();
    common::write_files(&folders.path("rgb"), &sections, common::IMPLICIT);
    let report = folders.prepare();
    let [set] = &report.sets[..] else { panic!("one set: {report:?}") };
    assert_eq!((set.name.as_str(), set.pairs, set.is_turned), ("ct", 6, true), "{set:?}");
    assert_in_place(set, TRUTH);
    assert_eq!(report.rejected.len(), 6, "the thirds between have no CT");
    assert_eq!(rejections(&report)[0], ("1200b".to_owned(), "no-ct"), "named as NLM does");
    let text = std::fs::read_to_string(folders.path("out/report.json")).unwrap();
    assert!(!text.contains(common::PATIENT_NAME) && !text.contains(common::PATIENT_ID), "no identity");
}

#[test]
fn pictures_that_do_not_say_how_large_a_pixel_is_get_it_from_the_photographs() {
    let folders = Folders::new();
    let truth = Truth { scale: 1.0, shift_mm: [-20.0, 12.0] };
    for level in 1500..1506 {
        phantom::save_ct_png(level, &folders.path(&format!("ct/c_vf{level}f.png")));
        Photo::new([676, 402], 1.0, truth).save_png(level, &folders.path(&format!("rgb/avf{level}a.png")));
    }
    assert!(problem(&folders.job()).contains("give --ct-mm or --rgb-mm"), "nothing says how large anything is");
    let job = PrepareJob { rgb_mm: Some(1.0), ..folders.job() };
    let report = prepare_visible_human(&job, &|_| {}, &CancelFlag::new()).unwrap();
    let set = &report.sets[0];
    assert_eq!((set.name.as_str(), set.pairs, set.is_turned), ("female", 6, false), "upright as they are: {set:?}");
    assert!((set.ct_mm_per_px / CT_MM - 1.0).abs() < 0.01, "{set:?}");
    assert_in_place(set, truth);
}

#[test]
fn a_photograph_that_slipped_and_one_of_another_size_are_named() {
    let folders = Folders::new();
    for level in 1500..1512 {
        folders.save(&format!("ct/c_vm{level}.fre"), &phantom::genesis(level));
        let (size, shift_mm) = match level {
            1505 => ([676, 402], [31.0, -9.0]),
            1508 => ([600, 402], TRUTH.shift_mm),
            _ => ([676, 402], TRUTH.shift_mm),
        };
        let photo = Photo::new(size, 1.0, Truth { shift_mm, ..TRUTH });
        photo.save_png(level, &folders.path(&format!("rgb/a_vm{level}.png")));
    }
    let job = PrepareJob { rgb_mm: Some(1.0), split: None, ..folders.job() };
    let report = prepare_visible_human(&job, &|_| {}, &CancelFlag::new()).unwrap();
    assert_in_place(&report.sets[0], TRUTH);
    let rejected = rejections(&report);
    assert_eq!(rejected[1], ("male_fresh1508".to_owned(), "wrong-size"), "{rejected:?}");
    assert!(rejected[0].0 == "male_fresh1505" && ["off-place", "torn"].contains(&rejected[0].1), "{rejected:?}");
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    let table = std::fs::read_to_string(folders.path("out/pairs.csv")).unwrap();
    assert!(table.starts_with("set,slice,ct,rgb,"), "no split was asked for: {table}");
    assert_eq!(table.lines().count(), 11, "{table}");
}

#[test]
fn originals_are_never_in_danger() {
    let folders = Folders::new();
    folders.save("ct/c_vm1500.fre", &phantom::genesis(1500));
    Photo::new([340, 202], 2.0, TRUTH).save_png(1500, &folders.path("rgb/a_vm1500.png"));
    for out in ["", "ct", "rgb", "rgb/pairs", "rgb/../ct/below"] {
        let job = PrepareJob { out: folders.path(out), ..folders.job() };
        assert!(problem(&job).contains("apart from the originals"), "{out}");
    }
    std::fs::create_dir(folders.path("mine")).unwrap();
    folders.save("mine/pairs.csv", b"my own table");
    let job = PrepareJob { out: folders.path("mine"), ..folders.job() };
    assert!(problem(&job).contains("not written by this command"), "{}", problem(&job));
    assert_eq!(std::fs::read(folders.path("mine/pairs.csv")).unwrap(), b"my own table");
    folders.save("file", b"in the way");
    let job = PrepareJob { out: folders.path("file"), rgb_mm: Some(2.0), ..folders.job() };
    assert!(problem(&job).contains("no such folder"), "{}", problem(&job));
}

#[test]
fn what_cannot_be_paired_is_said_before_any_work() {
    let folders = Folders::new();
    assert!(problem(&folders.job()).contains("folder is empty"), "{}", problem(&folders.job()));
    folders.save("rgb/readme.txt", b"nothing");
    let said = problem(&folders.job());
    assert!(said.contains("no photograph of a cryosection found among 1 files"), "{said}");
    Photo::new([340, 202], 2.0, TRUTH).save_png(1700, &folders.path("rgb/a_vm1700.png"));
    assert!(problem(&folders.job()).starts_with("the CT cannot be used: folder is empty"));
    folders.save("ct/c_vm1500.fre", &phantom::genesis(1500));
    folders.save("ct/c_vm1501.fre", &phantom::genesis(1501));
    let said = problem(&folders.job());
    assert!(said.contains("CT 1500 to 1501, photographs 1700"), "{said}");
    let job = PrepareJob { ct: folders.path("gone"), ..folders.job() };
    assert!(problem(&job).contains("could not be read"), "{}", problem(&job));
    let job = PrepareJob { ct_mm: Some(f64::NAN), ..folders.job() };
    assert!(problem(&job).contains("--ct-mm is NaN"), "{}", problem(&job));
    assert!(!folders.path("out").exists(), "nothing was written");
}

#[test]
fn slices_that_agree_on_no_place_end_in_an_error_and_a_report() {
    let folders = Folders::new();
    for (level, x) in [(1500, -50.0), (1501, 0.0), (1502, 50.0)] {
        folders.save(&format!("ct/c_vm{level}.fre"), &phantom::genesis(level));
        let truth = Truth { scale: 1.0, shift_mm: [x, 0.0] };
        Photo::new([400, 202], 2.0, truth).save_png(level, &folders.path(&format!("rgb/a_vm{level}.png")));
    }
    let job = PrepareJob { rgb_mm: Some(2.0), ..folders.job() };
    let said = problem(&job);
    assert!(said.contains("1 of 3 slices agree"), "{said}");
    let rejected = std::fs::read_to_string(folders.path("out/rejected.csv")).unwrap();
    assert_eq!(rejected.matches("unregistered-set").count(), 3, "{rejected}");
}

#[test]
fn a_cancelled_run_stops() {
    let folders = Folders::new();
    folders.save("ct/c_vm1500.fre", &phantom::genesis(1500));
    Photo::new([340, 202], 2.0, TRUTH).save_png(1500, &folders.path("rgb/a_vm1500.png"));
    let cancel = CancelFlag::new();
    cancel.cancel();
    let error = prepare_visible_human(&folders.job(), &|_| {}, &cancel).unwrap_err();
    assert!(error.to_string().starts_with("cancelled"), "{error}");
}

#[test]
fn the_command_prints_what_it_did_and_fails_with_a_reason() {
    let folders = Folders::new();
    let photo = Photo::new([340, 202], 2.0, TRUTH);
    for level in 1001..1004 {
        folders.save(&format!("ct/c_vm{level}.fre"), &phantom::genesis(level));
        photo.save_png(level, &folders.path(&format!("rgb/a_vm{level}.png")));
    }
    let command = |out: &str| {
        let mut command = assert_cmd::Command::cargo_bin("ct2rgb").unwrap();
        command.args(["prepare", "visible-human", "--rgb-mm", "2", "--json", "--ct"]).arg(folders.path("ct"));
        command.arg("--rgb").arg(folders.path("rgb")).arg("--out").arg(folders.path(out));
        command.output().unwrap()
    };
    let output = command("out");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["pairs"], &report["state"]), (&3.into(), &"finished".into()), "{report}");
    let output = command("ct");
    assert!(!output.status.success() && output.stdout.is_empty(), "the folder of the originals is refused");
    assert!(String::from_utf8_lossy(&output.stderr).contains("apart from the originals"), "with a reason");
}
