//! What `Precision::Fast` changes on this machine: the same pictures through each network in 32 bits and as fast as OpenVINO can.
//!
//! `cargo run --release -p facialads-vision --example precision -- photographs PICTURE…` finds the faces and describes them;
//! `… -- crops PICTURE…` takes each picture for one face. Published pictures only. Prints differences, nothing of any face.

use facialads_consent::{
    Basis, Permit, Policy, PurposeKind, Purposes, Site, Stamp, Zone, permit, wall_clock,
};
use facialads_vision::{
    Frame, Rect, SubjectClassifier, SubjectOptions,
    decode::Detection,
    face::{AgeGender, Detector, Expression, Portrait},
    runtime::{LoadOptions, Precision},
    spec::models_dir,
};
use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The framing of the product, see `face::fusion`.
const MARGIN: f32 = 0.2;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, files @ ..] = arguments.as_slice() else {
        return Err("usage: precision photographs|crops PICTURE…".into());
    };
    let whole = kind == "crops";
    let open = |file: &String| image::open(file).map(image::DynamicImage::into_rgb8);
    let pictures = files.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let frames: Vec<Frame> =
        pictures.iter().map(|p| Frame::rgb(p.width(), p.height(), p.as_raw())).collect::<Result<_, _>>()?;
    let mut faces: Vec<Vec<Rect>> =
        frames.iter().map(|f| vec![Rect::new(0.0, 0.0, f.width() as f32, f.height() as f32)]).collect();
    for model in ["tiny-face", "rfb-320", "ssd-mobilenet-v1", "yunet"] {
        if whole {
            continue;
        }
        if let Some(found) = detections(model, &frames)? {
            boxes(model, &frames, &found)?;
            faces = found.iter().map(|found| found.iter().map(|[exact, _]| *exact).collect()).collect();
        }
    }
    ages(&frames, &faces)?;
    expressions(&frames, &faces)?;
    subjects(&frames)
}

fn both() -> [LoadOptions; 2] {
    [Precision::F32, Precision::Fast].map(|precision| LoadOptions {
        device: facialads_vision::Device::OpenVino("CPU".into()),
        precision,
        ..LoadOptions::default()
    })
}

fn is_there(model: &str) -> bool {
    models_dir().join(format!("{model}.onnx")).is_file()
}

/// Differences, to be told as their mean, the one above which 1 % lie, and the largest.
#[derive(Default)]
struct Differences(Vec<f32>);

impl Differences {
    fn add(&mut self, a: f32, b: f32) {
        self.0.push((a - b).abs());
    }
    fn say(&mut self, what: &str) {
        self.0.sort_by(f32::total_cmp);
        let mean = self.0.iter().sum::<f32>() / self.0.len().max(1) as f32;
        let late = self.0.get(self.0.len() * 99 / 100).copied().unwrap_or(0.0);
        let most = self.0.last().copied().unwrap_or(0.0);
        println!("  {what}: mean {mean:.4}, 99 % below {late:.4}, most {most:.4}");
    }
}

/// What is found in 32 bits, and what fast in the same place; `None` where the model is not installed.
fn detections(model: &str, frames: &[Frame]) -> Outcome<Option<Vec<Vec<[Rect; 2]>>>> {
    if !is_there(model) {
        return Ok(None);
    }
    let [exact, fast] = both().map(|load| Detector::load(Some(model), None, &load));
    let (exact, fast) = (exact?, fast?);
    let (mut all, mut count, mut gone, mut new, mut least) = (Vec::new(), 0, 0, 0, 1.0_f32);
    let (mut edges, mut relative, mut scores) =
        (Differences::default(), Differences::default(), Differences::default());
    for frame in frames {
        let measurement = asked(100)?;
        let found = exact.detect(&measurement, &exact.shrink(frame))?;
        let other = fast.detect(&measurement, &fast.shrink(frame))?;
        let mut pairs = Vec::new();
        for face in &found {
            let iou = |other: &&Detection| face.bounds.iou(&other.bounds);
            let Some(same) = other.iter().filter(|o| iou(o) > 0.5).max_by(|a, b| iou(a).total_cmp(&iou(b)))
            else {
                gone += 1;
                continue;
            };
            pairs.push([face.bounds, same.bounds]);
            least = least.min(iou(&same));
            let corners = |r: &Rect| [r.x, r.y, r.right(), r.bottom()];
            for (a, b) in corners(&face.bounds).into_iter().zip(corners(&same.bounds)) {
                edges.add(a, b);
                relative.add(a / face.bounds.width * 100.0, b / face.bounds.width * 100.0);
            }
            scores.add(face.confidence, same.confidence);
        }
        (new, count) = (new + other.len() - pairs.len(), count + found.len());
        all.push(pairs);
    }
    println!("{model}: {count} faces, {gone} lost, {new} new, least overlap {least:.3}");
    edges.say("edges, px");
    relative.say("edges, % of the face's width");
    scores.say("confidence");
    Ok(Some(all))
}

fn portraits(frame: &Frame, faces: &[Rect], input: &facialads_vision::spec::InputSpec) -> Vec<Portrait> {
    faces.iter().filter_map(|face| Portrait::cut(frame, face, MARGIN, input)).collect()
}

