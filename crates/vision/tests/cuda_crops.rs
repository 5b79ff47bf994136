//! Faces cut out of frames in a GPU's memory, and how clearly they are seen, beside what the CPU makes of the same frames.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::cuda::{FORMATS, Format, Machine, Picture, format, input, target, workspace, worst};
use facialads_vision::{
    Rect,
    cuda::{
        CudaFrame, Depth, DeviceBuffer, Payload, Target, Workspace, crop,
        crop::CropJob,
        quality::{self, QualityJob, Readings},
        traffic,
    },
    face::{Clarity, CutScratch, Portrait, TEMPLATE, mirror},
    geometry::Similarity,
    preprocess::{Cut, reference},
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use proptest::prelude::*;

/// Largest difference from the reference, in levels of 255.
const TOLERANCE: f32 = 1e-4;
/// Largest difference from what the CPU makes, whose filter's weights are whole numbers of 1/16384.
const WHOLE_NUMBERS: f32 = 0.15;

/// What the CPU makes of a cut.
fn on_the_cpu(host: &Picture, cut: &Cut, input: &InputSpec) -> Vec<f32> {
    let (width, height) = cut.size(input);
    let mut values = vec![f32::NAN; 3 * width * height];
    assert!(cut.write(&host.frame(), input, &mut CutScratch::default(), &mut values));
    values
}

/// The same with exact weights.
fn exactly(host: &Picture, cut: &Cut, input: &InputSpec) -> Vec<f32> {
    match cut {
        Cut::Box(placement) => reference::picture(&host.frame(), placement, input),
        Cut::Upright(upright) => reference::warp(&host.frame(), upright.to_frame(), input).unwrap(),
    }
}

fn made(machine: &Machine, frame: &CudaFrame, cut: &Cut, input: &InputSpec) -> Vec<f32> {
    let (width, height) = cut.size(input);
    let out = machine.room(3 * width * height);
    let job = CropJob { frame, cut: *cut, input, half: false, mirror: false, out: target(&out) };
    crop::launch(&machine.stream, &[job], &mut workspace()).unwrap();
    machine.values(&out, 3 * width * height)
}

fn compare(machine: &Machine, frame: &CudaFrame, host: &Picture, cut: &Cut, input: &InputSpec, what: &str) {
    let found = made(machine, frame, cut, input);
    let off = worst(&found, &exactly(host, cut, input), input);
    assert!(off <= TOLERANCE, "{what}: off by {off}");
    let off = worst(&found, &on_the_cpu(host, cut, input), input);
    assert!(off <= WHOLE_NUMBERS, "{what} beside the CPU: off by {off}");
}

/// Five points of a face that fills a square of `side` pixels, turned by `radians` about its middle.
fn face(side: f32, radians: f32, middle: (f32, f32)) -> [(f32, f32); 5] {
    let centred = Similarity::new(1.0, 0.0, (-0.5, -0.5));
    let place = centred.then(&Similarity::new(side, radians, middle));
    TEMPLATE.map(|point| place.apply(point))
}

/// The photographs that `make setup` fetched: of people, published.
fn photographs() -> Vec<Picture> {
    let names = (1..=6).map(|i| format!("sample{i}.jpg"));
    let files = names.filter_map(|name| facialads_testkit::media(&name));
    files
        .map(|file| {
            let image = image::open(file).unwrap().into_rgb8();
            Picture::rgb(image.width(), image.height(), image.into_raw())
        })
        .collect()
}

/// Boxes and upright faces of many sizes, in the middle of a frame, at its edges and beyond them.
fn cuts((width, height): (u32, u32), input: &InputSpec) -> Vec<(String, Cut)> {
    let (w, h) = (width as f32, height as f32);
    let mut cuts = Vec::new();
    for part in [0.06_f32, 0.11, 0.3, 0.77, 1.6] {
        let side = part * w.min(h);
        for (x, y) in [(0.5, 0.5), (0.13, 0.31), (0.0, 0.97), (1.02, 0.4)] {
            let bounds = Rect::new(x * w - side / 2.0, y * h - side * 0.6, side, side * 1.2);
            for margin in [0.0, 0.2] {
                let cut = Portrait::cut_of((width, height), &bounds, margin, input);
                cuts.extend(cut.map(|cut| (format!("box of {part} at {x}, {y}"), cut)));
            }
            for radians in [0.0, 0.3, -2.0] {
                let points = face(side, radians, (x * w, y * h));
                let cut = Portrait::aligned_cut_of((width, height), &points, &TEMPLATE, input);
                cuts.extend(cut.map(|cut| (format!("face of {part} at {x}, {y}, turned {radians}"), cut)));
            }
        }
    }
    cuts
}

#[test]
fn faces_of_photographs_equal_the_reference_and_what_the_cpu_makes() {
    let Some(machine) = Machine::new() else { return };
    for (number, host) in photographs().into_iter().enumerate() {
        host.with_cuda(&machine, |frame| {
            for (side, resize) in
                [(112, Resize::BilinearLegacy), (224, Resize::Bilinear), (64, Resize::Antialias)]
            {
                let mut input = input(side, side, Fit::PadCentre, resize);
                if side == 64 {
                    (input.layout, input.channels) = (Layout::Nhwc, Channels::Bgr);
                    (input.mean, input.scale) = ([104.0, 117.0, 123.0], [1.0 / 128.0; 3]);
                }
                let cuts = cuts(frame.size(), &input);
                // All of them for one photograph, a few for the others.
                for (what, cut) in cuts.iter().step_by(if number == 0 { 1 } else { 7 }) {
                    compare(&machine, frame, &host, cut, &input, &format!("{what}, {side} px"));
                }
            }
        });
    }
}

#[test]
fn faces_in_every_layout_equal_the_reference() {
    let Some(machine) = Machine::new() else { return };
    for format in FORMATS.iter().filter(|format| format.2 == Depth::Eight) {
        for size in [(321, 179), (64, 200)] {
            let host = Picture::noise(format, size, 3, 5);
            host.with_cuda(&machine, |frame| {
                let input = input(40, 48, Fit::PadCentre, Resize::Bilinear);
                for (what, cut) in cuts(size, &input).iter().step_by(3) {
                    compare(&machine, frame, &host, cut, &input, &format!("{} {what}", format.0));
                }
            });
        }
    }
}

#[test]
fn a_face_in_an_8k_frame_equals_the_reference() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (7680, 4320), 64, 3);
    host.with_cuda(&machine, |frame| {
        let input = input(112, 112, Fit::PadCentre, Resize::Bilinear);
        for (side, radians, middle) in [(3000.0, 0.4, (3800.0, 2100.0)), (90.0, -0.2, (7600.0, 4300.0))] {
            let points = face(side, radians, middle);
            let cut = Portrait::aligned_cut_of(frame.size(), &points, &TEMPLATE, &input).unwrap();
            compare(&machine, frame, &host, &cut, &input, "upright");
            let bounds = Rect::new(middle.0 - side / 2.0, middle.1 - side / 2.0, side, side);
            let cut = Portrait::cut_of(frame.size(), &bounds, 0.2, &input).unwrap();
            compare(&machine, frame, &host, &cut, &input, "box");
        }
    });
}

