//! Decoders and suppression against plain references, on numbers that no network gives, and without taking memory.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::{
    Error, ModelSpec, Rect,
    decode::{self, Candidates, Detection, DetectionDecoder},
    runtime::{Description, Port, Tensor},
};
use proptest::prelude::*;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything on to the system's allocator; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The textbook's suppression.
fn plain(mut candidates: Vec<Detection>, iou: f32, most: usize) -> Vec<Detection> {
    candidates.retain(|d| d.bounds.is_proper() && d.confidence.is_finite());
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates.truncate(1000);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.len() < most && kept.iter().all(|k| k.bounds.iou(&candidate.bounds) <= iou) {
            kept.push(candidate);
        }
    }
    kept
}

fn suppressed(candidates: &mut Candidates, from: &[Detection], iou: f32, most: usize) -> Vec<Detection> {
    candidates.clear();
    from.iter().for_each(|d| candidates.push(d.bounds, d.confidence, d.points));
    candidates.suppress(iou, most);
    candidates.kept().collect()
}

fn detection(x: f32, confidence: f32) -> Detection {
    Detection { bounds: Rect::new(x, 0.0, 10.0, 10.0), confidence, points: None }
}

/// Boxes as networks give them, and others: inverted, without area, huge, not a number; confidences that repeat.
fn any_detection() -> impl Strategy<Value = Detection> {
    let number = prop_oneof![
        20 => 0.0_f32..1.0,
        1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(-1.0), 1 => Just(3e38), 1 => Just(0.0),
    ];
    let side =
        prop_oneof![20 => 0.01_f32..0.5, 1 => Just(0.0), 1 => Just(-0.1), 1 => Just(3e38), 1 => Just(1e-30)];
    (number.clone(), number, side.clone(), side, 0_u8..40).prop_map(|(x, y, width, height, confidence)| {
        Detection {
            bounds: Rect::new(x, y, width, height),
            confidence: f32::from(confidence) / 39.0,
            points: None,
        }
    })
}

proptest! {
    #[test]
    fn suppression_is_the_textbooks(
        pictures in prop::collection::vec(prop::collection::vec(any_detection(), 0..120), 1..4),
        iou in prop_oneof![Just(0.0_f32), Just(0.3), Just(0.5), Just(1.0)],
        most in prop_oneof![Just(0_usize), Just(1), Just(16), Just(17), Just(100)],
    ) {
        let mut candidates = Candidates::default();
        for picture in pictures {
            prop_assert_eq!(suppressed(&mut candidates, &picture, iou, most), plain(picture, iou, most));
        }
    }
}

#[test]
fn a_network_gone_wild_is_cut_to_its_most_confident_boxes() {
    let all: Vec<Detection> =
        (0..5000).map(|i| detection(i as f32 * 3.0, (i % 977) as f32 / 977.0)).collect();
    let found = suppressed(&mut Candidates::default(), &all, 0.3, 2000);
    assert_eq!(found, plain(all, 0.3, 2000));
    assert!(found.len() > 100);
}

#[test]
fn of_overlapping_boxes_the_most_confident_stays() {
    let all = [detection(0.0, 0.6), detection(1.0, 0.9), detection(50.0, 0.7)];
    let kept = suppressed(&mut Candidates::default(), &all, 0.5, 100);
    assert_eq!(kept, [detection(1.0, 0.9), detection(50.0, 0.7)]);
}

fn spec(decoder: &str) -> ModelSpec {
    let text = format!(
        "name = \"test\"\nrole = \"face-detector\"\ndecoder = \"{decoder}\"\n[input]\nwidth = 64\nheight = 64\n\
         fit = \"pad-right-bottom\"\n"
    );
    ModelSpec::parse(&text).unwrap()
}

