//! Each picture through the product's own path: detector, crop, networks, calibration, thresholds.

use super::Case;
use crate::eval::{consent::Permits, labels::Labelled, picture::Picture, progress::Progress};
use anyhow::{Context, Result};
use facialads_vision::{
    FaceOptions, Frame,
    decode::Detection,
    face::{Described, Stills},
};

/// What came of all pictures.
#[derive(Default)]
pub struct Looked {
    pub cases: Vec<Case>,
    pub unreadable: u64,
    /// Readable, without a face found in them.
    pub not_found: u64,
    /// Found, and seen too badly to be described.
    pub rejected: u64,
    /// Pictures on which several faces were found.
    pub several: u64,
    /// Least probability of a gender that is told.
    pub gender_threshold: f32,
}

enum Outcome {
    NotFound,
    Rejected { several: bool },
    Described { said: Described, several: bool },
}

pub fn all(faces: Vec<Labelled>, options: &FaceOptions) -> Result<Looked> {
    let stills = Stills::new(options)?;
    let with_emotion = options.expression.is_some();
    let mut looked = Looked { gender_threshold: stills.gender_threshold(), ..Looked::default() };
    let mut progress = Progress::new(Some(faces.len()));
    for truth in faces {
        progress.step();
        let picture = match Picture::open(&truth.file) {
            Ok(picture) => picture,
            Err(problem) => {
                progress.say(&format!("{}: {problem:#}", truth.file.display()));
                looked.unreadable += 1;
                continue;
            }
        };
        let outcome = one(&stills, &picture.frame()?, with_emotion);
        match outcome.with_context(|| truth.file.display().to_string())? {
            Outcome::NotFound => looked.not_found += 1,
            Outcome::Rejected { several } => {
                looked.rejected += 1;
                looked.several += u64::from(several);
            }
            Outcome::Described { said, several } => {
                looked.several += u64::from(several);
                looked.cases.push(Case { truth, said });
            }
        }
    }
    Ok(looked)
}

fn one(stills: &Stills, frame: &Frame, with_emotion: bool) -> Result<Outcome> {
    let permits = Permits::new(false, with_emotion)?;
    let found = stills.detect(&permits.measurement, frame)?;
    let Some(face) = labelled_face(&found, frame) else { return Ok(Outcome::NotFound) };
    let several = found.len() > 1;
    Ok(match stills.describe(&permits.allowed(), frame, face)? {
        Some(said) => Outcome::Described { said, several },
        None => Outcome::Rejected { several },
    })
}

/// Of several faces the one that is meant: the largest of those over the picture's centre, else the largest. Collections
/// centre the face that they label.
fn labelled_face<'a>(found: &'a [Detection], frame: &Frame) -> Option<&'a Detection> {
    let (x, y) = (frame.width() as f32 / 2.0, frame.height() as f32 / 2.0);
    found.iter().max_by(|a, b| {
        let rank = |face: &Detection| (face.bounds.contains(x, y), face.bounds.area());
        let ((a_centred, a_area), (b_centred, b_area)) = (rank(a), rank(b));
        a_centred.cmp(&b_centred).then(a_area.total_cmp(&b_area))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_vision::Rect;

    #[test]
    fn the_face_over_the_centre_is_meant_else_the_largest() {
        let data = vec![0; 100 * 100 * 3];
        let frame = Frame::rgb(100, 100, &data).unwrap();
        let face = |x: f32, side: f32| Detection {
            bounds: Rect::new(x, x, side, side),
            confidence: 0.9,
            points: None,
        };
        let found = [face(0.0, 45.0), face(45.0, 10.0), face(40.0, 20.0)];
        assert!(labelled_face(&found, &frame) == Some(&found[2]));
        assert!(labelled_face(&found[..1], &frame) == Some(&found[0]));
        assert!(labelled_face(&[], &frame).is_none());
    }
}
