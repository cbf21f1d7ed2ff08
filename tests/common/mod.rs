//! A CT phantom written as DICOM in code: every stored value follows from its place, so that HU are known in closed form.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use ct2rgb::io::{ReadRequest, Scan, Series, scan};
use ct2rgb::units::{CancelFlag, SliceIndex, VoxelIndex};
use ct2rgb::volume::{CtVolume, SeriesWarning};

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub const RLE: &str = "1.2.840.10008.1.2.5";

/// In every file of the phantom; must appear in no message.
pub const PATIENT_NAME: &str = "GEHEIM^PATIENT";
pub const PATIENT_ID: &str = "ID-4711-GEHEIM";

pub type Tag = (u16, u16);

pub const IMAGE_TYPE: Tag = (0x0008, 0x0008);
pub const SOP_CLASS: Tag = (0x0008, 0x0016);
pub const MODALITY: Tag = (0x0008, 0x0060);
pub const PATIENT_ID_TAG: Tag = (0x0010, 0x0020);
pub const SERIES_UID: Tag = (0x0020, 0x000E);
pub const ACQUISITION_NUMBER: Tag = (0x0020, 0x0012);
pub const INSTANCE_NUMBER: Tag = (0x0020, 0x0013);
pub const POSITION: Tag = (0x0020, 0x0032);
pub const ORIENTATION: Tag = (0x0020, 0x0037);
pub const FRAMES: Tag = (0x0028, 0x0008);
pub const ROWS: Tag = (0x0028, 0x0010);
pub const COLUMNS: Tag = (0x0028, 0x0011);
pub const SPACING: Tag = (0x0028, 0x0030);
pub const HIGH_BIT: Tag = (0x0028, 0x0102);
pub const PIXEL_REPRESENTATION: Tag = (0x0028, 0x0103);
pub const INTERCEPT: Tag = (0x0028, 0x1052);
pub const SLOPE: Tag = (0x0028, 0x1053);
pub const PIXELS: Tag = (0x7FE0, 0x0010);

/// What an element holds.
#[derive(Clone)]
pub enum Value {
    Text(String),
    Words(Vec<u16>),
    Bytes(Vec<u8>),
    Items(Vec<DataSet>),
    /// Encapsulated pixel data, the offset table first.
    Fragments(Vec<Vec<u8>>),
}

/// Data elements in the order of their tags.
#[derive(Clone, Default)]
pub struct DataSet(BTreeMap<Tag, ([u8; 2], Value)>);

impl DataSet {
    pub fn value(mut self, tag: Tag, vr: [u8; 2], value: Value) -> Self {
        self.0.insert(tag, (vr, value));
        self
    }

    pub fn text(self, tag: Tag, vr: [u8; 2], text: &str) -> Self {
        self.value(tag, vr, Value::Text(text.to_owned()))
    }

    pub fn number(self, tag: Tag, number: u16) -> Self {
        self.value(tag, *b"US", Value::Words(vec![number]))
    }

    pub fn items(self, tag: Tag, items: Vec<DataSet>) -> Self {
        self.value(tag, *b"SQ", Value::Items(items))
    }

    pub fn without(mut self, tag: Tag) -> Self {
        self.0.remove(&tag);
        self
    }

    /// The elements alone, without preamble and group 0002.
    pub fn encode(&self, syntax: &str) -> Vec<u8> {
        self.0.iter().flat_map(|(tag, (vr, value))| encode_element(*tag, *vr, value, syntax)).collect()
    }

    /// A whole file: preamble, group 0002, data set.
    pub fn file_bytes(&self, syntax: &str) -> Vec<u8> {
        let meta = DataSet::default().text((0x0002, 0x0010), *b"UI", syntax).encode(EXPLICIT);
        let meta_len = Value::Bytes((meta.len() as u32).to_le_bytes().to_vec());
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        bytes.extend(encode_element((0x0002, 0x0000), *b"UL", &meta_len, EXPLICIT));
        bytes.extend(meta);
        let data_set = self.encode(syntax);
        if syntax == DEFLATED {
            let mut encoder = flate2::write::DeflateEncoder::new(bytes, flate2::Compression::fast());
            encoder.write_all(&data_set).unwrap();
            return encoder.finish().unwrap();
        }
        bytes.extend(data_set);
        bytes
    }
}

