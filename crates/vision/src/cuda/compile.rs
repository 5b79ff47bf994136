//! From a source to a program for a kind of GPU.

use super::{
    cache,
    error::{GpuFailure, gpu_error},
    nvrtc::{Nvrtc, Refused, with},
    sources::{HEADERS, SOURCES, Source, kernel_names},
};
use crate::{Error, Result};
use sha2::{Digest, Sha256};

/// The kernels' numbers have to be those of the CPU's code: no fused multiplication and addition.
const OPTIONS: [&str; 2] = ["--std=c++17", "--fmad=false"];

/// A compute capability, and what is compiled for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The driver compiles it further, for this capability or a later one.
    Ptx((u32, u32)),
    /// Finished, for GPUs of this capability.
    Cubin((u32, u32)),
}

/// A compiled source.
pub(super) struct Program {
    /// PTX that ends in NUL, or a cubin.
    pub image: Vec<u8>,
    /// Of PTX only.
    pub kernels: Vec<CompiledKernel>,
}

/// A kernel in a compiled program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledKernel {
    pub name: String,
    /// Bytes of its one parameter; `None` if it has none or several.
    pub parameter_bytes: Option<usize>,
}

/// A source that was compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// `picture.cu`
    pub file: String,
    pub kernels: Vec<CompiledKernel>,
    /// PTX.
    pub text: String,
}

/// Compiles every kernel for a compute capability such as (8, 9). Needs NVRTC, but no GPU; leaves the cache alone.
///
/// # Errors
/// [`GpuFailure::Compile`]: there is no NVRTC, it does not know the capability, or it does not like a source.
pub fn compile_all(compute: (u32, u32)) -> Result<Vec<Compiled>> {
    SOURCES.iter().map(|source| compile_source(source.file, source.text, compute)).collect()
}

/// Compiles a source of one's own, which may include what ours include.
///
/// # Errors
/// As [`compile_all`]; the message holds the compiler's words.
pub fn compile_source(file: &str, text: &str, compute: (u32, u32)) -> Result<Compiled> {
    with(None, |nvrtc| {
        if !nvrtc.info.computes.contains(&compute) {
            return Err(too_old(nvrtc, compute));
        }
        let image = nvrtc
            .compile(file, text, HEADERS, &options(Target::Ptx(compute)), false)
            .map_err(|refused| refusal(nvrtc, file, refused))?;
        let kernels = check(file, text, &image)?;
        let text = String::from_utf8_lossy(image.strip_suffix(&[0]).unwrap_or(&image)).into_owned();
        Ok(Compiled { file: file.to_owned(), kernels, text })
    })
}

/// A source's program for a GPU of this capability, out of the cache or compiled. `driver`: the newest CUDA that the driver runs.
pub(super) fn program(source: &Source, target: Target, driver: (u32, u32)) -> Result<Program> {
    with(Some(driver), |nvrtc| {
        let target = known(nvrtc, target)?;
        let options = options(target);
        let key = key(source, &options, nvrtc.info.version, driver, target);
        let finished = matches!(target, Target::Cubin(_));
        if let Some(program) = cache::read(&key).and_then(|image| whole(source, image, finished).ok()) {
            return Ok(program);
        }
        let image = nvrtc
            .compile(source.file, source.text, HEADERS, &options, finished)
            .map_err(|refused| refusal(nvrtc, source.file, refused))?;
        let program = whole(source, image, finished)?;
        cache::write(&key, &program.image);
        Ok(program)
    })
}

/// A program that has all of its source's kernels.
fn whole(source: &Source, image: Vec<u8>, finished: bool) -> Result<Program> {
    // The kernels of a cubin are found by the driver.
    let kernels = if finished { Vec::new() } else { check(source.file, source.text, &image)? };
    Ok(Program { image, kernels })
}

/// The nearest that NVRTC can compile for: PTX for an older capability runs on a newer GPU.
fn known(nvrtc: &Nvrtc, target: Target) -> Result<Target> {
    let computes = &nvrtc.info.computes;
    match target {
        Target::Ptx(wanted) => {
            let nearest = computes.iter().rev().find(|compute| **compute <= wanted);
            nearest.map(|compute| Target::Ptx(*compute)).ok_or_else(|| too_old(nvrtc, wanted))
        }
        Target::Cubin(wanted) if computes.contains(&wanted) => Ok(target),
        Target::Cubin(wanted) => Err(too_old(nvrtc, wanted)),
    }
}

fn options(target: Target) -> Vec<String> {
    let architecture = match target {
        Target::Ptx((major, minor)) => format!("--gpu-architecture=compute_{major}{minor}"),
        Target::Cubin((major, minor)) => format!("--gpu-architecture=sm_{major}{minor}"),
    };
    OPTIONS.iter().map(|option| (*option).to_owned()).chain([architecture]).collect()
}

/// The name of the file in the cache. Anything that could change the program changes it.
fn key(source: &Source, options: &[String], nvrtc: (u32, u32), driver: (u32, u32), target: Target) -> String {
    let mut hash = Sha256::new();
    // With its length before it, so that no two lists read the same.
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    add(source.file);
    add(source.text);
    HEADERS.iter().for_each(|(name, text)| {
        add(name);
        add(text);
    });
    options.iter().for_each(|option| add(option));
    add(&format!("nvrtc {nvrtc:?} driver {driver:?} target {target:?}"));
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let (ending, (major, minor)) = match target {
        Target::Ptx(compute) => ("ptx", compute),
        Target::Cubin(compute) => ("cubin", compute),
    };
    let stem = source.file.strip_suffix(".cu").unwrap_or(source.file);
    format!("{stem}-{major}{minor}-{digest}.{ending}")
}

