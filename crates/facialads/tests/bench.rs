//! What `facialads bench` says when it cannot measure.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn bench(arguments: &[&str], plugins: &str) -> Output {
    let registry = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_facialads"))
        .arg("bench")
        .args(["--faces", "/nowhere/faces.mp4", "--programme", "/nowhere/programme.mp4"])
        .args(arguments)
        .env("GST_PLUGIN_PATH", plugins)
        .env("GST_PLUGIN_SYSTEM_PATH", "/nowhere")
        .env("GST_REGISTRY", registry.path().join("registry.bin"))
        .output()
        .unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_provider_that_is_not_there_or_not_known_is_said_before_anything_is_decoded() {
    let text = complaint(&bench(&["--provider", "cuda", "--check"], ""));
    assert!(text.contains("no NVIDIA driver") && text.contains("device=cpu"), "{text}");
    let text = complaint(&bench(&["--provider", "cuda", "--gpu"], ""));
    assert!(text.contains("no NVIDIA driver"), "{text}");
    let text = complaint(&bench(&["--provider", "toaster"], ""));
    assert!(text.contains("toaster") && text.contains("known are"), "{text}");
}

#[test]
fn with_the_cpu_alone_there_is_nothing_to_check_against() {
    let output = bench(&["--provider", "cpu", "--check"], "");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing to compare"));
}

#[test]
fn a_plugin_that_gstreamer_does_not_find_is_said_with_the_remedy() {
    let text = complaint(&bench(&[], "/nowhere"));
    assert!(text.contains("GST_PLUGIN_PATH"), "{text}");
}

#[test]
fn a_precision_that_nobody_knows_is_named_with_those_that_are() {
    let text = complaint(&bench(&["--precision", "double"], ""));
    assert!(text.contains("double") && text.contains("known are f32, fast"), "{text}");
}
