//! DICOM as it comes: every variation of a phantom gives the HU that were put in, in the right place, with the right words.

#[expect(dead_code, clippy::unwrap_used, reason = "the phantom is shared by tests, each of which uses a part of it")]
mod common;

use std::sync::Mutex;

use common::*;
use ct2rgb::io::ReadRequest;
use ct2rgb::units::{AIR_HU, CancelFlag, SliceIndex, VoxelIndex};

fn at(column: usize, row: usize, slice: usize) -> VoxelIndex {
    VoxelIndex { column, row, slice }
}

#[test]
fn every_kind_of_cell_gives_the_hu_that_were_put_in() {
    for syntax in [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN] {
        for (bits_allocated, bits_stored, high_bit) in
            [(8, 8, 7), (16, 12, 11), (16, 12, 15), (16, 14, 13), (16, 16, 15)]
        {
            for is_signed in [false, true] {
                for (slope, intercept_hu) in [(1.0, -1024.0), (0.25, -1000.5), (-2.0, 10.0)] {
                    for photometric in ["MONOCHROME1", "MONOCHROME2"] {
                        let phantom = Phantom {
                            bits_allocated,
                            bits_stored,
                            high_bit,
                            is_signed,
                            slope,
                            intercept_hu,
                            photometric,
                            syntax,
                            slices: 2,
                            ..Phantom::default()
                        };
                        let folder = tempfile::tempdir().unwrap();
                        phantom.write_to(folder.path());
                        let found = scan_path(folder.path());
                        assert_eq!(found.series[0].info().is_inverted, photometric == "MONOCHROME1");
                        phantom.assert_equal(&read(&found.series[0]).0);
                    }
                }
            }
        }
    }
}

#[test]
fn slices_run_from_head_to_feet_by_position_and_not_by_name_or_number() {
    let phantom = Phantom { slices: 7, ..Phantom::default() };
    let folder = tempfile::tempdir().unwrap();
    let mut files = phantom.files();
    for (index, (_, data_set)) in files.iter_mut().enumerate() {
        *data_set = data_set.clone().text(INSTANCE_NUMBER, *b"IS", &((index * 5) % 7).to_string());
    }
    write_files(folder.path(), &files, EXPLICIT);
    let found = scan_path(folder.path());
    let info = found.series[0].info();
    assert_eq!(codes(&info.warnings), [] as [&str; 0]);
    assert_eq!((info.slice_count, info.rows, info.columns), (7, 10, 12));
    // DICOM writes row spacing first; a pixel here is 0.25 mm wide and 0.5 mm high.
    assert_eq!(info.pixel_spacing_mm, Some([0.25, 0.5]));
    assert_eq!(info.slice_spacing_mm, Some(2.5));
    let (volume, _) = read(&found.series[0]);
    phantom.assert_equal(&volume);
    let corner = volume.geometry().slice_origin_mm(SliceIndex(6));
    assert_eq!(triple(corner), "-30\\-40\\85");
}

#[test]
fn prone_and_flipped_pictures_still_run_from_head_to_feet_and_sagittal_ones_along_their_normal() {
    let phantom = Phantom { slices: 3, ..Phantom::default() };
    for (orientation, letters, is_axial) in [("-1\\0\\0\\0\\1\\0", "L", true), ("0\\1\\0\\0\\0\\-1", "A", false)] {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..3)
            .map(|s| {
                // Sagittal: the normal of (0,1,0) × (0,0,−1) is −x.
                let place = if is_axial { phantom.position_mm(s) } else { [-(s as f64), 0.0, 0.0] };
                let slice =
                    phantom.slice(s).text(ORIENTATION, *b"DS", orientation).text(POSITION, *b"DS", &triple(place));
                (format!("{}", 9 - s), slice)
            })
            .collect();
        write_files(folder.path(), &files, EXPLICIT);
        let (volume, _) = read(&scan_path(folder.path()).series[0]);
        phantom.assert_equal(&volume);
        assert_eq!(volume.geometry().orientation_letters().unwrap().left, letters);
    }
}