#[test]
fn all_faces_of_a_frame_are_one_launch_with_their_mirror_images() {
    let Some(machine) = Machine::new() else { return };
    machine.card.run_late(true);
    let formats: [&'static Format; 2] = [format("NV12"), format("RGBA")];
    let hosts = formats.map(|format| Picture::noise(format, (400, 300), 8, 2));
    hosts[0].with_cuda(&machine, |first| {
        hosts[1].with_cuda(&machine, |second| {
            let mut inputs = [
                input(112, 112, Fit::PadCentre, Resize::BilinearLegacy),
                input(48, 40, Fit::PadCentre, Resize::Antialias),
                input(64, 64, Fit::Stretch, Resize::Bilinear),
            ];
            inputs[1].layout = Layout::Nhwc;
            (inputs[1].mean, inputs[1].scale) = ([9.0, 8.0, 7.0], [0.5, 0.25, 2.0]);
            let mut wanted = Vec::new();
            for (i, frame) in [first, second].into_iter().enumerate() {
                for input in &inputs {
                    for (_, cut) in cuts((400, 300), input).into_iter().step_by(4) {
                        wanted.push((i, frame, input, cut));
                    }
                }
            }
            assert!(wanted.len() > 64);
            let length = |input: &InputSpec| 3 * (input.width * input.height) as usize;
            let total: usize = wanted.iter().map(|(_, _, input, _)| 2 * length(input)).sum();
            let out = machine.room(total);
            let mut at = 0;
            let jobs: Vec<CropJob> = wanted
                .iter()
                .map(|(_, frame, input, cut)| {
                    let out = target(&out).from(at * 4);
                    at += 2 * length(input);
                    CropJob { frame, cut: *cut, input, half: false, mirror: true, out }
                })
                .collect();
            let before = traffic();
            crop::launch(&machine.stream, &jobs, &mut workspace()).unwrap();
            let card = &machine.card;
            let launches = ["crop_weights", "crop_across", "crop"].map(|kernel| card.launches(kernel));
            assert_eq!(launches, [1, 1, 1]);
            let since = traffic().since(&before);
            assert_eq!((since.pixels_to_device, since.pixels_to_host), (0, 0));
            assert_eq!(since.other_to_device, 360 * jobs.len() as u64);
            let found = machine.values(&out, total);
            let mut rest = found.as_slice();
            for (i, _, input, cut) in &wanted {
                let (picture, after) = rest.split_at(length(input));
                let (image, after) = after.split_at(length(input));
                rest = after;
                let mut expected = exactly(&hosts[*i], cut, input);
                assert!(worst(picture, &expected, input) <= TOLERANCE);
                mirror(&mut expected, input.width as usize, input.layout);
                assert!(worst(image, &expected, input) <= TOLERANCE, "the mirror image");
            }
        });
    });
}

#[test]
fn faces_that_are_not_made_smaller_take_one_launch_and_a_small_upload() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (300, 200), 0, 2);
    host.with_cuda(&machine, |frame| {
        let input = input(112, 112, Fit::PadCentre, Resize::Bilinear);
        let points = face(100.0, 0.3, (150.0, 100.0));
        let cut = Portrait::aligned_cut_of((300, 200), &points, &TEMPLATE, &input).unwrap();
        compare(&machine, frame, &host, &cut, &input, "as large as the picture");
        let card = &machine.card;
        assert_eq!(card.launches("crop"), 1);
        assert_eq!(card.launches("crop_weights") + card.launches("crop_across"), 0);
        // As `docs` of the module have it.
        let out = machine.room(2 * 3 * 112 * 112);
        let job = CropJob { frame, cut, input: &input, half: false, mirror: true, out: target(&out) };
        let moved = crop::bytes_moved(&[job]).unwrap();
        assert_eq!(moved.written, 2 * 3 * 112 * 112 * 4 + 360);
        assert!(moved.read > 100 * 100 && moved.read < 300 * 200 * 2, "{}", moved.read);
    });
}

