//! Pre-processing: the originals' habits to the last digit, and the same picture out of every pixel layout.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range,
    preprocess::{Placement, picture},
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use proptest::prelude::*;

fn input(side: u32, fit: Fit, resize: Resize) -> InputSpec {
    InputSpec {
        name: None,
        width: side,
        height: side,
        multiple: None,
        layout: Layout::Nchw,
        channels: Channels::Rgb,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit,
        resize,
    }
}

fn prepared(frame: &Frame, input: &InputSpec) -> Vec<f32> {
    picture(frame, &Placement::of_frame(frame.width(), frame.height(), input, 1.0), input)
}

/// The picture of the prototype's script: columns `from..to` of 13, 9 rows.
fn noise(from: usize, to: usize) -> (u32, u32, Vec<u8>) {
    let sample = |y: usize, x: usize, c: usize| ((x * 37 + y * 91 + c * 53 + x * y * 7) % 256) as u8;
    let data =
        (0..9).flat_map(|y| (from..to).flat_map(move |x| (0..3).map(move |c| sample(y, x, c)))).collect();
    ((to - from) as u32, 9, data)
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance, "value {i}: {f}, expected {e}");
    }
}

#[test]
fn padding_and_the_legacy_resize_equal_tensorflow_js() {
    let (width, height, data) = noise(0, 13);
    let frame = Frame::rgb(width, height, &data).unwrap();
    let found = prepared(&frame, &input(6, Fit::PadRightBottom, Resize::BilinearLegacy));
    assert_close(&found, &PADDED_RIGHT_BOTTOM, 1e-4);
    let (width, height, data) = noise(3, 9);
    let frame = Frame::rgb(width, height, &data).unwrap();
    let found = prepared(&frame, &input(6, Fit::PadCentre, Resize::BilinearLegacy));
    assert_close(&found, &PADDED_CENTRE, 1e-4);
}

#[test]
fn the_antialiased_centre_crop_equals_pillow() {
    let (width, height, data) = noise(0, 13);
    let frame = Frame::rgb(width, height, &data).unwrap();
    let found = prepared(&frame, &input(6, Fit::CentreCrop, Resize::Antialias));
    // Pillow rounds to whole levels after each direction.
    assert_close(&found, &ANTIALIASED, 1.01);
    let sum = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    assert!((sum(&found) - sum(&ANTIALIASED)).abs() < 0.2, "and not more to one side than to the other");
}

#[test]
fn layout_channels_mean_and_scale_are_applied() {
    let data = [10, 20, 30, 40, 50, 60];
    let frame = Frame::rgb(2, 1, &data).unwrap();
    let spec = InputSpec {
        width: 2,
        height: 1,
        channels: Channels::Bgr,
        mean: [30.0, 0.0, 0.0],
        scale: [1.0, 2.0, 1.0],
        ..input(1, Fit::Stretch, Resize::Bilinear)
    };
    assert_eq!(prepared(&frame, &spec), [0.0, 30.0, 40.0, 100.0, 10.0, 40.0]);
    let spec = InputSpec { layout: Layout::Nhwc, ..spec };
    assert_eq!(prepared(&frame, &spec), [0.0, 40.0, 10.0, 30.0, 100.0, 40.0]);
}

/// A picture that changes slowly, so that subsampled chroma says the same.
fn slopes(width: usize, height: usize) -> Vec<[u8; 3]> {
    let pixel = |i: usize| {
        let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
        [(40.0 + 150.0 * x) as u8, (200.0 - 120.0 * y) as u8, (60.0 + 60.0 * x + 60.0 * y) as u8]
    };
    (0..width * height).map(pixel).collect()
}

/// RGB to YUV as the standards have it.
fn to_yuv(rgb: [u8; 3], matrix: Matrix, range: Range) -> [u8; 3] {
    let (kr, kb) = match matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let [r, g, b] = rgb.map(|v| f64::from(v) / 255.0);
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
    let (base, luma, chroma) =
        if range == Range::Limited { (16.0, 219.0, 224.0) } else { (0.0, 255.0, 255.0) };
    [base + luma * y, 128.0 + chroma * u, 128.0 + chroma * v].map(|v| v.round().clamp(0.0, 255.0) as u8)
}

