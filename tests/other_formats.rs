//! NIfTI, DeepLesion and Visible Human files, written in code: where their voxels lie, what their values are, what is refused.

#![expect(clippy::unwrap_used, reason = "clippy spares tests, and not the functions that they share")]

#[path = "common/lzw.rs"]
mod lzw;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ct2rgb::io::{LoadError, ReadRequest, Scan, Series, scan, scan_embedded};
use ct2rgb::units::{CancelFlag, SliceIndex, VoxelIndex};
use ct2rgb::volume::{CtVolume, SeriesWarning, WindowLevel};

fn open(path: &Path) -> Result<Scan, LoadError> {
    scan(path, &CancelFlag::new(), &|_| {})
}

fn read(series: &Series) -> (Arc<CtVolume>, Vec<SeriesWarning>) {
    let volume = series.pending_volume();
    let request = ReadRequest { first: SliceIndex(0), cancel: &CancelFlag::new(), on_slice: &|_| {} };
    let warnings = series.read_into(&volume, &request).unwrap();
    assert_eq!(volume.settled_count(), volume.slice_count(), "each slice is read or missing");
    (volume, warnings)
}

fn save(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn at(volume: &CtVolume, [column, row, slice]: [usize; 3]) -> Option<i16> {
    volume.value_hu(VoxelIndex { column, row, slice })
}

mod nifti {
    use super::*;

    const DIMS: [usize; 3] = [5, 4, 3];

    /// HU of the phantom at a place in the file; −1000 in the corner, so that it has air.
    fn value_hu(place: [usize; 3]) -> i16 {
        if place == [0; 3] { -1000 } else { (place[0] * 100 + place[1] * 10 + place[2]) as i16 }
    }

    /// Bytes of a voxel, little endian.
    type Cell = fn(i16) -> Vec<u8>;

    /// A NIfTI-1 file in the making; `Vec`s of header bytes are little endian until they are written.
    #[derive(Clone)]
    struct Phantom {
        dims: Vec<i16>,
        datatype: i16,
        bits: i16,
        slope: f32,
        intercept: f32,
        sizes: [f32; 4],
        quaternion: Option<[f32; 6]>,
        sform: Option<[[f32; 4]; 3]>,
        is_big_endian: bool,
        cell: Cell,
    }

    fn phantom() -> Phantom {
        Phantom {
            dims: DIMS.iter().map(|n| *n as i16).collect(),
            datatype: 4,
            bits: 16,
            slope: 0.0,
            intercept: 0.0,
            sizes: [1.0, 0.5, 0.75, 2.0],
            quaternion: None,
            // RAS: the file starts at the patient's left, back and feet.
            sform: Some([[0.5, 0.0, 0.0, -10.0], [0.0, 0.75, 0.0, -20.0], [0.0, 0.0, 2.0, 30.0]]),
            is_big_endian: false,
            cell: |v| v.to_le_bytes().to_vec(),
        }
    }

    /// The phantom as a file.
    pub fn phantom_bytes() -> Vec<u8> {
        phantom().bytes()
    }

    impl Phantom {
        fn bytes(&self) -> Vec<u8> {
            let mut bytes = vec![0; 352];
            let mut put = |offset: usize, mut field: Vec<u8>| {
                if self.is_big_endian {
                    field.reverse();
                }
                bytes[offset..offset + field.len()].copy_from_slice(&field);
            };
            put(0, 348_i32.to_le_bytes().to_vec());
            put(40, (self.dims.len() as i16).to_le_bytes().to_vec());
            for (k, n) in self.dims.iter().enumerate() {
                put(42 + 2 * k, n.to_le_bytes().to_vec());
            }
            put(70, self.datatype.to_le_bytes().to_vec());
            put(72, self.bits.to_le_bytes().to_vec());
            let mut put_all = |offset: usize, numbers: &[f32]| {
                for (k, n) in numbers.iter().enumerate() {
                    put(offset + 4 * k, n.to_le_bytes().to_vec());
                }
            };
            put_all(76, &self.sizes);
            put_all(108, &[352.0, self.slope, self.intercept]);
            put_all(256, &self.quaternion.unwrap_or_default());
            put_all(280, self.sform.unwrap_or_default().as_flattened());
            put(252, i16::from(self.quaternion.is_some()).to_le_bytes().to_vec());
            put(254, i16::from(self.sform.is_some()).to_le_bytes().to_vec());
            bytes[123] = 2;
            bytes[344..348].copy_from_slice(b"n+1\0");
            for k in 0..DIMS[2] {
                for j in 0..DIMS[1] {
                    for i in 0..DIMS[0] {
                        let mut cell = (self.cell)(value_hu([i, j, k]));
                        if self.is_big_endian {
                            cell.reverse();
                        }
                        bytes.extend(cell);
                    }
                }
            }
            bytes
        }

        fn open(&self, name: &str) -> Result<Scan, LoadError> {
            let folder = tempfile::tempdir().unwrap();
            let bytes = self.bytes();
            open(&save(&folder, name, &if name.strip_suffix(".gz").is_some() { gzip(&bytes) } else { bytes }))
        }

        fn refusal(&self) -> String {
            self.open("phantom.nii").unwrap_err().to_string()
        }
    }

    /// Every voxel of the file is found in the volume where the affine puts it in the patient.
    fn assert_in_place(series: &Series, volume: &CtVolume, affine_ras: &[[f32; 4]; 3], tolerance_hu: i16) {
        for place in (0..DIMS[0] * DIMS[1] * DIMS[2]).map(|n| [n % 5, n / 5 % 4, n / 20]) {
            let ras: [f64; 3] = std::array::from_fn(|k| {
                let row = affine_ras[k].map(f64::from);
                (0..3).map(|a| row[a] * place[a] as f64).sum::<f64>() + row[3]
            });
            let voxel = series.geometry().voxel_from_patient([-ras[0], -ras[1], ras[2]]).unwrap();
            let found = volume.value_hu(voxel).unwrap();
            assert!((found - value_hu(place)).abs() <= tolerance_hu, "{place:?}: {found} HU");
        }
    }

    #[test]
    fn axial_slices_run_from_head_to_feet_and_rows_from_front_to_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["phantom.nii", "phantom.nii.gz"] {
            let bytes = phantom().bytes();
            let path = save(&folder, name, &if name.strip_suffix(".gz").is_some() { gzip(&bytes) } else { bytes });
            let series = open(&path).unwrap().series.remove(0);
            let (volume, warnings) = read(&series);
            assert_eq!(warnings, [], "{name}");
            assert_in_place(&series, &volume, &phantom().sform.unwrap(), 0);
            let letters = series.geometry().orientation_letters().unwrap();
            assert_eq!([letters.left, letters.right, letters.top, letters.bottom], ["R", "L", "A", "P"], "{name}");
            // The file's last voxel lies furthest to the right, the front and the head.
            assert_eq!(at(&volume, [0, 0, 0]), Some(value_hu([4, 3, 2])), "{name}");
            assert_eq!(series.geometry().slice_spacing_mm(), Some(2.0), "{name}");
        }
    }

    #[test]
    fn voxels_stay_in_place_whichever_way_the_file_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (x, y, z) = ([0.5, 0.02, 0.0], [0.01, 0.75, 0.05], [0.0, -0.03, 2.0]);
        for (n, order) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().enumerate() {
            for signs in 0..8 {
                let world = [x, y, z];
                let steps: [[f32; 3]; 3] =
                    std::array::from_fn(|k| world[order[k]].map(|c: f32| if signs >> k & 1 == 1 { -c } else { c }));
                let affine: [[f32; 4]; 3] =
                    std::array::from_fn(|row| [steps[0][row], steps[1][row], steps[2][row], [-7.0, 11.0, 150.0][row]]);
                let one = Phantom { sform: Some(affine), ..phantom() };
                for suffix in ["", ".gz"] {
                    let name = format!("{n}_{signs}.nii{suffix}");
                    let bytes = one.bytes();
                    let path = save(&folder, &name, &if suffix.is_empty() { bytes } else { gzip(&bytes) });
                    let series = open(&path).unwrap().series.remove(0);
                    let (volume, _) = read(&series);
                    assert_in_place(&series, &volume, &affine, 0);
                    let letters = series.geometry().orientation_letters().unwrap();
                    assert_eq!([letters.left, letters.top], ["R", "A"], "{name}");
                }
            }
        }
    }

    #[test]
    fn every_stored_type_and_byte_order_gives_the_same_hu() {
        let kinds: [(i16, i16, f32, f32, Cell); 7] = [
            (4, 16, 0.0, 0.0, |v| v.to_le_bytes().to_vec()),
            (8, 32, f32::NAN, 0.0, |v| i32::from(v).to_le_bytes().to_vec()),
            (16, 32, 0.0, 5.0, |v| f32::from(v).to_le_bytes().to_vec()),
            (64, 64, 1.0, 0.0, |v| f64::from(v).to_le_bytes().to_vec()),
            (512, 16, 1.0, -1024.0, |v| ((v + 1024) as u16).to_le_bytes().to_vec()),
            (768, 32, 0.5, -1024.0, |v| ((v + 1024) as u32 * 2).to_le_bytes().to_vec()),
            (2, 8, 10.0, -1000.0, |v| vec![((i32::from(v) + 1000) / 10) as u8]),
        ];
        for (datatype, bits, slope, intercept, cell) in kinds {
            for is_big_endian in [false, true] {
                let one = Phantom { datatype, bits, slope, intercept, is_big_endian, cell, ..phantom() };
                let folder = tempfile::tempdir().unwrap();
                let series = open(&save(&folder, "phantom.nii", &one.bytes())).unwrap().series.remove(0);
                let (volume, _) = read(&series);
                assert_in_place(&series, &volume, &one.sform.unwrap(), if bits == 8 { 9 } else { 0 });
            }
        }
    }

    #[test]
    fn what_is_no_number_is_air_and_what_is_too_large_is_held() {
        let cell: Cell = |v| {
            let odd = if v == 1 {
                f32::NAN
            } else if v == 2 {
                1e30
            } else {
                f32::from(v)
            };
            odd.to_le_bytes().to_vec()
        };
        let folder = tempfile::tempdir().unwrap();
        let one = Phantom { datatype: 16, bits: 32, cell, ..phantom() };
        let (volume, _) = read(&open(&save(&folder, "a.nii", &one.bytes())).unwrap().series[0]);
        // All axes run against the file: the values 1 and 2 of its first column and row are the last ones here.
        assert_eq!(at(&volume, [4, 3, 1]), Some(-1000));
        assert_eq!(at(&volume, [4, 3, 0]), Some(i16::MAX));
    }

    #[test]
    fn sform_goes_before_qform_and_qform_before_bare_sizes() {
        // A half turn about the z axis (b = c = 0, d = 1): x and y of the file run left and front … back.
        let quaternion = Some([0.0, 0.0, 1.0, 3.0, 4.0, 5.0]);
        let turned = [[-0.5, 0.0, 0.0, 3.0], [0.0, -0.75, 0.0, 4.0], [0.0, 0.0, 2.0, 5.0]];
        let folder = tempfile::tempdir().unwrap();
        let both = Phantom { quaternion, ..phantom() };
        let series = open(&save(&folder, "both.nii", &both.bytes())).unwrap().series.remove(0);
        assert_in_place(&series, &read(&series).0, &phantom().sform.unwrap(), 0);
        let qform = Phantom { quaternion, sform: None, ..phantom() };
        let series = open(&save(&folder, "qform.nii", &qform.bytes())).unwrap().series.remove(0);
        assert_in_place(&series, &read(&series).0, &turned, 0);
        // qfac −1 turns the third axis round.
        let mirrored = Phantom { sizes: [-1.0, 0.5, 0.75, 2.0], ..qform };
        let series = open(&save(&folder, "qfac.nii", &mirrored.bytes())).unwrap().series.remove(0);
        let turned = [turned[0], turned[1], [0.0, 0.0, -2.0, 5.0]];
        assert_in_place(&series, &read(&series).0, &turned, 0);
        let bare = Phantom { sform: None, ..phantom() };
        let series = open(&save(&folder, "bare.nii", &bare.bytes())).unwrap().series.remove(0);
        assert!(series.geometry().orientation_letters().is_none());
        assert_eq!(series.info().warnings[0].code, "unknown-orientation");
        assert_eq!(series.info().pixel_spacing_mm, Some([0.5, 0.75]));
        let broken = Phantom { sform: Some([[0.0; 4]; 3]), quaternion, ..phantom() };
        let series = open(&save(&folder, "broken.nii", &broken.bytes())).unwrap().series.remove(0);
        assert_eq!(series.info().warnings[0].code, "broken-affine");
    }

    #[test]
    fn files_that_are_no_ct_volume_are_refused_by_what_they_are() {
        let cases = [
            (Phantom { datatype: 128, bits: 24, ..phantom() }, "a NIfTI file of colours (RGB) is not CT"),
            (Phantom { datatype: 2, bits: 8, ..phantom() }, "8-bit values (labels or a picture) is not CT"),
            (Phantom { datatype: 32, bits: 64, ..phantom() }, "complex numbers is not CT"),
            (Phantom { dims: vec![5, 4, 3, 7], ..phantom() }, "7 volumes (times or channels)"),
            (Phantom { dims: vec![5, 4, 0], ..phantom() }, "0 is not between 1 and 16384"),
            (Phantom { dims: vec![5, -4, 3], ..phantom() }, "-4 is not between 1 and 16384"),
            (Phantom { dims: vec![32767, 32767, 32767], ..phantom() }, "32767 is not between"),
            (Phantom { dims: vec![16384, 16384, 16384], ..phantom() }, "larger than the"),
            (Phantom { dims: vec![5, 4, 4], ..phantom() }, "need 512 bytes and cannot come from the file's 472"),
            (Phantom { bits: 8, ..phantom() }, "16-bit signed and said to be 8 bits wide"),
            (Phantom { sizes: [1.0, f32::NAN, 1.0, 1.0], sform: None, ..phantom() }, "mm large"),
            (Phantom { slope: f32::INFINITY, ..phantom() }, "scaled by inf"),
        ];
        for (one, expected) in cases {
            let message = one.refusal();
            assert!(message.contains(expected), "{message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let bytes = phantom().bytes();
        for (name, content) in [("short.nii", &bytes[..200]), ("empty.nii", &[][..]), ("text.nii", &[b'x'; 400][..])] {
            let message = open(&save(&folder, name, content)).unwrap_err().to_string();
            assert!(message.contains("header"), "{message}");
        }
    }

    #[test]
    fn a_cut_gzip_file_keeps_the_slices_before_the_cut_and_a_damaged_one_says_so() {
        let folder = tempfile::tempdir().unwrap();
        // Stored blocks, so that a cut takes just the last slice.
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        packer.write_all(&phantom().bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let (volume, warnings) =
            read(&open(&save(&folder, "cut.nii.gz", &packed[..packed.len() - 20])).unwrap().series[0]);
        assert_eq!((warnings[0].code, warnings.len()), ("missing-slice", 1));
        assert!(warnings[0].message.starts_with("1 of 3 slices"), "{}", warnings[0].message);
        assert!(volume.ready_slice(SliceIndex(0)).is_none() && volume.ready_slice(SliceIndex(1)).is_some());
        let mut flipped = packed.clone();
        let end = flipped.len();
        flipped[end - 12] ^= 4;
        let (_, warnings) = read(&open(&save(&folder, "flipped.nii.gz", &flipped)).unwrap().series[0]);
        assert_eq!(warnings[0].code, "damaged-file");
    }

    #[test]
    fn values_without_air_are_called_doubtful_and_listed_behind_a_ct() {
        let folder = tempfile::tempdir().unwrap();
        let labels = Phantom { cell: |v| (v.max(0) / 100).to_le_bytes().to_vec(), ..phantom() };
        save(&folder, "a_labels.nii", &labels.bytes());
        save(&folder, "b_volume.nii", &phantom().bytes());
        let series = open(folder.path()).unwrap().series;
        assert_eq!(series[0].info().description, "b_volume");
        assert_eq!(read(&series[0]).1, []);
        assert_eq!(read(&series[1]).1[0].code, "not-hounsfield");
    }

    #[test]
    fn bundled_scans_open_from_memory() {
        let chest = include_bytes!("../assets/sample/chest_cta.nii.gz");
        let series = scan_embedded("chest_cta.nii.gz", chest).unwrap().series.remove(0);
        let (volume, warnings) = read(&series);
        assert_eq!(warnings, []);
        assert_eq!((series.info().columns, series.info().rows, volume.slice_count()), (233, 167, 191));
        // Read with SimpleITK 2.5.7.
        let place = series.geometry().voxel_from_patient([-64.1582, -150.6582, 730.7]).unwrap();
        assert_eq!(volume.value_hu(place), Some(-795));
        let pelvis = include_bytes!("../assets/sample/abdomen_pelvis.nii.gz");
        let series = scan_embedded("abdomen_pelvis.nii.gz", pelvis).unwrap().series.remove(0);
        let (volume, warnings) = read(&series);
        assert_eq!(warnings, []);
        let place = series.geometry().voxel_from_patient([-65.0437, -161.319, 316.3018]).unwrap();
        assert_eq!(volume.value_hu(place), Some(21));
    }
}

/// A 16-bit grey PNG of 6 × 4 pixels.
fn grey_png(value: impl Fn(u32, u32) -> u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(6, 4, |x, y| image::Luma([value(x, y)]));
    picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

mod deep_lesion {
    use super::*;

    const TABLE: &str = "File_name,Patient_index,Spacing_mm_px_,DICOM_windows\n\
        000001_01_01_109.png,1,\"0.488281, 0.5, 5\",\"-175, 275\"\n";

    /// HU of a pixel in slice `number`.
    fn slice(number: u16) -> Vec<u8> {
        grey_png(move |x, y| 32768 - 1000 + number * 10 + (x * 4 + y) as u16)
    }

    #[test]
    fn values_are_hu_plus_32768_and_slices_follow_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for number in [103, 98, 99, 100, 101, 102] {
            save(&folder, &format!("Images_png/000001_01_01/{number:03}.png"), &slice(number));
        }
        save(&folder, "DL_info.csv", TABLE.as_bytes());
        for opened in ["", "Images_png", "Images_png/000001_01_01", "Images_png/000001_01_01/101.png"] {
            let series = open(&folder.path().join(opened)).unwrap().series.remove(0);
            assert_eq!(series.info().pixel_spacing_mm, Some([0.488_281, 0.5]), "{opened:?}");
            assert_eq!(series.info().windows[0].window, WindowLevel::new(50.0, 450.0).unwrap());
            assert!(series.geometry().orientation_letters().is_none());
            let (volume, warnings) = read(&series);
            assert_eq!(warnings, []);
            let first = if volume.slice_count() == 1 { 101 } else { 98 };
            assert_eq!(at(&volume, [2, 3, 0]), Some(-1000 + first * 10 + 11), "{opened:?}");
        }
        let series = open(folder.path()).unwrap().series.remove(0);
        assert_eq!(series.info().slice_spacing_mm, Some(5.0));
        assert_eq!(series.info().description, "000001_01_01");
    }

    #[test]
    fn without_the_table_sizes_are_unknown_and_gaps_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for number in [1, 2, 3, 7] {
            save(&folder, &format!("000002_01_01/{number:03}.png"), &slice(number));
        }
        let series = open(folder.path()).unwrap().series.remove(0);
        let codes: Vec<&str> = series.info().warnings.iter().map(|w| w.code).collect();
        assert_eq!(codes, ["gap", "unknown-spacing", "unknown-orientation"]);
        assert!(
            series.info().warnings[0].message.ends_with("between 3 and 7"),
            "{}",
            series.info().warnings[0].message
        );
        assert!(series.info().pixel_spacing_mm.is_none() && !series.geometry().is_spacing_known());
    }

    #[test]
    fn a_damaged_picture_costs_one_slice_and_what_lies_below_air_is_padding() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            save(&folder, &format!("000003_01_01/{number:03}.png"), &slice(number));
        }
        let whole = slice(4);
        save(&folder, "000003_01_01/004.png", &whole[..whole.len() - 30]);
        save(&folder, "000003_01_01/005.png", &grey_png(|x, _| if x == 0 { 0 } else { 32768 }));
        let (volume, warnings) = read(&open(folder.path()).unwrap().series[0]);
        assert_eq!((warnings.len(), warnings[0].code), (1, "missing-slice"));
        assert!(warnings[0].message.starts_with("slice 4 could not be read"), "{}", warnings[0].message);
        assert_eq!((at(&volume, [0, 0, 4]), at(&volume, [1, 0, 4])), (Some(-1000), Some(0)));
    }

    #[test]
    fn a_16_bit_picture_that_is_no_ct_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder, "depth.png", &grey_png(|x, y| (x * 10_000 + y) as u16));
        assert!(matches!(open(folder.path()), Err(LoadError::NoCt { .. })));
    }
}

