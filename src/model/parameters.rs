//! The tensors of one network by name, always in name order.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};

use super::seed::RandomStream;

/// Standard deviation of new weights, pix2pix.
const INIT_DEVIATION: f32 = 0.02;

/// Name and shape of a tensor that a network needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the weights file.
    pub name: String,
    /// Sizes of the axes, in the order of PyTorch.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// A tensor `name` of this shape.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec() }
    }

    /// Batch norm's running mean or variance: saved with the weights, moved by the forward pass and not by the optimiser.
    pub fn is_statistic(name: &str) -> bool {
        name.ends_with(".running_mean") || name.ends_with(".running_var")
    }
}

/// The tensors of one network by name. Cloning shares the tensors.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    tensors: BTreeMap<String, Tensor>,
}

impl Parameters {
    /// No tensors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// New weights as in pix2pix: N(0, 0.02) for convolutions, N(1, 0.02) for the scales of batch norm, biases 0.
    ///
    /// Drawn in the order of `specs`, which is the order of names.
    pub fn initialize(specs: &[TensorSpec], stream: &mut RandomStream, device: &Device) -> Result<Self> {
        let tensors = specs.iter().map(|spec| {
            let count = spec.shape.iter().product();
            let values = match spec.name.rsplit('.').next() {
                Some("weight") if spec.shape.len() == 1 => stream.normals(count, 1.0, INIT_DEVIATION),
                Some("weight") => stream.normals(count, 0.0, INIT_DEVIATION),
                Some("running_var") => vec![1.0; count],
                _ => vec![0.0; count],
            };
            Ok((spec.name.clone(), Tensor::from_vec(values, spec.shape.as_slice(), device)?))
        });
        tensors.collect()
    }

    /// An error when a tensor is missing or has another shape.
    pub fn check(&self, specs: &[TensorSpec]) -> Result<()> {
        for spec in specs {
            let found = self.get(&spec.name)?.dims();
            if found != spec.shape {
                candle_core::bail!("{}: expected shape {:?}, got {found:?}", spec.name, spec.shape);
            }
        }
        Ok(())
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// Takes the tensor with this name out, so that its memory can be freed.
    pub fn remove(&mut self, name: &str) -> Result<Tensor> {
        self.tensors.remove(name).ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_owned() })
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_owned() })
    }

    /// The tensor with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All tensors in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// What the optimiser moves, in name order: variables that are not running statistics.
    pub fn trained(&self) -> Result<Vec<(String, Var)>> {
        self.iter()
            .filter(|(name, tensor)| tensor.is_variable() && !TensorSpec::is_statistic(name))
            .map(|(name, tensor)| Ok((name.to_owned(), Var::from_tensor(tensor)?)))
            .collect()
    }

    /// A copy that can be trained: every tensor becomes a variable of its own.
    pub fn to_variables(&self) -> Result<Self> {
        // `Var::from_tensor` would share a tensor that already is a variable.
        self.map(|tensor| Ok(Var::from_tensor(&tensor.detach().copy()?)?.as_tensor().clone()))
    }

    /// A copy that later training does not move, and that keeps no gradients.
    pub fn snapshot(&self) -> Result<Self> {
        self.map(|tensor| tensor.detach().copy())
    }

    /// A copy in f32 on another device (the same tensors when they are there already).
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.map(|tensor| tensor.detach().to_dtype(DType::F32)?.to_device(device))
    }

    /// Moves to another device, in f32, tensor by tensor.
    pub fn into_device(self, device: &Device) -> Result<Self> {
        let tensors = self
            .tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, tensor.detach().to_dtype(DType::F32)?.to_device(device)?)));
        Ok(Self { tensors: tensors.collect::<Result<_>>()? })
    }

    /// The same tensors under their name without `prefix`; others are left out.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        let tensors = self
            .tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
            .collect();
        Self { tensors }
    }

    fn map(&self, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let tensors = self.tensors.iter().map(|(name, tensor)| Ok((name.clone(), change(tensor)?)));
        Ok(Self { tensors: tensors.collect::<Result<_>>()? })
    }
}

impl FromIterator<(String, Tensor)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(tensors: I) -> Self {
        Self { tensors: tensors.into_iter().collect() }
    }
}
