//! The default recipe against its definition in numpy, and what every recipe keeps to.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::float_cmp, reason = "threshold and square are to be the same to the last bit")]

use ct2rgb::preprocess::{
    EdgeRanges, HuRange, MaskMode, PreprocessError, Recipe, RecipeError, otsu_threshold_hu, sobel_in_range,
};
use ct2rgb::volume::CtSlice;
use safetensors::SafeTensors;

/// Two living patients; `tests/fixtures/README.md` says who made it.
const PIPELINE: &[u8] = include_bytes!("fixtures/pipeline_living.safetensors");

/// The planes of one slice, as the definition made them.
struct Reference {
    slice: CtSlice,
    pixel_size_mm: [f64; 2],
    otsu_hu: f32,
    square: [f64; 3],
    mask: Vec<bool>,
    grid_mask: Vec<bool>,
    channels: Vec<f32>,
    output: Vec<f32>,
    rgb_on_ct: Vec<u8>,
}

fn reference(file: &[u8], name: &str) -> Reference {
    let file = SafeTensors::deserialize(file).unwrap();
    let bytes = |plane: &str| file.tensor(&format!("{name}.{plane}")).unwrap().data().to_vec();
    let floats = |plane| -> Vec<f32> { bytes(plane).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect() };
    let bools = |plane| bytes(plane).iter().map(|&byte| byte > 0).collect();
    let square: Vec<f64> = bytes("square").as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let shape = file.tensor(&format!("{name}.hu")).unwrap().shape().to_vec();
    let hu: Vec<i16> = bytes("hu").as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    Reference {
        slice: CtSlice::new(shape[1], shape[0], hu.into()),
        pixel_size_mm: [f64::from(floats("mm")[0]); 2],
        otsu_hu: floats("otsu_hu")[0],
        square: [square[0], square[1], square[2]],
        mask: bools("mask"),
        grid_mask: bools("grid_mask"),
        channels: floats("channels"),
        output: floats("output"),
        rgb_on_ct: bytes("rgb_on_ct"),
    }
}

fn check(file: &[u8], name: &str) {
    let reference = reference(file, name);
    let prepared = Recipe::default().prepare(&reference.slice, reference.pixel_size_mm).unwrap();
    assert_eq!(otsu_threshold_hu(reference.slice.values_hu()) as f32, reference.otsu_hu, "{name}: threshold");
    assert_eq!(prepared.mask, reference.mask, "{name}: mask");
    let square = [prepared.square.center_row, prepared.square.center_column, prepared.square.side];
    assert_eq!(square, reference.square, "{name}: square");
    assert_eq!(prepared.grid_mask, reference.grid_mask, "{name}: mask on the grid");
    assert_eq!((prepared.channel_count, prepared.size), (3, 256), "{name}: shape");
    let pairs = prepared.channels.iter().zip(&reference.channels);
    let largest = pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert_eq!(prepared.channels.len(), reference.channels.len(), "{name}: shape");
    // Rounding of HU in f32, 160 of which are the range of fat.
    assert!(largest < 1e-5, "{name}: channels differ by {largest}");
    let rgb8 = prepared.rgb8_on_ct(&reference.output);
    assert_eq!(rgb8.len(), reference.rgb_on_ct.len(), "{name}: colours");
    let wrong = rgb8.iter().zip(&reference.rgb_on_ct).filter(|(found, expected)| found != expected).count();
    assert!(wrong * 10_000 <= rgb8.len(), "{name}: {wrong} of {} colours differ", rgb8.len());
    assert!(rgb8.iter().zip(&reference.rgb_on_ct).all(|(a, b)| a.abs_diff(*b) <= 1), "{name}: by 1 at most");
}

#[test]
fn the_default_recipe_makes_the_planes_of_its_definition() {
    for name in ["chest", "coarse_abdomen"] {
        check(PIPELINE, name);
    }
}

/// What a made-up slice shows at a point, in mm from the middle: HU.
type Anatomy = fn(f64, f64) -> i16;

