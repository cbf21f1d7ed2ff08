//! Voxels from file to volume: plain files slice by slice from where the viewer looks, gzipped ones as they unpack.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::axes::Axes;
use super::header::{Header, Scaling, VoxelType};
use crate::io::files::FoundFile;
use crate::io::stream::{self, Packing};
use crate::io::{LoadError, ReadRequest, SliceSource, outward_order};
use crate::units::{AIR_HU, SliceIndex};
use crate::volume::{CtSlice, CtVolume, SeriesWarning};

/// A volume without any value below this holds no air: no CT looks like that.
const AIR_BELOW_HU: i32 = -200;
/// Read from a compressed file at once where slices are not contiguous.
const PIECE_VOXELS: usize = 1 << 18;

/// The voxels of one file.
#[derive(Debug)]
pub(super) struct NiftiSource {
    pub(super) file: FoundFile,
    pub(super) packing: Packing,
    pub(super) header: Header,
    pub(super) axes: Axes,
}

/// One reading of a file into a volume.
struct Reading<'a> {
    source: &'a NiftiSource,
    volume: &'a CtVolume,
    request: &'a ReadRequest<'a>,
    lowest_hu: AtomicI32,
    is_damaged: AtomicBool,
    failure: Mutex<Option<(String, usize)>>,
}

impl SliceSource for NiftiSource {
    fn read_into(&self, volume: &CtVolume, request: &ReadRequest<'_>) -> Result<Vec<SeriesWarning>, LoadError> {
        let reading = Reading {
            source: self,
            volume,
            request,
            lowest_hu: AtomicI32::new(i32::MAX),
            is_damaged: AtomicBool::new(false),
            failure: Mutex::default(),
        };
        if self.axes.are_slices_contiguous() && self.packing == Packing::Plain && self.file.is_seekable() {
            reading.read_slices_apart();
        } else {
            let mut content = stream::open(&self.file, self.packing)?;
            reading.read_in_file_order(&mut *content);
        }
        if request.cancel.is_cancelled() { Err(LoadError::Cancelled) } else { Ok(reading.into_warnings()) }
    }
}

impl NiftiSource {
    fn slice_voxels(&self) -> usize {
        self.header.dims[0] * self.header.dims[1]
    }

    /// Whether the first piece of the file holds air; `false` also where it cannot be read.
    pub(super) fn starts_with_air(&self) -> bool {
        let Ok(mut content) = stream::open(&self.file, self.packing) else { return false };
        let mut values_hu = vec![0; self.slice_voxels()];
        let filled = skip(&mut *content, self.header.offset)
            .and_then(|()| self.read_values(&mut *content, &mut Vec::new(), &mut values_hu));
        filled.is_ok() && values_hu.iter().any(|v| i32::from(*v) < AIR_BELOW_HU)
    }

    fn read_values(&self, content: &mut dyn Read, bytes: &mut Vec<u8>, values_hu: &mut [i16]) -> io::Result<()> {
        bytes.resize(values_hu.len() * self.header.voxel_type.bytes(), 0);
        content.read_exact(bytes)?;
        fill_hu(&self.header, bytes, values_hu);
        Ok(())
    }
}

