//! Decoders for compressed DICOM frames.

/// What the DICOM header says of a frame's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameLayout {
    /// Rows of the frame.
    pub(crate) rows: usize,
    /// Columns of the frame.
    pub(crate) columns: usize,
    /// Bits of a cell: 8, 16 or 32.
    pub(crate) bits_allocated: u16,
    /// Bits of a sample within its cell.
    pub(crate) bits_stored: u16,
    /// Pixel Representation 1: two's complement.
    pub(crate) is_signed: bool,
    /// 1 for grey.
    pub(crate) samples_per_pixel: u16,
}

/// Why a compressed frame has no pixels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    /// No decoder in this build.
    #[error("{name} cannot be decoded by this build; {hint}")]
    Unsupported {
        /// The transfer syntax by name.
        name: String,
        /// How to convert the file.
        hint: &'static str,
    },
}

/// Decodes one frame to `rows · columns` stored values, row by row, each as the codestream holds it.
pub(crate) fn decode_frame(
    transfer_syntax_uid: &str,
    _codestream: &[u8],
    _layout: &FrameLayout,
) -> Result<Vec<i32>, CodecError> {
    Err(CodecError::Unsupported { name: transfer_syntax_uid.to_owned(), hint: "convert it with gdcmconv -w" })
}

/// What stands in the way of a transfer syntax, before any frame is read.
pub(crate) fn check_support(transfer_syntax_uid: &str) -> Result<(), CodecError> {
    decode_frame(
        transfer_syntax_uid,
        &[],
        &FrameLayout {
            rows: 0,
            columns: 0,
            bits_allocated: 16,
            bits_stored: 16,
            is_signed: false,
            samples_per_pixel: 1,
        },
    )
    .map(drop)
}
