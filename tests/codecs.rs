//! Compressed DICOM through the public door: the pixels of every codec in HU, and what a person reads where there are none.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[expect(dead_code, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;

use common::*;
use ct2rgb::units::{SliceIndex, VoxelIndex};

const ROWS_OF_FIXTURES: usize = 47;
const COLUMNS_OF_FIXTURES: usize = 61;

/// The twin of `picture` in `fixtures/make_codecs.py`.
fn stored(row: usize, column: usize, bits: u16) -> i32 {
    let texture = (column * 37 + row * 91) % 256 * 3 + column * 20 + row * 15;
    let value = if row < 12 && column < 20 { 100 } else { texture };
    (if bits == 16 { value * 21 } else { value }) as i32 & ((1 << bits) - 1)
}

/// A slice whose pixels are one codestream.
fn slice(codestream: &[u8], bits: u16, is_signed: bool) -> DataSet {
    let phantom = Phantom {
        columns: COLUMNS_OF_FIXTURES,
        rows: ROWS_OF_FIXTURES,
        bits_stored: bits,
        high_bit: bits - 1,
        is_signed,
        intercept_hu: -1000.0,
        ..Phantom::default()
    };
    let mut fragment = codestream.to_vec();
    // PS3.5 A.4: fragments have an even length.
    fragment.resize(fragment.len().next_multiple_of(2), 0);
    phantom.slice(0).value(PIXELS, *b"OB", Value::Fragments(vec![Vec::new(), fragment]))
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/codecs/", $name)).as_slice()
    };
}

#[test]
fn every_lossless_codec_gives_the_hu_that_were_put_in() {
    let cases = [
        ("4.70", fixture!("dcmtk_16_predictor_1.jpg"), 16, 0),
        ("4.57", fixture!("dcmtk_16_predictor_6.jpg"), 16, 0),
        ("4.80", fixture!("charls_16.jls"), 16, 0),
        ("4.80", fixture!("dcmtk_12.jls"), 12, 0),
        ("4.90", fixture!("openjpeg_16.j2k"), 16, 0),
        ("4.90", fixture!("openjpeg_16_signed.j2k"), 12, 1024),
        ("4.201", fixture!("openjph_16.jph"), 16, 0),
        ("4.110", fixture!("libjxl_16.jxl"), 16, 0),
    ];
    for (syntax, codestream, bits, offset) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = slice(codestream, bits, offset > 0).file_bytes(&format!("1.2.840.10008.1.2.{syntax}"));
        std::fs::write(folder.path().join("slice"), file).unwrap();
        let series = scan_path(folder.path()).series.remove(0);
        assert_eq!(codes(&series.info().warnings), Vec::<&str>::new(), "{syntax}");
        let (volume, warnings) = read(&series);
        assert_eq!(codes(&warnings), Vec::<&str>::new(), "{syntax}");
        for row in 0..ROWS_OF_FIXTURES {
            for column in 0..COLUMNS_OF_FIXTURES {
                let mut sample = stored(row, column, bits) - offset;
                if offset > 0 && sample >= 1 << (bits - 1) {
                    // What does not fit into signed bits comes round.
                    sample -= 1 << bits;
                }
                let expected = (sample - 1000).clamp(-32768, 32767) as i16;
                let found = volume.value_hu(VoxelIndex { column, row, slice: 0 });
                assert_eq!(found, Some(expected), "{syntax} at column {column}, row {row}");
            }
        }
    }
}

#[test]
fn a_slice_with_a_codestream_of_another_size_or_a_cut_one_is_missing_with_the_reason() {
    let whole = fixture!("charls_16.jls");
    let wrong_size = fixture!("charls_16_strip_0.jls");
    let cases = [
        (wrong_size, "JPEG-LS codestream is 61 × 16 pixels of 1 samples, and the header says 61 × 47"),
        (&whole[..whole.len() / 2], "JPEG-LS codestream is damaged: it ends before its last pixel"),
    ];
    for (codestream, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = slice(codestream, 16, false).file_bytes("1.2.840.10008.1.2.4.80");
        std::fs::write(folder.path().join("slice"), file).unwrap();
        let (volume, warnings) = read(&scan_path(folder.path()).series[0]);
        assert!(volume.ready_slice(SliceIndex(0)).is_none());
        assert!(warnings[0].message.contains(reason), "{}", warnings[0].message);
        assert!(!warnings[0].message.contains("GEHEIM"), "{}", warnings[0].message);
    }
}

#[test]
fn a_syntax_without_a_decoder_is_named_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = slice(&[0; 16], 16, false).file_bytes("1.2.840.10008.1.2.4.100");
    std::fs::write(folder.path().join("slice"), file).unwrap();
    let series = scan_path(folder.path()).series.remove(0);
    assert_eq!(codes(&series.info().warnings), ["undecodable"]);
    assert!(series.info().warnings[0].message.starts_with("MPEG-2 cannot be decoded"));
}
