//! Looking for files in the folders that were given with `--from`.

use crate::{Digest, Error};
use std::path::{Path, PathBuf};

/// How deep to look: `FOLDER/yunet/file` is deep enough for what people keep.
const DEPTH: usize = 4;
/// How many files to look at, so that `--from /` ends.
const MOST: usize = 20_000;

/// The files in some folders, by name and size.
#[derive(Debug, Default)]
pub struct Folders {
    files: Vec<(PathBuf, u64)>,
}

/// A search's outcome.
#[derive(Debug, PartialEq)]
pub enum Search {
    Found(PathBuf),
    /// A file has the name, but is another.
    Other(PathBuf, Digest),
    Nothing,
}

impl Folders {
    /// # Errors
    /// A folder that is not there. What cannot be read inside it is passed over.
    pub fn scan(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut found = Self::default();
        for folder in folders {
            if !folder.is_dir() {
                return Err(Error::NoFolder { path: folder.clone() });
            }
            found.add(folder, DEPTH);
        }
        Ok(found)
    }

    fn add(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let Ok(metadata) = path.metadata() else { continue };
            if metadata.is_file() && self.files.len() < MOST {
                self.files.push((path, metadata.len()));
            } else if metadata.is_dir() && depth > 1 {
                self.add(&path, depth - 1);
            }
        }
    }

    /// Looks for the file with this digest among those that have the name or the size.
    pub fn find(&self, name: &str, size: Option<u64>, digest: Digest) -> Search {
        let mut other = Search::Nothing;
        for (path, length) in &self.files {
            let named = path.file_name().is_some_and(|file| file == name);
            if !named && size != Some(*length) {
                continue;
            }
            match Digest::of_file(path) {
                Ok(found) if found == digest => return Search::Found(path.clone()),
                Ok(found) if named => other = Search::Other(path.clone(), found),
                _ => {}
            }
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_under_any_name_and_one_with_the_name_alone_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("renamed"), b"right").unwrap();
        std::fs::write(folder.path().join("model"), b"wrong!").unwrap();
        let folders = Folders::scan(&[folder.path().to_owned()]).unwrap();
        let digest = Digest::of(b"right");
        assert_eq!(folders.find("model", Some(5), digest), Search::Found(deep.join("renamed")));
        let other = Search::Other(folder.path().join("model"), Digest::of(b"wrong!"));
        assert_eq!(folders.find("model", None, digest), other);
        assert_eq!(folders.find("absent", Some(4), digest), Search::Nothing);
        assert!(Folders::scan(&[folder.path().join("nowhere")]).is_err());
    }
}
