//! Which axis of the file becomes columns, rows and slices, so that axial slices run from head to feet, rows from front
//! to back and columns from the patient's right to left.

use super::header::{Header, Placement};
use crate::volume::{Geometry, GeometryError};

/// One axis of the volume, as steps through the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    /// 0 is the fastest in the file.
    file_axis: usize,
    is_reversed: bool,
}

/// Columns, rows and slices of the volume as axes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axes {
    dims: [usize; 3],
    axes: [Axis; 3],
}

/// All ways to give three file axes three roles.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
/// Patient's left, back and feet in LPS: where columns, rows and slices run to.
const WANTED_SIGNS: [f64; 3] = [1.0, 1.0, -1.0];

impl Axes {
    /// The axes nearest to the patient's own, and the lattice that they make of the file's affine.
    pub(super) fn new(header: &Header) -> Result<(Self, Geometry), GeometryError> {
        let (Placement::InPatient(affine) | Placement::SizesOnly(affine)) = &header.placement;
        // NIfTI counts to the patient's right and front as DICOM does to the left and back.
        let lps = |row: usize, k: usize| if row < 2 { -affine[row][k] } else { affine[row][k] };
        let step = |k: usize| [lps(0, k), lps(1, k), lps(2, k)];
        let steps = [step(0), step(1), step(2)];
        let share = |file_axis: usize, role: usize| {
            let v: [f64; 3] = steps[file_axis];
            v[role] / v.iter().map(|c| c * c).sum::<f64>().sqrt()
        };
        let score = |order: &[usize; 3]| (0..3).map(|role| share(order[role], role).abs()).product::<f64>();
        let order = ORDERS.into_iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        // A single picture stays as it is: taken apart it would be no picture.
        let order = order.filter(|_| header.dims[2] > 1).unwrap_or(ORDERS[0]);
        let axes = std::array::from_fn(|role| Axis {
            file_axis: order[role],
            is_reversed: share(order[role], role) * WANTED_SIGNS[role] < 0.0,
        });
        let this = Self { dims: header.dims, axes };
        let geometry = this.geometry(&steps, step(3))?;
        let is_known = matches!(header.placement, Placement::InPatient(_));
        Ok((this, if is_known { geometry } else { geometry.with_unknown_orientation() }))
    }

    fn geometry(&self, steps: &[[f64; 3]; 3], origin: [f64; 3]) -> Result<Geometry, GeometryError> {
        let step_of = |role: usize| {
            let axis = self.axes[role];
            steps[axis.file_axis].map(|c| if axis.is_reversed { -c } else { c })
        };
        let [column_step, row_step, slice_step] = [step_of(0), step_of(1), step_of(2)];
        let corner: [f64; 3] = std::array::from_fn(|k| {
            let reversed = self.axes.iter().filter(|a| a.is_reversed);
            origin[k] + reversed.map(|a| steps[a.file_axis][k] * (self.dims[a.file_axis] - 1) as f64).sum::<f64>()
        });
        let origins = (0..self.slices()).map(|s| std::array::from_fn(|k| corner[k] + slice_step[k] * s as f64));
        Geometry::new(self.columns(), self.rows(), column_step, row_step, origins.collect())
    }

    fn side(&self, role: usize) -> usize {
        self.dims[self.axes[role].file_axis]
    }

    pub(super) fn columns(&self) -> usize {
        self.side(0)
    }

    pub(super) fn rows(&self) -> usize {
        self.side(1)
    }

    pub(super) fn slices(&self) -> usize {
        self.side(2)
    }

    /// Whether a slice of the volume is one contiguous piece of the file.
    pub(super) fn are_slices_contiguous(&self) -> bool {
        self.axes[2].file_axis == 2
    }

    /// A slice's place among the file's slices, or the other way round.
    pub(super) fn mirrored_slice(&self, slice: usize) -> usize {
        if self.axes[2].is_reversed { self.slices() - 1 - slice } else { slice }
    }

    /// Copies one slice out of values in the file's order: all of the file, or, with `slice` 0, one contiguous piece.
    pub(super) fn gather(&self, values: &[i16], slice: usize, picture: &mut [i16]) {
        let strides = [1, self.dims[0], self.dims[0] * self.dims[1]];
        let (columns, column_axis, row_axis) = (self.columns(), self.axes[0], self.axes[1]);
        let column_stride = strides[column_axis.file_axis];
        let row_stride = strides[row_axis.file_axis];
        let start = slice * strides[self.axes[2].file_axis];
        for (row, line) in picture.chunks_exact_mut(columns).enumerate() {
            let file_row = if row_axis.is_reversed { self.rows() - 1 - row } else { row };
            let from_line = &values[start + file_row * row_stride..];
            match (column_stride, column_axis.is_reversed) {
                (1, false) => line.copy_from_slice(&from_line[..columns]),
                (1, true) => line.iter_mut().zip(from_line[..columns].iter().rev()).for_each(|(to, from)| *to = *from),
                (stride, is_reversed) => {
                    for (column, to) in line.iter_mut().enumerate() {
                        let file_column = if is_reversed { columns - 1 - column } else { column };
                        *to = from_line[file_column * stride];
                    }
                }
            }
        }
    }
}
