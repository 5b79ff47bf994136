//! Lets uridecodebin know which decoders may be used; see [`super::decoders`] for the choice.

use super::{
    Shared,
    decoders::{Decoder, Preference},
};
use gst::{glib, prelude::*};
use std::sync::{Arc, atomic::Ordering};

const SIGNAL: &str = "autoplug-select";

/// Connects to the decoding bin. Where every decoder may be used it is only noted that one on a GPU was chosen.
pub fn choose_decoders(bin: &gst::Element, shared: &Arc<Shared>) {
    let shared = shared.clone();
    let answers = glib::subclass::SignalId::lookup(SIGNAL, bin.type_())
        .and_then(|signal| glib::EnumClass::with_type(signal.query().return_type().type_()));
    let Some(answers) = answers else { return };
    bin.connect(SIGNAL, false, move |values| {
        let caps = values.get(2)?.get::<gst::Caps>().ok()?;
        let factory = values.get(3)?.get::<gst::ElementFactory>().ok()?;
        let answer = if allows(&shared, &factory, &caps) { "try" } else { "skip" };
        answers.to_value_by_nick(answer)
    });
}

fn allows(shared: &Shared, factory: &gst::ElementFactory, caps: &gst::Caps) -> bool {
    if !factory.has_type(video_decoders()) {
        return true;
    }
    let others = if shared.decoders == Preference::Any { Vec::new() } else { decoders_for(caps) };
    let others = others.iter().map(|(plugin, name)| Decoder { plugin, name });
    let (plugin, name) = named(factory);
    let decoder = Decoder { plugin: &plugin, name: &name };
    let allowed = shared.decoders.allows(decoder, others);
    if allowed && decoder.gpu().is_some() {
        shared.decodes_on_gpu.store(true, Ordering::SeqCst);
    }
    allowed
}

/// Plugins and names of those that take a stream with these caps.
fn decoders_for(caps: &gst::Caps) -> Vec<(String, String)> {
    // Those of lesser rank are never chosen.
    let all = gst::ElementFactory::factories_with_type(video_decoders(), gst::Rank::MARGINAL);
    all.iter().filter(|factory| factory.can_sink_all_caps(caps)).map(named).collect()
}

fn named(factory: &gst::ElementFactory) -> (String, String) {
    (factory.plugin_name().map(String::from).unwrap_or_default(), factory.name().to_string())
}

fn video_decoders() -> gst::ElementFactoryType {
    gst::ElementFactoryType::DECODER
        | gst::ElementFactoryType::MEDIA_VIDEO
        | gst::ElementFactoryType::MEDIA_IMAGE
}
