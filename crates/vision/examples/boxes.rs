//! Draws what a detector finds into pictures: to see what a network of one's own does.
//!
//! `cargo run --release -p facialads-vision --example boxes -- MODEL OUT PICTURE…`: MODEL is a name or the path of an `.onnx` file,
//! pictures are published ones, and come out as `OUT/NAME.png`. Prints confidence and left, top, width, height in pixels.

use facialads_consent::{Basis, Measurement, Policy, Purpose, Site, Stamp, Zone, permit, wall_clock};
use facialads_vision::{Frame, Rect, face::Detector, runtime::LoadOptions};
use image::Rgb;
use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, out, pictures @ ..] = arguments.as_slice() else {
        return Err("usage: boxes MODEL OUT PICTURE…".into());
    };
    let detector = Detector::load(Some(model), None, &LoadOptions::default())?;
    // Published pictures: nobody in front of a screen is looked at.
    let stamp = Stamp {
        purposes: std::iter::once(Purpose::Measurement).collect(),
        epoch: 0,
        max_faces: 100,
        adult: false,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "boxes".into(),
        expires: wall_clock().saturating_add(3600 * 1_000_000_000),
        receipts: Vec::new(),
    };
    for file in pictures {
        let mut picture = image::open(file)?.into_rgb8();
        let frame = Frame::rgb(picture.width(), picture.height(), picture.as_raw())?;
        let permit = permit::<Measurement>(Some(&stamp), 100, wall_clock()).map_err(|e| format!("{e:?}"))?;
        let found = detector.detect(&permit, &detector.shrink(&frame))?;
        for face in &found {
            let Rect { x, y, width, height } = face.bounds;
            println!("{file} {:.2} {x:.0} {y:.0} {width:.0} {height:.0}", face.confidence);
            draw(&mut picture, &face.bounds, Rgb([0, 255, 0]));
            for (x, y) in face.points.into_iter().flatten() {
                draw(&mut picture, &Rect::new(x - 1.0, y - 1.0, 2.0, 2.0), Rgb([255, 255, 0]));
            }
        }
        if found.is_empty() {
            println!("{file} none");
        }
        let name = Path::new(file).file_stem().unwrap_or_default();
        picture.save(Path::new(out).join(name).with_extension("png"))?;
    }
    Ok(())
}

fn draw(picture: &mut image::RgbImage, bounds: &Rect, color: Rgb<u8>) {
    let (x, y, width, height) = bounds
        .scaled(1.0 / picture.width() as f32, 1.0 / picture.height() as f32)
        .to_pixels(picture.width(), picture.height());
    for column in x..x + width {
        picture.put_pixel(column, y, color);
        picture.put_pixel(column, y + height - 1, color);
    }
    for row in y..y + height {
        picture.put_pixel(x, row, color);
        picture.put_pixel(x + width - 1, row, color);
    }
}
