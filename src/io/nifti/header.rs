//! The 348 bytes at the start of a NIfTI-1 file (nifti1.h of 2007), read within bounds and in either byte order.

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 348;
/// Most voxels along one axis: eight times any CT.
const MAX_SIDE: i16 = 16384;
/// Volumes above this many bytes in memory are refused: 4000 slices of 1024².
const MAX_VOLUME_BYTES: u64 = 8 << 30;

/// How a voxel is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VoxelType {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl VoxelType {
    /// Bytes of a voxel.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// As a person would call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::U8 => "8-bit unsigned",
            Self::I8 => "8-bit signed",
            Self::I16 => "16-bit signed",
            Self::U16 => "16-bit unsigned",
            Self::I32 => "32-bit signed",
            Self::U32 => "32-bit unsigned",
            Self::F32 => "32-bit float",
            Self::F64 => "64-bit float",
        }
    }
}

/// Stored values to HU: `slope · stored + intercept`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaling {
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

/// Rows of a 3 × 4 matrix: millimetres in NIfTI's RAS+ space from a voxel's place in the file.
pub(super) type Affine = [[f64; 4]; 3];

/// How the file says where its voxels lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Placement {
    /// `sform` or `qform`.
    InPatient(Affine),
    /// Sizes of a voxel only.
    SizesOnly(Affine),
}

/// A checked header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    /// Voxels along the file's axes, the fastest first.
    pub(super) dims: [usize; 3],
    pub(super) voxel_type: VoxelType,
    pub(super) is_big_endian: bool,
    /// Bytes before the first voxel.
    pub(super) offset: u64,
    pub(super) scaling: Scaling,
    pub(super) placement: Placement,
    /// The file has an `sform` that cannot be used.
    pub(super) has_broken_sform: bool,
}

/// Why a header is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Not CT, and what it is.
    NotCt(String),
    /// In plain words: what is wrong, what is expected, what to do.
    Unusable(String),
}

fn unusable<T>(problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Unusable(problem.into()))
}

/// Whether bytes start like NIfTI-1 or NIfTI-2, in either byte order.
pub(super) fn looks_like_nifti(content: &[u8]) -> bool {
    let magic = content.get(344..348);
    magic.is_some_and(|m| matches!(m, b"n+1\0" | b"ni1\0")) || is_nifti_2(content)
}

fn is_nifti_2(content: &[u8]) -> bool {
    content.get(4..8).is_some_and(|m| matches!(m, b"n+2\0" | b"ni2\0"))
}

struct Fields<'a> {
    bytes: &'a [u8; HEADER_BYTES],
    is_big_endian: bool,
}

impl Fields<'_> {
    fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut bytes: [u8; N] = std::array::from_fn(|k| self.bytes[offset + k]);
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn i16(&self, offset: usize) -> i16 {
        i16::from_le_bytes(self.array(offset))
    }

    fn i32(&self, offset: usize) -> i32 {
        i32::from_le_bytes(self.array(offset))
    }

    fn f32(&self, offset: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.array(offset)))
    }

    fn f32s<const N: usize>(&self, offset: usize) -> [f64; N] {
        std::array::from_fn(|k| self.f32(offset + 4 * k))
    }
}

/// Reads a header from the start of the unpacked file.
pub(super) fn parse(content: &[u8]) -> Result<Header, Refusal> {
    if is_nifti_2(content) {
        return unusable("this is NIfTI-2; convert it to NIfTI-1 (nifti_tool -convert2type n1)");
    }
    let Some(bytes) = content.first_chunk::<HEADER_BYTES>() else {
        return unusable(format!("header has {} bytes, {HEADER_BYTES} are needed; copy the file again", content.len()));
    };
    let mut fields = Fields { bytes, is_big_endian: false };
    if fields.i32(0) != HEADER_BYTES as i32 {
        fields.is_big_endian = true;
    }
    if fields.i32(0) != HEADER_BYTES as i32 {
        fields.is_big_endian = false;
        return unusable(format!("header says it is {} bytes long; {HEADER_BYTES} is right", fields.i32(0)));
    }
    match &bytes[344..348] {
        b"n+1\0" => {}
        b"ni1\0" => return unusable("the voxels lie in a separate .img file; convert the pair to one .nii"),
        _ => return unusable("the mark n+1 is missing; convert the file to NIfTI-1"),
    }
    let dims = dims(&fields)?;
    let voxel_type = voxel_type(&fields)?;
    let scaling = scaling(&fields)?;
    check_is_ct(&fields, voxel_type, scaling)?;
    let offset = fields.f32(108);
    // 0 stands for "right behind the header"; nobody puts a gigabyte of extensions before the voxels.
    let offset = match offset {
        0.0 => 352.0,
        o if (348.0..=1e9).contains(&o) => o,
        o => return unusable(format!("voxels are said to start at byte {o}; 352 is usual")),
    };
    let (placement, has_broken_sform) = placement(&fields)?;
    Ok(Header {
        dims,
        voxel_type,
        is_big_endian: fields.is_big_endian,
        offset: offset as u64,
        scaling,
        placement,
        has_broken_sform,
    })
}

