//! Small valid files with bytes flipped, overwritten, swapped, cut and removed: each ends in a volume or an error, with no panic and no
//! hang. Pictures and NIfTI: `other_formats.rs`; weights and checkpoints: `weights.rs`, `import.rs`.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;

use std::io::Write as _;
use std::path::Path;

use common::*;
use ct2rgb::io::{LoadError, ReadRequest, scan};
use ct2rgb::units::{CancelFlag, SliceIndex};

/// Pseudo-random numbers without a seed from outside: the same cases on every machine (xorshift of Marsaglia 2003).
struct Cases(u64);

impl Cases {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Flips, overwrites, swaps, cuts or removes bytes behind the first `kept`.
    fn mutate(&mut self, bytes: &mut Vec<u8>, kept: usize) {
        for _ in 0..=self.below(3) {
            let at = kept + self.below(bytes.len().saturating_sub(kept).max(1));
            let other = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0, 0xFF, 0x7F, 0x80][self.below(4)],
                2 => bytes.swap(at, other),
                3 => bytes.truncate(at.max(kept + 12)),
                _ => {
                    let end = (at + 1 + self.below(8)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            bytes.resize(bytes.len().max(kept + 12), 0);
        }
    }
}

/// Opens `cases` changed copies of a file, in a folder of its own each with the files that `beside` writes; counts those that gave a volume.
fn volumes_of(
    name: &str,
    cases: usize,
    beside: &dyn Fn(&Path),
    changed: &mut dyn FnMut(&mut Cases) -> Vec<u8>,
) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Cases(0x9E37_79B9_7F4A_7C15 ^ name.len() as u64);
    let mut volumes = 0;
    for case in 0..cases {
        // A new file each time: to overwrite one makes some file systems wait for the disk.
        let place = folder.path().join(case.to_string());
        std::fs::create_dir(&place).unwrap();
        beside(&place);
        let path = place.join(name);
        std::fs::write(&path, changed(&mut random)).unwrap();
        let outcome = std::panic::catch_unwind(|| open_and_read(&path));
        volumes += usize::from(outcome.unwrap_or_else(|_| panic!("case {case} of {name} must not panic")));
        std::fs::remove_dir_all(&place).unwrap();
    }
    volumes
}

/// Whether a volume came of it.
fn open_and_read(path: &Path) -> bool {
    let cancel = CancelFlag::new();
    let Ok(found) = scan(path, &cancel, &|_| {}) else { return false };
    for series in found.series.iter().filter(|series| series.info().rows * series.info().columns < 1 << 20) {
        let volume = series.pending_volume();
        let request = ReadRequest { first: SliceIndex(0), cancel: &cancel, on_slice: &|_| {} };
        match series.read_into(&volume, &request) {
            Ok(_) => assert_eq!(volume.settled_count(), volume.slice_count(), "every slice is read or missing"),
            Err(LoadError::Cancelled) => panic!("nobody cancelled"),
            Err(_) => {}
        }
    }
    true
}

fn small() -> Phantom {
    Phantom { columns: 6, rows: 4, ..Phantom::default() }
}

/// Most changes hit something that does not matter: a test would be hollow if all were refused.
fn assert_some(volumes: usize, cases: usize) {
    assert!(volumes > cases / 10, "{volumes} of {cases} changed files could be read");
}

#[test]
fn dicom_of_every_uncompressed_kind_ends_in_a_volume_or_an_error() {
    const CASES: usize = 1200;
    let small = small();
    let frames: Vec<Vec<u8>> = (0..2).map(|s| rle_frame(&small.cells(s))).collect();
    let fragments = Value::Fragments([vec![Vec::new()], frames].concat());
    let place = DataSet::default().items((0x0020, 0x9113), vec![DataSet::default().text(POSITION, *b"DS", "0\\0\\1")]);
    let multi_frame = small.header().text(FRAMES, *b"IS", "2").items((0x5200, 0x9230), vec![place.clone(), place]);
    let seeds = [
        ("explicit", small.slice(0).file_bytes(EXPLICIT)),
        ("implicit", small.slice(0).file_bytes(IMPLICIT)),
        ("big endian", small.slice(0).file_bytes(BIG_ENDIAN)),
        ("deflated", small.slice(0).file_bytes(DEFLATED)),
        ("multi-frame", multi_frame.clone().value(PIXELS, *b"OW", Value::Words(small.cells(0))).file_bytes(EXPLICIT)),
        ("RLE", multi_frame.value(PIXELS, *b"OB", fragments).file_bytes(RLE)),
    ];
    let (kinds, mut volumes) = (seeds.len(), 0);
    for (name, seed) in seeds {
        volumes += volumes_of(name, CASES, &|_| {}, &mut |random| {
            let mut bytes = seed.clone();
            // The preamble means nothing.
            random.mutate(&mut bytes, 128);
            bytes
        });
    }
    assert_some(volumes, kinds * CASES);
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/codecs/", $name)).as_slice()
    };
}

