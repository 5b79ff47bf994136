//! Which execution providers the opened library was built with.

use super::library::library_version;
use crate::Result;
use ort::{ep::ExecutionProvider, session::builder::SessionBuilder};

macro_rules! names {
    ($($marker:ident = $name:literal as $short:literal),+) => {
        $(
            struct $marker;
            impl ExecutionProvider for $marker {
                const NAME: &'static str = $name;
                // Only asked about, never registered.
                fn register(&self, _: &mut SessionBuilder) -> ort::Result<()> {
                    Ok(())
                }
            }
        )+
        /// The providers among CPU, CUDA, TensorRT and OpenVINO that the library was compiled with; whether one can be used on this
        /// machine is another question.
        ///
        /// # Errors
        /// The library cannot be opened.
        pub fn library_providers() -> Result<Vec<&'static str>> {
            library_version()?;
            Ok([$(($short, $marker::is_available().unwrap_or(false))),+]
                .into_iter()
                .filter_map(|(name, there)| there.then_some(name))
                .collect())
        }
    };
}

names!(
    Cpu = "CPUExecutionProvider" as "CPU",
    Cuda = "CUDAExecutionProvider" as "CUDA",
    TensorRt = "TensorrtExecutionProvider" as "TensorRT",
    OpenVino = "OpenVINOExecutionProvider" as "OpenVINO"
);
