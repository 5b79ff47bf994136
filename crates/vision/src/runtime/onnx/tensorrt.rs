//! TensorRT, through ONNX Runtime: what its provider is told, and where engines are kept.
//!
//! An engine is a network compiled for one card, one version of TensorRT and a range of input sizes; making one takes minutes.

use super::{
    cuda::{CStrings, Pairs},
    handle::{Outcome, Owned, check},
    library::library_version,
};
use crate::{
    cuda::Gpu,
    runtime::{Port, Precision},
    spec::{Layout, ModelSpec},
};
use ort::{AsPointer, api, session::builder::SessionBuilder, sys::OrtTensorRTProviderOptionsV2};
use sha2::{Digest as _, Sha256};
use std::{
    env,
    ffi::{CStr, c_void},
    fs, io,
    path::{Path, PathBuf},
};

/// Most pictures in a run: engines know no more.
pub(super) const MOST_PICTURES: usize = 128;
/// The batch that engines are best at: the faces in a scene.
const USUAL_PICTURES: usize = 8;
/// Sides of a network of free size go from this to twice the described size, or to `LARGEST_SIDE` where that is more.
const SMALLEST_SIDE: usize = 64;
const LARGEST_SIDE: usize = 1280;
/// Bytes of scratch memory that the search for the fastest kernels may use.
const WORKSPACE: u64 = 1 << 30;
const STREAM: &CStr = c"user_compute_stream";
/// Written when an engine has been made and has run.
const READY: &str = "ready";

/// The engines of one network on one card.
#[derive(Clone, Debug)]
pub(super) struct Engines {
    folder: PathBuf,
    timings: PathBuf,
    /// Sizes of the input, smallest, usual and largest; none where the network leaves nothing open.
    profile: Option<[String; 3]>,
}

impl Engines {
    /// Finds out what the engines of a network are, and makes the folder for them.
    ///
    /// # Errors
    /// The file is damaged, or the folder cannot be written: engines made anew at each start would be no gain.
    pub(super) fn of(file: &Path, bytes: &[u8], gpu: &Gpu, precision: Precision) -> Outcome<Self> {
        let engines = Self::named(file, bytes, gpu, precision)?;
        let unwritable = |e: io::Error| {
            format!(
                "TensorRT's engines cannot be kept in {}: {e}; set XDG_CACHE_HOME to a folder that can be written",
                engines.folder.display()
            )
        };
        fs::create_dir_all(&engines.folder).map_err(unwritable)?;
        // A folder may be there and not be ours.
        let trial = engines.folder.join(".writable");
        fs::write(&trial, b"").and_then(|()| fs::remove_file(&trial)).map_err(unwritable)?;
        Ok(engines)
    }

    /// As [`Self::of`], without looking at the disk beyond the network itself.
    fn named(file: &Path, bytes: &[u8], gpu: &Gpu, precision: Precision) -> Outcome<Self> {
        let mut builder = super::builder().map_err(|e| e.to_string())?;
        // On the CPU, only to be asked for its input.
        let session = builder.commit_from_memory(bytes).map_err(|e| e.to_string())?;
        let input = session.inputs().first().map(|input| super::port(input.name(), input.dtype()));
        let input = input.ok_or("the network has no input")?;
        let spec = ModelSpec::beside(&described(file)).ok();
        let profile = profile(&input, spec.as_ref())?;
        let root = root().ok_or("there is no folder for TensorRT's engines; set HOME or XDG_CACHE_HOME")?;
        let card = gpu.info();
        let (major, minor) = card.compute;
        let hash = Sha256::digest(bytes);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let ranges = profile.as_ref().map_or_else(String::new, |sizes| sizes.join(","));
        let ranges: String =
            Sha256::digest(ranges.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let runtime = library_version().unwrap_or_default();
        let name = format!(
            "{hash}-{ranges}-ort{runtime}-trt{}-{}-sm{major}{minor}-driver{}.{}-{precision}",
            version(),
            slug(&card.name),
            card.driver.0,
            card.driver.1,
        );
        Ok(Self { folder: root.join(name), timings: root.join("timings"), profile })
    }

    /// Whether an engine has been made before: then loading takes seconds instead of minutes.
    pub(super) fn are_ready(&self) -> bool {
        self.folder.join(READY).is_file()
    }

    /// Notes that engines have been made. A failure only costs time at the next start.
    pub(super) fn set_ready(&self) {
        let _ = fs::write(self.folder.join(READY), b"");
    }

    pub(super) fn options(
        &self,
        card: u32,
        precision: Precision,
        graphs: bool,
        stream: *mut c_void,
    ) -> Pairs {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let mut options = vec![
            ("device_id", card.to_string()),
            ("has_user_compute_stream", flag(true)),
            ("user_compute_stream", stream.expose_provenance().to_string()),
            ("trt_fp16_enable", flag(precision == Precision::Fast)),
            ("trt_engine_cache_enable", flag(true)),
            ("trt_engine_cache_path", self.folder.display().to_string()),
            ("trt_timing_cache_enable", flag(true)),
            ("trt_timing_cache_path", self.timings.display().to_string()),
            ("trt_max_workspace_size", WORKSPACE.to_string()),
            // TensorRT's own default; 5 takes several times as long.
            ("trt_builder_optimization_level", "3".to_owned()),
            ("trt_cuda_graph_enable", flag(graphs)),
        ];
        if let Some([smallest, usual, largest]) = &self.profile {
            options.push(("trt_profile_min_shapes", smallest.clone()));
            options.push(("trt_profile_opt_shapes", usual.clone()));
            options.push(("trt_profile_max_shapes", largest.clone()));
        }
        options
    }
}

/// Adds TensorRT's provider to a session to be; CUDA's is to follow, for what TensorRT cannot run.
pub(super) fn append(builder: &SessionBuilder, options: &Pairs, stream: *mut c_void) -> Outcome<()> {
    let mut made = Owned::<OrtTensorRTProviderOptionsV2>::none(api().ReleaseTensorRTProviderOptions);
    // SAFETY: a place for the answer.
    check(unsafe { (api().CreateTensorRTProviderOptions)(&mut made.0) })?;
    let texts = CStrings::new(options)?;
    // SAFETY: as many keys as values, all ending in NUL, which are copied.
    check(unsafe {
        (api().UpdateTensorRTProviderOptions)(
            made.0,
            texts.keys.as_ptr(),
            texts.values.as_ptr(),
            texts.keys.len(),
        )
    })?;
    // SAFETY: options that are there, a name that ends in NUL, and a pointer that is only kept.
    check(unsafe { (api().UpdateTensorRTProviderOptionsWithValue)(made.0, STREAM.as_ptr(), stream) })?;
    // SAFETY: options of a session that has not been made yet, to which nobody else has access during the call; those of the
    // provider are copied.
    check(unsafe {
        (api().SessionOptionsAppendExecutionProvider_TensorRT_V2)(builder.ptr().cast_mut(), made.0)
    })
}

/// The folder of all engines.
pub fn tensorrt_cache() -> Option<PathBuf> {
    root()
}

fn root() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("facialads").join("tensorrt"))
}