/// An ellipse of soft tissue in fat, two lungs, a spine, two arms, and a table below.
fn chest_hu(x: f64, y: f64) -> i16 {
    let within = |cx: f64, cy: f64, rx: f64, ry: f64| ((x - cx) / rx).hypot((y - cy) / ry) < 1.0;
    if within(-50.0, 0.0, 35.0, 50.0) || within(50.0, 0.0, 35.0, 50.0) {
        -850
    } else if within(0.0, 55.0, 15.0, 15.0) {
        600
    } else if within(0.0, 0.0, 120.0, 80.0) || within(-170.0, 10.0, 33.0, 33.0) || within(170.0, 10.0, 33.0, 33.0) {
        50
    } else if within(0.0, 0.0, 130.0, 90.0) {
        -100
    } else if (108.0..114.0).contains(&y) && x.abs() < 150.0 {
        300
    } else {
        -1000
    }
}

/// A slice of `width_mm` × `height_mm` on pixels of this size; each pixel is the mean of four points.
fn made_up(anatomy: Anatomy, [width_mm, height_mm]: [f64; 2], pixel_size_mm: [f64; 2]) -> CtSlice {
    let columns = (width_mm / pixel_size_mm[0]).round() as usize;
    let rows = (height_mm / pixel_size_mm[1]).round() as usize;
    let hu = (0..columns * rows).map(|index| {
        let point = |dx: f64, dy: f64| {
            let x = ((index % columns) as f64 + 0.5 + dx) * pixel_size_mm[0] - width_mm / 2.0;
            let y = ((index / columns) as f64 + 0.5 + dy) * pixel_size_mm[1] - height_mm / 2.0;
            i32::from(anatomy(x, y))
        };
        let sum = point(-0.25, -0.25) + point(0.25, -0.25) + point(-0.25, 0.25) + point(0.25, 0.25);
        (sum / 4) as i16
    });
    CtSlice::new(columns, rows, hu.collect::<Vec<_>>().into())
}

/// Whether the mask holds at a point, in mm from the middle.
fn is_body(mask: &[bool], columns: usize, pixel_size_mm: [f64; 2], [x, y]: [f64; 2]) -> bool {
    let rows = mask.len() / columns;
    let column = (x / pixel_size_mm[0] + columns as f64 / 2.0) as usize;
    let row = (y / pixel_size_mm[1] + rows as f64 / 2.0) as usize;
    mask[row * columns + column]
}

#[test]
fn lungs_and_arms_belong_to_the_body_and_the_table_does_not() {
    for pixel_size_mm in [[1.0, 1.0], [0.5, 0.5], [2.0, 2.0], [1.0, 2.0], [1.5, 0.5]] {
        let slice = made_up(chest_hu, [400.0, 300.0], pixel_size_mm);
        let prepared = Recipe::default().prepare(&slice, pixel_size_mm).unwrap();
        let is_body = |point| is_body(&prepared.mask, slice.columns(), pixel_size_mm, point);
        for (what, point, expected) in [
            ("heart", [0.0, 0.0], true),
            ("right lung", [-50.0, 0.0], true),
            ("left lung", [50.0, 0.0], true),
            ("spine", [0.0, 55.0], true),
            ("fat", [0.0, -85.0], true),
            ("right arm", [-170.0, 10.0], true),
            ("left arm", [170.0, 10.0], true),
            ("table", [100.0, 111.0], false),
            ("table below the back", [0.0, 111.0], false),
            ("air", [190.0, -140.0], false),
            ("between arm and chest", [133.0, -10.0], false),
        ] {
            assert_eq!(is_body(point), expected, "{what} at {pixel_size_mm:?} mm");
        }
    }
}

#[test]
fn the_same_body_on_another_grid_gives_the_same_mask_and_the_same_square() {
    let prepare = |mm: f64| {
        let slice = made_up(chest_hu, [400.0, 300.0], [mm; 2]);
        let prepared = Recipe::default().prepare(&slice, [mm; 2]).unwrap();
        let area_mm2 = prepared.mask.iter().filter(|is_inside| **is_inside).count() as f64 * mm * mm;
        (area_mm2, prepared.square.side * mm, (prepared.square.center_row + 0.5) * mm)
    };
    let (area, side, centre) = prepare(1.0);
    for mm in [0.4, 0.5, 0.7, 1.5, 2.0] {
        let (other_area, other_side, other_centre) = prepare(mm);
        // Half a pixel of skin all around: 1.2 m of it at 2 mm.
        assert!((other_area / area - 1.0).abs() < 0.03, "{mm} mm: {other_area} mm², at 1 mm {area} mm²");
        assert!(
            (other_side - side).abs() < 5.0 && (other_centre - centre).abs() < 2.5,
            "{mm} mm: {other_side}, {side}"
        );
    }
}

