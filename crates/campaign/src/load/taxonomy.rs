//! The names of subjects, for finding those that are misspelt.

use super::source::nearest;
use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};

/// Ids and names of the IAB Content Taxonomy, out of IAB Tech Lab's own table of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taxonomy {
    ids: HashSet<String>,
    /// By their lower-case form.
    names: HashMap<String, String>,
}

impl Taxonomy {
    /// Reads the table (tab-separated; id, parent and name in the first three columns, below a header whose first word is
    /// "Unique ID").
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut taxonomy = Self::default();
        let rows = text.lines().skip_while(|line| !line.starts_with("Unique ID\t")).skip(1);
        for row in rows {
            let mut columns = row.trim_end_matches('\r').split('\t').map(str::trim);
            let (id, _parent, name) = (columns.next(), columns.next(), columns.next());
            if let (Some(id), Some(name)) = (id, name)
                && !id.is_empty()
                && !name.is_empty()
            {
                taxonomy.ids.insert(id.to_owned());
                taxonomy.names.insert(name.to_lowercase(), name.to_owned());
            }
        }
        if taxonomy.ids.is_empty() {
            return Err(io::Error::other(
                "no taxonomy in it: wanted a tab-separated table with a header \"Unique ID, Parent, Name\"",
            ));
        }
        Ok(taxonomy)
    }

    pub(super) fn knows(&self, subject: &str) -> bool {
        self.ids.contains(subject) || self.names.contains_key(&subject.to_lowercase())
    }

    pub(super) fn hint(&self, subject: &str) -> Option<String> {
        // In a fixed order, so that of two equally near names it is always the same one.
        let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
        names.sort_unstable();
        nearest(subject, names).map(|name| format!("did you mean \"{name}\"?"))
    }
}
