//! The recipe for a GPU, run as it is on stand-ins for the card: its driver, its decoder and its encoder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_testkit::{gpu, models_dir, root};
use std::{path::Path, process::Command};

/// A clip of one colour with a tone: `seconds` long, 25 fps.
fn clip(path: &Path, colour: &str, seconds: u32) {
    let line = format!(
        "mp4mux name=mux ! filesink location={} videotestsrc num-buffers={} pattern={colour} \
         ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! x264enc ! queue ! mux. \
         audiotestsrc num-buffers={} samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! queue ! mux.",
        path.display(),
        25 * seconds,
        50 * seconds
    );
    let status = Command::new("gst-launch-1.0").arg("-q").args(line.split_whitespace()).status().unwrap();
    assert!(status.success());
}

/// Which frames are blue.
fn blue(file: &Path) -> Vec<bool> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-vf", "scale=1:1:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    output.stdout.chunks_exact(3).map(|rgb| rgb[2] > 200 && rgb[0] < 60 && rgb[1] < 60).collect()
}

#[test]
fn the_recipe_splices_in_the_gpus_memory() {
    let Some(libraries) = gpu::library_path() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    clip(&path("programme.mp4"), "white", 6);
    clip(&path("ad.mp4"), "blue", 2);
    let output = Command::new("timeout")
        .arg("240")
        .arg(root().join("pipelines/gpu-file-to-file.sh"))
        .env("LD_LIBRARY_PATH", libraries)
        .env("GST_REGISTRY", path("registry.bin"))
        .env("GST_PLUGIN_PATH", root().join("target/debug"))
        .env("FACIALADS_MODELS", models_dir())
        .env("VIDEO_DECODER", "avdec_h264 ! videoconvert ! cudaupload")
        .env("VIDEO_ENCODER", "cudadownload ! videoconvert ! x264enc tune=zerolatency")
        .env("DEVICE", "cpu")
        .env("PROGRAMME", path("programme.mp4"))
        .env("ADS", path("ad.mp4"))
        .env("BREAKS", "3")
        .env("OUT", path("out.mp4"))
        .output()
        .unwrap();
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("ERROR"), "{said}");
    let expected: Vec<_> = (0..150).map(|frame| (75..125).contains(&frame)).collect();
    assert_eq!(blue(&path("out.mp4")), expected, "{said}");
}
