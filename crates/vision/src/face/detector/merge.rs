//! Joining what two passes found.

use crate::decode::Detection;

/// A box that the other pass found too may show a part of a face only: it is a duplicate if this much of it lies inside the
/// other box and it is not much smaller. A much smaller box inside a larger one is another face, such as a child's.
const DUPLICATE_INSIDE: f32 = 0.8;
const DUPLICATE_AREA: f32 = 0.25;

/// Whether two boxes that different passes found are of the same face.
fn same(a: &Detection, b: &Detection, iou: f32) -> bool {
    let (small, large) = (a.bounds.area().min(b.bounds.area()), a.bounds.area().max(b.bounds.area()));
    a.bounds.iou(&b.bounds) > iou
        || (a.bounds.intersection_area(&b.bounds) > DUPLICATE_INSIDE * small
            && small > DUPLICATE_AREA * large)
}

/// Joins what two passes found into the first, most confident first as both are. A face of the second counts if it is more
/// confident than every rival in the first, and takes their place. `gone`: memory to work in.
pub(super) fn merge(first: &mut Vec<Detection>, second: &mut Vec<Detection>, iou: f32, gone: &mut Vec<bool>) {
    gone.clear();
    gone.resize(first.len(), false);
    second.retain(|candidate| {
        let rivals = || first.iter().enumerate().filter(|(_, rival)| same(rival, candidate, iou));
        let counts = rivals().all(|(_, rival)| rival.confidence < candidate.confidence);
        if counts {
            rivals().for_each(|(index, _)| gone[index] = true);
        }
        counts
    });
    let mut leave = gone.iter();
    first.retain(|_| leave.next() != Some(&true));
    for candidate in second.drain(..) {
        let place = first.partition_point(|face| face.confidence >= candidate.confidence);
        first.insert(place, candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;

    fn face(x: f32, y: f32, side: f32, confidence: f32) -> Detection {
        Detection { bounds: Rect::new(x, y, side, side), confidence, points: None }
    }

    fn merged(mut first: Vec<Detection>, mut second: Vec<Detection>, iou: f32) -> Vec<Detection> {
        merge(&mut first, &mut second, iou, &mut Vec::new());
        first
    }

    #[test]
    fn a_face_that_both_passes_found_counts_once() {
        let both = merged(vec![face(0.0, 0.0, 100.0, 0.8)], vec![face(4.0, 4.0, 100.0, 0.9)], 0.3);
        assert_eq!(both, [face(4.0, 4.0, 100.0, 0.9)]);
        let part_of_it = merged(vec![face(10.0, 10.0, 60.0, 0.75)], vec![face(0.0, 0.0, 100.0, 0.9)], 0.5);
        assert_eq!(part_of_it, [face(0.0, 0.0, 100.0, 0.9)]);
    }

    #[test]
    fn a_small_face_in_front_of_a_large_one_is_kept() {
        let both = merged(vec![face(30.0, 30.0, 30.0, 0.8)], vec![face(0.0, 0.0, 100.0, 0.9)], 0.3);
        assert_eq!(both, [face(0.0, 0.0, 100.0, 0.9), face(30.0, 30.0, 30.0, 0.8)]);
    }
}
