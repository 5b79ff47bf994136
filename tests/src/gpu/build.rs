//! Compiles the stand-in, piece by piece and each piece once: objects and libraries lie in `target/stand-in` under the
//! SHA-256 of everything that went into them, so that several test processes can use them at the same time.

use super::kernels_dir;
use crate::root;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const OPTIONS: &[&str] =
    &["-std=c++17", "-O2", "-g1", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-Wall", "-Werror"];

/// For kernels alone: the built-in variables are thread-local and read by every thread of a launch, and what differs
/// between a GPU and this processor stops the kernel (tests/stand-in/modules.cpp makes an error of it).
const KERNEL_OPTIONS: &[&str] = &[
    "-x",
    "c++",
    "-DFACIALADS_CPU_SHIM",
    "-ftls-model=initial-exec",
    "-fsanitize=alignment,float-cast-overflow,integer-divide-by-zero,shift",
    "-fsanitize-undefined-trap-on-error",
];

/// The folder with `libcuda.so.1` and its companions.
pub(super) fn build() -> Result<PathBuf, String> {
    let base = target().join("stand-in");
    fs::create_dir_all(&base).map_err(|error| format!("{}: {error}", base.display()))?;
    // One process compiles, the others wait and find everything there. Given back when the file is closed.
    let lock = fs::File::create(base.join("lock")).map_err(|error| format!("{}: {error}", base.display()))?;
    lock.lock().map_err(|error| format!("{}: {error}", base.display()))?;

    let sources = root().join("tests/stand-in");
    let headers = [files(&sources, &["h"])?, files(&kernels_dir(), &["h", "cuh"])?].concat();
    let mut objects = Vec::new();
    for file in files(&sources, &["cpp"])? {
        // The rest of that folder are other libraries, each in a folder of its own.
        objects.push(object(&base, &file, &headers, &[])?);
    }
    for file in files(&kernels_dir(), &["cu"])? {
        objects.push(object(&base, &file, &headers, KERNEL_OPTIONS)?);
    }
    let decoder = object(&base, &sources.join("nvcuvid/nvcuvid.cpp"), &[], &[])?;
    let onnx = object(&base, &sources.join("onnxruntime/onnxruntime.cpp"), &[], &[])?;
    link(&base, &objects, &decoder, &onnx)
}

fn link(base: &Path, objects: &[PathBuf], decoder: &Path, onnx: &Path) -> Result<PathBuf, String> {
    let all = objects.iter().map(PathBuf::as_path).chain([decoder, onnx]);
    let names: Vec<String> = all.map(|object| object.display().to_string()).collect();
    let folder = base.join(digest(names.iter().map(String::as_bytes)));
    if folder.join("complete").exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    library(&folder, "libcuda.so.1", objects)?;
    library(&folder, "libnvcuvid.so.1", &[decoder.to_path_buf()])?;
    library(&folder, "libonnxruntime.so", &[onnx.to_path_buf(), folder.join("libcuda.so.1")])?;
    // Nothing of its own: whoever asks `libcuda.so` for a function gets it from `libcuda.so.1`.
    library(&folder, "libcuda.so", &[folder.join("libcuda.so.1")])?;
    fs::write(folder.join("complete"), "").map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// A library whose name for `dlopen` is that of its file, wherever it lies.
fn library(folder: &Path, name: &str, from: &[PathBuf]) -> Result<(), String> {
    let mut link = compiler();
    link.args(["-shared", "-Wl,-z,defs", "-Wl,--no-as-needed"]).arg(format!("-Wl,-soname,{name}"));
    link.args(from).arg("-o").arg(folder.join(name));
    run(link)
}

/// Compiles one file, unless it was with the same text, headers, options and compiler.
fn object(base: &Path, file: &Path, headers: &[PathBuf], more: &[&str]) -> Result<PathBuf, String> {
    let mut parts: Vec<Vec<u8>> = vec![read(file)?, version()?];
    for header in headers {
        parts.push(read(header)?);
    }
    parts.extend(OPTIONS.iter().chain(more).map(|option| option.as_bytes().to_vec()));
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let object = base.join(format!("{name}-{}.o", digest(parts.iter().map(Vec::as_slice))));
    if object.exists() {
        return Ok(object);
    }
    let partial = base.join(format!("{name}.partial"));
    let mut compile = compiler();
    compile.args(OPTIONS).arg("-I").arg(kernels_dir()).args(more).arg("-c").arg(file).arg("-o").arg(&partial);
    run(compile)?;
    fs::rename(&partial, &object).map_err(|error| format!("{}: {error}", object.display()))?;
    Ok(object)
}

fn compiler() -> Command {
    Command::new(std::env::var_os("CXX").unwrap_or_else(|| "g++".into()))
}

fn version() -> Result<Vec<u8>, String> {
    let mut ask = compiler();
    let answer = ask.arg("-dumpfullversion").arg("-dumpmachine").output();
    answer
        .map(|answer| answer.stdout)
        .map_err(|error| format!("g++ does not start ({error}); install it: apt install g++"))
}

fn run(mut command: Command) -> Result<(), String> {
    let answer = command
        .output()
        .map_err(|error| format!("g++ does not start ({error}); install it: apt install g++"))?;
    // A kernel or the stand-in itself does not compile: that is no reason to skip a test.
    assert!(answer.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&answer.stderr));
    Ok(())
}

fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)))
        .collect();
    found.sort();
    Ok(found)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.len().to_le_bytes());
        sha.update(part);
    }
    sha.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
