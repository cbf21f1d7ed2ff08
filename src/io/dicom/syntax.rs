//! Transfer syntaxes by UID and by name.

use super::walk::Encoding;

pub(super) const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
pub(super) const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
pub(super) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
/// GE's private syntax: implicit little endian, pixels big endian.
const GE_PRIVATE: &str = "1.2.840.113619.5.2";

/// How the data set of a syntax is written: explicit little endian unless it says otherwise.
pub(super) fn encoding(uid: &str) -> Encoding {
    match uid {
        IMPLICIT_LITTLE | GE_PRIVATE => Encoding::ImplicitLittle,
        EXPLICIT_BIG => Encoding::ExplicitBig,
        _ => Encoding::ExplicitLittle,
    }
}

/// Whether pixels lie in the file as plain cells.
pub(super) fn is_uncompressed(uid: &str) -> bool {
    matches!(uid, IMPLICIT_LITTLE | EXPLICIT_LITTLE | DEFLATED | EXPLICIT_BIG | GE_PRIVATE)
}

/// Whether the cells of uncompressed pixels are big endian.
pub(super) fn has_big_endian_pixels(uid: &str) -> bool {
    matches!(uid, EXPLICIT_BIG | GE_PRIVATE)
}

/// The name in PS3.6, shortened; the UID where we know none.
pub(super) fn name(uid: &str) -> String {
    let known = match uid {
        IMPLICIT_LITTLE => "Implicit VR Little Endian",
        EXPLICIT_LITTLE => "Explicit VR Little Endian",
        DEFLATED => "Deflated Explicit VR Little Endian",
        EXPLICIT_BIG => "Explicit VR Big Endian",
        GE_PRIVATE => "GE Private Implicit VR with big-endian pixels",
        "1.2.840.10008.1.2.5" => "RLE Lossless",
        "1.2.840.10008.1.2.8.1" => "Deflated Image Frame",
        "1.2.840.10008.1.2.4.50" => "JPEG Baseline",
        "1.2.840.10008.1.2.4.51" => "JPEG Extended",
        "1.2.840.10008.1.2.4.57" => "JPEG Lossless",
        "1.2.840.10008.1.2.4.70" => "JPEG Lossless, First-Order Prediction",
        "1.2.840.10008.1.2.4.80" => "JPEG-LS Lossless",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS Near-Lossless",
        "1.2.840.10008.1.2.4.90" => "JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.91" => "JPEG 2000",
        "1.2.840.10008.1.2.4.110" => "JPEG XL Lossless",
        "1.2.840.10008.1.2.4.111" => "JPEG XL, recompressed JPEG",
        "1.2.840.10008.1.2.4.112" => "JPEG XL",
        "1.2.840.10008.1.2.4.201" => "High-Throughput JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.202" => "High-Throughput JPEG 2000 with RPCL, Lossless",
        "1.2.840.10008.1.2.4.203" => "High-Throughput JPEG 2000",
        _ => return format!("transfer syntax {uid}"),
    };
    known.to_owned()
}
