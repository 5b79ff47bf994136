//! Labelled faces: what a table or a folder says of each picture. What cannot be read is named and counted, never guessed.

mod choose;
mod csv;
mod folder;
mod table;
mod value;

pub use choose::{Choice, Parity};
pub use value::Gender;

use super::metrics::interval::Truth;
use anyhow::{Context, Result};
use facialads_vision::face::Emotion;
use std::path::{Path, PathBuf};

/// A picture with one labelled face. A label that is not given is `None`.
#[derive(Clone)]
pub struct Labelled {
    pub file: PathBuf,
    pub age: Option<Truth>,
    pub gender: Option<Gender>,
    pub group: Option<String>,
    pub emotion: Option<Emotion>,
}

/// What was read.
#[derive(Default)]
pub struct Labels {
    pub faces: Vec<Labelled>,
    /// Rows and files that say something unreadable, each with where and why.
    pub bad: Vec<String>,
    /// What else the user should know.
    pub notes: Vec<String>,
}

/// Reads a CSV file, whose pictures lie in `images` (default: beside it), or a folder of pictures.
///
/// # Errors
/// There is nothing there, it cannot be read, or its header names no column of files.
pub fn read(path: &Path, images: Option<&Path>) -> Result<Labels> {
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if about.is_dir() {
        return folder::read(path);
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let base = images.or_else(|| path.parent()).unwrap_or(Path::new("."));
    csv::read(&String::from_utf8_lossy(&bytes), base).with_context(|| path.display().to_string())
}
