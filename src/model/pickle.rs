//! A bounded reader for the pickles inside PyTorch checkpoints. It executes nothing.
//!
//! A pickle is a program for a stack machine. This one knows the few instructions that describe a dictionary of tensors, and the
//! few names that such a dictionary needs; any other name or instruction is an error that says which. Containers live in an arena
//! and refer to each other by number, so that neither reading nor dropping a deeply nested pickle recurses.
//! Reference: Python's `pickletools`, protocols 2 to 5.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Longest pickle that is read: a ResNet-50's has 40 kB.
const MOST_BYTES: usize = 2 << 20;

/// Why a pickle is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum PickleError {
    /// Code, or an object of a class.
    #[error(
        "the file asks for {name}, which no plain set of weights needs; nothing was run. Expected a state_dict of tensors: save `model.state_dict()` alone, and do not open files from people you do not trust"
    )]
    Forbidden { name: String },
    /// An instruction that only objects need.
    #[error(
        "the pickle has instruction {opcode:#04x} at byte {position}, which no plain set of weights needs; nothing was run"
    )]
    Instruction { opcode: u8, position: usize },
    /// Cut.
    #[error("the pickle ends in the middle, at byte {position}")]
    Truncated { position: usize },
    /// Stack or memo do not fit the instruction.
    #[error("the pickle is damaged at byte {position}: expected {expected}")]
    Malformed { expected: &'static str, position: usize },
    /// Absurd.
    #[error("the pickle is longer than {MOST_BYTES} bytes; weights of this program's networks need less")]
    TooLong,
}

/// Type of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    BF16,
    F32,
    F64,
    /// Counters; only their size in bytes matters.
    Integer(usize),
}

impl Element {
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Integer(bytes) => bytes,
        }
    }
}

/// The names that are known. None of them is run: they are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
}

impl Global {
    fn named(module: &str, name: &str) -> Result<Self, PickleError> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch" | "torch.cuda", storage) => match storage {
                "HalfStorage" => Self::Storage(Element::F16),
                "BFloat16Storage" => Self::Storage(Element::BF16),
                "FloatStorage" => Self::Storage(Element::F32),
                "DoubleStorage" => Self::Storage(Element::F64),
                "LongStorage" => Self::Storage(Element::Integer(8)),
                "IntStorage" => Self::Storage(Element::Integer(4)),
                "ShortStorage" => Self::Storage(Element::Integer(2)),
                "ByteStorage" | "CharStorage" | "BoolStorage" => Self::Storage(Element::Integer(1)),
                _ => return Err(forbidden(module, name)),
            },
            _ => return Err(forbidden(module, name)),
        };
        Ok(known)
    }
}

fn forbidden(module: &str, name: &str) -> PickleError {
    PickleError::Forbidden { name: format!("{module}.{name}").chars().take(120).collect() }
}

/// Bytes of numbers that tensors look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StorageRef {
    pub element: Element,
    pub key: Rc<str>,
    pub count: usize,
}

