//! Which elements bring a creative's pictures into the programme's memory and format: decided here, by what the decoder
//! can deliver and what is installed, and built elsewhere.
//!
//! | programme | decoder delivers | chain |
//! |---|---|---|
//! | system | system | queue, videoconvertscale, videorate |
//! | CUDA | CUDA | queue, cudaconvertscale, videorate: the pixels stay on the GPU |
//! | CUDA | system | queue, videoconvertscale, videorate, the programme's caps, cudaupload: as in system memory, then one copy |
//! | CUDA | CUDA, no converter for it | queue, cudadownload, then as in the line above |
//!
//! A decoder that can deliver both (NVIDIA's can) delivers what its chain accepts, so a chain accepts one of them only.

use facialads_gstcuda::api::CAPS_FEATURE as CUDA;

/// Where a picture's pixels lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    System,
    Cuda,
}

impl Memory {
    /// `None`: neither of the two, so adinsert cannot work with it.
    pub fn of(caps: &gst::CapsRef) -> Option<Self> {
        let features = caps.features(0)?;
        if features.contains(CUDA) {
            return Some(Self::Cuda);
        }
        let system = features.size() == 0
            || features.contains(gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
            || features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref());
        system.then_some(Self::System)
    }
}

/// What a decoder can deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivers {
    pub system: bool,
    pub cuda: bool,
}

impl Delivers {
    /// By the caps that its pad can have.
    pub fn of(caps: &gst::CapsRef) -> Self {
        let any = caps.is_any();
        let with = |wanted: Memory| {
            (0..caps.size()).any(|n| {
                caps.features(n).is_some_and(|features| match wanted {
                    Memory::Cuda => features.contains(CUDA),
                    Memory::System => {
                        features.is_any() || features.contains(gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
                    }
                })
            })
        };
        Self { system: any || with(Memory::System), cuda: with(Memory::Cuda) }
    }
}

/// One element of the chain, from the decoder to the application's sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Queue,
    /// videoconvertscale, with borders.
    Convert,
    /// An element of this name that does the same, or a half of it, on the GPU.
    ConvertOnGpu(&'static str),
    Rate,
    /// The programme's caps, in system memory.
    HostCaps,
    Upload,
    Download,
}

/// The chain, or words for the operator.
pub fn plan(
    programme: Memory,
    decoder: Delivers,
    installed: &dyn Fn(&str) -> bool,
) -> Result<Vec<Step>, String> {
    use Step::{Convert, ConvertOnGpu, Download, HostCaps, Queue, Rate, Upload};
    if programme == Memory::System {
        return Ok(vec![Queue, Convert, Rate]);
    }
    if decoder.cuda
        && let Some(converters) = gpu_converters(installed)
    {
        let convert = converters.iter().map(|name| ConvertOnGpu(name));
        return Ok([Queue].into_iter().chain(convert).chain([Rate]).collect());
    }
    let needed: &[&str] = if decoder.system { &["cudaupload"] } else { &["cudadownload", "cudaupload"] };
    if let Some(missing) = needed.iter().find(|name| !installed(name)) {
        return Err(format!(
            "the programme is in CUDA memory, and GStreamer's element {missing} is missing that brings its pictures there; \
             `gst-inspect-1.0 nvcodec` says whether that plugin (gstreamer1.0-plugins-bad) found the GPU's driver; or put cudadownload before adinsert"
        ));
    }
    let mut steps = vec![Queue];
    if !decoder.system {
        steps.push(Download);
    }
    steps.extend([Convert, Rate, HostCaps, Upload]);
    Ok(steps)
}

/// Conversion and scaling on the GPU: one element since GStreamer 1.22, two where a build lacks it.
fn gpu_converters(installed: &dyn Fn(&str) -> bool) -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["cudaconvertscale"], &["cudaconvert", "cudascale"]];
    ways.into_iter().find(|way| way.iter().all(|name| installed(name)))
}

/// Whether an element of this name can be made here.
pub fn is_installed(name: &str) -> bool {
    gst::ElementFactory::find(name).is_some()
}

/// Caps for system memory that are these in every other respect.
pub fn on_host(caps: &gst::CapsRef) -> gst::Caps {
    let mut host = gst::Caps::new_empty();
    for structure in caps.iter() {
        host.merge_structure(structure.to_owned());
    }
    host
}

#[cfg(test)]
mod tests {
    use super::{Step::*, *};

