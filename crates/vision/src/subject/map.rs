//! From a network's classes to the taxonomy's.

use crate::{Error, Result, spec::SpecError};
use serde::Deserialize;
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

/// The map for ImageNet's 1000 classes.
const BUILT_IN: &str = include_str!("../../../../models/subject-map.toml");
/// Between the first and the last label of a run.
const RUN: &str = " .. ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    taxonomy: String,
    threshold: f32,
    #[serde(default)]
    never: Vec<String>,
    group: Vec<GroupEntry>,
    #[serde(default)]
    safety: Vec<SafetyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    id: String,
    name: String,
    within: Option<String>,
    threshold: Option<f32>,
    classes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SafetyEntry {
    flag: String,
    threshold: Option<f32>,
    classes: Vec<String>,
}

/// A map bound to a network's labels.
pub(super) struct SubjectMap {
    pub(super) groups: Vec<Group>,
    pub(super) safety: Vec<Safety>,
}

pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) threshold: f32,
    /// How many groups it lies within: the deeper, the more it says.
    pub(super) depth: usize,
    /// Indices of the network's output, those of groups within this one included.
    classes: Vec<usize>,
}

pub(super) struct Safety {
    pub(super) flag: String,
    pub(super) threshold: f32,
    classes: Vec<usize>,
}

impl Group {
    pub(super) fn sum(&self, probabilities: &[f32]) -> f32 {
        sum(&self.classes, probabilities)
    }
}
impl Safety {
    pub(super) fn sum(&self, probabilities: &[f32]) -> f32 {
        sum(&self.classes, probabilities)
    }
}

fn sum(classes: &[usize], probabilities: &[f32]) -> f32 {
    classes.iter().filter_map(|class| probabilities.get(*class)).sum()
}

impl SubjectMap {
    /// `path`: the map; `None`: the one built in. `labels`: the network's, in the order of its output.
    pub(super) fn load(path: Option<&Path>, labels: &[String], taxonomy: &str) -> Result<Self> {
        let fail = |problem: String| Error::SubjectMap { path: path.map(Path::to_owned), problem };
        let read;
        let text = match path {
            Some(path) => {
                read = std::fs::read_to_string(path)
                    .map_err(|source| Error::Read { path: path.to_owned(), source })?;
                read.as_str()
            }
            None => BUILT_IN,
        };
        let file: File = toml::from_str(text).map_err(|e| fail(SpecError::syntax(&e, text).to_string()))?;
        if file.taxonomy != taxonomy {
            let found = file.taxonomy;
            return Err(fail(format!("taxonomy = \"{found}\", only \"{taxonomy}\" is supported")));
        }
        Self::bind(file, labels).map_err(|problem| match path {
            Some(_) => fail(problem),
            None => fail(format!(
                "{problem}; the map built in is for ImageNet's 1000 classes, give one of your own"
            )),
        })
    }

    fn bind(file: File, labels: &[String]) -> Result<Self, String> {
        let index = Index::new(labels, &file.never)?;
        check_threshold("threshold", file.threshold)?;
        let parents: HashMap<&str, Option<&str>> =
            file.group.iter().map(|g| (g.id.as_str(), g.within.as_deref())).collect();
        if parents.len() != file.group.len() {
            return Err("two groups have the same id".into());
        }
        let own: Vec<BTreeSet<usize>> = file
            .group
            .iter()
            .map(|g| index.classes(&g.classes, true).map_err(|e| format!("group \"{}\": {e}", g.name)))
            .collect::<Result<_, _>>()?;
        let lineages: Vec<Vec<&str>> =
            file.group.iter().map(|g| lineage(&g.id, &parents)).collect::<Result<_, _>>()?;
        let groups = file
            .group
            .iter()
            .enumerate()
            .map(|(i, g)| {
                let members = own.iter().zip(&lineages).filter(|(_, line)| line.contains(&g.id.as_str()));
                let classes: BTreeSet<usize> = members.flat_map(|(own, _)| own.iter().copied()).collect();
                let threshold = g.threshold.unwrap_or(file.threshold);
                check_threshold(&g.name, threshold)?;
                Ok(Group {
                    id: g.id.clone(),
                    name: g.name.clone(),
                    threshold,
                    depth: lineages[i].len(),
                    classes: classes.into_iter().collect(),
                })
            })
            .collect::<Result<_, String>>()?;
        let safety = file
            .safety
            .into_iter()
            .map(|s| {
                let classes =
                    index.classes(&s.classes, false).map_err(|e| format!("flag \"{}\": {e}", s.flag))?;
                let threshold = s.threshold.unwrap_or(file.threshold);
                check_threshold(&s.flag, threshold)?;
                Ok(Safety { flag: s.flag, threshold, classes: classes.into_iter().collect() })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { groups, safety })
    }
}

fn check_threshold(name: &str, value: f32) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(format!("\"{name}\": {value} is not between 0 and 1"))
    }
}

