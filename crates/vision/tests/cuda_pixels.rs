//! Whole frames in a GPU's memory to networks' inputs, beside the reference: every layout and depth, 1 x 1 to 8K.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::cuda::{FORMATS, Machine, Picture, YUV, format, input, target, workspace, worst};
use facialads_vision::{
    ColorModel, Error, Frame, Matrix, Range,
    cuda::{
        CudaComponent, CudaFrame, Depth, DeviceBuffer, Payload, Stream, Target, Workspace,
        picture::{PictureJob, bytes_moved, launch},
    },
    preprocess::{Placement, Region, picture, reference},
    spec::{Channels, Fit, InputSpec, Layout, Resize},
};
use proptest::prelude::*;

/// Largest difference from the reference, in levels of 255.
const TOLERANCE: f32 = 1e-4;
/// Largest difference of [`Resize::Antialias`] from what the CPU makes with whole numbers: `tests/pixels.rs`.
const WHOLE_NUMBERS: f32 = 0.1;

const RESIZES: [Resize; 3] = [Resize::Bilinear, Resize::BilinearLegacy, Resize::Antialias];

fn made(machine: &Machine, frame: &CudaFrame, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let out = machine.room(placement.values());
    let job = PictureJob { frame, placement: *placement, input, half: false, out: target(&out) };
    launch(&machine.stream, &[job], &mut workspace()).unwrap();
    machine.values(&out, placement.values())
}

fn eight_bits() -> impl Iterator<Item = &'static common::cuda::Format> {
    FORMATS.iter().filter(|format| format.2 == Depth::Eight)
}

#[test]
fn common_sizes_in_every_layout_equal_the_reference() {
    let Some(machine) = Machine::new() else { return };
    for format in eight_bits() {
        for size in [(1, 1), (2, 2), (7, 5), (640, 361), (321, 179)] {
            let picture = Picture::noise(format, size, 3, 7);
            picture.with_cuda(&machine, |frame| {
                for resize in RESIZES {
                    for (side, fit) in [
                        (64, Fit::PadRightBottom),
                        (33, Fit::PadCentre),
                        (24, Fit::CentreCrop),
                        (40, Fit::Stretch),
                    ] {
                        let input = input(side, side + 7, fit, resize);
                        let placement = Placement::of_frame(size.0, size.1, &input, 0.9);
                        let expected = reference::picture(&picture.frame(), &placement, &input);
                        let off = worst(&made(&machine, frame, &placement, &input), &expected, &input);
                        assert!(off <= TOLERANCE, "{} {size:?} {fit:?} {resize:?}: off by {off}", format.0);
                    }
                }
            });
        }
    }
}

#[test]
fn an_8k_frame_equals_the_reference_and_what_the_cpu_makes() {
    let Some(machine) = Machine::new() else { return };
    let size = (7680, 4320);
    for name in ["NV12", "RGBA"] {
        let host = Picture::noise(format(name), size, 0, 3);
        host.with_cuda(&machine, |frame| {
            let mut detector = input(640, 640, Fit::PadRightBottom, Resize::Bilinear);
            detector.multiple = Some(32);
            for input in [
                detector,
                input(512, 512, Fit::PadRightBottom, Resize::BilinearLegacy),
                input(224, 224, Fit::CentreCrop, Resize::Antialias),
                input(320, 320, Fit::PadCentre, Resize::Antialias),
            ] {
                let placement = Placement::of_frame(size.0, size.1, &input, 1.0);
                let found = made(&machine, frame, &placement, &input);
                let off = worst(&found, &reference::picture(&host.frame(), &placement, &input), &input);
                assert!(off <= TOLERANCE, "{name} {:?}: off by {off}", input.resize);
                let off = worst(&found, &picture(&host.frame(), &placement, &input), &input);
                let allowed = if input.resize == Resize::Antialias { WHOLE_NUMBERS } else { TOLERANCE };
                assert!(off <= allowed, "{name} {:?} beside the CPU: off by {off}", input.resize);
            }
        });
    }
}