/// A decoder bound to outputs of these names and shapes.
fn bound(decoder: &str, outputs: &[(&str, &[usize])]) -> Box<dyn DetectionDecoder> {
    let port = |(name, shape): &(&str, &[usize])| Port {
        name: (*name).to_owned(),
        shape: shape.iter().map(|n| Some(*n)).collect(),
        float: true,
    };
    let network = Description {
        model: "test".into(),
        runtime: "none".into(),
        device: "none".into(),
        precision: "f32".into(),
        inputs: Vec::new(),
        outputs: outputs.iter().map(port).collect(),
    };
    decode::detector(&spec(decoder), &network).unwrap()
}

fn tensor(shape: &[usize], data: Vec<f32>) -> Tensor {
    Tensor::new(shape.to_vec(), data).unwrap()
}

const SIDE: usize = 64;
const STRIDES: [usize; 3] = [8, 16, 32];

/// Names and shapes of YuNet's outputs for a picture of 64 x 64, in the order of cls, obj, bbox, kps, each for three strides.
fn yunet_shapes() -> Vec<(String, [usize; 3])> {
    let cells = |stride: usize| (SIDE / stride) * (SIDE / stride);
    let kinds = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];
    kinds
        .iter()
        .flat_map(|(kind, size)| {
            STRIDES.map(|stride| (format!("{kind}_{stride}"), [1, cells(stride), *size]))
        })
        .collect()
}

fn yunet() -> Box<dyn DetectionDecoder> {
    let shapes = yunet_shapes();
    let outputs: Vec<(&str, &[usize])> =
        shapes.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    bound("yunet", &outputs)
}

/// Outputs of YuNet out of a stream of numbers.
fn yunet_outputs(mut next: impl FnMut(&str) -> f32) -> Vec<Tensor> {
    let fill = |(name, shape): &(String, [usize; 3])| {
        tensor(shape, (0..shape.iter().product()).map(|_| next(name)).collect())
    };
    yunet_shapes().iter().map(fill).collect()
}

/// The formulas of FaceDetectorYN, cell by cell.
fn plain_yunet(outputs: &[Tensor], threshold: f32) -> Vec<Detection> {
    let mut found = Vec::new();
    for (level, stride) in STRIDES.into_iter().enumerate() {
        let data = |kind: usize| outputs[kind * 3 + level].data();
        let columns = SIDE / stride;
        let s = stride as f32 / SIDE as f32;
        for cell in 0..columns * columns {
            let confidence = (data(0)[cell].clamp(0.0, 1.0) * data(1)[cell].clamp(0.0, 1.0)).sqrt();
            if confidence < threshold {
                continue;
            }
            let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
            let b = &data(2)[cell * 4..][..4];
            let (w, h) = (b[2].exp(), b[3].exp());
            let p = &data(3)[cell * 10..][..10];
            found.push(Detection {
                bounds: Rect::new(column + b[0] - w / 2.0, row + b[1] - h / 2.0, w, h).scaled(s, s),
                confidence,
                points: Some(std::array::from_fn(|i| ((column + p[2 * i]) * s, (row + p[2 * i + 1]) * s))),
            });
        }
    }
    found
}

fn decoded(
    decoder: &dyn DetectionDecoder,
    outputs: &[Tensor],
    threshold: f32,
) -> Result<Vec<Detection>, Error> {
    let mut candidates = Candidates::default();
    decoder.candidates(outputs, 0, (SIDE, SIDE), threshold, &mut candidates)?;
    // Nothing overlaps by more than all.
    candidates.suppress(1.0, 1000);
    Ok(candidates.kept().collect())
}