#[test]
fn frames_after_the_first_allocate_nothing() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (640, 360), 0, 2);
    let input = input(112, 112, Fit::PadCentre, Resize::Bilinear);
    let (mut workspace, mut readings) = (Workspace::default(), Readings::default());
    let out = machine.room(8 * 3 * 112 * 112);
    host.with_cuda(&machine, |frame| {
        let mut calls = Vec::new();
        for i in 0..6 {
            // Faces that come closer, but for the first frame's, which is the largest.
            let jobs: Vec<CropJob> = (0..8)
                .map(|k| {
                    let side = if i == 0 { 340.0 } else { 60.0 + (i * 7 + k) as f32 * 3.0 };
                    let points = face(side, 0.2, (320.0, 180.0));
                    let cut = Portrait::aligned_cut_of((640, 360), &points, &TEMPLATE, &input).unwrap();
                    let out = target(&out).from(k * 3 * 112 * 112 * 4);
                    CropJob { frame, cut, input: &input, half: false, mirror: false, out }
                })
                .collect();
            crop::launch(&machine.stream, &jobs, &mut workspace).unwrap();
            let looks: Vec<QualityJob> = jobs
                .iter()
                .map(|job| QualityJob { picture: job.out, half: false, input: &input, margin: Some(0.0) })
                .collect();
            quality::launch(&machine.stream, &looks, &mut workspace, &mut readings).unwrap();
            readings.read(|_| {}).unwrap();
            let card = &machine.card;
            calls.push(
                ["call cuMemAlloc_v2", "call cuMemHostAlloc", "call cuEventCreate"].map(|c| card.count(c)),
            );
        }
        assert!(calls[1..].iter().all(|c| c[..2] == calls[1][..2]), "{calls:?}");
        assert_eq!(calls[0][..2], calls[5][..2], "{calls:?}");
    });
}