#[test]
fn samples_may_be_more_than_four_gigabytes_apart() {
    let Some(machine) = Machine::new() else { return };
    // Device memory of the stand-in is ordinary memory, and pages that nobody writes take none: 4 GB of the GPU's would be written.
    let stride = (1 << 30) + 6;
    let mut bytes = vec![0_u8; 4 * stride + 64];
    for row in 0..5 {
        for (x, byte) in bytes[row * stride..][..60].iter_mut().enumerate() {
            *byte = (row * 50 + x) as u8;
        }
    }
    let host = Picture { stride, plane: 0, ..Picture::rgb(20, 5, bytes) };
    let components = host.components(host.bytes.as_ptr().addr() as u64);
    // SAFETY: see above; the picture outlives the work.
    let frame = unsafe {
        let color = ColorModel::Rgb;
        CudaFrame::new(&machine.gpu, &machine.stream, 20, 5, color, Depth::Eight, &components).unwrap()
    };
    for resize in RESIZES {
        let input = input(10, 3, Fit::Stretch, resize);
        let placement = Placement::of_frame(20, 5, &input, 1.0);
        let expected = reference::picture(&host.frame(), &placement, &input);
        let off = worst(&made(&machine, &frame, &placement, &input), &expected, &input);
        assert!(off <= TOLERANCE, "{resize:?}: off by {off}");
    }
}

/// What 16-bit samples should give: scaling is linear, so the high bytes' picture and a 256th of the low bytes' are scaled by
/// the reference, as three colours that it leaves alone, and converted here.
fn of_sixteen_bits(host: &Picture, placement: &Placement, input: &InputSpec) -> Vec<f32> {
    let plain = InputSpec { mean: [0.0; 3], scale: [1.0; 3], channels: Channels::Rgb, ..input.clone() };
    let [low, high] = [0, 1].map(|byte| {
        let color = if host.format.1 == ColorModel::Gray { ColorModel::Gray } else { ColorModel::Rgb };
        reference::picture(&host.on_host(color, byte), placement, &plain)
    });
    let pixels = placement.out_width * placement.out_height;
    let mut out = vec![0.0; 3 * pixels];
    for i in 0..pixels {
        let [a, b, c] = [0, 1, 2].map(|k| high[k * pixels + i] + low[k * pixels + i] / 256.0);
        let rgb = match host.format.1 {
            ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited } => {
                // Rec. ITU-R BT.709: Kr = 0.2126, Kb = 0.0722.
                let y = (a - 16.0) * 255.0 / 219.0;
                let [u, v] = [b, c].map(|c| (c - 128.0) * 255.0 / 224.0);
                let (red, blue) = (y + 1.5748 * v, y + 1.8556 * u);
                let green = y - 0.2126 * 1.5748 / 0.7152 * v - 0.0722 * 1.8556 / 0.7152 * u;
                [red, green, blue].map(|c| c.clamp(0.0, 255.0))
            }
            _ => [a, b, c],
        };
        for (channel, mean) in input.mean.iter().enumerate() {
            let colour = if input.channels == Channels::Bgr { 2 - channel } else { channel };
            out[channel * pixels + i] = (rgb[colour] - mean) * input.scale[channel];
        }
    }
    out
}

