//! Safetensors files, checked before anything is computed with them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use candle_core::{Device, Tensor};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::parameters::{Parameters, TensorSpec};
use super::weights::WeightsError;

/// Largest header that is read; a generator's has some ten thousand bytes.
const LARGEST_HEADER: u64 = 16 << 20;

/// A parsed safetensors file of floating-point tensors.
#[derive(Debug)]
pub(super) struct TensorFile<'a> {
    views: BTreeMap<String, TensorView<'a>>,
    pub metadata: HashMap<String, String>,
}

impl<'a> TensorFile<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        check_header(bytes)?;
        let damaged = |source| WeightsError::Damaged { source };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let views = SafeTensors::deserialize(bytes).map_err(damaged)?.tensors().into_iter().collect();
        Ok(Self { views, metadata: metadata.metadata().clone().unwrap_or_default() })
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.views.get(name).map(TensorView::shape)
    }

    /// These tensors, as f32 on the CPU.
    pub fn tensors(&self, specs: &[TensorSpec]) -> Result<Parameters, WeightsError> {
        specs.iter().map(|spec| Ok((spec.name.clone(), self.tensor(spec)?))).collect()
    }

    /// An error when the file has tensors beside `parameters`.
    pub fn check_unknown(&self, parameters: &Parameters) -> Result<(), WeightsError> {
        let unknown: Vec<_> = self.views.keys().filter(|name| parameters.find(name).is_none()).collect();
        match unknown.first() {
            Some(first) => Err(WeightsError::UnknownTensors { first: (*first).clone(), count: unknown.len() }),
            None => Ok(()),
        }
    }

    fn tensor(&self, spec: &TensorSpec) -> Result<Tensor, WeightsError> {
        let view = self.views.get(&spec.name);
        spec.check(view.map(TensorView::shape))?;
        let view = view.ok_or_else(|| spec.missing())?;
        tensor_of(&spec.name, view)
    }
}

impl TensorSpec {
    pub(super) fn missing(&self) -> WeightsError {
        WeightsError::MissingTensor { name: self.name.clone(), expected: self.shape.clone() }
    }

    /// An error when there is no such tensor (`None`) or its shape is another.
    pub(super) fn check(&self, found: Option<&[usize]>) -> Result<(), WeightsError> {
        let found = found.ok_or_else(|| self.missing())?;
        if found == self.shape {
            return Ok(());
        }
        let (name, expected) = (self.name.clone(), self.shape.clone());
        Err(WeightsError::WrongShape { name, expected, found: found.to_vec() })
    }
}

fn tensor_of(name: &str, view: &TensorView<'_>) -> Result<Tensor, WeightsError> {
    let values = f32_values(view)
        .ok_or_else(|| WeightsError::WrongType { name: name.to_owned(), found: format!("{:?}", view.dtype()) })?;
    checked_tensor(name, values, view.shape())
}

/// A tensor on the CPU, after a look at its values.
pub(super) fn checked_tensor(name: &str, values: Vec<f32>, shape: &[usize]) -> Result<Tensor, WeightsError> {
    let count = values.iter().filter(|value| !value.is_finite()).count();
    if count > 0 {
        return Err(WeightsError::NotFinite { name: name.to_owned(), count });
    }
    if name.ends_with(".running_var") && values.iter().any(|&value| value < 0.0) {
        return Err(WeightsError::NegativeVariance { name: name.to_owned() });
    }
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// The numbers of a tensor, if they are floating point.
fn f32_values(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F16 => chunks(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => chunks(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        Dtype::F32 => chunks(bytes, f32::from_le_bytes),
        Dtype::F64 => chunks(bytes, |b| f64::from_le_bytes(b) as f32),
        _ => return None,
    };
    Some(values)
}

/// Little-endian numbers of `N` bytes; a remainder is left out.
pub(super) fn chunks<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}

/// The length of the header, before anything trusts it.
fn check_header(bytes: &[u8]) -> Result<(), WeightsError> {
    let file = bytes.len() as u64;
    let header = bytes.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length));
    let starts_json = bytes.get(8) == Some(&b'{');
    if !(2..=LARGEST_HEADER).contains(&header) || !starts_json {
        return Err(WeightsError::NotSafetensors { header, file });
    }
    Ok(())
}

/// The bytes of a file; nothing is allocated that the file does not hold.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let read = |source| WeightsError::Read { source };
    // A named pipe would block on opening: ask first what it is.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(WeightsError::NotAFile);
    }
    let mut file = File::open(path).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    let mut start = [0; 9];
    if length < 9 {
        return Err(WeightsError::NotSafetensors { header: 0, file: length });
    }
    file.read_exact(&mut start).map_err(read)?;
    check_header(&start).map_err(|error| match error {
        WeightsError::NotSafetensors { header, .. } => WeightsError::NotSafetensors { header, file: length },
        other => other,
    })?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    bytes.extend_from_slice(&start);
    file.take(length - 9).read_to_end(&mut bytes).map_err(read)?;
    Ok(bytes)
}
