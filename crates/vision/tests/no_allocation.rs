//! Making network inputs allocates nothing once it has seen the largest picture. In a process of its own: the allocator
//! counts everybody's.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod counting;

use common::{
    nets::{LARGE, Nets},
    onnx_runtime,
};
use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range, Rect, SubjectClassifier, SubjectOptions,
    face::{CutScratch, Detector, Portrait, TEMPLATE, mirror},
    preprocess::{Picture, Placement},
    runtime::LoadOptions,
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
/// What `run` allocates the second and third time.
fn allocations(mut run: impl FnMut()) -> usize {
    run();
    let before = counting::allocations();
    run();
    run();
    counting::allocations() - before
}

fn input(side: u32, fit: Fit, resize: Resize, layout: Layout) -> InputSpec {
    InputSpec {
        name: None,
        width: side,
        height: side,
        multiple: None,
        layout,
        channels: Channels::Bgr,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit,
        resize,
    }
}

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

fn with_frames(mut test: impl FnMut(&Frame)) {
    let bytes: Vec<u8> = (0..WIDTH * HEIGHT * 3).map(|i| (i * 7 % 251) as u8).collect();
    let chroma = WIDTH * HEIGHT;
    let nv12 = [(0, 1, 0), (chroma, 2, 1), (chroma + 1, 2, 1)].map(|(start, pixel_stride, shift)| {
        Component { data: &bytes[start..], row_stride: WIDTH, pixel_stride, shift_x: shift, shift_y: shift }
    });
    let color = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
    test(&Frame::new(WIDTH as u32, HEIGHT as u32, color, &nv12).unwrap());
    test(&Frame::rgb(WIDTH as u32, HEIGHT as u32, &bytes).unwrap());
}

#[test]
fn pictures_of_frames_allocate_nothing_after_the_first() {
    with_frames(|frame| {
        for resize in [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias] {
            for layout in [Layout::Nchw, Layout::Nhwc] {
                let input = input(224, Fit::PadCentre, resize, layout);
                let mut picture = Picture::default();
                let count = allocations(|| {
                    // Two sizes in turn: the tables are made anew, in the same memory.
                    for part in [1.0, 0.5] {
                        let placement = Placement::of_frame(frame.width(), frame.height(), &input, part);
                        picture.make(frame, &placement, &input);
                    }
                });
                assert_eq!(count, 0, "{frame:?} {resize:?} {layout:?}");
            }
        }
    });
}

#[test]
fn faces_cut_into_a_batch_allocate_nothing_after_the_first() {
    with_frames(|frame| {
        let mut memory = CutScratch::default();
        let input = input(112, Fit::PadCentre, Resize::BilinearLegacy, Layout::Nchw);
        let mut batch = vec![0.0; 4 * 3 * 112 * 112];
        let points = TEMPLATE.map(|(x, y)| (200.0 + 90.0 * x, 100.0 + 90.0 * y));
        let count = allocations(|| {
            let mut slots = batch.chunks_exact_mut(3 * 112 * 112);
            for side in [180.0, 60.0] {
                let bounds = Rect::new(150.0, 90.0, side, side);
                Portrait::cut_into(frame, &bounds, 0.2, &input, &mut memory, slots.next().unwrap()).unwrap();
            }
            let upright = slots.next().unwrap();
            Portrait::cut_aligned_into(frame, &points, &TEMPLATE, &input, &mut memory, upright).unwrap();
            mirror(upright, 112, Layout::Nchw);
        });
        assert_eq!(count, 0, "{frame:?}");
    });
}

#[test]
fn shrinking_for_the_detector_allocates_nothing_after_the_first() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let model = nets.detector(&[LARGE]);
    let two_passes = "fit = \"pad-right-bottom\"\n[second-pass]\nscale = 0.5\nmin-size = 0.4";
    nets.describe("detector", "role = \"face-detector\"\ndecoder = \"ssd-face\"", two_passes);
    let detector = Detector::load(Some(&model), None, &LoadOptions::default()).unwrap();
    assert_eq!(detector.passes(), 2);
    with_frames(|frame| assert_eq!(allocations(|| drop(detector.shrink(frame))), 0, "{frame:?}"));
}

#[test]
fn shrinking_for_the_subject_allocates_nothing_after_the_first() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let map = nets.0.path().join("map.toml");
    let text = "taxonomy = \"iab-content-3.1\"\nthreshold = 0.5\n\
                [[group]]\nid = \"1\"\nname = \"Automotive\"\nclasses = [\"car\", \"dog\", \"sea\"]\n";
    std::fs::write(&map, text).unwrap();
    let model = nets.subject(&["car", "dog", "sea"]);
    let options = SubjectOptions { model, map: Some(map), ..SubjectOptions::default() };
    let subject = SubjectClassifier::new(&options).unwrap();
    with_frames(|frame| assert_eq!(allocations(|| drop(subject.shrink(frame))), 0, "{frame:?}"));
}
