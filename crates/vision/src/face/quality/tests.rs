use super::*;
use crate::spec::Layout;
use proptest::prelude::*;

const FRAME: (f32, f32) = (1280.0, 720.0);
const FRONTAL: [(f32, f32); 5] = [(30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 75.0), (65.0, 75.0)];

fn face(side: f32) -> Rect {
    Rect::new(400.0, 300.0, side, side * 1.25)
}
fn spec(lines: &str) -> InputSpec {
    let text = format!(
        "name = \"x\"\nrole = \"age-gender\"\ndecoder = \"age-gender\"\n[input]\nfit = \"stretch\"\n{lines}"
    );
    crate::ModelSpec::parse(&text).unwrap().input
}
/// Stripes of a period of `period` pixels around `mean`, in the network's layout.
fn stripes(input: &InputSpec, period: f32, mean: f32) -> Vec<f32> {
    let (width, height) = (input.width as usize, input.height as usize);
    let pixel = |x: usize, y: usize| {
        mean + 25.0 * (std::f32::consts::TAU * (x as f32 + 0.7 * y as f32) / period).sin()
    };
    let value = |x, y, channel: usize| (pixel(x, y) - input.mean[channel]) * input.scale[channel];
    let (columns, rows) = (0..width, 0..height);
    match input.layout {
        Layout::Nchw => (0..3)
            .flat_map(|c| rows.clone().flat_map(move |y| (0..width).map(move |x| (x, y, c))))
            .map(|(x, y, c)| value(x, y, c))
            .collect(),
        Layout::Nhwc => rows
            .flat_map(|y| columns.clone().flat_map(move |x| (0..3).map(move |c| (x, y, c))))
            .map(|(x, y, c)| value(x, y, c))
            .collect(),
    }
}

#[test]
fn a_large_frontal_face_is_no_hindrance_and_quality_falls_with_size() {
    assert!(of_view(&face(200.0), Some(&FRONTAL), FRAME).quality() > 0.99);
    let sizes = [23.0, 24.0, 32.0, 48.0, 96.0].map(|side| of_view(&face(side), None, FRAME));
    assert!(sizes.windows(2).all(|pair| pair[0].quality() < pair[1].quality()));
    assert!(!sizes[0].is_passable() && sizes[1].is_passable());
}

#[test]
fn faces_turned_away_or_looking_up_are_worth_less_whichever_way_the_head_is_tilted() {
    let turned = |by: f32| {
        let mut points = FRONTAL;
        points[2].0 += by * 40.0;
        points
    };
    let quality = |points: &[(f32, f32); 5]| of_view(&face(200.0), Some(points), FRAME).quality();
    assert!(quality(&turned(0.3)) > 0.99);
    assert!(quality(&turned(0.5)) < quality(&turned(0.4)));
    assert!(quality(&turned(0.6)) < LEAST_QUALITY && quality(&turned(-0.6)) < LEAST_QUALITY);
    let mut up = FRONTAL;
    up[2].1 = 53.0;
    assert!(quality(&up) < LEAST_QUALITY);
    let tilted = turned(0.5).map(|(x, y)| (0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y));
    assert!((quality(&tilted) - quality(&turned(0.5))).abs() < 1e-3);
}

#[test]
fn faces_cut_off_by_the_frame_or_behind_others_are_worth_less() {
    let at = |x: f32| of_view(&Rect::new(x, 300.0, 100.0, 125.0), None, FRAME).quality();
    assert!(at(0.0) > 0.95, "a face that touches the edge is whole");
    assert!(at(-20.0) < at(0.0) && at(-60.0) < LEAST_QUALITY);
    let behind =
        |x: f32, side: f32| covered(&face(100.0), [Rect::new(x, 300.0, side, side * 1.25)].into_iter());
    assert!(behind(490.0, 120.0).quality() > 0.9);
    assert!(!behind(440.0, 120.0).is_passable());
    assert!(behind(440.0, 50.0).quality() > 0.99, "a smaller face is behind it");
}

#[test]
fn blur_darkness_and_glare_are_seen_in_any_layout_and_normalisation() {
    let plain = spec("width = 112\nheight = 112");
    let other = spec(
        "width = 112\nheight = 112\nlayout = \"nhwc\"\nchannels = \"bgr\"\nmean = [104.0, 117.0, 123.0]\nscale = [0.0039, 0.0039, 0.0039]",
    );
    for (period, mean) in [(6.0, 104.0), (40.0, 104.0), (6.0, 15.0), (6.0, 250.0)] {
        let told = |input: &InputSpec| of_picture(&stripes(input, period, mean), input, Some(0.2));
        assert!((told(&plain).quality() - told(&other).quality()).abs() < 1e-3);
        assert_eq!(told(&plain).is_passable(), (period, mean) == (6.0, 104.0), "{period} {mean}");
    }
}

#[test]
fn a_larger_picture_of_the_same_face_is_judged_alike() {
    let (small, large) = (spec("width = 112\nheight = 112"), spec("width = 224\nheight = 224"));
    for period in [8.0, 16.0, 24.0] {
        let small = Clarity::of(&stripes(&small, period, 104.0), &small, Some(0.2));
        let large = Clarity::of(&stripes(&large, 2.0 * period, 104.0), &large, Some(0.2));
        let ratio = small.detail.unwrap() / large.detail.unwrap();
        assert!((0.8..1.3).contains(&ratio), "{period}: {ratio}");
    }
}

proptest! {
    #[test]
    fn quality_is_between_0_and_1_whatever_a_detector_says(
        numbers in proptest::array::uniform14(proptest::num::f32::ANY)
    ) {
        let [x, y, w, h, rest @ ..] = numbers;
        let point = |i: usize| (rest[2 * i], rest[2 * i + 1]);
        let points = [point(0), point(1), point(2), point(3), point(4)];
        let bounds = Rect::new(x, y, w, h);
        let hindrance = of_view(&bounds, Some(&points), FRAME).and(covered(&bounds, [face(100.0)].into_iter()));
        prop_assert!((0.0..=1.0).contains(&hindrance.quality()));
    }
}
