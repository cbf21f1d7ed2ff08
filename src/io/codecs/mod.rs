//! Decoders for compressed DICOM frames. Each refuses a codestream of another size than the header's before it allocates.
//!
//! ```text
//! .5 rle   .50 .51 jpeg_dct   .57 .70 jpeg_lossless   .80 .81 jpeg_ls   .90 .91 .201-.203 jpeg_2000   .110-.112 jpeg_xl
//!                 └── jpeg (markers), huffman, bits ──┘
//! ```

mod bits;
#[cfg(test)]
mod encoders;
mod huffman;
mod jpeg;
mod jpeg_2000;
mod jpeg_dct;
mod jpeg_lossless;
mod jpeg_ls;
mod jpeg_xl;
mod rle;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

impl FrameLayout {
    fn samples(&self) -> usize {
        self.rows * self.columns
    }
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
    /// A way of coding that no CT uses.
    #[error("{codec} with {feature} cannot be decoded; convert the file with gdcmconv -w")]
    Feature {
        /// The codec by name.
        codec: &'static str,
        /// What stands in the way.
        feature: String,
    },
    /// The codestream is of another picture than the header.
    #[error("{codec} codestream is {found}, and the header says {columns} × {rows} pixels of one sample")]
    WrongSize {
        /// The codec by name.
        codec: &'static str,
        /// What the codestream says of itself.
        found: String,
        /// Columns in the header.
        columns: usize,
        /// Rows in the header.
        rows: usize,
    },
    /// The codestream breaks the rules of its codec.
    #[error("{codec} codestream is damaged: {problem}")]
    Damaged {
        /// The codec by name.
        codec: &'static str,
        /// In plain words.
        problem: &'static str,
    },
}

/// Size and number of components as a codestream gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CodedSize {
    columns: usize,
    rows: usize,
    components: usize,
}

impl CodedSize {
    fn check(self, codec: &'static str, layout: &FrameLayout) -> Result<(), CodecError> {
        if (self.columns, self.rows, self.components) == (layout.columns, layout.rows, 1) {
            return Ok(());
        }
        let found = format!("{} × {} pixels of {} samples", self.columns, self.rows, self.components);
        Err(CodecError::WrongSize { codec, found, columns: layout.columns, rows: layout.rows })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Rle,
    Jpeg,
    Jpeg2000,
    JpegXl,
    DeflatedFrame,
}

fn codec_of(transfer_syntax_uid: &str) -> Result<Codec, CodecError> {
    const AS_FILM: &str = "it is a film, not a CT";
    const CONVERT: &str = "convert it with gdcmconv -w";
    const PREFIX: &str = "1.2.840.10008.1.2.";
    let (name, hint) = match transfer_syntax_uid.strip_prefix(PREFIX).unwrap_or_default() {
        "5" => return Ok(Codec::Rle),
        "8.1" => return Ok(Codec::DeflatedFrame),
        "4.50" | "4.51" | "4.57" | "4.70" | "4.80" | "4.81" => return Ok(Codec::Jpeg),
        "4.90" | "4.91" | "4.201" | "4.202" | "4.203" => return Ok(Codec::Jpeg2000),
        "4.110" | "4.111" | "4.112" => return Ok(Codec::JpegXl),
        "4.52" | "4.53" | "4.54" | "4.55" | "4.56" | "4.58" | "4.59" | "4.60" | "4.61" | "4.62" | "4.63" | "4.64"
        | "4.65" | "4.66" => ("a retired kind of JPEG", "convert it with dcmdjpeg"),
        "4.92" | "4.93" => ("JPEG 2000 with several components", CONVERT),
        "4.94" | "4.95" | "4.204" | "4.205" => {
            ("JPIP", "its pixels lie on a server; ask the hospital for the whole files")
        }
        rest if ["4.100", "4.101"].iter().any(|film| rest.starts_with(film)) => ("MPEG-2", AS_FILM),
        rest if ["4.102", "4.103", "4.104", "4.105", "4.106"].iter().any(|film| rest.starts_with(film)) => {
            ("MPEG-4", AS_FILM)
        }
        "4.107" | "4.108" => ("HEVC", AS_FILM),
        _ => {
            let name = format!("transfer syntax {transfer_syntax_uid}");
            return Err(CodecError::Unsupported { name, hint: CONVERT });
        }
    };
    Err(CodecError::Unsupported { name: name.to_owned(), hint })
}

/// What stands in the way of a transfer syntax, before any frame is read.
pub(crate) fn check_support(transfer_syntax_uid: &str) -> Result<(), CodecError> {
    codec_of(transfer_syntax_uid).map(drop)
}

/// Decodes one frame to `rows · columns` stored values, row by row, each as the codestream holds it: bits above
/// `bits_stored` may hold anything.
pub(crate) fn decode_frame(
    transfer_syntax_uid: &str,
    codestream: &[u8],
    layout: &FrameLayout,
) -> Result<Vec<i32>, CodecError> {
    let codec = codec_of(transfer_syntax_uid)?;
    let decode = || match codec {
        Codec::Rle => rle::decode(codestream, layout),
        Codec::Jpeg => decode_jpeg(codestream, layout),
        Codec::Jpeg2000 => jpeg_2000::decode(codestream, layout),
        Codec::JpegXl => jpeg_xl::decode(codestream, layout),
        Codec::DeflatedFrame => inflate(codestream, layout),
    };
    // Two of the decoders are not ours.
    let damaged = CodecError::Damaged { codec: "compressed", problem: "the decoder gave up" };
    let samples = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_panic| Err(damaged.clone()))?;
    if samples.len() == layout.samples() { Ok(samples) } else { Err(damaged) }
}

/// By what the codestream is, not by what the file's syntax says: files are often labelled with a sibling's name.
fn decode_jpeg(codestream: &[u8], layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    let picture = jpeg::parse(codestream)?;
    match picture.frame.process {
        jpeg::Process::Sequential => jpeg_dct::decode(&picture, layout),
        jpeg::Process::Lossless => jpeg_lossless::decode(&picture, layout),
        jpeg::Process::LosslessLs => jpeg_ls::decode(&picture, layout),
    }
}

/// Deflated Image Frame (PS3.5 A.4.13): plain cells, little endian.
fn inflate(codestream: &[u8], layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    let cell_bytes = usize::from(layout.bits_allocated / 8);
    let bytes = layout.samples() * cell_bytes;
    let mut cells = Vec::new();
    let stream = flate2::read::DeflateDecoder::new(codestream);
    let damaged = |problem| CodecError::Damaged { codec: "deflated", problem };
    stream.take(bytes as u64).read_to_end(&mut cells).map_err(|_source| damaged("it cannot be unpacked"))?;
    if cells.len() < bytes {
        return Err(damaged("it ends before the last pixel"));
    }
    Ok(cells_to_samples(&cells, cell_bytes))
}

fn cells_to_samples(cells: &[u8], cell_bytes: usize) -> Vec<i32> {
    if cell_bytes == 1 {
        cells.iter().map(|b| i32::from(*b)).collect()
    } else {
        cells.as_chunks::<2>().0.iter().map(|b| i32::from(u16::from_le_bytes(*b))).collect()
    }
}
