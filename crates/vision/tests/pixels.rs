//! The fast paths beside the reference, over every pixel layout.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range,
    preprocess::{Placement, Region, Scratch, picture_into, reference},
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use proptest::prelude::*;

const YUV: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
const FULL: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt601, range: Range::Full };

/// How a component lies: first byte as a share of the rows before it and bytes, pixel stride, shifts.
#[derive(Clone, Copy, Debug)]
struct Lie {
    /// Planes before it, each as large as the first at most.
    plane: usize,
    offset: usize,
    pixel_stride: usize,
    shift_x: u8,
    shift_y: u8,
}

const fn lie(plane: usize, offset: usize, pixel_stride: usize, shift_x: u8, shift_y: u8) -> Lie {
    Lie { plane, offset, pixel_stride, shift_x, shift_y }
}

const LAYOUTS: [(&str, ColorModel, [Lie; 3]); 18] = [
    ("NV12", YUV, [lie(0, 0, 1, 0, 0), lie(1, 0, 2, 1, 1), lie(1, 1, 2, 1, 1)]),
    ("NV21", FULL, [lie(0, 0, 1, 0, 0), lie(1, 1, 2, 1, 1), lie(1, 0, 2, 1, 1)]),
    ("NV16", YUV, [lie(0, 0, 1, 0, 0), lie(1, 0, 2, 1, 0), lie(1, 1, 2, 1, 0)]),
    ("I420", YUV, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 1, 1), lie(2, 0, 1, 1, 1)]),
    ("Y42B", YUV, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 1, 0), lie(2, 0, 1, 1, 0)]),
    ("Y41B", FULL, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 2, 0), lie(2, 0, 1, 2, 0)]),
    ("Y444", YUV, [lie(0, 0, 1, 0, 0), lie(1, 0, 1, 0, 0), lie(2, 0, 1, 0, 0)]),
    ("YUY2", YUV, [lie(0, 0, 2, 0, 0), lie(0, 1, 4, 1, 0), lie(0, 3, 4, 1, 0)]),
    ("UYVY", YUV, [lie(0, 1, 2, 0, 0), lie(0, 0, 4, 1, 0), lie(0, 2, 4, 1, 0)]),
    ("AYUV", YUV, [lie(0, 1, 4, 0, 0), lie(0, 2, 4, 0, 0), lie(0, 3, 4, 0, 0)]),
    ("RGB", ColorModel::Rgb, [lie(0, 0, 3, 0, 0), lie(0, 1, 3, 0, 0), lie(0, 2, 3, 0, 0)]),
    ("BGR", ColorModel::Rgb, [lie(0, 2, 3, 0, 0), lie(0, 1, 3, 0, 0), lie(0, 0, 3, 0, 0)]),
    ("RGBA", ColorModel::Rgb, [lie(0, 0, 4, 0, 0), lie(0, 1, 4, 0, 0), lie(0, 2, 4, 0, 0)]),
    ("xBGR", ColorModel::Rgb, [lie(0, 3, 4, 0, 0), lie(0, 2, 4, 0, 0), lie(0, 1, 4, 0, 0)]),
    ("GBR", ColorModel::Rgb, [lie(2, 0, 1, 0, 0), lie(0, 0, 1, 0, 0), lie(1, 0, 1, 0, 0)]),
    ("GRAY8", ColorModel::Gray, [lie(0, 0, 1, 0, 0); 3]),
    ("far apart", ColorModel::Rgb, [lie(0, 0, 9, 0, 0), lie(0, 4, 9, 0, 0), lie(0, 8, 9, 0, 0)]),
    ("odd mixture", FULL, [lie(0, 0, 5, 0, 0), lie(1, 1, 3, 3, 2), lie(1, 0, 2, 1, 1)]),
];