#[test]
fn sixteen_bit_floats_are_the_nearest() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (200, 150), 0, 4);
    host.with_cuda(&machine, |frame| {
        let input = input(33, 31, Fit::PadCentre, Resize::Bilinear);
        let length = 3 * 33 * 31;
        for (what, cut) in cuts((200, 150), &input).iter().step_by(9) {
            let out = machine.room(2 * length);
            let job =
                CropJob { frame, cut: *cut, input: &input, half: true, mirror: true, out: target(&out) };
            crop::launch(&machine.stream, &[job], &mut workspace()).unwrap();
            let found = machine.halves(&out, 2 * length);
            let mut expected = exactly(&host, cut, &input);
            let mut both = expected.clone();
            mirror(&mut expected, 33, input.layout);
            both.extend(expected);
            for (half, exact) in found.iter().zip(&both) {
                assert!((half - exact).abs() <= exact.abs() / 2048.0 + 1e-4, "{what}: {half} for {exact}");
            }
        }
    });
}

#[test]
fn crops_that_do_not_fit_are_refused_before_any_is_made() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("RGB"), (100, 100), 0, 4);
    host.with_cuda(&machine, |frame| {
        let input = input(32, 32, Fit::PadCentre, Resize::Bilinear);
        let points = face(50.0, 0.1, (50.0, 50.0));
        let cut = Portrait::aligned_cut_of((100, 100), &points, &TEMPLATE, &input).unwrap();
        let out = machine.room(3 * 32 * 32);
        let good = CropJob { frame, cut, input: &input, half: false, mirror: false, out: target(&out) };
        let twice = CropJob { mirror: true, ..good };
        let error = crop::launch(&machine.stream, &[good, twice], &mut workspace()).unwrap_err().to_string();
        assert!(error.contains("24576 bytes was to be in 12288"), "{error}");
        assert_eq!(machine.card.launches("crop"), 0);
        // Both as 16-bit floats fit.
        let halves = CropJob { half: true, ..twice };
        crop::launch(&machine.stream, &[good, halves], &mut workspace()).unwrap();
        crop::launch(&machine.stream, &[], &mut workspace()).unwrap();
    });
}

// --- Quality ---------------------------------------------------------------------------------------------------------

fn told(machine: &Machine, jobs: &[QualityJob]) -> Vec<Clarity> {
    let mut readings = Readings::default();
    quality::launch(&machine.stream, jobs, &mut workspace(), &mut readings).unwrap();
    assert_eq!(readings.len(), jobs.len());
    let mut told = Vec::new();
    readings.read(|clarity| told.push(clarity)).unwrap();
    assert!(readings.is_done().unwrap());
    told
}

/// Whether two looks at a picture agree within `part` of each number.
fn alike(found: &Clarity, expected: &Clarity, part: f32) -> bool {
    let close = |a: f32, b: f32| (a - b).abs() <= part * b.abs() + 1e-5;
    let detail = match (found.detail, expected.detail) {
        (Some(found), Some(expected)) => close(found, expected),
        (found, expected) => found.is_none() && expected.is_none(),
    };
    close(found.mean, expected.mean) && close(found.burnt, expected.burnt) && detail
}

fn values_of(machine: &Machine, values: &[f32]) -> DeviceBuffer {
    let buffer = machine.gpu.allocate(values.len() * 4).unwrap();
    buffer.upload(&machine.stream, 0, values, Payload::Pixels).unwrap();
    buffer
}

