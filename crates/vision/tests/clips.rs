//! One id per person and head poses with the right signs on filmed people.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Picture, ask, onnx_runtime, scene::analyzer, stamp};
use facialads_vision::{Allowed, FaceAnalyzer, TrackedFace};
use std::{
    collections::BTreeMap,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Faces told of in each frame of a clip of the labelled material; detection in every `every`th. `None`, said out loud, where
/// something is missing.
fn watch(clip: &str, (width, height): (u32, u32), fps: f64, every: usize) -> Option<Vec<Vec<TrackedFace>>> {
    if !onnx_runtime() {
        return None;
    }
    let file = facialads_testkit::shared(&format!("data/video/{clip}"))?;
    let analyzer = analyzer()?;
    let mut seen = Vec::new();
    let done = decode(&file, (width, height), |frame| {
        seen.push(look(&analyzer, &frame, seen.len(), fps, every));
    });
    if done.is_none() {
        facialads_testkit::skip("no ffmpeg");
        return None;
    }
    report(clip, every, &seen);
    Some(seen)
}

fn look(analyzer: &FaceAnalyzer, frame: &Picture, index: usize, fps: f64, every: usize) -> Vec<TrackedFace> {
    let now = Duration::from_secs_f64(index as f64 / fps);
    let permit = ask(&stamp(), 0).unwrap();
    if index.is_multiple_of(every) {
        analyzer.detect(&permit, &analyzer.shrink(&frame.frame()), stamp().zone, now).unwrap();
    }
    analyzer.faces(&permit, &Allowed::default(), now)
}

fn decode(file: &Path, (width, height): (u32, u32), mut each: impl FnMut(Picture)) -> Option<()> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-an", "-f", "rawvideo", "-pix_fmt", "rgb24", "-vsync", "0", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?;
    let mut pixels = vec![0; (width * height * 3) as usize];
    while output.read_exact(&mut pixels).is_ok() {
        each(Picture(width, height, pixels.clone()));
    }
    child.wait().ok().map(drop)
}

/// First frame, last frame and frames told of, per id.
fn lives(seen: &[Vec<TrackedFace>]) -> BTreeMap<i32, (usize, usize, usize)> {
    let mut lives = BTreeMap::new();
    for (index, faces) in seen.iter().enumerate() {
        for face in faces {
            let life = lives.entry(face.id).or_insert((index, index, 0));
            (life.1, life.2) = (index, life.2 + 1);
        }
    }
    lives
}

fn report(clip: &str, every: usize, seen: &[Vec<TrackedFace>]) {
    let mut lives: Vec<_> = lives(seen).into_values().collect();
    lives.sort_unstable();
    println!("| {clip} | every {every} | {} frames | {} ids | {lives:?}", seen.len(), lives.len());
}

/// Person by person: left-most first, as they stand in the first frame.
fn of_person(seen: &[Vec<TrackedFace>], person: usize) -> Vec<TrackedFace> {
    let mut first = seen[0].clone();
    first.sort_by(|a, b| a.bounds.x.total_cmp(&b.bounds.x));
    seen.iter().flatten().filter(|face| face.id == first[person].id).cloned().collect()
}

#[test]
fn filmed_people_keep_one_id_and_are_never_lost() {
    let clips = [
        ("face-demographics-walking.gif", 2),
        ("head-pose-face-detection-male.gif", 1),
        ("head-pose-face-detection-female-and-male.gif", 2),
    ];
    for (clip, people) in clips {
        for every in [1, 3] {
            let Some(seen) = watch(clip, (480, 270), 12.0, every) else { continue };
            assert_eq!(lives(&seen).len(), people, "{clip}, every {every}");
            assert!(seen.iter().all(|faces| faces.len() == people), "{clip}, every {every}");
        }
    }
}

