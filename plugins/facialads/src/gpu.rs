//! An element's part in sharing one CUDA context in a pipeline.
//!
//! ONNX Runtime works in a device's primary context, GStreamer's elements in whatever context the pipeline agrees on, and in one
//! of their own if nobody offers any. So an element whose networks run on a GPU offers the primary one before the decoders
//! start: frames then lie where the networks read them, and nothing is copied between contexts.

use facialads_gstcuda::{Context, ElementContext};
use facialads_vision::{
    Device,
    cuda::{self, Gpu},
    runtime::{self, Card},
};
use gst::prelude::*;
use std::sync::LazyLock;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "facialads-gpu",
        gst::DebugColorFlags::empty(),
        Some("CUDA contexts of pipelines"),
    )
});

/// The pipeline's CUDA context as one element knows it. Without CUDA nothing in here does anything.
#[derive(Default)]
pub struct PipelineGpu {
    context: ElementContext,
}

impl PipelineGpu {
    /// From NULL to READY: finds the pipeline's context, or offers the primary one of the device that `asked` for (the property
    /// `device`). Elements upstream change state later, so they find it.
    pub fn start(&self, element: &impl IsA<gst::Element>, asked: &str) {
        let Some(ordinal) = asked.parse().ok().and_then(|device| ordinal(&device)) else { return };
        let offered = self.context.ensure(element, None, || primary(ordinal));
        // Loading the networks has the words for what is wrong.
        match offered {
            Ok(context) => gst::debug!(CAT, obj = element, "pipeline's context: {context:?}"),
            Err(problem) => gst::info!(CAT, obj = element, "no context for the pipeline: {problem}"),
        }
    }

    /// The context that frames with these caps will be in, as far as the elements around know: `None` in system memory.
    pub fn context_of_frames(
        &self,
        element: &impl IsA<gst::Element>,
        caps: &gst::CapsRef,
    ) -> Option<Context> {
        if facialads_gstcuda::is_cuda(caps) { self.context.find(element) } else { None }
    }

    /// From READY to NULL.
    pub fn stop(&self) {
        self.context.clear();
    }

    /// The element's `set_context`, before its parent's.
    pub fn set_context(&self, element: &impl IsA<gst::Element>, context: &gst::Context) {
        self.context.set_context(element, context, None);
    }

    /// Whether this is a query for the context, and it was answered.
    pub fn answer(&self, element: &impl IsA<gst::Element>, query: &mut gst::QueryRef) -> bool {
        self.context.answer(element, query)
    }
}

/// The number of the GPU that networks asked for on this device will run on; `None`: on none.
fn ordinal(device: &Device) -> Option<u32> {
    let card = match device {
        Device::Cuda(card) | Device::TensorRt(card) => card.clone(),
        // The first one, if ONNX Runtime can use it.
        Device::Auto => Card::default(),
        Device::Cpu | Device::OpenVino(_) => return None,
    };
    // Opens libcuda only: where there is none, as on most machines, nothing more is asked.
    let gpus = cuda::devices().ok()?;
    if *device == Device::Auto && !runtime::library_providers().is_ok_and(|known| known.contains(&"CUDA")) {
        return None;
    }
    match card {
        Card::Number(number) => gpus.iter().any(|gpu| gpu.ordinal == number).then_some(number),
        Card::Uuid(uuid) => cuda::ordinal_of(&uuid).ok(),
    }
}

/// Name of the GPU that a network runs on, by its device as [`runtime::Description`] has it; empty: on none.
pub fn name_of(device: &str) -> String {
    let Some(number) = device.parse().ok().filter(|device| *device != Device::Auto).and_then(|d| ordinal(&d))
    else {
        return String::new();
    };
    let gpus = cuda::devices().unwrap_or_default();
    gpus.into_iter().find(|gpu| gpu.ordinal == number).map(|gpu| gpu.name).unwrap_or_default()
}

/// GStreamer's view of a device's primary context.
fn primary(ordinal: u32) -> facialads_gstcuda::Result<Context> {
    let gpu = Gpu::primary(ordinal)
        .map_err(|problem| facialads_gstcuda::Error::Driver { problem: problem.to_string() })?;
    // SAFETY: `gpu` holds the primary context, and is what keeps it.
    unsafe { Context::wrap(gpu.context(), ordinal, gpu) }
}
