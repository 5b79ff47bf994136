//! The manifest: what there is to install, and out of what.

use crate::{Digest, Error, convert::Converter};
use facialads_vision::ModelSpec;
use serde::Deserialize;
use std::{collections::HashSet, sync::OnceLock};

const TEXT: &str = include_str!("../manifest.toml");

/// Version of the manifest's form that this program reads.
const SCHEMA: u32 = 1;

/// Label files that specs name, by their file name.
const LABELS: [(&str, &str); 1] = [("imagenet-1000.txt", include_str!("../labels/imagenet-1000.txt"))];

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    schema: u32,
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
    #[serde(rename = "upstream")]
    pub upstreams: Vec<Upstream>,
    #[serde(rename = "model")]
    pub models: Vec<Model>,
    #[serde(rename = "library")]
    pub libraries: Vec<Library>,
    #[serde(rename = "media")]
    pub media: Vec<Media>,
}

/// An archive that a package manager's client fetches.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    pub name: String,
    pub client: Client,
    /// Its name for the client.
    pub package: String,
    pub version: String,
    /// What the client calls the file it fetches.
    pub file: String,
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
    pub licence: String,
    /// Path of the licence text in the archive.
    pub licence_file: String,
    /// Which of several builds, for pip.
    pub tags: Option<Tags>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    Npm,
    Pip,
}

/// A wheel's tags.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tags {
    pub python: String,
    pub implementation: String,
    pub abi: String,
    pub platform: String,
}

/// A file that no package carries.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Upstream {
    pub name: String,
    pub file: String,
    pub address: String,
    pub sha256: Digest,
    pub size: u64,
    pub licence: String,
    pub licence_text: LicenceText,
    /// What is lost where it cannot be had.
    pub lost: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LicenceText {
    pub address: String,
    pub sha256: Digest,
    pub size: u64,
}

/// A network.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    pub name: String,
    /// What it is for, in a line.
    pub summary: String,
    pub origin: Origin,
    /// What the converter reads, in its order. Empty: the upstream file itself.
    #[serde(default)]
    pub sources: Vec<Source>,
    pub converter: Converter,
    /// Of the ONNX file.
    pub sha256: Digest,
    /// Whether it is installed only where it is asked for by name, or lies at hand: an example, nothing that an element needs.
    #[serde(default)]
    pub on_request: bool,
    /// File in `models/cards`.
    pub card: String,
    /// File in `models/labels` to be put beside the model.
    pub labels_file: Option<String>,
    /// How it is used.
    pub spec: ModelSpec,
}

/// Where a model comes from: a package or an upstream, by the manifest's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    Package(String),
    Upstream(String),
}

/// A file in an archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    pub path: String,
    pub sha256: Digest,
}

/// A runtime: shared libraries in an archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Library {
    /// As in `std::env::consts::ARCH`.
    pub machine: String,
    pub package: String,
    /// Folder within the libraries' own; left out: that one itself.
    pub folder: Option<String>,
    /// What is lost without it; left out: nothing works without it.
    pub lost: Option<String>,
    /// Installed only by its name, which is that of its folder.
    #[serde(default)]
    pub on_request: bool,
    /// The last one is what is looked for when the library is opened: whoever finds it finds all.
    pub files: Vec<LibraryFile>,
}

/// A file of a runtime.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LibraryFile {
    pub path: String,
    /// Name to install it under; left out: its own.
    file: Option<String>,
    pub sha256: Digest,
}

impl LibraryFile {
    /// Name to install it under.
    pub fn name(&self) -> &str {
        self.file.as_deref().unwrap_or_else(|| self.path.rsplit('/').next().unwrap_or_default())
    }
}

/// A photograph or clip in an archive.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Media {
    /// Name to install it under.
    pub name: String,
    pub package: String,
    pub path: String,
    pub sha256: Digest,
    pub licence: String,
}

/// The manifest that is built in.
///
/// # Errors
/// None in a program that passed its tests: they read it.
pub fn manifest() -> Result<&'static Manifest, Error> {
    static MANIFEST: OnceLock<Result<Manifest, String>> = OnceLock::new();
    let parsed = MANIFEST.get_or_init(|| Manifest::parse(TEXT).map_err(|error| error.to_string()));
    parsed.as_ref().map_err(|problem| Error::Manifest(problem.clone()))
}

