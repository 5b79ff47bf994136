//! Writing files whole or not at all, and knowing cheaply which ones are unchanged.

use crate::{Digest, Error};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Removes a file; it is well if there is none.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Writes beside the target and renames: whoever reads sees the old file or the new one, never a part.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let error = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut file = builder.prefix(".").suffix(".part").tempfile_in(folder).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(error)?;
    file.persist(path).map_err(|persist| error(persist.error))?;
    Ok(())
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let bytes = bytes as f64;
    if bytes < 1024.0 * 1024.0 {
        format!("{:.0} KiB", (bytes / 1024.0).ceil())
    } else {
        format!("{:.1} MiB", bytes / 1024.0 / 1024.0)
    }
}

/// What was installed into a folder, so that the next run need not read it all: a file whose size and time of change are
/// as recorded has the digest recorded.
#[derive(Debug)]
pub struct Stamp {
    folder: PathBuf,
    files: BTreeMap<String, Entry>,
    changed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    size: u64,
    /// Nanoseconds since 1970.
    modified: i64,
    sha256: String,
}

const STAMP: &str = ".installed.toml";

impl Stamp {
    /// A stamp that cannot be read is an empty one: files are then read again.
    pub fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
        Self { folder: folder.to_owned(), files: toml::from_str(&text).unwrap_or_default(), changed: false }
    }

    pub fn save(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let text = toml::to_string(&self.files).map_err(|error| Error::Manifest(error.to_string()))?;
        write(&self.folder.join(STAMP), text.as_bytes())
    }

    fn entry(&self, file: &str, sha256: Digest) -> Option<Entry> {
        let metadata = self.folder.join(file).metadata().ok().filter(fs::Metadata::is_file)?;
        let modified =
            metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos().try_into().ok()?;
        Some(Entry { size: metadata.len(), modified, sha256: sha256.to_string() })
    }

    /// Whether the file is there with this digest; reads it only if it changed since it was recorded.
    pub fn is_current(&mut self, file: &str, sha256: Digest) -> bool {
        let Some(now) = self.entry(file, sha256) else { return false };
        if self.files.get(file) == Some(&now) {
            return true;
        }
        let same = Digest::of_file(&self.folder.join(file)).is_ok_and(|found| found == sha256);
        if same {
            self.files.insert(file.to_owned(), now);
            self.changed = true;
        }
        same
    }

    /// Writes a file and records it.
    pub fn write(&mut self, file: &str, bytes: &[u8]) -> Result<(), Error> {
        write(&self.folder.join(file), bytes)?;
        if let Some(entry) = self.entry(file, Digest::of(bytes)) {
            self.files.insert(file.to_owned(), entry);
            self.changed = true;
        }
        Ok(())
    }

    /// Writes a text that people may edit: a file that is not as it was recorded is theirs and is kept (`false`).
    pub fn write_text(&mut self, file: &str, text: &str) -> Result<bool, Error> {
        let path = self.folder.join(file);
        let Ok(found) = fs::read(&path) else { return self.write(file, text.as_bytes()).map(|()| true) };
        if found == text.as_bytes() {
            return Ok(true);
        }
        let recorded = self.files.get(file).map(|entry| entry.sha256.as_str());
        if recorded != Some(Digest::of(&found).to_string().as_str()) {
            return Ok(false);
        }
        self.write(file, text.as_bytes()).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed_and_an_edited_text_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut stamp = Stamp::read(folder.path());
        stamp.write("model", b"one").unwrap();
        assert!(stamp.write_text("spec", "a = 1").unwrap());
        stamp.save().unwrap();

        let mut stamp = Stamp::read(folder.path());
        assert!(stamp.is_current("model", Digest::of(b"one")));
        assert!(!stamp.is_current("model", Digest::of(b"two")));
        fs::write(folder.path().join("model"), b"longer").unwrap();
        assert!(!stamp.is_current("model", Digest::of(b"one")));
        assert!(stamp.write_text("spec", "a = 2").unwrap(), "ours is replaced");
        fs::write(folder.path().join("spec"), "a = 3 # mine").unwrap();
        assert!(!stamp.write_text("spec", "a = 4").unwrap(), "theirs is kept");
        assert_eq!(fs::read_to_string(folder.path().join("spec")).unwrap(), "a = 3 # mine");
    }

    #[test]
    fn a_damaged_stamp_costs_a_reading_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(STAMP), "not [ toml").unwrap();
        fs::write(folder.path().join("model"), b"one").unwrap();
        let mut stamp = Stamp::read(folder.path());
        assert!(stamp.is_current("model", Digest::of(b"one")));
        stamp.save().unwrap();
        assert!(Stamp::read(folder.path()).files.contains_key("model"));
    }

    #[test]
    fn nothing_partial_is_left_where_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write(&taken, b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
