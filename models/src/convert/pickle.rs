//! A reader for the one kind of pickle that a PyTorch checkpoint of 2020 is made of.
//!
//! A pickle is a program. This is no interpreter of it: only the instructions that such a checkpoint uses are known, the
//! only names that may be looked up are those in [`Global`], and "calling" one of them builds a plain value here.
//! Anything else is an error, so nothing in a file can make this program do anything but read numbers.
//! Values live in an arena and refer to each other by number, so that no nesting, however deep, exhausts the stack.

use super::ConvertError;
use std::collections::HashMap;

/// Upper bounds far above what the checkpoint needs (11,000 instructions), so that a bad file ends soon.
const MOST_STEPS: usize = 1_000_000;

/// Number of a value in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(usize);

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than eight bytes, little-endian: the checkpoint's magic number.
    Long(Vec<u8>),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A block of numbers that follows the pickles.
    Storage {
        kind: Global,
        key: String,
        count: usize,
    },
    /// A view of a storage.
    Tensor {
        storage: Id,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    },
    /// Where a list of arguments starts on the stack.
    Mark,
}

/// Every name that a checkpoint may look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    RebuildTensor,
    FloatStorage,
    LongStorage,
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch", "FloatStorage") => Self::FloatStorage,
            ("torch", "LongStorage") => Self::LongStorage,
            _ => return None,
        })
    }

    /// Bytes per number of a storage.
    pub fn width(self) -> Option<usize> {
        match self {
            Self::FloatStorage => Some(4),
            Self::LongStorage => Some(8),
            Self::OrderedDict | Self::RebuildTensor => None,
        }
    }
}

/// A value that was read, with all that it refers to.
#[derive(Debug)]
pub struct Pickle {
    arena: Vec<Value>,
    root: Id,
}

impl Pickle {
    pub fn root(&self) -> &Value {
        self.value(self.root)
    }
    pub fn value(&self, id: Id) -> &Value {
        self.arena.get(id.0).unwrap_or(&Value::None)
    }
}

/// Reads one pickle from the front of `bytes` and how many bytes it took.
pub fn read(bytes: &[u8]) -> Result<(Pickle, usize), ConvertError> {
    let mut machine = Machine { bytes, at: 0, arena: Vec::new(), stack: Vec::new(), memo: HashMap::new() };
    for _ in 0..MOST_STEPS {
        if let Some(root) = machine.step()? {
            return Ok((Pickle { arena: machine.arena, root }, machine.at));
        }
    }
    Err(machine.error("it has too many instructions"))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    arena: Vec<Value>,
    stack: Vec<Id>,
    memo: HashMap<u32, Id>,
}

type Step<T> = Result<T, ConvertError>;

