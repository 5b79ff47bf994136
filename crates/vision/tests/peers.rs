//! The same network and the same pixels give the same faces as in the programs that the networks' users come from: OpenCV's
//! FaceDetectorYN (YuNet) and the original's Python (ultralight). Recorded by `data/record_detectors.py`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Picture, ask, onnx_runtime, stamp};
use facialads_testkit::{media, shared};
use facialads_vision::{decode::Detection, face::Detector, runtime::LoadOptions};
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

#[derive(Deserialize)]
struct Recorded {
    yunet: BTreeMap<String, Vec<Face>>,
    ultralight: BTreeMap<String, Vec<Face>>,
    ultralight_whole: BTreeMap<String, Vec<Face>>,
}

#[derive(Deserialize)]
struct Face {
    /// Left, top, width, height in pixels.
    #[serde(rename = "box")]
    bounds: [f32; 4],
    #[serde(default)]
    points: Vec<f32>,
    score: f32,
}

/// `None` while the script's pictures are being written.
fn recorded() -> Option<Recorded> {
    let text = include_str!("data/detectors.json");
    std::env::var_os("FACIALADS_RECORD").is_none().then(|| serde_json::from_str(text).unwrap())
}

/// Writes a picture for the script, if it is to be written.
fn record(name: &str, picture: &Picture) {
    if let Some(folder) = std::env::var_os("FACIALADS_RECORD") {
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_raw(picture.0, picture.1, picture.2.clone()).unwrap().save(path).unwrap();
    }
}

/// The picture made to fit 640 x 640, black to its right or below it.
fn letterboxed(picture: &Picture) -> Picture {
    let step = picture.0.max(picture.1) as usize;
    scaled(picture, (640, 640), (step, step))
}

/// The picture squashed to 320 x 240.
fn squashed(picture: &Picture) -> Picture {
    scaled(picture, (320, 240), (picture.0 as usize, picture.1 as usize))
}

/// A canvas of `size` that shows so many pixels of the picture across and down. Each of its pixels is the mean of those that it
/// stands for, in whole numbers: the same everywhere, whatever becomes of our own scaling.
fn scaled(picture: &Picture, size: (usize, usize), shown: (usize, usize)) -> Picture {
    let (width, height) = (picture.0 as usize, picture.1 as usize);
    let mut pixels = vec![0; size.0 * size.1 * 3];
    for y in 0..(height * size.1 / shown.1) {
        for x in 0..(width * size.0 / shown.0) {
            let side = |i: usize, shown: usize, size: usize, end: usize| {
                i * shown / size..((i + 1) * shown / size).min(end)
            };
            let (rows, columns) = (side(y, shown.1, size.1, height), side(x, shown.0, size.0, width));
            let count = (rows.len() * columns.len()) as u32;
            for channel in 0..3 {
                let value =
                    |row: usize, column: usize| u32::from(picture.2[(row * width + column) * 3 + channel]);
                let sum: u32 = rows.clone().flat_map(|r| columns.clone().map(move |c| value(r, c))).sum();
                pixels[(y * size.0 + x) * 3 + channel] = ((sum + count / 2) / count) as u8;
            }
        }
    }
    Picture(size.0 as u32, size.1 as u32, pixels)
}

fn detector(onnx: Option<PathBuf>, description: &str) -> Option<(tempfile::TempDir, Detector)> {
    let onnx = onnx.filter(|_| onnx_runtime())?;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("peer.onnx");
    std::fs::copy(onnx, &copy).unwrap();
    std::fs::write(
        copy.with_extension("toml"),
        format!("name = \"peer\"\nrole = \"face-detector\"\n{description}"),
    )
    .unwrap();
    let detector = Detector::load(copy.to_str(), None, &LoadOptions::default()).unwrap();
    Some((folder, detector))
}

fn find(detector: &Detector, picture: &Picture) -> Vec<Detection> {
    detector.detect(&ask(&stamp(), 0).unwrap(), &detector.shrink(&picture.frame())).unwrap()
}

/// What differs most: a box's side and a point in pixels, what two boxes' overlap lacks to 1, a score.
#[derive(Debug, Default)]
struct Difference {
    bounds: f32,
    overlap: f32,
    points: f32,
    score: f32,
}

