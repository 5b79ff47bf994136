//! What is painted is painted inside its region, in every format, and nothing else changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    Picture,
    formats::{FORMATS, Format, Pixels, to_component},
};
use facialads_vision::{
    ColorModel, Error, Rect,
    cuda::Depth,
    paint::{
        Bitmap, Canvas, CanvasComponent, Effect, Item, Obscuring, Order, Paint, Shape, draw, obscure, outline,
    },
};
use proptest::prelude::*;

fn any_effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        (1_u32..20).prop_map(|blocks| Effect::Blur { blocks }),
        (1_u32..20).prop_map(|blocks| Effect::Pixelate { blocks }),
        any::<[u8; 3]>().prop_map(Effect::Fill),
    ]
}

fn any_how() -> impl Strategy<Value = Obscuring> {
    let shape = prop_oneof![Just(Shape::Ellipse), Just(Shape::Rectangle)];
    (any_effect(), shape, 0.0_f32..0.5, prop_oneof![Just(0.0_f32), 0.0_f32..1.0])
        .prop_map(|(effect, shape, margin, feather)| Obscuring { effect, shape, margin, feather })
}

fn any_box() -> impl Strategy<Value = Rect> {
    (-30.0_f32..80.0, -30.0_f32..80.0, 0.1_f32..60.0, 0.1_f32..60.0)
        .prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_changes_outside_the_region_and_chroma_is_painted_where_luma_is(
        (width, height) in (1_u32..70, 1_u32..70), boxes in prop::collection::vec(any_box(), 0..4), how in any_how(), seed in any::<u64>(),
    ) {
        for format in FORMATS {
            let before = Pixels::random(format, width, height, seed);
            let mut after = before.clone();
            after.canvas(|canvas| obscure(canvas, &boxes, &how)).unwrap();
            // The bytes that are no samples first: padding, alpha.
            let mut rest = after.clone();
            rest.each(|component, x, y, _| before.sample(component, x, y));
            prop_assert!(rest.planes == before.planes, "{}: padding or alpha changed", format.0);
            let (cell_x, cell_y) = before.cell();
            for component in 0..before.components.len() {
                let (columns, rows) = before.size(component);
                let c = before.components[component];
                for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
                    if after.sample(component, x, y) == before.sample(component, x, y) {
                        continue;
                    }
                    // The whole cell around the sample touches one of the grown boxes.
                    let low = |at: usize, own: u8, cell: u8| (at << own >> cell << cell) as f32;
                    let (left, top) = (low(x, c.shift_x, cell_x), low(y, c.shift_y, cell_y));
                    let cell = Rect::new(left, top, (1 << cell_x) as f32, (1 << cell_y) as f32);
                    let touched = boxes.iter().any(|b| b.grown(2.0 * how.margin).intersection_area(&cell) > 0.0);
                    prop_assert!(touched, "{}: component {component} at {x}, {y}", format.0);
                }
            }
        }
    }
}

const HARD: Obscuring =
    Obscuring { effect: Effect::Fill([200, 30, 60]), shape: Shape::Ellipse, margin: 0.0, feather: 0.0 };

#[test]
fn a_filled_region_has_its_colour_in_every_format() {
    for format in FORMATS {
        let mut pixels = Pixels::random(format, 33, 21, 7);
        let how = Obscuring { shape: Shape::Rectangle, ..HARD };
        pixels.canvas(|canvas| obscure(canvas, &[Rect::new(4.0, 4.0, 16.0, 8.0)], &how)).unwrap();
        for component in 0..pixels.components.len() {
            let wanted = to_component(pixels.color, component, [200.0, 30.0, 60.0]);
            let c = pixels.components[component];
            let found = pixels.sample(component, 8 >> c.shift_x, 8 >> c.shift_y) as f32;
            let found = if pixels.depth == Depth::Sixteen { found / 256.0 } else { found };
            assert!((found - wanted).abs() <= 0.5, "{}: {found}, not {wanted}", format.0);
        }
    }
}

