//! Time of making network inputs, on this machine, without any network: the fast paths beside the reference.
//!
//! `cargo run --release -p facialads-vision --example pixels` prints milliseconds. To count instructions:
//! `valgrind --tool=callgrind target/release/examples/pixels NV12 1280x720 detector fast 20`, and the same with 10 at the
//! end: the difference is what ten pictures take.

use facialads_vision::{
    ColorModel, Component, Frame, Matrix, Range,
    face::{CutScratch, Portrait, TEMPLATE},
    geometry::Similarity,
    preprocess::{Placement, Region, Scratch, picture_into, reference},
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use std::{error::Error, hint::black_box, time::Instant};

type Job = (&'static str, u32, u32, Option<u32>, Fit, Resize, Option<f32>);

/// What is made: name, sides of the network's input, multiple, fit, resize, part of the frame's height that is shown.
const JOBS: [Job; 5] = [
    ("detector", 640, 640, Some(32), Fit::PadRightBottom, Resize::Bilinear, None),
    ("rfb-320", 320, 240, None, Fit::Stretch, Resize::Bilinear, None),
    ("face-112", 112, 112, None, Fit::PadCentre, Resize::BilinearLegacy, Some(0.4)),
    ("face-224", 224, 224, None, Fit::PadCentre, Resize::Bilinear, Some(0.4)),
    ("subject", 224, 224, None, Fit::CentreCrop, Resize::Antialias, None),
];
const SIZES: [(u32, u32); 3] = [(1280, 720), (1920, 1080), (3840, 2160)];
const FORMATS: [&str; 5] = ["NV12", "I420", "YUY2", "RGB", "RGBx"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |at: usize, name: &str| arguments.get(at).is_none_or(|a| a == name);
    let times: usize = arguments.get(4).map_or(Ok(0), |n| n.parse())?;
    println!("milliseconds, median (least): reference, fast");
    for (width, height) in SIZES {
        for format in FORMATS {
            if !wanted(0, format) || !wanted(1, &format!("{width}x{height}")) {
                continue;
            }
            let bytes: Vec<u8> = (0..width * height * 4).map(|i| (i * 7 % 251) as u8).collect();
            let frame = frame(format, width, height, &bytes)?;
            if wanted(2, "aligned-112") && times == 0 {
                println!("{width}x{height} {format:5} aligned-112: {}", aligned(&frame));
            }
            for (name, side_x, side_y, multiple, fit, resize, part) in JOBS {
                if !wanted(2, name) {
                    continue;
                }
                let input = input(side_x, side_y, multiple, fit, resize);
                let placement = match part {
                    Some(part) => Placement::of_region(face(width, height, part), &input, 1.0),
                    None => Placement::of_frame(width, height, &input, 1.0),
                };
                let mut out = vec![0.0; placement.values()];
                let mut scratch = Scratch::default();
                let mut fast = || picture_into(&frame, &placement, &input, &mut scratch, black_box(&mut out));
                let slow = || drop(black_box(reference::picture(&frame, &placement, &input)));
                if times > 0 {
                    if wanted(3, "fast") {
                        (0..times).for_each(|_| fast());
                    } else {
                        (0..times).for_each(|_| slow());
                    }
                    continue;
                }
                println!(
                    "{width}x{height} {format:5} {name:9} {}x{}: {} {}",
                    placement.out_width,
                    placement.out_height,
                    measured(slow),
                    measured(fast)
                );
            }
        }
    }
    Ok(())
}

/// A face turned upright, 0.4 of the frame's height.
fn aligned(frame: &Frame) -> String {
    let side = frame.height() as f32 * 0.4;
    let place = Similarity::new(side, 0.3, (frame.width() as f32 / 3.0, frame.height() as f32 / 4.0));
    let points = TEMPLATE.map(|point| place.apply(point));
    let input = input(112, 112, None, Fit::PadCentre, Resize::Bilinear);
    let (mut memory, mut out) = (CutScratch::default(), vec![0.0; 3 * 112 * 112]);
    measured(|| {
        black_box(Portrait::cut_aligned_into(frame, &points, &TEMPLATE, &input, &mut memory, &mut out));
    })
}

fn measured(mut run: impl FnMut()) -> String {
    let mut times: Vec<f64> = (0..25)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    format!("{:7.3} ({:7.3})", times[times.len() / 2], times[0])
}

fn face(width: u32, height: u32, part: f32) -> Region {
    let side = (height as f32 * part) as usize;
    Region { x: width as usize / 3 + 1, y: height as usize / 5 + 1, width: side, height: side }
}

fn input(width: u32, height: u32, multiple: Option<u32>, fit: Fit, resize: Resize) -> InputSpec {
    InputSpec {
        name: None,
        width,
        height,
        multiple,
        layout: Layout::Nchw,
        channels: Channels::Bgr,
        mean: [0.0; 3],
        scale: [1.0; 3],
        fit,
        resize,
    }
}

fn frame<'a>(format: &str, width: u32, height: u32, bytes: &'a [u8]) -> Result<Frame<'a>, Box<dyn Error>> {
    let (columns, pixels) = (width as usize, (width * height) as usize);
    // Offset, row stride, pixel stride, shift along and down.
    let (color, read) = match format {
        "NV12" => (YUV, [(0, columns, 1, 0, 0), (pixels, columns, 2, 1, 1), (pixels + 1, columns, 2, 1, 1)]),
        "I420" => (
            YUV,
            [(0, columns, 1, 0, 0), (pixels, columns / 2, 1, 1, 1), (pixels * 5 / 4, columns / 2, 1, 1, 1)],
        ),
        "YUY2" => (YUV, [(0, columns * 2, 2, 0, 0), (1, columns * 2, 4, 1, 0), (3, columns * 2, 4, 1, 0)]),
        "RGB" => (ColorModel::Rgb, [0, 1, 2].map(|at| (at, columns * 3, 3, 0, 0))),
        _ => (ColorModel::Rgb, [0, 1, 2].map(|at| (at, columns * 4, 4, 0, 0))),
    };
    let components = read.map(|(offset, row_stride, pixel_stride, shift_x, shift_y)| Component {
        data: &bytes[offset..],
        row_stride,
        pixel_stride,
        shift_x,
        shift_y,
    });
    Ok(Frame::new(width, height, color, &components)?)
}

const YUV: ColorModel = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