#[test]
fn compressed_pictures_end_in_a_volume_or_an_error() {
    const CASES: usize = 150;
    let phantom = Phantom { columns: 61, rows: 47, is_signed: false, ..Phantom::default() };
    let seeds = [
        ("4.50", fixture!("pillow_8_baseline_restart.jpg"), 8),
        ("4.51", fixture!("dcmtk_12_extended.jpg"), 12),
        ("4.57", fixture!("dcmtk_16_predictor_6.jpg"), 16),
        ("4.70", fixture!("dcmtk_16_predictor_1.jpg"), 16),
        ("4.80", fixture!("charls_16.jls"), 16),
        ("4.81", fixture!("charls_16_near_3.jls"), 16),
        ("4.90", fixture!("openjpeg_16.j2k"), 16),
        ("4.201", fixture!("openjph_16.jph"), 16),
        ("4.110", fixture!("libjxl_16.jxl"), 16),
    ];
    for (syntax, codestream, bits) in seeds {
        let allocated = if bits == 8 { 8 } else { 16 };
        let kind = Phantom { bits_allocated: allocated, bits_stored: bits, high_bit: bits - 1, ..phantom.clone() };
        let header = kind.slice(0);
        volumes_of(syntax, CASES, &|_| {}, &mut |random| {
            let mut fragment = codestream.to_vec();
            random.mutate(&mut fragment, 2);
            fragment.resize(fragment.len().next_multiple_of(2), 0);
            let pixels = Value::Fragments(vec![Vec::new(), fragment]);
            header.clone().value(PIXELS, *b"OB", pixels).file_bytes(&format!("1.2.840.10008.1.2.{syntax}"))
        });
    }
}

#[test]
fn archives_and_directories_end_in_a_volume_or_an_error() {
    const CASES: usize = 500;
    let phantom = small();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, slice) in phantom.files() {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&slice.file_bytes(EXPLICIT)).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    let volumes = volumes_of("study.zip", CASES, &|_| {}, &mut |random| {
        let mut bytes = archive.clone();
        random.mutate(&mut bytes, 4);
        bytes
    });
    assert_some(volumes, CASES);
    let record = |name: String| DataSet::default().text((0x0004, 0x1500), *b"CS", &name);
    let records = phantom.files().into_iter().map(|(name, _)| record(name)).collect();
    let directory = DataSet::default().items((0x0004, 0x1220), records).file_bytes(EXPLICIT);
    let volumes = volumes_of("DICOMDIR", CASES, &|place| phantom.write_to(place), &mut |random| {
        let mut bytes = directory.clone();
        random.mutate(&mut bytes, 128);
        bytes
    });
    assert_some(volumes, CASES);
}

#[test]
fn volumes_changed_before_they_are_gzipped_end_in_a_volume_or_an_error() {
    const CASES: usize = 500;
    // Changed inside, with a checksum that is right: what a damaged disk does not do, and a broken program does.
    let mut whole = vec![0; 352];
    for (at, number) in [(40, 3_i16), (42, 5), (44, 4), (46, 3), (70, 4), (72, 16), (254, 1)] {
        whole[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    whole[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (at, number) in
        [(76, 1.0_f32), (80, 0.5), (84, 0.75), (88, 2.0), (108, 352.0), (280, 0.5), (300, 0.75), (320, 2.0)]
    {
        whole[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    whole[344..348].copy_from_slice(b"n+1\0");
    whole.extend((0..60_i16).flat_map(|index| (index * 20 - 1000).to_le_bytes()));
    let volumes = volumes_of("a.nii.gz", CASES, &|_| {}, &mut |random| {
        let mut bytes = whole.clone();
        random.mutate(&mut bytes, 4);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&bytes).unwrap();
        packer.finish().unwrap()
    });
    assert_some(volumes, CASES);
}
