//! Where the voxels of the volume lie: an even, upright lattice made of a stack that need not be one.

use crate::units::SliceIndex;
use crate::volume::Geometry;

/// Largest size that NIfTI-1 can hold along an axis.
const MOST_VOXELS: usize = i16::MAX as usize;
/// Distances count as even within this share of the mean distance.
const EVEN_WITHIN: f64 = 0.01;
/// Slices count as stacked upright when they are shifted by less than this many pixels.
const UPRIGHT_WITHIN: f64 = 0.02;
/// An uneven stack may grow to so many slices for each old one.
const MOST_COPIES: usize = 8;
/// A tilted stack may be shifted by so many pixels.
const MOST_SHIFT: f64 = 4096.0;

/// The lattice of a volume, and how each slice of the stack comes into it. Patient axes are DICOM's (LPS).
#[derive(Clone, Debug)]
pub(super) struct Placement {
    /// Columns, rows, slices of the volume.
    pub(super) size: [usize; 3],
    /// Distances between columns, rows, slices.
    pub(super) spacing_mm: [f64; 3],
    /// How many slices of the volume each slice of the stack becomes.
    pub(super) copies: Vec<usize>,
    /// Whether the file says how the pictures lie in the patient.
    pub(super) is_orientation_known: bool,
    /// Size of a slice of the stack.
    columns: usize,
    rows: usize,
    /// Where each slice of the stack lies in the volume's plane, in columns and rows; `None`: all at the corner.
    shifts: Option<Vec<[f64; 2]>>,
    is_uneven: bool,
    directions: [[f64; 3]; 3],
    origin_mm: [f64; 3],
    tilt_degrees: f64,
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

impl Placement {
    /// The lattice for the slices `first` to `last`; in words, why there is none.
    pub(super) fn new(geometry: &Geometry, first: SliceIndex, last: SliceIndex) -> Result<Self, String> {
        if last < first || last.0 >= geometry.slices() {
            return Err(format!("slices {first} to {last} of {} do not exist", geometry.slices()));
        }
        let slices: Vec<SliceIndex> = (first.0..=last.0).map(SliceIndex).collect();
        let normal = geometry.normal();
        let positions: Vec<f64> = slices.iter().map(|&slice| geometry.slice_position_mm(slice)).collect();
        let side = if positions[positions.len() - 1] < positions[0] { -1.0 } else { 1.0 };
        let positions: Vec<f64> = positions.iter().map(|position| (position - positions[0]) * side).collect();
        let Depth { spacing_mm: depth_mm, copies, is_uneven } =
            Depth::new(&positions, geometry.slice_spacing_mm().unwrap_or(1.0))?;
        let [width_mm, height_mm] = geometry.pixel_size_mm();
        let (across, down) = (geometry.column_direction(), geometry.row_direction());
        let start_mm = geometry.slice_origin_mm(first);
        let in_plane = |slice: &SliceIndex| {
            let origin_mm = geometry.slice_origin_mm(*slice);
            let offset: [f64; 3] = std::array::from_fn(|k| origin_mm[k] - start_mm[k]);
            [dot(offset, across) / width_mm, dot(offset, down) / height_mm]
        };
        let shifts: Vec<[f64; 2]> = slices.iter().map(in_plane).collect();
        let lowest = |axis: usize| shifts.iter().map(|shift| shift[axis]).fold(0.0, f64::min);
        let highest = |axis: usize| shifts.iter().map(|shift| shift[axis]).fold(0.0, f64::max);
        let corner = [lowest(0).floor(), lowest(1).floor()];
        let extent = [highest(0) - corner[0], highest(1) - corner[1]];
        let is_upright = (0..2).all(|axis| highest(axis) - lowest(axis) < UPRIGHT_WITHIN);
        if !is_upright && extent.iter().any(|pixels| *pixels > MOST_SHIFT) {
            return Err(format!("they are shifted by {:.0} × {:.0} pixels against each other", extent[0], extent[1]));
        }
        let (corner, extent) = if is_upright { ([0.0; 2], [0.0; 2]) } else { (corner, extent) };
        let size = [
            geometry.columns() + extent[0].ceil() as usize,
            geometry.rows() + extent[1].ceil() as usize,
            copies.iter().sum(),
        ];
        if size.iter().any(|&count| count > MOST_VOXELS) {
            return Err(format!("{} × {} × {} voxels are more than the format holds", size[0], size[1], size[2]));
        }
        let step = |k: usize| corner[0] * width_mm * across[k] + corner[1] * height_mm * down[k];
        Ok(Self {
            size,
            spacing_mm: [width_mm, height_mm, depth_mm],
            copies,
            is_orientation_known: geometry.is_orientation_known(),
            columns: geometry.columns(),
            rows: geometry.rows(),
            shifts: (!is_upright)
                .then(|| shifts.iter().map(|shift| [shift[0] - corner[0], shift[1] - corner[1]]).collect()),
            is_uneven,
            directions: [across, down, normal.map(|c| c * side)],
            origin_mm: std::array::from_fn(|k| start_mm[k] + step(k)),
            tilt_degrees: geometry.tilt_degrees(),
        })
    }