#[test]
fn padding_is_air_whichever_way_it_is_written() {
    for (is_signed, vr, value, limit) in [
        (true, *b"SS", -31_000_i16 as u16, None),
        (true, *b"US", -31_000_i16 as u16, None),
        (false, *b"US", 10, Some(900)),
    ] {
        let phantom = Phantom { is_signed, slices: 1, ..Phantom::default() };
        let mut slice = phantom.slice(0).value((0x0028, 0x0120), vr, Value::Words(vec![value]));
        if let Some(limit) = limit {
            slice = slice.number((0x0028, 0x0121), limit);
        }
        let mut cells = phantom.cells(0);
        cells[5] = value;
        slice = slice.value(PIXELS, *b"OW", Value::Words(cells));
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &[("a".to_owned(), slice)], EXPLICIT);
        let (volume, _) = read(&scan_path(folder.path()).series[0]);
        assert_eq!(volume.value_hu(at(5, 0, 0)), Some(AIR_HU));
        // The sample next to it is 6 · 679 above the lowest one: no padding.
        assert_eq!(volume.value_hu(at(6, 0, 0)), Some(phantom.value_hu(at(6, 0, 0))));
        if limit.is_some() {
            assert_eq!(volume.value_hu(at(1, 0, 0)), Some(AIR_HU), "sample 679 lies in the padding range");
        }
    }
}

#[test]
fn tilt_gap_and_uneven_spacing_are_told_in_words() {
    let tilted = Phantom { tilt_degrees: 18.5, ..Phantom::default() };
    let folder = tempfile::tempdir().unwrap();
    tilted.write_to(folder.path());
    let found = scan_path(folder.path());
    let warning = &found.series[0].info().warnings[0];
    assert_eq!(warning.code, "gantry-tilt");
    assert!(warning.message.contains("18.5°"), "{}", warning.message);

    let phantom = Phantom { slices: 9, ..Phantom::default() };
    let mut files = phantom.files();
    files.remove(3);
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &files, EXPLICIT);
    let warnings = scan_path(folder.path()).series[0].info().warnings.clone();
    assert_eq!(codes(&warnings), ["gap"]);
    assert!(warnings[0].message.contains("after slice 3: 5.0 mm"), "{}", warnings[0].message);

    let mut files = phantom.files();
    files[8].1 = files[8].1.clone().text(POSITION, *b"DS", "-30\\-40\\78.9");
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &files, EXPLICIT);
    let warnings = scan_path(folder.path()).series[0].info().warnings.clone();
    assert_eq!(codes(&warnings), ["uneven-spacing"]);
    assert!(warnings[0].message.contains("2.50 to 3.60 mm"), "{}", warnings[0].message);
}

#[test]
fn of_two_slices_at_one_place_the_later_acquisition_is_shown() {
    let phantom = Phantom { slices: 6, ..Phantom::default() };
    let mut files = phantom.files();
    let older = Phantom { intercept_hu: 0.0, ..phantom.clone() }.slice(2).text(ACQUISITION_NUMBER, *b"IS", "1");
    files[2].1 = files[2].1.clone().text(ACQUISITION_NUMBER, *b"IS", "2");
    files.push(("zzz".to_owned(), older));
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &files, EXPLICIT);
    let found = scan_path(folder.path());
    assert_eq!(codes(&found.series[0].info().warnings), ["duplicate"]);
    phantom.assert_equal(&read(&found.series[0]).0);
}

#[test]
fn two_passes_over_the_same_positions_become_two_volumes() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    for pass in ["1", "2"] {
        for s in 0..4 {
            let slice = phantom.slice(s).text(ACQUISITION_NUMBER, *b"IS", pass);
            write_files(folder.path(), &[(format!("{pass}{s}"), slice)], EXPLICIT);
        }
    }
    let found = scan_path(folder.path());
    assert_eq!(found.series.len(), 2);
    for series in &found.series {
        assert_eq!(codes(&series.info().warnings), ["split-series"]);
        phantom.assert_equal(&read(series).0);
    }
}

