//! Clips made at test time: photographs of faces moved over a plain background, with the truth about who is where.

use super::{Picture, ask, stamp};
use facialads_vision::{Allowed, FaceAnalyzer, FaceOptions, TrackedFace, face::Observation};
use std::{collections::BTreeMap, time::Duration};

pub const WIDTH: u32 = 640;
pub const HEIGHT: u32 = 360;

/// Centre and side of a photograph at a time (seconds), in pixels; `None`: not there.
pub type Path = Box<dyn Fn(f64) -> Option<(f64, f64, f64)>>;

pub fn path(at: impl Fn(f64) -> Option<(f64, f64, f64)> + 'static) -> Path {
    Box::new(at)
}

/// What is to be seen. People in front come later.
pub struct Scene {
    pub people: Vec<Path>,
    /// Left and right edge of a bar in front of everybody.
    pub bar: Option<(f64, f64)>,
    /// How far the camera has moved.
    pub shake: fn(f64) -> (f64, f64),
    pub seconds: f64,
}

impl Scene {
    pub fn of(people: Vec<Path>, seconds: f64) -> Self {
        Self { people, bar: None, shake: |_| (0.0, 0.0), seconds }
    }

    fn places(&self, t: f64) -> Vec<Option<(f64, f64, f64)>> {
        let (dx, dy) = (self.shake)(t);
        self.people.iter().map(|path| path(t).map(|(x, y, side)| (x + dx, y + dy, side))).collect()
    }

    pub fn draw(&self, photographs: &[Picture], t: f64) -> Picture {
        let mut frame = Picture::plain(WIDTH, HEIGHT, [118, 124, 130]);
        for (place, photograph) in self.places(t).into_iter().zip(photographs) {
            if let Some((x, y, side)) = place {
                paste(&mut frame, photograph, x - side / 2.0, y - side / 2.0, side);
            }
        }
        if let Some((left, right)) = self.bar {
            for row in 0..HEIGHT {
                for column in left.max(0.0) as u32..right.min(f64::from(WIDTH)) as u32 {
                    let at = ((row * WIDTH + column) * 3) as usize;
                    frame.2[at..at + 3].copy_from_slice(&[60, 50, 45]);
                }
            }
        }
        frame
    }

    /// How much (0 to 1) of each person's face is to be seen: of the middle of the photograph.
    pub fn in_view(&self, t: f64) -> Vec<f64> {
        let places = self.places(t);
        let seen = |index: usize| {
            let Some((cx, cy, side)) = places[index] else { return 0.0 };
            let hides = |x: f64, y: f64| {
                let outside = x < 0.0 || y < 0.0 || x >= f64::from(WIDTH) || y >= f64::from(HEIGHT);
                let behind_bar = self.bar.is_some_and(|(left, right)| x >= left && x < right);
                let behind = places[index + 1..]
                    .iter()
                    .flatten()
                    .any(|(ox, oy, other)| (x - ox).abs() <= other / 2.0 && (y - oy).abs() <= other / 2.0);
                outside || behind_bar || behind
            };
            let steps: Vec<f64> = (0..9).map(|i| (f64::from(i) / 8.0 - 0.5) * FACE * side).collect();
            let open = steps.iter().flat_map(|dx| steps.iter().map(move |dy| (*dx, *dy)));
            open.filter(|(dx, dy)| !hides(cx + dx, cy + dy)).count() as f64 / 81.0
        };
        (0..places.len()).map(seen).collect()
    }
}

/// Side of the face in a FairFace photograph, of the photograph's.
const FACE: f64 = 0.6;

fn paste(frame: &mut Picture, photograph: &Picture, left: f64, top: f64, side: f64) {
    let scale = f64::from(photograph.0) / side;
    for row in top.ceil().max(0.0) as u32..(top + side).min(f64::from(HEIGHT)).max(0.0) as u32 {
        for column in left.ceil().max(0.0) as u32..(left + side).min(f64::from(WIDTH)).max(0.0) as u32 {
            let (u, v) = ((f64::from(column) - left) * scale, (f64::from(row) - top) * scale);
            let to = ((row * WIDTH + column) * 3) as usize;
            for channel in 0..3 {
                frame.2[to + channel] = sample(photograph, u, v, channel);
            }
        }
    }
}