mod visible_human {
    use super::*;

    const PIXEL_OFFSET: usize = 3416;

    /// NLM's layout: `IMGF`, offsets, size, depth, compression; pixel size within the image header at 2394.
    fn genesis(number: u16, pixel_size_mm: f32) -> Vec<u8> {
        let mut bytes = vec![0; PIXEL_OFFSET];
        bytes[..4].copy_from_slice(b"IMGF");
        for (at, word) in [(4, PIXEL_OFFSET as u32), (8, 6), (12, 4), (16, 16), (20, 1), (148, 2394)] {
            bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(word));
        }
        for at in [2444, 2448] {
            bytes[at..at + 4].copy_from_slice(&pixel_size_mm.to_be_bytes());
        }
        bytes.extend((0..24).flat_map(|n| if n == 0 { [0, 0] } else { (1024 + number % 100 + n).to_be_bytes() }));
        bytes
    }

    /// One file.
    pub fn phantom_bytes() -> Vec<u8> {
        genesis(1500, 1.0)
    }

    #[test]
    fn genesis_files_make_one_volume_from_head_to_feet() {
        let folder = tempfile::tempdir().unwrap();
        for number in [1503, 1500, 1501, 1502] {
            save(&folder, &format!("c_vm{number}.fre"), &genesis(number, 0.9375));
        }
        save(&folder, "c_vm1504.fre.gz", &gzip(&genesis(1504, 0.9375)));
        save(&folder, "c_vm1505.fre.Z", &lzw::compress(&genesis(1505, 0.9375)));
        let series = &open(folder.path()).unwrap().series[0];
        assert_eq!(series.info().description, "Visible Human Male, fresh");
        assert_eq!((series.info().pixel_spacing_mm, series.info().slice_spacing_mm), (Some([0.9375; 2]), Some(1.0)));
        let (volume, warnings) = read(series);
        assert_eq!(warnings, []);
        assert_eq!(volume.slice_count(), 6, "packed files belong to the rest");
        assert_eq!(at(&volume, [1, 2, 5]), Some(5 + 13));
        // Value 0 is outside the field of view.
        assert_eq!((at(&volume, [0, 0, 1]), at(&volume, [1, 2, 3])), (Some(-1000), Some(3 + 13)));
        let letters = series.geometry().orientation_letters().unwrap();
        assert_eq!([letters.left, letters.top], ["R", "A"]);
        assert_eq!(at(&volume, [1, 0, 4]), Some(4 + 1));
    }

    #[test]
    fn pictures_of_other_size_or_state_are_series_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder, "c_vm1500.fre", &genesis(1500, 0.9375));
        save(&folder, "c_vm1501.fre", &genesis(1501, 0.9375));
        save(&folder, "c_vm1502.fre", &genesis(1502, 0.5));
        save(&folder, "c_vm1500.fro", &genesis(1500, 0.9375));
        let counts: Vec<usize> = open(folder.path()).unwrap().series.iter().map(|s| s.info().slice_count).collect();
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn png_values_are_hu_plus_1024() {
        let folder = tempfile::tempdir().unwrap();
        for number in [1500, 1501] {
            save(&folder, &format!("cvm{number}f.png"), &grey_png(|x, y| (1024 * y + x) as u16));
        }
        let series = open(folder.path()).unwrap().series.remove(0);
        assert!(!series.geometry().is_spacing_known());
        let (volume, _) = read(&series);
        assert_eq!([at(&volume, [0, 0, 0]), at(&volume, [5, 2, 1])], [Some(-1000), Some(1029)]);
    }

    #[test]
    fn what_cannot_be_read_is_said_in_plain_words() {
        let with = |at: usize, word: u32| {
            let mut bytes = genesis(1500, 1.0);
            bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
            bytes
        };
        let cases = [
            (with(20, 3), "pixels are compressed (kind 3)"),
            (with(16, 8), "pixels have 8 bits"),
            (with(8, 0), "0 × 4 pixels"),
            (with(8, 65535), "file ends within its pixels"),
            (with(12, u32::MAX), "pixels"),
            (with(4, u32::MAX), "said to begin at byte"),
            (genesis(1500, 1.0)[..20].to_vec(), "header is cut short"),
            (genesis(1500, 1.0)[..PIXEL_OFFSET + 40].to_vec(), "file ends within its pixels"),
        ];
        for (bytes, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let message = open(&save(&folder, "c_vm1500.fre", &bytes)).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let packed = lzw::compress(&genesis(1500, 1.0)[..PIXEL_OFFSET + 40]);
        let series = open(&save(&folder, "c_vm1500.fre.Z", &packed)).unwrap().series.remove(0);
        let (_, warnings) = read(&series);
        assert!(warnings[0].message.contains("file ends within its pixels"), "{warnings:?}");
    }
}

