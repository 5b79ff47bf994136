use crate::{
    Digest, Error,
    files::Stamp,
    manifest::{self, Manifest},
};
use facialads_vision::ModelSpec;
use std::{fmt, path::Path};

/// A model: one of the manifest's, installed or not, or one that the user put there.
#[derive(Clone, Debug)]
pub struct ModelStatus {
    pub name: String,
    /// As in the description: `face-detector`, `age-gender`, `expression`, `landmarks`, `subject`.
    pub role: String,
    /// What it is for, in a line.
    pub summary: String,
    pub licence: String,
    /// Package and version, or address.
    pub source: String,
    /// Bytes of the ONNX file, where it is there.
    pub size: Option<u64>,
    /// Of the ONNX file: expected, for the manifest's; found, for the user's own.
    pub sha256: Option<Digest>,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Installed,
    Missing,
    /// Missing, and nothing needs it: it is installed by its name.
    OnRequest,
    /// The file is not the one in the manifest.
    Changed,
    /// The user's own, with a description that can be read.
    Own,
    /// The description beside it is missing or wrong, and how.
    Undescribed(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed => f.write_str("installed"),
            Self::Missing => f.write_str("missing"),
            Self::OnRequest => f.write_str("on request"),
            Self::Changed => f.write_str("changed"),
            Self::Own => f.write_str("own"),
            Self::Undescribed(_) => f.write_str("not described"),
        }
    }
}

/// The manifest's models and those of the user in a folder. Reads only files that changed since they were installed.
pub fn status(dir: &Path) -> Result<Vec<ModelStatus>, Error> {
    let manifest = manifest::manifest()?;
    let mut stamp = Stamp::read(dir);
    let mut models: Vec<ModelStatus> =
        manifest.models.iter().map(|m| ours(manifest, m, dir, &mut stamp)).collect();
    models.extend(own(manifest, dir));
    Ok(models)
}

fn ours(manifest: &Manifest, model: &manifest::Model, dir: &Path, stamp: &mut Stamp) -> ModelStatus {
    let file = format!("{}.onnx", model.name);
    let path = dir.join(&file);
    let size = path.metadata().ok().map(|metadata| metadata.len());
    let state = match size {
        None if model.on_request => State::OnRequest,
        None => State::Missing,
        Some(_) if !stamp.is_current(&file, model.sha256) => State::Changed,
        Some(_) => match ModelSpec::beside(&path) {
            Ok(_) => State::Installed,
            Err(problem) => State::Undescribed(problem.to_string()),
        },
    };
    ModelStatus {
        name: model.name.clone(),
        role: model.spec.role.name().to_owned(),
        summary: model.summary.clone(),
        licence: manifest.licence(model).to_owned(),
        source: manifest.source(model),
        size,
        sha256: Some(model.sha256),
        state,
    }
}

/// Networks in the folder that are not the manifest's.
fn own(manifest: &Manifest, dir: &Path) -> Vec<ModelStatus> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "onnx")).collect();
    paths.sort();
    let name =
        |path: &Path| path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    paths
        .iter()
        // Of 16 bits: they belong to the one they were made from.
        .filter(|path| manifest.model(&name(path)).is_none() && !name(path).ends_with(".f16"))
        .map(|path| described(name(path), path))
        .collect()
}

fn described(name: String, path: &Path) -> ModelStatus {
    let (role, licence, source, state) = match ModelSpec::beside(path) {
        Ok(spec) => (
            spec.role.name().to_owned(),
            spec.licence.unwrap_or_default(),
            spec.source.unwrap_or_default(),
            State::Own,
        ),
        Err(problem) => {
            (String::new(), String::new(), String::new(), State::Undescribed(problem.to_string()))
        }
    };
    let size = path.metadata().ok().map(|metadata| metadata.len());
    let sha256 = Digest::of_file(path).ok();
    ModelStatus { name, role, summary: "your own".into(), licence, source, size, sha256, state }
}