#[test]
fn faces_of_photographs_are_seen_as_clearly_as_on_the_cpu() {
    let Some(machine) = Machine::new() else { return };
    machine.card.run_late(true);
    for host in photographs() {
        host.with_cuda(&machine, |frame| {
            let mut inputs = [
                input(112, 112, Fit::PadCentre, Resize::BilinearLegacy),
                input(224, 224, Fit::PadCentre, Resize::Bilinear),
                input(64, 64, Fit::PadCentre, Resize::Bilinear),
            ];
            (inputs[2].layout, inputs[2].channels) = (Layout::Nhwc, Channels::Bgr);
            (inputs[2].mean, inputs[2].scale) = ([104.0, 117.0, 123.0], [1.0 / 58.0; 3]);
            for input in &inputs {
                let cuts: Vec<Cut> =
                    cuts(frame.size(), input).into_iter().map(|cut| cut.1).step_by(6).collect();
                let length = 3 * (input.width * input.height) as usize;
                let out = machine.room(cuts.len() * length);
                let target = |i: usize| target(&out).from(i * length * 4);
                let jobs: Vec<CropJob> = cuts
                    .iter()
                    .enumerate()
                    .map(|(i, cut)| CropJob {
                        frame,
                        cut: *cut,
                        input,
                        half: false,
                        mirror: false,
                        out: target(i),
                    })
                    .collect();
                let mut workspace = workspace();
                crop::launch(&machine.stream, &jobs, &mut workspace).unwrap();
                let looks: Vec<QualityJob> = (0..cuts.len())
                    .map(|i| QualityJob {
                        picture: target(i),
                        half: false,
                        input,
                        margin: [None, Some(0.2)][i % 2],
                    })
                    .collect();
                let before = traffic();
                let mut readings = Readings::default();
                quality::launch(&machine.stream, &looks, &mut workspace, &mut readings).unwrap();
                let since = traffic().since(&before);
                let count = cuts.len() as u64;
                assert_eq!((since.other_to_device, since.other_to_host), (72 * count, 32 * count));
                assert_eq!((since.pixels_to_device, since.pixels_to_host), (0, 0));
                let mut found = Vec::new();
                readings.read(|clarity| found.push(clarity)).unwrap();
                let values = machine.values(&out, cuts.len() * length);
                for ((found, look), (values, cut)) in
                    found.iter().zip(&looks).zip(values.chunks(length).zip(&cuts))
                {
                    assert!(alike(found, &Clarity::of(values, input, look.margin), 1e-4));
                    // And of the picture that the CPU cuts by itself.
                    let own = Clarity::of(&on_the_cpu(&host, cut, input), input, look.margin);
                    assert!((found.mean - own.mean).abs() < 0.05 && (found.burnt - own.burnt).abs() < 2e-3);
                    let (found, own) = (found.detail.unwrap_or(0.0), own.detail.unwrap_or(0.0));
                    assert!((found - own).abs() <= 0.01 * own + 0.01, "{found} for {own}");
                }
            }
        });
    }
}

#[test]
fn sixteen_bit_floats_are_seen_nearly_as_clearly() {
    let Some(machine) = Machine::new() else { return };
    let Some(host) = photographs().into_iter().next() else { return };
    host.with_cuda(&machine, |frame| {
        let input = input(112, 112, Fit::PadCentre, Resize::Bilinear);
        let (_, cut) = cuts(frame.size(), &input).swap_remove(12);
        let out = machine.room(3 * 112 * 112);
        let clarity = [false, true].map(|half| {
            let job = CropJob { frame, cut, input: &input, half, mirror: false, out: target(&out) };
            crop::launch(&machine.stream, &[job], &mut workspace()).unwrap();
            let look = QualityJob { picture: target(&out), half, input: &input, margin: Some(0.2) };
            told(&machine, &[look]).remove(0)
        });
        assert!((clarity[0].mean - clarity[1].mean).abs() < 0.1);
        assert!((clarity[0].burnt - clarity[1].burnt).abs() < 0.01);
        let [exact, half] = clarity.map(|clarity| clarity.detail.unwrap());
        // Rounding adds noise of up to 1/16 of a level to each pixel: (4² + 4) · (1/8)² / 12 at most.
        assert!((exact - half).abs() <= 0.03 + 0.01 * exact, "{half} for {exact}");
    });
}

