//! Taking files out of packages: npm's `.tgz` and Python's `.whl` (a zip).

use crate::Error;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Read},
    path::Path,
};

/// Largest file taken out of a package, bytes: twice the largest there is (cuBLAS), so that a bomb ends early.
const MOST: u64 = 1 << 30;

/// The files at `paths` in an archive, all of them.
pub fn members(archive: &Path, paths: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let file = File::open(archive).map_err(|source| Error::Read { path: archive.to_owned(), source })?;
    // By content: a file given with --from may have any name.
    let mut reader = BufReader::new(file);
    let gzipped = reader.fill_buf().is_ok_and(|start| start.starts_with(&[0x1f, 0x8b]));
    let found = if gzipped { from_tgz(reader, paths) } else { from_zip(reader, paths) };
    let error = |problem: String| Error::Archive { archive: archive.to_owned(), problem };
    let found = found.map_err(error)?;
    match paths.iter().find(|path| !found.contains_key(**path)) {
        Some(missing) => Err(error(format!("\"{missing}\" is not in it"))),
        None => Ok(found),
    }
}

fn read_all(reader: impl Read, path: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    reader.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| format!("\"{path}\": {error}"))?;
    if bytes.len() as u64 > MOST { Err(format!("\"{path}\" is too large")) } else { Ok(bytes) }
}

fn from_tgz(file: BufReader<File>, paths: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = BTreeMap::new();
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.to_string_lossy().into_owned();
        if paths.contains(&path.as_str()) {
            found.insert(path.clone(), read_all(entry, &path)?);
        }
        if found.len() == paths.len() {
            break;
        }
    }
    Ok(found)
}

fn from_zip(file: BufReader<File>, paths: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut archive = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for &path in paths {
        match archive.by_name(path) {
            Ok(member) => found.insert(path.to_owned(), read_all(member, path)?),
            Err(zip::result::ZipError::FileNotFound) => continue,
            Err(error) => return Err(format!("\"{path}\": {error}")),
        };
    }
    Ok(found)
}
