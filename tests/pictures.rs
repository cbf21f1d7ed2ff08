//! Pictures and volumes of synthetic colour: what is written can be read by others, is marked, and lies where the CT was.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::io::Read as _;
use std::path::Path;

use ct2rgb::io::atomic_file::WriteError;
use ct2rgb::io::caption::with_caption;
use ct2rgb::io::nifti_rgb::{self, RgbVolumeWriter};
use ct2rgb::io::panes::{Panes, PixelBox};
use ct2rgb::io::rgb_image::{Picture, Stamp, content_hash, read_stamp, write_png};
use ct2rgb::units::SliceIndex;
use ct2rgb::volume::{
    BONE_EDGE_RGB8, ColorSlice, CtSlice, FAT_EDGE_RGB8, Geometry, OUTSIDE_TRAINING_MARK, SYNTHETIC_MARK, WindowLevel,
};

fn stamp() -> Stamp {
    Stamp {
        version: "0.1.0".to_owned(),
        weights_sha256: "ab".repeat(32),
        recipe: r#"{"size":256,"note":"−1000 … 3096 HU"}"#.to_owned(),
        content: "cd".repeat(32),
    }
}

fn noise(columns: usize, rows: usize) -> Vec<u8> {
    (0..columns * rows * 3).map(|i| (i * 7919 % 251) as u8).collect()
}

fn color(columns: usize, rows: usize) -> ColorSlice {
    ColorSlice { columns, rows, rgb8: noise(columns, rows).into(), is_outside_training: false, elapsed_secs: 0.1 }
}

fn names_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_png_holds_the_colours_the_mark_the_stamp_and_the_size_of_a_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slice_0001.png");
    write_png(&path, &Picture::new(31, 17, noise(31, 17), Some([0.8, 0.4])), &stamp()).unwrap();
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let info = reader.info().clone();
    let texts: Vec<(&str, &str)> =
        info.uncompressed_latin1_text.iter().map(|text| (text.keyword.as_str(), text.text.as_str())).collect();
    assert_eq!(texts, [("Software", "ct2rgb 0.1.0"), ("Description", SYNTHETIC_MARK)], "words that viewers show");
    let size = info.pixel_dims.unwrap();
    assert_eq!((size.xppu, size.yppu), (1250, 2500), "pixels per metre");
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.width, info.height, bytes), (31, 17, noise(31, 17)), "colours");
    assert_eq!(read_stamp(&path), Some(stamp()), "stamp");
    assert_eq!(names_in(folder.path()), ["slice_0001.png"], "no temporary file is left");
}

#[test]
fn no_stamp_is_read_from_what_is_no_finished_picture_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slice.png");
    assert_eq!(read_stamp(&path), None, "no file");
    write_png(&path, &Picture::black(64, 64), &stamp()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(read_stamp(&path), None, "cut at {length}");
    }
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        // Whatever is read, nothing may panic; a changed stamp is another stamp.
        let _stamp = read_stamp(&path);
    }
    image::RgbImage::new(8, 8).save(&path).unwrap();
    assert_eq!(read_stamp(&path), None, "a picture of another program");
}

#[test]
fn the_content_hash_tells_slices_sizes_and_settings_apart() {
    let slice = CtSlice::new(4, 2, vec![1, 2, 3, 4, 5, 6, 7, 8].into());
    let first = content_hash(&slice, [1.0, 1.0], "png");
    assert_eq!(first, content_hash(&slice.clone(), [1.0, 1.0], "png"), "the same twice");
    assert_eq!(first.len(), 64, "hexadecimal");
    let turned = CtSlice::new(2, 4, slice.values_hu().into());
    let other = CtSlice::new(4, 2, vec![1, 2, 3, 4, 5, 6, 7, 9].into());
    for (slice, mm, settings) in
        [(&turned, 1.0, "png"), (&other, 1.0, "png"), (&slice, 1.1, "png"), (&slice, 1.0, "panes")]
    {
        assert_ne!(first, content_hash(slice, [mm, 1.0], settings), "{mm} {settings}");
    }
}

