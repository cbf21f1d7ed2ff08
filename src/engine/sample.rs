//! The bundled CT samples: part of the program, so that it finds them wherever it is started from.

use crate::io::{LoadError, Scan, scan_embedded};
use crate::units::SliceIndex;

/// A bundled scan.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What it shows, in words.
    pub title: &'static str,
    /// Its file, as a user would see it.
    pub file_name: &'static str,
    /// The slice to start with.
    pub start: SliceIndex,
    bytes: &'static [u8],
}

/// The bundled scans; the program opens with the first, which lies in what the bundled weights were trained on.
pub const SAMPLES: [Sample; 2] = [
    Sample {
        title: "Abdomen and pelvis",
        file_name: "abdomen_pelvis.nii.gz",
        start: SliceIndex(40),
        bytes: include_bytes!("../../assets/sample/abdomen_pelvis.nii.gz"),
    },
    Sample {
        title: "Chest and upper abdomen",
        file_name: "chest_cta.nii.gz",
        start: SliceIndex(150),
        bytes: include_bytes!("../../assets/sample/chest_cta.nii.gz"),
    },
];

impl Sample {
    /// Its headers.
    pub fn scan(&self) -> Result<Scan, LoadError> {
        scan_embedded(self.file_name, self.bytes)
    }
}