proptest! {
    /// Scores lie around the threshold, on it, and outside 0 to 1, which FaceDetectorYN clamps.
    #[test]
    fn yunet_is_decoded_as_by_the_plain_formulas(seed in any::<u64>(), threshold in prop_oneof![Just(0.0_f32), Just(0.6), Just(0.7), Just(1.0)]) {
        let mut state = seed | 1;
        let outputs = yunet_outputs(|name| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = ((state >> 40) as f32) / 16_777_216.0;
            match (name.starts_with("cls") || name.starts_with("obj"), (state >> 33) % 4) {
                (true, 0) => threshold,
                (true, 1) => random * 1.5 - 0.2,
                (true, _) => random * 0.2,
                _ => random - 0.5,
            }
        });
        let expected = plain(plain_yunet(&outputs, threshold), 1.0, 1000);
        prop_assert_eq!(decoded(yunet().as_ref(), &outputs, threshold).unwrap(), expected);
    }
}

fn ssd(scores: &[f32]) -> Result<Vec<Detection>, Error> {
    let k = scores.len();
    let decoder = bound("ssd-face", &[("boxes", &[1, k, 4]), ("scores", &[1, k])]);
    let boxes = (0..k).flat_map(|i| [0.1, i as f32, 0.5, i as f32 + 0.5]).collect();
    decoded(decoder.as_ref(), &[tensor(&[1, k, 4], boxes), tensor(&[1, k], scores.to_vec())], 0.5)
}

fn ultralight_decoded(scores: &[f32]) -> Result<Vec<Detection>, Error> {
    let k = scores.len();
    let decoder = bound("ultralight-decoded", &[("scores", &[1, k, 2]), ("boxes", &[1, k, 4])]);
    let boxes = (0..k).flat_map(|i| [i as f32, 0.1, i as f32 + 0.5, 0.5]).collect();
    let scores = scores.iter().flat_map(|face| [1.0 - face, *face]).collect();
    decoded(decoder.as_ref(), &[tensor(&[1, k, 2], scores), tensor(&[1, k, 4], boxes)], 0.7)
}

#[test]
fn boxes_of_ssd_and_ultralight_are_corners_in_their_own_orders() {
    let mut scores = vec![0.1; 40];
    (scores[3], scores[33]) = (0.9, 0.8);
    let places = [(3.0, 0.9), (33.0, 0.8)];
    for found in [ssd(&scores).unwrap(), ultralight_decoded(&scores).unwrap()] {
        assert_eq!(found.len(), 2);
        for (face, (x, confidence)) in found.iter().zip(places) {
            assert_eq!(
                (face.bounds, face.confidence),
                (Rect::from_corners(x, 0.1, x + 0.5, 0.5), confidence)
            );
            assert!(face.points.is_none());
        }
    }
    assert!(
        ssd(&[0.5]).unwrap().is_empty() && ultralight_decoded(&[0.7]).unwrap().is_empty(),
        "above, not from"
    );
}

#[test]
fn a_file_of_ultralight_that_is_described_as_the_other_kind_is_noticed() {
    const K: usize = 235;
    let run = |decoder: &str, place: [f32; 4]| {
        let decoder = bound(decoder, &[("scores", &[1, K, 2]), ("boxes", &[1, K, 4])]);
        let (scores, boxes) = (tensor(&[1, K, 2], [0.1, 0.9].repeat(K)), tensor(&[1, K, 4], place.repeat(K)));
        decoded(decoder.as_ref(), &[scores, boxes], 0.7)
    };
    let (offsets, corners) = ([0.5, 0.5, -1.0, 0.2], [0.1, 0.1, 0.5, 0.5]);
    let says = |result: Result<Vec<Detection>, Error>, part: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Shape { .. }) && error.to_string().contains(part), "{error}");
    };
    says(run("ultralight-decoded", offsets), "needs decoder = \"ultralight\"");
    says(run("ultralight", corners), "needs decoder = \"ultralight-decoded\"");
    assert_eq!(run("ultralight-decoded", corners).unwrap().len(), K, "an overlap of 1 is allowed here");
    let found = run("ultralight", offsets).unwrap();
    assert_eq!(found.len(), K);
    // The first anchor: 10 pixels around 4, 4 of 64.
    let (width, height) = ((-0.2_f32).exp() * 10.0 / 64.0, 0.04_f32.exp() * 10.0 / 64.0);
    let centre = 4.5 / 64.0;
    let expected = Rect::new(centre - width / 2.0, centre - height / 2.0, width, height);
    assert!(found[0].bounds.iou(&expected) > 0.999, "{:?}, expected {expected:?}", found[0].bounds);
}

