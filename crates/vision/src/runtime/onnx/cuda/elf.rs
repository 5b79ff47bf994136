//! Which libraries a shared library needs, read from the file without opening it as one: ONNX Runtime's providers must not be
//! opened by anybody but ONNX Runtime.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom},
    path::Path,
};

/// Largest table read, bytes; that of names is some kilobytes.
const MOST: u64 = 64 << 20;
const DYNAMIC: u32 = 6;
const NEEDED: u64 = 1;

/// The names under which a 64-bit little-endian ELF file asks for other libraries ("libcudart.so.13").
///
/// # Errors
/// The file cannot be read or is none of these.
pub(super) fn needed(path: &Path) -> Result<Vec<String>> {
    let mut file = File::open(path)?;
    let header = bytes(&mut file, 0, 64)?;
    if header.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err(damaged());
    }
    let (start, size, count) = (number(&header, 40, 8)?, number(&header, 58, 2)?, number(&header, 60, 2)?);
    let table = bytes(&mut file, start, size.checked_mul(count).ok_or_else(damaged)?)?;
    let section = |index: u64| {
        let start = usize::try_from(index * size).map_err(|_| damaged())?;
        table.get(start..).filter(|rest| rest.len() >= 64).ok_or_else(damaged)
    };
    for index in 0..count {
        let one = section(index)?;
        if number(one, 4, 4)? != u64::from(DYNAMIC) {
            continue;
        }
        let entries = bytes(&mut file, number(one, 24, 8)?, number(one, 32, 8)?)?;
        let names = section(number(one, 40, 4)?)?;
        let names = bytes(&mut file, number(names, 24, 8)?, number(names, 32, 8)?)?;
        let wanted =
            entries.chunks_exact(16).filter(|entry| number(entry, 0, 8).is_ok_and(|tag| tag == NEEDED));
        return wanted.map(|entry| name(&names, number(entry, 8, 8)?)).collect();
    }
    Ok(Vec::new())
}

fn damaged() -> Error {
    Error::new(ErrorKind::InvalidData, "not a shared library of a 64-bit Linux")
}

fn bytes(file: &mut File, start: u64, count: u64) -> Result<Vec<u8>> {
    if count > MOST {
        return Err(damaged());
    }
    file.seek(SeekFrom::Start(start))?;
    let mut read = Vec::new();
    file.take(count).read_to_end(&mut read)?;
    if read.len() as u64 == count { Ok(read) } else { Err(damaged()) }
}

fn number(bytes: &[u8], start: usize, size: usize) -> Result<u64> {
    let part = bytes.get(start..start + size).ok_or_else(damaged)?;
    Ok(part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn name(names: &[u8], start: u64) -> Result<String> {
    let rest = usize::try_from(start).ok().and_then(|start| names.get(start..)).ok_or_else(damaged)?;
    let end = rest.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
    Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_needs_the_c_library() {
        let needed = needed(&std::env::current_exe().unwrap()).unwrap();
        assert!(needed.iter().any(|name| name.starts_with("libc.so")), "{needed:?}");
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.so");
        for content in [&b""[..], b"#!/bin/sh", &[b"\x7fELF\x02\x01".as_slice(), &[0xff; 200]].concat()] {
            std::fs::write(&file, content).unwrap();
            assert!(needed(&file).is_err());
        }
    }
}