#[test]
fn sixteen_bits_count_to_the_last() {
    let Some(machine) = Machine::new() else { return };
    for name in ["P010", "RGB16", "GRAY16"] {
        for size in [(1, 1), (7, 5), (321, 179)] {
            let host = Picture::noise(format(name), size, 5, 11);
            host.with_cuda(&machine, |frame| {
                for resize in RESIZES {
                    let mut input = input(48, 31, Fit::Stretch, resize);
                    input.channels = Channels::Bgr;
                    input.mean = [10.0, 20.0, 30.0];
                    let placement = Placement::of_frame(size.0, size.1, &input, 1.0);
                    let expected = of_sixteen_bits(&host, &placement, &input);
                    let off = worst(&made(&machine, frame, &placement, &input), &expected, &input);
                    assert!(off <= 1e-3, "{name} {size:?} {resize:?}: off by {off}");
                }
            });
        }
    }
    // White and black of broadcasts in ten bits are those of eight.
    let mut host = Picture::noise(format("P010"), (8, 8), 0, 1);
    for (level, expected) in [(64_u16, 0.0), (940, 255.0)] {
        for (i, sample) in host.bytes.chunks_exact_mut(2).enumerate() {
            let value = if i < 64 { level } else { 512 };
            sample.copy_from_slice(&(value << 6).to_le_bytes());
        }
        let input = input(4, 4, Fit::Stretch, Resize::Bilinear);
        let placement = Placement::of_frame(8, 8, &input, 1.0);
        let found = host.with_cuda(&machine, |frame| made(&machine, frame, &placement, &input));
        assert!(found.iter().all(|v| (v - expected).abs() < 1e-3), "{level}: {found:?}");
    }
}

#[test]
fn sixteen_bit_floats_are_the_nearest() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (97, 61), 0, 5);
    host.with_cuda(&machine, |frame| {
        for (layout, scale) in [(Layout::Nchw, 1.0), (Layout::Nhwc, 1.0 / 255.0), (Layout::Nchw, 1e-6)] {
            let mut input = input(31, 17, Fit::PadCentre, Resize::Bilinear);
            (input.layout, input.scale, input.mean) = (layout, [scale; 3], [127.0; 3]);
            let placement = Placement::of_frame(97, 61, &input, 1.0);
            let out = machine.room(placement.values());
            let job = PictureJob { frame, placement, input: &input, half: true, out: target(&out) };
            launch(&machine.stream, &[job], &mut workspace()).unwrap();
            let exact = reference::picture(&host.frame(), &placement, &input);
            for (half, exact) in machine.halves(&out, placement.values()).into_iter().zip(exact) {
                // Half a step: 2⁻¹¹ of the value, 2⁻²⁵ below 2⁻¹⁴.
                let allowed = (exact.abs() * 2.0_f32.powi(-11)).max(2.0_f32.powi(-25)) + 1e-4 * scale;
                assert!((half - exact).abs() <= allowed, "{half} for {exact}");
            }
        }
    });
}

#[test]
fn pictures_of_several_frames_are_made_in_one_launch_each_in_its_place() {
    let Some(machine) = Machine::new() else { return };
    let hosts: Vec<Picture> = ["NV12", "RGB", "GRAY8", "BGRA"]
        .into_iter()
        .enumerate()
        .map(|(i, name)| Picture::noise(format(name), (90 + 31 * i as u32, 70), i, i as u32))
        .collect();
    let buffers: Vec<(DeviceBuffer, u64)> = hosts.iter().map(|host| machine.upload(&host.bytes)).collect();
    let frames: Vec<CudaFrame> = hosts
        .iter()
        .zip(&buffers)
        .map(|(host, (_, address))| {
            let (_, color, depth, _) = *host.format;
            let components = host.components(*address);
            // SAFETY: the buffers outlive the work.
            unsafe {
                let (gpu, stream) = (&machine.gpu, &machine.stream);
                CudaFrame::new(gpu, stream, host.width, host.height, color, depth, &components).unwrap()
            }
        })
        .collect();
    let inputs: Vec<InputSpec> = RESIZES.map(|r| input(40, 30, Fit::PadRightBottom, r)).to_vec();
    let count = 3 * 40 * 30;
    let out = machine.room(12 * count);
    let mut jobs = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        for (k, input) in inputs.iter().enumerate() {
            let placement = Placement::of_frame(frame.width(), frame.height(), input, 1.0);
            let out = target(&out).from((i * 3 + k) * count * 4);
            jobs.push(PictureJob { frame, placement, input, half: false, out });
        }
    }
    machine.card.run_late(true);
    launch(&machine.stream, &jobs, &mut workspace()).unwrap();
    let found = machine.values(&out, 12 * count);
    for (index, (job, found)) in jobs.iter().zip(found.chunks(count)).enumerate() {
        let expected = reference::picture(&hosts[index / 3].frame(), &job.placement, job.input);
        let off = worst(found, &expected, job.input);
        assert!(off <= TOLERANCE, "picture {index}: off by {off}");
    }
    // Twelve pictures are a launch for eight and one for four.
    assert_eq!(machine.card.launches("picture"), 2);
}