/// The file that a network's description lies beside: that of 16 bits shares it with the one it was made from.
fn described(file: &Path) -> PathBuf {
    match file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".f16.onnx")) {
        Some(name) => file.with_file_name(format!("{name}.onnx")),
        None => file.to_owned(),
    }
}

/// The sizes that an engine is to know, as TensorRT's provider wants them: `image:1x3x512x512`.
fn profile(input: &Port, spec: Option<&ModelSpec>) -> Outcome<Option<[String; 3]>> {
    if input.shape.iter().all(Option::is_some) {
        return Ok(None);
    }
    let usual_side = |index: usize| -> Outcome<usize> {
        let spec = spec.ok_or("its input is of free size, and there is no description beside it")?;
        let side = match (spec.input.layout, index) {
            (Layout::Nchw, 2) | (Layout::Nhwc, 1) => spec.input.height,
            (Layout::Nchw, 3) | (Layout::Nhwc, 2) => spec.input.width,
            _ => return Ok(3),
        };
        usize::try_from(side).map_err(|e| e.to_string())
    };
    let mut sizes = [Vec::new(), Vec::new(), Vec::new()];
    for (index, dimension) in input.shape.iter().enumerate() {
        let three = match (dimension, index) {
            (Some(fixed), _) => [*fixed; 3],
            (None, 0) => [1, USUAL_PICTURES, MOST_PICTURES],
            (None, _) => {
                let usual = usual_side(index)?;
                if usual == 3 {
                    [3; 3]
                } else {
                    [SMALLEST_SIDE.min(usual), usual, LARGEST_SIDE.max(2 * usual)]
                }
            }
        };
        sizes.iter_mut().zip(three).for_each(|(list, size)| list.push(size.to_string()));
    }
    Ok(Some(sizes.map(|list| format!("{}:{}", input.name, list.join("x")))))
}

/// "NVIDIA L40S" as part of a file's name.
fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// TensorRT's version ("101303" for 10.13.3), or "0" where it does not say.
fn version() -> String {
    // SAFETY: by now the library has been opened for ONNX Runtime's provider; its initialisers may run at any time.
    let library = unsafe { libloading::Library::new("libnvinfer.so.10") };
    let ask = |library: &libloading::Library| {
        // SAFETY: this is the function's signature in NvInferRuntimeBase.h, in every release.
        unsafe { library.get::<unsafe extern "C" fn() -> i32>(b"getInferLibVersion\0").map(|f| f()) }
    };
    library.ok().and_then(|library| ask(&library).ok()).unwrap_or(0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(shape: &[Option<usize>]) -> Port {
        Port { name: "image".into(), shape: shape.to_vec(), float: true }
    }

    #[test]
    fn engines_know_what_is_left_open_and_nothing_else() {
        assert_eq!(profile(&port(&[Some(1), Some(3), Some(240), Some(320)]), None), Ok(None));
        let sizes = profile(&port(&[None, Some(3), Some(112), Some(112)]), None).unwrap().unwrap();
        assert_eq!(sizes, ["image:1x3x112x112", "image:8x3x112x112", "image:128x3x112x112"]);
        assert!(profile(&port(&[None, Some(3), None, None]), None).unwrap_err().contains("description"));
        let spec = "name = \"d\"\nrole = \"face-detector\"\ndecoder = \"yunet\"\n[input]\nwidth = 640\nheight = 480\nfit = \"stretch\"\n";
        let spec = ModelSpec::parse(spec).unwrap();
        let sizes = profile(&port(&[Some(1), Some(3), None, None]), Some(&spec)).unwrap().unwrap();
        assert_eq!(sizes, ["image:1x3x64x64", "image:1x3x480x640", "image:1x3x1280x1280"]);
    }
}
