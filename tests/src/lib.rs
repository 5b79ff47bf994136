//! What tests share: where the labelled material and the installed models are, and skipping out loud.
//!
//! `make test` counts the lines that [`skip`] leaves in `target/skipped.log` and prints how many there were.

pub mod gpu;
pub mod onnx;

use std::{io::Write, path::PathBuf};

/// Root of the checkout.
pub fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or_else(|| tests.clone(), PathBuf::from)
}

/// A file or folder of the labelled material: `$FACIALADS_SHARED`, else `../shared` beside the checkout.
/// `None`, said out loud, where it is missing.
pub fn shared(path: &str) -> Option<PathBuf> {
    let base = std::env::var_os("FACIALADS_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let file = base.join(path);
    if file.exists() {
        return Some(file);
    }
    skip(&format!(
        "{} is not there (set FACIALADS_SHARED to the folder with the test material)",
        file.display()
    ));
    None
}

/// An installed model, by its name in the manifest (`yunet`, `age-gender`, …). `None`, said out loud, where `make setup`
/// has not installed it.
pub fn model(name: &str) -> Option<PathBuf> {
    let file = models_dir().join(format!("{name}.onnx"));
    if file.exists() {
        return Some(file);
    }
    skip(&format!("model {name} is not installed in {} (run `make setup`)", models_dir().display()));
    None
}

/// Where `make setup` puts the models: `$FACIALADS_MODELS`, else `.cache/models` in the checkout.
pub fn models_dir() -> PathBuf {
    std::env::var_os("FACIALADS_MODELS").map_or_else(|| root().join(".cache/models"), PathBuf::from)
}

/// A file that `make setup` took out of a package: clips and photographs.
pub fn media(name: &str) -> Option<PathBuf> {
    let file = root().join(".cache/media").join(name);
    if file.exists() {
        return Some(file);
    }
    skip(&format!("{} is not there (run `make setup`)", file.display()));
    None
}

/// Says that a test, or a part of one, was not run, and why.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    eprintln!("SKIPPED {test}: {reason}");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    if let Ok(mut log) =
        std::fs::OpenOptions::new().create(true).append(true).open(target.join("skipped.log"))
    {
        let _ = writeln!(log, "{test}: {reason}");
    }
}