    const SOFTWARE: Delivers = Delivers { system: true, cuda: false };
    const NVIDIA: Delivers = Delivers { system: true, cuda: true };
    const ALL: &[&str] = &["cudaupload", "cudadownload", "cudaconvertscale", "cudaconvert", "cudascale"];

    fn plan_with(programme: Memory, decoder: Delivers, names: &[&str]) -> Result<Vec<Step>, String> {
        plan(programme, decoder, &|name| names.contains(&name))
    }

    #[test]
    fn a_programme_in_system_memory_needs_nothing_of_the_gpu() {
        let expected = Ok(vec![Queue, Convert, Rate]);
        assert_eq!(plan_with(Memory::System, SOFTWARE, &[]), expected);
        assert_eq!(plan_with(Memory::System, NVIDIA, ALL), expected);
    }

    #[test]
    fn what_was_decoded_on_the_gpu_stays_there() {
        let one = Ok(vec![Queue, ConvertOnGpu("cudaconvertscale"), Rate]);
        assert_eq!(plan_with(Memory::Cuda, NVIDIA, ALL), one);
        let two = Ok(vec![Queue, ConvertOnGpu("cudaconvert"), ConvertOnGpu("cudascale"), Rate]);
        assert_eq!(plan_with(Memory::Cuda, NVIDIA, &["cudaupload", "cudaconvert", "cudascale"]), two);
    }

    #[test]
    fn what_was_decoded_on_the_cpu_is_converted_there_and_uploaded_once() {
        let expected = Ok(vec![Queue, Convert, Rate, HostCaps, Upload]);
        assert_eq!(plan_with(Memory::Cuda, SOFTWARE, ALL), expected);
        // NVIDIA's decoder without a converter: it delivers to system memory then.
        assert_eq!(plan_with(Memory::Cuda, NVIDIA, &["cudaupload", "cudaconvert"]), expected);
    }

    #[test]
    fn a_decoder_that_only_knows_the_gpu_is_downloaded_where_nothing_converts_there() {
        let only = Delivers { system: false, cuda: true };
        let expected = Ok(vec![Queue, Download, Convert, Rate, HostCaps, Upload]);
        assert_eq!(plan_with(Memory::Cuda, only, &["cudaupload", "cudadownload"]), expected);
        assert!(
            plan_with(Memory::Cuda, only, &["cudaupload"]).is_err_and(|why| why.contains("cudadownload"))
        );
    }

    #[test]
    fn without_an_uploader_it_is_said_which_plugin_is_missing() {
        let why = plan_with(Memory::Cuda, SOFTWARE, &["cudaconvertscale"]);
        assert!(why.is_err_and(|why| why.contains("cudaupload") && why.contains("nvcodec")));
    }

    #[test]
    fn memory_is_read_from_caps() {
        let _ = gst::init();
        let of = |text: &str| Memory::of(&text.parse::<gst::Caps>().unwrap());
        assert_eq!(of("video/x-raw,format=NV12"), Some(Memory::System));
        assert_eq!(of("video/x-raw(memory:SystemMemory),format=NV12"), Some(Memory::System));
        assert_eq!(of("video/x-raw(memory:CUDAMemory),format=NV12"), Some(Memory::Cuda));
        assert_eq!(of("video/x-raw(memory:DMABuf),format=NV12"), None);
        assert_eq!(of("EMPTY"), None);
    }

    #[test]
    fn a_decoders_template_says_what_it_delivers() {
        let _ = gst::init();
        let of = |text: &str| Delivers::of(&text.parse::<gst::Caps>().unwrap());
        assert_eq!(
            of(
                "video/x-raw(memory:CUDAMemory),format=NV12; video/x-raw(memory:GLMemory); video/x-raw,format=NV12"
            ),
            NVIDIA
        );
        assert_eq!(of("video/x-raw(memory:VAMemory); video/x-raw"), SOFTWARE);
        assert_eq!(of("ANY"), SOFTWARE);
        assert_eq!(of("video/x-raw(memory:CUDAMemory)"), Delivers { system: false, cuda: true });
    }

    #[test]
    fn caps_on_the_host_differ_in_memory_alone() {
        let _ = gst::init();
        let parse = |text: &str| text.parse::<gst::Caps>().unwrap();
        let fields = "format=NV12,width=64,height=48,pixel-aspect-ratio=1/1,colorimetry=bt709,framerate=25/1";
        let host = on_host(&parse(&format!("video/x-raw(memory:CUDAMemory),{fields}")));
        assert!(host.is_strictly_equal(&parse(&format!("video/x-raw,{fields}"))));
    }
}
