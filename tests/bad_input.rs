//! What a person reads when the input is bad. Weights: `weights.rs`, `import.rs`; folders to write into: `pictures.rs`, `cli.rs`;
//! NIfTI and pictures: `other_formats.rs`; archives that point outside: `dicom.rs`; bytes changed at random: `mutation.rs`.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;

use std::io::Write as _;
use std::path::Path;

use common::*;
use ct2rgb::units::SliceIndex;

fn error_of_bytes(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    scan_error(&folder.path().join(name))
}

fn error_of(data_set: &DataSet) -> String {
    error_of_bytes("slice.dcm", &data_set.file_bytes(EXPLICIT))
}

fn slice() -> DataSet {
    Phantom::default().slice(0)
}

#[test]
fn paths_without_ct_say_what_to_choose_instead() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(scan_error(folder.path()), "folder is empty; choose the folder that holds the CT");
    std::fs::write(folder.path().join("notes.txt"), "hello").unwrap();
    assert_eq!(
        scan_error(folder.path()),
        "no CT found among 1 files; choose a DICOM, NIfTI, DeepLesion or Visible Human CT"
    );
    assert_eq!(
        scan_error(&folder.path().join("nowhere")),
        "file could not be read; check that it still exists and that you may read it"
    );
    assert_eq!(
        error_of_bytes("report.dcm", b"%PDF-1.7 and so on"),
        "no CT found among 1 files (1 PDF); choose a DICOM, NIfTI, DeepLesion or Visible Human CT"
    );
    assert_eq!(
        error_of_bytes("empty.dcm", b""),
        "no CT found among 1 files; choose a DICOM, NIfTI, DeepLesion or Visible Human CT"
    );
}

#[test]
fn truncated_headers_are_named_as_such() {
    let bytes = slice().file_bytes(EXPLICIT);
    assert_eq!(
        error_of_bytes("cut.dcm", &bytes[..300]),
        "DICOM file cannot be used: element (0010,0020) claims 14 bytes where 8 are left"
    );
    assert_eq!(error_of_bytes("cut.dcm", &bytes[..150]), "DICOM file cannot be used: file ends within the header");
    assert_eq!(error_of(&slice().without(PIXELS)), "DICOM file cannot be used: file has a header and no pixel data");
}

#[test]
fn impossible_sizes_are_refused_before_anything_is_allocated() {
    assert_eq!(
        error_of(&slice().number(ROWS, 0)),
        "DICOM file cannot be used: picture has 0 rows; at least one is needed"
    );
    assert_eq!(
        error_of(&slice().number(ROWS, 65535).number(COLUMNS, 65535)),
        "DICOM file cannot be used: picture of 65535 × 65535 pixels is larger than 67108864 pixels"
    );
    assert_eq!(
        error_of(&slice().text(FRAMES, *b"IS", "1000000")),
        "DICOM file cannot be used: file claims 1000000 frames; 1 to 50000 are accepted"
    );
    assert_eq!(
        error_of(&slice().text(FRAMES, *b"IS", "50000").number(ROWS, 512).number(COLUMNS, 512)),
        "DICOM series cannot be used: volume of 26214400000 bytes is larger than the 17179869184 bytes this program accepts"
    );
}

#[test]
fn numbers_that_make_no_hu_or_no_lattice_are_refused() {
    let refusals = [
        (slice().text(SLOPE, *b"DS", "0"), "rescale slope is 0; a number other than 0 is needed"),
        (slice().text(SLOPE, *b"DS", "NaN"), "rescale slope is NaN; a number other than 0 is needed"),
        (slice().text(INTERCEPT, *b"DS", "abc"), "rescale intercept is NaN; a number is needed"),
        (
            slice().text(SPACING, *b"DS", "NaN\\0.5"),
            "pixel spacing is [NaN, 0.5]; two lengths in mm above 0 are needed",
        ),
        (slice().text(SPACING, *b"DS", "0.5"), "pixel spacing is [0.5]; two lengths in mm above 0 are needed"),
        (slice().number((0x0028, 0x0100), 32), "pixels have 32 bits; 8 or 16 are supported"),
        (slice().number((0x0028, 0x0101), 17), "17 of 16 bits are said to be used; 1 to 16 are possible"),
        (slice().number(HIGH_BIT, 3), "High Bit is 3; from 15 to 15 is possible here"),
        (
            slice().items((0x0028, 0x3000), vec![DataSet::default()]),
            "values are given by a Modality LUT (0028,3000), which is not supported; export with rescale slope and intercept",
        ),
    ];
    for (data_set, message) in refusals {
        assert_eq!(error_of(&data_set), format!("DICOM file cannot be used: {message}"));
    }
}