/// Bytes of a layout, and how to read its components: (offset, row stride, pixel stride, shift x, shift y).
type Packed = (Vec<u8>, Vec<(usize, usize, usize, u8, u8)>);

fn plane(
    pixels: &[[u8; 3]],
    width: usize,
    component: usize,
    shift_x: u8,
    shift_y: u8,
    stride: usize,
) -> Vec<u8> {
    let height = pixels.len() / width;
    let (columns, rows) = (width.div_ceil(1 << shift_x), height.div_ceil(1 << shift_y));
    let mut bytes = vec![99; stride * rows];
    for y in 0..rows {
        for x in 0..columns {
            let (px, py) = ((x << shift_x).min(width - 1), (y << shift_y).min(height - 1));
            bytes[y * stride + x] = pixels[py * width + px][component];
        }
    }
    bytes
}

/// I420, Y42B and the like: three planes with padded rows.
fn planar(pixels: &[[u8; 3]], width: usize, shift_x: u8, shift_y: u8) -> Packed {
    let stride = width + 5;
    let (mut bytes, mut read) = (Vec::new(), Vec::new());
    for (component, (sx, sy)) in [(0, 0), (shift_x, shift_y), (shift_x, shift_y)].into_iter().enumerate() {
        read.push((bytes.len(), stride, 1, sx, sy));
        bytes.extend(plane(pixels, width, component, sx, sy, stride));
    }
    (bytes, read)
}

/// NV12: a luma plane, and one with both chromas.
fn semi_planar(pixels: &[[u8; 3]], width: usize) -> Packed {
    let stride = width.next_multiple_of(2) + 6;
    let mut bytes = plane(pixels, width, 0, 0, 0, stride);
    let start = bytes.len();
    let half = stride / 2;
    let (u, v) = (plane(pixels, width, 1, 1, 1, half), plane(pixels, width, 2, 1, 1, half));
    bytes.extend(u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]));
    (bytes, vec![(0, stride, 1, 0, 0), (start, stride, 2, 1, 1), (start + 1, stride, 2, 1, 1)])
}

/// YUY2: Y U Y V.
fn packed_422(pixels: &[[u8; 3]], width: usize) -> Packed {
    let stride = width.next_multiple_of(2) * 2;
    let row = |row: &[[u8; 3]]| {
        let pair = |pair: &[[u8; 3]]| [pair[0][0], pair[0][1], pair.last().unwrap()[0], pair[0][2]];
        row.chunks(2).flat_map(pair).collect::<Vec<u8>>()
    };
    let bytes = pixels.chunks(width).flat_map(row).collect();
    (bytes, vec![(0, stride, 2, 0, 0), (1, stride, 4, 1, 0), (3, stride, 4, 1, 0)])
}

/// BGRx and the like: `order` says at which byte of `size` each component lies.
fn packed(pixels: &[[u8; 3]], width: usize, order: [usize; 3], size: usize) -> Packed {
    let mut bytes = vec![77; pixels.len() * size];
    for (pixel, bytes) in pixels.iter().zip(bytes.chunks_mut(size)) {
        (0..3).for_each(|c| bytes[order[c]] = pixel[c]);
    }
    (bytes, order.iter().map(|at| (*at, width * size, size, 0, 0)).collect())
}