#[test]
fn pixels_that_are_not_square_become_square_and_the_body_keeps_its_shape() {
    let picture = Picture::new(4, 4, [10, 20, 30].repeat(16), Some([0.5, 1.5])).with_square_pixels();
    assert_eq!(
        (picture.columns(), picture.rows(), picture.pixel_size_mm()),
        (4, 12, Some([0.5, 0.5])),
        "as high as it was"
    );
    assert!(picture.rgb8().as_chunks::<3>().0.iter().all(|pixel| *pixel == [10, 20, 30]), "colours stay");
    for size in [None, Some([0.7, 0.7]), Some([1e-9, 1.0])] {
        let picture = Picture::new(4, 4, noise(4, 4), size);
        assert_eq!(picture.clone().with_square_pixels(), picture, "{size:?} stays");
    }
}

#[test]
fn an_unwritable_place_is_named_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone").join("slice.png");
    let error = write_png(&path, &Picture::black(8, 8), &stamp()).unwrap_err();
    assert!(matches!(error, WriteError::NoFolder { .. }), "{error}");
    let target = folder.path().join("taken");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("x"), "x").unwrap();
    let error = write_png(&target, &Picture::black(8, 8), &stamp()).unwrap_err();
    assert!(error.to_string().ends_with(&format!("{target:?}")), "a folder is in the way: {error}");
    assert_eq!(names_in(folder.path()), ["taken"], "nothing is left");
}

#[test]
fn pictures_of_no_size_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slice.png");
    let error = write_png(&path, &Picture::black(0, 0), &stamp()).unwrap_err();
    assert!(error.to_string().starts_with("a picture of 0 × 0 pixels cannot be written as PNG"), "{error}");
    assert!(!path.exists(), "no half file");
}

fn panes(slice: &CtSlice, color: &ColorSlice, fat: f32, bone: f32) -> Picture {
    let count = slice.values_hu().len();
    let (fat, bone) = (vec![fat; count], vec![bone; count]);
    let window = WindowLevel::SOFT_TISSUE;
    Panes {
        slice,
        window,
        edges: (&fat, &bone),
        color,
        pixel_size_mm: Some([0.7, 0.7]),
        part: None,
        note: "Slice 1 of 3, −12 mm",
    }
    .picture()
}

#[test]
fn panes_show_grey_contours_and_colour_side_by_side() {
    let slice = CtSlice::new(400, 300, vec![40; 400 * 300].into());
    let gold = ColorSlice { rgb8: [200, 160, 60].repeat(400 * 300).into(), ..color(400, 300) };
    let picture = panes(&slice, &gold, 1.0, 0.0);
    let pixel = |column: usize| picture.rgb8().as_chunks::<3>().0[picture.rows() / 2 * picture.columns() + column];
    let third = picture.columns() / 3;
    assert_eq!(
        [pixel(third / 2), pixel(third * 3 / 2), pixel(third * 5 / 2)],
        [[128; 3], FAT_EDGE_RGB8, [200, 160, 60]]
    );
    let picture = panes(&slice, &gold, 0.0, 1.0);
    let middle = picture.rgb8().as_chunks::<3>().0[picture.rows() / 2 * picture.columns() + picture.columns() / 2];
    assert_eq!(middle, BONE_EDGE_RGB8, "bone has its own colour");
}

#[test]
fn panes_say_when_a_region_was_not_in_the_training_data() {
    let slice = CtSlice::new(64, 48, vec![40; 64 * 48].into());
    let known = panes(&slice, &color(64, 48), 0.0, 0.0);
    let outside = panes(&slice, &ColorSlice { is_outside_training: true, ..color(64, 48) }, 0.0, 0.0);
    assert_eq!((known.columns(), known.rows()), (outside.columns(), outside.rows()), "size");
    assert_ne!(known, outside, "{OUTSIDE_TRAINING_MARK}");
    assert!(known.columns() > 3 * 384, "small panes are enlarged");
}

