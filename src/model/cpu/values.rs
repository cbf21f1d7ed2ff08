//! Plain numbers out of candle's tensors on the processor.

use candle_core::{CpuStorage, Result, Storage, Tensor, bail};

use crate::model::parameters::Parameters;

/// Calls `work` with the values of a contiguous f32 tensor, without a copy.
pub fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(work(&values[start..end])),
        _ => bail!("expected a contiguous f32 tensor on the CPU, got {:?} {:?}", tensor.dtype(), tensor.device()),
    }
}

/// The values of a parameter.
pub fn vector(parameters: &Parameters, name: &str) -> Result<Vec<f32>> {
    with_values(parameters.get(name)?, <[f32]>::to_vec)
}