impl Manifest {
    /// # Errors
    /// A mistake in the text, with line and column, or a name that leads nowhere.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let manifest: Self = toml::from_str(text).map_err(|error| Error::Manifest(error.to_string()))?;
        manifest.check().map_err(Error::Manifest)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            return Err(format!("schema {} is not {SCHEMA}", self.schema));
        }
        let mut names = HashSet::new();
        for model in &self.models {
            let name = &model.name;
            if !names.insert(name.as_str()) {
                return Err(format!("model {name} is there twice"));
            }
            if !is_file_name(name) || model.spec.name != *name {
                return Err(format!("model {name}: its name is no file name, or not that of its spec"));
            }
            let known = match &model.origin {
                Origin::Package(package) => self.package(package).is_some(),
                Origin::Upstream(upstream) => {
                    self.upstream(upstream).is_some() && model.converter.sources() == 1
                }
            };
            let sources =
                if matches!(model.origin, Origin::Package(_)) { model.converter.sources() } else { 0 };
            if !known || model.sources.len() != sources {
                return Err(format!("model {name}: its origin is unknown or its sources are not {sources}"));
            }
            if model.labels_file != model.spec.labels_file
                || model.labels_file.as_ref().is_some_and(|file| labels(file).is_none())
            {
                return Err(format!("model {name}: its labels are not in models/labels"));
            }
        }
        if self.libraries.iter().any(|library| library.on_request && library.folder.is_none()) {
            return Err("a library on request has no folder to be named by".into());
        }
        let names = |l: &'_ Library| -> Vec<(String, String)> {
            let files = l.files.iter().map(|file| file.name().to_owned());
            files.chain(l.folder.clone()).map(|name| (name, l.package.clone())).collect()
        };
        let media = self.media.iter().map(|m| (m.name.clone(), m.package.clone()));
        for (file, package) in self.libraries.iter().flat_map(names).chain(media) {
            if !is_file_name(&file) || self.package(&package).is_none() {
                return Err(format!("{file} of {package}: no file name, or an unknown package"));
            }
        }
        Ok(())
    }

    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.name == name)
    }

    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The runtimes for a kind of machine (`std::env::consts::ARCH`).
    pub fn libraries(&self, machine: &str) -> impl Iterator<Item = &Library> {
        self.libraries.iter().filter(move |library| library.machine == machine)
    }

    /// The licence of what a model is made of.
    pub fn licence(&self, model: &Model) -> &str {
        match &model.origin {
            Origin::Package(name) => self.package(name).map_or("", |package| &package.licence),
            Origin::Upstream(name) => self.upstream(name).map_or("", |upstream| &upstream.licence),
        }
    }

    /// Where a model comes from, for people.
    pub fn source(&self, model: &Model) -> String {
        match &model.origin {
            Origin::Package(name) => self
                .package(name)
                .map_or_else(String::new, |p| format!("{} {} ({})", p.package, p.version, p.client)),
            Origin::Upstream(name) => self.upstream(name).map_or_else(String::new, |u| u.address.clone()),
        }
    }

    /// The description to be written beside the ONNX file, as TOML.
    pub(crate) fn description(&self, model: &Model) -> Result<String, Error> {
        let mut spec = model.spec.clone();
        spec.licence = Some(self.licence(model).to_owned());
        spec.source = Some(self.source(model));
        spec.sha256 = Some(model.sha256.to_string());
        let text =
            spec.to_toml().map_err(|problem| Error::Manifest(format!("model {}: {problem}", model.name)))?;
        Ok(format!("# Written by `facialads models install`; what the keys mean: docs/models.md\n{text}"))
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Npm => "npm",
            Self::Pip => "pip",
        })
    }
}

/// The text of a file in `models/labels`.
pub(crate) fn labels(file: &str) -> Option<&'static str> {
    LABELS.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_models_and_their_cards() {
        let manifest = manifest().unwrap();
        let names: Vec<&str> = manifest.models.iter().map(|m| m.name.as_str()).collect();
        let expected = [
            "yunet",
            "ssd-mobilenet-v1",
            "tiny-face",
            "rfb-320",
            "age-gender",
            "faceres",
            "expression",
            "landmarks-68-tiny",
            "efficientnet-lite0",
        ];
        assert_eq!(names, expected);
        for model in &manifest.models {
            let card = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cards").join(&model.card);
            let text = std::fs::read_to_string(&card).unwrap_or_else(|e| panic!("{}: {e}", card.display()));
            for part in ["## Source", "## Licence", "## Measured", "## Limits"] {
                assert!(text.contains(part), "{} has no part \"{part}\"", card.display());
            }
        }
    }

    #[test]
    fn each_description_is_one_that_the_vision_crate_reads() {
        let manifest = manifest().unwrap();
        for model in &manifest.models {
            let spec = ModelSpec::parse(&manifest.description(model).unwrap()).unwrap();
            assert_eq!(spec.name, model.name);
            assert_eq!(spec.sha256, Some(model.sha256.to_string()));
            assert!(spec.licence.is_some_and(|licence| !licence.is_empty()));
        }
    }

    #[test]
    fn the_description_in_the_documentation_is_one_that_can_be_read() {
        let page = include_str!("../../docs/models.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(ModelSpec::parse(example).unwrap().name, "my-faces");
        for model in &manifest().unwrap().models {
            assert!(page.contains(&format!("| `{}` |", model.name)), "{} is not in the table", model.name);
        }
    }

    #[test]
    fn imagenet_has_a_thousand_labels_all_different() {
        let labels: HashSet<&str> = labels("imagenet-1000.txt").unwrap().lines().collect();
        assert_eq!(labels.len(), 1000);
    }

    #[test]
    fn mistakes_in_a_manifest_are_refused() {
        let with = |from: &str, to: &str| {
            assert!(TEXT.contains(from), "{from}");
            Manifest::parse(&TEXT.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert!(with("schema = 1", "schema = 2").contains("schema 2"));
        assert!(with("schema = 1", "schema = 1\nscheme = 2").contains("scheme"));
        assert!(with("name = \"tiny-face\"", "name = \"yunet\"").contains("twice"));
        assert!(with("name = \"tiny-face\"", "name = \"../tiny-face\"").contains("file name"));
        assert!(with("{ package = \"efficientnet-lite0\" }", "{ package = \"x\" }").contains("origin"));
        assert!(with("{ upstream = \"yunet\" }", "{ address = \"yunet\" }").contains("address"));
        assert!(with("converter = \"tfjs-tiny-face\"", "converter = \"copy\"").contains("sources"));
        assert!(with("sha256 = \"0d77", "sha256 = \"zz77").contains("hexadecimal"));
    }
}