fn encode_element(tag: Tag, vr: [u8; 2], value: &Value, syntax: &str) -> Vec<u8> {
    let is_big = syntax == BIG_ENDIAN;
    let u16_bytes = |v: u16| if is_big { v.to_be_bytes() } else { v.to_le_bytes() };
    let u32_bytes = |v: u32| if is_big { v.to_be_bytes() } else { v.to_le_bytes() };
    let item = |element: u16, content: &[u8]| {
        [&u16_bytes(0xFFFE)[..], &u16_bytes(element), &u32_bytes(content.len() as u32), content].concat()
    };
    let mut content: Vec<u8> = match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Words(values) => values.iter().flat_map(|v| u16_bytes(*v)).collect(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Items(items) => items.iter().flat_map(|i| item(0xE000, &i.encode(syntax))).collect(),
        Value::Fragments(pieces) => pieces.iter().flat_map(|p| item(0xE000, p)).chain(item(0xE0DD, &[])).collect(),
    };
    if content.len() % 2 == 1 {
        content.push(if matches!(value, Value::Text(_)) && vr != *b"UI" { b' ' } else { 0 });
    }
    let length = if matches!(value, Value::Fragments(_)) { u32::MAX } else { content.len() as u32 };
    let mut bytes = [u16_bytes(tag.0), u16_bytes(tag.1)].concat();
    if syntax == IMPLICIT {
        bytes.extend(u32_bytes(length));
    } else if matches!(&vr, b"OB" | b"OW" | b"SQ" | b"UN") {
        bytes.extend(vr);
        bytes.extend([0, 0]);
        bytes.extend(u32_bytes(length));
    } else {
        bytes.extend(vr);
        bytes.extend(u16_bytes(length as u16));
    }
    bytes.extend(content);
    bytes
}

/// What the series looks like. The default is a plain axial CT.
#[derive(Clone, Debug)]
pub struct Phantom {
    pub columns: usize,
    pub rows: usize,
    pub slices: usize,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub high_bit: u16,
    pub is_signed: bool,
    pub slope: f64,
    pub intercept_hu: f64,
    pub photometric: &'static str,
    pub slice_step_mm: f64,
    pub tilt_degrees: f64,
    pub syntax: &'static str,
}

impl Default for Phantom {
    fn default() -> Self {
        Self {
            columns: 12,
            rows: 10,
            slices: 4,
            bits_allocated: 16,
            bits_stored: 16,
            high_bit: 15,
            is_signed: true,
            slope: 1.0,
            intercept_hu: -1024.0,
            photometric: "MONOCHROME2",
            slice_step_mm: 2.5,
            tilt_degrees: 0.0,
            syntax: EXPLICIT,
        }
    }
}

impl Phantom {
    /// The sample at a place: runs through the whole range of the stored bits.
    pub fn stored(&self, voxel: VoxelIndex) -> i32 {
        let range = 1_i64 << self.bits_stored;
        let step = if self.bits_stored > 10 { 97 } else { 1 };
        let place = (voxel.column * 7 + voxel.row * 13 + voxel.slice * 31) as i64 * step;
        let value = place.rem_euclid(range);
        (if self.is_signed { value - range / 2 } else { value }) as i32
    }

    pub fn value_hu(&self, voxel: VoxelIndex) -> i16 {
        (self.slope * f64::from(self.stored(voxel)) + self.intercept_hu).round().clamp(-32768.0, 32767.0) as i16
    }

    /// Slice 0 lies at the head.
    pub fn position_mm(&self, slice: usize) -> [f64; 3] {
        [-30.0, -40.0, 100.0 - self.slice_step_mm * slice as f64]
    }