#[test]
fn localizers_sizes_and_orientations_part_and_the_largest_stack_comes_first() {
    let phantom = Phantom { slices: 5, ..Phantom::default() };
    let small = Phantom { rows: 6, slices: 2, ..Phantom::default() };
    let folder = tempfile::tempdir().unwrap();
    phantom.write_to(folder.path());
    for s in 0..8 {
        let scout = phantom.slice(0).text(IMAGE_TYPE, *b"CS", "ORIGINAL\\PRIMARY\\LOCALIZER");
        let scout = scout.text(POSITION, *b"DS", &format!("{s}\\0\\0"));
        let scout = scout.text(ORIENTATION, *b"DS", "0\\1\\0\\0\\0\\-1");
        write_files(folder.path(), &[(format!("scout{s}"), scout)], EXPLICIT);
    }
    for s in 0..2 {
        write_files(folder.path(), &[(format!("small{s}"), small.slice(s))], EXPLICIT);
    }
    let found = scan_path(folder.path());
    let counts: Vec<_> = found.series.iter().map(|s| (s.info().number, s.info().slice_count)).collect();
    assert_eq!(counts, [(1, 5), (2, 2), (3, 8)]);
    assert!(codes(&found.series[2].info().warnings).contains(&"localizer"));
    phantom.assert_equal(&read(&found.series[0]).0);
    small.assert_equal(&read(&found.series[1]).0);
}

#[test]
fn without_positions_the_instance_number_decides_and_a_warning_says_so() {
    let phantom = Phantom::default();
    let files: Vec<_> = phantom
        .files()
        .into_iter()
        .map(|(n, d)| (n, d.without(POSITION).without(ORIENTATION).without(SPACING)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &files, EXPLICIT);
    let found = scan_path(folder.path());
    let info = found.series[0].info();
    assert_eq!(codes(&info.warnings), ["no-position", "no-orientation", "no-pixel-spacing"]);
    assert_eq!(info.pixel_spacing_mm, None);
    let (volume, _) = read(&found.series[0]);
    assert!(volume.geometry().orientation_letters().is_none());
    phantom.assert_equal(&volume);
}

#[test]
fn missing_or_empty_attributes_that_do_not_matter_are_tolerated() {
    let phantom = Phantom { is_signed: false, ..Phantom::default() };
    let files: Vec<_> = phantom
        .files()
        .into_iter()
        .map(|(n, d)| (n, d.without(HIGH_BIT).without(PIXEL_REPRESENTATION).text((0x0028, 0x1056), *b"CS", "")))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &files, EXPLICIT);
    let found = scan_path(folder.path());
    assert_eq!(codes(&found.series[0].info().warnings), ["missing-attribute"]);
    phantom.assert_equal(&read(&found.series[0]).0);
}

#[test]
fn all_windows_are_listed_with_their_explanations() {
    let phantom = Phantom { slices: 1, ..Phantom::default() };
    let slice = phantom
        .slice(0)
        .text((0x0028, 0x1050), *b"DS", "40\\-600 \\300\\7")
        .text((0x0028, 0x1051), *b"DS", "400\\1500\\2000\\0")
        .text((0x0028, 0x1055), *b"LO", "SOFT\\LUNG");
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &[("a".to_owned(), slice)], EXPLICIT);
    let found = scan_path(folder.path());
    let info = found.series[0].info();
    let windows: Vec<_> =
        info.windows.iter().map(|w| (w.name.as_str(), w.window.center_hu(), w.window.width_hu())).collect();
    assert_eq!(windows, [("SOFT", 40.0, 400.0), ("LUNG", -600.0, 1500.0), ("File", 300.0, 2000.0)]);
    assert_eq!(codes(&info.warnings), ["window-unusable"]);
}