#[test]
fn panes_of_a_part_show_that_part_as_far_as_there_is_one() {
    let slice = CtSlice::new(400, 300, (0..400 * 300).map(|i| if i % 400 < 200 { -1000 } else { 1000 }).collect());
    let (color, edges) = (color(400, 300), vec![0.0; 400 * 300]);
    let all = Panes {
        slice: &slice,
        window: WindowLevel::SOFT_TISSUE,
        edges: (&edges, &edges),
        color: &color,
        pixel_size_mm: None,
        part: None,
        note: "",
    };
    let part = |left: usize, columns: usize| Some(PixelBox { left, top: 100, columns, rows: 100 });
    let picture = Panes { part: part(200, 100), ..all }.picture();
    assert_eq!(picture.columns(), 3 * 400 + 12, "100 columns, enlarged by 4");
    let middle = |column: usize| picture.rgb8().as_chunks::<3>().0[picture.rows() / 2 * picture.columns() + column];
    assert_eq!([middle(1), middle(200), middle(398)], [[255; 3]; 3], "the bright half alone");
    assert_eq!(
        Panes { part: part(350, 9000), ..all }.picture().columns(),
        3 * 400 + 12,
        "50 columns are left, times 8"
    );
    assert!(Panes { part: part(9000, 100), ..all }.picture().columns() > 0, "nothing is left");
}

#[test]
fn pictures_of_any_size_can_be_marked_and_paned() {
    for (columns, rows) in [(1, 1), (3, 5), (1, 300), (300, 1), (2048, 2048)] {
        let slice = CtSlice::new(columns, rows, vec![0; columns * rows].into());
        let paned = panes(&slice, &color(columns, rows), 0.5, 0.5);
        let marked =
            with_caption(Picture::of_color(&color(columns, rows), None), &[SYNTHETIC_MARK, OUTSIDE_TRAINING_MARK]);
        assert!(paned.columns() >= 3 * columns && marked.columns() >= columns, "{columns} × {rows}");
    }
}

/// A lattice of 5 × 4 pixels of 0.5 × 0.8 mm with slices at these distances along z, tilted by an angle about x.
fn geometry(positions_mm: &[f64], tilt_degrees: f64) -> Geometry {
    let tilt = tilt_degrees.to_radians();
    let origins = positions_mm.iter().map(|&z| [-10.0, -20.0, z]).collect();
    Geometry::new(5, 4, [0.5, 0.0, 0.0], [0.0, 0.8 * tilt.cos(), -0.8 * tilt.sin()], origins).unwrap()
}

struct Nifti {
    header: Vec<u8>,
    voxels: Vec<u8>,
}

impl Nifti {
    fn read(path: &Path) -> Self {
        let mut bytes = std::fs::read(path).unwrap();
        if path.extension().unwrap() == "gz" {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        let voxels_at = f32::from_le_bytes(*bytes[108..].first_chunk().unwrap()) as usize;
        assert_eq!(voxels_at % 16, 0, "voxels start at a multiple of 16");
        Self { voxels: bytes.split_off(voxels_at), header: bytes }
    }

    fn i16s<const N: usize>(&self, at: usize) -> [i16; N] {
        std::array::from_fn(|i| i16::from_le_bytes(*self.header[at + 2 * i..].first_chunk().unwrap()))
    }

    fn f32s<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|i| f64::from(f32::from_le_bytes(*self.header[at + 4 * i..].first_chunk().unwrap())))
    }

    /// Columns, rows, slices.
    fn size(&self) -> [usize; 3] {
        let [_, columns, rows, slices] = self.i16s(40);
        [columns, rows, slices].map(|count| count as usize)
    }

    /// Where a voxel lies by the sform, in DICOM's axes.
    fn patient_from_voxel(&self, voxel: [f64; 3]) -> [f64; 3] {
        let rows: [f64; 12] = self.f32s(280);
        let ras = |k: usize| (0..3).map(|axis| rows[4 * k + axis] * voxel[axis]).sum::<f64>() + rows[4 * k + 3];
        [-ras(0), -ras(1), ras(2)]
    }

    /// The same by the qform, from the formula in `nifti1.h`.
    fn patient_from_voxel_by_qform(&self, voxel: [f64; 3]) -> [f64; 3] {
        let [b, c, d, x, y, z]: [f64; 6] = self.f32s(256);
        let [handedness, width, height, depth]: [f64; 4] = self.f32s(76);
        let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
        let v = [voxel[0] * width, voxel[1] * height, voxel[2] * depth * handedness];
        let rows = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        let [x, y, z]: [f64; 3] =
            std::array::from_fn(|k| rows[k].iter().zip(v).map(|(m, v)| m * v).sum::<f64>() + [x, y, z][k]);
        [-x, -y, z]
    }

    fn rgb8(&self, [column, row, slice]: [usize; 3]) -> [u8; 3] {
        let [columns, rows, _] = self.size();
        self.voxels.as_chunks::<3>().0[(slice * rows + row) * columns + column]
    }
}