fn ages(frames: &[Frame], faces: &[Vec<Rect>]) -> Outcome<()> {
    for model in ["age-gender", "faceres"].into_iter().filter(|model| is_there(model)) {
        let [exact, fast] = both().map(|load| AgeGender::load(model, &load));
        let (exact, fast) = (exact?, fast?);
        let (mut years, mut logits, mut female, mut flips, mut count) =
            (Differences::default(), Differences::default(), Differences::default(), 0, 0);
        for (frame, faces) in frames.iter().zip(faces) {
            let portraits = portraits(frame, faces, exact.input());
            let demographics = asked(faces.len())?;
            let (ours, theirs) =
                (exact.estimate(&demographics, &portraits)?, fast.estimate(&demographics, &portraits)?);
            for (a, b) in ours.iter().zip(&theirs) {
                let logit = |p: f32| (p.clamp(1e-6, 1.0 - 1e-6) / (1.0 - p.clamp(1e-6, 1.0 - 1e-6))).ln();
                years.add(a.years, b.years);
                female.add(a.female, b.female);
                logits.add(logit(a.female), logit(b.female));
                flips += usize::from((a.female > 0.5) != (b.female > 0.5));
                count += 1;
            }
        }
        println!("{model}: {count} faces, gender turned over at 0.5: {flips}");
        years.say("years");
        female.say("probability of a woman");
        logits.say("its logit");
    }
    Ok(())
}

/// What the product's `precision=fast` comes to: ages and genders in 32 bits, of boxes that are not quite the same.
fn boxes(detector: &str, frames: &[Frame], found: &[Vec<[Rect; 2]>]) -> Outcome<()> {
    if !is_there("age-gender") {
        return Ok(());
    }
    let network = AgeGender::load("age-gender", &both()[0])?;
    let (mut years, mut female) = (Differences::default(), Differences::default());
    for (frame, pairs) in frames.iter().zip(found) {
        let demographics = asked(pairs.len())?;
        for pair in pairs {
            let portraits = portraits(frame, pair, network.input());
            if let [a, b] = network.estimate(&demographics, &portraits)?.as_slice() {
                years.add(a.years, b.years);
                female.add(a.female, b.female);
            }
        }
    }
    println!("  age-gender in 32 bits on the boxes of {detector}:");
    years.say("years");
    female.say("probability of a woman");
    Ok(())
}

fn expressions(frames: &[Frame], faces: &[Vec<Rect>]) -> Outcome<()> {
    if !is_there("expression") {
        return Ok(());
    }
    let [exact, fast] = both().map(|load| Expression::load("expression", &load));
    let (exact, fast) = (exact?, fast?);
    let (mut differences, mut flips, mut count) = (Differences::default(), 0, 0);
    for (frame, faces) in frames.iter().zip(faces) {
        let portraits = portraits(frame, faces, exact.input());
        let emotion = asked(faces.len())?;
        let (ours, theirs) = (exact.estimate(&emotion, &portraits)?, fast.estimate(&emotion, &portraits)?);
        for (a, b) in ours.iter().zip(&theirs) {
            a.iter().zip(b).for_each(|(a, b)| differences.add(*a, *b));
            let likeliest = |p: &[f32; 7]| (0..7).max_by(|i, j| p[*i].total_cmp(&p[*j]));
            flips += usize::from(likeliest(a) != likeliest(b));
            count += 1;
        }
    }
    println!("expression: {count} faces, another likeliest one: {flips}");
    differences.say("probabilities");
    Ok(())
}

fn subjects(frames: &[Frame]) -> Outcome<()> {
    if !is_there("efficientnet-lite0") {
        return Ok(());
    }
    let [exact, fast] =
        both().map(|load| SubjectClassifier::new(&SubjectOptions { load, ..SubjectOptions::default() }));
    let (exact, fast) = (exact?, fast?);
    let (mut differences, mut flips, mut sure, mut sure_flips) = (Differences::default(), 0, 0, 0);
    for frame in frames {
        let (ours, theirs) =
            (exact.labels(&exact.shrink(frame), 1000)?, fast.labels(&fast.shrink(frame), 1000)?);
        let (likeliest, other) = (ours.first(), theirs.first());
        let flip = likeliest.map(|c| &c.0) != other.map(|c| &c.0);
        let is_sure = likeliest.is_some_and(|(_, probability)| *probability >= 0.5);
        flips += usize::from(flip);
        sure += usize::from(is_sure);
        sure_flips += usize::from(flip && is_sure);
        // The rest of a thousand are nearly nothing with both.
        for (label, probability) in ours.iter().take(5) {
            if let Some((_, other)) = theirs.iter().find(|(other, _)| other == label) {
                differences.add(*probability, *other);
            }
        }
    }
    println!(
        "efficientnet-lite0: {} pictures, another likeliest class: {flips}; {sure_flips} of the {sure} that were at least 0.5",
        frames.len()
    );
    differences.say("probability of the five likeliest");
    Ok(())
}

/// Published pictures: nobody in front of a screen is looked at.
fn asked<P: PurposeKind>(faces: usize) -> Outcome<Permit<P>> {
    let stamp = Stamp {
        purposes: Purposes::all(),
        epoch: 0,
        max_faces: 1000,
        adult: false,
        zone: Zone::FULL,
        basis: Basis::PublishedContent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "precision".into(),
        expires: wall_clock().saturating_add(3_600_000_000_000),
        receipts: Vec::new(),
    };
    permit(Some(&stamp), faces, wall_clock()).map_err(|e| format!("{e:?}").into())
}