/// An enhanced CT whose frames are stored in reverse, each with its own place and rescale.
fn enhanced(phantom: &Phantom) -> DataSet {
    let per_frame = (0..phantom.slices).rev().map(|s| {
        let place = DataSet::default().text(POSITION, *b"DS", &triple(phantom.position_mm(s)));
        let rescale = DataSet::default()
            .text(INTERCEPT, *b"DS", &(phantom.intercept_hu + 10.0 * s as f64).to_string())
            .text(SLOPE, *b"DS", &phantom.slope.to_string());
        DataSet::default().items((0x0020, 0x9113), vec![place]).items((0x0028, 0x9145), vec![rescale])
    });
    let orientation = DataSet::default().text(ORIENTATION, *b"DS", "1\\0\\0\\0\\1\\0");
    let measures = DataSet::default().text(SPACING, *b"DS", "0.5\\0.25");
    let window = DataSet::default().text((0x0028, 0x1050), *b"DS", "40").text((0x0028, 0x1051), *b"DS", "350");
    let shared = DataSet::default()
        .items((0x0020, 0x9116), vec![orientation])
        .items((0x0028, 0x9110), vec![measures])
        .items((0x0028, 0x9132), vec![window]);
    let cells = (0..phantom.slices).rev().flat_map(|s| phantom.cells(s)).collect();
    phantom
        .header()
        .text(SOP_CLASS, *b"UI", "1.2.840.10008.5.1.4.1.1.2.1")
        .without(INTERCEPT)
        .without(SLOPE)
        .without(SPACING)
        .without(ORIENTATION)
        .text(FRAMES, *b"IS", &phantom.slices.to_string())
        .items((0x5200, 0x9229), vec![shared])
        .items((0x5200, 0x9230), per_frame.collect())
        .value(PIXELS, *b"OW", Value::Words(cells))
}

#[test]
fn frames_of_an_enhanced_ct_are_placed_and_rescaled_one_by_one() {
    let phantom = Phantom { bits_stored: 12, high_bit: 11, is_signed: false, slices: 5, ..Phantom::default() };
    for syntax in [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN] {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &[("enhanced.dcm".to_owned(), enhanced(&phantom))], syntax);
        let found = scan_path(&folder.path().join("enhanced.dcm"));
        let info = found.series[0].info();
        assert_eq!((info.slice_count, info.slice_spacing_mm), (5, Some(2.5)));
        assert_eq!((info.windows.len(), info.pixel_spacing_mm), (1, Some([0.25, 0.5])));
        let (volume, _) = read(&found.series[0]);
        for s in 0..5 {
            let expected = phantom.value_hu(at(3, 2, s)) + 10 * s as i16;
            assert_eq!(volume.value_hu(at(3, 2, s)), Some(expected), "slice {s} in {syntax}");
        }
    }
}

#[test]
fn folders_are_searched_in_depth_past_files_of_other_kinds() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("DICOM/S0001/A");
    std::fs::create_dir_all(&deep).unwrap();
    phantom.write_to(&deep);
    std::fs::write(folder.path().join("AUTORUN.INF"), "[autorun]").unwrap();
    std::fs::write(deep.join("report.pdf"), "%PDF-1.4").unwrap();
    std::fs::write(deep.join("empty"), "").unwrap();
    let looked_at = Mutex::new(0);
    let found = ct2rgb::io::scan(folder.path(), &CancelFlag::new(), &|count| {
        let mut most = looked_at.lock().unwrap();
        *most = count.max(*most);
    })
    .unwrap();
    assert_eq!(*looked_at.lock().unwrap(), 7);
    phantom.assert_equal(&read(&found.series[0]).0);
}

#[test]
fn a_dicomdir_leads_to_its_files_whatever_their_case_and_counts_the_missing() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("images");
    std::fs::create_dir_all(&deep).unwrap();
    let files: Vec<_> = (0..4).map(|s| (format!("im{s}"), phantom.slice(s))).collect();
    write_files(&deep, &files, EXPLICIT);
    let record = |name: &str| DataSet::default().text((0x0004, 0x1500), *b"CS", &format!("IMAGES\\{name}"));
    let names = ["IM0", "IM1", "IM2", "IM3", "IM9", "..\\..\\IM0"];
    let directory = DataSet::default().items((0x0004, 0x1220), names.map(record).to_vec());
    write_files(folder.path(), &[("DICOMDIR".to_owned(), directory)], EXPLICIT);
    let found = scan_path(&folder.path().join("DICOMDIR"));
    assert_eq!(codes(&found.warnings), ["missing-files"]);
    assert!(found.warnings[0].message.starts_with("2 files"), "{}", found.warnings[0].message);
    phantom.assert_equal(&read(&found.series[0]).0);
}