/// A group and those it lies within, itself first.
fn lineage<'a>(id: &'a str, parents: &HashMap<&'a str, Option<&'a str>>) -> Result<Vec<&'a str>, String> {
    let mut line = vec![id];
    let mut current = id;
    loop {
        match parents.get(current) {
            Some(Some(parent)) if line.contains(parent) => {
                return Err(format!("group {id} lies within itself"));
            }
            Some(Some(parent)) => {
                line.push(parent);
                current = parent;
            }
            Some(None) => return Ok(line),
            None => return Err(format!("group {id} lies within {current}, which is no group of the map")),
        }
    }
}

/// Labels by name.
struct Index<'a> {
    by_label: HashMap<&'a str, usize>,
    never: BTreeSet<usize>,
}

impl<'a> Index<'a> {
    fn new(labels: &'a [String], never: &[String]) -> Result<Self, String> {
        let by_label = labels.iter().enumerate().map(|(i, label)| (label.as_str(), i)).collect();
        let mut index = Self { by_label, never: BTreeSet::new() };
        index.never = index.classes(never, false).map_err(|e| format!("never: {e}"))?;
        Ok(index)
    }

    fn one(&self, label: &str) -> Result<usize, String> {
        self.by_label.get(label).copied().ok_or_else(|| format!("the network has no class \"{label}\""))
    }