/// Figures for docs/benchmarks.md: people who mostly show their backs, and a film with cuts.
#[test]
fn in_other_clips_ids_are_few() {
    if let Some(seen) = watch("one-by-one-person-detection.mp4", (768, 432), 10.0, 1) {
        assert!(
            lives(&seen).len() <= 10,
            "five people, of whom one frame in ten shows a face: {:?}",
            lives(&seen)
        );
    }
    if let Some(seen) = watch("googlework_short.mp4", (320, 180), 29.97, 1) {
        assert!(lives(&seen).len() <= 14, "{:?}", lives(&seen));
    }
}

#[test]
fn heads_turn_to_the_side_that_they_are_seen_to_turn_to() {
    let Some(seen) = watch("head-pose-face-detection-female-and-male.gif", (480, 270), 12.0, 1) else {
        return;
    };
    // At the beginning the woman on the left looks to the left of the picture, her right; the man on the right to the right.
    // Then both lean to the left of the picture, their right, and she turns half way to the camera.
    let (woman, man) = (of_person(&seen, 0), of_person(&seen, 1));
    let yaw = |face: &TrackedFace| face.attention.yaw.unwrap();
    let roll = |face: &TrackedFace| face.attention.roll.unwrap();
    assert!(yaw(&woman[0]) > 20.0 && yaw(&man[0]) < -10.0);
    assert!(woman[15..].iter().chain(&man[15..]).all(|face| roll(face) < -10.0));
    assert!(roll(&man[0]) > -10.0 && roll(&man[30]) < -20.0);
    assert!(yaw(&woman[18]) < yaw(&woman[0]) - 8.0);
    let Some(seen) = watch("head-pose-face-detection-male.gif", (480, 270), 12.0, 1) else { return };
    // He looks at the camera all the time.
    for face in seen.iter().flatten() {
        let attention = face.attention;
        assert!(attention.yaw.unwrap().abs() < 8.0 && attention.pitch.unwrap().abs() < 12.0);
        assert!(attention.facing.unwrap() > 0.97);
    }
    let last = &seen.last().unwrap()[0].attention;
    assert!(last.is_watcher() && last.attentive == last.dwell);
}

#[test]
fn photographs_of_frontal_faces_face_the_camera() {
    let (Some(list), Some(folder), true) = (
        facialads_testkit::shared("data/faces/fairface_labels.csv"),
        facialads_testkit::shared("data/faces"),
        onnx_runtime(),
    ) else {
        return;
    };
    let Some(analyzer) = analyzer() else { return };
    // The model was fitted to even-numbered files.
    let number = |file: &str| Path::new(file).file_stem()?.to_str()?.parse::<u32>().ok();
    let list = std::fs::read_to_string(list).unwrap();
    let files = list.lines().skip(1).map(|line| line.split(',').next().unwrap());
    let mut poses = Vec::new();
    for file in files.filter(|file| number(file).is_some_and(|number| number % 2 == 1)) {
        analyzer.reset();
        let face = look(&analyzer, &Picture::open(&folder.join(file)), 0, 25.0, 1).pop();
        let attention = face.map(|face| face.attention);
        poses.extend(attention.and_then(|a| Some((a.yaw?, a.pitch?, a.roll?))));
    }
    let middle = |mut values: Vec<f32>| {
        values.sort_by(f32::total_cmp);
        let at = |part: usize| values[values.len() * part / 10];
        (at(1), at(5), at(9))
    };
    let yaw = middle(poses.iter().map(|p| p.0).collect());
    let pitch = middle(poses.iter().map(|p| p.1).collect());
    let roll = middle(poses.iter().map(|p| p.2).collect());
    println!("{} photographs; yaw {yaw:?}, pitch {pitch:?}, roll {roll:?} (10 %, median, 90 %)", poses.len());
    assert!(yaw.1.abs() < 3.0 && pitch.1.abs() < 3.0 && roll.1.abs() < 3.0);
    assert!(pitch.0 > -12.0 && pitch.2 < 12.0, "people are photographed from in front");
}