/// Bytes that differ everywhere, and no more of them than the layout needs.
fn bytes(
    width: usize,
    height: usize,
    padding: usize,
    layout: &[Lie; 3],
    seed: usize,
) -> (Vec<u8>, usize, usize) {
    let widest = layout.iter().map(|l| width.div_ceil(1 << l.shift_x) * l.pixel_stride).max().unwrap();
    let stride = widest + padding;
    let plane = stride * height;
    let end = |l: &Lie| {
        let (columns, rows) = (width.div_ceil(1 << l.shift_x), height.div_ceil(1 << l.shift_y));
        l.plane * plane + l.offset + (rows - 1) * stride + (columns - 1) * l.pixel_stride + 1
    };
    let length = layout.iter().map(end).max().unwrap();
    let mut state = seed as u32 | 1;
    let noise = (0..length).map(|_| {
        // A linear congruential generator (Numerical Recipes).
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    (noise.collect(), stride, plane)
}

fn with_frame(
    (width, height): (u32, u32),
    padding: usize,
    (_, color, layout): &(&str, ColorModel, [Lie; 3]),
    seed: usize,
    test: &mut dyn FnMut(&Frame),
) {
    let (bytes, stride, plane) = bytes(width as usize, height as usize, padding, layout, seed);
    let components = layout.map(|l| Component {
        data: &bytes[l.plane * plane + l.offset..],
        row_stride: stride,
        pixel_stride: l.pixel_stride,
        shift_x: l.shift_x,
        shift_y: l.shift_y,
    });
    test(&Frame::new(width, height, *color, &components).unwrap());
}

fn input(width: u32, height: u32, fit: Fit, resize: Resize) -> InputSpec {
    InputSpec {
        name: None,
        width,
        height,
        multiple: None,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit,
        resize,
    }
}

/// Largest difference that [`Resize::Antialias`] may make, in levels of 255: its weights are whole numbers of 1/16384, so each sample
/// adds a little, and up to [`FEW_SAMPLES`] of them are what networks see of real frames.
const ANTIALIAS_TOLERANCE: f32 = 0.1;
const FEW_SAMPLES: f64 = 32.0;

fn compare(frame: &Frame, placement: &Placement, input: &InputSpec, scratch: &mut Scratch, what: &str) {
    let expected = reference::picture(frame, placement, input);
    let mut found = vec![f32::NAN; placement.values()];
    picture_into(frame, placement, input, scratch, &mut found);
    let mut plain = vec![f32::NAN; placement.values()];
    picture_into(frame, placement, input, &mut Scratch::plain(), &mut plain);
    assert!(found == plain, "{what} {frame:?} {placement:?} {:?}: not the same without SIMD", input.resize);
    assert_eq!(found.len(), expected.len());
    let (across, down) = (
        placement.canvas_width / placement.out_width as f64,
        placement.canvas_height / placement.out_height as f64,
    );
    let tolerance = ANTIALIAS_TOLERANCE * (across.max(down) / FEW_SAMPLES).max(1.0) as f32;
    let largest_scale = input.scale.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        let fits = if input.resize == Resize::Antialias {
            (f - e).abs() <= tolerance * largest_scale
        } else {
            f.to_bits() == e.to_bits() || (*f == 0.0 && *e == 0.0)
        };
        assert!(fits, "{what} {frame:?} {placement:?} {:?}: value {i} is {f}, expected {e}", input.resize);
    }
}

#[test]
fn common_sizes_in_every_layout_equal_the_reference() {
    let mut scratch = Scratch::default();
    for layout in &LAYOUTS {
        for size in [(1, 1), (2, 2), (7, 5), (640, 361), (321, 179)] {
            with_frame(size, 3, layout, 7, &mut |frame| {
                for resize in [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias] {
                    for (side, fit) in [
                        (64, Fit::PadRightBottom),
                        (33, Fit::PadCentre),
                        (24, Fit::CentreCrop),
                        (40, Fit::Stretch),
                    ] {
                        let input = input(side, side + 7, fit, resize);
                        let placement = Placement::of_frame(size.0, size.1, &input, 0.9);
                        compare(frame, &placement, &input, &mut scratch, layout.0);
                    }
                }
            });
        }
    }
}

#[test]
fn large_frames_equal_the_reference() {
    let mut scratch = Scratch::default();
    for size in [(1280, 720), (1920, 1080), (3840, 2160), (7680, 4320)] {
        for layout in LAYOUTS.iter().filter(|l| ["NV12", "RGB", "YUY2"].contains(&l.0)) {
            with_frame(size, 0, layout, 3, &mut |frame| {
                let mut detector = input(640, 640, Fit::PadRightBottom, Resize::Bilinear);
                detector.multiple = Some(32);
                for input in [
                    detector,
                    input(320, 240, Fit::Stretch, Resize::Bilinear),
                    input(512, 512, Fit::PadRightBottom, Resize::BilinearLegacy),
                    input(224, 224, Fit::CentreCrop, Resize::Antialias),
                ] {
                    let placement = Placement::of_frame(size.0, size.1, &input, 1.0);
                    compare(frame, &placement, &input, &mut scratch, layout.0);
                }
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_layout_size_region_and_input_equals_the_reference(
        width in 1_u32..200, height in 1_u32..120, padding in 0_usize..40, layout in 0..LAYOUTS.len(),
        out_width in 1_u32..90, out_height in 1_u32..50, fit in 0_usize..4, resize in 0_usize..3,
        region in (0.0_f32..1.0, 0.0_f32..1.0, 0.0_f32..1.2, 0.0_f32..1.2), part in 0.1_f32..=1.0,
        nhwc: bool, bgr: bool, normalised: bool, seed in 0_usize..1000,
    ) {
        let fit = [Fit::PadRightBottom, Fit::PadCentre, Fit::Stretch, Fit::CentreCrop][fit];
        let resize = [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias][resize];
        let mut input = input(out_width, out_height, fit, resize);
        if nhwc {
            input.layout = Layout::Nhwc;
        }
        if bgr {
            input.channels = Channels::Bgr;
        }
        if normalised {
            (input.mean, input.scale) = ([122.782, 117.001, 104.298], [1.0 / 255.0, 0.01, 2.0]);
        }
        let share = |part: f32, of: u32| (part * of as f32) as usize;
        let region = Region {
            x: share(region.0, width),
            y: share(region.1, height),
            width: share(region.2, width).max(1),
            height: share(region.3, height).max(1),
        };
        let placement = Placement::of_region(region, &input, part);
        with_frame((width, height), padding, &LAYOUTS[layout], seed, &mut |frame| {
            let mut scratch = Scratch::default();
            compare(frame, &placement, &input, &mut scratch, LAYOUTS[layout].0);
            // Once more with the tables that are there, and after another placement.
            compare(frame, &placement, &input, &mut scratch, LAYOUTS[layout].0);
            let whole = Placement::of_frame(width, height, &input, 1.0);
            compare(frame, &whole, &input, &mut scratch, LAYOUTS[layout].0);
        });
    }
}