fn dims(fields: &Fields<'_>) -> Result<[usize; 3], Refusal> {
    let all: [i16; 8] = std::array::from_fn(|k| fields.i16(40 + 2 * k));
    let count = all[0];
    if !(2..=7).contains(&count) {
        return unusable(format!("file has {count} dimensions; 3 are needed"));
    }
    let used = &all[1..=count as usize];
    if let Some(side) = used.iter().find(|side| **side < 1 || **side > MAX_SIDE) {
        return unusable(format!("volume is said to be {used:?} voxels; {side} is not between 1 and {MAX_SIDE}"));
    }
    if let Some(more) = used.get(3..).filter(|more| more.iter().any(|n| *n > 1)) {
        let volumes: u64 = more.iter().map(|n| *n as u64).product();
        return unusable(format!(
            "file holds {volumes} volumes (times or channels); choose a file with one 3-D volume"
        ));
    }
    let dims: [usize; 3] = std::array::from_fn(|k| used.get(k).map_or(1, |n| *n as usize));
    let bytes = dims.iter().map(|n| *n as u64).product::<u64>() * 2;
    if bytes > MAX_VOLUME_BYTES {
        return unusable(format!("volume of {used:?} voxels is larger than the {MAX_VOLUME_BYTES} bytes accepted"));
    }
    Ok(dims)
}

fn voxel_type(fields: &Fields<'_>) -> Result<VoxelType, Refusal> {
    let code = fields.i16(70);
    let voxel_type = match code {
        2 => VoxelType::U8,
        4 => VoxelType::I16,
        8 => VoxelType::I32,
        16 => VoxelType::F32,
        64 => VoxelType::F64,
        256 => VoxelType::I8,
        512 => VoxelType::U16,
        768 => VoxelType::U32,
        128 | 2304 => return Err(Refusal::NotCt("a NIfTI file of colours (RGB)".to_owned())),
        32 | 1792 | 2048 => return Err(Refusal::NotCt("a NIfTI file of complex numbers".to_owned())),
        1 => return Err(Refusal::NotCt("a NIfTI file of single bits (a mask)".to_owned())),
        _ => return unusable(format!("voxels have datatype {code}; convert them to 16-bit integers")),
    };
    let bits = fields.i16(72);
    if bits != voxel_type.bytes() as i16 * 8 {
        let name = voxel_type.name();
        return unusable(format!("voxels are {name} and said to be {bits} bits wide; write the file again"));
    }
    Ok(voxel_type)
}

fn scaling(fields: &Fields<'_>) -> Result<Scaling, Refusal> {
    let (slope, intercept) = (fields.f32(112), fields.f32(116));
    // A slope of 0 means "none" (nifti1.h); NaN is what nibabel writes for the same.
    if slope == 0.0 || slope.is_nan() {
        return Ok(Scaling { slope: 1.0, intercept: 0.0 });
    }
    if !slope.is_finite() || !intercept.is_finite() {
        return unusable(format!("values are scaled by {slope} and {intercept}; two numbers are needed"));
    }
    Ok(Scaling { slope, intercept })
}