    /// Cells of a slice, with rubbish in the unused bits.
    pub fn cells(&self, slice: usize) -> Vec<u16> {
        let shift = self.high_bit + 1 - self.bits_stored;
        let mask = ((1_u32 << self.bits_stored) - 1) << shift;
        let places = (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (column, row)));
        let cell = |(column, row)| {
            let sample = (self.stored(VoxelIndex { column, row, slice }) as u32) << shift;
            ((sample & mask) | (0xA5A5 & !mask)) as u16
        };
        places.map(cell).collect()
    }

    /// Everything but pixels and place.
    pub fn header(&self) -> DataSet {
        let tilt = self.tilt_degrees.to_radians();
        DataSet::default()
            .text(IMAGE_TYPE, *b"CS", "ORIGINAL\\PRIMARY\\AXIAL")
            .text(SOP_CLASS, *b"UI", "1.2.840.10008.5.1.4.1.1.2")
            .text(MODALITY, *b"CS", "CT")
            .text((0x0008, 0x103E), *b"LO", "Phantom")
            .text((0x0010, 0x0010), *b"PN", PATIENT_NAME)
            .text(PATIENT_ID_TAG, *b"LO", PATIENT_ID)
            .text(SERIES_UID, *b"UI", "1.2.3.4")
            .text(ORIENTATION, *b"DS", &format!("1\\0\\0\\0\\{:.6}\\{:.6}", tilt.cos(), -tilt.sin()))
            .number((0x0028, 0x0002), 1)
            .text((0x0028, 0x0004), *b"CS", self.photometric)
            .number(ROWS, self.rows as u16)
            .number(COLUMNS, self.columns as u16)
            .text(SPACING, *b"DS", "0.5\\0.25")
            .number((0x0028, 0x0100), self.bits_allocated)
            .number((0x0028, 0x0101), self.bits_stored)
            .number(HIGH_BIT, self.high_bit)
            .number(PIXEL_REPRESENTATION, u16::from(self.is_signed))
            .text(INTERCEPT, *b"DS", &self.intercept_hu.to_string())
            .text(SLOPE, *b"DS", &self.slope.to_string())
    }

    /// One slice as a file of its own.
    pub fn slice(&self, slice: usize) -> DataSet {
        let header = self.header().text(INSTANCE_NUMBER, *b"IS", &(slice + 1).to_string()).text(
            POSITION,
            *b"DS",
            &triple(self.position_mm(slice)),
        );
        let cells = self.cells(slice);
        if self.bits_allocated == 8 {
            header.value(PIXELS, *b"OB", Value::Bytes(cells.iter().map(|c| *c as u8).collect()))
        } else {
            header.value(PIXELS, *b"OW", Value::Words(cells))
        }
    }

    /// All slices from head to feet, under names in another order.
    pub fn files(&self) -> Vec<(String, DataSet)> {
        (0..self.slices).map(|s| (format!("{:04}_{s}", (s * 7 + 3) % 10), self.slice(s))).collect()
    }

    pub fn write_to(&self, folder: &Path) {
        write_files(folder, &self.files(), self.syntax);
    }

    /// Fails with the first voxel that is not what it must be.
    pub fn assert_equal(&self, volume: &CtVolume) {
        assert_eq!(volume.slice_count(), self.slices, "number of slices");
        for slice in 0..self.slices {
            for row in 0..self.rows {
                for column in 0..self.columns {
                    let voxel = VoxelIndex { column, row, slice };
                    assert_eq!(volume.value_hu(voxel), Some(self.value_hu(voxel)), "{voxel:?} of {self:?}");
                }
            }
        }
    }
}

pub fn triple(p: [f64; 3]) -> String {
    format!("{}\\{}\\{}", p[0], p[1], p[2])
}

pub fn write_files(folder: &Path, files: &[(String, DataSet)], syntax: &str) {
    for (name, data_set) in files {
        std::fs::write(folder.join(name), data_set.file_bytes(syntax)).unwrap();
    }
}

/// One frame as RLE segments (PS3.5 G): high bytes, then low bytes, literal runs only.
pub fn rle_frame(cells: &[u16]) -> Vec<u8> {
    let planes: [Vec<u8>; 2] = [8, 0].map(|shift| cells.iter().map(|c| (c >> shift) as u8).collect());
    let packed = planes.map(|plane| {
        let mut bytes: Vec<u8> = plane.chunks(128).flat_map(|run| [&[run.len() as u8 - 1], run].concat()).collect();
        bytes.resize(bytes.len().next_multiple_of(2), 0x80);
        bytes
    });
    let mut header = [0_u32; 16];
    header[0] = 2;
    header[1] = 64;
    header[2] = 64 + packed[0].len() as u32;
    let head: Vec<u8> = header.iter().flat_map(|v| v.to_le_bytes()).collect();
    [head, packed.concat()].concat()
}

pub fn scan_path(path: &Path) -> Scan {
    scan(path, &CancelFlag::new(), &|_| {}).unwrap()
}

/// What a path that holds no CT is answered with, without the path at its end.
pub fn scan_error(path: &Path) -> String {
    let error = scan(path, &CancelFlag::new(), &|_| {}).map(|s| s.series.len()).unwrap_err();
    let text = error.to_string();
    let path_at = text.rfind(": \"").expect("the path comes last");
    text[..path_at].to_owned()
}

/// Reads a series from its middle on.
pub fn read(series: &Series) -> (Arc<CtVolume>, Vec<SeriesWarning>) {
    let volume = series.pending_volume();
    let first = SliceIndex(volume.slice_count() / 2);
    let request = ReadRequest { first, cancel: &CancelFlag::new(), on_slice: &|_| {} };
    let warnings = series.read_into(&volume, &request).unwrap();
    assert_eq!(volume.settled_count(), volume.slice_count(), "every slice is read or missing");
    (volume, warnings)
}

pub fn codes(warnings: &[SeriesWarning]) -> Vec<&'static str> {
    warnings.iter().map(|w| w.code).collect()
}
