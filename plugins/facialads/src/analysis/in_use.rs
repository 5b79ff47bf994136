//! What runs, for the `stats` property.

use facialads_vision::runtime::Description;
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
}

impl InUse {
    /// `model`: as metadata name it.
    pub fn of(model: &str, network: &Description) -> Self {
        Self {
            model: model.to_owned(),
            runtime: network.runtime.clone(),
            device: network.device.clone(),
            precision: network.precision.clone(),
            running_async: false,
        }
    }

    /// The network runs elsewhere now.
    pub fn moved(&mut self, network: &Description) {
        self.runtime.clone_from(&network.runtime);
        self.device.clone_from(&network.device);
        self.precision.clone_from(&network.precision);
    }

    pub fn add_to(&self, structure: &mut StructureRef) {
        structure.set("async", self.running_async);
        structure.set("model", &self.model);
        structure.set("runtime", &self.runtime);
        structure.set("device", &self.device);
        structure.set("precision", &self.precision);
    }
}
