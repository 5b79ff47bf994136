//! Every kernel compiles for every kind of GPU that is supported; NVRTC needs no GPU for that.
#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_vision::cuda::{GpuFailure, compile_all, compile_source, nvrtc_info, sources::SOURCES};

fn nvrtc() -> bool {
    match nvrtc_info() {
        Ok(_) => true,
        Err(e) => {
            facialads_testkit::skip(&format!("no NVRTC (run `make setup`): {e}"));
            false
        }
    }
}

#[test]
fn every_kernel_compiles_for_every_kind_of_gpu() {
    if !nvrtc() {
        return;
    }
    let known = nvrtc_info().unwrap().computes;
    // Turing, Ampere (A100, A10), Ada, Hopper, Blackwell (B200, RTX 50).
    for compute in [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)] {
        if !known.contains(&compute) {
            facialads_testkit::skip(&format!("this NVRTC does not know compute capability {compute:?}"));
            continue;
        }
        let compiled = compile_all(compute).unwrap();
        assert_eq!(compiled.len(), SOURCES.len());
        let target = format!(".target sm_{}{}", compute.0, compute.1);
        for program in compiled {
            assert!(program.text.contains(&target), "{} for {compute:?}", program.file);
            assert!(!program.kernels.is_empty(), "{}", program.file);
            for kernel in &program.kernels {
                let bytes = kernel
                    .parameter_bytes
                    .unwrap_or_else(|| panic!("{} of {} has to take one struct", kernel.name, program.file));
                assert!((1..=4000).contains(&bytes), "{}: {bytes} bytes of parameters", kernel.name);
            }
            // House rules of the kernels: nothing in them that the tests' stand-in driver could not run the same.
            for instruction in ["bar.sync", "barrier.", ".shared", "shfl.", "vote."] {
                assert!(!program.text.contains(instruction), "{} has {instruction}", program.file);
            }
        }
    }
}

#[test]
fn a_broken_source_gives_the_compilers_words() {
    if !nvrtc() {
        return;
    }
    let text =
        "#include \"common.cuh\"\nstruct P { int n; };\nKERNEL(broken, P) {\n  int x = undefined_thing;\n}\n";
    let error = compile_source("broken.cu", text, (8, 0)).unwrap_err();
    assert_eq!(error.gpu_failure(), Some(GpuFailure::Compile));
    let said = error.to_string();
    assert!(said.contains("undefined_thing") && said.contains("broken.cu(4)"), "{said}");

    let error = compile_source("a.cu", "#include \"not_there.cuh\"\n", (8, 0)).unwrap_err();
    assert!(error.to_string().contains("not_there.cuh"), "{error}");

    let error = compile_source("nul.cu", "int a;\0int b;", (8, 0)).unwrap_err();
    assert!(error.to_string().contains("NUL"), "{error}");
}

#[test]
fn an_unknown_compute_capability_says_which_are_known() {
    if !nvrtc() {
        return;
    }
    let error = compile_all((1, 3)).unwrap_err();
    assert_eq!(error.gpu_failure(), Some(GpuFailure::Compile));
    let said = error.to_string();
    assert!(said.contains("1.3") && said.contains("8.9") && said.contains("install"), "{said}");
}

#[test]
fn a_declared_kernel_that_is_not_in_the_program_is_noticed() {
    if !nvrtc() {
        return;
    }
    let text = "#include \"common.cuh\"\n#if 0\nstruct P { int n; };\nKERNEL(gone, P) {\n}\n#endif\n__device__ int x;\n";
    let error = compile_source("gone.cu", text, (8, 0)).unwrap_err();
    assert!(error.to_string().contains("has no gone"), "{error}");
}