/// Bilinear.
fn sample(picture: &Picture, u: f64, v: f64, channel: usize) -> u8 {
    let (x, y) = (u.floor(), v.floor());
    let at = |x: f64, y: f64| {
        let (x, y) = ((x as u32).min(picture.0 - 1), (y as u32).min(picture.1 - 1));
        f64::from(picture.2[((y * picture.0 + x) * 3) as usize + channel])
    };
    let (fx, fy) = (u - x, v - y);
    let row = |y: f64| at(x, y) * (1.0 - fx) + at(x + 1.0, y) * fx;
    (row(y) * (1.0 - fy) + row(y + 1.0) * fy).round() as u8
}

/// When frames come and when they are looked at.
#[derive(Clone, Copy)]
pub struct Rate {
    pub fps: f64,
    /// Detection in every nth frame.
    pub every: usize,
    /// Part of the frames that are dropped, 0 to 1; times are then uneven too.
    pub dropped: f64,
}

impl Rate {
    pub fn times(&self, seconds: f64) -> Vec<f64> {
        let frames = (seconds * self.fps) as u32;
        // A small generator of our own: the same frames are dropped every time.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let times = (0..frames).map(|i| (f64::from(i), random(), random()));
        times
            .filter(|(_, drop, _)| *drop >= self.dropped)
            .map(|(i, _, late)| (i + if self.dropped > 0.0 { late * 0.8 } else { 0.0 }) / self.fps)
            .collect()
    }
}

/// How well people were followed.
#[derive(Debug, Default, PartialEq)]
pub struct Followed {
    pub people: usize,
    /// Ids told in all.
    pub ids: usize,
    /// A person was told of under another id than before.
    pub switches: usize,
    /// An id went from one person to another.
    pub swaps: usize,
    /// A person in full view was not told of any more.
    pub fragments: usize,
    /// Most frames from coming into view to being told of.
    pub latest: usize,
    /// Most people told of in one frame, beyond those who were there.
    pub surplus: usize,
}

/// The face analyzer with the detector that is installed; `None`, said out loud, without one.
pub fn analyzer() -> Option<FaceAnalyzer> {
    for model in ["yunet", "age-gender"] {
        facialads_testkit::model(model)?;
    }
    let folder = facialads_testkit::models_dir();
    let path = |name: &str| folder.join(format!("{name}.onnx")).to_string_lossy().into_owned();
    Some(
        FaceAnalyzer::new(&FaceOptions {
            detector: Some(path("yunet")),
            age_gender: Some(path("age-gender")),
            expression: None,
            seed: Some(5),
            ..FaceOptions::default()
        })
        .unwrap(),
    )
}

/// Photographs of adults who look at the camera, as the detector has it.
pub fn photographs(analyzer: &FaceAnalyzer, count: usize) -> Option<Vec<Picture>> {
    let labels =
        std::fs::read_to_string(facialads_testkit::shared("data/faces/fairface_labels.csv")?).unwrap();
    let folder = facialads_testkit::shared("data/faces/fairface")?;
    let mut found = Vec::new();
    for (index, line) in labels.lines().skip(1).enumerate() {
        let (file, rest) = line.split_once(',').unwrap();
        if !rest.starts_with("30-39") && !rest.starts_with("40-49") && !rest.starts_with("20-29") {
            continue;
        }
        let name = std::path::Path::new(file).file_name().unwrap();
        let picture = Picture::open(&folder.join(name));
        let scene = Scene::of(vec![path(|_| Some((320.0, 180.0, 120.0)))], 1.0);
        let photograph = [picture];
        let frame = scene.draw(&photograph, 0.0);
        analyzer.reset();
        let now = Duration::from_secs(index as u64 * 100);
        let permit = ask(&stamp(), 0).unwrap();
        let number = analyzer.detect(&permit, &analyzer.shrink(&frame.frame()), stamp().zone, now).unwrap();
        let faces = analyzer.faces(&permit, &Allowed::default(), now);
        if number == 1 && faces.first().is_some_and(|face| face.confidence > 0.88 && looks_ahead(face)) {
            found.extend(photograph);
            if found.len() == count {
                analyzer.reset();
                return Some(found);
            }
        }
    }
    None
}

