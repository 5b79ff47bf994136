//! What runs, for the `stats` property.

use crate::video::Reader;
use facialads_vision::{
    cuda::{Traffic, traffic},
    runtime::Description,
};
use gst::StructureRef;

/// Empty where no network is loaded.
#[derive(Default)]
pub struct InUse {
    model: String,
    runtime: String,
    device: String,
    precision: String,
    /// Whether inference runs beside the stream.
    pub running_async: bool,
    /// Where frames lie: "system" or "CUDA"; empty before the first caps.
    pub memory: &'static str,
    /// Name of the GPU that the network runs on, else of the one that frames lie on; empty: there is neither.
    pub gpu: String,
    /// What had crossed between host and GPUs when the element started.
    before: Traffic,
}

impl InUse {
    /// `model`: as metadata name it.
    pub fn of(model: &str, network: &Description) -> Self {
        Self {
            gpu: crate::gpu::name_of(&network.device),
            model: model.to_owned(),
            runtime: network.runtime.clone(),
            device: network.device.clone(),
            precision: network.precision.clone(),
            before: traffic(),
            ..Self::default()
        }
    }

    /// A frame was looked at: which GPU it lies on is known, if it does.
    pub fn looked_at(&mut self, reader: &Reader) {
        if self.gpu.is_empty()
            && let Some(name) = reader.gpu()
        {
            name.clone_into(&mut self.gpu);
        }
    }

    /// The network runs elsewhere now.
    pub fn moved(&mut self, network: &Description) {
        self.runtime.clone_from(&network.runtime);
        self.device.clone_from(&network.device);
        self.precision.clone_from(&network.precision);
        self.gpu = crate::gpu::name_of(&network.device);
    }

    pub fn add_to(&self, structure: &mut StructureRef) {
        structure.set("async", self.running_async);
        structure.set("model", &self.model);
        structure.set("runtime", &self.runtime);
        structure.set("device", &self.device);
        structure.set("precision", &self.precision);
        structure.set("memory", self.memory);
        structure.set("gpu", &self.gpu);
        // Of the whole process: elements share networks, and pictures of several streams travel together.
        let crossed = traffic().since(&self.before);
        structure.set("pixel-bytes-to-gpu", crossed.pixels_to_device);
        structure.set("pixel-bytes-from-gpu", crossed.pixels_to_host);
    }
}
