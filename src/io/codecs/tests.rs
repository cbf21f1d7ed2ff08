//! Each decoder against other people's encoders (`tests/fixtures/codecs`), against our own, and against damaged input.

use std::io::Write as _;

use super::encoders::{Lossless, encode_rle};
use super::*;

const ROWS: usize = 47;
const COLUMNS: usize = 61;

const RLE: &str = "1.2.840.10008.1.2.5";
const DEFLATED_FRAME: &str = "1.2.840.10008.1.2.8.1";
const BASELINE: &str = "1.2.840.10008.1.2.4.50";
const EXTENDED: &str = "1.2.840.10008.1.2.4.51";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";
const HTJ2K: &str = "1.2.840.10008.1.2.4.201";
const JPEG_XL: &str = "1.2.840.10008.1.2.4.110";

/// The twin of `picture` in `tests/fixtures/make_codecs.py`: texture, and a flat corner for run lengths.
fn picture(bits: u16) -> Vec<i32> {
    pixels(|row, column| {
        let texture = (column * 37 + row * 91) % 256 * 3 + column * 20 + row * 15;
        let value = if row < 12 && column < 20 { 100 } else { texture };
        (if bits == 16 { value * 21 } else { value }) & ((1 << bits) - 1)
    })
}

/// The twin of `smooth`: for coders with loss.
fn smooth(bits: u16) -> Vec<i32> {
    pixels(|row, column| (column * 3 + row) << (bits - 8))
}

fn pixels(value: impl Fn(i32, i32) -> i32) -> Vec<i32> {
    (0..(ROWS * COLUMNS) as i32).map(|n| value(n / COLUMNS as i32, n % COLUMNS as i32)).collect()
}

fn layout(bits_allocated: u16, bits_stored: u16) -> FrameLayout {
    FrameLayout { rows: ROWS, columns: COLUMNS, bits_allocated, bits_stored, is_signed: false, samples_per_pixel: 1 }
}

fn decode(uid: &str, codestream: &[u8], bits: u16) -> Vec<i32> {
    decode_frame(uid, codestream, &layout(if bits > 8 { 16 } else { 8 }, bits)).unwrap()
}

fn largest_difference(a: &[i32], b: &[i32]) -> i32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).max().unwrap()
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/codecs/", $name)).as_slice()
    };
}

const PREDICTORS: [&[u8]; 7] = [
    fixture!("dcmtk_16_predictor_1.jpg"),
    fixture!("dcmtk_16_predictor_2.jpg"),
    fixture!("dcmtk_16_predictor_3.jpg"),
    fixture!("dcmtk_16_predictor_4.jpg"),
    fixture!("dcmtk_16_predictor_5.jpg"),
    fixture!("dcmtk_16_predictor_6.jpg"),
    fixture!("dcmtk_16_predictor_7.jpg"),
];

#[test]
fn jpeg_lossless_of_dcmtk_gives_every_pixel_with_each_predictor() {
    for (index, codestream) in PREDICTORS.iter().enumerate() {
        assert_eq!(decode(LOSSLESS, codestream, 16), picture(16), "predictor {}", index + 1);
    }
}

#[test]
fn jpeg_lossless_starts_anew_after_each_restart_marker() {
    for predictor in 1..=7 {
        for (precision, rows_per_restart) in [(16, 1), (12, 3), (9, 47), (2, 10)] {
            let coder = Lossless { columns: COLUMNS, precision, predictor, point_transform: 0, rows_per_restart };
            let samples = picture(precision as u16);
            assert_eq!(decode(LOSSLESS, &coder.encode(&samples), 16), samples, "{coder:?}");
        }
    }
}

#[test]
fn jpeg_lossless_keeps_differences_of_half_the_range_and_the_point_transform() {
    let extremes = pixels(|row, column| if (row + column) % 2 == 0 { 0 } else { 1 << 15 });
    let coder = Lossless { columns: COLUMNS, precision: 16, predictor: 1, point_transform: 0, rows_per_restart: 0 };
    assert_eq!(decode(LOSSLESS, &coder.encode(&extremes), 16), extremes);
    let coder = Lossless { precision: 12, point_transform: 3, predictor: 4, ..coder };
    let rounded: Vec<i32> = picture(12).iter().map(|s| s & !7).collect();
    assert_eq!(decode(LOSSLESS, &coder.encode(&rounded), 16), rounded);
}

