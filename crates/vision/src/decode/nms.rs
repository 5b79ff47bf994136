use super::Detection;

/// More candidates than this are cut to the most confident: a network gone wild must not stall the worker.
const MOST_CANDIDATES: usize = 1000;

/// Non-maximum suppression: of detections that overlap by more than `iou`, the most confident stays. At most `most` come
/// back, most confident first.
pub fn suppress(mut candidates: Vec<Detection>, iou: f32, most: usize) -> Vec<Detection> {
    candidates.retain(|d| d.bounds.is_proper() && d.confidence.is_finite());
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates.truncate(MOST_CANDIDATES);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.len() == most {
            break;
        }
        if kept.iter().all(|k| k.bounds.iou(&candidate.bounds) <= iou) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;

    fn detection(x: f32, confidence: f32) -> Detection {
        Detection { bounds: Rect::new(x, 0.0, 10.0, 10.0), confidence, points: None }
    }

    #[test]
    fn of_overlapping_boxes_the_most_confident_stays() {
        let kept = suppress(vec![detection(0.0, 0.6), detection(1.0, 0.9), detection(50.0, 0.7)], 0.5, 100);
        assert_eq!(kept, [detection(1.0, 0.9), detection(50.0, 0.7)]);
    }

    #[test]
    fn boxes_that_are_not_boxes_are_dropped() {
        let mut broken = detection(0.0, 0.9);
        broken.bounds.width = f32::NAN;
        let mut inverted = detection(0.0, 0.9);
        inverted.bounds.width = -1.0;
        assert!(suppress(vec![broken, inverted, detection(0.0, f32::NAN)], 0.5, 100).is_empty());
    }
}