#[test]
fn a_zip_is_read_in_place_and_its_names_lead_nowhere() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, slice) in phantom.files() {
        zip.start_file(format!("../../../{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &slice.file_bytes(EXPLICIT)).unwrap();
    }
    zip.finish().unwrap();
    phantom.assert_equal(&read(&scan_path(&path).series[0]).0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is unpacked");
}

#[test]
fn reading_begins_at_the_wanted_slice_names_each_once_and_stops_when_asked() {
    let phantom = Phantom { slices: 8, ..Phantom::default() };
    let folder = tempfile::tempdir().unwrap();
    phantom.write_to(folder.path());
    let series = &scan_path(folder.path()).series[0];
    let heard = Mutex::new(Vec::new());
    let volume = series.pending_volume();
    let on_slice = |slice: SliceIndex| heard.lock().unwrap().push(slice.0);
    let cancel = CancelFlag::new();
    series.read_into(&volume, &ReadRequest { first: SliceIndex(5), cancel: &cancel, on_slice: &on_slice }).unwrap();
    let mut heard = heard.into_inner().unwrap();
    heard.sort_unstable();
    assert_eq!(heard, (0..8).collect::<Vec<_>>());

    let volume = series.pending_volume();
    let stop_at_first = |_| cancel.cancel();
    let request = ReadRequest { first: SliceIndex(5), cancel: &cancel, on_slice: &stop_at_first };
    assert!(matches!(series.read_into(&volume, &request), Err(ct2rgb::io::LoadError::Cancelled)));
    assert!(volume.ready_slice(SliceIndex(5)).is_some());
    assert!(volume.settled_count() < 8);
}

#[test]
fn a_truncated_slice_is_missing_and_the_others_are_read() {
    let phantom = Phantom::default();
    let folder = tempfile::tempdir().unwrap();
    for s in 0..4 {
        let mut bytes = phantom.slice(s).file_bytes(EXPLICIT);
        if s == 1 {
            bytes.truncate(bytes.len() - 100);
        }
        std::fs::write(folder.path().join(s.to_string()), bytes).unwrap();
    }
    let (volume, warnings) = read(&scan_path(folder.path()).series[0]);
    assert_eq!(warnings[0].message, "slice 2 could not be read: file ends within the pixel data");
    assert!(volume.ready_slice(SliceIndex(1)).is_none());
    assert_eq!(volume.value_hu(at(3, 3, 2)), Some(phantom.value_hu(at(3, 3, 2))));
}

#[test]
fn files_without_preamble_are_read_too() {
    let phantom = Phantom { slices: 1, ..Phantom::default() };
    for syntax in [IMPLICIT, EXPLICIT] {
        let folder = tempfile::tempdir().unwrap();
        let whole = phantom.slice(0).file_bytes(syntax);
        let meta_len = 132 + 12 + u32::from_le_bytes(whole[140..144].try_into().unwrap()) as usize;
        std::fs::write(folder.path().join("bare"), &whole[meta_len..]).unwrap();
        phantom.assert_equal(&read(&scan_path(folder.path()).series[0]).0);
    }
}

#[test]
fn identity_is_in_its_own_field_and_nowhere_else() {
    let phantom = Phantom { tilt_degrees: 9.0, ..Phantom::default() };
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = phantom
        .files()
        .into_iter()
        .map(|(n, d)| (n, d.text((0x0028, 0x0301), *b"CS", "YES").without(SPACING)))
        .collect();
    write_files(folder.path(), &files, EXPLICIT);
    let found = scan_path(folder.path());
    let identity = found.series[0].info().identity.clone().unwrap();
    assert_eq!((identity.name.as_str(), identity.id.as_str()), (PATIENT_NAME, PATIENT_ID));
    assert!(found.series[0].info().has_burned_in_identity);
    assert!(!format!("{found:?}").contains("GEHEIM"));
}
