//! Small networks that read a picture's plain colour: blue is the detector's confidence, red the age, green the gender.

use facialads_testkit::onnx::Net;
use facialads_vision::{FaceAnalyzer, FaceOptions, runtime::LoadOptions};
use std::{fmt::Write, path::PathBuf, time::Duration};

/// ymin, xmin, ymax, xmax as fractions of the square frame.
pub type Place = [f32; 4];
pub const LARGE: Place = [0.1, 0.1, 0.5, 0.5];
pub const SMALL: Place = [0.6, 0.6, 0.8, 0.8];

/// The colour of a picture in which the faces are this old (0 to 127) and a woman's with this probability.
pub fn color(years: u8, female: f32) -> [u8; 3] {
    [years * 2, (female * 255.0).round() as u8, 255]
}
/// No face is found in it.
pub const EMPTY: [u8; 3] = [100, 100, 0];

/// A folder with networks; gone with the test.
pub struct Nets(pub tempfile::TempDir);

impl Nets {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(format!("{name}.onnx")).to_string_lossy().into_owned()
    }

    pub fn describe(&self, name: &str, lines: &str, input: &str) -> PathBuf {
        let text = format!("name = \"{name}\"\n{lines}\n[input]\nwidth = 32\nheight = 32\n{input}\n");
        let path = self.0.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Finds a face at each place in a picture that is blue.
    pub fn detector(&self, places: &[Place]) -> String {
        let count = places.len() as i64;
        let mut net = Net::new(32);
        net.floats("boxes-constant", &[1, count, 4], places.as_flattened());
        net.node("Identity", &["boxes-constant"], "boxes");
        net.output("boxes", &[1, count, 4]);
        net.channel_means();
        let mut weights = vec![0.0; 3 * places.len()];
        weights[2 * places.len()..].fill(1.0 / 256.0);
        net.floats("weights", &[3, count], &weights);
        net.node("MatMul", &["channels", "weights"], "scores");
        net.output("scores", &[-1, count]);
        net.write(self.path("detector").as_ref());
        self.describe(
            "detector",
            "role = \"face-detector\"\ndecoder = \"ssd-face\"",
            "fit = \"pad-right-bottom\"",
        );
        self.path("detector")
    }

    pub fn age_gender(&self) -> String {
        let mut net = Net::new(32);
        net.channel_means();
        net.floats("age-weights", &[3, 1], &[0.5, 0.0, 0.0]);
        net.node("MatMul", &["channels", "age-weights"], "age");
        net.output("age", &[-1, 1]);
        net.floats("gender-weights", &[3, 2], &[0.0, 0.0, -1.0 / 255.0, 1.0 / 255.0, 0.0, 0.0]);
        net.node("MatMul", &["channels", "gender-weights"], "green");
        net.floats("gender-bias", &[1, 2], &[1.0, 0.0]);
        net.node("Add", &["green", "gender-bias"], "gender");
        net.output("gender", &[-1, 2]);
        net.write(self.path("ages").as_ref());
        self.describe("ages", "role = \"age-gender\"\ndecoder = \"age-gender\"", "fit = \"pad-centre\"");
        self.path("ages")
    }

    /// Everybody is happy, as the logits 0 and 18 have it: 0.98 before the temperature, 0.9 of 7 after.
    pub fn expression(&self) -> String {
        let mut net = Net::new(32);
        net.channel_means();
        net.floats("weights", &[3, 7], &[0.0; 21]);
        net.node("MatMul", &["channels", "weights"], "zeros");
        net.floats("bias", &[1, 7], &[0.0, 18.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        net.node("Add", &["zeros", "bias"], "expression");
        net.output("expression", &[-1, 7]);
        net.write(self.path("expression").as_ref());
        let labels = "labels = [\"neutral\", \"happy\", \"sad\", \"angry\", \"fearful\", \"disgusted\", \"surprised\"]";
        let lines = format!("role = \"expression\"\ndecoder = \"classification\"\n{labels}");
        self.describe("expression", &lines, "fit = \"pad-centre\"");
        self.path("expression")
    }

    /// Class 0, 1 or 2 as the picture is red, green or blue.
    pub fn subject(&self, labels: &[&str]) -> String {
        let mut net = Net::new(32);
        net.channel_means();
        let mut weights = [0.0; 9];
        (0..3).for_each(|i| weights[i * 4] = 0.1);
        net.floats("weights", &[3, 3], &weights);
        net.node("MatMul", &["channels", "weights"], "classes");
        net.output("classes", &[-1, 3]);
        net.write(self.path("subject").as_ref());
        let mut lines = "role = \"subject\"\ndecoder = \"classification\"\nlabels = ".to_owned();
        write!(lines, "{labels:?}").unwrap();
        self.describe("subject", &lines, "fit = \"centre-crop\"\nresize = \"antialias\"");
        self.path("subject")
    }

    pub fn options(&self, places: &[Place]) -> FaceOptions {
        FaceOptions {
            detector: Some(self.detector(places)),
            age_gender: Some(self.age_gender()),
            expression: Some(self.expression()),
            load: LoadOptions::default(),
            reclassify_interval: Duration::from_millis(500),
            seed: Some(1),
            ..FaceOptions::default()
        }
    }

    pub fn analyzer(&self, places: &[Place]) -> FaceAnalyzer {
        FaceAnalyzer::new(&self.options(places)).unwrap()
    }
}
