//! PyTorch checkpoints: the tensors of a `state_dict`, from the ZIP that PyTorch writes since 1.6 and from the older bare pickles.
//!
//! Old files are five pickles in a row (a magic number, a version, the machine's sizes, the object, the keys of its storages), then
//! for each key the number of elements (8 bytes) and the elements.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::pickle::{Element, PickleError, StorageRef, TensorRef, Unpickled, Value, unpickle};
use super::tensor_file::chunks;

/// Largest file that is read.
const MOST_FILE_BYTES: u64 = 8 << 30;
/// PyTorch's magic number 0x1950a86a20f9469cfc6c, little endian, with its pickle around it.
const OLD_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// What a ZIP begins with.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Why a checkpoint is not read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum CheckpointError {
    /// Not there, or not readable.
    #[error("cannot read the checkpoint")]
    Read { source: std::io::Error },
    /// A folder, a pipe.
    #[error("expected a checkpoint file, found a folder or a device")]
    NotAFile,
    /// Absurd.
    #[error("the checkpoint has {found} bytes; at most {MOST_FILE_BYTES} are read")]
    TooLarge { found: u64 },
    /// Something else.
    #[error("not a PyTorch checkpoint; expected a file written by torch.save, such as latest_net_G.pth")]
    NotACheckpoint,
    /// The ZIP is damaged.
    #[error("the checkpoint's ZIP archive is damaged or cut short")]
    Zip { source: zip::result::ZipError },
    /// PyTorch stores without compression; what is compressed may be a bomb.
    #[error("the checkpoint's entry {entry} is compressed, or larger than the file; PyTorch writes neither")]
    Compressed { entry: String },
    /// The ZIP has no such entry.
    #[error("the checkpoint has no entry {entry}; it is cut short, or no checkpoint")]
    MissingEntry { entry: String },
    /// The pickle inside.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// Written on a big-endian machine.
    #[error("the checkpoint's numbers are big endian; save it again on a little-endian machine")]
    BigEndian,
    /// No tensors by name.
    #[error("the checkpoint holds no state_dict; expected a dictionary of tensors by name")]
    NoStateDict,
    /// Several sets of tensors.
    #[error("the checkpoint holds several sets of tensors ({found}); save the generator's state_dict alone")]
    SeveralStateDicts { found: String },
    /// Cut.
    #[error("the checkpoint ends in the middle of its numbers; fetch it again")]
    Truncated,
    /// A storage that is not there, or of another size.
    #[error("tensor {name}: its numbers are missing, or more or fewer than announced ({count} of {bytes} bytes each)")]
    Storage { name: String, count: usize, bytes: usize },
    /// A view beyond its storage.
    #[error("tensor {name}: shape {shape:?} does not fit its {count} numbers")]
    OutOfBounds { name: String, shape: Vec<usize>, count: usize },
}

/// A tensor in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// Tensors by name.
pub type StateDict = BTreeMap<String, HostTensor>;

