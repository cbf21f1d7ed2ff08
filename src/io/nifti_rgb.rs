//! The colours of a series as one NIfTI-1 volume of RGB24, where the CT was, so that other viewers can lay one over the other.
//!
//! Slices are written as they come; only one is in memory. NIfTI knows one distance between slices and no tilt: uneven stacks are
//! brought to even distances (each new slice is the nearest old one), the slices of a tilted gantry are shifted within their plane.

mod header;
mod placement;

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use self::header::Header;
use self::placement::Placement;
use super::atomic_file::{AtomicFile, WriteError};
use super::rgb_image::Stamp;
use crate::units::SliceIndex;
use crate::volume::Geometry;

/// Where bytes go.
#[derive(Debug)]
enum Sink {
    Plain(AtomicFile),
    Gzip(Box<GzEncoder<AtomicFile>>),
}

/// An RGB24 volume that is being written.
#[derive(Debug)]
pub struct RgbVolumeWriter {
    sink: Sink,
    placement: Placement,
    pushed: usize,
    shifted: Vec<u8>,
    path: std::path::PathBuf,
}

impl RgbVolumeWriter {
    /// Starts a volume of the slices `first` to `last`, both included. `path` ends in `.nii` or `.nii.gz`.
    pub fn create(
        path: &Path,
        geometry: &Geometry,
        (first, last): (SliceIndex, SliceIndex),
        stamp: &Stamp,
    ) -> Result<Self, WriteError> {
        let placement = Placement::new(geometry, first, last)
            .map_err(|problem| WriteError::Volume { problem, path: path.to_owned() })?;
        let file = AtomicFile::create(path)?;
        let is_gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let sink =
            if is_gzip { Sink::Gzip(Box::new(GzEncoder::new(file, Compression::new(4)))) } else { Sink::Plain(file) };
        let mut writer = Self { sink, placement, pushed: 0, shifted: Vec::new(), path: path.to_owned() };
        let header = Header::new(&writer.placement, stamp);
        writer.write(&header.to_bytes())?;
        Ok(writer)
    }

    /// What was changed to fit the stack into the format, in words; `None` when every slice lies where it was.
    pub fn note(&self) -> Option<String> {
        self.placement.note()
    }

    /// The next slice's colours on the CT grid, `rows · columns · 3` bytes; `None` for a slice that has none: it is left black.
    pub fn push(&mut self, rgb8: Option<&[u8]>) -> Result<(), WriteError> {
        let wrong = |expected: String, found: String| WriteError::Slice { expected, found, path: self.path.clone() };
        let Some(&copies) = self.placement.copies.get(self.pushed) else {
            return Err(wrong(format!("{} slices", self.placement.copies.len()), "one more".to_owned()));
        };
        let expected = self.placement.slice_bytes();
        if let Some(found) = rgb8.map(<[u8]>::len).filter(|&found| found != expected) {
            return Err(wrong(format!("{expected} bytes a slice"), format!("{found}")));
        }
        let mut shifted = std::mem::take(&mut self.shifted);
        self.placement.shift(self.pushed, rgb8, &mut shifted);
        for _ in 0..copies {
            self.write(&shifted)?;
        }
        self.shifted = shifted;
        self.pushed += 1;
        Ok(())
    }

    /// Completes the file and gives it its name.
    pub fn finish(self) -> Result<(), WriteError> {
        if self.pushed != self.placement.copies.len() {
            let expected = format!("{} slices", self.placement.copies.len());
            return Err(WriteError::Slice { expected, found: self.pushed.to_string(), path: self.path });
        }
        match self.sink {
            Sink::Plain(file) => file.commit(),
            Sink::Gzip(encoder) => encoder.finish().map_err(|source| WriteError::from_io(&self.path, source))?.commit(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let written = match &mut self.sink {
            Sink::Plain(file) => file.write_all(bytes),
            Sink::Gzip(encoder) => encoder.write_all(bytes),
        };
        written.map_err(|source| WriteError::from_io(&self.path, source))
    }
}

/// The stamp of a finished volume; `None` when there is none. Volumes appear whole, so one with a stamp is complete.
pub fn read_stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::File::open(path).ok()?;
    let mut start = Vec::new();
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        flate2::read::GzDecoder::new(file).take(header::MOST_BYTES).read_to_end(&mut start).ok()?;
    } else {
        file.take(header::MOST_BYTES).read_to_end(&mut start).ok()?;
    }
    header::stamp_in(&start)
}