impl Reading<'_> {
    /// Each slice by its place in the file, on all threads.
    fn read_slices_apart(&self) {
        let source = self.source;
        let voxels = source.slice_voxels();
        let slice_bytes = voxels * source.header.voxel_type.bytes();
        let order = outward_order(self.request.first, source.axes.slices());
        order.par_iter().with_max_len(1).for_each(|slice| {
            if self.request.cancel.is_cancelled() {
                return;
            }
            let file_slice = source.axes.mirrored_slice(slice.0);
            let mut bytes = vec![0; slice_bytes];
            let offset = source.header.offset + file_slice as u64 * slice_bytes as u64;
            match source.file.read_range(offset, &mut bytes) {
                Ok(()) => {
                    let mut values_hu = vec![0; voxels];
                    fill_hu(&source.header, &bytes, &mut values_hu);
                    self.put(*slice, &values_hu, 0);
                }
                Err(error) => self.miss(*slice, &error.without_path()),
            }
        });
    }

    fn read_in_file_order(&self, content: &mut dyn Read) {
        let outcome = skip(content, self.source.header.offset).and_then(|()| {
            if self.source.axes.are_slices_contiguous() {
                self.read_slices_in_turn(content)
            } else {
                self.read_whole(content)
            }
        });
        match outcome {
            // The checksum stands behind the last voxel.
            Ok(()) if self.source.packing != Packing::Plain && !self.request.cancel.is_cancelled() => {
                self.is_damaged.store(content.read(&mut [0]).is_err(), Ordering::Relaxed);
            }
            Ok(()) => {}
            Err(error) => self.miss_the_rest(&error),
        }
    }

    fn read_slices_in_turn(&self, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut values_hu = vec![0; self.source.slice_voxels()];
        for file_slice in 0..self.source.axes.slices() {
            if self.request.cancel.is_cancelled() {
                break;
            }
            self.source.read_values(content, &mut bytes, &mut values_hu)?;
            self.put(SliceIndex(self.source.axes.mirrored_slice(file_slice)), &values_hu, 0);
        }
        Ok(())
    }

    /// Slices that lie across the file: everything first, then each slice gathered from it.
    fn read_whole(&self, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut values_hu = Vec::new();
        let voxels = self.source.header.dims.iter().product();
        while values_hu.len() < voxels {
            if self.request.cancel.is_cancelled() {
                return Ok(());
            }
            // Grows with what the file really holds.
            let start = values_hu.len();
            values_hu.resize(voxels.min(start + PIECE_VOXELS), 0);
            self.source.read_values(content, &mut bytes, &mut values_hu[start..])?;
        }
        let order = outward_order(self.request.first, self.source.axes.slices());
        order.par_iter().with_max_len(1).for_each(|slice| {
            if !self.request.cancel.is_cancelled() {
                self.put(*slice, &values_hu, self.source.axes.mirrored_slice(slice.0));
            }
        });
        Ok(())
    }

    fn put(&self, slice: SliceIndex, values_hu: &[i16], file_slice: usize) {
        let axes = &self.source.axes;
        let mut picture: Arc<[i16]> = std::iter::repeat_n(0, axes.columns() * axes.rows()).collect();
        if let Some(picture) = Arc::get_mut(&mut picture) {
            axes.gather(values_hu, file_slice, picture);
            let lowest = picture.iter().copied().min().unwrap_or(0);
            self.lowest_hu.fetch_min(i32::from(lowest), Ordering::Relaxed);
        }
        self.volume.set_slice(slice, Ok(CtSlice::new(axes.columns(), axes.rows(), picture)));
        (self.request.on_slice)(slice);
    }

    fn miss(&self, slice: SliceIndex, reason: &str) {
        self.volume.set_slice(slice, Err(Arc::from(reason)));
        (self.request.on_slice)(slice);
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| (reason.to_owned(), 0)).1 += 1;
    }

    fn miss_the_rest(&self, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "file ends before its last slice; copy it again".to_owned(),
            _ => format!("file is damaged ({error}); copy it again"),
        };
        for slice in (0..self.source.axes.slices()).map(SliceIndex) {
            if matches!(self.volume.slice(slice), crate::volume::SliceState::Pending) {
                self.miss(slice, &reason);
            }
        }
    }

    fn into_warnings(self) -> Vec<SeriesWarning> {
        let mut warnings = Vec::new();
        if let Some((reason, count)) = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let message = format!("{count} of {} slices could not be read: {reason}", self.source.axes.slices());
            warnings.push(SeriesWarning { code: "missing-slice", message });
        }
        if self.is_damaged.into_inner() {
            let message =
                "the end of the file or its checksum is wrong: what is shown may be damaged; copy it again".to_owned();
            warnings.push(SeriesWarning { code: "damaged-file", message });
        }
        let lowest_hu = self.lowest_hu.into_inner();
        if (AIR_BELOW_HU..i32::MAX).contains(&lowest_hu) {
            let message = format!(
                "the lowest value is {lowest_hu}, where air would be −1000 HU: these may be labels, another kind of scan, \
                 or a CT in other units"
            );
            warnings.push(SeriesWarning { code: "not-hounsfield", message });
        }
        warnings
    }
}

fn skip(content: &mut dyn Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut content.take(bytes), &mut io::sink())?;
    if skipped < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Stored bytes to whole HU, held within i16; what is no number is air.
fn fill_hu(header: &Header, bytes: &[u8], values_hu: &mut [i16]) {
    let (scaling, is_big_endian) = (header.scaling, header.is_big_endian);
    if header.voxel_type == VoxelType::I16 && scaling == (Scaling { slope: 1.0, intercept: 0.0 }) && !is_big_endian {
        for (value_hu, cell) in values_hu.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *value_hu = i16::from_le_bytes(*cell);
        }
        return;
    }
    let mut fill = Fill { scaling, is_big_endian, values_hu };
    match header.voxel_type {
        VoxelType::U8 => fill.fill_cells(bytes, |[b]: [u8; 1]| f64::from(b)),
        VoxelType::I8 => fill.fill_cells(bytes, |[b]: [u8; 1]| f64::from(b as i8)),
        VoxelType::I16 => fill.fill_cells(bytes, |b| f64::from(i16::from_le_bytes(b))),
        VoxelType::U16 => fill.fill_cells(bytes, |b| f64::from(u16::from_le_bytes(b))),
        VoxelType::I32 => fill.fill_cells(bytes, |b| f64::from(i32::from_le_bytes(b))),
        VoxelType::U32 => fill.fill_cells(bytes, |b| f64::from(u32::from_le_bytes(b))),
        VoxelType::F32 => fill.fill_cells(bytes, |b| f64::from(f32::from_le_bytes(b))),
        VoxelType::F64 => fill.fill_cells(bytes, f64::from_le_bytes),
    }
}

struct Fill<'a> {
    scaling: Scaling,
    is_big_endian: bool,
    values_hu: &'a mut [i16],
}

impl Fill<'_> {
    fn fill_cells<const N: usize>(&mut self, bytes: &[u8], number: impl Fn([u8; N]) -> f64) {
        let Scaling { slope, intercept } = self.scaling;
        let cells = bytes.as_chunks::<N>().0;
        for (value_hu, cell) in self.values_hu.iter_mut().zip(cells) {
            let mut cell = *cell;
            if self.is_big_endian {
                cell.reverse();
            }
            let hu = slope * number(cell) + intercept;
            // Halves away from zero, then a cast that saturates.
            *value_hu = if hu.is_nan() { AIR_HU } else { (hu + 0.5_f64.copysign(hu)) as i16 };
        }
    }
}
