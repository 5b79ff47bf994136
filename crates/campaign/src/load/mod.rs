//! Campaigns out of TOML files: every mistake reported, with its place and a hint.

mod campaign;
mod creative;
mod diagnostic;
mod schedule;
mod source;
mod table;
mod target;
mod taxonomy;

pub use diagnostic::{Diagnostic, LoadError, Severity};
pub use taxonomy::Taxonomy;

use crate::{Campaign, Catalogue};
use campaign::Read;
use source::Source;
use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
};
use table::Table;
use toml::de::DeTable;

/// A campaign file is a few kilobytes; something this large is another kind of file.
const LARGEST_FILE: u64 = 8 << 20;

/// Everything that could be read, and everything that is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The campaigns that have no mistake of their own, save a missing creative.
    pub catalogue: Catalogue,
    /// Mistakes of every file, in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
}

impl Catalogue {
    /// Loads campaign files, and of folders every `*.toml` in them (not below them). A creative whose file is missing is
    /// no error here: it fails when it is played, and the others go on.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, LoadError> {
        let mut loaded = Self::inspect(paths);
        if loaded.diagnostics.iter().any(Diagnostic::is_fatal) {
            loaded.diagnostics.retain(Diagnostic::is_fatal);
            return Err(LoadError { diagnostics: loaded.diagnostics });
        }
        Ok(loaded.catalogue)
    }

    /// Loads what can be loaded and reports everything that is wrong: for `facialads ads check`.
    pub fn inspect<P: AsRef<Path>>(paths: &[P]) -> Loaded {
        Loader::default().all(paths)
    }

    /// As [`inspect`](Self::inspect), and reports subjects that are not in the taxonomy.
    pub fn inspect_with<P: AsRef<Path>>(paths: &[P], taxonomy: &Taxonomy) -> Loaded {
        Loader { taxonomy: Some(taxonomy), ..Loader::default() }.all(paths)
    }
}

#[derive(Default)]
struct Loader<'t> {
    campaigns: BTreeMap<String, Campaign>,
    /// Where each id was first used: "file:line".
    places: BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
    files: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    taxonomy: Option<&'t Taxonomy>,
}

impl Loader<'_> {
    fn all<P: AsRef<Path>>(mut self, paths: &[P]) -> Loaded {
        for path in paths {
            self.path(path.as_ref());
        }
        self.finish()
    }

    fn path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path);
        }
        let entries = std::fs::read_dir(path).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        });
        match entries {
            Err(error) => self.unreadable(path, &error.to_string(), "unreadable"),
            Ok(mut files) => {
                files.retain(|file| file.extension().is_some_and(|e| e == "toml") && file.is_file());
                files.sort();
                if files.is_empty() {
                    self.unreadable(path, "the folder has no *.toml files", "empty");
                }
                files.iter().for_each(|file| self.file(file));
            }
        }
    }

    fn file(&mut self, file: &Path) {
        // The same file twice, say by name and by folder, is no duplicate.
        if !self.seen.insert(file.canonicalize().unwrap_or_else(|_| file.to_owned())) {
            return;
        }
        self.files.push(file.to_owned());
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(file, &error.to_string(), "unreadable"),
        };
        match String::from_utf8(bytes) {
            Ok(text) => self.text(file, &text),
            Err(error) => {
                let good = String::from_utf8_lossy(
                    error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default(),
                )
                .into_owned();
                let mut source = Source::new(file.to_owned(), &good);
                let hint = Some("save the file as UTF-8".to_owned());
                source.error(good.len()..good.len(), "encoding", "this is not UTF-8 text".to_owned(), hint);
                self.diagnostics.append(&mut source.found);
            }
        }
    }

    fn text(&mut self, file: &Path, text: &str) {
        let mut source = Source::new(file.to_owned(), text);
        source.taxonomy = self.taxonomy;
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            source.error(error.span().unwrap_or(0..0), "syntax", error.message().to_owned(), None);
        }
        let broken: HashSet<usize> = source.found.iter().map(|d| d.line).collect();

        let root = Table::new(document.get_ref(), 0..0, "a campaign file", &["campaign"], &mut source);
        let values = root.tables("campaign", &mut source);
        if values.is_empty() && errors.is_empty() {
            let hint = Some("a campaign begins with [[campaign]]".to_owned());
            source.warning(0..0, "empty", "there is no campaign in this file".to_owned(), hint);
        }
        for value in values {
            if let Some(read) = campaign::campaign(value, &mut source) {
                self.add(read, &mut source, errors.is_empty());
            }
        }
        if !broken.is_empty() {
            // What follows from a mistake in the syntax is no news: below a broken header keys are in the wrong table.
            let headers = broken.iter().filter(|line| {
                text.lines().nth(**line - 1).is_some_and(|text| text.trim_start().starts_with('['))
            });
            let reliable = headers.min().copied().unwrap_or(usize::MAX);
            source.found.retain(|d| {
                let news = d.code != "missing-key" && !broken.contains(&d.line) && d.line < reliable;
                d.code == "syntax" || news
            });
        }
        source.found.sort_by_key(|d| (d.line, d.column));
        self.diagnostics.append(&mut source.found);
    }

    fn add(&mut self, read: Read, source: &mut Source<'_>, whole: bool) {
        let Some((id, span)) = read.id else { return };
        if let Some(first) = self.places.get(&id) {
            let message = format!("campaign id \"{id}\" is used twice; first at {first}");
            let hint = Some("give each campaign an id of its own".to_owned());
            return source.error(span, "duplicate-id", message, hint);
        }
        let (line, _) = source.place(span.start);
        self.places.insert(id.clone(), format!("{}:{line}", source.file.display()));
        if let Some(campaign) = read.campaign.filter(|_| whole) {
            self.campaigns.insert(id, campaign);
        }
    }

    fn unreadable(&mut self, file: &Path, error: &str, code: &'static str) {
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code,
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: error.to_owned(),
            hint: Some("give a campaign file, or a folder of them".to_owned()),
            excerpt: None,
        });
    }

    fn finish(self) -> Loaded {
        Loaded {
            catalogue: Catalogue { campaigns: self.campaigns.into_values().collect() },
            diagnostics: self.diagnostics,
            files: self.files,
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    // A pipe or a device would hang the check, or never end.
    let metadata = std::fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::other("this is not a file"));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(io::Error::other("larger than 8 MiB, so hardly a campaign file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(LARGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