impl<'a> Machine<'a> {
    fn error(&self, reason: impl Into<String>) -> ConvertError {
        ConvertError::Pickle { at: self.at, reason: reason.into() }
    }

    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(length);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice = slice.ok_or_else(|| self.error("it ends in the middle of an instruction"))?;
        self.at += length;
        Ok(slice)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Step<u32> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length =
            rest.iter().position(|&b| b == b'\n').ok_or_else(|| self.error("a name does not end"))?;
        let line = std::str::from_utf8(self.take(length)?).map_err(|_| self.error("a name is not text"))?;
        self.take(1)?;
        Ok(line)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Id(self.arena.len()));
        self.arena.push(value);
    }

    fn pop(&mut self) -> Step<Id> {
        let id = self.stack.pop().ok_or_else(|| self.error("it takes from an empty stack"))?;
        if self.arena.get(id.0) == Some(&Value::Mark) {
            return Err(self.error("it takes a mark for a value"));
        }
        Ok(id)
    }

    fn top(&self) -> Step<Id> {
        self.stack.last().copied().ok_or_else(|| self.error("it looks at an empty stack"))
    }

    /// Everything above the last mark, which goes too.
    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.stack.iter().rposition(|id| self.arena.get(id.0) == Some(&Value::Mark));
        let mark = mark.ok_or_else(|| self.error("a mark is missing"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn value(&self, id: Id) -> &Value {
        self.arena.get(id.0).unwrap_or(&Value::None)
    }

    fn remember(&mut self, key: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Step<()> {
        let id = *self.memo.get(&key).ok_or_else(|| self.error("it recalls what it never kept"))?;
        self.stack.push(id);
        Ok(())
    }

    /// Does one instruction; the result once the last one is reached. Codes: CPython's `pickletools.py`.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.byte()? {
            0x80 => match self.byte()? {
                2 => {}
                other => return Err(self.error(format!("its protocol is {other}, not 2"))),
            },
            b'.' => return self.finish().map(Some),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'(' => self.push(Value::Mark),
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'K' => {
                let n = self.byte()?;
                self.push(Value::Int(n.into()));
            }
            b'M' => {
                let b = self.take(2)?;
                self.push(Value::Int(u16::from_le_bytes([b[0], b[1]]).into()));
            }
            b'J' => {
                let n = self.u32()?.cast_signed();
                self.push(Value::Int(n.into()));
            }
            0x8a => {
                let length = self.byte()?.into();
                let bytes = self.take(length)?.to_vec();
                self.push(Value::Long(bytes));
            }
            b'X' => self.text()?,
            b'q' => {
                let key = self.byte()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = self.u32()?;
                self.remember(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = self.u32()?;
                self.recall(key)?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            code @ (0x85 | 0x86) => self.short_tuple(usize::from(code - 0x84))?,
            b'c' => self.global()?,
            b'Q' => self.persistent()?,
            b'R' => self.reduce()?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            b'e' => self.append()?,
            b'b' => self.build()?,
            other => {
                return Err(
                    self.error(format!("instruction 0x{other:02x} has no place in a list of weights"))
                );
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Step<Id> {
        let root = self.pop()?;
        if self.stack.is_empty() { Ok(root) } else { Err(self.error("it leaves values behind")) }
    }

    fn text(&mut self) -> Step<()> {
        let length = self.u32()? as usize;
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))?;
        self.push(Value::Text(text.to_owned()));
        Ok(())
    }

    fn short_tuple(&mut self, length: usize) -> Step<()> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn global(&mut self) -> Step<()> {
        let (module, name) = (self.line()?, self.line()?);
        let global = Global::named(module, name);
        let global = global.ok_or_else(|| {
            self.error(format!("it asks for {module:?} {name:?}, which a list of weights has no use for"))
        })?;
        self.push(Value::Global(global));
        Ok(())
    }

    /// `("storage", type, key, place, count, None)` stands for a block of numbers.
    fn persistent(&mut self) -> Step<()> {
        let id = self.pop()?;
        let Value::Tuple(parts) = self.value(id) else {
            return Err(self.error("a storage is not described by a tuple"));
        };
        let [tag, kind, key, _place, count, view] = parts.as_slice() else {
            return Err(self.error("a storage is not described by six values"));
        };
        let parts =
            (self.value(*tag), self.value(*kind), self.value(*key), self.value(*count), self.value(*view));
        let (Value::Text(tag), Value::Global(kind), Value::Text(key), Value::Int(count), Value::None) = parts
        else {
            return Err(self.error("a storage is described by values of the wrong kind"));
        };
        let count = usize::try_from(*count).ok().filter(|_| tag == "storage" && kind.width().is_some());
        let count = count.ok_or_else(|| self.error("a storage is described by impossible values"))?;
        let storage = Value::Storage { kind: *kind, key: key.clone(), count };
        self.push(storage);
        Ok(())
    }

    fn reduce(&mut self) -> Step<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let value = match (self.value(callee), self.value(arguments)) {
            (Value::Global(Global::OrderedDict), Value::Tuple(items)) if items.is_empty() => {
                Value::Dict(Vec::new())
            }
            (Value::Global(Global::RebuildTensor), Value::Tuple(items)) => self.tensor(items)?,
            _ => return Err(self.error("it calls what cannot be called")),
        };
        self.push(value);
        Ok(())
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
    fn tensor(&self, arguments: &[Id]) -> Step<Value> {
        let &[storage, offset, shape, strides, _grad, _hooks] = arguments else {
            return Err(self.error("a tensor is not made of six values"));
        };
        let (Value::Storage { .. }, Value::Int(offset)) = (self.value(storage), self.value(offset)) else {
            return Err(self.error("a tensor has no storage"));
        };
        let offset =
            usize::try_from(*offset).map_err(|_| self.error("a tensor starts before its storage"))?;
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(self.error("a tensor's shape and strides differ in length"));
        }
        Ok(Value::Tensor { storage, offset, shape, strides })
    }

    fn sizes(&self, id: Id) -> Step<Vec<usize>> {
        let Value::Tuple(items) = self.value(id) else {
            return Err(self.error("a tensor's shape is not a tuple"));
        };
        let size = |&item: &Id| match self.value(item) {
            Value::Int(n) => usize::try_from(*n).map_err(|_| self.error("a tensor has a negative size")),
            _ => Err(self.error("a tensor's size is not a number")),
        };
        items.iter().map(size).collect()
    }

    fn set(&mut self, items: Vec<Id>) -> Step<()> {
        let top = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.error("a key has no value"));
        }
        match self.arena.get_mut(top.0) {
            Some(Value::Dict(entries)) => entries.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(self.error("it puts an entry into what is no dictionary")),
        }
        Ok(())
    }

    fn append(&mut self) -> Step<()> {
        let items = self.pop_to_mark()?;
        let top = self.top()?;
        match self.arena.get_mut(top.0) {
            Some(Value::List(list)) => list.extend(items),
            _ => return Err(self.error("it appends to what is no list")),
        }
        Ok(())
    }

    /// Attributes set on an object: PyTorch hangs its version numbers on the dictionary. They are not needed.
    fn build(&mut self) -> Step<()> {
        let (state, object) = (self.pop()?, self.top()?);
        match (self.value(state), self.value(object)) {
            (Value::Dict(_), Value::Dict(_)) => Ok(()),
            _ => Err(self.error("it sets attributes on what is no dictionary")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn plain_values_are_read() {
        // pickle.dumps({'a': (1, 500)}, 2)
        let bytes = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01M\xf4\x01\x86q\x02s.rest";
        let (pickle, used) = read(bytes).unwrap();
        assert_eq!(&bytes[used..], b"rest");
        let Value::Dict(entries) = pickle.root() else { panic!("{:?}", pickle.root()) };
        assert_eq!(pickle.value(entries[0].0), &Value::Text("a".into()));
        let Value::Tuple(items) = pickle.value(entries[0].1) else { panic!() };
        assert_eq!(
            items.iter().map(|&i| pickle.value(i)).collect::<Vec<_>>(),
            [&Value::Int(1), &Value::Int(500)]
        );
    }

    #[test]
    fn a_pickle_that_runs_a_command_is_refused_before_anything_is_called() {
        let system = refusal(b"\x80\x02cos\nsystem\nX\x0b\x00\x00\x00touch /pwned\x85R.");
        assert!(system.contains("\"os\" \"system\""), "{system}");
        assert!(refusal(b"\x80\x02c__builtin__\neval\n.").contains("eval"));
        assert!(refusal(b"\x80\x02ctorch\nload\n.").contains("load"));
        // Protocol 0 and 4 ways to name and call things: INST, OBJ, NEWOBJ, STACK_GLOBAL, EXT1.
        for code in [
            &b"\x80\x02(ios\nsystem\n."[..],
            b"\x80\x02(o.",
            b"\x80\x02\x81.",
            b"\x80\x02\x93.",
            b"\x80\x02\x82\x01.",
        ] {
            assert!(refusal(code).contains("has no place"), "{code:?}");
        }
        // A tensor called with something that is no storage.
        assert!(refusal(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nNN\x86R.").contains("six values"));
        let no_storage = refusal(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89NtR.");
        assert!(no_storage.contains("no storage"), "{no_storage}");
        assert!(refusal(b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.").contains("cannot be called"));
        assert!(refusal(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("cannot be called"));
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_panic() {
        for (bytes, part) in [
            (&b""[..], "ends in the middle"),
            (b"\x80\x04.", "protocol is 4"),
            (b"\x80\x02.", "empty stack"),
            (b"\x80\x02(.", "mark for a value"),
            (b"\x80\x02t.", "mark is missing"),
            (b"\x80\x02h\x07.", "never kept"),
            (b"\x80\x02X\xff\xff\xff\xffa.", "ends in the middle"),
            (b"\x80\x02K\x01K\x02.", "leaves values behind"),
            (b"\x80\x02K\x01K\x02K\x03s.", "no dictionary"),
            (b"\x80\x02}(K\x01u.", "key has no value"),
            (b"\x80\x02NQ.", "not described by a tuple"),
            (b"\x80\x02cos", "name does not end"),
            (b"\x80\x02K\x01}b.", "no dictionary"),
        ] {
            let message = refusal(bytes);
            assert!(message.contains(part), "{bytes:?}: {message}");
        }
        let deep: Vec<u8> = [&b"\x80\x02)"[..], &[0x85; 500_000], b"."].concat();
        assert!(read(&deep).is_ok(), "nesting costs no stack");
        let endless: Vec<u8> = [&b"\x80\x02"[..], &[b'N'; MOST_STEPS]].concat();
        assert!(refusal(&endless).contains("too many"));
    }

    #[test]
    fn any_bytes_end_in_a_value_or_an_error() {
        let good = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01K\x02\x86q\x02X\x01\x00\x00\x00bh\x01u.";
        for at in 0..good.len() {
            for byte in 0..=255 {
                let mut bytes = good.to_vec();
                bytes[at] = byte;
                let _ = read(&bytes);
            }
        }
    }
}