#[test]
fn an_ellipse_and_its_chroma_cover_the_same_cells() {
    for format in FORMATS {
        let mut pixels = Pixels::random(format, 64, 64, 3);
        // Values that the colour does not have.
        pixels.each(|_, _, _, _| if pixels_are_wide(format) { 1 << 6 } else { 1 });
        let before = pixels.clone();
        pixels.canvas(|canvas| obscure(canvas, &[Rect::new(10.3, 7.9, 33.0, 40.0)], &HARD)).unwrap();
        let (cell_x, cell_y) = pixels.cell();
        let mut painted = 0;
        for (x, y) in (0..64_usize).flat_map(|y| (0..64_usize).map(move |x| (x, y))) {
            let changed: Vec<bool> = (0..pixels.components.len())
                .map(|i| {
                    let c = pixels.components[i];
                    let at = |p: &Pixels| p.sample(i, x >> c.shift_x, y >> c.shift_y);
                    at(&pixels) != at(&before)
                })
                .collect();
            assert!(changed.iter().all(|c| *c == changed[0]), "{}: {x}, {y}", format.0);
            painted += usize::from(changed[0]);
        }
        // The ellipse that touches the sides: pi / 4 of the box, which was rounded out to cells.
        let (full_x, full_y) = (34 + (2 << cell_x), 41 + (2 << cell_y));
        let area = |w: usize, h: usize| (w * h) as f64 * std::f64::consts::FRAC_PI_4;
        let found = painted as f64;
        assert!(found > area(32, 39) && found < area(full_x, full_y), "{}: {painted}", format.0);
    }
}

fn pixels_are_wide(format: &Format) -> bool {
    format.2 == Depth::Sixteen
}

#[test]
fn a_pixelated_region_is_made_of_means() {
    let mut pixels = Pixels::random(&FORMATS[8], 32, 32, 5);
    let before = pixels.clone();
    let how = Obscuring {
        effect: Effect::Pixelate { blocks: 4 },
        shape: Shape::Rectangle,
        margin: 0.0,
        feather: 0.0,
    };
    pixels.canvas(|canvas| obscure(canvas, &[Rect::new(8.0, 8.0, 16.0, 16.0)], &how)).unwrap();
    for component in 0..3 {
        for (bx, by) in [(8, 8), (12, 8), (20, 20)] {
            let block = || (by..by + 4).flat_map(|y| (bx..bx + 4).map(move |x| (x, y)));
            let sum: u32 = block().map(|(x, y)| before.sample(component, x, y)).sum();
            let mean = (f64::from(sum) / 16.0).round() as u32;
            assert!(block().all(|(x, y)| pixels.sample(component, x, y).abs_diff(mean) <= 1));
        }
    }
}

/// What the strength says: the result depends on nothing but the means of at most `blocks` x `blocks` blocks.
#[test]
fn nothing_but_the_blocks_means_is_left_of_a_face() {
    for effect in [Effect::Blur { blocks: 8 }, Effect::Pixelate { blocks: 8 }] {
        for format in FORMATS {
            let how = Obscuring { effect, shape: Shape::Rectangle, margin: 0.0, feather: 0.0 };
            let face = Rect::new(16.0, 16.0, 64.0, 48.0);
            let mut one = Pixels::random(format, 96, 80, 11);
            let mut other = one.clone();
            // Blocks of 8 pixels, each turned upside down: the same means of another picture.
            let source = one.clone();
            other.each(|component, x, y, _| {
                let c = source.components[component];
                let (w, h) = (8 >> c.shift_x, 8 >> c.shift_y);
                source.sample(
                    component,
                    x / w * w + (w - 1 - x % w),
                    (y / h * h + (h - 1 - y % h)).min(source.size(component).1 - 1),
                )
            });
            assert!(one.planes != other.planes);
            let mut results = Vec::new();
            for pixels in [&mut one, &mut other] {
                pixels.canvas(|canvas| obscure(canvas, &[face], &how)).unwrap();
                let inside = |component: usize| {
                    let c = pixels.components[component];
                    let pixels = &*pixels;
                    (16_usize >> c.shift_y..64 >> c.shift_y).flat_map(move |y| {
                        (16_usize >> c.shift_x..80 >> c.shift_x).map(move |x| pixels.sample(component, x, y))
                    })
                };
                results.push((0..pixels.components.len()).flat_map(inside).collect::<Vec<_>>());
            }
            assert!(results[0] == results[1], "{} {effect:?}", format.0);
        }
    }
}