#[test]
fn pixels_that_are_not_square_give_a_square_in_millimetres() {
    let square = made_up(chest_hu, [400.0, 300.0], [1.0, 1.0]);
    let square = Recipe::default().prepare(&square, [1.0, 1.0]).unwrap();
    for pixel_size_mm in [[1.0, 2.0], [2.0, 1.0], [0.8, 1.3]] {
        let slice = made_up(chest_hu, [400.0, 300.0], pixel_size_mm);
        let prepared = Recipe::default().prepare(&slice, pixel_size_mm).unwrap();
        let side_mm = prepared.square.side * pixel_size_mm[0];
        assert!((side_mm - square.square.side).abs() < 5.0, "{pixel_size_mm:?}: side {side_mm} mm");
        let pairs = prepared.grid_mask.iter().zip(&square.grid_mask);
        let differing = pairs.filter(|(a, b)| a != b).count();
        assert!(
            differing < 256 * 256 * 3 / 100,
            "{pixel_size_mm:?}: the body has its shape, {differing} pixels differ"
        );
        let grey: Vec<f32> = prepared.channels[..256 * 256].iter().map(|value| value.clamp(-1.0, 1.0)).collect();
        let answer = [grey.clone(), grey.clone(), grey].concat();
        let rgb8 = prepared.rgb8_on_ct(&answer);
        let at = |x: f64, y: f64| {
            let column = (x / pixel_size_mm[0] + slice.columns() as f64 / 2.0) as usize;
            let row = (y / pixel_size_mm[1] + slice.rows() as f64 / 2.0) as usize;
            rgb8[(row * slice.columns() + column) * 3]
        };
        assert!(
            at(0.0, 55.0) > at(0.0, 0.0) && at(0.0, 0.0) > at(50.0, 0.0),
            "spine, heart and lung lie where they were"
        );
    }
}

#[test]
fn slices_without_a_body_are_an_error_and_not_a_guess() {
    let noise = |index: usize| ((index * 2_654_435_761) >> 8) as i16 % 40 - 1000;
    let no_body = Err(PreprocessError::NoBody);
    for (what, hu) in [
        ("air", vec![-1000; 128 * 128]),
        ("padding and air", (0..128 * 128).map(|i| if i % 128 < 20 { -2000 } else { -1000 }).collect()),
        ("noise", (0..128 * 128).map(noise).collect()),
        ("a speck", (0..128 * 128).map(|i| if i == 8000 { 3000 } else { -1000 }).collect()),
        ("lowest value", vec![i16::MIN; 128 * 128]),
    ] {
        let slice = CtSlice::new(128, 128, hu.into());
        assert_eq!(Recipe::default().prepare(&slice, [1.0, 1.0]).map(|_| ()), no_body, "{what}");
    }
    let nothing = CtSlice::new(0, 0, Vec::new().into());
    assert_eq!(Recipe::default().prepare(&nothing, [1.0, 1.0]).map(|_| ()), no_body, "no pixels");
    let table = made_up(
        |x, y| if (40.0..44.0).contains(&(y + x * x / 400.0)) && x.abs() < 90.0 { 300 } else { -1000 },
        [200.0; 2],
        [1.0; 2],
    );
    assert_eq!(
        Recipe::default().prepare(&table, [1.0, 1.0]).map(|_| ()),
        Err(PreprocessError::NoBody),
        "a table alone"
    );
}

#[test]
fn any_size_and_any_values_end_in_planes_or_an_error() {
    let mixed = |index: usize| ((index * 2_654_435_761) >> 5) as u16 as i16;
    for (columns, rows) in [(1, 1), (1, 2), (3, 5), (9, 9), (1, 500), (500, 1), (64, 65), (300, 7)] {
        for (what, hu) in [
            ("mixed", (0..columns * rows).map(mixed).collect::<Vec<_>>()),
            ("tissue", vec![40; columns * rows]),
            ("dense", vec![i16::MAX; columns * rows]),
            ("half", (0..columns * rows).map(|i| if i % 2 == 0 { 40 } else { -1000 }).collect()),
        ] {
            for pixel_size_mm in [[1.0, 1.0], [20.0, 20.0], [0.01, 0.01], [100.0, 5.0], [0.5, 5.0]] {
                for name in Recipe::NAMES {
                    let slice = CtSlice::new(columns, rows, hu.clone().into());
                    let Ok(prepared) = Recipe::named(name).unwrap().prepare(&slice, pixel_size_mm) else { continue };
                    let context = format!("{what}, {columns} × {rows}, {pixel_size_mm:?} mm, {name}");
                    assert_eq!(prepared.channels.len(), prepared.channel_count * 65536, "{context}");
                    assert!(prepared.channels.iter().all(|v| (-1.0..=1.0).contains(v)), "{context}: signed unit");
                    let rgb8 = prepared.rgb8_on_ct(&vec![0.5; 3 * 65536]);
                    assert_eq!(rgb8.len(), columns * rows * 3, "{context}: colours");
                }
            }
        }
    }
}

