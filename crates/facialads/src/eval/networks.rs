//! Which networks are measured, and where they run: the options that all evaluations share.

use super::result::System;
use anyhow::Result;
use facialads_vision::{FaceOptions, runtime};

#[derive(clap::Args, Clone, Debug)]
pub struct Networks {
    /// Face detector: name of an installed model or an .onnx file with its description beside it [default: the product's]
    #[arg(long, value_name = "MODEL")]
    detector: Option<String>,
    /// Age and gender, the same way [default: the product's]
    #[arg(long, value_name = "MODEL")]
    age_gender_model: Option<String>,
    /// Emotion, the same way [default: the product's]
    #[arg(long, value_name = "MODEL")]
    emotion_model: Option<String>,
    /// Where networks run: auto, cpu, cuda:0, openvino:CPU, … A device that is named is used or the run ends
    #[arg(long, default_value = "auto")]
    device: String,
    /// How exactly the detector calculates: f32, fast
    #[arg(long, default_value_t)]
    precision: runtime::Precision,
    /// Least confidence of a detection, 0 to 1 [default: the model's]
    #[arg(long, value_parser = part)]
    threshold: Option<f32>,
    /// Longer side of the picture that the detector sees, in pixels [default: the model's]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=8192))]
    detector_size: Option<u32>,
}

/// A number between 0 and 1.
pub fn part(text: &str) -> Result<f32, String> {
    let number = text.parse::<f32>().ok().filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| format!("\"{text}\" is no number between 0 and 1"))
}

impl Networks {
    /// As the product would be set, with the given seed for track ids.
    pub fn options(&self, seed: u64) -> Result<FaceOptions> {
        let defaults = FaceOptions::default();
        let device: runtime::Device = self.device.parse()?;
        let fallback = device == runtime::Device::Auto;
        Ok(FaceOptions {
            detector: Some(self.detector.clone().unwrap_or_else(default_detector)),
            age_gender: self.age_gender_model.clone().or(defaults.age_gender),
            expression: self.emotion_model.clone().or(defaults.expression),
            load: runtime::LoadOptions { device, precision: self.precision, fallback, ..defaults.load },
            threshold: self.threshold,
            detector_size: self.detector_size,
            seed: Some(seed),
            ..FaceOptions::default()
        })
    }

    /// What a result says of how it was made.
    pub fn system(&self, options: &FaceOptions) -> System {
        System {
            detector: options.detector.clone().unwrap_or_default(),
            age_gender: age_gender_name(options),
            expression: options.expression.clone(),
            device: self.device.clone(),
            runtime: runtime_of(&options.load.device),
            precision: self.precision.to_string(),
            threshold: self.threshold,
            detector_size: self.detector_size,
        }
    }
}

/// The networks for age and gender, by name: one, or two that are joined, with " + " between.
fn age_gender_name(options: &FaceOptions) -> String {
    match facialads_vision::face::age_gender_networks(options.age_gender.as_deref()) {
        (first, Some(second)) => format!("{first} + {second}"),
        (only, None) => only.to_owned(),
    }
}

/// The runtime that a device stands for here. `auto` takes OpenVINO where it can be opened.
fn runtime_of(device: &runtime::Device) -> String {
    let openvino = || runtime::openvino_info().map(|info| format!("OpenVINO {}", info.version));
    let onnx = || runtime::library_version().map(|version| format!("ONNX Runtime {version}"));
    let found = match device {
        runtime::Device::OpenVino(_) => openvino(),
        runtime::Device::Auto => openvino().or_else(|_| onnx()),
        _ => onnx(),
    };
    found.unwrap_or_else(|_| "no runtime".to_owned())
}

/// What [`FaceOptions::detector`] is where it is not set, by name: a result has to say what it measured.
fn default_detector() -> String {
    let name = if facialads_vision::find("yunet").is_ok() { "yunet" } else { "ssd-mobilenet-v1" };
    name.to_owned()
}
