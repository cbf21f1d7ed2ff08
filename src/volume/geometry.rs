//! Where the voxels of a volume lie in the patient (DICOM LPS, millimetres).

use crate::units::{SliceIndex, VoxelIndex};

/// Numbers that describe no lattice.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GeometryError {
    /// A size of zero.
    #[error("volume of {columns} × {rows} × {slices} voxels is empty")]
    Empty {
        /// Pixels in a row.
        columns: usize,
        /// Rows.
        rows: usize,
        /// Slices.
        slices: usize,
    },
    /// NaN, infinite, or a step of no length.
    #[error("voxel steps {column_step_mm:?}, {row_step_mm:?} mm are not usable")]
    Steps {
        /// Step to the next column.
        column_step_mm: [f64; 3],
        /// Step to the next row.
        row_step_mm: [f64; 3],
    },
}

/// Letters at the four edges of a picture, from the orientation in the file; compound for oblique ones (`AH`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrientationLetters {
    /// At the left edge.
    pub left: String,
    /// At the right edge.
    pub right: String,
    /// At the top edge.
    pub top: String,
    /// At the bottom edge.
    pub bottom: String,
}

/// Lattice of a volume: size, steps in the patient, position of each slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    columns: usize,
    rows: usize,
    column_step_mm: [f64; 3],
    row_step_mm: [f64; 3],
    slice_origins_mm: Vec<[f64; 3]>,
    is_orientation_known: bool,
    is_spacing_known: bool,
}

impl Geometry {
    /// `column_step_mm` leads from a pixel to the one right of it, `row_step_mm` to the one below;
    /// `slice_origins_mm` are the centres of each slice's top left pixel, in the order of the slices. All in DICOM LPS.
    pub fn new(
        columns: usize,
        rows: usize,
        column_step_mm: [f64; 3],
        row_step_mm: [f64; 3],
        slice_origins_mm: Vec<[f64; 3]>,
    ) -> Result<Self, GeometryError> {
        if columns == 0 || rows == 0 || slice_origins_mm.is_empty() {
            return Err(GeometryError::Empty { columns, rows, slices: slice_origins_mm.len() });
        }
        let usable = |v: &[f64; 3]| v.iter().all(|c| c.is_finite()) && length(*v) > 1e-6;
        let origins_finite = slice_origins_mm.iter().flatten().all(|c| c.is_finite());
        let area = length(cross(column_step_mm, row_step_mm));
        if !usable(&column_step_mm) || !usable(&row_step_mm) || !origins_finite || area < 1e-9 {
            return Err(GeometryError::Steps { column_step_mm, row_step_mm });
        }
        Ok(Self {
            columns,
            rows,
            column_step_mm,
            row_step_mm,
            slice_origins_mm,
            is_orientation_known: true,
            is_spacing_known: true,
        })
    }

    /// The same lattice when the file does not say how it lies in the patient: no letters are shown.
    #[must_use]
    pub fn with_unknown_orientation(mut self) -> Self {
        self.is_orientation_known = false;
        self
    }

    /// The same lattice when the file does not say how large a pixel is (steps of 1 mm stand in): no scale bar is shown.
    #[must_use]
    pub fn with_unknown_spacing(mut self) -> Self {
        self.is_spacing_known = false;
        self
    }

    /// Pixels in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of a slice.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of slices.
    pub fn slices(&self) -> usize {
        self.slice_origins_mm.len()
    }

    /// Whether the file says how the pictures lie in the patient.
    pub fn is_orientation_known(&self) -> bool {
        self.is_orientation_known
    }

    /// Whether the file says how large a pixel is.
    pub fn is_spacing_known(&self) -> bool {
        self.is_spacing_known
    }

    /// Distance between neighbouring columns and between neighbouring rows in mm: pixel width, pixel height.
    pub fn pixel_size_mm(&self) -> [f64; 2] {
        [length(self.column_step_mm), length(self.row_step_mm)]
    }

    /// Unit vector along increasing columns.
    pub fn column_direction(&self) -> [f64; 3] {
        scaled(self.column_step_mm, 1.0 / length(self.column_step_mm))
    }

