//! What is said of a path, as data: the document of `--json`. Keys stay as they are; new ones may come.

use serde::Serialize;

use crate::io::Series;
use crate::units::SliceIndex;
use crate::volume::{CtVolume, NamedWindow, PatientIdentity, SeriesKind, SeriesWarning, SliceState};

/// All that a path holds.
#[derive(Debug, Serialize)]
pub(super) struct InspectReport {
    /// About files that belong to no series.
    pub(super) warnings: Vec<WarningReport>,
    /// The largest CT first.
    pub(super) series: Vec<SeriesReport>,
}

/// Something a reader should know.
#[derive(Debug, Serialize)]
pub(super) struct WarningReport {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A window that the file suggests.
#[derive(Debug, Serialize)]
pub(super) struct WindowReport {
    pub(super) name: String,
    pub(super) center_hu: f32,
    pub(super) width_hu: f32,
}

/// Letters at the edges of a slice as stored.
#[derive(Debug, Serialize)]
pub(super) struct OrientationReport {
    pub(super) left: String,
    pub(super) right: String,
    pub(super) top: String,
    pub(super) bottom: String,
}

/// Who is on the pictures; only when it was asked for.
#[derive(Debug, Serialize)]
pub(super) struct IdentityReport {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) birth_date: String,
    pub(super) study_date: String,
}

/// A slice that could not be read.
#[derive(Debug, Serialize)]
pub(super) struct MissingReport {
    /// From 1.
    pub(super) slice: usize,
    pub(super) reason: String,
}

/// What reading all pixels showed.
#[derive(Debug, Serialize)]
pub(super) struct PixelReport {
    pub(super) slices_read: usize,
    pub(super) missing: Vec<MissingReport>,
    pub(super) lowest_hu: Option<i16>,
    pub(super) highest_hu: Option<i16>,
    pub(super) warnings: Vec<WarningReport>,
}

/// One series. Lengths in mm, positions along the slices' normal.
#[derive(Debug, Serialize)]
pub(super) struct SeriesReport {
    /// What `--series` takes, from 1.
    pub(super) number: usize,
    pub(super) uid: String,
    pub(super) description: String,
    pub(super) kind: &'static str,
    pub(super) encodings: Vec<String>,
    pub(super) slices: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Width and height; `null` when the file does not say.
    pub(super) pixel_size_mm: Option<[f64; 2]>,
    pub(super) slice_spacing_mm: Option<f64>,
    pub(super) first_position_mm: f64,
    pub(super) last_position_mm: f64,
    pub(super) is_axial: bool,
    pub(super) tilt_degrees: f64,
    pub(super) orientation: Option<OrientationReport>,
    pub(super) windows: Vec<WindowReport>,
    pub(super) is_inverted: bool,
    pub(super) has_burned_in_identity: bool,
    pub(super) warnings: Vec<WarningReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<IdentityReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pixels: Option<PixelReport>,
}

impl WarningReport {
    pub(super) fn of(warning: &SeriesWarning) -> Self {
        Self { code: warning.code, message: warning.message.clone() }
    }
}

impl IdentityReport {
    fn of(identity: &PatientIdentity) -> Self {
        let PatientIdentity { name, id, birth_date, study_date } = identity.clone();
        Self { name, id, birth_date, study_date }
    }
}

impl PixelReport {
    pub(super) fn of(volume: &CtVolume, warnings: &[SeriesWarning]) -> Self {
        let mut report = Self {
            slices_read: 0,
            missing: Vec::new(),
            lowest_hu: None,
            highest_hu: None,
            warnings: warnings.iter().map(WarningReport::of).collect(),
        };
        for index in (0..volume.slice_count()).map(SliceIndex) {
            match volume.slice(index) {
                SliceState::Ready(slice) => {
                    report.slices_read += 1;
                    let values = slice.values_hu();
                    report.lowest_hu = values.iter().copied().chain(report.lowest_hu).min();
                    report.highest_hu = values.iter().copied().chain(report.highest_hu).max();
                }
                SliceState::Missing(reason) => {
                    report.missing.push(MissingReport { slice: index.0 + 1, reason: reason.to_string() });
                }
                SliceState::Pending => {
                    let reason = "was never read".to_owned();
                    report.missing.push(MissingReport { slice: index.0 + 1, reason });
                }
            }
        }
        report
    }
}

impl SeriesReport {
    pub(super) fn of(series: &Series, with_identity: bool) -> Self {
        let (info, geometry) = (series.info().clone(), series.geometry());
        let last = SliceIndex(geometry.slices().saturating_sub(1));
        let orientation = geometry.orientation_letters().map(|letters| OrientationReport {
            left: letters.left,
            right: letters.right,
            top: letters.top,
            bottom: letters.bottom,
        });
        Self {
            number: info.number,
            uid: info.uid,
            description: info.description,
            kind: kind_name(info.kind),
            encodings: info.encodings,
            slices: info.slice_count,
            columns: info.columns,
            rows: info.rows,
            pixel_size_mm: info.pixel_spacing_mm,
            slice_spacing_mm: info.slice_spacing_mm,
            first_position_mm: geometry.slice_position_mm(SliceIndex(0)),
            last_position_mm: geometry.slice_position_mm(last),
            is_axial: geometry.is_axial(),
            tilt_degrees: geometry.tilt_degrees(),
            orientation,
            windows: info.windows.iter().map(window_report).collect(),
            is_inverted: info.is_inverted,
            has_burned_in_identity: info.has_burned_in_identity,
            warnings: info.warnings.iter().map(WarningReport::of).collect(),
            identity: info.identity.filter(|_| with_identity).map(|identity| IdentityReport::of(&identity)),
            pixels: None,
        }
    }
}

fn window_report(named: &NamedWindow) -> WindowReport {
    let (center_hu, width_hu) = (named.window.center_hu(), named.window.width_hu());
    WindowReport { name: named.name.clone(), center_hu, width_hu }
}

fn kind_name(kind: SeriesKind) -> &'static str {
    match kind {
        SeriesKind::Dicom => "DICOM",
        SeriesKind::Nifti => "NIfTI",
        SeriesKind::DeepLesion => "DeepLesion",
        SeriesKind::VisibleHuman => "Visible Human",
    }
}
