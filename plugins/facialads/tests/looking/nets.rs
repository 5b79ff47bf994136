//! Networks for tests, in a folder of their own. A "face" is a fixed part of any picture that is bright enough, and its
//! "age" is the brightness of its picture: tests choose ages by choosing greys.

use facialads_testkit::onnx::Net;
use std::path::{Path, PathBuf};

/// Side of the detector's picture.
const SIDE: i64 = 64;

/// The grey of a picture in which everybody is of this age, 1 to 64.
pub fn grey(years: u8) -> u8 {
    127 + 2 * years
}

/// The value called `name` [N, 1], after multiplying large matrices `effort` times.
fn late(net: &mut Net, name: &str, effort: usize) -> String {
    const LARGE: i64 = 768;
    if effort == 0 {
        return name.to_owned();
    }
    // Of zeros, but the runtime does not know that.
    net.floats("large", &[LARGE, LARGE], &vec![0.0; (LARGE * LARGE) as usize]);
    net.node("Mul", &[name, "large"], "work-0");
    for i in 0..effort {
        let (from, to) = (format!("work-{i}"), format!("work-{}", i + 1));
        net.node("MatMul", &[&from, &from], &to);
    }
    net.node("ReduceMax", &[&format!("work-{effort}")], "zero");
    net.node("Add", &[name, "zero"], "late");
    net.integers("one-by-one", &[-1, 1]);
    net.node("Reshape", &["late", "one-by-one"], "in-time");
    "in-time".to_owned()
}

/// A folder with networks; gone with the test.
pub struct Nets(tempfile::TempDir);

/// ymin, xmin, ymax, xmax as fractions of the (square) frame.
pub type Place = [f32; 4];

/// A face in the middle of the frame.
pub const MIDDLE: Place = [0.25, 0.25, 0.75, 0.75];

impl Nets {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Finds a face at each place of a picture whose mean brightness is above 127.
    pub fn detector(&self, places: &[Place]) -> PathBuf {
        self.detector_with(places, 0)
    }

    /// The same, after multiplying large matrices `effort` times: tens of milliseconds each.
    pub fn slow_detector(&self, places: &[Place], effort: usize) -> PathBuf {
        self.detector_with(places, effort)
    }

    fn detector_with(&self, places: &[Place], effort: usize) -> PathBuf {
        let count = i64::try_from(places.len()).unwrap();
        let mut net = Net::new(SIDE);
        net.mean();
        net.floats("to-score", &[1], &[1.0 / 255.0]);
        // Smaller faces first in the list score lower, so that the order of detection is the order of size.
        let handicap: Vec<f32> = (0..places.len()).map(|i| -0.001 * i as f32).collect();
        net.floats("handicap", &[1, count], &handicap);
        net.node("Mul", &["mean", "to-score"], "score");
        let score = late(&mut net, "score", effort);
        net.node("Add", &[&score, "handicap"], "scores");
        net.floats("places", &[1, count, 4], &places.concat());
        net.node("Identity", &["places"], "boxes");
        net.output("boxes", &[1, count, 4]);
        net.output("scores", &[-1, count]);
        let fit = "pad-right-bottom";
        self.write(
            net,
            &format!("detector-{}-{effort}", places.len()),
            "face-detector",
            "ssd-face",
            SIDE,
            fit,
            "",
        )
    }

    /// Half a year per level of brightness, see [`grey`]; female with a probability of 0.95.
    pub fn age_gender(&self) -> PathBuf {
        let mut net = Net::new(16);
        net.mean();
        net.floats("years", &[1], &[0.5]);
        net.floats("youngest", &[1], &[-63.5]);
        net.node("Mul", &["mean", "years"], "half");
        net.node("Add", &["half", "youngest"], "age");
        self.constant_classes(&mut net, "gender", &[0.05, 0.95]);
        net.output("age", &[-1, 1]);
        self.write(net, "ages", "age-gender", "age-gender", 16, "pad-centre", "")
    }

    /// Always happy.
    pub fn expression(&self) -> PathBuf {
        let mut net = Net::new(16);
        net.mean();
        let mut classes = [1e-9; 7];
        classes[1] = 1.0;
        self.constant_classes(&mut net, "classes", &classes);
        let labels = r#"labels = ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"]"#;
        self.write(net, "moods", "expression", "classification", 16, "pad-centre", labels)
    }

    /// Two classes, "dark" and "bright", by mean brightness; after some effort.
    pub fn subject(&self, effort: usize) -> PathBuf {
        let mut net = Net::new(16);
        net.mean();
        let mean = late(&mut net, "mean", effort);
        net.floats("slope", &[2], &[-1.0 / 255.0, 1.0 / 255.0]);
        net.floats("base", &[2], &[1.0, 0.0]);
        net.node("Mul", &[&mean, "slope"], "sloped");
        net.node("Add", &["sloped", "base"], "classes");
        net.output("classes", &[-1, 2]);
        let labels = r#"labels = ["dark", "bright"]"#;
        let name = format!("brightness-{effort}");
        self.write(net, &name, "subject", "classification", 16, "centre-crop", labels)
    }

    /// Bright is about cars, dark about food, and dark has to do with tobacco.
    pub fn subject_map(&self) -> PathBuf {
        let path = self.path().join("map.toml");
        let text = r#"
            taxonomy = "iab-content-3.1"
            threshold = 0.6
            [[group]]
            id = "1"
            name = "Automotive"
            classes = ["bright"]
            [[group]]
            id = "210"
            name = "Food & Drink"
            classes = ["dark"]
            [[safety]]
            flag = "tobacco"
            classes = ["dark"]
        "#;
        std::fs::write(&path, text).unwrap();
        path
    }

    fn constant_classes(&self, net: &mut Net, name: &str, values: &[f32]) {
        let count = i64::try_from(values.len()).unwrap();
        net.floats("none", &[1], &[0.0]);
        net.floats(&format!("{name}-values"), &[count], values);
        net.node("Mul", &["mean", "none"], "nothing");
        net.node("Add", &["nothing", &format!("{name}-values")], name);
        net.output(name, &[-1, count]);
    }

    #[allow(clippy::too_many_arguments)]
    fn write(
        &self,
        net: Net,
        name: &str,
        role: &str,
        decoder: &str,
        side: i64,
        fit: &str,
        more: &str,
    ) -> PathBuf {
        let path = self.path().join(format!("{name}.onnx"));
        net.write(&path);
        let description = format!(
            "name = \"{name}\"\nrole = \"{role}\"\ndecoder = \"{decoder}\"\n{more}\n\
             [input]\nwidth = {side}\nheight = {side}\nfit = \"{fit}\"\n"
        );
        std::fs::write(path.with_extension("toml"), description).unwrap();
        path
    }
}