#[test]
fn a_large_picture_is_prepared() {
    let slice = made_up(chest_hu, [409.6, 409.6], [0.1, 0.1]);
    assert_eq!((slice.columns(), slice.rows()), (4096, 4096), "size");
    let prepared = Recipe::default().prepare(&slice, [0.1, 0.1]).unwrap();
    let rgb8 = prepared.rgb8_on_ct(&vec![0.0; 3 * 65536]);
    assert_eq!(rgb8.len(), 4096 * 4096 * 3, "colours");
    assert_eq!(rgb8[(2048 * 4096 + 2048) * 3..][..3], [128, 128, 128], "the middle is inside");
}

#[test]
fn pixels_of_impossible_size_and_impossible_recipes_are_refused() {
    let slice = CtSlice::new(64, 64, vec![40; 64 * 64].into());
    for size in
        [[0.0, 1.0], [1.0, f64::NAN], [-1.0, -1.0], [1e-9, 1e-9], [f64::INFINITY, 1.0], [0.1, 5.0], [200.0, 200.0]]
    {
        let error = Recipe::default().prepare(&slice, size).unwrap_err();
        assert!(matches!(error, PreprocessError::PixelSize { .. }), "{size:?}: {error}");
    }
    let recipe = Recipe { size: 100, ..Recipe::default() };
    let error = recipe.prepare(&slice, [1.0, 1.0]).unwrap_err();
    assert_eq!(error, PreprocessError::Recipe(RecipeError::Size { found: 100 }), "{error}");
}

#[test]
fn every_level_of_8_bits_survives_the_way_to_the_generator_and_back() {
    let slice = CtSlice::new(40, 40, vec![40; 1600].into());
    let prepared = Recipe::default().prepare(&slice, [5.0, 5.0]).unwrap();
    for level in 0..=255_u8 {
        let signed_unit = f32::from(level) / 127.5 - 1.0;
        let rgb8 = prepared.rgb8_on_ct(&vec![signed_unit; 3 * 65536]);
        assert_eq!(rgb8[(20 * 40 + 20) * 3..][..3], [level; 3], "level {level}");
    }
    for (signed_unit, expected) in [(-7.0, 0), (7.0, 255)] {
        let rgb8 = prepared.rgb8_on_ct(&vec![signed_unit; 3 * 65536]);
        assert_eq!(rgb8[(20 * 40 + 20) * 3], expected, "{signed_unit} is brought into range");
    }
}