#[test]
fn pictures_that_are_no_numbers_are_not_taken_for_clear_ones() {
    let Some(machine) = Machine::new() else { return };
    let plain = input(112, 112, Fit::PadCentre, Resize::Bilinear);
    let flat = InputSpec { scale: [1.0, 0.0, 1.0], ..plain.clone() };
    let mut values = vec![100.0; 3 * 112 * 112];
    let good = values_of(&machine, &values);
    values[60 * 112 + 60] = f32::NAN;
    let wrong = values_of(&machine, &values);
    values[60 * 112 + 60] = f32::INFINITY;
    let infinite = values_of(&machine, &values);
    let look = |buffer: &DeviceBuffer, input| QualityJob {
        picture: target(buffer),
        half: false,
        input,
        margin: None,
    };
    // Summing what is no number stops no kernel.
    let jobs = [look(&wrong, &plain), look(&infinite, &plain), look(&good, &flat), look(&good, &plain)];
    let told = told(&machine, &jobs);
    assert!(told[..3].iter().all(|clarity| clarity.mean.is_nan()));
    assert!((told[3].mean - 100.0).abs() < 1e-3 && told[3].detail == Some(0.0) && told[3].burnt == 0.0);
    let short = QualityJob { picture: Target::of(&good, 4), ..look(&good, &plain) };
    let mut readings = Readings::default();
    let error = quality::launch(&machine.stream, &[short], &mut workspace(), &mut readings).unwrap_err();
    assert!(error.to_string().contains("150528 bytes was to be in 150524"), "{error}");
    assert!(readings.is_empty());
    readings.read(|_| panic!("nothing was looked at")).unwrap();
    assert_eq!(format!("{readings:?}"), "Readings(0)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever points a network gives: a picture where the CPU makes one, and the same.
    #[test]
    fn whatever_the_points_the_picture_is_the_reference(
        width in 1_u32..160, height in 1_u32..160, side in 1_u32..70, layout in 0..18_usize, seed in 0_u32..100,
        x in proptest::collection::vec(prop_oneof![-1e3_f32..1e3, -40.0_f32..200.0, any::<f32>()], 5),
        y in proptest::collection::vec(prop_oneof![-1e3_f32..1e3, -40.0_f32..200.0, any::<f32>()], 5),
        turn in -3.2_f32..3.2, size in 10.0_f32..400.0, at in (-0.2_f32..1.2, -0.2_f32..1.2), wild: bool,
    ) {
        let Some(machine) = Machine::new() else { return Ok(()) };
        let points: [(f32, f32); 5] = if wild {
            std::array::from_fn(|i| (x[i], y[i]))
        } else {
            face(size, turn, (at.0 * width as f32, at.1 * height as f32))
        };
        let input = input(side, side, Fit::PadCentre, Resize::Bilinear);
        let host = Picture::noise(&FORMATS[layout], (width, height), 2, seed);
        let bounds = Rect::new(points[0].0, points[0].1, size, points[1].1);
        let cuts = [
            Portrait::aligned_cut_of((width, height), &points, &TEMPLATE, &input),
            Portrait::cut_of((width, height), &bounds, 0.3, &input),
        ];
        let mut values = vec![0.0; 3 * (side * side) as usize];
        let (frame, memory) = (host.frame(), &mut CutScratch::default());
        let upright = Portrait::cut_aligned_into(&frame, &points, &TEMPLATE, &input, memory, &mut values);
        prop_assert_eq!(cuts[0].is_some(), upright.is_some());
        let boxed = Portrait::cut_into(&frame, &bounds, 0.3, &input, memory, &mut values);
        prop_assert_eq!(cuts[1].is_some(), boxed.is_some());
        host.with_cuda(&machine, |frame| {
            for cut in cuts.iter().flatten() {
                compare(&machine, frame, &host, cut, &input, host.format.0);
            }
        });
    }

    #[test]
    fn any_picture_is_seen_as_clearly_as_on_the_cpu(
        width in 1_u32..240, height in 1_u32..240, nhwc: bool, bgr: bool,
        margin in proptest::option::of(-0.3_f32..0.5), mean in 0.0_f32..255.0, contrast in 0.0_f32..300.0,
        scale in 0.001_f32..2.0, seed in 1_u32..1000,
    ) {
        let Some(machine) = Machine::new() else { return Ok(()) };
        let mut input = input(width, height, Fit::Stretch, Resize::Bilinear);
        input.scale = [scale, 2.0 * scale, 0.5 * scale];
        input.mean = [100.0, 110.0, 120.0];
        if nhwc {
            input.layout = Layout::Nhwc;
        }
        if bgr {
            input.channels = Channels::Bgr;
        }
        let mut state = seed;
        let values: Vec<f32> = (0..3 * width * height)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let level = (mean + contrast * ((state >> 8) as f32 / (1 << 24) as f32 - 0.5)).clamp(0.0, 255.0);
                (level - 110.0) * scale
            })
            .collect();
        let buffer = values_of(&machine, &values);
        let look = QualityJob { picture: target(&buffer), half: false, input: &input, margin };
        let found = told(&machine, &[look]).remove(0);
        let expected = Clarity::of(&values, &input, margin);
        prop_assert!(alike(&found, &expected, 1e-4), "{} {:?} for {} {:?}", found.mean, found.detail, expected.mean, expected.detail);
        prop_assert!(quality::bytes_moved(&[look]).read <= 12 * u64::from(width * height) + 136);
    }
}
