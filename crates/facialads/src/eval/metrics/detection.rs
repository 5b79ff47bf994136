//! Finding: which detections are right, and the average precision of the whole.

use facialads_vision::Rect;

/// A labelled face. Units are pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    pub bounds: Rect,
    /// Finding it is no merit and missing it no fault (WIDER FACE's "invalid", COCO's "iscrowd").
    pub ignored: bool,
}

/// What a detection turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It found this face first.
    Right(usize),
    /// On nothing, or on a face that a more confident one found already.
    Wrong,
    /// On a face that is ignored.
    Neither,
}

/// Judges the detections on one picture as WIDER FACE's evaluation does (S. Yang et al., WIDER FACE, CVPR 2016): from the
/// most confident down, each belongs to the face that it overlaps most, if it does so by at least `iou`; it is right if
/// that face has not been found yet, and does not count if that face is ignored.
///
/// `found`: boxes with confidences, most confident first.
pub fn judge(found: &[(Rect, f32)], faces: &[Face], iou: f32) -> Vec<Outcome> {
    let mut taken = vec![false; faces.len()];
    let judge_one = |(bounds, _): &(Rect, f32)| {
        let overlaps = faces.iter().enumerate().map(|(index, face)| (index, bounds.iou(&face.bounds)));
        match overlaps.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, overlap)| *overlap >= iou) {
            Some((index, _)) if faces[index].ignored => Outcome::Neither,
            Some((index, _)) if !taken[index] => {
                taken[index] = true;
                Outcome::Right(index)
            }
            _ => Outcome::Wrong,
        }
    };
    found.iter().map(judge_one).collect()
}

/// Area under the curve of precision over recall, precision taken as the best at this recall or any higher ("all-point
/// interpolation", as PASCAL VOC since 2010 and WIDER FACE: M. Everingham et al., IJCV 111, 2015).
///
/// `judged`: confidence of each detection on any picture and whether it was right, in any order, without those that do not
/// count; `faces`: how many were to be found. Nothing of no faces.
pub fn average_precision(judged: &[(f32, bool)], faces: u64) -> Option<f64> {
    if faces == 0 {
        return None;
    }
    let mut sorted = judged.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0_u64;
    let mut curve = Vec::with_capacity(sorted.len());
    for (index, (_, is_right)) in sorted.iter().enumerate() {
        right += u64::from(*is_right);
        curve.push((right as f64 / faces as f64, right as f64 / (index + 1) as f64));
    }
    let (mut area, mut best, mut beyond) = (0.0, 0.0_f64, None::<f64>);
    // From the right: the precision at a recall is the best of what comes after.
    for (recall, precision) in curve.into_iter().rev() {
        if let Some(beyond) = beyond {
            area += (beyond - recall) * best;
        }
        best = best.max(precision);
        beyond = Some(recall);
    }
    Some(area + beyond.unwrap_or(0.0) * best)
}

#[cfg(test)]
mod tests {
    use super::super::near;
    use super::*;

    fn at(x: f32) -> Rect {
        Rect::new(x, 0.0, 10.0, 10.0)
    }

    #[test]
    fn a_face_is_found_once_and_an_ignored_one_never() {
        let faces = [
            Face { bounds: at(0.0), ignored: false },
            Face { bounds: at(100.0), ignored: false },
            Face { bounds: at(200.0), ignored: true },
        ];
        let found = [(at(1.0), 0.9), (at(0.0), 0.8), (at(200.0), 0.7), (at(50.0), 0.6)];
        let outcomes = judge(&found, &faces, 0.5);
        assert_eq!(outcomes, [Outcome::Right(0), Outcome::Wrong, Outcome::Neither, Outcome::Wrong]);
        assert_eq!(judge(&found, &[], 0.5), [Outcome::Wrong; 4]);
    }

    #[test]
    fn average_precision_by_hand() {
        // Right, wrong, right of 4 faces: recall .25, .25, .5, precision 1, .5, 2/3.
        // Area: .25 * 1 + .25 * 2/3.
        let judged = [(0.9, true), (0.8, false), (0.7, true)];
        assert!(near(average_precision(&judged, 4).unwrap(), 0.25 + 0.25 * 2.0 / 3.0));
        // A wrong one first: the better precision to its right counts.
        let judged = [(0.9, false), (0.8, true), (0.7, true)];
        assert!(near(average_precision(&judged, 2).unwrap(), 2.0 / 3.0));
        assert!(near(average_precision(&[(0.9, true)], 1).unwrap(), 1.0));
        assert_eq!(average_precision(&[], 3), Some(0.0));
        assert_eq!(average_precision(&[(0.9, false)], 0), None);
    }
}
