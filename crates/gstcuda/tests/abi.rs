//! What `src/api.rs` assumes, against GStreamer's headers: those installed here, and those of 1.26 where
//! `scripts/debian13.sh` has unpacked them. A C file prints sizes, offsets and flags, and assigns every function to a pointer of
//! the type that we call it with.
//!
//! 1.24 was compared by hand: `gstcudamemory.h` and `gstcudastream.h` as they were between 1.24 and 1.26 have the same
//! `GstCudaMemory`, the same flags, and the six functions of `Streams` with the signatures checked here.

#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_gstcuda::api;
use std::{
    collections::BTreeMap,
    mem::{offset_of, size_of},
    path::{Path, PathBuf},
    process::Command,
};

/// The same list from our side.
fn ours(streams: bool) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("sizeof(GstMemory)", size_of::<gst::ffi::GstMemory>()),
        ("sizeof(GstVideoInfo)", size_of::<gst_video::ffi::GstVideoInfo>()),
        ("sizeof(GstVideoFrame)", size_of::<gst_video::ffi::GstVideoFrame>()),
        ("sizeof(GstCudaContext)", size_of::<api::GstCudaContext>()),
        ("GstCudaContext.object", offset_of!(api::GstCudaContext, object)),
        ("GstCudaMemory.mem", offset_of!(api::GstCudaMemory, memory)),
        ("GstCudaMemory.context", offset_of!(api::GstCudaMemory, context)),
        ("GstCudaMemory.info", offset_of!(api::GstCudaMemory, info)),
        ("GST_MAP_CUDA", api::MAP_CUDA as usize),
        ("NEED_DOWNLOAD", api::NEED_DOWNLOAD as usize),
        ("NEED_UPLOAD", api::NEED_UPLOAD as usize),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_string()))
    .into();
    if streams {
        all.insert("NEED_SYNC".into(), api::NEED_SYNC.to_string());
    }
    for (name, text) in [
        ("CONTEXT_TYPE", api::CONTEXT_TYPE),
        ("MEMORY_TYPE", api::MEMORY_TYPE),
        ("CAPS_FEATURE", api::CAPS_FEATURE),
    ] {
        all.insert(name.into(), text.into());
    }
    all
}

/// Compiles and runs `abi.c` with the headers under `root`.
fn theirs(root: &Path) -> Result<(BTreeMap<String, String>, bool), String> {
    let abi = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi");
    let include = root.join("usr/include");
    let streams = include.join("gstreamer-1.0/gst/cuda/gstcudastream.h").exists();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("abi");
    let mut compiler = Command::new("cc");
    // The functions need not be there: this program only prints numbers.
    compiler.args(["-std=c11", "-Werror=incompatible-pointer-types", "-Werror=int-conversion"]);
    compiler.args(["-Wl,--unresolved-symbols=ignore-all", "-o"]).arg(&program).arg(abi.join("abi.c"));
    compiler.arg("-I").arg(&abi);
    for folder in ["gstreamer-1.0", "glib-2.0"] {
        compiler.arg("-I").arg(include.join(folder));
    }
    for libraries in ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"] {
        compiler.arg("-I").arg(root.join("usr").join(libraries).join("glib-2.0/include"));
    }
    if streams {
        compiler.arg("-DHAS_STREAMS");
    }
    let done = compiler.output().map_err(|problem| format!("no C compiler: {problem}"))?;
    assert!(done.status.success(), "{compiler:?}\n{}", String::from_utf8_lossy(&done.stderr));
    let said = Command::new(&program).output().map_err(|problem| problem.to_string())?;
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.rsplit_once(' '));
    Ok((pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), streams))
}

fn headers(root: &Path) -> bool {
    root.join("usr/include/gstreamer-1.0/gst/cuda/gstcudamemory.h").exists()
}

fn compare(root: &Path) {
    match theirs(root) {
        Ok((theirs, streams)) => assert_eq!(ours(streams), theirs, "{}", root.display()),
        Err(problem) => facialads_testkit::skip(&problem),
    }
}

/// A Debian 13 root in this checkout, or in the one that this is a worktree of.
fn debian13() -> Option<PathBuf> {
    let own = facialads_testkit::root();
    let common = Command::new("git")
        .args(["rev-parse", "--path-format=absolute", "--git-common-dir"])
        .current_dir(&own)
        .output()
        .ok()
        .and_then(|said| String::from_utf8(said.stdout).ok())
        .and_then(|path| Path::new(path.trim()).parent().map(Path::to_owned));
    let found = [Some(own), common].into_iter().flatten().map(|root| root.join("target/debian13"));
    found.into_iter().find(|root| headers(root))
}

#[test]
fn the_installed_headers_say_what_we_assume() {
    let root = Path::new("/");
    if !headers(root) {
        facialads_testkit::skip(
            "libgstreamer-plugins-bad1.0-dev is not installed: no headers to compare with",
        );
        return;
    }
    compare(root);
}

#[test]
fn the_headers_of_1_26_say_what_we_assume() {
    let Some(root) = debian13() else {
        facialads_testkit::skip("no headers of GStreamer 1.26 (run `scripts/debian13.sh setup`)");
        return;
    };
    compare(&root);
    // And its library has what we look up there.
    let library = std::fs::read(root.join("usr/lib/x86_64-linux-gnu/libgstcuda-1.0.so.0"));
    let Ok(library) = library else { return };
    for name in [
        "gst_cuda_memory_sync",
        "gst_cuda_memory_get_stream",
        "gst_cuda_stream_get_handle",
        "gst_cuda_stream_new",
        "gst_cuda_stream_unref",
        "gst_buffer_pool_config_set_cuda_stream",
        "gst_cuda_load_library",
        "CuInit",
        "gst_cuda_context_new_wrapped",
        "gst_context_new_cuda_context",
    ] {
        let text = format!("\0{name}\0");
        assert!(library.windows(text.len()).any(|part| part == text.as_bytes()), "{name}");
    }
}