/// Files of every format here with bytes flipped, overwritten and cut: a volume or an error, and no panic.
#[test]
fn damaged_files_end_in_a_volume_or_an_error() {
    let chest = nifti::phantom_bytes();
    let files = [
        ("a.nii", chest.clone()),
        ("a.nii.gz", gzip(&chest)),
        ("000001_01_01_001.png", grey_png(|x, y| 32768 + (x * y) as u16)),
        ("cvm1500f.png", grey_png(|x, y| 1024 + (x * y) as u16)),
        ("c_vm1500.fre", visible_human::phantom_bytes()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (name, whole) in files {
        for case in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                let reach = if random(2) == 0 { bytes.len().min(400) } else { bytes.len() };
                match random(3) {
                    0 => bytes[random(reach)] ^= 1 << random(8),
                    1 => bytes[random(reach)] = [0, 0x7F, 0x80, 0xFF][random(4)],
                    _ => bytes.truncate(1 + random(bytes.len())),
                }
                if bytes.len() < 2 {
                    break;
                }
            }
            // A new file each time: to overwrite one makes some file systems wait for the disk.
            let path = save(&folder, &format!("{case}/{name}"), &bytes);
            if let Ok(scan) = open(&path) {
                for series in scan.series.iter().filter(|s| s.info().rows * s.info().columns < 1 << 20) {
                    read(series);
                }
            }
        }
    }
}