/// Refuses what cannot be Hounsfield units, by what the header says.
fn check_is_ct(fields: &Fields<'_>, voxel_type: VoxelType, scaling: Scaling) -> Result<(), Refusal> {
    const INTENT_LABEL: i16 = 1002;
    /// Air is −1000 HU; no CT is without values below this.
    const LOWEST_NEEDED_HU: f64 = -200.0;
    if fields.i16(68) == INTENT_LABEL {
        return Err(Refusal::NotCt("a NIfTI file of labels (a segmentation)".to_owned()));
    }
    let (low, high) = match voxel_type {
        VoxelType::U8 => (0.0, 255.0),
        VoxelType::I8 => (-128.0, 127.0),
        _ => return Ok(()),
    };
    let lowest = f64::min(low * scaling.slope, high * scaling.slope) + scaling.intercept;
    if lowest > LOWEST_NEEDED_HU {
        return Err(Refusal::NotCt("a NIfTI file of 8-bit values (labels or a picture)".to_owned()));
    }
    Ok(())
}

/// `sform` before `qform` before the sizes of a voxel.
fn placement(fields: &Fields<'_>) -> Result<(Placement, bool), Refusal> {
    // Low three bits of `xyzt_units`: unknown (millimetres in practice), metres, millimetres, micrometres.
    let mm_per_unit = match fields.bytes[123] & 7 {
        1 => 1e3,
        3 => 1e-3,
        _ => 1.0,
    };
    let (qform_code, sform_code) = (fields.i16(252), fields.i16(254));
    let mut has_broken_sform = false;
    if sform_code > 0 {
        let affine: Affine = std::array::from_fn(|row| fields.f32s::<4>(280 + 16 * row).map(|v| v * mm_per_unit));
        if is_usable(&affine) {
            return Ok((Placement::InPatient(affine), false));
        }
        has_broken_sform = true;
    }
    let sizes: [f64; 4] = fields.f32s(76);
    let sizes_mm: [f64; 3] = std::array::from_fn(|k| sizes[k + 1].abs() * mm_per_unit);
    if sizes_mm.iter().any(|s| !(1e-4..1e3).contains(s)) {
        return unusable(format!("a voxel is said to be {sizes_mm:?} mm large; lengths above 0 are needed"));
    }
    if qform_code > 0 {
        let affine = qform(fields, sizes_mm, sizes[0], mm_per_unit);
        if is_usable(&affine) {
            return Ok((Placement::InPatient(affine), has_broken_sform));
        }
    }
    let along = |k: usize| std::array::from_fn(|column| if column == k { sizes_mm[k] } else { 0.0 });
    Ok((Placement::SizesOnly([along(0), along(1), along(2)]), has_broken_sform))
}

/// Rotation from a unit quaternion (nifti1.h, method 2).
fn qform(fields: &Fields<'_>, sizes_mm: [f64; 3], qfac: f64, mm_per_unit: f64) -> Affine {
    let [b, c, d] = fields.f32s::<3>(256);
    let offsets = fields.f32s::<3>(268);
    let squares = b * b + c * c + d * d;
    // A half turn has a = 0; three rounded f32 leave a little noise, whose root would turn the volume by a hundredth.
    let is_half_turn = (1.0 - squares).abs() < 3.0 * f64::from(f32::EPSILON);
    // NaN where three numbers are no quaternion: such an affine is not usable.
    let (a, norm) = if is_half_turn { (0.0, 1.0 / squares.sqrt()) } else { ((1.0 - squares).sqrt(), 1.0) };
    let (b, c, d) = (b * norm, c * norm, d * norm);
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - c * c - b * b],
    ];
    let steps = [sizes_mm[0], sizes_mm[1], if qfac < 0.0 { -sizes_mm[2] } else { sizes_mm[2] }];
    std::array::from_fn(|row| {
        let [x, y, z] = std::array::from_fn(|k| rotation[row][k] * steps[k]);
        [x, y, z, offsets[row] * mm_per_unit]
    })
}

/// Finite, with steps of sensible lengths that span a space.
fn is_usable(affine: &Affine) -> bool {
    let step = |k: usize| [affine[0][k], affine[1][k], affine[2][k]];
    let length = |v: [f64; 3]| v.iter().map(|c| c * c).sum::<f64>().sqrt();
    let [x, y, z] = [step(0), step(1), step(2)];
    let determinant =
        x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0]) + x[2] * (y[0] * z[1] - y[1] * z[0]);
    let lengths = [length(x), length(y), length(z)];
    affine.iter().flatten().all(|v| v.is_finite() && v.abs() < 1e6)
        && lengths.iter().all(|l| (1e-4..1e3).contains(l))
        && determinant.abs() > 1e-3 * lengths.iter().product::<f64>()
}
