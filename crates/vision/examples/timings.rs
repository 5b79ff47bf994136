//! Time per call on this machine, streaming thread and worker apart: `cargo run --release -p facialads-vision --example
//! timings`. Printed, never asserted.

use facialads_consent::{Basis, Policy, Purposes, Site, Stamp, Zone, permit, wall_clock};
use facialads_vision::{
    ColorModel, Component, FaceAnalyzer, FaceOptions, Frame, Matrix, Range, Rect, SubjectClassifier,
    SubjectOptions,
    face::{AgeGender, Portrait},
    runtime::LoadOptions,
};
use std::{
    error::Error,
    time::{Duration, Instant},
};

fn main() -> Result<(), Box<dyn Error>> {
    let analyzer = FaceAnalyzer::new(&FaceOptions::default())?;
    let ages = AgeGender::load("age-gender", &LoadOptions::default())?;
    let subject = SubjectClassifier::new(&SubjectOptions::default())?;
    let stamp = Stamp {
        purposes: Purposes::all(),
        epoch: 1,
        max_faces: 10,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "timings".into(),
        expires: wall_clock().saturating_add(3_600_000_000_000),
        receipts: Vec::new(),
    };
    println!("detector {}, milliseconds: median (least)", analyzer.detector_model());
    for (width, height) in [(640, 360), (1280, 720), (1920, 1080), (3840, 2160)] {
        let bytes: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        let chroma = width * height;
        let nv12 =
            [(0, 1, 0), (chroma, 2, 1), (chroma + 1, 2, 1)].map(|(start, pixel_stride, shift)| Component {
                data: &bytes[start..],
                row_stride: width,
                pixel_stride,
                shift_x: shift,
                shift_y: shift,
            });
        let color = ColorModel::Yuv { matrix: Matrix::Bt709, range: Range::Limited };
        let frames = [
            ("NV12", Frame::new(width as u32, height as u32, color, &nv12)?),
            ("RGB", Frame::rgb(width as u32, height as u32, &bytes)?),
        ];
        for (format, frame) in frames {
            let face = Rect::new(width as f32 * 0.3, 20.0, height as f32 * 0.5, height as f32 * 0.6);
            println!("{width}x{height} {format}, streaming thread:");
            report("shrink for the detector", || drop(analyzer.shrink(&frame)));
            report("cut one face", || drop(Portrait::cut(&frame, &face, 0.2, ages.input())));
            report("shrink for the subject", || drop(subject.shrink(&frame)));
        }
        let input = analyzer.shrink(&frames[1].1);
        let frame = frames[1].1;
        let portrait = Portrait::cut(&frame, &Rect::new(0.0, 0.0, 300.0, 300.0), 0.0, ages.input());
        println!("{width}x{height}, worker:");
        let measurement = permit(Some(&stamp), 0, wall_clock())?;
        report("detect", || drop(analyzer.detect(&measurement, &input, Zone::FULL, Duration::ZERO)));
        let demographics = permit(Some(&stamp), 1, wall_clock())?;
        if let Some(portrait) = portrait {
            let both = [portrait.clone(), portrait.mirrored()];
            report("age and gender, with the mirror image", || drop(ages.estimate(&demographics, &both)));
        }
        let small = subject.shrink(&frame);
        report("classify the subject", || drop(subject.classify(&small, Duration::ZERO)));
    }
    Ok(())
}

fn report(what: &str, mut run: impl FnMut()) {
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("  {what:<40} {:7.2} ({:.2})", times[times.len() / 2], times[0]);
}