fn check_layout(
    name: &str,
    width: usize,
    height: usize,
    color: ColorModel,
    (bytes, read): Packed,
    tolerance: f32,
) {
    let components: Vec<Component> = read
        .iter()
        .map(|(offset, row_stride, pixel_stride, shift_x, shift_y)| Component {
            data: &bytes[*offset..],
            row_stride: *row_stride,
            pixel_stride: *pixel_stride,
            shift_x: *shift_x,
            shift_y: *shift_y,
        })
        .collect();
    let frame = Frame::new(width as u32, height as u32, color, &components).unwrap();
    let flat = slopes(width, height).concat();
    let reference = Frame::rgb(width as u32, height as u32, &flat).unwrap();
    for (fit, resize) in [
        (Fit::PadRightBottom, Resize::BilinearLegacy),
        (Fit::PadCentre, Resize::Bilinear),
        (Fit::CentreCrop, Resize::Antialias),
    ] {
        let input = input(24, fit, resize);
        let (found, expected) = (prepared(&frame, &input), prepared(&reference, &input));
        let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance, "{name} {width}x{height} {fit:?}: off by {worst}");
    }
}

#[test]
fn every_pixel_layout_gives_the_same_picture() {
    for (width, height) in [(96, 54), (61, 87)] {
        let pixels = slopes(width, height);
        for (name, order, size) in [
            ("RGB", [0, 1, 2], 3),
            ("BGR", [2, 1, 0], 3),
            ("RGBA", [0, 1, 2], 4),
            ("BGRx", [2, 1, 0], 4),
            ("xRGB", [1, 2, 3], 4),
            ("ABGR", [3, 2, 1], 4),
        ] {
            check_layout(name, width, height, ColorModel::Rgb, packed(&pixels, width, order, size), 1e-4);
        }
        check_layout("GBR", width, height, ColorModel::Rgb, planar(&pixels, width, 0, 0), 1e-4);
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for range in [Range::Limited, Range::Full] {
                let color = ColorModel::Yuv { matrix, range };
                let yuv: Vec<[u8; 3]> = pixels.iter().map(|p| to_yuv(*p, matrix, range)).collect();
                // Whole levels of Y, U and V: up to 1.7 levels of RGB; and at the right edge of subsampled chroma a bit more.
                check_layout("Y444", width, height, color, planar(&yuv, width, 0, 0), 1.8);
                check_layout("AYUV", width, height, color, packed(&yuv, width, [1, 2, 3], 4), 1.8);
                check_layout("I420", width, height, color, planar(&yuv, width, 1, 1), 6.0);
                check_layout("Y42B", width, height, color, planar(&yuv, width, 1, 0), 6.0);
                check_layout("Y41B", width, height, color, planar(&yuv, width, 2, 0), 10.0);
                check_layout("NV12", width, height, color, semi_planar(&yuv, width), 6.0);
                check_layout("YUY2", width, height, color, packed_422(&yuv, width), 6.0);
            }
        }
    }
}

#[test]
fn grey_is_grey_and_padding_is_black_in_every_colour_model() {
    let data = [200; 4];
    let component = Component { data: &data, row_stride: 2, pixel_stride: 1, shift_x: 0, shift_y: 0 };
    let gray = Frame::new(2, 2, ColorModel::Gray, &[component]).unwrap();
    assert!(prepared(&gray, &input(4, Fit::Stretch, Resize::Bilinear)).iter().all(|v| *v == 200.0));
    for range in [Range::Limited, Range::Full] {
        let color = ColorModel::Yuv { matrix: Matrix::Bt709, range };
        let wide = Frame::new(4, 1, color, &[component; 3]).unwrap();
        for resize in [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias] {
            let out = prepared(&wide, &input(8, Fit::PadRightBottom, resize));
            let bottom = &out[7 * 8..8 * 8];
            assert!(bottom.iter().all(|v| v.abs() < 1e-3), "{resize:?}: {bottom:?}");
        }
    }
}