#[test]
fn a_restart_marker_that_is_missing_is_an_error_and_not_a_wrong_picture() {
    let coder = Lossless { columns: COLUMNS, precision: 16, predictor: 1, point_transform: 0, rows_per_restart: 4 };
    let mut codestream = coder.encode(&picture(16));
    let marker = codestream.windows(2).position(|w| w == [0xFF, 0xD1]).unwrap();
    codestream[marker + 1] = 0xD3;
    let error = decode_frame(LOSSLESS, &codestream, &layout(16, 16)).unwrap_err();
    assert!(error.to_string().contains("restart marker"), "{error}");
}

#[test]
fn jpeg_ls_of_charls_gives_every_pixel() {
    assert_eq!(decode(JPEG_LS, fixture!("charls_16.jls"), 16), picture(16));
    assert_eq!(decode(JPEG_LS, fixture!("charls_8.jls"), 8), picture(8));
    assert_eq!(decode(JPEG_LS, fixture!("dcmtk_12.jls"), 12), picture(12));
}

#[test]
fn jpeg_ls_with_loss_stays_within_its_bound_and_reaches_it() {
    for (codestream, bits, near) in
        [(fixture!("charls_16_near_3.jls"), 16, 3), (fixture!("dcmtk_12_near_2.jls"), 12, 2)]
    {
        assert_eq!(largest_difference(&decode(JPEG_LS, codestream, bits), &picture(bits)), near);
    }
}

#[test]
fn jpeg_ls_forgets_its_statistics_at_each_restart_marker() {
    // Strips coded one by one, joined as one scan with a restart every sixteen rows.
    let strips =
        [fixture!("charls_16_strip_0.jls"), fixture!("charls_16_strip_1.jls"), fixture!("charls_16_strip_2.jls")];
    let mut joined = vec![0xFF, 0xD8, 0xFF, 0xF7, 0, 11, 16, 0, ROWS as u8, 0, COLUMNS as u8, 1, 1, 0x11, 0];
    joined.extend([0xFF, 0xDD, 0, 4, 0, 16, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0]);
    for (index, strip) in strips.iter().enumerate() {
        let scan = strip.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 10;
        joined.extend(&strip[scan..strip.len() - 2]);
        joined.extend([0xFF, [0xD0, 0xD1, 0xD9][index]]);
    }
    assert_eq!(decode(JPEG_LS, &joined, 16), picture(16));
}

#[test]
fn sequential_jpeg_is_within_one_of_another_decoder() {
    let mut codestream = Vec::new();
    let bytes: Vec<u8> = picture(8).iter().map(|s| *s as u8).collect();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut codestream, 75)
        .encode(&bytes, COLUMNS as u32, ROWS as u32, image::ExtendedColorType::L8)
        .unwrap();
    let theirs = image::load_from_memory(&codestream).unwrap().into_luma8();
    let theirs: Vec<i32> = theirs.iter().map(|s| i32::from(*s)).collect();
    // Both round; an inverse transform with one cosine wrong is off by more than 20.
    assert!(largest_difference(&decode(BASELINE, &codestream, 8), &theirs) <= 1);
}

#[test]
fn sequential_jpeg_with_restarts_and_with_twelve_bits_is_within_its_loss() {
    // Quality 98: quantisation steps of 1 and 2, so errors of about 1 in 8 bits; without restarts the picture is lost.
    let restarts = decode(BASELINE, fixture!("pillow_8_baseline_restart.jpg"), 8);
    assert!(largest_difference(&restarts, &smooth(8)) <= 2);
    let twelve = decode(EXTENDED, fixture!("dcmtk_12_extended.jpg"), 12);
    assert!(largest_difference(&twelve, &smooth(12)) <= 4);
}

#[test]
fn jpeg_2000_and_its_high_throughput_sibling_give_every_pixel() {
    assert_eq!(decode(JPEG_2000, fixture!("openjpeg_16.j2k"), 16), picture(16));
    assert_eq!(decode(HTJ2K, fixture!("openjph_16.jph"), 16), picture(16));
    let signed: Vec<i32> = picture(12).iter().map(|s| s - 1024).collect();
    assert_eq!(decode(JPEG_2000, fixture!("openjpeg_16_signed.j2k"), 16), signed);
}

#[test]
fn jpeg_xl_gives_every_pixel_and_with_loss_nearly() {
    assert_eq!(decode(JPEG_XL, fixture!("libjxl_16.jxl"), 16), picture(16));
    // Distance 0.1: far below what an eye sees; one part in 256 is 256 here.
    assert!(largest_difference(&decode(JPEG_XL, fixture!("libjxl_16_lossy.jxl"), 16), &smooth(16)) <= 256);
}

