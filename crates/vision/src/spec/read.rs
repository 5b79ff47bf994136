use super::{Decoder, Fit, ModelSpec, Role};
use crate::{Error, Result};
use std::path::Path;

/// Largest side of a network's input; above it a description is surely mistaken.
pub(crate) const MAX_INPUT_SIDE: u32 = 4096;

impl ModelSpec {
    /// Reads the description beside an `.onnx` file (same name, `.toml`), and its labels file if it names one.
    ///
    /// # Errors
    /// A file that is missing or unreadable, or a mistake in it, with line and column.
    pub fn beside(onnx: &Path) -> Result<Self> {
        Self::read(&onnx.with_extension("toml"))
    }

    /// As [`ModelSpec::beside`], for the path of the description itself.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let mut spec = Self::parse(&text)
            .map_err(|problem| Error::Spec { path: path.to_owned(), problem: problem.to_string() })?;
        if let Some(file) = &spec.labels_file {
            let labels = read(&path.with_file_name(file))?;
            spec.labels = labels.lines().map(|line| line.trim().to_owned()).collect();
        }
        Ok(spec)
    }

    /// # Errors
    /// A mistake in the text, with line and column, or a value out of range.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text).map_err(|e| SpecError::syntax(&e, text))?;
        spec.check()?;
        Ok(spec)
    }

    /// As TOML, to be written beside an `.onnx` file.
    pub fn to_toml(&self) -> Result<String, SpecError> {
        self.check()?;
        toml::to_string(self).map_err(|e| SpecError(e.to_string()))
    }

    fn check(&self) -> Result<(), SpecError> {
        let fail = |text: String| Err(SpecError(text));
        let input = &self.input;
        if self.name.trim().is_empty() {
            return fail("name is empty".into());
        }
        for (key, side) in [("input.width", input.width), ("input.height", input.height)] {
            if !(1..=MAX_INPUT_SIDE).contains(&side) {
                return fail(format!("{key} = {side}, must be 1 to {MAX_INPUT_SIDE}"));
            }
        }
        if let Some(multiple) = input.multiple
            && (multiple == 0
                || !input.width.is_multiple_of(multiple)
                || !input.height.is_multiple_of(multiple))
        {
            return fail(format!("input.multiple = {multiple} does not divide input.width and input.height"));
        }
        if input.mean.iter().chain(&input.scale).any(|v| !v.is_finite()) {
            return fail("input.mean and input.scale must be finite numbers".into());
        }
        let second = self.second_pass;
        let parts = [
            ("threshold", self.threshold),
            ("iou", self.iou),
            ("second-pass.min-size", second.map(|s| s.min_size)),
            ("second-pass.threshold", second.and_then(|s| s.threshold)),
        ];
        for (key, value) in parts {
            if value.is_some_and(|v| !(0.0..=1.0).contains(&v)) {
                return fail(format!("{key} = {}, must be 0 to 1", value.unwrap_or_default()));
            }
        }
        if second.is_some_and(|s| !(s.scale > 0.0 && s.scale < 1.0)) {
            return fail("second-pass.scale must be above 0 and below 1".into());
        }
        self.check_role()
    }

    fn check_role(&self) -> Result<(), SpecError> {
        let fits = match self.role {
            Role::FaceDetector => {
                use Decoder::{SsdFace, TinyYoloFace, Ultralight, UltralightDecoded, Yunet};
                matches!(self.decoder, SsdFace | TinyYoloFace | Ultralight | UltralightDecoded | Yunet)
            }
            Role::AgeGender => matches!(self.decoder, Decoder::AgeGender | Decoder::AgeDistribution),
            Role::Expression | Role::Subject => self.decoder == Decoder::Classification,
            Role::Landmarks => self.decoder == Decoder::Landmarks68,
        };
        if !fits {
            let (role, decoder) = (self.role.name(), self.decoder.name());
            return Err(SpecError(format!("decoder \"{decoder}\" cannot serve the role \"{role}\"")));
        }
        if self.role == Role::FaceDetector && self.input.fit == Fit::CentreCrop {
            return Err(SpecError(
                "a face detector's input.fit cannot be \"centre-crop\": faces beside the middle would not be seen; use \
                 \"pad-right-bottom\", \"pad-centre\" or \"stretch\", as the network was trained"
                    .into(),
            ));
        }
        if self.second_pass.is_some() && self.role != Role::FaceDetector {
            return Err(SpecError("second-pass is for face detectors".into()));
        }
        if self.second_pass.is_some() && self.input.fit == Fit::Stretch {
            return Err(SpecError(
                "second-pass needs a border around the smaller picture, and input.fit = \"stretch\" has none; leave \
                 [second-pass] out"
                    .into(),
            ));
        }
        Ok(())
    }
}

/// A mistake in a description, in words; line and column where the text itself is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub(crate) String);

impl SpecError {
    pub(crate) fn syntax(error: &toml::de::Error, text: &str) -> Self {
        let Some(span) = error.span() else { return Self(error.message().to_owned()) };
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self(format!("line {line}, column {column}: {}", error.message()))
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