#[test]
fn a_steady_stream_makes_no_weights_allocates_nothing_and_copies_nothing() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (192, 108), 0, 9);
    let detector = input(64, 64, Fit::PadRightBottom, Resize::Bilinear);
    let classifier = input(48, 48, Fit::CentreCrop, Resize::Antialias);
    let mut workspace = workspace();
    let out = machine.room(3 * (64 * 64 * 2 + 48 * 48));
    host.with_cuda(&machine, |frame| {
        let placements = [(&detector, 1.0), (&detector, 0.5), (&classifier, 1.0)]
            .map(|(input, part)| (input, Placement::of_frame(192, 108, input, part)));
        let mut after_first = None;
        for _ in 0..5 {
            let mut at = 0;
            let jobs = placements.map(|(input, placement)| {
                let out = target(&out).from(at);
                at += placement.values() * 4;
                PictureJob { frame, placement, input, half: false, out }
            });
            launch(&machine.stream, &jobs, &mut workspace).unwrap();
            let card = &machine.card;
            let counts = ["picture_weights", "picture_across"].map(|kernel| card.launches(kernel)).to_vec();
            let now = (card.count("call cuMemAlloc_v2"), card.bytes_to_device(), card.bytes_to_host());
            match &after_first {
                None => after_first = Some((counts, now)),
                Some((first, then)) => {
                    assert_eq!(counts[0], first[0], "weights were there");
                    assert!(counts[1] > first[1]);
                    assert_eq!(now, *then);
                }
            }
        }
        assert_eq!(machine.card.launches("picture"), 5);
        // Another size, then the first again: weights are those of the size.
        let input = input(20, 20, Fit::Stretch, Resize::Antialias);
        for placement in [
            Placement::of_frame(192, 108, &input, 1.0),
            Placement::of_region(Region { x: 3, y: 5, width: 100, height: 50 }, &input, 1.0),
            Placement::of_frame(192, 108, &input, 1.0),
        ] {
            let job = PictureJob { frame, placement, input: &input, half: false, out: target(&out) };
            launch(&machine.stream, &[job], &mut workspace).unwrap();
            let expected = reference::picture(&host.frame(), &placement, &input);
            assert!(worst(&machine.values(&out, placement.values()), &expected, &input) <= TOLERANCE);
        }
    });
    assert!(workspace.bytes() > 0);
    workspace.clear();
    assert_eq!(workspace.bytes(), 0);
}

#[test]
fn work_on_another_stream_comes_after_the_frames_producer() {
    let Some(machine) = Machine::new() else { return };
    machine.card.run_late(true);
    let host = Picture::noise(format("RGB"), (64, 48), 0, 2);
    let (gpu, producer): (_, &Stream) = (&machine.gpu, &machine.stream);
    let other = gpu.new_stream(false).unwrap();
    let input = input(32, 24, Fit::Stretch, Resize::Antialias);
    let placement = Placement::of_frame(64, 48, &input, 1.0);
    let expected = reference::picture(&host.frame(), &placement, &input);
    let mut workspace = Workspace::default();
    // The frame is there when its producer's stream has come to it.
    let (source, source_address) = machine.upload(&host.bytes);
    let frame_memory = gpu.allocate(host.bytes.len()).unwrap();
    producer.copy(&frame_memory, (gpu, source_address), host.bytes.len()).unwrap();
    let components = host.components(frame_memory.address());
    // SAFETY: the buffer outlives the work.
    let frame =
        unsafe { CudaFrame::new(gpu, producer, 64, 48, ColorModel::Rgb, Depth::Eight, &components).unwrap() };
    for stream in [&other, producer, &other] {
        let out = machine.room(placement.values());
        let job = PictureJob { frame: &frame, placement, input: &input, half: false, out: target(&out) };
        launch(stream, &[job], &mut workspace).unwrap();
        let mut found = vec![0.0; placement.values()];
        out.download(stream, 0, &mut found, Payload::Results).unwrap();
        assert!(worst(&found, &expected, &input) <= TOLERANCE);
    }
    drop(source);
}