#[test]
fn frames_of_one_pixel_and_of_8k_go_through() {
    let one = [10, 20, 30];
    let frame = Frame::rgb(1, 1, &one).unwrap();
    for fit in [Fit::PadRightBottom, Fit::PadCentre, Fit::Stretch, Fit::CentreCrop] {
        for resize in [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias] {
            let out = prepared(&frame, &input(32, fit, resize));
            assert_eq!(out[0], 10.0, "{fit:?} {resize:?}");
        }
    }
    let (width, height) = (7680, 4320);
    let data = vec![90; width * height * 3 / 2];
    let component = |offset: usize, row_stride: usize, shift: u8| Component {
        data: &data[offset..],
        row_stride,
        pixel_stride: 1,
        shift_x: shift,
        shift_y: shift,
    };
    let chroma = width * height;
    let components =
        [component(0, width, 0), component(chroma, width / 2, 1), component(chroma * 5 / 4, width / 2, 1)];
    let color = ColorModel::Yuv { matrix: Matrix::Bt2020, range: Range::Limited };
    let frame = Frame::new(width as u32, height as u32, color, &components).unwrap();
    let out = prepared(&frame, &input(224, Fit::CentreCrop, Resize::Antialias));
    for channel in out.chunks(224 * 224) {
        assert!(channel.iter().all(|v| (v - channel[0]).abs() < 0.01));
    }
    assert_eq!(out.len(), 3 * 224 * 224);
    let mut spec = input(640, Fit::PadRightBottom, Resize::Bilinear);
    spec.multiple = Some(32);
    assert_eq!(prepared(&frame, &spec).len(), 3 * 640 * 384);
}

#[test]
fn a_frame_that_does_not_hold_its_pixels_is_refused_with_what_is_missing() {
    let error = Frame::rgb(4, 2, &[0; 23]).unwrap_err().to_string();
    assert!(error.contains("4x2") && error.contains("22 bytes needed, 21 given"), "{error}");
    assert!(Frame::rgb(0, 2, &[]).unwrap_err().to_string().contains("1 to"));
    assert!(Frame::rgb(u32::MAX, 1, &[]).is_err());
    let short = Component { data: &[0; 8], row_stride: usize::MAX, pixel_stride: 1, shift_x: 0, shift_y: 0 };
    let error = Frame::new(4, 3, ColorModel::Gray, &[short]).unwrap_err().to_string();
    assert!(error.contains("overflow"), "{error}");
    let error = Frame::new(4, 1, ColorModel::Rgb, &[short]).unwrap_err().to_string();
    assert!(error.contains("1 component(s) given, 3 needed"), "{error}");
}

proptest! {
    /// Whatever a format claims: either it is refused or every sample can be read.
    #[test]
    fn no_frame_makes_the_scaling_panic(
        width in 1_u32..70, height in 1_u32..70, bytes in 0_usize..6000,
        row_stride in 0_usize..90, pixel_stride in 0_usize..5, shift_x in 0_u8..4, shift_y in 0_u8..4,
        side in 1_u32..40, fit in 0_usize..4, resize in 0_usize..3, multiple in proptest::option::of(1_u32..8),
        part in 0.05_f32..1.0,
    ) {
        let data = vec![7; bytes];
        let component = Component { data: &data, row_stride, pixel_stride, shift_x, shift_y };
        let color = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Full };
        if let Ok(frame) = Frame::new(width, height, color, &[component; 3]) {
            let fit = [Fit::PadRightBottom, Fit::PadCentre, Fit::Stretch, Fit::CentreCrop][fit];
            let resize = [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias][resize];
            let mut spec = input(side, fit, resize);
            spec.multiple = multiple;
            spec.width = side * multiple.unwrap_or(1);
            spec.height = (side + 3) * multiple.unwrap_or(1);
            let placed = Placement::of_frame(width, height, &spec, part);
            let out = picture(&frame, &placed, &spec);
            prop_assert_eq!(out.len(), 3 * placed.out_width * placed.out_height);
            prop_assert!(out.iter().all(|v| (0.0..=255.0).contains(v)));
        }
    }
}

