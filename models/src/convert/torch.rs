//! A PyTorch checkpoint in the format before 1.6: five pickles (magic number, protocol, system, the named tensors, the
//! keys of the storages), then each storage as its count and its numbers.

use super::{
    ConvertError, Tensor, Weights,
    pickle::{self, Global, Pickle, Value},
    tensor::count,
};
use std::collections::HashMap;

/// `torch.serialization.MAGIC_NUMBER`, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// Reads the tensors of floats; those of whole numbers (counters of training steps) are left out.
pub fn read(bytes: &[u8]) -> Result<Weights, ConvertError> {
    let mut rest = bytes;
    let mut next = || -> Result<Pickle, ConvertError> {
        let (pickle, used) = pickle::read(rest).map_err(|error| offset(error, bytes.len() - rest.len()))?;
        rest = rest.get(used..).unwrap_or_default();
        Ok(pickle)
    };
    if next()?.root() != &Value::Long(MAGIC.to_vec()) {
        return Err(ConvertError::Unsupported("this is no PyTorch checkpoint of before version 1.6".into()));
    }
    if next()?.root() != &Value::Int(PROTOCOL) {
        return Err(ConvertError::Unsupported("a PyTorch checkpoint of another protocol".into()));
    }
    let _system = next()?;
    let (tensors, keys) = (next()?, next()?);
    let storages = storages(&tensors, &keys, rest)?;
    named_tensors(&tensors, &storages)
}

/// A refusal's place, counted from the start of the file.
fn offset(error: ConvertError, start: usize) -> ConvertError {
    match error {
        ConvertError::Pickle { at, reason } => ConvertError::Pickle { at: at + start, reason },
        other => other,
    }
}

fn odd(reason: impl Into<String>) -> ConvertError {
    ConvertError::Unsupported(reason.into())
}

struct Storage<'a> {
    kind: Global,
    bytes: &'a [u8],
}

/// The entries of the checkpoint's dictionary that are tensors, by name.
fn entries(tensors: &Pickle) -> Result<Vec<(&str, &Value)>, ConvertError> {
    let Value::Dict(entries) = tensors.root() else { return Err(odd("the checkpoint is no dictionary")) };
    let entry = |&(key, value)| match (tensors.value(key), tensors.value(value)) {
        (Value::Text(name), tensor @ Value::Tensor { .. }) => Ok((name.as_str(), tensor)),
        (key, _) => Err(odd(format!("the checkpoint's entry {key:?} is no tensor"))),
    };
    entries.iter().map(entry).collect()
}

/// The blocks of numbers, in the order of `keys`, each with the kind and count that the tensors announced.
fn storages<'a>(
    tensors: &Pickle,
    keys: &Pickle,
    mut rest: &'a [u8],
) -> Result<HashMap<String, Storage<'a>>, ConvertError> {
    let mut announced = HashMap::new();
    for (_, tensor) in entries(tensors)? {
        if let Value::Tensor { storage, .. } = tensor
            && let Value::Storage { kind, key, count } = tensors.value(*storage)
        {
            announced.insert(key.as_str(), (*kind, *count));
        }
    }
    let Value::List(keys_in_order) = keys.root() else { return Err(odd("the list of storages is no list")) };
    let mut storages = HashMap::new();
    for &key in keys_in_order {
        let Value::Text(key) = keys.value(key) else { return Err(odd("a storage's key is no text")) };
        let &(kind, expected) =
            announced.get(key.as_str()).ok_or_else(|| odd(format!("storage {key} belongs to no tensor")))?;
        let truncated = |left: usize| ConvertError::Truncated { name: format!("storage {key}"), left };
        let (head, tail) = rest.split_first_chunk::<8>().ok_or_else(|| truncated(rest.len()))?;
        if usize::try_from(i64::from_le_bytes(*head)) != Ok(expected) {
            return Err(odd(format!("storage {key} does not have the {expected} numbers announced")));
        }
        let length = kind.width().and_then(|width| expected.checked_mul(width));
        let (bytes, tail) =
            length.and_then(|length| tail.split_at_checked(length)).ok_or_else(|| truncated(tail.len()))?;
        storages.insert(key.clone(), Storage { kind, bytes });
        rest = tail;
    }
    if rest.is_empty() { Ok(storages) } else { Err(ConvertError::Leftover(rest.len())) }
}