/// A view into a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorRef {
    pub storage: StorageRef,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A value on the stack. Containers are places in the [`Arena`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, as little-endian bytes.
    Long(Rc<[u8]>),
    Float(f64),
    Text(Rc<str>),
    Sequence(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

/// Everything that a pickle made.
#[derive(Debug, Default)]
pub(super) struct Arena {
    sequences: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
    storages: Vec<StorageRef>,
    tensors: Vec<TensorRef>,
}

impl Arena {
    pub fn sequence(&self, value: &Value) -> Option<&[Value]> {
        let Value::Sequence(place) = value else { return None };
        self.sequences.get(*place).map(Vec::as_slice)
    }

    pub fn dict(&self, value: &Value) -> Option<&[(Value, Value)]> {
        let Value::Dict(place) = value else { return None };
        self.dicts.get(*place).map(Vec::as_slice)
    }

    pub fn tensor(&self, value: &Value) -> Option<&TensorRef> {
        let Value::Tensor(place) = value else { return None };
        self.tensors.get(*place)
    }

    pub fn storages(&self) -> &[StorageRef] {
        &self.storages
    }

    fn new_sequence(&mut self, values: Vec<Value>) -> Value {
        self.sequences.push(values);
        Value::Sequence(self.sequences.len() - 1)
    }

    fn new_dict(&mut self) -> Value {
        self.dicts.push(Vec::new());
        Value::Dict(self.dicts.len() - 1)
    }

    /// A tuple of sizes.
    fn sizes(&self, value: &Value) -> Option<Vec<usize>> {
        self.sequence(value)?.iter().map(size).collect()
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

/// What a pickle holds.
#[derive(Debug)]
pub(super) struct Unpickled {
    pub arena: Arena,
    pub root: Value,
    /// Bytes of the pickle: another one may follow.
    pub length: usize,
}

/// Reads the pickle at the beginning of `bytes`.
pub(super) fn unpickle(bytes: &[u8]) -> Result<Unpickled, PickleError> {
    let mut machine = Machine {
        bytes: &bytes[..bytes.len().min(MOST_BYTES)],
        position: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        arena: Arena::default(),
    };
    loop {
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Unpickled { arena: machine.arena, root, length: machine.position }),
            Err(PickleError::Truncated { .. }) if bytes.len() > MOST_BYTES => return Err(PickleError::TooLong),
            Err(error) => return Err(error),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    stack: Vec<Value>,
    /// Heights of the stack at which a mark was set.
    marks: Vec<usize>,
    memo: BTreeMap<usize, Value>,
    arena: Arena,
}

impl<'a> Machine<'a> {
    /// One instruction; the result, when it was the last.
    fn step(&mut self) -> Result<Option<Value>, PickleError> {
        let position = self.position;
        let [opcode] = self.array()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // PROTO and FRAME say nothing that matters here.
            0x80 => self.array::<1>().map(drop)?,
            0x95 => self.array::<8>().map(drop)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.pop().map(drop)?,
            b'1' => self.pop_to_mark().map(drop)?,
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.memo_step(opcode)?,
            b'c' | 0x93 => self.global_step(opcode)?,
            b')' | b']' | b't' | 0x85..=0x87 | b'l' | b'}' | b'a' | b'e' | b's' | b'u' => {
                self.container_step(opcode)?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.persistent()?,
            _ => {
                let value = self.literal(opcode)?.ok_or(PickleError::Instruction { opcode, position })?;
                self.stack.push(value);
            }
        }
        Ok(None)
    }

    fn literal(&mut self, opcode: u8) -> Result<Option<Value>, PickleError> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(i64::from(self.array::<1>()?[0])),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            0x8a => self.long()?,
            // Texts of Python 2 are bytes; names in checkpoints are ASCII.
            b'U' | b'C' | 0x8c => self.short_text()?,
            b'X' | b'T' | b'B' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(u64::from(length))?
            }
            0x8d | 0x8e => {
                let length = u64::from_le_bytes(self.array()?);
                self.text(length)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    fn memo_step(&mut self, opcode: u8) -> Result<(), PickleError> {
        let place = match opcode {
            b'q' | b'h' => usize::from(self.array::<1>()?[0]),
            b'r' | b'j' => u32::from_le_bytes(self.array()?) as usize,
            _ => self.memo.len(),
        };
        if matches!(opcode, b'h' | b'j') {
            let value = self.memo.get(&place).cloned().ok_or_else(|| self.malformed("a value that was kept before"))?;
            self.stack.push(value);
        } else {
            let value = self.stack.last().cloned().ok_or_else(|| self.malformed("a value to keep"))?;
            self.memo.insert(place, value);
        }
        Ok(())
    }

    fn global_step(&mut self, opcode: u8) -> Result<(), PickleError> {
        let (module, name) = if opcode == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (module, name) {
                (Value::Text(module), Value::Text(name)) => (module, name),
                _ => return Err(self.malformed("the name of a class")),
            }
        };
        self.stack.push(Value::Global(Global::named(&module, &name)?));
        Ok(())
    }

    fn container_step(&mut self, opcode: u8) -> Result<(), PickleError> {
        let new = match opcode {
            b')' | b']' => self.arena.new_sequence(Vec::new()),
            b'}' => self.arena.new_dict(),
            b't' | b'l' => {
                let values = self.pop_to_mark()?;
                self.arena.new_sequence(values)
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let values = self.pop_last(count)?;
                self.arena.new_sequence(values)
            }
            _ => return self.add_to_container(opcode),
        };
        self.stack.push(new);
        Ok(())
    }

    fn add_to_container(&mut self, opcode: u8) -> Result<(), PickleError> {
        let values = match opcode {
            b'a' => self.pop_last(1)?,
            b's' => self.pop_last(2)?,
            _ => self.pop_to_mark()?,
        };
        let is_list = matches!(opcode, b'a' | b'e');
        let position = self.position;
        match self.stack.last() {
            Some(Value::Sequence(place)) if is_list => self.arena.sequences[*place].extend(values),
            Some(Value::Dict(place)) if !is_list && values.len().is_multiple_of(2) => {
                let mut values = values.into_iter();
                while let (Some(key), Some(value)) = (values.next(), values.next()) {
                    self.arena.dicts[*place].push((key, value));
                }
            }
            _ => return Err(PickleError::Malformed { expected: "a list or a dictionary to add to", position }),
        }
        Ok(())
    }

    /// A call, of the few that are known; each is answered here and nothing is called.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let arguments = self.arena.sequence(&arguments).unwrap_or_default().to_vec();
        let result = match callee {
            Value::Global(Global::OrderedDict) if arguments.is_empty() => self.arena.new_dict(),
            Value::Global(Global::RebuildTensor) => {
                let tensor =
                    self.tensor(&arguments).ok_or_else(|| self.malformed("storage, offset, shape and strides"))?;
                self.arena.tensors.push(tensor);
                Value::Tensor(self.arena.tensors.len() - 1)
            }
            Value::Global(Global::RebuildParameter) => match arguments.first() {
                Some(tensor @ Value::Tensor(_)) => tensor.clone(),
                _ => return Err(self.malformed("a tensor in a parameter")),
            },
            _ => return Err(self.malformed("a tensor or a dictionary to build")),
        };
        self.stack.push(result);
        Ok(())
    }

    fn tensor(&self, arguments: &[Value]) -> Option<TensorRef> {
        let [Value::Storage(storage), offset, shape, strides, ..] = arguments else { return None };
        let (shape, strides) = (self.arena.sizes(shape)?, self.arena.sizes(strides)?);
        let storage = self.arena.storages.get(*storage)?.clone();
        (shape.len() == strides.len()).then_some(TensorRef { storage, offset: size(offset)?, shape, strides })
    }

    /// Attributes of an object; a `state_dict` has `_metadata`, which is not needed.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        match self.stack.last() {
            Some(Value::Dict(_)) => Ok(()),
            _ => Err(self.malformed("a dictionary to give attributes to")),
        }
    }

    /// `("storage", type, key, location, count, …)`.
    fn persistent(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let storage = match self.arena.sequence(&id) {
            Some([Value::Text(kind), Value::Global(Global::Storage(element)), Value::Text(key), _, count, ..])
                if &**kind == "storage" =>
            {
                size(count).map(|count| StorageRef { element: *element, key: Rc::clone(key), count })
            }
            _ => None,
        };
        let storage = storage.ok_or_else(|| self.malformed("a storage"))?;
        self.arena.storages.push(storage);
        self.stack.push(Value::Storage(self.arena.storages.len() - 1));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or_else(|| self.malformed("a value on the stack"))
    }

    fn pop_last(&mut self, count: usize) -> Result<Vec<Value>, PickleError> {
        let start = self.stack.len().checked_sub(count).ok_or_else(|| self.malformed("more values on the stack"))?;
        Ok(self.stack.split_off(start))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, PickleError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        let mark = mark.ok_or_else(|| self.malformed("a mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn malformed(&self, expected: &'static str) -> PickleError {
        PickleError::Malformed { expected, position: self.position }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let truncated = PickleError::Truncated { position: self.position };
        let taken = self.bytes.get(self.position..).and_then(|rest| rest.get(..count)).ok_or(truncated)?;
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let position = self.position;
        self.take(N)?.first_chunk().copied().ok_or(PickleError::Truncated { position })
    }

    fn long(&mut self) -> Result<Value, PickleError> {
        let [count] = self.array()?;
        let bytes = self.take(usize::from(count))?;
        if bytes.len() > 8 {
            return Ok(Value::Long(bytes.into()));
        }
        let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [sign; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(all)))
    }

    fn short_text(&mut self) -> Result<Value, PickleError> {
        let [length] = self.array()?;
        self.text(u64::from(length))
    }

    fn text(&mut self, length: u64) -> Result<Value, PickleError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Value::Text(String::from_utf8_lossy(self.take(length)?).into()))
    }

    fn line(&mut self) -> Result<Rc<str>, PickleError> {
        let rest = &self.bytes[self.position..];
        let truncated = PickleError::Truncated { position: self.position };
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(truncated)?;
        let line = String::from_utf8_lossy(&rest[..length]).trim_end().into();
        self.position += length + 1;
        Ok(line)
    }
}