#[test]
fn shrinking_smooths_first_with_the_gaussian_of_the_definition() {
    // The fixture's slices are smaller than the grid, so here is one that is larger: 700 pixels on 256. All but the corner is body.
    let value = |index: i64| if index / 700 < 10 && index % 700 < 10 { 0 } else { 40 + (index * 7919 % 211) as i16 };
    let hu: Vec<i16> = (0..700 * 700).map(value).collect();
    let slice = CtSlice::new(700, 700, hu.clone().into());
    let recipe = Recipe { crop_margin: 1.0, mask: MaskMode::CornerMedian, ..Recipe::direct() };
    let prepared = recipe.prepare(&slice, [0.5, 0.5]).unwrap();
    assert_eq!((prepared.square.side, prepared.square.center_row), (700.0, 349.5), "the whole picture");
    let factor = 700.0 / 256.0;
    let deviation = 0.35 * factor;
    let reach = (3.0 * deviation + 0.5) as i64;
    let weights: Vec<f64> = (-reach..=reach).map(|i| (-0.5 * (i as f64 / deviation).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mirror = |index: i64| {
        (if index < 0 {
            -index
        } else if index > 699 {
            1398 - index
        } else {
            index
        }) as usize
    };
    let smooth = |row: usize, column: usize| -> f64 {
        let mut total = 0.0;
        for (i, down) in weights.iter().enumerate() {
            for (j, across) in weights.iter().enumerate() {
                let (r, c) = (mirror(row as i64 + i as i64 - reach), mirror(column as i64 + j as i64 - reach));
                total += down * across * f64::from(hu[r * 700 + c]);
            }
        }
        total / sum / sum
    };
    for (row, column) in [(0, 9), (0, 128), (128, 255), (255, 255), (100, 3), (77, 201)] {
        let place = |index: usize| 349.5 + (index as f64 + 0.5 - 128.0) * factor;
        let (y, x) = (place(row), place(column));
        let (top, left) = (y as usize, x as usize);
        let (down, across) = (y - top as f64, x - left as f64);
        let upper = smooth(top, left) * (1.0 - across) + smooth(top, left + 1) * across;
        let lower = smooth(top + 1, left) * (1.0 - across) + smooth(top + 1, left + 1) * across;
        let expected = upper * (1.0 - down) + lower * down;
        let found = f64::from(prepared.grid_hu[row * 256 + column]);
        // f32 sums of values of some hundred.
        assert!((found - expected).abs() < 1e-3, "{row}, {column}: {found} HU, not {expected}");
    }
}

#[test]
fn recipes_make_their_channels_in_order() {
    let slice = made_up(chest_hu, [400.0, 300.0], [1.0, 1.0]);
    let plane = |recipe: &Recipe, channel: usize| {
        let prepared = recipe.prepare(&slice, [1.0, 1.0]).unwrap();
        prepared.channels[channel * 65536..(channel + 1) * 65536].to_vec()
    };
    let (default, paper, direct) = (Recipe::default(), Recipe::ct2rgb(), Recipe::direct());
    assert_eq!(plane(&paper, 0), plane(&default, 0), "CT first");
    assert_eq!(plane(&paper, 1), plane(&default, 2), "contours last");
    assert_eq!(plane(&direct, 0), plane(&default, 0), "CT alone");
    let ablated = Recipe::named("body-mask").unwrap();
    let prepared = ablated.prepare(&slice, [1.0, 1.0]).unwrap();
    let whole = sobel_in_range(&prepared.grid_hu, 256, HuRange::WHOLE);
    let whole: Vec<f32> = whole.iter().map(|edge| edge * 2.0 - 1.0).collect();
    assert_eq!(prepared.channels[2 * 65536..], whole, "contours of everything");
    let edges = EdgeRanges { fat: HuRange { low_hu: -300.0, high_hu: 0.0 }, ..EdgeRanges::default() };
    assert_ne!(plane(&Recipe { edges, ..Recipe::default() }, 2), plane(&default, 2), "other ranges, other contours");
    let large = Recipe { size: 512, ..Recipe::default() };
    assert_eq!(large.prepare(&slice, [1.0, 1.0]).unwrap().channels.len(), 3 * 512 * 512, "a larger grid");
}

#[test]
fn without_region_work_the_threshold_is_the_median_of_the_corner() {
    let mut hu = vec![-990_i16; 64 * 64];
    for (index, value) in hu.iter_mut().enumerate() {
        let (row, column) = (index / 64, index % 64);
        if row < 10 && column < 10 {
            *value = if (row + column) % 2 == 0 { -1010 } else { -980 };
        } else if (20..40).contains(&row) && (30..50).contains(&column) {
            *value = 40;
        }
    }
    let slice = CtSlice::new(64, 64, hu.into());
    let recipe = Recipe { mask: MaskMode::CornerMedian, ..Recipe::default() };
    let prepared = recipe.prepare(&slice, [1.0, 1.0]).unwrap();
    // Half of the corner is at −1010, half at −980: the median is −995, and −990 is above it.
    assert!(prepared.mask[30 * 64 + 40] && prepared.mask[60 * 64 + 5], "body and noise are above the median");
    assert!(!prepared.mask[0] && prepared.mask[1], "the lower half of the corner is not");
    let dark = CtSlice::new(3, 3, vec![-1000; 9].into());
    assert_eq!(recipe.prepare(&dark, [1.0, 1.0]).map(|_| ()), Err(PreprocessError::NoBody), "nothing is above");
}