#[test]
fn a_blur_is_smooth_and_keeps_a_plain_picture() {
    let how =
        Obscuring { effect: Effect::Blur { blocks: 6 }, shape: Shape::Rectangle, margin: 0.0, feather: 0.0 };
    let mut pixels = Pixels::of(&FORMATS[8], &Picture::plain(64, 64, [90, 120, 77]));
    let before = pixels.clone();
    pixels.canvas(|canvas| obscure(canvas, &[Rect::new(0.0, 0.0, 64.0, 64.0)], &how)).unwrap();
    assert!(pixels == before, "the mean of one colour is that colour");
    // Half black, half white: no step of more than 1 / 6 of the range is left.
    pixels.each(|_, x, _, _| if x < 32 { 0 } else { 255 });
    pixels.canvas(|canvas| obscure(canvas, &[Rect::new(0.0, 0.0, 64.0, 64.0)], &how)).unwrap();
    let row: Vec<u32> = (0..64).map(|x| pixels.sample(0, x, 30)).collect();
    assert!(row.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 40), "{row:?}");
}

#[test]
fn feathering_fades_out_towards_the_edge() {
    let mut pixels = Pixels::of(&FORMATS[8], &Picture::plain(100, 100, [0, 0, 0]));
    let how = Obscuring { effect: Effect::Fill([255; 3]), feather: 0.5, ..HARD };
    pixels.canvas(|canvas| obscure(canvas, &[Rect::new(10.0, 10.0, 80.0, 80.0)], &how)).unwrap();
    let row: Vec<u32> = (10..51).map(|x| pixels.sample(0, x, 50)).collect();
    assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{row:?}");
    assert!(row[0] < 20 && row[10] > 100 && row[10] < 160 && row[21..].iter().all(|v| *v == 255), "{row:?}");
}

#[test]
fn the_later_of_overlapping_regions_lies_over_the_earlier() {
    let mut pixels = Pixels::of(&FORMATS[0], &Picture::plain(64, 64, [10, 10, 10]));
    let boxes = [Rect::new(0.0, 0.0, 40.0, 40.0), Rect::new(20.0, 20.0, 40.0, 40.0)];
    let how = Obscuring {
        effect: Effect::Pixelate { blocks: 1 },
        shape: Shape::Rectangle,
        margin: 0.0,
        feather: 0.0,
    };
    pixels.each(|component, x, y, old| if component == 0 { (x + y) as u32 } else { old });
    pixels.canvas(|canvas| obscure(canvas, &boxes, &how)).unwrap();
    assert_eq!(pixels.sample(0, 5, 5), 39);
    // The mean of the picture as it was, not of what the first region left.
    assert_eq!((pixels.sample(0, 25, 25), pixels.sample(0, 55, 55)), (79, 79));
}

#[test]
fn more_regions_than_fit_a_kernel_are_all_painted() {
    let mut pixels = Pixels::of(&FORMATS[8], &Picture::plain(640, 16, [0, 0, 0]));
    let boxes: Vec<Rect> = (0..130).map(|i| Rect::new(i as f32 * 4.0, 2.0, 2.0, 2.0)).collect();
    let how =
        Obscuring { effect: Effect::Fill([255; 3]), shape: Shape::Rectangle, margin: 0.0, feather: 0.0 };
    pixels.canvas(|canvas| obscure(canvas, &boxes, &how)).unwrap();
    let white = (0..640).filter(|x| pixels.sample(0, *x, 3) == 255).count();
    assert_eq!(white, 260);
}