/// Reads the floating-point tensors of a checkpoint; counters are left out.
pub fn read_state_dict(path: &Path) -> Result<StateDict, CheckpointError> {
    let read = |source| CheckpointError::Read { source };
    let metadata = std::fs::metadata(path).map_err(read)?;
    if !metadata.is_file() {
        return Err(CheckpointError::NotAFile);
    }
    if metadata.len() > MOST_FILE_BYTES {
        return Err(CheckpointError::TooLarge { found: metadata.len() });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(read)?.take(metadata.len()).read_to_end(&mut bytes).map_err(read)?;
    state_dict_from_bytes(&bytes)
}

/// Whether this begins like a PyTorch checkpoint.
pub(super) fn is_checkpoint(start: &[u8]) -> bool {
    start.starts_with(ZIP_MAGIC) || start.starts_with(b"\x80")
}

/// Reads the floating-point tensors of a checkpoint's bytes.
pub fn state_dict_from_bytes(bytes: &[u8]) -> Result<StateDict, CheckpointError> {
    if bytes.starts_with(ZIP_MAGIC) {
        from_zip(bytes)
    } else if bytes.starts_with(OLD_MAGIC) {
        from_old(bytes)
    } else if bytes.starts_with(b"\x80") {
        // Some other pickle: read it for the sake of a better message.
        unpickle(bytes)?;
        Err(CheckpointError::NotACheckpoint)
    } else {
        Err(CheckpointError::NotACheckpoint)
    }
}

fn from_zip(bytes: &[u8]) -> Result<StateDict, CheckpointError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|source| CheckpointError::Zip { source })?;
    // The folder inside is named after the file that it was first saved as.
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect::<BTreeSet<_>>();
    let folder = names.iter().find_map(|name| name.strip_suffix("data.pkl").map(str::to_owned));
    let folder = folder.ok_or_else(|| CheckpointError::MissingEntry { entry: "data.pkl".to_owned() })?;
    let mut left = bytes.len() as u64;
    let mut entry = |name: &str| read_entry(&mut archive, &format!("{folder}{name}"), &mut left);
    if names.contains(&format!("{folder}byteorder")) && entry("byteorder")? != b"little" {
        return Err(CheckpointError::BigEndian);
    }
    let pickle = unpickle(&entry("data.pkl")?)?;
    let tensors = named_tensors(&pickle)?;
    let mut storages = BTreeMap::new();
    for (name, tensor) in &tensors {
        let storage = &tensor.storage;
        if !storages.contains_key(&*storage.key) {
            let values = entry(&format!("data/{}", storage.key))?;
            storages.insert(storage.key.to_string(), floats(&values, storage, name)?);
        }
    }
    collect(&tensors, &storages)
}

/// The bytes of an entry. All entries together (`left`) never hold more than the file.
fn read_entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, left: &mut u64) -> Result<Vec<u8>, CheckpointError> {
    let index = archive.index_for_name(name).ok_or_else(|| CheckpointError::MissingEntry { entry: name.to_owned() })?;
    let file = archive.by_index(index).map_err(|source| CheckpointError::Zip { source })?;
    if file.compression() != CompressionMethod::Stored || file.size() > *left {
        return Err(CheckpointError::Compressed { entry: name.to_owned() });
    }
    *left -= file.size();
    let mut bytes = Vec::with_capacity(usize::try_from(file.size()).unwrap_or(0));
    let size = file.size();
    file.take(size).read_to_end(&mut bytes).map_err(|source| CheckpointError::Zip { source: source.into() })?;
    Ok(bytes)
}

fn from_old(bytes: &[u8]) -> Result<StateDict, CheckpointError> {
    let mut rest = bytes;
    let mut next = || {
        let pickle = unpickle(rest)?;
        rest = &rest[pickle.length..];
        Ok::<_, PickleError>(pickle)
    };
    let (_magic, _version, machine) = (next()?, next()?, next()?);
    let is_big_endian = |(key, value): &(Value, Value)| {
        matches!(key, Value::Text(key) if &**key == "little_endian") && *value == Value::Bool(false)
    };
    if machine.arena.dict(&machine.root).unwrap_or_default().iter().any(is_big_endian) {
        return Err(CheckpointError::BigEndian);
    }
    let (object, keys) = (next()?, next()?);
    let tensors = named_tensors(&object)?;
    let storages = old_storages(rest, &keys, &object)?;
    collect(&tensors, &storages)
}

fn old_storages(
    bytes: &[u8],
    keys: &Unpickled,
    object: &Unpickled,
) -> Result<BTreeMap<String, Vec<f32>>, CheckpointError> {
    let announced = object.arena.storages().iter().map(|storage| (&*storage.key, storage)).collect::<BTreeMap<_, _>>();
    let mut storages = BTreeMap::new();
    let mut rest = bytes;
    for key in keys.arena.sequence(&keys.root).unwrap_or_default() {
        let storage = text(key).and_then(|key| announced.get(key)).ok_or(CheckpointError::NoStateDict)?;
        let (count, after) = rest.split_first_chunk::<8>().ok_or(CheckpointError::Truncated)?;
        let length = storage.count.checked_mul(storage.element.bytes());
        let Some(length) = length.filter(|_| u64::from_le_bytes(*count) == storage.count as u64) else {
            let (count, bytes) = (storage.count, storage.element.bytes());
            return Err(CheckpointError::Storage { name: format!("with storage {}", storage.key), count, bytes });
        };
        let values = after.get(..length).ok_or(CheckpointError::Truncated)?;
        storages.insert(storage.key.to_string(), floats(values, storage, &storage.key)?);
        rest = &after[length..];
    }
    Ok(storages)
}

