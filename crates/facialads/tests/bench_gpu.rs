//! `facialads bench` on the GPU that stands in for one: the verdict, and that everything is measured. The times mean nothing.

#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Half a second of a photograph with three people and more under a moving camera.
fn clip(folder: &Path) -> Option<PathBuf> {
    let photograph = facialads_testkit::media("sample5.jpg")?;
    let clip = folder.join("five.mp4");
    let moved = "scale=1400:-2,crop=1280:720:x='60+50*sin(t*4)':y='120+60*cos(t*3)',format=yuv420p";
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-loop", "1", "-framerate", "12", "-i"])
        .arg(photograph)
        .args(["-t", "0.5", "-vf", moved, "-c:v", "libx264", "-preset", "ultrafast"])
        .arg(&clip)
        .status();
    assert!(made.unwrap().success());
    Some(clip)
}

fn bench(arguments: &[&str], folder: &Path) -> Option<(Output, serde_json::Value)> {
    for model in ["yunet", "age-gender", "expression", "efficientnet-lite0"] {
        facialads_testkit::model(model)?;
    }
    let (environment, clip) = (facialads_testkit::gpu::environment()?, clip(folder)?);
    let json = folder.join("result.json");
    let output = Command::new("timeout")
        .args(["300", env!("CARGO_BIN_EXE_facialads"), "bench", "--provider", "cuda", "--frames", "4"])
        .args(arguments)
        .args(["--faces".as_ref(), clip.as_path(), "--programme".as_ref(), &clip, "--json".as_ref(), &json])
        .env("FACIALADS_MODELS", facialads_testkit::models_dir())
        .env("GST_REGISTRY", folder.join("registry.bin"))
        .envs(environment)
        .output()
        .unwrap();
    let result =
        std::fs::read(json).map_or(serde_json::Value::Null, |text| serde_json::from_slice(&text).unwrap());
    Some((output, result))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn frames_in_either_memory_give_the_cpus_results_and_no_pixel_crosses() {
    let folder = tempfile::tempdir().unwrap();
    let Some((output, result)) = bench(&["--check"], folder.path()) else { return };
    let said = text(&output);
    assert!(output.status.success() && said.contains("Stand-in GPU 0"), "{said}");
    let check = &result["check"];
    assert_eq!((&check["passed"], &check["pixel_bytes"]), (&true.into(), &0.into()), "{said}");
    assert_eq!(check["comparisons"].as_array().unwrap().len(), 2);
    for comparison in check["comparisons"].as_array().unwrap() {
        assert_eq!(comparison["frames"], 4);
        assert!(comparison["lines"][0]["compared"].as_u64().unwrap() >= 12, "faces: {said}");
        assert!(comparison["lines"][1]["compared"].as_u64().unwrap() >= 4, "ages: {said}");
    }
}

#[test]
fn stages_streams_bytes_and_floors_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let Some((output, result)) = bench(&["--gpu", "--streams", "1,2"], folder.path()) else { return };
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let figures = &result["gpu"];
    let resolutions = figures["resolutions"].as_array().unwrap();
    assert_eq!(resolutions.len(), 3);
    for resolution in resolutions {
        let of = |name: &str| resolution[name].as_f64().unwrap();
        assert_eq!(of("pixels_across"), 0.0, "{said}");
        assert!(of("faces_a_frame") >= 3.0 && of("bandwidth_floor_ms") > 0.0, "{said}");
        assert!(of("gpu_ms") > of("networks_ms") && of("networks_ms") > 0.0, "{said}");
        let stages: Vec<&str> = resolution["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["name"].as_str().unwrap())
            .collect();
        for stage in ["shrink", "face-detector", "decode", "cut", "age-gender"] {
            assert!(stages.contains(&stage), "{stage} is missing: {stages:?}");
        }
    }
    let streams: Vec<u64> =
        figures["streams"].as_array().unwrap().iter().map(|side| side["streams"].as_u64().unwrap()).collect();
    assert_eq!(streams, [1, 2]);
}