#[test]
fn boxes_that_are_none_and_huge_ones_do_no_harm() {
    for format in FORMATS {
        for (width, height) in [(1, 1), (2, 3), (17, 9)] {
            let mut pixels = Pixels::random(format, width, height, 9);
            let values = [f32::NAN, f32::INFINITY, -1e30, 1e30, 0.0, -3.0];
            let boxes: Vec<Rect> =
                values.iter().flat_map(|x| values.map(|w| Rect::new(*x, *x, w, w))).collect();
            for effect in [Effect::Blur { blocks: 64 }, Effect::Pixelate { blocks: 1 }, Effect::Fill([9; 3])]
            {
                pixels
                    .canvas(|canvas| obscure(canvas, &boxes, &Obscuring { effect, ..Obscuring::default() }))
                    .unwrap();
            }
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused_before_anything_is_painted() {
    let good = Obscuring::default();
    for (how, part) in [
        (Obscuring { margin: -0.1, ..good }, "margin of -0.1"),
        (Obscuring { margin: f32::NAN, ..good }, "margin"),
        (Obscuring { feather: 1.5, ..good }, "feather of 1.5"),
        (Obscuring { effect: Effect::Blur { blocks: 0 }, ..good }, "0 blocks"),
        (Obscuring { effect: Effect::Pixelate { blocks: 65 }, ..good }, "1 to 64"),
    ] {
        let mut pixels = Pixels::random(&FORMATS[0], 16, 16, 1);
        let before = pixels.clone();
        let error =
            pixels.canvas(|canvas| obscure(canvas, &[Rect::new(0.0, 0.0, 9.0, 9.0)], &how)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(pixels == before);
    }
}

#[test]
fn a_canvas_whose_samples_lie_outside_its_planes_is_refused() {
    let component =
        CanvasComponent { plane: 0, offset: 0, row_stride: 16, pixel_stride: 1, shift_x: 0, shift_y: 0 };
    let refused = |depth: Depth, bytes: usize, component: CanvasComponent, part: &str| {
        let mut memory = vec![0; bytes];
        let mut planes = [memory.as_mut_slice()];
        match Canvas::new(16, 16, ColorModel::Gray, depth, &mut planes, &[component]) {
            Err(Error::Frame { problem, .. }) => assert!(problem.contains(part), "{problem}"),
            other => panic!("{part}: {other:?}"),
        }
    };
    refused(Depth::Eight, 255, component, "256 bytes needed, 255 given");
    refused(Depth::Sixteen, 256, component, "257 bytes needed");
    refused(Depth::Eight, 256, CanvasComponent { plane: 1, ..component }, "no such plane");
    refused(Depth::Eight, 256, CanvasComponent { pixel_stride: 0, ..component }, "a stride of 0");
    refused(Depth::Eight, 256, CanvasComponent { row_stride: usize::MAX, ..component }, "overflow");
    refused(Depth::Eight, 256, CanvasComponent { shift_x: 9, ..component }, "unheard of");
    assert!(Canvas::new(0, 1, ColorModel::Gray, Depth::Eight, &mut [], &[]).is_err());
    assert!(Canvas::new(1, 1, ColorModel::Rgb, Depth::Eight, &mut [&mut [0]], &[component]).is_err());
}

/// Blending in RGB, then converting, must give what drawing in the format's own colours gives.
#[test]
fn a_bitmap_has_the_same_colours_on_every_format() {
    let picture = {
        let mut picture = Picture::plain(48, 40, [0, 0, 0]);
        picture.2.iter_mut().enumerate().for_each(|(i, byte)| *byte = ((i / 7) % 256) as u8);
        picture
    };
    // Pre-multiplied: a ramp of alpha.
    let (w, h) = (20_u32, 12_u32);
    let bitmap: Vec<u8> = (0..w * h)
        .flat_map(|i| {
            let alpha = i * 255 / (w * h - 1);
            [200, 90, 30, 255].map(|part| (part * alpha / 255) as u8)
        })
        .collect();
    let item = |order: Order| Item {
        x: 6,
        y: 4,
        width: w,
        height: h,
        paint: Paint::Bitmap(Bitmap::new(&bitmap, w, h, w as usize * 4, order).unwrap()),
    };
    let mut blended = Picture(48, 40, picture.2.clone());
    for (x, y) in (0..h as usize).flat_map(|y| (0..w as usize).map(move |x| (x, y))) {
        for c in 0..3 {
            let (at, from) = (((y + 4) * 48 + x + 6) * 3 + c, (y * w as usize + x) * 4);
            let share = f32::from(bitmap[from + 3]) / 255.0;
            blended.2[at] =
                (f32::from(picture.2[at]) * (1.0 - share) + f32::from(bitmap[from + c])).round() as u8;
        }
    }
    for format in FORMATS {
        let mut pixels = Pixels::of(format, &picture);
        pixels.canvas(|canvas| draw(canvas, &[item(Order::Rgba)]));
        let wanted = Pixels::of(format, &blended);
        let wide = pixels.depth == Depth::Sixteen;
        for component in 0..pixels.components.len() {
            let (columns, rows) = pixels.size(component);
            for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
                let (a, b) = (pixels.sample(component, x, y), wanted.sample(component, x, y));
                let off = if wide { a.abs_diff(b) as f32 / 256.0 } else { a.abs_diff(b) as f32 };
                // Rounding of 8 bits twice; the mean of products is not the product of means.
                let tolerance = if format.3 == (0, 0) || component == 0 { 1.0 } else { 14.0 };
                assert!(off <= tolerance, "{} component {component} at {x}, {y}: {a}, not {b}", format.0);
            }
        }
    }
    // The other order of bytes swaps red and blue.
    let mut swapped = Pixels::of(&FORMATS[8], &picture);
    swapped.canvas(|canvas| draw(canvas, &[item(Order::Bgra)]));
    let mut right = Pixels::of(&FORMATS[8], &picture);
    right.canvas(|canvas| draw(canvas, &[item(Order::Rgba)]));
    assert_eq!(swapped.sample(2, 25, 15), right.sample(0, 25, 15));
}

#[test]
fn items_are_clipped_and_later_ones_lie_over_earlier_ones() {
    for format in FORMATS {
        let mut pixels = Pixels::random(format, 31, 17, 4);
        let solid = |x, y, width, height, color| Item { x, y, width, height, paint: Paint::Solid(color) };
        let items = [
            solid(-100, -100, 400, 400, [255, 255, 255, 255]),
            solid(i32::MIN, i32::MIN, u32::MAX, u32::MAX, [0, 255, 0, 255]),
            solid(i32::MAX, 3, 5, u32::MAX, [9, 9, 9, 255]),
            solid(4, 4, 0, 10, [9, 9, 9, 255]),
        ];
        pixels.canvas(|canvas| draw(canvas, &items));
        let picture = pixels.picture();
        let green =
            picture.2.chunks(3).all(|rgb| pixels.color == ColorModel::Gray || rgb[1] > 250 && rgb[0] < 5);
        assert!(green, "{}", format.0);
    }
}

#[test]
fn an_outline_is_hollow_where_it_can_be() {
    let mut pixels = Pixels::of(&FORMATS[8], &Picture::plain(32, 32, [0, 0, 0]));
    let lines: Vec<Item<Bitmap<'_>>> = outline((4, 6, 20, 10), 3, [255, 255, 255, 255]).collect();
    pixels.canvas(|canvas| draw(canvas, &lines));
    let white = |x: usize, y: usize| pixels.sample(0, x, y) == 255;
    let all = (0..32).flat_map(|y| (0..32).map(move |x| (x, y)));
    for (x, y) in all {
        let (inside, hollow) =
            ((4..24).contains(&x) && (6..16).contains(&y), (7..21).contains(&x) && (9..13).contains(&y));
        assert_eq!(white(x, y), inside && !hollow, "{x}, {y}");
    }
    assert_eq!(outline::<Bitmap<'_>>((0, 0, 6, 50), 3, [0; 4]).count(), 1, "too narrow to be hollow");
    assert_eq!(outline::<Bitmap<'_>>((0, 0, 0, 50), 3, [0; 4]).count(), 0);
}
