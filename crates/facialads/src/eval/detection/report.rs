//! The figures of a detector.

use super::look::{Looked, Seen};
use crate::eval::metrics::{
    detection::{Face, Outcome, average_precision, judge},
    share::Share,
    spread,
};
use serde::{Deserialize, Serialize};

/// Overlaps at which a box counts as found: that of MODELS.md's tables, and WIDER FACE's.
const OVERLAPS: [f32; 2] = [0.4, 0.5];
/// Heights of labelled faces in pixels of the picture: each bin ends where the next begins.
const HEIGHTS: [(f32, &str); 5] =
    [(0.0, "<8"), (8.0, "8-16"), (16.0, "16-32"), (32.0, "32-64"), (64.0, ">=64")];
/// Smaller faces than this are left out of the second average precision.
const LARGE: f32 = 16.0;

#[derive(Serialize, Deserialize)]
pub struct DetectionReport {
    pub pictures: u64,
    pub unreadable: u64,
    pub bad_boxes: u64,
    /// Labelled, without those that are ignored.
    pub faces: u64,
    pub ignored: u64,
    /// Least confidence of what the average precision is taken over.
    pub floor: f64,
    pub at_iou: Vec<AtIou>,
    /// Milliseconds a picture at the product's threshold: conversion, network, decoding.
    pub ms_median: Option<f64>,
    pub ms_p95: Option<f64>,
}

/// Figures for one least overlap.
#[derive(Serialize, Deserialize)]
pub struct AtIou {
    pub iou: f64,
    /// All-point interpolated.
    pub ap: Option<f64>,
    /// The same with faces lower than 16 pixels ignored.
    pub ap_from_16: Option<f64>,
    /// At the product's threshold.
    pub recall: Share,
    pub recall_by_height: Vec<OfHeight>,
    pub precision: Share,
    pub false_positives_per_picture: Option<f64>,
}

#[derive(Serialize, Deserialize)]
pub struct OfHeight {
    pub height: String,
    pub recall: Share,
}

impl DetectionReport {
    pub fn new(looked: &Looked, bad_boxes: u64, floor: f32) -> Self {
        let faces = || looked.pictures.iter().flat_map(|picture| &picture.faces);
        let times: Vec<f64> = looked.pictures.iter().map(|seen| seen.took.as_secs_f64() * 1000.0).collect();
        Self {
            pictures: looked.pictures.len() as u64,
            unreadable: looked.unreadable,
            bad_boxes,
            faces: faces().filter(|face| !face.ignored).count() as u64,
            ignored: faces().filter(|face| face.ignored).count() as u64,
            floor: f64::from(floor),
            at_iou: OVERLAPS.iter().map(|iou| AtIou::new(&looked.pictures, *iou)).collect(),
            ms_median: spread::median(&times),
            ms_p95: spread::quantile(&times, 0.95),
        }
    }
}

impl AtIou {
    fn new(pictures: &[Seen], iou: f32) -> Self {
        let mut found = vec![(0_u64, 0_u64); HEIGHTS.len()];
        let (mut right, mut wrong) = (0_u64, 0_u64);
        for picture in pictures {
            let outcomes = judge(&picture.told, &picture.faces, iou);
            wrong += outcomes.iter().filter(|outcome| **outcome == Outcome::Wrong).count() as u64;
            for (index, face) in picture.faces.iter().enumerate().filter(|(_, face)| !face.ignored) {
                let is_found = outcomes.contains(&Outcome::Right(index));
                right += u64::from(is_found);
                let bin = &mut found[height_bin(face)];
                *bin = (bin.0 + u64::from(is_found), bin.1 + 1);
            }
        }
        let faces = found.iter().map(|(_, of)| of).sum();
        let by_height = HEIGHTS.iter().zip(found);
        Self {
            iou: (f64::from(iou) * 100.0).round() / 100.0,
            ap: precision(pictures, iou, 0.0),
            ap_from_16: precision(pictures, iou, LARGE),
            recall: Share::new(right, faces),
            recall_by_height: by_height
                .map(|((_, name), (right, of))| OfHeight {
                    height: (*name).to_owned(),
                    recall: Share::new(right, of),
                })
                .collect(),
            precision: Share::new(right, right + wrong),
            false_positives_per_picture: (!pictures.is_empty()).then(|| wrong as f64 / pictures.len() as f64),
        }
    }
}

fn height_bin(face: &Face) -> usize {
    HEIGHTS.iter().rposition(|(from, _)| face.bounds.height >= *from).unwrap_or(0)
}

/// Average precision with faces lower than `from` ignored.
fn precision(pictures: &[Seen], iou: f32, from: f32) -> Option<f64> {
    let (mut judged, mut count) = (Vec::new(), 0_u64);
    for picture in pictures {
        let lower = |face: &Face| face.ignored || face.bounds.height < from;
        let faces: Vec<Face> =
            picture.faces.iter().map(|face| Face { ignored: lower(face), ..*face }).collect();
        count += faces.iter().filter(|face| !face.ignored).count() as u64;
        let outcomes = judge(&picture.all, &faces, iou);
        let counted = picture.all.iter().zip(outcomes).filter(|(_, outcome)| *outcome != Outcome::Neither);
        judged.extend(counted.map(|((_, confidence), outcome)| (*confidence, outcome != Outcome::Wrong)));
    }
    average_precision(&judged, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_vision::Rect;
    use std::time::Duration;

    fn face(x: f32, height: f32, ignored: bool) -> Face {
        Face { bounds: Rect::new(x, 0.0, height, height), ignored }
    }

    #[test]
    fn recall_by_height_false_positives_and_precision_by_hand() {
        let (large, small) = (face(0.0, 70.0, false), face(200.0, 10.0, false));
        let phantom = (Rect::new(400.0, 0.0, 20.0, 20.0), 0.8);
        let told = vec![(large.bounds, 0.9), phantom];
        let all = vec![(large.bounds, 0.9), phantom, (small.bounds, 0.3)];
        let picture = |faces: Vec<Face>, told, all| Seen { faces, told, all, took: Duration::from_millis(4) };
        let empty = picture(vec![face(0.0, 9.0, true)], Vec::new(), vec![(face(0.0, 9.0, true).bounds, 0.5)]);
        let looked = Looked { pictures: vec![picture(vec![large, small], told, all), empty], unreadable: 1 };
        let report = DetectionReport::new(&looked, 0, 0.02);
        assert_eq!((report.pictures, report.faces, report.ignored, report.unreadable), (2, 2, 1, 1));
        assert_eq!(report.ms_median, Some(4.0));
        let at = &report.at_iou[0];
        assert_eq!((at.iou, at.recall.share, at.precision.share), (0.4, Some(0.5), Some(0.5)));
        assert_eq!(at.false_positives_per_picture, Some(0.5));
        let of = |height: &str| at.recall_by_height.iter().find(|bin| bin.height == height).unwrap().recall;
        assert_eq!((of(">=64").share, of("8-16").share, of("32-64").share), (Some(1.0), Some(0.0), None));
        // Right, wrong, right of two: half at 1, half at 2/3.
        assert!((at.ap.unwrap() - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-9);
        assert_eq!(at.ap_from_16, Some(1.0));
    }
}