fn component(address: u64, bytes: usize, row_stride: usize, pixel_stride: usize) -> CudaComponent {
    CudaComponent { address, bytes, row_stride, pixel_stride, shift_x: 0, shift_y: 0 }
}

#[test]
fn frames_that_do_not_hold_their_pixels_are_refused_with_what_is_missing() {
    let Some(machine) = Machine::new() else { return };
    let make = |(width, height), color, depth, components: &[CudaComponent]| {
        // SAFETY: frames that are refused, or never read.
        unsafe { CudaFrame::new(&machine.gpu, &machine.stream, width, height, color, depth, components) }
    };
    let refused = |size, color, depth, components: &[CudaComponent], words: &str| {
        let error = make(size, color, depth, components).unwrap_err();
        assert!(matches!(error, Error::Frame { .. }) && error.to_string().contains(words), "{error}");
    };
    let (gray, rgb, eight, sixteen) = (ColorModel::Gray, ColorModel::Rgb, Depth::Eight, Depth::Sixteen);
    let whole = component(4096, 16, 4, 1);
    make((4, 4), gray, eight, &[whole]).unwrap();
    refused((0, 4), gray, eight, &[whole], "1 to 32768");
    refused((4, 40_000), gray, eight, &[whole], "1 to 32768");
    refused((4, 4), rgb, eight, &[whole; 2], "2 component(s) given, 3 needed");
    refused((4, 4), gray, eight, &[component(4096, 15, 4, 1)], "16 bytes needed, 15 given");
    refused((4, 4), gray, sixteen, &[component(4096, 31, 8, 2)], "32 bytes needed, 31 given");
    make((4, 4), gray, sixteen, &[component(4096, 32, 8, 2)]).unwrap();
    refused((4, 4), gray, eight, &[component(4096, usize::MAX, usize::MAX, 1)], "strides overflow");
    refused((4, 4), gray, eight, &[component(0, 16, 4, 1)], "address");
    refused((4, 4), gray, eight, &[component(u64::MAX - 3, 16, 4, 1)], "address");
    refused((4, 4), gray, eight, &[component(4096, 16, 4, 0)], "pixel stride 0");
    for odd in [component(4097, 64, 8, 2), component(4096, 64, 9, 2), component(4096, 64, 8, 3)] {
        refused((3, 3), gray, sixteen, &[odd], "even");
    }
    let deep = CudaComponent { shift_x: 5, ..whole };
    refused((4, 4), gray, eight, &[deep], "unheard of");
}