    /// Bytes of a slice of the stack.
    pub(super) fn slice_bytes(&self) -> usize {
        self.columns * self.rows * 3
    }

    /// What was changed, in words.
    pub(super) fn note(&self) -> Option<String> {
        let shifted = self
            .shifts
            .as_ref()
            .map(|_| format!("slices of a gantry tilted by {:.1}° are shifted upright", self.tilt_degrees));
        let evened = self
            .is_uneven
            .then(|| format!("uneven slices are brought to {:.2} mm, nearest slice each", self.spacing_mm[2]));
        let notes: Vec<String> = shifted.into_iter().chain(evened).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Rows of the affine matrix from voxel (column, row, slice) to NIfTI's patient axes (RAS) in mm.
    pub(super) fn ras_from_voxel(&self) -> [[f64; 4]; 3] {
        std::array::from_fn(|k| {
            // LPS to RAS: the first two axes point the other way.
            let sign = if k < 2 { -1.0 } else { 1.0 };
            let step = |axis: usize| sign * self.directions[axis][k] * self.spacing_mm[axis];
            [step(0), step(1), step(2), sign * self.origin_mm[k]]
        })
    }

    /// The rotation as NIfTI's quaternion (b, c, d), and `qfac`: −1 where the slices' axis is turned round.
    pub(super) fn quaternion(&self) -> ([f32; 3], f32) {
        let mut r: [[f64; 3]; 3] = std::array::from_fn(|k| {
            std::array::from_fn(|axis| self.directions[axis][k] * if k < 2 { -1.0 } else { 1.0 })
        });
        let minor = |a: usize, b: usize| r[1][a] * r[2][b] - r[1][b] * r[2][a];
        let determinant = r[0][0] * minor(1, 2) - r[0][1] * minor(0, 2) + r[0][2] * minor(0, 1);
        let handedness = if determinant < 0.0 { -1.0 } else { 1.0 };
        for row in &mut r {
            row[2] *= handedness;
        }
        (in_single_precision(quaternion_of(&r)), handedness as f32)
    }

    /// A slice of the stack as one of the volume, black around it.
    pub(super) fn shift(&self, slice: usize, rgb8: Option<&[u8]>, target: &mut Vec<u8>) {
        target.clear();
        let Some(rgb8) = rgb8 else {
            target.resize(self.size[0] * self.size[1] * 3, 0);
            return;
        };
        let Some(&[across, down]) = self.shifts.as_ref().and_then(|shifts| shifts.get(slice)) else {
            target.extend_from_slice(rgb8);
            return;
        };
        let pixels = rgb8.as_chunks::<3>().0;
        let at = |row: i64, column: i64| {
            let is_inside = (0..self.rows as i64).contains(&row) && (0..self.columns as i64).contains(&column);
            if is_inside { pixels[row as usize * self.columns + column as usize] } else { [0; 3] }
        };
        let (left, top) = (across.floor() as i64 + 1, down.floor() as i64 + 1);
        // A pixel of the volume lies between four of the slice, always by the same shares.
        let (x, y) = (1.0 - across.fract(), 1.0 - down.fract());
        let shares = [(1.0 - y) * (1.0 - x), (1.0 - y) * x, y * (1.0 - x), y * x];
        for (row, column) in (0..self.size[1] as i64).flat_map(|row| (0..self.size[0] as i64).map(move |c| (row, c))) {
            let (r, c) = (row - top, column - left);
            let corners = [at(r, c), at(r, c + 1), at(r + 1, c), at(r + 1, c + 1)];
            let mean =
                |k: usize| corners.iter().zip(shares).map(|(corner, share)| f64::from(corner[k]) * share).sum::<f64>();
            target.extend([0, 1, 2].map(|k| (mean(k) + 0.5) as u8));
        }
    }
}

/// The volume's axis across the slices.
struct Depth {
    spacing_mm: f64,
    copies: Vec<usize>,
    is_uneven: bool,
}

impl Depth {
    /// From rising positions, the first 0; `usual_mm` for a single slice.
    fn new(positions_mm: &[f64], usual_mm: f64) -> Result<Self, String> {
        let mut gaps_mm: Vec<f64> = positions_mm.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps_mm.sort_by(f64::total_cmp);
        let (Some(&smallest), Some(&largest)) = (gaps_mm.first(), gaps_mm.last()) else {
            let spacing_mm = if usual_mm > 0.0 { usual_mm } else { 1.0 };
            return Ok(Self { spacing_mm, copies: vec![1], is_uneven: false });
        };
        if smallest < 1e-3 {
            return Err("two of them lie in the same place".to_owned());
        }
        let span_mm = positions_mm[positions_mm.len() - 1];
        let mean = span_mm / gaps_mm.len() as f64;
        if largest - smallest <= EVEN_WITHIN * mean {
            return Ok(Self { spacing_mm: mean, copies: vec![1; positions_mm.len()], is_uneven: false });
        }
        let count = |spacing: f64| (span_mm / spacing).round() as usize + 1;
        let fits = |spacing: &f64| count(*spacing) <= MOST_COPIES * positions_mm.len();
        let spacing_mm = Some(smallest).filter(fits).unwrap_or(gaps_mm[gaps_mm.len() / 2]);
        let mut copies = vec![0; positions_mm.len()];
        let mut nearest = 0;
        for index in 0..count(spacing_mm) {
            let position = index as f64 * spacing_mm;
            let distance = |slice: usize| (positions_mm[slice] - position).abs();
            while nearest + 1 < positions_mm.len() && distance(nearest + 1) <= distance(nearest) {
                nearest += 1;
            }
            copies[nearest] += 1;
        }
        Ok(Self { spacing_mm, copies, is_uneven: true })
    }
}

/// Readers take a = √(1 − b² − c² − d²). Where a is 0, rounding of b, c, d would make it 3e-4, and a point 30 cm away would move
/// by a fifth of a millimetre: there, the largest of them is rounded up until the root is of nothing.
fn in_single_precision(quaternion: [f64; 3]) -> [f32; 3] {
    let rest = |q: [f64; 3]| 1.0 - q.iter().map(|value| value * value).sum::<f64>();
    let mut rounded = quaternion.map(|value| value as f32);
    if rest(quaternion) < 1e-9
        && let Some(largest) = (0..3).max_by(|&i, &j| rounded[i].abs().total_cmp(&rounded[j].abs()))
    {
        while rest(rounded.map(f64::from)) > 0.0 {
            rounded[largest] =
                if rounded[largest] < 0.0 { rounded[largest].next_down() } else { rounded[largest].next_up() };
        }
    }
    rounded
}

/// Quaternion (b, c, d) of a rotation, with a ≥ 0; as `nifti_mat44_to_quatern` in the NIfTI-1 reference code.
fn quaternion_of(r: &[[f64; 3]; 3]) -> [f64; 3] {
    let trace = r[0][0] + r[1][1] + r[2][2] + 1.0;
    if trace > 0.5 {
        let a = 0.5 * trace.sqrt();
        return [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]].map(|difference| 0.25 * difference / a);
    }
    let x = 1.0 + r[0][0] - (r[1][1] + r[2][2]);
    let y = 1.0 + r[1][1] - (r[0][0] + r[2][2]);
    let z = 1.0 + r[2][2] - (r[0][0] + r[1][1]);
    let (a, [b, c, d]) = if x > 1.0 {
        let b = 0.5 * x.sqrt();
        let c = 0.25 * (r[0][1] + r[1][0]) / b;
        (0.25 * (r[2][1] - r[1][2]) / b, [b, c, 0.25 * (r[0][2] + r[2][0]) / b])
    } else if y > 1.0 {
        let c = 0.5 * y.sqrt();
        (0.25 * (r[0][2] - r[2][0]) / c, [0.25 * (r[0][1] + r[1][0]) / c, c, 0.25 * (r[1][2] + r[2][1]) / c])
    } else {
        let d = 0.5 * z.sqrt();
        (0.25 * (r[1][0] - r[0][1]) / d, [0.25 * (r[0][2] + r[2][0]) / d, 0.25 * (r[1][2] + r[2][1]) / d, d])
    };
    if a < 0.0 { [-b, -c, -d] } else { [b, c, d] }
}
