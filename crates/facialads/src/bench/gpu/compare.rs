//! How far two providers' results of the same frames lie apart, and whether that is near enough.

use facialads_vision::Rect;
use serde::Serialize;
use std::fmt;

/// Most that a provider's results may differ from the reference's.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tolerance {
    /// Sides of boxes, in pixels of the frame.
    pub pixels: f32,
    pub years: f32,
    pub probability: f32,
}

impl Tolerance {
    /// 32-bit arithmetic: what is left is the order of sums.
    pub const EXACT: Self = Self { pixels: 1.0, years: 0.5, probability: 0.02 };
    /// 16-bit arithmetic in detector and subject. Faces are cut where the detector found them, so that ages move with boxes.
    pub const HALF: Self = Self { pixels: 4.0, years: 1.5, probability: 0.05 };
}

/// A face as one provider sees it. Kept for the comparison alone, never printed.
#[derive(Clone)]
pub struct Seen {
    /// Pixels of the frame.
    pub bounds: Rect,
    pub confidence: f32,
    pub years: Option<f32>,
    /// Probability of female.
    pub female: Option<f32>,
}

/// Two boxes are of one face from this overlap on.
const SAME: f32 = 0.5;

/// One quantity over all frames.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub what: &'static str,
    pub unit: &'static str,
    pub compared: usize,
    pub worst: f32,
    pub allowed: f32,
}

impl Line {
    fn new(what: &'static str, unit: &'static str, allowed: f32) -> Self {
        Self { what, unit, compared: 0, worst: 0.0, allowed }
    }

    fn add(&mut self, difference: f32) {
        self.compared += 1;
        // What is no number is no agreement.
        self.worst = if difference.is_nan() { f32::INFINITY } else { self.worst.max(difference.abs()) };
    }

    /// Nothing compared is nothing shown.
    fn holds(&self) -> bool {
        self.compared > 0 && self.worst <= self.allowed
    }
}

/// The comparison of one way through the analysis with the reference.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// "frames on the GPU".
    pub way: String,
    pub frames: usize,
    /// Faces that one of the two sees and the other does not, though nothing about them was doubtful.
    pub missed: usize,
    /// The same with a confidence so near the threshold that rounding decides.
    pub doubtful: usize,
    pub lines: [Line; 4],
    pub passed: bool,
}

impl Comparison {
    pub fn new(way: &str, tolerance: Tolerance) -> Self {
        Self {
            way: way.to_owned(),
            frames: 0,
            missed: 0,
            doubtful: 0,
            lines: [
                Line::new("boxes", "px", tolerance.pixels),
                Line::new("age", "years", tolerance.years),
                Line::new("probability of female", "", tolerance.probability),
                Line::new("probability of a subject", "", tolerance.probability),
            ],
            passed: false,
        }
    }

    /// Adds a frame's faces. `threshold`: the detector's.
    pub fn faces(&mut self, reference: &[Seen], other: &[Seen], threshold: f32) {
        self.frames += 1;
        let mut left: Vec<&Seen> = other.iter().collect();
        for face in reference {
            let best = (0..left.len()).max_by(|a, b| {
                face.bounds.iou(&left[*a].bounds).total_cmp(&face.bounds.iou(&left[*b].bounds))
            });
            match best.filter(|index| face.bounds.iou(&left[*index].bounds) > SAME) {
                Some(index) => {
                    let found = left.swap_remove(index);
                    self.face(face, found);
                }
                None => self.alone(face, threshold),
            }
        }
        left.into_iter().for_each(|face| self.alone(face, threshold));
    }

    fn face(&mut self, a: &Seen, b: &Seen) {
        let [boxes, age, female, _] = &mut self.lines;
        let sides = |r: &Rect| [r.x, r.y, r.right(), r.bottom()];
        let apart = sides(&a.bounds).into_iter().zip(sides(&b.bounds)).map(|(a, b)| (a - b).abs());
        boxes.add(apart.fold(0.0, f32::max));
        match (a.years, b.years) {
            (Some(a), Some(b)) => age.add(a - b),
            (None, None) => {}
            // Described by one and not by the other: the quality limit lies between them.
            _ => self.doubtful += 1,
        }
        if let (Some(a), Some(b)) = (a.female, b.female) {
            female.add(a - b);
        }
    }

    fn alone(&mut self, face: &Seen, threshold: f32) {
        if (face.confidence - threshold).abs() <= self.lines[2].allowed {
            self.doubtful += 1;
        } else {
            self.missed += 1;
        }
    }

    /// Adds the probabilities of a programme's frame, class by class.
    pub fn subject(&mut self, reference: &[f32], other: &[f32]) {
        let line = &mut self.lines[3];
        if reference.len() != other.len() {
            line.add(f32::INFINITY);
        }
        reference.iter().zip(other).for_each(|(a, b)| line.add(a - b));
    }

    /// Judges what was added. A tenth of the faces may be doubtful, not more.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let faces = self.lines[0].compared + self.missed + self.doubtful;
        self.passed = self.missed == 0 && self.doubtful * 10 <= faces && self.lines.iter().all(Line::holds);
        self
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, frames, missed, doubtful, lines, passed } = self;
        writeln!(f, "{way}: {}, {frames} frames", if *passed { "PASSED" } else { "FAILED" })?;
        for Line { what, unit, compared, worst, allowed } in lines {
            writeln!(f, "  {what:<26}{compared:>6} compared, worst {worst:.4} {unit} (allowed {allowed})")?;
        }
        writeln!(f, "  faces that one of them does not see: {missed}, and {doubtful} that were doubtful")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(x: f32, years: f32) -> Seen {
        Seen { bounds: Rect::new(x, 0.0, 40.0, 40.0), confidence: 0.9, years: Some(years), female: Some(0.9) }
    }

    fn judged(reference: &[Seen], other: &[Seen]) -> Comparison {
        let mut comparison = Comparison::new("x", Tolerance::EXACT);
        comparison.faces(reference, other, 0.7);
        comparison.subject(&[0.2, 0.8], &[0.21, 0.79]);
        comparison.judged()
    }

    #[test]
    fn what_is_near_passes_and_what_is_far_does_not() {
        let faces = [seen(0.0, 30.0), seen(100.0, 50.0)];
        assert!(judged(&faces, &[seen(100.5, 50.4), seen(0.9, 29.6)]).passed, "in any order");
        assert!(!judged(&faces, &[seen(0.0, 30.0), seen(101.1, 50.0)]).passed, "a box 1.1 px off");
        assert!(!judged(&faces, &[seen(0.0, 30.0), seen(100.0, 50.6)]).passed, "an age 0.6 off");
        assert!(!judged(&faces, &[seen(0.0, f32::NAN), seen(100.0, 50.0)]).passed, "an age that is none");
    }

    #[test]
    fn a_face_that_one_does_not_see_fails_unless_it_was_doubtful() {
        let faces: Vec<Seen> = (0..10_u8).map(|n| seen(f32::from(n) * 100.0, 30.0)).collect();
        assert!(!judged(&faces, &faces[1..]).passed);
        let mut with_doubtful = faces.clone();
        with_doubtful[0].confidence = 0.71;
        let comparison = judged(&with_doubtful, &faces[1..]);
        assert!(comparison.passed, "{comparison}");
        assert_eq!((comparison.missed, comparison.doubtful), (0, 1));
    }

    #[test]
    fn nothing_compared_is_not_passed() {
        assert!(!judged(&[], &[]).passed);
    }
}
