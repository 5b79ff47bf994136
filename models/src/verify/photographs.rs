//! Detectors, age and gender on published photographs, against the recorded results.

use super::reference::{Photograph, Reference};
use crate::Error;
use facialads_consent::{
    Basis, Demographics, Measurement, Permit, Policy, Purpose, Site, Stamp, Zone, permit,
};
use facialads_vision::{
    Frame, Rect,
    face::{AgeGender, Detector, Portrait},
    runtime::LoadOptions,
};
use std::path::Path;

/// The detector that the reference was recorded with.
const REFERENCE_DETECTOR: &str = "ssd-mobilenet-v1";

/// What a detector found on a photograph.
#[derive(Clone, Debug)]
pub struct DetectionCheck {
    pub detector: String,
    pub photograph: String,
    /// Faces of the reference.
    pub expected: usize,
    /// Faces found.
    pub found: usize,
    /// Faces of the reference that were found.
    pub matched: usize,
    /// All of the reference were found and, by the detector it was recorded with, nothing else.
    pub agrees: bool,
}

/// Age and gender on the faces of a photograph that were found.
#[derive(Clone, Debug)]
pub struct AttributeCheck {
    pub photograph: String,
    pub faces: usize,
    /// As many as in the reference: all.
    pub women: usize,
    pub youngest: f32,
    pub oldest: f32,
    /// Largest difference from the reference, in years.
    pub difference: f32,
    pub agrees: bool,
}

/// A permit to look at the package's sample photographs, and at nothing else.
///
/// These are published pictures of models, shipped by the package as samples for face analysis: nobody in front of a screen
/// is looked at, so the basis is [`Basis::PublishedContent`]. Emotion and personalisation are not asked for.
fn sample_permit<P: facialads_consent::PurposeKind>(faces: usize) -> Result<Permit<P>, Error> {
    let now = facialads_consent::wall_clock();
    let stamp = Stamp {
        purposes: [Purpose::Measurement, Purpose::Demographics].into_iter().collect(),
        epoch: 0,
        max_faces: u32::try_from(faces).unwrap_or(u32::MAX).max(1),
        adult: false,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "models verify".into(),
        expires: now.saturating_add(60_000_000_000),
        receipts: Vec::new(),
    };
    permit::<P>(Some(&stamp), faces, now).map_err(Error::Refused)
}

/// The photographs, decoded.
pub(super) struct Album<'r> {
    reference: &'r Reference,
    pictures: Vec<image::RgbImage>,
}

impl<'r> Album<'r> {
    pub(super) fn open(folder: &Path, reference: &'r Reference) -> Result<Self, Error> {
        let open = |photograph: &Photograph| {
            let path = folder.join(&photograph.name);
            if !path.is_file() {
                return Err(Error::NoMedia { path: folder.to_owned() });
            }
            match image::open(&path) {
                Ok(picture) => Ok(picture.to_rgb8()),
                Err(problem) => Err(Error::Photograph { path, problem: problem.to_string() }),
            }
        };
        let pictures = reference.photographs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { reference, pictures })
    }

    fn pages(&self) -> impl Iterator<Item = (&'r Photograph, &image::RgbImage)> {
        self.reference.photographs.iter().zip(&self.pictures)
    }

    /// Runs a detector over the photographs.
    pub(super) fn detect(&self, file: &Path, name: &str) -> Result<Vec<DetectionCheck>, Error> {
        let detector = Detector::load(Some(&file.to_string_lossy()), None, &LoadOptions::default())?;
        let own = name == REFERENCE_DETECTOR;
        let tolerance = self.reference.tolerance;
        let least = if own { tolerance.iou } else { tolerance.other_iou };
        let check = |(photograph, picture): (&Photograph, &image::RgbImage)| {
            let frame = Frame::rgb(picture.width(), picture.height(), picture.as_raw())?;
            let permit = sample_permit::<Measurement>(photograph.faces.len())?;
            let faces = detector.detect(&permit, &detector.shrink(&frame))?;
            let found: Vec<Rect> = faces.iter().map(|face| face.bounds).collect();
            let expected: Vec<Rect> = photograph.faces.iter().map(super::reference::Face::bounds).collect();
            let matched = matches(&expected, &found, least);
            Ok(DetectionCheck {
                detector: name.to_owned(),
                photograph: photograph.name.clone(),
                expected: expected.len(),
                found: found.len(),
                matched,
                agrees: matched == expected.len() && (!own || found.len() == expected.len()),
            })
        };
        self.pages().map(check).collect()
    }

    /// Estimates age and gender on the reference's own boxes, so that a detector's fault is not counted twice.
    pub(super) fn describe(&self, file: &Path) -> Result<Vec<AttributeCheck>, Error> {
        let network = AgeGender::load(&file.to_string_lossy(), &LoadOptions::default())?;
        let check = |(photograph, picture): (&Photograph, &image::RgbImage)| {
            let frame = Frame::rgb(picture.width(), picture.height(), picture.as_raw())?;
            let cut =
                |face: &super::reference::Face| Portrait::cut(&frame, &face.bounds(), 0.0, network.input());
            let portraits: Vec<Portrait> = photograph.faces.iter().filter_map(cut).collect();
            let permit = sample_permit::<Demographics>(photograph.faces.len())?;
            let estimates = network.estimate(&permit, &portraits)?;
            let years = estimates.iter().map(|estimate| estimate.years);
            let differences =
                years.clone().zip(&photograph.faces).map(|(years, face)| (years - face.age).abs());
            let difference = differences.fold(0.0, f32::max);
            let women = estimates.iter().filter(|estimate| estimate.female > 0.5).count();
            let all = photograph.faces.len();
            Ok(AttributeCheck {
                photograph: photograph.name.clone(),
                faces: all,
                women,
                youngest: years.clone().fold(f32::INFINITY, f32::min),
                oldest: years.fold(f32::NEG_INFINITY, f32::max),
                difference,
                agrees: estimates.len() == all
                    && women == all
                    && difference <= self.reference.tolerance.years,
            })
        };
        self.pages().map(check).collect()
    }
}

/// How many of the expected boxes were found, each found box standing for one of them at most.
fn matches(expected: &[Rect], found: &[Rect], least: f32) -> usize {
    let mut left: Vec<&Rect> = found.iter().collect();
    let mut count = 0;
    for face in expected {
        let best = left.iter().enumerate().max_by(|a, b| face.iou(a.1).total_cmp(&face.iou(b.1)));
        if let Some((index, rival)) = best
            && face.iou(rival) >= least
        {
            left.swap_remove(index);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_consent::{Emotion, Personalisation};

    #[test]
    fn one_found_face_stands_for_one_expected_face() {
        let (a, b) = (Rect::new(0.0, 0.0, 10.0, 10.0), Rect::new(1.0, 0.0, 10.0, 10.0));
        assert_eq!(matches(&[a, b], &[a], 0.5), 1);
        assert_eq!(matches(&[a, b], &[b, a], 0.5), 2);
        assert_eq!(matches(&[a], &[Rect::new(50.0, 0.0, 10.0, 10.0)], 0.5), 0);
        assert_eq!(matches(&[], &[a], 0.5), 0);
    }

    #[test]
    fn the_permit_covers_measurement_and_demographics_and_no_more() {
        assert!(sample_permit::<Measurement>(3).is_ok());
        assert_eq!(sample_permit::<Demographics>(3).unwrap().limit(), 3);
        assert!(matches!(sample_permit::<Emotion>(3), Err(Error::Refused(_))));
        assert!(matches!(sample_permit::<Personalisation>(3), Err(Error::Refused(_))));
    }
}
