//! What is painted on a frame in CUDA memory is byte for byte what is painted on one of the host, on the stand-in driver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    Picture,
    formats::{FORMATS, Pixels},
};
use facialads_testkit::{gpu::StandIn, media};
use facialads_vision::{
    Rect,
    cuda::{
        CudaComponent, CudaFrame, Depth, DeviceBuffer, Gpu, Payload, Stream,
        paint::{self as device, DeviceBitmap, PaintBuffers},
        traffic,
    },
    paint::{self, Bitmap, Effect, Item, Obscuring, Order, Paint, Shape, outline},
};
use proptest::{prelude::*, test_runner::TestRunner};

struct Device {
    gpu: Gpu,
    stream: Stream,
    driver: StandIn,
}

/// Nothing is written beside the sources; a failing case is printed.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn device() -> Option<Device> {
    let driver = facialads_testkit::gpu::stand_in()?;
    let gpu = Gpu::primary(0).unwrap();
    device::prepare(&gpu).unwrap();
    let stream = gpu.new_stream(false).unwrap();
    Some(Device { gpu, stream, driver })
}

impl Device {
    /// The same picture on the device, given to `work`, and what becomes of it: every byte, padding too.
    fn painted(&self, pixels: &Pixels, work: impl FnOnce(&mut CudaFrame<'_>)) -> Pixels {
        let upload = |plane: &Vec<u8>| {
            let buffer = self.gpu.allocate(plane.len()).unwrap();
            buffer.upload(&self.stream, 0, plane, Payload::Pixels).unwrap();
            buffer
        };
        let memory: Vec<DeviceBuffer> = pixels.planes.iter().map(upload).collect();
        let component = |c: &paint::CanvasComponent| CudaComponent {
            address: memory[c.plane].address() + c.offset as u64,
            bytes: memory[c.plane].len() - c.offset,
            row_stride: c.row_stride,
            pixel_stride: c.pixel_stride,
            shift_x: c.shift_x,
            shift_y: c.shift_y,
        };
        let components: Vec<CudaComponent> = pixels.components.iter().map(component).collect();
        let (width, height, color, depth) = (pixels.width, pixels.height, pixels.color, pixels.depth);
        // SAFETY: the planes live until the stream is done, below.
        let frame =
            unsafe { CudaFrame::new(&self.gpu, &self.stream, width, height, color, depth, &components) };
        work(&mut frame.unwrap());
        let mut result = pixels.clone();
        for (plane, memory) in result.planes.iter_mut().zip(&memory) {
            memory.download(&self.stream, 0, plane, Payload::Pixels).unwrap();
        }
        result
    }
}

/// 16-bit samples need even strides and addresses, which the test's padding does not promise.
fn fits(pixels: &Pixels) -> bool {
    pixels.depth == Depth::Eight
        || pixels.components.iter().all(|c| c.row_stride % 2 == 0 && c.offset % 2 == 0)
}

fn any_how() -> impl Strategy<Value = Obscuring> {
    let effect = prop_oneof![
        (1_u32..20).prop_map(|blocks| Effect::Blur { blocks }),
        (1_u32..20).prop_map(|blocks| Effect::Pixelate { blocks }),
        any::<[u8; 3]>().prop_map(Effect::Fill),
    ];
    let shape = prop_oneof![Just(Shape::Ellipse), Just(Shape::Rectangle)];
    (effect, shape, 0.0_f32..0.5, prop_oneof![Just(0.0_f32), 0.0_f32..1.0])
        .prop_map(|(effect, shape, margin, feather)| Obscuring { effect, shape, margin, feather })
}

fn any_box() -> impl Strategy<Value = Rect> {
    (-30.0_f32..80.0, -30.0_f32..80.0, 0.1_f32..60.0, 0.1_f32..60.0)
        .prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
}

#[test]
fn regions_are_obscured_as_on_the_host() {
    let Some(on) = device() else { return };
    let sizes = (1_u32..70, 1_u32..70);
    let cases = (sizes, prop::collection::vec(any_box(), 0..4), any_how(), any::<u64>());
    let buffers = std::cell::RefCell::new(PaintBuffers::default());
    TestRunner::new(config(40))
        .run(&cases, |((width, height), boxes, how, seed)| {
            for format in FORMATS {
                let before = Pixels::random(format, width, height, seed);
                prop_assert!(fits(&before));
                let mut expected = before.clone();
                expected.canvas(|canvas| paint::obscure(canvas, &boxes, &how)).unwrap();
                let found = on.painted(&before, |frame| {
                    device::obscure(frame, &boxes, &how, &mut buffers.borrow_mut()).unwrap();
                });
                prop_assert!(found == expected, "{} {width}x{height}", format.0);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn many_overlapping_regions_at_once_and_large_frames_are_the_same_too() {
    let Some(on) = device() else { return };
    let mut buffers = PaintBuffers::default();
    let boxes: Vec<Rect> =
        (0..100).map(|i| Rect::new((i * 37 % 200) as f32, (i * 23 % 90) as f32, 44.0, 51.0)).collect();
    for effect in [Effect::Blur { blocks: 8 }, Effect::Pixelate { blocks: 64 }, Effect::Fill([1, 2, 3])] {
        let before = Pixels::random(&FORMATS[0], 231, 117, 5);
        let how = Obscuring { effect, ..Obscuring::default() };
        let mut expected = before.clone();
        expected.canvas(|canvas| paint::obscure(canvas, &boxes, &how)).unwrap();
        let found = on.painted(&before, |frame| device::obscure(frame, &boxes, &how, &mut buffers).unwrap());
        assert!(found == expected, "{effect:?}");
    }
    let before = Pixels::random(&FORMATS[2], 7680, 64, 5);
    let whole = [Rect::new(0.0, 0.0, 7680.0, 64.0)];
    let mut expected = before.clone();
    expected.canvas(|canvas| paint::obscure(canvas, &whole, &Obscuring::default())).unwrap();
    let found = on.painted(&before, |frame| {
        device::obscure(frame, &whole, &Obscuring::default(), &mut buffers).unwrap();
    });
    assert!(found == expected);
}

#[test]
fn the_short_forms_do_what_they_say() {
    let Some(on) = device() else { return };
    let mut buffers = PaintBuffers::default();
    let face = [Rect::new(12.0, 10.0, 30.0, 40.0)];
    let before = Pixels::random(&FORMATS[0], 64, 64, 2);
    let mut check = |effect: Effect, work: &mut dyn FnMut(&mut CudaFrame<'_>, &mut PaintBuffers)| {
        let mut expected = before.clone();
        let how = Obscuring { effect, ..Obscuring::default() };
        expected.canvas(|canvas| paint::obscure(canvas, &face, &how)).unwrap();
        assert!(on.painted(&before, |frame| work(frame, &mut buffers)) == expected, "{effect:?}");
        assert!(expected != before);
    };
    check(Effect::Blur { blocks: 6 }, &mut |frame, buffers| device::blur(frame, &face, 6, buffers).unwrap());
    check(Effect::Pixelate { blocks: 9 }, &mut |frame, buffers| {
        device::pixelate(frame, &face, 9, buffers).unwrap()
    });
    check(Effect::Fill([9, 8, 7]), &mut |frame, buffers| {
        device::fill(frame, &face, [9, 8, 7], buffers).unwrap()
    });
}

/// A ramp of alpha, colours multiplied by it.
fn ramp(width: u32, height: u32) -> Vec<u8> {
    let pixel = |i: u32| {
        let alpha = i * 255 / (width * height - 1).max(1);
        [200, 90, 30, 255].map(|part| (part * alpha / 255) as u8)
    };
    (0..width * height).flat_map(pixel).collect()
}

/// Earlier items do a cell for later ones: those that have nothing of it in the picture must leave it to them.
#[test]
fn items_without_an_area_or_outside_hide_nothing() {
    let Some(on) = device() else { return };
    let item = |x, y, width, height| Item { x, y, width, height, paint: Paint::Solid([255; 4]) };
    for format in FORMATS {
        let before = Pixels::random(format, 7, 7, 5);
        let draw = |items: &[Item<Bitmap<'_>>]| {
            let mut drawn = before.clone();
            drawn.canvas(|canvas| paint::draw(canvas, items));
            drawn
        };
        let expected = draw(&[item(0, 0, 7, 7)]);
        assert!(expected != before);
        for empty in
            [item(0, 1, 1, 0), item(1, 0, 0, 1), item(0, 7, 7, 9), item(7, 0, 1, 7), item(-3, 0, 3, 7)]
        {
            assert!(draw(&[empty, item(0, 0, 7, 7)]) == expected, "{} {} {}", format.0, empty.x, empty.y);
            let there = [empty, item(0, 0, 7, 7)].map(|Item { x, y, width, height, .. }| Item {
                x,
                y,
                width,
                height,
                paint: Paint::Solid([255; 4]),
            });
            let found = on.painted(&before, |frame| device::draw(frame, &there).unwrap());
            assert!(found == expected, "on the GPU, {} {} {}", format.0, empty.x, empty.y);
        }
    }
}

#[test]
fn items_are_drawn_as_on_the_host() {
    let Some(on) = device() else { return };
    let place = (-20_i32..60, -20_i32..60, 0_u32..50, 0_u32..50);
    let cases = (
        (1_u32..60, 1_u32..60),
        prop::collection::vec((place, any::<Option<[u8; 4]>>(), any::<bool>()), 0..6),
        any::<u64>(),
    );
    TestRunner::new(config(40))
        .run(&cases, |((width, height), items, seed)| {
            let pixels: Vec<Vec<u8>> =
                items.iter().map(|((_, _, w, h), _, _)| ramp((*w).max(1), (*h).max(1))).collect();
            let order = |rgba: bool| if rgba { Order::Rgba } else { Order::Bgra };
            let mut here = Vec::new();
            let mut there = Vec::new();
            for (((x, y, w, h), color, rgba), pixels) in items.iter().zip(&pixels) {
                let (bw, bh) = ((*w).max(1), (*h).max(1));
                // Items may ask for more than their bitmap has.
                let (x, y, width, height) = (*x, *y, w + u32::from(*rgba), *h);
                let (a, b) = match color {
                    Some(color) => (Paint::Solid(*color), Paint::Solid(*color)),
                    None => {
                        let bitmap = Bitmap::new(pixels, bw, bh, bw as usize * 4, order(*rgba)).unwrap();
                        let uploaded =
                            DeviceBitmap::upload(&on.stream, pixels, bw, bh, order(*rgba)).unwrap();
                        (Paint::Bitmap(bitmap), Paint::Bitmap(uploaded))
                    }
                };
                here.push(Item { x, y, width, height, paint: a });
                there.push(Item { x, y, width, height, paint: b });
            }
            for format in FORMATS {
                let before = Pixels::random(format, width, height, seed);
                let mut expected = before.clone();
                expected.canvas(|canvas| paint::draw(canvas, &here));
                let found = on.painted(&before, |frame| device::draw(frame, &there).unwrap());
                prop_assert!(found == expected, "{} {width}x{height}", format.0);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn extreme_places_and_more_items_than_fit_one_launch_are_drawn_the_same() {
    let Some(on) = device() else { return };
    let mut items: Vec<Item<DeviceBitmap>> =
        (0..60).flat_map(|i| outline((i * 5 - 40, i * 3 - 30, 25, 20), 2, [250, i as u8, 40, 200])).collect();
    for (x, y, width, height) in
        [(i32::MIN, i32::MIN, u32::MAX, u32::MAX), (i32::MAX, 3, 5, u32::MAX), (-3, i32::MIN, 9, u32::MAX)]
    {
        items.push(Item { x, y, width, height, paint: Paint::Solid([0, 200, 0, 90]) });
    }
    let here: Vec<Item<Bitmap<'_>>> = items
        .iter()
        .map(|item| match item.paint {
            Paint::Solid(color) => Item {
                x: item.x,
                y: item.y,
                width: item.width,
                height: item.height,
                paint: Paint::Solid(color),
            },
            Paint::Bitmap(_) => unreachable!(),
        })
        .collect();
    for format in FORMATS {
        let before = Pixels::random(format, 131, 97, 8);
        let mut expected = before.clone();
        expected.canvas(|canvas| paint::draw(canvas, &here));
        let found = on.painted(&before, |frame| device::draw(frame, &items).unwrap());
        assert!(found == expected, "{}", format.0);
    }
}

#[test]
fn no_pixel_crosses_and_a_failure_leaves_the_next_frame_alone() {
    let Some(on) = device() else { return };
    let mut buffers = PaintBuffers::default();
    let before = Pixels::random(&FORMATS[0], 64, 64, 2);
    let face = [Rect::new(12.0, 10.0, 30.0, 40.0)];
    on.painted(&before, |frame| {
        let start = traffic();
        device::obscure(frame, &face, &Obscuring::default(), &mut buffers).unwrap();
        assert!(
            device::obscure(frame, &face, &Obscuring { margin: 9.0, ..Obscuring::default() }, &mut buffers)
                .is_err()
        );
        let bitmap = DeviceBitmap::upload(&on.stream, &ramp(4, 4), 4, 4, Order::Rgba).unwrap();
        device::draw(frame, &[Item { x: 0, y: 0, width: 4, height: 4, paint: Paint::Bitmap(bitmap) }])
            .unwrap();
        let moved = traffic().since(&start);
        assert_eq!((moved.pixels_to_device, moved.pixels_to_host, moved.other_to_host), (0, 0, 0));
        assert_eq!(moved.other_to_device, 64, "the bitmap");
    });
    assert!(DeviceBitmap::upload(&on.stream, &ramp(4, 4), 5, 4, Order::Rgba).is_err());
    assert!(DeviceBitmap::upload(&on.stream, &[], 0, 4, Order::Rgba).is_err());
    let mut fresh = PaintBuffers::default();
    on.painted(&before, |frame| {
        on.gpu.trim();
        on.driver.fail("cuMemAlloc", facialads_testkit::gpu::OUT_OF_MEMORY, 0, Some(5));
        assert!(device::obscure(frame, &face, &Obscuring::default(), &mut fresh).is_err());
        on.driver.reset();
        device::obscure(frame, &face, &Obscuring::default(), &mut fresh).unwrap();
    });
}

/// Writes pictures to look at into `$PAINT_PICTURES`, where that is set: each effect from the host and from the device.
#[test]
fn pictures_to_look_at() {
    let Some(folder) = std::env::var_os("PAINT_PICTURES").map(std::path::PathBuf::from) else { return };
    let (Some(on), Some(photograph)) = (device(), media("sample1.jpg")) else { return };
    let picture = Picture::open(&photograph);
    let (w, h) = (picture.0 as f32, picture.1 as f32);
    let boxes =
        [Rect::new(w * 0.4, h * 0.2, w * 0.2, h * 0.4), Rect::new(w * 0.05, h * 0.5, w * 0.15, h * 0.3)];
    let save = |name: String, pixels: &Pixels| {
        let Picture(w, h, rgb) = pixels.picture();
        image::RgbImage::from_raw(w, h, rgb).unwrap().save(folder.join(name)).unwrap();
    };
    let mut buffers = PaintBuffers::default();
    for (effect, name) in [
        (Effect::Blur { blocks: 8 }, "blur"),
        (Effect::Pixelate { blocks: 8 }, "pixelate"),
        (Effect::Fill([30, 60, 200]), "fill"),
    ] {
        for format in [&FORMATS[0], &FORMATS[2]] {
            let how = Obscuring { effect, ..Obscuring::default() };
            let before = Pixels::of(format, &picture);
            let bounds =
                (boxes[0].x as i32, boxes[0].y as i32, boxes[0].width as u32, boxes[0].height as u32);
            let yellow = [255, 220, 0, 255];
            let mut host = before.clone();
            host.canvas(|canvas| {
                paint::obscure(canvas, &boxes, &how).unwrap();
                paint::draw(canvas, &outline(bounds, 3, yellow).collect::<Vec<_>>());
            });
            save(format!("{name}-{}-host.png", format.0), &host);
            let found = on.painted(&before, |frame| {
                device::obscure(frame, &boxes, &how, &mut buffers).unwrap();
                device::draw(frame, &outline(bounds, 3, yellow).collect::<Vec<_>>()).unwrap();
            });
            save(format!("{name}-{}-device.png", format.0), &found);
        }
    }
}
