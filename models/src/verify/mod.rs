//! Whether the models installed are those that were measured, and say what they said then.

mod patterns;
mod photographs;
mod reference;

pub use patterns::PatternCheck;
pub use photographs::{AttributeCheck, DetectionCheck};
pub use reference::{Face, Pattern, Photograph, Reference, Tolerance};

use crate::{
    Digest, Error,
    install::beside,
    manifest::{self, Manifest, Model, Origin},
};
use facialads_vision::spec::Role;
use std::path::Path;

/// A model's file, read whole.
#[derive(Clone, Debug)]
pub struct FileCheck {
    pub model: String,
    pub expected: Digest,
    /// `None`: it is not there.
    pub found: Option<Digest>,
    /// Whether it may be missing: what no package carries.
    pub optional: bool,
}

impl FileCheck {
    pub fn agrees(&self) -> bool {
        self.found == Some(self.expected)
    }
}

/// All that was checked.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    pub files: Vec<FileCheck>,
    pub patterns: Vec<PatternCheck>,
    pub detections: Vec<DetectionCheck>,
    pub attributes: Vec<AttributeCheck>,
    /// What differs, a line each, with what to do; empty if all agree.
    pub problems: Vec<String>,
}

impl Verification {
    pub fn agrees(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks the models in a folder: every file's digest, every network's numbers on a picture of nobody, and the detectors,
/// age and gender on the published photographs in `DIR/../media`.
///
/// # Errors
/// The photographs are missing, ONNX Runtime cannot be opened, or a network that has the right digest cannot be run.
/// What differs is no error but in [`Verification::problems`].
pub fn verify(dir: &Path) -> Result<Verification, Error> {
    verify_against(manifest::manifest()?, &Reference::built_in()?, dir)
}

/// As [`verify`], with another manifest and reference.
pub fn verify_against(manifest: &Manifest, reference: &Reference, dir: &Path) -> Result<Verification, Error> {
    let mut result = Verification::default();
    let album = photographs::Album::open(&beside(dir, "media"), reference)?;
    for model in &manifest.models {
        let path = dir.join(format!("{}.onnx", model.name));
        let file = check_file(model, &path)?;
        let runs = file.agrees();
        result.problems.extend(problem_of_file(&file));
        result.files.push(file);
        // A file that is not the one measured is not run: its numbers would tell nothing.
        if !runs {
            continue;
        }
        result.patterns.extend(patterns::check(&path, &model.name, reference)?);
        match model.spec.role {
            Role::FaceDetector if model.name != UNMEASURED => {
                result.detections.extend(album.detect(&path, &model.name)?);
            }
            Role::AgeGender if model.name == DESCRIBER => result.attributes.extend(album.describe(&path)?),
            _ => {}
        }
    }
    let found = problems(&result, reference);
    result.problems.extend(found);
    Ok(result)
}

/// The tiny detector is not expected to find every face of the photographs; only its numbers are compared.
const UNMEASURED: &str = "tiny-face";
/// Whose ages the reference gives. Another network's are others on the same faces; its numbers are compared by the pattern.
const DESCRIBER: &str = "age-gender";

fn check_file(model: &Model, path: &Path) -> Result<FileCheck, Error> {
    let found = if path.is_file() { Some(Digest::of_file(path)?) } else { None };
    let optional = matches!(model.origin, Origin::Upstream(_));
    Ok(FileCheck { model: model.name.clone(), expected: model.sha256, found, optional })
}

fn problem_of_file(file: &FileCheck) -> Option<String> {
    let name = &file.model;
    match file.found {
        None if file.optional => None,
        None => Some(format!("{name} is not installed: facialads models install {name}")),
        Some(found) if found != file.expected => Some(format!(
            "{name} is not the file in the manifest: sha256 {found}, expected {}: facialads models install {name}",
            file.expected
        )),
        Some(_) => None,
    }
}

fn problems(result: &Verification, reference: &Reference) -> Vec<String> {
    let patterns = result.patterns.iter().filter(|check| !check.agrees).map(|check| {
        let PatternCheck { model, output, difference, .. } = check;
        let tolerance = reference.tolerance.pattern;
        format!(
            "{model}: \"{output}\" differs from the reference by {difference:.2e}, more than {tolerance:.0e}"
        )
    });
    let detections = result.detections.iter().filter(|check| !check.agrees).map(|check| {
        let DetectionCheck { detector, photograph, expected, found, matched, .. } = check;
        format!("{detector}: {photograph} has {expected} faces; {found} were found, {matched} of them these")
    });
    let attributes = result.attributes.iter().filter(|check| !check.agrees).map(|check| {
        let AttributeCheck { photograph, faces, women, difference, .. } = check;
        format!("age-gender: {photograph}: {women} of {faces} women, ages off by up to {difference:.1} years")
    });
    patterns.chain(detections).chain(attributes).collect()
}
