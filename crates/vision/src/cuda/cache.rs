//! Compiled kernels on disk. Several processes may use it at once; without it everything works, only slower to start.

use super::notes::note;
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

const MAGIC: &[u8] = b"facialads kernel 1\n";
const DIGEST: usize = 32;

/// Where compiled kernels are kept: `$XDG_CACHE_HOME/facialads/kernels`, else `~/.cache/facialads/kernels`. `None` where neither
/// is known: they are compiled for each process then. May be deleted at any time.
pub fn kernel_cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("facialads/kernels"))
}

/// What is kept under a key; `None` if it is not there or damaged.
pub(super) fn read(key: &str) -> Option<Vec<u8>> {
    read_in(&kernel_cache()?, key)
}

/// Keeps something. What goes wrong is noted, once.
pub(super) fn write(key: &str, image: &[u8]) {
    let Some(folder) = kernel_cache() else {
        return note(
            "neither XDG_CACHE_HOME nor HOME is set: kernels are compiled at every start".to_owned(),
        );
    };
    if let Err(e) = write_in(&folder, key, image) {
        note(format!("{}: {e}; kernels are compiled at every start", folder.display()));
    }
}

fn read_in(folder: &Path, key: &str) -> Option<Vec<u8>> {
    // Whoever can write there could let the GPU run anything.
    trusted(folder).ok()?;
    let file = folder.join(key);
    let content = fs::read(&file).ok()?;
    let image = intact(&content);
    if image.is_none() {
        note(format!("{} is damaged and is compiled again", file.display()));
    }
    image.map(<[u8]>::to_vec)
}

fn intact(content: &[u8]) -> Option<&[u8]> {
    let (digest, image) = content.strip_prefix(MAGIC)?.split_at_checked(DIGEST)?;
    let own = Sha256::digest(image);
    (!image.is_empty() && own.as_slice() == digest).then_some(image)
}

fn write_in(folder: &Path, key: &str, image: &[u8]) -> io::Result<()> {
    create(folder)?;
    trusted(folder)?;
    // A name of our own, then renamed: others see all of it or nothing.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{key}.{}.{number}", process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(Sha256::digest(image).as_slice())?;
        file.write_all(image)?;
        // Without this a power cut could leave a file with a name and no content; the digest would tell.
        drop(file);
        fs::rename(&temporary, folder.join(key))
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(unix)]
fn create(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Refuses a folder in which others could put kernels.
#[cfg(unix)]
fn trusted(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(folder)?;
    if about.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write there (chmod 700 mends it)"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn trusted(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        assert_eq!(read_in(&folder, "k"), None);
        write_in(&folder, "k", b"some code").unwrap();
        assert_eq!(read_in(&folder, "k").unwrap(), b"some code");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing temporary stays");

        let file = folder.join("k");
        let whole = fs::read(&file).unwrap();
        for end in 0..whole.len() {
            assert!(intact(&whole[..end]).is_none(), "cut at {end}");
        }
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            assert!(intact(&damaged).is_none(), "damaged at {index}");
        }
        fs::write(&file, b"").unwrap();
        assert_eq!(read_in(&folder, "k"), None);
        write_in(&folder, "k", b"other code").unwrap();
        assert_eq!(read_in(&folder, "k").unwrap(), b"other code");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        write_in(folder.path(), "k", b"code").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(read_in(folder.path(), "k"), None);
        assert!(write_in(folder.path(), "k", b"code").is_err());
    }

    #[test]
    fn several_writers_leave_a_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for letter in b'a'..=b'h' {
                let folder = folder.path();
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_in(folder, "k", &[letter; 5000]).unwrap();
                        let read = read_in(folder, "k").unwrap();
                        assert!(read.len() == 5000 && read.iter().all(|byte| *byte == read[0]));
                    }
                });
            }
        });
    }
}
