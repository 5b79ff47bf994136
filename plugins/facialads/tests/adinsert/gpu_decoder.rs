//! A decoder that stands in for NVIDIA's `nvh264dec`: it has its name and its plugin, and delivers CUDA memory, as that does
//! wherever it is not told otherwise. Where `cudaconvertscale` is missing, a converter that has nothing to convert.

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::prelude::*;
use std::sync::{
    Once,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Pictures that it has decoded.
pub static DECODED: AtomicUsize = AtomicUsize::new(0);
/// It takes no picture: what NVIDIA's does with a profile that the card does not know.
pub static REFUSES: AtomicBool = AtomicBool::new(false);

glib::wrapper! {
    pub struct GpuDecoder(ObjectSubclass<imp::GpuDecoder>) @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

glib::wrapper! {
    pub struct GpuConverter(ObjectSubclass<imp::GpuConverter>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// What decodebin takes for H.264 until the guard is dropped. It stays registered after that, with no rank: GStreamer keeps a
/// pointer to an element's factory for ever.
pub struct Installed(gst::PluginFeature);

impl Installed {
    pub fn new() -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            let plugin = gst::Registry::get().find_plugin("nvcodec").unwrap();
            let kind = GpuDecoder::static_type();
            gst::Element::register(Some(&plugin), "nvh264dec", gst::Rank::NONE, kind).unwrap();
            if gst::ElementFactory::find("cudaconvertscale").is_none() {
                let kind = GpuConverter::static_type();
                gst::Element::register(Some(&plugin), "cudaconvertscale", gst::Rank::NONE, kind).unwrap();
            }
        });
        DECODED.store(0, Ordering::SeqCst);
        REFUSES.store(false, Ordering::SeqCst);
        let factory = gst::ElementFactory::find("nvh264dec").unwrap();
        factory.set_rank(gst::Rank::MARGINAL);
        Self(factory.upcast())
    }
}

impl Installed {
    /// Decodebin takes it before all others.
    pub fn first(&self) {
        self.0.set_rank(gst::Rank::PRIMARY + 100);
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        self.0.set_rank(gst::Rank::NONE);
    }
}

mod imp {
    use super::*;
    use std::sync::LazyLock;

    #[derive(Default)]
    pub struct GpuDecoder;

    #[glib::object_subclass]
    impl ObjectSubclass for GpuDecoder {
        const NAME: &'static str = "TestGpuDecoder";
        type Type = super::GpuDecoder;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for GpuDecoder {
        fn constructed(&self) {
            self.parent_constructed();
            let bin = self.obj();
            let chain = ["avdec_h264", "videoconvert", "identity", "cudaupload", "capsfilter"]
                .map(|name| gst::ElementFactory::make(name).build().unwrap());
            chain[4].set_property("caps", "video/x-raw(memory:CUDAMemory)".parse::<gst::Caps>().unwrap());
            if REFUSES.load(Ordering::SeqCst) {
                chain[2].set_property("error-after", 1i32);
            }
            bin.add_many(&chain).unwrap();
            gst::Element::link_many(&chain).unwrap();
            for (name, element) in [("sink", &chain[0]), ("src", &chain[4])] {
                let target = element.static_pad(name).unwrap();
                let template = bin.pad_template(name).unwrap();
                let pad = gst::GhostPad::builder_from_template_with_target(&template, &target).unwrap();
                bin.add_pad(&pad.name(name).build()).unwrap();
            }
            bin.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, _| {
                DECODED.fetch_add(1, Ordering::SeqCst);
                gst::PadProbeReturn::Ok
            });
        }
    }
    impl GstObjectImpl for GpuDecoder {}
    impl BinImpl for GpuDecoder {}
    impl ElementImpl for GpuDecoder {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Stand-in decoder",
                    "Codec/Decoder/Video/Hardware",
                    "As nvh264dec",
                    "Tests",
                )
            });
            Some(&METADATA)
        }
        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let (always, sink, src) =
                    (gst::PadPresence::Always, gst::PadDirection::Sink, gst::PadDirection::Src);
                let coded = "video/x-h264,alignment=au,stream-format={avc,byte-stream}".parse().unwrap();
                let pictures =
                    "video/x-raw(memory:CUDAMemory),format=I420;video/x-raw,format=I420".parse().unwrap();
                vec![
                    gst::PadTemplate::new("sink", sink, always, &coded).unwrap(),
                    gst::PadTemplate::new("src", src, always, &pictures).unwrap(),
                ]
            });
            &TEMPLATES
        }
    }

    #[derive(Default)]
    pub struct GpuConverter;

    #[glib::object_subclass]
    impl ObjectSubclass for GpuConverter {
        const NAME: &'static str = "TestGpuConverter";
        type Type = super::GpuConverter;
        type ParentType = gst_base::BaseTransform;
    }

    impl ObjectImpl for GpuConverter {}
    impl GstObjectImpl for GpuConverter {}
    impl ElementImpl for GpuConverter {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Stand-in converter", "Filter", "Passes on", "Tests")
            });
            Some(&METADATA)
        }
        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let caps = "video/x-raw(memory:CUDAMemory)".parse().unwrap();
                [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                    .map(|(name, side)| {
                        gst::PadTemplate::new(name, side, gst::PadPresence::Always, &caps).unwrap()
                    })
                    .into()
            });
            &TEMPLATES
        }
    }
    impl BaseTransformImpl for GpuConverter {
        const MODE: gst_base::subclass::BaseTransformMode =
            gst_base::subclass::BaseTransformMode::AlwaysInPlace;
        const PASSTHROUGH_ON_SAME_CAPS: bool = true;
        const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;
    }
}
