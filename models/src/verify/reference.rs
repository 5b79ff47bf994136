//! The recorded results.

use crate::Error;
use facialads_vision::Rect;
use serde::Deserialize;

const TEXT: &str = include_str!("../../reference.toml");

/// What the networks said when they were measured. The file explains the fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reference {
    pub tolerance: Tolerance,
    #[serde(rename = "pattern")]
    pub patterns: Vec<Pattern>,
    #[serde(rename = "photograph")]
    pub photographs: Vec<Photograph>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tolerance {
    /// Least overlap of a face with its reference, 0..=1.
    pub iou: f32,
    /// The same, for a detector that is not the reference's.
    pub other_iou: f32,
    pub years: f32,
    /// Relative to the value, or to 1 if that is smaller.
    pub pattern: f64,
}

/// One output of one network for the pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pattern {
    pub model: String,
    /// Pixels of the square picture, or its width where there is a height.
    pub side: usize,
    pub height: Option<usize>,
    pub output: String,
    pub sum: f64,
    pub values: Vec<(usize, f64)>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Photograph {
    pub name: String,
    pub faces: Vec<Face>,
}

/// A face of the reference: a published photograph of a model, not a viewer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Face {
    /// Left, top, right, bottom in pixels.
    #[serde(rename = "box")]
    pub corners: [f32; 4],
    pub age: f32,
    /// Probability, 0..=1.
    pub female: f32,
}

impl Face {
    pub fn bounds(&self) -> Rect {
        let [left, top, right, bottom] = self.corners;
        Rect::from_corners(left, top, right, bottom)
    }
}

impl Reference {
    /// The one that is built in.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse(TEXT)
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::Reference(error.to_string()))
    }

    /// How many faces there are in all photographs.
    pub fn faces(&self) -> usize {
        self.photographs.iter().map(|photograph| photograph.faces.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_that_of_the_design() {
        let reference = Reference::built_in().unwrap();
        let faces: Vec<usize> = reference.photographs.iter().map(|p| p.faces.len()).collect();
        assert_eq!(faces, [3, 3, 3, 4, 5, 4]);
        let all: Vec<&Face> = reference.photographs.iter().flat_map(|p| &p.faces).collect();
        assert!(all.iter().all(|face| face.female > 0.5), "22 women");
        let ages = all.iter().map(|face| face.age.round());
        assert_eq!((ages.clone().fold(99.0, f32::min), ages.fold(0.0, f32::max)), (19.0, 36.0));
    }
}