#[test]
fn rle_and_deflated_frames_give_every_pixel() {
    for bits in [8, 16] {
        let samples = picture(bits);
        assert_eq!(decode(RLE, &encode_rle(&samples, usize::from(bits / 8)), bits), samples);
        let cells: Vec<u8> =
            samples.iter().flat_map(|s| s.to_le_bytes().into_iter().take(usize::from(bits / 8))).collect();
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&cells).unwrap();
        assert_eq!(decode(DEFLATED_FRAME, &packer.finish().unwrap(), bits), samples);
    }
}

/// One codestream of each codec, and whether a panic in its decoder would be ours.
fn all_codestreams() -> Vec<(&'static str, Vec<u8>, bool)> {
    let lossless = Lossless { columns: COLUMNS, precision: 12, predictor: 6, point_transform: 0, rows_per_restart: 5 };
    vec![
        (RLE, encode_rle(&picture(16), 2), true),
        (LOSSLESS, lossless.encode(&picture(12)), true),
        (LOSSLESS, PREDICTORS[4].to_vec(), true),
        (JPEG_LS, fixture!("dcmtk_12.jls").to_vec(), true),
        (JPEG_LS, fixture!("charls_16_near_3.jls").to_vec(), true),
        (BASELINE, fixture!("pillow_8_baseline_restart.jpg").to_vec(), true),
        (EXTENDED, fixture!("dcmtk_12_extended.jpg").to_vec(), true),
        (JPEG_2000, fixture!("openjpeg_16.j2k").to_vec(), false),
        (HTJ2K, fixture!("openjph_16.jph").to_vec(), false),
        (JPEG_XL, fixture!("libjxl_16.jxl").to_vec(), false),
    ]
}

#[test]
fn a_codestream_of_another_size_is_refused_by_every_codec_but_rle() {
    for (uid, codestream, _) in all_codestreams().into_iter().filter(|(uid, ..)| *uid != RLE) {
        for (rows, columns) in [(ROWS + 1, COLUMNS), (ROWS, COLUMNS - 1), (8192, 8192)] {
            let error = decode_frame(uid, &codestream, &FrameLayout { rows, columns, ..layout(16, 16) }).unwrap_err();
            assert!(matches!(error, CodecError::WrongSize { .. }), "{uid}: {error}");
        }
    }
    // RLE does not say its size: too few pixels are an error.
    let error = decode_frame(RLE, &encode_rle(&picture(16), 2), &FrameLayout { rows: 48, ..layout(16, 16) });
    assert!(matches!(error, Err(CodecError::Damaged { .. })));
}

#[test]
fn a_codestream_that_ends_early_is_an_error_and_never_half_a_picture() {
    for (uid, codestream, _) in all_codestreams() {
        for share in [0, 1, 5, 9] {
            let cut = &codestream[..codestream.len() * share / 10];
            assert!(decode_frame(uid, cut, &layout(16, 16)).is_err(), "{uid} cut to {share} tenths");
        }
    }
}

#[test]
fn damaged_codestreams_end_in_a_picture_or_an_error() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (uid, codestream, is_ours) in all_codestreams() {
        for _ in 0..400 {
            let mut damaged = codestream.clone();
            for _ in 0..=random(4) {
                // Headers are short: half of the damage goes there.
                let reach = if random(2) == 0 { damaged.len().min(100) } else { damaged.len() };
                let at = random(reach);
                match random(4) {
                    0 => damaged[at] ^= 1 << random(8),
                    1 => damaged[at] = [0, 0x7F, 0x80, 0xFF][random(4)],
                    2 => damaged.swap(at, reach - 1),
                    _ => {
                        damaged.remove(at);
                    }
                }
            }
            if let Err(CodecError::Damaged { codec: "compressed", .. }) = decode_frame(uid, &damaged, &layout(16, 16)) {
                assert!(!is_ours, "{uid} panicked");
            }
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_named_with_a_way_out() {
    let message = |uid: &str| check_support(uid).unwrap_err().to_string();
    assert_eq!(message("1.2.840.10008.1.2.4.102"), "MPEG-4 cannot be decoded by this build; it is a film, not a CT");
    assert!(message("1.2.840.10008.1.2.4.94").contains("JPIP"));
    assert!(
        message("1.2.3").contains("transfer syntax 1.2.3 cannot be decoded by this build; convert it with gdcmconv")
    );
    for uid in [RLE, DEFLATED_FRAME, BASELINE, EXTENDED, LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K, JPEG_XL] {
        assert_eq!(check_support(uid), Ok(()));
    }
}
