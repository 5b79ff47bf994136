//! What `gst-inspect-1.0` shows a stranger.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use gst::{glib, prelude::*};

const ELEMENTS: [&str; 5] = ["consentgate", "faceanalyze", "subjectclassify", "audienceoverlay", "adinsert"];

fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstfacialads::plugin_register_static().unwrap();
    });
}

/// The properties that an element adds to those of GStreamer's own classes.
fn own_properties(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let foreign =
        [gst::Object::static_type(), gst::Element::static_type(), gst_base::BaseTransform::static_type()];
    element.list_properties().iter().filter(|spec| !foreign.contains(&spec.owner_type())).cloned().collect()
}

#[test]
fn every_element_is_there_and_describes_itself() {
    init();
    for name in ELEMENTS {
        let factory = gst::ElementFactory::find(name).unwrap_or_else(|| panic!("{name} is not registered"));
        for key in ["long-name", "klass", "description", "author"] {
            let text = factory.metadata(key).unwrap_or_default();
            assert!(!text.trim().is_empty(), "{name} has no {key}");
        }
        assert!(factory.metadata("description").unwrap_or_default().len() > 30, "{name} says too little");
    }
}

#[test]
fn every_property_has_a_blurb_that_says_something() {
    init();
    for name in ELEMENTS {
        let element = gst::ElementFactory::make(name).build().unwrap();
        let properties = own_properties(&element);
        assert!(!properties.is_empty(), "{name} has no properties");
        for spec in properties {
            let blurb = spec.blurb().unwrap_or_default();
            assert!(
                blurb.split_whitespace().count() >= 3,
                "{name}.{} is described by \"{blurb}\"",
                spec.name()
            );
            assert_ne!(blurb, spec.nick(), "{name}.{}", spec.name());
        }
    }
}

#[test]
fn every_readable_property_can_be_read_in_every_state_reached_without_input() {
    init();
    for name in ELEMENTS {
        let element = gst::ElementFactory::make(name).build().unwrap();
        for state in [gst::State::Null, gst::State::Ready, gst::State::Null] {
            // Starting may fail, for instance without models; reading must not.
            let _ = element.set_state(state);
            for spec in own_properties(&element)
                .into_iter()
                .filter(|spec| spec.flags().contains(glib::ParamFlags::READABLE))
            {
                let value = element.property_value(spec.name());
                assert!(value.type_().is_a(spec.value_type()), "{name}.{}", spec.name());
            }
        }
        element.set_state(gst::State::Null).unwrap();
    }
}