#[test]
fn scores_that_are_no_numbers_or_no_probabilities_are_said_to_be_so() {
    let says = |result: Result<Vec<Detection>, Error>, part: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Inference { .. }) && error.to_string().contains(part), "{error}");
    };
    for run in [ssd, ultralight_decoded] {
        says(run(&[0.9, f32::NAN]), "scores holds values that are not numbers");
        says(run(&[0.1, 37.5]), "holds 37.5, and a score is 0 to 1");
        says(run(&[f32::INFINITY]), "a score is 0 to 1");
    }
    let mut at = 0;
    let outputs = yunet_outputs(|_| {
        at += 1;
        if at == 40 { f32::NAN } else { 0.1 }
    });
    says(decoded(yunet().as_ref(), &outputs, 0.6), "cls_8 or obj_8 holds values that are not numbers");
    let grid = bound("tiny-yolo-face", &[("grid", &[1, 25, 2, 2])]);
    says(decoded(grid.as_ref(), &[tensor(&[1, 25, 2, 2], vec![f32::NAN; 100])], 0.5), "not numbers");
}

#[test]
fn boxes_that_are_none_are_left_out_and_huge_ones_do_no_harm() {
    // Large enough for an infinite width; large; not a number.
    for value in [1e3, 80.0, f32::NAN, f32::NEG_INFINITY, -1e30] {
        let outputs = yunet_outputs(|name| if name.starts_with("bbox") { value } else { 0.9 });
        for face in decoded(yunet().as_ref(), &outputs, 0.6).unwrap() {
            assert!(face.bounds.is_proper());
        }
    }
}

#[test]
fn outputs_that_do_not_belong_to_the_input_are_refused() {
    let mut outputs = yunet_outputs(|_| 0.9);
    outputs[0] = tensor(&[1, 10, 1], vec![0.9; 10]);
    let error = decoded(yunet().as_ref(), &outputs, 0.6).unwrap_err().to_string();
    assert!(error.contains("expected 1 x 64 (stride 8 of 64x64) values per picture; found 10"), "{error}");
    assert!(decoded(yunet().as_ref(), &[], 0.6).is_err());
    for (decoder, scores, part) in [
        ("ssd-face", &[1, 2][..], "expected 4 x 2 box values per picture; found 12"),
        ("ultralight-decoded", &[1, 2, 2], "expected 2 x 4 box and 2 x 2 score values per picture; found 16"),
        ("ultralight", &[1, 2, 2], "expected 235 x 4 box and 235 x 2 score values per picture; found 16"),
    ] {
        let decoder = bound(decoder, &[("boxes", &[1, 2, 4]), ("scores", scores)]);
        let boxes = tensor(&[1, 3, 4], vec![0.5; 12]);
        let scores = tensor(scores, vec![0.5; scores.iter().product()]);
        let error = decoded(decoder.as_ref(), &[boxes, scores], 0.6).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn decoding_takes_no_memory_once_it_is_warm() {
    let outputs = yunet_outputs(|name| if name.starts_with("bbox") { 0.4 } else { 0.9 });
    let decoder = yunet();
    let (mut candidates, mut found) = (Candidates::default(), Vec::new());
    let mut run = || {
        decoder.candidates(&outputs, 0, (SIDE, SIDE), 0.6, &mut candidates).unwrap();
        candidates.suppress(0.3, 100);
        found.clear();
        found.extend(candidates.kept());
        found.len()
    };
    assert!(run() > 10);
    let before = ALLOCATIONS.get();
    (0..100).for_each(|_| assert!(run() > 10));
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
