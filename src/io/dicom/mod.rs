//! DICOM: headers, grouping into volumes, pixels to HU.