#[test]
fn pictures_that_cannot_be_made_are_refused_and_the_next_one_is_made() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("RGB"), (40, 30), 0, 1);
    let spec = input(16, 16, Fit::Stretch, Resize::Antialias);
    let placement = Placement::of_frame(40, 30, &spec, 1.0);
    let out = machine.room(placement.values());
    let mut workspace = workspace();
    host.with_cuda(&machine, |frame| {
        let good = PictureJob { frame, placement, input: &spec, half: false, out: target(&out) };
        let mut refused = |job: PictureJob, words: &str| {
            let error = launch(&machine.stream, &[good, job], &mut workspace).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(PictureJob { out: target(&out).from(4), ..good }, "3072 bytes was to be in 3068");
        refused(PictureJob { out: Target::of(&out, 1 << 40), ..good }, "in 0 bytes");
        // SAFETY: refused.
        let odd = unsafe { Target::new(out.address() + 2, 1 << 20) };
        refused(PictureJob { out: odd, ..good }, "suits none");
        for canvas in [f64::NAN, 0.0, -1.0, f64::INFINITY, 1e12] {
            let placement = Placement { canvas_width: canvas, ..placement };
            refused(PictureJob { placement, ..good }, "beyond what is computed");
        }
        let nothing = Placement { out_width: 0, ..placement };
        refused(PictureJob { placement: nothing, ..good }, "beyond what is computed");
        let far = Placement { left: usize::MAX, ..placement };
        refused(PictureJob { placement: far, ..good }, "beyond what is computed");

        machine.card.fail("cuLaunchKernel", facialads_testkit::gpu::LAUNCH_FAILED, 1, Some(1));
        assert!(launch(&machine.stream, &[good], &mut workspace).is_err());
        machine.card.reset();
    });
    drop(workspace);
}

#[test]
fn frames_and_memory_of_other_contexts_are_refused() {
    let Some(machine) = Machine::new() else { return };
    machine.card.devices(2);
    let elsewhere = facialads_vision::cuda::Gpu::primary(1).unwrap();
    let stream = elsewhere.new_stream(false).unwrap();
    let host = Picture::noise(format("RGB"), (40, 30), 0, 1);
    let spec = input(16, 16, Fit::Stretch, Resize::Bilinear);
    let placement = Placement::of_frame(40, 30, &spec, 1.0);
    let out = elsewhere.allocate(placement.values() * 4).unwrap();
    host.with_cuda(&machine, |frame| {
        let job = PictureJob { frame, placement, input: &spec, half: false, out: Target::of(&out, 0) };
        let error = launch(&stream, &[job], &mut workspace()).unwrap_err().to_string();
        assert!(error.contains("different CUDA contexts") && error.contains("cuda-device-id"), "{error}");
    });
}

#[test]
fn nothing_of_a_frame_is_printed() {
    let Some(machine) = Machine::new() else { return };
    let host = Picture::noise(format("NV12"), (40, 30), 0, 1);
    host.with_cuda(&machine, |frame| {
        let text = format!("{frame:?}");
        assert_eq!(text, format!("CudaFrame(40x30, {YUV:?}, Eight)"));
    });
    assert_eq!(format!("{:?}", workspace()), "Workspace");
}