// Made with the prototype (numpy, float32) and Pillow 11 from the picture of `noise`.
const PADDED_RIGHT_BOTTOM: [f32; 108] = [
    0.0, 80.1667, 160.3333, 112.5, 64.6667, 144.8334, 154.5, 54.1945, 153.0, 130.9167, 108.8333, 207.6389,
    138.3333, 170.4444, 145.6667, 149.3333, 124.5556, 128.2222, 79.5, 108.9167, 138.3333, 167.75, 154.5,
    98.5833, 71.9999, 53.8333, 35.6666, 17.5, 27.7777, 66.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 53.0, 133.1667,
    213.3333, 37.5, 117.6667, 197.8333, 207.5, 107.1945, 177.5556, 77.25, 147.6111, 82.861, 191.3333,
    81.2222, 141.7778, 117.0, 177.5556, 81.6667, 132.5, 161.9167, 106.0, 92.75, 122.1666, 130.25, 4.3333,
    57.2777, 53.3333, 35.1666, 45.4444, 13.0555, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 106.0, 186.1667, 181.0, 90.5,
    170.6667, 37.4999, 47.1667, 153.0833, 159.4444, 108.9167, 200.6111, 100.3056, 159.0, 120.0, 137.8889,
    127.3333, 116.7778, 120.4445, 185.5, 108.25, 116.3333, 145.75, 132.5, 183.25, 22.0, 74.9444, 42.5555,
    52.8333, 34.6666, 30.7222, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];
const PADDED_CENTRE: [f32; 108] = [
    0.0, 129.5, 185.0, 112.5, 40.0, 0.0, 0.0, 110.75, 118.0, 125.25, 132.5, 0.0, 0.0, 220.0, 51.0, 138.0,
    225.0, 0.0, 0.0, 137.25, 112.0, 150.75, 61.5, 0.0, 0.0, 54.5, 173.0, 163.5, 154.0, 0.0, 0.0, 163.75,
    106.0, 112.25, 118.5, 0.0, 0.0, 182.5, 238.0, 37.5, 93.0, 0.0, 0.0, 99.75, 171.0, 114.25, 185.5, 0.0,
    0.0, 145.0, 104.0, 191.0, 22.0, 0.0, 0.0, 126.25, 165.0, 139.75, 114.5, 0.0, 0.0, 107.5, 226.0, 88.5,
    207.0, 0.0, 0.0, 88.75, 159.0, 101.25, 171.5, 0.0, 0.0, 235.5, 35.0, 90.5, 146.0, 0.0, 0.0, 152.75, 96.0,
    167.25, 110.5, 0.0, 0.0, 70.0, 157.0, 116.0, 75.0, 0.0, 0.0, 115.25, 90.0, 128.75, 167.5, 0.0, 0.0,
    160.5, 23.0, 141.5, 4.0, 0.0, 0.0, 141.75, 84.0, 154.25, 96.5, 0.0,
];
const ANTIALIASED: [f32; 108] = [
    129.0, 120.0, 145.0, 100.0, 104.0, 100.0, 109.0, 118.0, 139.0, 118.0, 132.0, 129.0, 147.0, 161.0, 136.0,
    137.0, 138.0, 127.0, 133.0, 145.0, 135.0, 138.0, 91.0, 156.0, 107.0, 118.0, 147.0, 151.0, 132.0, 143.0,
    141.0, 150.0, 99.0, 111.0, 114.0, 124.0, 146.0, 141.0, 145.0, 100.0, 125.0, 117.0, 130.0, 127.0, 141.0,
    120.0, 141.0, 150.0, 146.0, 135.0, 136.0, 137.0, 112.0, 127.0, 132.0, 119.0, 135.0, 153.0, 134.0, 145.0,
    160.0, 108.0, 139.0, 109.0, 128.0, 90.0, 134.0, 96.0, 141.0, 111.0, 156.0, 117.0, 139.0, 176.0, 109.0,
    142.0, 124.0, 170.0, 119.0, 154.0, 115.0, 148.0, 143.0, 115.0, 146.0, 128.0, 126.0, 111.0, 121.0, 130.0,
    114.0, 112.0, 125.0, 124.0, 128.0, 78.0, 113.0, 136.0, 113.0, 131.0, 99.0, 125.0, 187.0, 132.0, 106.0,
    147.0, 121.0, 170.0,
];