#[test]
fn other_kinds_of_dicom_are_named() {
    assert_eq!(
        error_of(&slice().text(MODALITY, *b"CS", "MR")),
        "an MR series is not CT and has no Hounsfield units; choose a CT series"
    );
    assert_eq!(
        error_of(&slice().text(SOP_CLASS, *b"UI", "1.2.840.10008.5.1.4.1.1.7")),
        "a secondary capture (a picture of a screen or a scanned page) is not CT and has no Hounsfield units; choose a CT series"
    );
    assert_eq!(
        error_of(&slice().number((0x0028, 0x0002), 3).text((0x0028, 0x0004), *b"CS", "RGB")),
        "a colour picture (RGB) is not CT and has no Hounsfield units; choose a CT series"
    );
}

#[test]
fn an_mr_and_damaged_files_beside_a_ct_cost_a_warning_and_nothing_else() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    phantom.write_to(folder.path());
    let others = [("mr", slice().text(MODALITY, *b"CS", "MR")), ("slope", slice().text(SLOPE, *b"DS", "0"))];
    write_files(folder.path(), &others.map(|(n, d)| (n.to_owned(), d)), EXPLICIT);
    let found = scan_path(folder.path());
    assert_eq!(codes(&found.warnings), ["not-ct", "unusable-file"]);
    assert_eq!(found.warnings[0].message, "1 DICOM file was left out: not CT but an MR series");
    phantom.assert_equal(&read(&found.series[0]).0);
}

#[test]
fn patients_are_kept_apart_and_their_number_is_told() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    phantom.write_to(folder.path());
    for s in 0..2 {
        let other = phantom.slice(s).text(PATIENT_ID_TAG, *b"LO", "ANOTHER");
        write_files(folder.path(), &[(format!("x{s}"), other)], EXPLICIT);
    }
    let found = scan_path(folder.path());
    let counts: Vec<_> = found.series.iter().map(|s| s.info().slice_count).collect();
    assert_eq!(counts, [4, 2]);
    assert_eq!(found.warnings[0].message, "files of 2 patients lie here; check that you show the right one");
}

#[test]
fn a_series_whose_pixels_are_all_cut_off_opens_with_a_reason_for_each_slice() {
    let bytes = slice().file_bytes(EXPLICIT);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), &bytes[..bytes.len() - 2]).unwrap();
    let (volume, warnings) = read(&scan_path(folder.path()).series[0]);
    assert_eq!(codes(&warnings), ["missing-slice"]);
    assert!(volume.ready_slice(SliceIndex(0)).is_none());
}

fn write_zip(path: &Path, name: &str, content: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap();
}

#[test]
fn zip_bombs_are_refused_by_what_they_claim_and_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    write_zip(&path, "bomb", &vec![0; 32 << 20]);
    let message = scan_error(&path);
    assert!(message.starts_with("ZIP archive claims "), "{message}");
    assert!(message.contains("bytes that unpack to 33554432: this is not how CT packs"), "{message}");

    // The same archive with a small size written in both headers: what is unpacked stays within it.
    let mut bytes = std::fs::read(&path).unwrap();
    let size = (32_u32 << 20).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == size).collect();
    for at in places {
        bytes[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(!scan_error(&path).is_empty());
    std::fs::write(&path, b"PK\x03\x04 and nothing else").unwrap();
    assert!(scan_error(&path).starts_with("ZIP archive cannot be used"), "{}", scan_error(&path));
}

#[test]
fn messages_hold_no_identity() {
    for data_set in [slice().number(ROWS, 0), slice().text(MODALITY, *b"CS", "MR"), slice().without(PIXELS)] {
        assert!(!error_of(&data_set).contains("GEHEIM"));
    }
}