/// The tensors of the `state_dict`: the object itself, or the only dictionary of tensors in it.
fn named_tensors(pickle: &Unpickled) -> Result<Vec<(String, &TensorRef)>, CheckpointError> {
    let root = pickle.arena.dict(&pickle.root).ok_or(CheckpointError::NoStateDict)?;
    let own = tensors_of(pickle, root);
    if !own.is_empty() {
        return Ok(own);
    }
    let inner = root.iter().filter_map(|(key, value)| {
        let tensors = tensors_of(pickle, pickle.arena.dict(value)?);
        (!tensors.is_empty()).then_some((key, tensors))
    });
    let mut inner = inner.collect::<Vec<_>>();
    match inner.len() {
        0 => Err(CheckpointError::NoStateDict),
        1 => Ok(inner.remove(0).1),
        _ => {
            let names = inner.iter().filter_map(|(key, _)| text(key)).take(8).collect::<Vec<_>>();
            Err(CheckpointError::SeveralStateDicts { found: names.join(", ") })
        }
    }
}

fn tensors_of<'a>(pickle: &'a Unpickled, dict: &'a [(Value, Value)]) -> Vec<(String, &'a TensorRef)> {
    let named = |(key, value): &'a (Value, Value)| Some((text(key)?.to_owned(), pickle.arena.tensor(value)?));
    dict.iter().filter_map(named).collect()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A storage's numbers; none for counters.
fn floats(bytes: &[u8], storage: &StorageRef, name: &str) -> Result<Vec<f32>, CheckpointError> {
    if storage.count.checked_mul(storage.element.bytes()) != Some(bytes.len()) {
        let (count, bytes) = (storage.count, storage.element.bytes());
        return Err(CheckpointError::Storage { name: name.to_owned(), count, bytes });
    }
    Ok(match storage.element {
        Element::F16 => chunks(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        Element::BF16 => chunks(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        Element::F32 => chunks(bytes, f32::from_le_bytes),
        Element::F64 => chunks(bytes, |b| f64::from_le_bytes(b) as f32),
        Element::Integer(_) => Vec::new(),
    })
}

/// The floating-point tensors, each with numbers of its own.
fn collect(
    tensors: &[(String, &TensorRef)],
    storages: &BTreeMap<String, Vec<f32>>,
) -> Result<StateDict, CheckpointError> {
    // Tensors may share a storage, as tied weights do; a small file must not become a large memory by that.
    let mut left = storages.values().map(Vec::len).sum::<usize>().saturating_mul(2);
    let floating = tensors.iter().filter(|(_, tensor)| !matches!(tensor.storage.element, Element::Integer(_)));
    floating
        .map(|(name, tensor)| {
            let storage = storages.get(&*tensor.storage.key);
            let values = storage.and_then(|storage| gather(tensor, storage, left));
            let (shape, count) = (tensor.shape.clone(), tensor.storage.count);
            let values = values.ok_or_else(|| CheckpointError::OutOfBounds {
                name: name.clone(),
                shape: shape.clone(),
                count,
            })?;
            left -= values.len();
            Ok((name.clone(), HostTensor { shape, values }))
        })
        .collect()
}

/// The tensor's numbers row by row, at most `most`; `None` where it reaches beyond its storage, or repeats it.
fn gather(tensor: &TensorRef, storage: &[f32], most: usize) -> Option<Vec<f32>> {
    let count = tensor.shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side))?;
    if count > storage.len().min(most) || tensor.shape.len() > 8 {
        return None;
    }
    let mut values = Vec::with_capacity(count);
    for index in 0..count {
        let mut rest = index;
        let mut place = tensor.offset;
        for (&side, &stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
            place = place.checked_add((rest % side).checked_mul(stride)?)?;
            rest /= side;
        }
        values.push(*storage.get(place)?);
    }
    Some(values)
}