fn near(a: [f64; 3], b: [f64; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3)
}

/// Writes slices of one colour each: slice `i` is `[10 i + 10, 0, 0]`.
fn write_volume(path: &Path, geometry: &Geometry) -> Option<String> {
    let range = (SliceIndex(0), SliceIndex(geometry.slices() - 1));
    let mut writer = RgbVolumeWriter::create(path, geometry, range, &stamp()).unwrap();
    let note = writer.note();
    for slice in 0..geometry.slices() {
        writer.push(Some(&[10 * slice as u8 + 10, 0, 0].repeat(20))).unwrap();
    }
    assert!(!path.exists(), "nothing is there before the volume is complete");
    writer.finish().unwrap();
    note
}

#[test]
fn every_voxel_of_a_volume_lies_where_the_ct_pixel_lies_in_any_orientation() {
    let folder = tempfile::tempdir().unwrap();
    let (s, c) = 0.3_f64.sin_cos();
    let stacks = [
        ([0.5, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, -2.0]),
        ([0.5, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 2.0]),
        ([-0.5, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 2.0]),
        ([0.0, 0.5, 0.0], [0.0, 0.0, -0.8], [2.0, 0.0, 0.0]),
        ([0.5, 0.0, 0.0], [0.0, 0.0, -0.8], [0.0, 2.0, 0.0]),
        ([0.0, 0.5, 0.0], [0.8, 0.0, 0.0], [0.0, 0.0, 2.0]),
        ([0.5 * c, 0.5 * s, 0.0], [-0.8 * s, 0.8 * c, 0.0], [0.0, 0.0, 2.0]),
        ([0.5, 0.0, 0.0], [0.0, 0.8 * c, 0.8 * s], [0.0, -2.0 * s, 2.0 * c]),
    ];
    for (number, (column_step, row_step, slice_step)) in stacks.into_iter().enumerate() {
        let origins = (0..4).map(|i| [0, 1, 2].map(|k| [-9.0, 7.0, 30.0][k] + f64::from(i) * slice_step[k])).collect();
        let geometry = Geometry::new(5, 4, column_step, row_step, origins).unwrap();
        let path = folder.path().join(format!("{number}.nii"));
        assert_eq!(write_volume(&path, &geometry), None, "{number}: nothing is changed");
        let nifti = Nifti::read(&path);
        assert_eq!((nifti.size(), nifti.i16s(70)), ([5, 4, 4], [128, 24]), "{number}: size, RGB24");
        assert_eq!(nifti.i16s(252), [1, 1], "{number}: both forms hold");
        for (column, row, slice) in [(0, 0, 0), (4, 0, 0), (0, 3, 0), (4, 3, 3), (2, 1, 2)] {
            let expected = geometry.patient_from_pixel(SliceIndex(slice), f64::from(column), f64::from(row));
            let voxel = [f64::from(column), f64::from(row), slice as f64];
            assert!(near(nifti.patient_from_voxel(voxel), expected), "{number}: sform at {voxel:?}");
            assert!(near(nifti.patient_from_voxel_by_qform(voxel), expected), "{number}: qform at {voxel:?}");
        }
        assert_eq!(nifti.rgb8([3, 2, 2]), [30, 0, 0], "{number}: colours in their slices");
    }
}

