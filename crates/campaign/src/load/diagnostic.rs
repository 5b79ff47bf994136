//! What is wrong with a campaign file, and where.

use std::{fmt, path::PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One mistake. `Display` gives "file:line:column: error: message".
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Short word for the kind of mistake, e.g. "unknown-key".
    pub code: &'static str,
    pub file: PathBuf,
    /// From 1; both are 0 where the file as a whole is meant. Columns count characters.
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line with carets under the place.
    pub excerpt: Option<String>,
}

impl Diagnostic {
    /// Code of a creative whose file is not there: wrong, but the other campaigns can still run.
    pub const MISSING_CREATIVE: &str = "missing-creative";

    /// Whether the campaigns cannot be used with this mistake in them.
    pub fn is_fatal(&self) -> bool {
        self.severity == Severity::Error && self.code != Self::MISSING_CREATIVE
    }

    /// The whole message: place, message, excerpt, hint.
    pub fn long(&self) -> String {
        let mut text = self.to_string();
        if let Some(excerpt) = &self.excerpt {
            text.push('\n');
            text.push_str(excerpt);
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        text
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, " {word}: {}", self.message)
    }
}

/// Campaigns that cannot be used, with every mistake in them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct LoadError {
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&diagnostic.long())?;
        }
        Ok(())
    }
}