    /// Unit vector along increasing rows.
    pub fn row_direction(&self) -> [f64; 3] {
        scaled(self.row_step_mm, 1.0 / length(self.row_step_mm))
    }

    /// Unit normal of the slices: column direction × row direction.
    pub fn normal(&self) -> [f64; 3] {
        let n = cross(self.column_step_mm, self.row_step_mm);
        scaled(n, 1.0 / length(n))
    }

    /// Centre of the top left pixel of a slice in the patient.
    pub fn slice_origin_mm(&self, slice: SliceIndex) -> [f64; 3] {
        self.slice_origins_mm[slice.0.min(self.slice_origins_mm.len() - 1)]
    }

    /// Position of a slice along the normal in mm, as in the patient's coordinates.
    pub fn slice_position_mm(&self, slice: SliceIndex) -> f64 {
        dot(self.slice_origin_mm(slice), self.normal())
    }

    /// Median distance between neighbouring slices along the normal in mm; `None` for a single slice.
    pub fn slice_spacing_mm(&self) -> Option<f64> {
        let mut gaps: Vec<f64> = (1..self.slices())
            .map(|s| (self.slice_position_mm(SliceIndex(s)) - self.slice_position_mm(SliceIndex(s - 1))).abs())
            .collect();
        gaps.sort_by(f64::total_cmp);
        gaps.get(gaps.len() / 2).copied()
    }

    /// Centre of a voxel in the patient (DICOM LPS, mm).
    pub fn patient_from_voxel(&self, voxel: VoxelIndex) -> [f64; 3] {
        self.patient_from_pixel(SliceIndex(voxel.slice), voxel.column as f64, voxel.row as f64)
    }

    /// A point of a slice, in pixels between centres, in the patient (DICOM LPS, mm).
    pub fn patient_from_pixel(&self, slice: SliceIndex, column: f64, row: f64) -> [f64; 3] {
        let o = self.slice_origin_mm(slice);
        std::array::from_fn(|k| o[k] + column * self.column_step_mm[k] + row * self.row_step_mm[k])
    }

    /// The voxel whose centre is nearest to a point of the patient, `None` outside the volume.
    pub fn voxel_from_patient(&self, point_in_patient_mm: [f64; 3]) -> Option<VoxelIndex> {
        let normal = self.normal();
        let along = dot(point_in_patient_mm, normal);
        let distance = |s: usize| (self.slice_position_mm(SliceIndex(s)) - along).abs();
        let slice = (0..self.slices()).min_by(|&a, &b| distance(a).total_cmp(&distance(b)))?;
        let half_gap = self.slice_spacing_mm().unwrap_or(1.0) / 2.0;
        if distance(slice) > half_gap * 1.001 {
            return None;
        }
        let origin = self.slice_origin_mm(SliceIndex(slice));
        let offset: [f64; 3] = std::array::from_fn(|k| point_in_patient_mm[k] - origin[k]);
        let (a, b) = (self.column_step_mm, self.row_step_mm);
        let (aa, ab, bb) = (dot(a, a), dot(a, b), dot(b, b));
        let (oa, ob) = (dot(offset, a), dot(offset, b));
        let determinant = aa * bb - ab * ab;
        let column = ((oa * bb - ob * ab) / determinant).round();
        let row = ((ob * aa - oa * ab) / determinant).round();
        let inside = column >= 0.0 && row >= 0.0 && column < self.columns as f64 && row < self.rows as f64;
        inside.then_some(VoxelIndex { column: column as usize, row: row as usize, slice })
    }

    /// Whether slices lie across the body's long axis (within 45°).
    pub fn is_axial(&self) -> bool {
        self.normal()[2].abs() > std::f64::consts::FRAC_1_SQRT_2
    }

    /// Angle in degrees between the slices' normal and the line through their origins; 0 for an upright stack.
    pub fn tilt_degrees(&self) -> f64 {
        let (Some(first), Some(last)) = (self.slice_origins_mm.first(), self.slice_origins_mm.last()) else {
            return 0.0;
        };
        let line: [f64; 3] = std::array::from_fn(|k| last[k] - first[k]);
        if length(line) < 1e-6 {
            return 0.0;
        }
        (dot(line, self.normal()).abs() / length(line)).clamp(0.0, 1.0).acos().to_degrees()
    }