fn named_tensors(tensors: &Pickle, storages: &HashMap<String, Storage<'_>>) -> Result<Weights, ConvertError> {
    let mut weights = Weights::default();
    for (name, tensor) in entries(tensors)? {
        let Value::Tensor { storage, offset, shape, strides: steps } = tensor else { continue };
        let Value::Storage { key, .. } = tensors.value(*storage) else { continue };
        let storage = storages.get(key).ok_or_else(|| ConvertError::Missing(format!("storage of {name}")))?;
        if storage.kind != Global::FloatStorage {
            continue;
        }
        let data = view(storage.bytes, *offset, shape, steps)
            .ok_or_else(|| ConvertError::Truncated { name: name.to_owned(), left: storage.bytes.len() })?;
        weights.insert(name, Tensor::new(shape.clone(), data)?)?;
    }
    Ok(weights)
}

/// The numbers of a strided view, row by row; `None` where it reaches beyond its storage. The port was made by transposing
/// TensorFlow's weights, which PyTorch saves as they lay.
fn view(bytes: &[u8], offset: usize, shape: &[usize], steps: &[usize]) -> Option<Vec<f32>> {
    let length = count(shape).filter(|&length| length <= bytes.len() / 4)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let mut data = Vec::with_capacity(length);
    let mut index = vec![0_usize; shape.len()];
    for _ in 0..length {
        let mut place = offset;
        for (i, step) in index.iter().zip(steps) {
            place = place.checked_add(i.checked_mul(*step)?)?;
        }
        data.push(f32::from_le_bytes(*numbers.get(place)?));
        for (i, size) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *size {
                break;
            }
            *i = 0;
        }
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.save({"w": view}, old format)` in small: a storage of six floats seen as [3, 2], transposed.
    fn checkpoint(function: &str, keys: &[u8], numbers: &[u8]) -> Vec<u8> {
        let mut bytes = [b"\x80\x02\x8a\x0a", &MAGIC[..], b".\x80\x02M\xe9\x03.\x80\x02}."].concat();
        bytes.extend(b"\x80\x02}X\x01\x00\x00\x00w");
        bytes.extend(format!("c{function}\n").as_bytes());
        bytes.extend(
            b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00kX\x03\x00\x00\x00cpuK\x06NtQ",
        );
        bytes.extend(b"K\x00K\x03K\x02\x86K\x01K\x03\x86\x89NtRs.");
        bytes.extend(keys);
        bytes.extend(6_i64.to_le_bytes());
        bytes.extend(numbers);
        bytes
    }

    const KEYS: &[u8] = b"\x80\x02](X\x01\x00\x00\x00ke.";
    const REBUILD: &str = "torch._utils\n_rebuild_tensor_v2";

    fn numbers() -> Vec<u8> {
        (0_u8..6).flat_map(|n| f32::from(n).to_le_bytes()).collect()
    }

    #[test]
    fn a_transposed_view_is_read_row_by_row() {
        let weights = read(&checkpoint(REBUILD, KEYS, &numbers())).unwrap();
        let tensor = weights.get("w", 2).unwrap();
        assert_eq!(tensor.shape(), [3, 2]);
        assert_eq!(tensor.data(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = checkpoint(REBUILD, KEYS, &numbers());
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(read(&longer), Err(ConvertError::Leftover(1))));
    }

    #[test]
    fn every_changed_byte_ends_in_weights_or_an_error() {
        let bytes = checkpoint(REBUILD, KEYS, &numbers());
        for at in 0..bytes.len() {
            for value in [0, 1, 0x2e, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
    }

    #[test]
    fn a_checkpoint_that_would_run_code_is_refused_with_its_place() {
        let error = read(&checkpoint("os\nsystem", KEYS, &numbers())).unwrap_err();
        let ConvertError::Pickle { at, ref reason } = error else { panic!("{error}") };
        assert!(at > 30 && reason.contains("system"), "{error}");
    }

    #[test]
    fn a_view_beyond_its_storage_is_refused() {
        let bytes = numbers();
        assert!(view(&bytes, 0, &[6], &[1]).is_some());
        assert!(view(&bytes, 1, &[6], &[1]).is_none());
        assert!(view(&bytes, 0, &[2], &[6]).is_none());
        assert!(view(&bytes, 0, &[2], &[usize::MAX]).is_none());
        assert!(view(&bytes, 0, &[usize::MAX, 2], &[0, 0]).is_none());
        assert!(view(&bytes, 0, &[1000], &[0]).is_none(), "no view is larger than its storage");
    }
}
