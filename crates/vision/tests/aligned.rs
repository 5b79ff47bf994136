//! Faces turned upright: where each pixel comes from, what is beside the frame, and that nothing aliases.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::{
    Frame,
    face::{CutScratch, Portrait, TEMPLATE},
    geometry::Similarity,
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use proptest::prelude::*;

fn input(side: u32) -> InputSpec {
    InputSpec {
        name: None,
        width: side,
        height: side,
        multiple: None,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit: Fit::PadCentre,
        resize: Resize::BilinearLegacy,
    }
}

/// The five points of a face that fills a square of `side` pixels, turned by `radians` about its middle, at `middle`.
fn face(side: f32, radians: f32, middle: (f32, f32)) -> ([(f32, f32); 5], Similarity) {
    let centred = Similarity::new(1.0, 0.0, (-0.5, -0.5));
    let place = centred.then(&Similarity::new(side, radians, middle));
    (TEMPLATE.map(|point| place.apply(point)), place)
}

fn cut(frame: &Frame, points: &[(f32, f32); 5], input: &InputSpec) -> Option<Vec<f32>> {
    let mut values = vec![-1.0; (3 * input.width * input.height) as usize];
    Portrait::cut_aligned_into(frame, points, &TEMPLATE, input, &mut CutScratch::default(), &mut values)
        .map(|_| values)
}

/// Red rises to the right, green downwards, blue is flat.
fn slopes(width: u32, height: u32) -> Vec<u8> {
    let pixel = |i: u32| {
        let (x, y) = (i % width, i / width);
        [(x * 200 / width) as u8, (y * 200 / height) as u8, 90]
    };
    (0..width * height).flat_map(pixel).collect()
}

#[test]
fn each_pixel_comes_from_where_the_points_say() {
    let (width, height) = (640, 480);
    let data = slopes(width, height);
    let frame = Frame::rgb(width, height, &data).unwrap();
    for (side, radians) in [(60.0, 0.0), (112.0, 0.5), (112.0, -1.2), (300.0, 0.3), (300.0, 3.0)] {
        let (points, place) = face(side, radians, (320.0, 240.0));
        let values = cut(&frame, &points, &input(112)).unwrap();
        for (i, red) in values[..112 * 112].iter().enumerate() {
            let at = (((i % 112) as f32 + 0.5) / 112.0, ((i / 112) as f32 + 0.5) / 112.0);
            let (x, y) = place.apply(at);
            // The middle of pixel 0 is at 0.5; whole levels are rounded down.
            let expected = [(x - 0.5) * 200.0 / 640.0 - 0.5, (y - 0.5) * 200.0 / 480.0 - 0.5];
            let found = [*red, values[112 * 112 + i]];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1.0, "{side} px, {radians}: {found} for {expected}");
            }
            assert!((values[2 * 112 * 112 + i] - 90.0).abs() < 1e-3);
        }
    }
}

#[test]
fn beside_the_frame_is_black() {
    let data = vec![200; 100 * 100 * 3];
    let frame = Frame::rgb(100, 100, &data).unwrap();
    let (points, _) = face(100.0, 0.0, (0.0, 50.0));
    let values = cut(&frame, &points, &input(100)).unwrap();
    let row = &values[50 * 100..51 * 100];
    assert!(row[..48].iter().all(|v| v.abs() < 1e-3), "{row:?}");
    assert!(row[52..].iter().all(|v| (v - 200.0).abs() < 1e-3), "{row:?}");
}

#[test]
fn fine_patterns_of_a_large_face_turn_to_grey_instead_of_aliasing() {
    let side = 600;
    let data: Vec<u8> =
        (0..side * side).flat_map(|i| [if (i % side + i / side) % 2 == 0 { 0 } else { 255 }; 3]).collect();
    let frame = Frame::rgb(side, side, &data).unwrap();
    let (points, _) = face(400.0, 0.4, (300.0, 300.0));
    let values = cut(&frame, &points, &input(112)).unwrap();
    let worst = values.iter().map(|v| (v - 127.5).abs()).fold(0.0, f32::max);
    assert!(worst < 8.0, "off grey by {worst}");
}

#[test]
fn layout_channels_mean_and_scale_are_applied() {
    let data: Vec<u8> = [10, 20, 30].repeat(50 * 50);
    let frame = Frame::rgb(50, 50, &data).unwrap();
    let (points, _) = face(30.0, 0.2, (25.0, 25.0));
    let input = InputSpec {
        layout: Layout::Nhwc,
        channels: Channels::Bgr,
        mean: [30.0, 0.0, 0.0],
        scale: [1.0, 2.0, 1.0],
        ..input(24)
    };
    let values = cut(&frame, &points, &input).unwrap();
    let close =
        |pixel: &[f32]| pixel.iter().zip([0.0, 40.0, 10.0]).all(|(f, e): (&f32, f32)| (f - e).abs() < 1e-3);
    assert!(values.chunks(3).all(close));
}

#[test]
fn small_faces_and_points_that_are_no_face_are_left_out() {
    let data = slopes(200, 200);
    let frame = Frame::rgb(200, 200, &data).unwrap();
    let input = input(112);
    assert!(cut(&frame, &face(25.0, 0.0, (100.0, 100.0)).0, &input).is_some());
    assert!(cut(&frame, &face(19.0, 0.0, (100.0, 100.0)).0, &input).is_none());
    assert!(cut(&frame, &face(100.0, 0.0, (500.0, 100.0)).0, &input).is_none());
    assert!(cut(&frame, &[(50.0, 50.0); 5], &input).is_none());
    assert!(cut(&frame, &[(f32::NAN, 50.0); 5], &input).is_none());
    assert!(Portrait::cut_aligned(&frame, &face(60.0, 0.0, (100.0, 100.0)).0, &TEMPLATE, &input).is_some());
}

proptest! {
    /// Whatever points a network gives, and whatever the frame's size.
    #[test]
    fn no_points_make_the_warp_panic(
        width in 1_u32..80, height in 1_u32..80, side in 1_u32..70,
        x in proptest::collection::vec(prop_oneof![-1e3_f32..1e3, -40.0_f32..120.0, any::<f32>()], 5),
        y in proptest::collection::vec(prop_oneof![-1e3_f32..1e3, -40.0_f32..120.0, any::<f32>()], 5),
    ) {
        let data = slopes(width, height);
        let frame = Frame::rgb(width, height, &data).unwrap();
        let points: [(f32, f32); 5] = std::array::from_fn(|i| (x[i], y[i]));
        if let Some(values) = cut(&frame, &points, &input(side)) {
            prop_assert!(values.iter().all(|v| (0.0..=255.0).contains(v)));
        }
    }
}