#[test]
fn slices_of_a_tilted_gantry_are_shifted_upright_and_stay_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tilted.nii.gz");
    let geometry = geometry(&[40.0, 30.0, 20.0, 10.0], 20.0);
    let note = write_volume(&path, &geometry).unwrap();
    assert_eq!(note, "slices of a gantry tilted by 20.0° are shifted upright", "the user is told");
    let nifti = Nifti::read(&path);
    let [columns, rows, slices] = nifti.size();
    assert_eq!((columns, slices), (5, 4), "only rows are added: {rows}");
    for slice in 0..4 {
        // The middle of each slice, found by its place in the patient.
        let expected = geometry.patient_from_pixel(SliceIndex(slice), 2.0, 1.5);
        let row_at = |row: f64| nifti.patient_from_voxel([2.0, row, slice as f64]);
        let (start, step) = (row_at(0.0), [0, 1, 2].map(|k| row_at(1.0)[k] - row_at(0.0)[k]));
        let row =
            (0..3).map(|k| (expected[k] - start[k]) * step[k]).sum::<f64>() / step.map(|s| s * s).iter().sum::<f64>();
        assert!(near(row_at(row), expected), "slice {slice} has the middle in its plane");
        for column in 0..5 {
            let red = nifti.rgb8([column, row.round() as usize, slice])[0];
            assert_eq!(red, 10 * slice as u8 + 10, "slice {slice} has its colour there, in column {column}");
        }
    }
}

#[test]
fn an_uneven_stack_becomes_even_and_each_voxel_is_of_the_nearest_slice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uneven.nii");
    let geometry = geometry(&[0.0, 4.0, 8.0, 15.0, 22.0], 0.0);
    let note = write_volume(&path, &geometry).unwrap();
    assert_eq!(note, "uneven slices are brought to 4.00 mm, nearest slice each", "the user is told");
    let nifti = Nifti::read(&path);
    let reds: Vec<u8> = (0..nifti.size()[2]).map(|slice| nifti.rgb8([1, 1, slice])[0]).collect();
    assert_eq!(reds, [10, 20, 30, 40, 40, 50, 50], "at 0, 4, 8, 12, 16, 20, 24 mm");
}

#[test]
fn a_volume_knows_its_stamp_and_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["volume.nii", "volume.nii.gz"] {
        let path = folder.path().join(name);
        write_volume(&path, &geometry(&[0.0, 2.0], 0.0));
        assert_eq!(nifti_rgb::read_stamp(&path), Some(stamp()), "{name}");
        let description = Nifti::read(&path).header[148..228].to_vec();
        assert!(String::from_utf8(description).unwrap().starts_with(SYNTHETIC_MARK), "{name}: what other viewers show");
    }
    std::fs::write(folder.path().join("volume.nii"), [0; 400]).unwrap();
    assert_eq!(nifti_rgb::read_stamp(&folder.path().join("volume.nii")), None, "not ours");
}

#[test]
fn volumes_that_cannot_be_are_refused_and_unfinished_ones_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.nii");
    let start = |geometry: &Geometry, last: usize| {
        RgbVolumeWriter::create(&path, geometry, (SliceIndex(0), SliceIndex(last)), &stamp())
    };
    let error = start(&geometry(&[0.0, 0.0], 0.0), 1).unwrap_err().to_string();
    assert!(error.contains("two of them lie in the same place; write PNG instead"), "{error}");
    let error = start(&geometry(&[0.0, 2.0], 0.0), 2).unwrap_err().to_string();
    assert!(error.contains("slices 1 to 3 of 2 do not exist"), "{error}");
    let even = geometry(&[0.0, 2.0], 0.0);
    let error = start(&even, 1).unwrap().push(Some(&[0; 59])).unwrap_err().to_string();
    assert!(error.starts_with("expected 60 bytes a slice, found 59"), "{error}");
    let mut writer = start(&even, 1).unwrap();
    writer.push(None).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.starts_with("expected 2 slices, found 1"), "{error}");
    let mut writer = start(&even, 1).unwrap();
    (0..2).for_each(|_| writer.push(None).unwrap());
    let error = writer.push(None).unwrap_err().to_string();
    assert!(error.starts_with("expected 2 slices, found one more"), "{error}");
    drop(writer);
    assert!(names_in(folder.path()).is_empty(), "{:?}", names_in(folder.path()));
}