#[test]
fn the_least_bytes_are_those_that_a_picture_needs() {
    let Some(machine) = Machine::new() else { return };
    let of = |name: &str, (width, height): (u32, u32), input: &InputSpec| {
        let host = Picture::noise(format(name), (width, height), 0, 1);
        host.with_cuda(&machine, |frame| {
            let placement = Placement::of_frame(width, height, input, 1.0);
            let out = machine.room(placement.values());
            let job = PictureJob { frame, placement, input, half: false, out: target(&out) };
            let whole = bytes_moved(&[job, job]).unwrap();
            let one = bytes_moved(&[job]).unwrap();
            assert_eq!(whole.total(), 2 * one.total());
            one
        })
    };
    // Every sample of a frame that is not scaled, in pieces of 32 bytes, and three numbers for each pixel.
    let same = of("NV12", (640, 480), &input(640, 480, Fit::Stretch, Resize::Bilinear));
    assert_eq!(same.written, 640 * 480 * 12);
    let frame = 640 * 480 * 3 / 2;
    assert!((frame..=frame * 21 / 20).contains(&same.read), "{}", same.read);
    // Of a frame that is made six times smaller, the rows between are not read.
    let few = of("NV12", (3840, 2160), &input(640, 360, Fit::Stretch, Resize::Bilinear));
    assert!(few.read < 3840 * 2160 * 3 / 2 / 2, "{}", few.read);
    // With a filter all are, and the rows scaled across are written and read.
    let all = of("RGB", (1920, 1080), &input(224, 224, Fit::Stretch, Resize::Antialias));
    let (rows, frame) = (3 * 1080 * 224 * 4, 1920 * 1080 * 3);
    assert!((frame + rows..(frame + rows) * 21 / 20).contains(&all.read), "{}", all.read);
    assert!(all.written >= rows + 224 * 224 * 12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_layout_size_region_and_input_equals_the_reference(
        width in 1_u32..200, height in 1_u32..120, padding in 0_usize..40, layout in 0..18_usize,
        out_width in 1_u32..90, out_height in 1_u32..50, fit in 0_usize..4, resize in 0_usize..3,
        region in (0.0_f32..1.0, 0.0_f32..1.0, 0.0_f32..1.2, 0.0_f32..1.2), part in 0.1_f32..=1.0,
        nhwc: bool, bgr: bool, normalised: bool, matrix in 0_usize..3, full: bool, seed in 0_u32..1000,
    ) {
        let Some(machine) = Machine::new() else { return Ok(()) };
        let fit = [Fit::PadRightBottom, Fit::PadCentre, Fit::Stretch, Fit::CentreCrop][fit];
        let mut input = input(out_width, out_height, fit, RESIZES[resize]);
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
        let host = Picture::noise(&FORMATS[layout], (width, height), padding, seed);
        let color = match host.format.1 {
            ColorModel::Yuv { .. } => ColorModel::Yuv {
                matrix: [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020][matrix],
                range: if full { Range::Full } else { Range::Limited },
            },
            other => other,
        };
        let (_buffer, address) = machine.upload(&host.bytes);
        let components = host.components(address);
        // SAFETY: the buffer outlives the work.
        let frame = unsafe {
            let (gpu, stream) = (&machine.gpu, &machine.stream);
            CudaFrame::new(gpu, stream, width, height, color, Depth::Eight, &components).unwrap()
        };
        let cpu: Frame = host.on_host(color, 0);
        let placements = [Placement::of_region(region, &input, part), Placement::of_frame(width, height, &input, 1.0)];
        for placement in placements {
            let expected = reference::picture(&cpu, &placement, &input);
            let off = worst(&made(&machine, &frame, &placement, &input), &expected, &input);
            prop_assert!(off <= TOLERANCE, "{} {placement:?} {:?}: off by {off}", host.format.0, input.resize);
        }
    }

    /// Whatever a format and a placement claim: either they are refused or nothing outside is read.
    #[test]
    fn no_frame_and_no_placement_reads_outside(
        width in 1_u32..70, height in 1_u32..70, bytes in 0_usize..6000,
        row_stride in 0_usize..90, pixel_stride in 0_usize..5, shift_x in 0_u8..4, shift_y in 0_u8..4,
        side in 1_u32..40, resize in 0_usize..3, x in 0_usize..90, y in 0_usize..90, across in 0_usize..90,
        left in 0_usize..100, canvas in 0.1_f64..300.0,
    ) {
        let Some(machine) = Machine::new() else { return Ok(()) };
        let (_buffer, address) = machine.upload(&vec![7; bytes]);
        let component = CudaComponent { address, bytes, row_stride, pixel_stride, shift_x, shift_y };
        // SAFETY: the buffer outlives the work.
        let frame = unsafe {
            CudaFrame::new(&machine.gpu, &machine.stream, width, height, YUV, Depth::Eight, &[component; 3])
        };
        if let Ok(frame) = frame {
            let input = input(side, side, Fit::Stretch, RESIZES[resize]);
            let region = Region { x, y, width: across, height: across };
            let mut placement = Placement::of_region(region, &input, 1.0);
            (placement.left, placement.top, placement.canvas_width) = (left, left / 2, canvas);
            if placement.canvas_height > 0.0 {
                let found = made(&machine, &frame, &placement, &input);
                prop_assert!(found.iter().all(|v| (0.0..=255.0).contains(v)));
            }
        }
    }
}