    /// Indices of labels and runs of labels. `restricted`: one of `never` is an error, and left out of a run.
    fn classes(&self, names: &[String], restricted: bool) -> Result<BTreeSet<usize>, String> {
        let mut classes = BTreeSet::new();
        for name in names {
            if let Some((first, last)) = name.split_once(RUN) {
                let (first, last) = (self.one(first)?, self.one(last)?);
                if first > last {
                    return Err(format!("\"{name}\" runs backwards"));
                }
                classes.extend((first..=last).filter(|class| !restricted || !self.never.contains(class)));
            } else {
                let class = self.one(name)?;
                if restricted && self.never.contains(&class) {
                    return Err(format!("\"{name}\" is among those that never reach the taxonomy"));
                }
                classes.insert(class);
            }
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAXONOMY: &str = super::super::SubjectClassifier::TAXONOMY;
    const IMAGENET: &str = include_str!("../../../../models/labels/imagenet-1000.txt");

    fn imagenet() -> Vec<String> {
        IMAGENET.lines().map(str::to_owned).collect()
    }

    fn load(text: &str, labels: &[&str]) -> Result<SubjectMap, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        SubjectMap::load(Some(file.path()), &labels, TAXONOMY).map_err(|e| e.to_string())
    }

    fn fails(text: &str, with: &str) {
        let error = load(text, &["a", "b", "c"]).err().unwrap();
        assert!(error.contains(with), "{error}");
    }

    #[test]
    fn the_built_in_map_covers_most_of_imagenet() {
        let map = SubjectMap::load(None, &imagenet(), TAXONOMY).unwrap();
        let covered: BTreeSet<usize> = map.groups.iter().flat_map(|g| g.classes.iter().copied()).collect();
        assert!(covered.len() > 800, "{}", covered.len());
        let group = |id: &str| map.groups.iter().find(|g| g.id == id).unwrap();
        assert_eq!(group("425").classes.iter().filter(|c| (151..=268).contains(*c)).count(), 118);
        assert!(group("1").classes.contains(&817), "a sports car counts as automotive too");
        assert!(!covered.contains(&680), "a nipple never reaches the taxonomy");
    }

    #[test]
    fn every_id_and_name_of_the_built_in_map_is_in_the_taxonomy() {
        let Some(tsv) = facialads_testkit::shared("data/taxonomy/content-taxonomy-3.1.tsv") else { return };
        let text = std::fs::read_to_string(tsv).unwrap();
        let rows: HashMap<&str, (&str, &str)> = text
            .lines()
            .skip(2)
            .filter_map(|line| {
                let mut cells = line.split('\t');
                Some((cells.next()?, (cells.next()?, cells.next()?)))
            })
            .collect();
        let file: File = toml::from_str(BUILT_IN).unwrap();
        for group in &file.group {
            let (parent, name) = rows.get(group.id.as_str()).unwrap_or_else(|| panic!("no id {}", group.id));
            assert_eq!(*name, group.name, "id {}", group.id);
            let Some(within) = group.within.as_deref() else { continue };
            let mut ancestor = *parent;
            while ancestor != within {
                assert!(!ancestor.is_empty(), "{} does not lie within {within}", group.name);
                ancestor = rows[ancestor].0;
            }
        }
    }

    #[test]
    fn a_network_with_other_classes_needs_a_map_of_its_own() {
        let error = SubjectMap::load(None, &["car".to_owned()], TAXONOMY).err().unwrap().to_string();
        assert!(error.contains("ImageNet") && error.contains("the network has no class"), "{error}");
    }

    #[test]
    fn mistakes_in_a_map_are_named() {
        let head = "taxonomy = \"iab-content-3.1\"\nthreshold = 0.3\n";
        fails("taxonomy = 5\n", "line 1");
        fails(
            &format!("{head}treshold = 1\n[[group]]\nid = \"1\"\nname = \"x\"\nclasses = []\n"),
            "line 3, column 1",
        );
        fails(
            "taxonomy = \"other\"\nthreshold = 0.3\n[[group]]\nid = \"1\"\nname = \"x\"\nclasses = []\n",
            "\"other\"",
        );
        fails(&format!("{head}[[group]]\nid = \"1\"\nname = \"x\"\nclasses = [\"d\"]\n"), "no class \"d\"");
        fails(
            &format!("{head}never = [\"b\"]\n[[group]]\nid = \"1\"\nname = \"x\"\nclasses = [\"b\"]\n"),
            "never reach",
        );
        fails(
            &format!("{head}[[group]]\nid = \"1\"\nname = \"x\"\nwithin = \"1\"\nclasses = []\n"),
            "itself",
        );
        fails(
            &format!("{head}[[group]]\nid = \"1\"\nname = \"x\"\nwithin = \"2\"\nclasses = []\n"),
            "no group",
        );
        fails(
            &format!("{head}[[group]]\nid = \"1\"\nname = \"x\"\nthreshold = 2.0\nclasses = []\n"),
            "between 0 and 1",
        );
    }

    #[test]
    fn a_run_of_classes_leaves_out_those_that_never_count_and_a_group_sums_what_lies_within() {
        let map = load(
            "taxonomy = \"iab-content-3.1\"\nthreshold = 0.3\nnever = [\"b\"]\n\
             [[group]]\nid = \"1\"\nname = \"x\"\nclasses = [\"a\"]\n\
             [[group]]\nid = \"2\"\nname = \"y\"\nwithin = \"1\"\nclasses = [\"a .. c\"]\n",
            &["a", "b", "c"],
        )
        .unwrap_or_else(|e| panic!("{e}"));
        let probabilities = [0.1, 0.5, 0.25];
        assert_eq!(map.groups[0].sum(&probabilities), 0.35);
        assert_eq!(map.groups[1].sum(&probabilities), 0.35);
        assert!(map.groups[1].depth > map.groups[0].depth);
    }
}
