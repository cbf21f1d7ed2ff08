//! JPEG XL through jxl-oxide.

use jxl_oxide::{AllocTracker, InitializeResult, JxlImage, JxlThreadPool, image::BitDepth};

use super::{CodecError, CodedSize, FrameLayout};

const CODEC: &str = "JPEG XL";
/// Memory for a picture while it is decoded: what jxl-oxide takes for a pixel at most, generously.
const WORKING_BYTES_PER_PIXEL: usize = 256;
/// Memory besides.
const WORKING_BYTES: usize = 64 << 20;

fn damaged(problem: &'static str) -> CodecError {
    CodecError::Damaged { codec: CODEC, problem }
}

/// Decodes a grey picture; samples are unsigned, up to 16 bits.
pub(super) fn decode(codestream: &[u8], layout: &FrameLayout) -> Result<Vec<i32>, CodecError> {
    let broken = || damaged("it cannot be decoded");
    let tracker = AllocTracker::with_limit(WORKING_BYTES + layout.samples() * WORKING_BYTES_PER_PIXEL);
    let mut image = JxlImage::builder().pool(JxlThreadPool::none()).alloc_tracker(tracker).build_uninit();
    image.feed_bytes(codestream).map_err(|_source| broken())?;
    let InitializeResult::Initialized(mut image) = image.try_init().map_err(|_source| broken())? else {
        return Err(damaged("it ends before its first pixel"));
    };
    let size = CodedSize {
        columns: image.width() as usize,
        rows: image.height() as usize,
        components: image.pixel_format().channels(),
    };
    size.check(CODEC, layout)?;
    let BitDepth::IntegerSample { bits_per_sample: bits @ 1..=16 } = image.image_header().metadata.bit_depth else {
        return Err(damaged("its samples are not whole numbers of up to 16 bits"));
    };
    image.finalize().map_err(|_source| broken())?;
    if image.num_loaded_keyframes() == 0 || !image.is_loading_done() {
        return Err(damaged("it ends before its last pixel"));
    }
    let picture = image.render_frame(0).map_err(|_source| broken())?;
    let mut units = vec![0.0_f32; layout.samples()];
    if picture.stream().write_to_buffer(&mut units) < units.len() {
        return Err(damaged("it ends before its last pixel"));
    }
    let highest = ((1_u32 << bits) - 1) as f32;
    Ok(units.into_iter().map(|unit| (unit * highest).round().clamp(0.0, highest) as i32).collect())
}