    /// Letters at the edges of a slice as stored; `None` when the orientation is unknown.
    pub fn orientation_letters(&self) -> Option<OrientationLetters> {
        self.is_orientation_known.then(|| OrientationLetters {
            left: letters_along(scaled(self.column_step_mm, -1.0)),
            right: letters_along(self.column_step_mm),
            top: letters_along(scaled(self.row_step_mm, -1.0)),
            bottom: letters_along(self.row_step_mm),
        })
    }
}

/// Patient letters of a direction, strongest axis first; weaker axes only when they are at least a quarter of the length.
fn letters_along(direction: [f64; 3]) -> String {
    const NAMES: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['H', 'F']];
    const WEAKEST_SHARE: f64 = 0.25;
    let norm = length(direction);
    let mut axes: Vec<usize> = (0..3).filter(|&k| direction[k].abs() / norm > WEAKEST_SHARE).collect();
    axes.sort_by(|&a, &b| direction[b].abs().total_cmp(&direction[a].abs()));
    axes.iter().map(|&k| NAMES[k][usize::from(direction[k] < 0.0)]).collect()
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

fn scaled(a: [f64; 3], factor: f64) -> [f64; 3] {
    a.map(|c| c * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_first(slices: usize) -> Geometry {
        let origins = (0..slices).map(|s| [-100.0, -120.0, 50.0 - 2.0 * s as f64]).collect();
        Geometry::new(512, 400, [0.5, 0.0, 0.0], [0.0, 0.5, 0.0], origins).unwrap()
    }

    #[test]
    fn letters_of_a_plain_axial_slice_are_right_left_front_back() {
        let letters = head_first(3).orientation_letters().unwrap();
        assert_eq!([letters.left, letters.right, letters.top, letters.bottom], ["R", "L", "A", "P"]);
    }

    #[test]
    fn letters_of_a_tilted_slice_are_compound_and_unknown_orientation_has_none() {
        let tilt = 20.0_f64.to_radians();
        let tilted =
            Geometry::new(4, 4, [1.0, 0.0, 0.0], [0.0, tilt.cos(), -tilt.sin()], vec![[0.0; 3], [0.0, 0.0, -4.0]])
                .unwrap();
        assert_eq!(tilted.orientation_letters().unwrap().bottom, "PF");
        assert!(tilted.with_unknown_orientation().orientation_letters().is_none());
    }

    #[test]
    fn voxel_from_patient_undoes_patient_from_voxel() {
        let geometry = head_first(5);
        for voxel in [(0, 0, 0), (511, 399, 4), (17, 333, 2)] {
            let voxel = VoxelIndex { column: voxel.0, row: voxel.1, slice: voxel.2 };
            assert_eq!(geometry.voxel_from_patient(geometry.patient_from_voxel(voxel)), Some(voxel));
        }
        assert_eq!(geometry.voxel_from_patient([500.0, 0.0, 50.0]), None);
        assert_eq!(geometry.voxel_from_patient([0.0, 0.0, 90.0]), None);
    }

    #[test]
    fn tilt_comes_from_orientation_and_positions() {
        let origins = (0..4).map(|s| [0.0, 0.0, 4.0 * f64::from(s)]).collect();
        let tilt = 18.5_f64.to_radians();
        let tilted = Geometry::new(4, 4, [1.0, 0.0, 0.0], [0.0, tilt.cos(), tilt.sin()], origins).unwrap();
        assert!((tilted.tilt_degrees() - 18.5).abs() < 1e-6);
        assert!(head_first(3).tilt_degrees() < 1e-6);
    }

    #[test]
    fn steps_that_span_no_plane_are_refused() {
        let origins = vec![[0.0; 3]];
        for (a, b) in
            [([0.0; 3], [0.0, 1.0, 0.0]), ([f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]), ([1.0, 0.0, 0.0], [2.0, 0.0, 0.0])]
        {
            assert!(Geometry::new(4, 4, a, b, origins.clone()).is_err(), "{a:?} {b:?} must be refused");
        }
    }
}