/// The kernels of a program, which must be all that its source has.
fn check(file: &str, text: &str, ptx: &[u8]) -> Result<Vec<CompiledKernel>> {
    let kernels = entries(&String::from_utf8_lossy(ptx));
    let missing: Vec<&str> =
        kernel_names(text).filter(|name| !kernels.iter().any(|kernel| kernel.name == *name)).collect();
    if missing.is_empty() {
        return Ok(kernels);
    }
    Err(gpu_error(
        GpuFailure::Compile,
        format!("{file} was compiled, but has no {}", missing.join(", ")),
        "please report this with NVRTC's version",
    ))
}

/// The kernels in PTX: `.visible .entry name(` and lines with parameters, of which a struct reads
/// `.param .align 8 .b8 name_param_0[48]`.
fn entries(ptx: &str) -> Vec<CompiledKernel> {
    let mut kernels = Vec::new();
    let mut rest = ptx;
    while let Some((_, after)) = rest.split_once(".entry") {
        let Some((name, after)) = after.split_once('(') else { break };
        let Some((parameters, after)) = after.split_once(')') else { break };
        let mut sizes = parameters.split(',').filter(|one| one.contains(".param")).map(bytes_of);
        let (first, second) = (sizes.next(), sizes.next());
        let parameter_bytes = if second.is_none() { first.flatten() } else { None };
        kernels.push(CompiledKernel { name: name.trim().to_owned(), parameter_bytes });
        rest = after;
    }
    kernels
}

fn bytes_of(parameter: &str) -> Option<usize> {
    parameter.split_once('[')?.1.split_once(']')?.0.trim().parse().ok()
}

fn too_old(nvrtc: &Nvrtc, (major, minor): (u32, u32)) -> Error {
    let list: Vec<String> = nvrtc.info.computes.iter().map(|(a, b)| format!("{a}.{b}")).collect();
    gpu_error(
        GpuFailure::Compile,
        format!(
            "{} (CUDA {}.{}) does not compile for compute capability {major}.{minor}, only for {}",
            nvrtc.info.path.display(),
            nvrtc.info.version.0,
            nvrtc.info.version.1,
            list.join(", ")
        ),
        "install an NVRTC that knows the GPU: CUDA 12 for 5.0 to 9.0, CUDA 12.8 or later for 10.0 and 12.0, CUDA 13 from 7.5 on",
    )
}

fn refusal(nvrtc: &Nvrtc, file: &str, Refused(said): Refused) -> Error {
    let (major, minor) = nvrtc.info.version;
    let builtins = said.contains("libnvrtc-builtins");
    let remedy = if builtins {
        format!("NVRTC is not whole: {}", super::nvrtc::install_hint())
    } else {
        "please report this with NVRTC's version".to_owned()
    };
    gpu_error(GpuFailure::Compile, format!("NVRTC {major}.{minor} does not compile {file}: {said}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTX: &str = "
.version 8.4
.visible .entry first(
	.param .align 8 .b8 first_param_0[48]
)
{ ret; }
.visible .entry second(
	.param .u64 second_param_0,
	.param .u32 second_param_1
)
.visible .entry third()
";

    #[test]
    fn kernels_and_the_size_of_their_parameter_are_read_from_ptx() {
        let kernel = |name: &str, parameter_bytes| CompiledKernel { name: name.to_owned(), parameter_bytes };
        assert_eq!(entries(PTX), [kernel("first", Some(48)), kernel("second", None), kernel("third", None)]);
        assert!(entries(".visible .entry cut").is_empty());
    }

    #[test]
    fn a_program_without_one_of_its_kernels_is_refused() {
        let error = check("x.cu", "KERNEL(first, A) {\nKERNEL(fourth, B) {\n", PTX.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("no fourth"), "{error}");
        assert!(check("x.cu", "KERNEL(first, A) {\n// KERNEL(fourth\n", PTX.as_bytes()).is_ok());
    }

    #[test]
    fn the_key_changes_with_whatever_changes_the_program() {
        let source = |text| Source { file: "x.cu", text };
        let base = (source("a"), options(Target::Ptx((8, 0))), (12, 4), (12, 4), Target::Ptx((8, 0)));
        let name = |(source, options, nvrtc, driver, target): &(Source, Vec<String>, _, _, Target)| {
            key(source, options, *nvrtc, *driver, *target)
        };
        let first = name(&base);
        let others = [
            (source("b"), options(base.4), (12, 4), (12, 4), base.4),
            (source("a"), vec![], (12, 4), (12, 4), base.4),
            (source("a"), options(base.4), (12, 5), (12, 4), base.4),
            (source("a"), options(base.4), (12, 4), (12, 6), base.4),
            (source("a"), options(base.4), (12, 4), (12, 4), Target::Ptx((8, 6))),
            (source("a"), options(base.4), (12, 4), (12, 4), Target::Cubin((8, 0))),
        ];
        for other in &others {
            assert_ne!(first, name(other));
        }
        assert_eq!(first, name(&base));
        assert!(first.starts_with("x-80-") && first.ends_with(".ptx"), "{first}");
    }
}