impl Difference {
    /// Both lists by confidence; the other's is clipped to the frame as ours is.
    fn add(&mut self, name: &str, found: &[Detection], expected: &[Face], (width, height): (u32, u32)) {
        assert_eq!(found.len(), expected.len(), "{name}");
        let mut by_place: Vec<&Detection> = found.iter().collect();
        let mut peers: Vec<&Face> = expected.iter().collect();
        by_place.sort_by(|a, b| a.bounds.x.total_cmp(&b.bounds.x));
        peers.sort_by(|a, b| a.bounds[0].total_cmp(&b.bounds[0]));
        for (face, peer) in by_place.iter().zip(peers) {
            let [x, y, w, h] = peer.bounds;
            let peer_box = facialads_vision::Rect::new(x, y, w, h).clipped(width as f32, height as f32);
            let ours = [face.bounds.x, face.bounds.y, face.bounds.right(), face.bounds.bottom()];
            let theirs = [peer_box.x, peer_box.y, peer_box.right(), peer_box.bottom()];
            let most = |pairs: &mut dyn Iterator<Item = (f32, f32)>| {
                pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            self.bounds = self.bounds.max(most(&mut ours.into_iter().zip(theirs)));
            self.overlap = self.overlap.max(1.0 - face.bounds.iou(&peer_box));
            let points = face.points.iter().flatten().flat_map(|p| [p.0, p.1]);
            assert_eq!(face.points.map_or(0, |p| p.len() * 2), peer.points.len());
            self.points = self.points.max(most(&mut points.zip(peer.points.iter().copied())));
            self.score = self.score.max((face.confidence - peer.score).abs());
        }
    }
}

/// Measured: 0.001 px for boxes and points, which is what the recording is rounded to, and 1e-5 for scores.
#[test]
fn yunet_finds_what_opencvs_face_detector_finds() {
    for (file, size) in [("yunet_n_640_640.onnx", ""), ("yunet_n_dynamic.onnx", "multiple = 32\n")] {
        let description = format!(
            "decoder = \"yunet\"\nthreshold = 0.6\niou = 0.3\n[input]\nwidth = 640\nheight = 640\n{size}\
             channels = \"bgr\"\nfit = \"pad-right-bottom\"\n"
        );
        let onnx = shared(&format!("data/models/yunet/{file}"));
        let Some((_folder, detector)) = detector(onnx, &description) else { return };
        let mut difference = Difference::default();
        for number in 1..=6 {
            let name = format!("sample{number}");
            let Some(path) = media(&format!("{name}.jpg")) else { return };
            let picture = letterboxed(&Picture::open(&path));
            record(&format!("{name}-640"), &picture);
            let Some(recorded) = recorded() else { continue };
            difference.add(&name, &find(&detector, &picture), &recorded.yunet[&name], (640, 640));
        }
        eprintln!("{file}: {difference:?}");
        let Difference { bounds, points, score, .. } = difference;
        assert!(bounds < 1.0 && points < 1.0 && score < 0.01, "{difference:?}");
    }
}

/// Pictures squashed beforehand, so that both see the same pixels. Measured: 0.001 px of 320x240, which is what the recording is
/// rounded to, and 1e-6 for scores.
///
/// On whole photographs OpenCV's scaling rounds to whole levels where ours does not. Scores then differ by 0.001, and of boxes
/// whose scores are that close another one may stay: the same faces, overlapping by 0.91 at least.
#[test]
fn ultralight_finds_what_the_original_finds() {
    let description = "decoder = \"ultralight\"\nthreshold = 0.7\niou = 0.3\n[input]\nwidth = 320\nheight = 240\n\
        mean = [127.0, 127.0, 127.0]\nscale = [0.0078125, 0.0078125, 0.0078125]\nfit = \"stretch\"\n";
    let onnx = shared("data/models/ultralight/version-RFB-320_simplified.onnx");
    let Some((_folder, detector)) = detector(onnx, description) else { return };
    let (mut small, mut whole) = (Difference::default(), Difference::default());
    for number in 1..=6 {
        let name = format!("sample{number}");
        let Some(path) = media(&format!("{name}.jpg")) else { return };
        let picture = Picture::open(&path);
        record(&name, &picture);
        let squashed = squashed(&picture);
        record(&format!("{name}-320"), &squashed);
        let Some(recorded) = recorded() else { continue };
        small.add(&name, &find(&detector, &squashed), &recorded.ultralight[&name], (320, 240));
        let size = (picture.0, picture.1);
        whole.add(&name, &find(&detector, &picture), &recorded.ultralight_whole[&name], size);
    }
    eprintln!("ultralight: {small:?}, whole photographs: {whole:?}");
    assert!(small.bounds < 1.0 && small.score < 0.01, "{small:?}");
    assert!(whole.overlap < 0.15 && whole.score < 0.01, "{whole:?}");
}