/// The nose lies between the eyes.
fn looks_ahead(face: &TrackedFace) -> bool {
    let Some(points) = face.points else { return false };
    let along = (points[2].0 - points[0].0) / (points[1].0 - points[0].0);
    (0.35..0.65).contains(&along)
}

/// Shows a scene to an analyzer and compares what it tells with the truth.
pub fn follow(analyzer: &FaceAnalyzer, photographs: &[Picture], scene: &Scene, rate: Rate) -> Followed {
    analyzer.reset();
    let permit = ask(&stamp(), 0).unwrap();
    let mut followed = Followed { people: scene.people.len(), ..Followed::default() };
    let mut ids: BTreeMap<i32, usize> = BTreeMap::new();
    // Per person: id, frames in full view, whether told of since coming into view.
    let mut state = vec![(None::<i32>, 0_usize, false); scene.people.len()];
    for (index, t) in rate.times(scene.seconds).into_iter().enumerate() {
        let now = Duration::from_secs_f64(t);
        let frame = scene.draw(photographs, t);
        if index % rate.every == 0 {
            let input = analyzer.shrink(&frame.frame());
            analyzer.detect(&permit, &input, stamp().zone, now).unwrap();
        }
        let faces = analyzer.faces(&permit, &Allowed::default(), now);
        let (places, in_view) = (scene.places(t), scene.in_view(t));
        let there = in_view.iter().filter(|part| **part > 0.0).count();
        followed.surplus = followed.surplus.max(faces.len().saturating_sub(there));
        // Distance in sides of the person's photograph.
        let off = |person: usize, face: &TrackedFace| {
            let Some((x, y, side)) = places[person] else { return f64::INFINITY };
            let (fx, fy) = face.bounds.centre();
            (f64::from(fx) * f64::from(WIDTH) - x).hypot(f64::from(fy) * f64::from(HEIGHT) - y) / side
        };
        let is_still = |(person, id): (usize, Option<i32>)| {
            faces.iter().find(|face| Some(face.id) == id && off(person, face) < FACE).map(|face| face.id)
        };
        let claimed: Vec<i32> = state.iter().map(|(id, ..)| *id).enumerate().filter_map(is_still).collect();
        for (person, (id, frames, told)) in state.iter_mut().enumerate() {
            if in_view[person] < 0.95 {
                (*frames, *told) = (0, false);
                continue;
            }
            *frames += 1;
            // As CLEAR MOT matches (Bernardin and Stiefelhagen 2008): whom an id stood for before, it still does, as long as
            // that can be; only then is the nearest one taken that stands for nobody.
            let same = faces.iter().find(|face| *id == Some(face.id) && off(person, face) < FACE);
            let free = |face: &&TrackedFace| !claimed.contains(&face.id) && off(person, face) < FACE;
            let nearest =
                || faces.iter().filter(free).min_by(|a, b| off(person, a).total_cmp(&off(person, b)));
            let face = same.or_else(nearest);
            match face {
                Some(face) => {
                    if !*told {
                        followed.latest = followed.latest.max(*frames);
                    }
                    *told = true;
                    followed.switches += usize::from(id.is_some_and(|before| before != face.id));
                    let owner = ids.insert(face.id, person);
                    followed.swaps += usize::from(owner.is_some_and(|before| before != person));
                    *id = Some(face.id);
                }
                None if *told => {
                    (*told, *frames) = (false, 0);
                    followed.fragments += 1;
                }
                None => followed.latest = followed.latest.max(*frames),
            }
        }
    }
    followed.ids = ids.len();
    followed
}

/// A detection, for tests that need no detector.
pub fn observation(x: f32, y: f32, width: f32, height: f32, confidence: f32) -> Observation {
    let bounds = facialads_vision::Rect::new(x - width / 2.0, y - height / 2.0, width, height);
    Observation { bounds, confidence, points: None }
}
