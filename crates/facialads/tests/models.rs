//! `facialads models` as a person at a terminal has it.
#![expect(clippy::unwrap_used, reason = "a test that fails should say where")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs `facialads models …` with no program on its path, so that it cannot fetch anything.
fn models(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facialads"));
    command.arg("models").args(arguments).env("FACIALADS_MODELS", dir).env("PATH", "").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn list_shows_what_is_missing_and_a_model_of_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.onnx"), b"x").unwrap();
    fs::write(dir.path().join("broken.onnx"), b"x").unwrap();
    fs::write(dir.path().join("broken.toml"), "name = \"broken\"\nrole = \"face-detectr\"\n").unwrap();
    let spec = "name = \"mine\"\nrole = \"face-detector\"\ndecoder = \"yunet\"\nlicence = \"ours\"\n\
                [input]\nwidth = 320\nheight = 320\nfit = \"pad-right-bottom\"\n";
    fs::write(dir.path().join("mine.toml"), spec).unwrap();
    let output = models(dir.path(), &["list"]);
    assert!(output.status.success());
    let listed = text(&output.stdout);
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(
        line("ssd-mobilenet-v1 ").contains("missing") && line("ssd-mobilenet-v1 ").contains("MIT"),
        "{listed}"
    );
    assert!(line("mine ").contains("own") && line("mine ").contains("ours"), "{listed}");
    assert!(line("broken ").contains("not described"), "{listed}");
    assert!(listed.contains("line 2, column"), "the mistake has its place: {listed}");
    assert!(listed.contains("facialads models install"), "{listed}");
}

#[test]
fn install_without_npm_says_what_to_run() {
    let root = tempfile::tempdir().unwrap();
    let output = models(&root.path().join("models"), &["install", "age-gender"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("npm is not installed. Run: apt install npm"), "{said}");
    let output = models(&root.path().join("models"), &["install", "age-gendr"]);
    assert!(text(&output.stderr).contains("no model \"age-gendr\"; known are yunet"));
}

#[test]
fn verify_fails_where_there_is_nothing_to_verify() {
    let root = tempfile::tempdir().unwrap();
    let output = models(&root.path().join("models"), &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("models install --media"), "{}", text(&output.stderr));
}

#[test]
fn verify_names_a_damaged_model_and_exits_1() {
    let root = tempfile::tempdir().unwrap();
    let (dir, media) = (root.path().join("models"), root.path().join("media"));
    fs::create_dir_all(&dir).unwrap();
    fs::create_dir_all(&media).unwrap();
    for name in (1..=6).map(|n| format!("sample{n}.jpg")) {
        let Some(file) = facialads_testkit::media(&name) else { return };
        fs::copy(file, media.join(name)).unwrap();
    }
    fs::write(dir.join("expression.onnx"), b"damaged").unwrap();
    let output = models(&dir, &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert!(out.lines().any(|line| line.starts_with("expression") && line.contains("CHANGED")), "{out}");
    assert!(said.contains("expression is not the file in the manifest"), "{said}");
    assert!(said.contains("tiny-face is not installed: facialads models install tiny-face"), "{said}");
}
