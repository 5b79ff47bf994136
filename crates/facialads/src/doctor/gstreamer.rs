//! GStreamer itself, our plugin, and the elements that the recipes use.

use super::Finding;

const MINIMUM: (u32, u32) = (1, 22);

/// An element that the recipes need and the Debian package that carries it.
const ELEMENTS: [(&str, &str); 14] = [
    ("uridecodebin", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("videorate", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("audioconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("textoverlay", "gstreamer1.0-x"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("v4l2src", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("avenc_aac", "gstreamer1.0-libav"),
];

const OURS: [&str; 5] = ["consentgate", "faceanalyze", "subjectclassify", "audienceoverlay", "adinsert"];

pub fn findings() -> Vec<Finding> {
    if let Err(error) = gst::init() {
        return vec![Finding::missing(
            "GStreamer",
            format!("does not start: {error}"),
            "sudo apt-get install gstreamer1.0-tools",
        )];
    }
    vec![version(), plugin(), elements()]
}

fn version() -> Finding {
    let (major, minor, micro, _) = gst::version();
    let text = format!("{major}.{minor}.{micro}");
    if (major, minor) < MINIMUM {
        let wanted = format!("{}.{} or later is needed, this is {text}", MINIMUM.0, MINIMUM.1);
        return Finding::missing("GStreamer", wanted, "use Debian 12, Ubuntu 23.04 or later");
    }
    Finding::ok("GStreamer", text)
}

fn plugin() -> Finding {
    let missing: Vec<&str> =
        OURS.into_iter().filter(|name| gst::ElementFactory::find(name).is_none()).collect();
    if missing.is_empty() {
        let path = gst::Registry::get().find_plugin("facialads").and_then(|plugin| plugin.filename());
        let path = path.map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
        return Finding::ok("Facial Ads plugin", path);
    }
    let folder = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.display().to_string()));
    let folder = folder.unwrap_or_else(|| "FOLDER_OF_libgstfacialads.so".to_owned());
    Finding::missing(
        "Facial Ads plugin",
        format!("GStreamer does not find: {}", missing.join(", ")),
        format!("export GST_PLUGIN_PATH={folder}"),
    )
}

fn elements() -> Finding {
    let missing: Vec<(&str, &str)> =
        ELEMENTS.into_iter().filter(|(name, _)| gst::ElementFactory::find(name).is_none()).collect();
    if missing.is_empty() {
        return Finding::ok("GStreamer elements", format!("all {} that the recipes use", ELEMENTS.len()));
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Finding::missing(
        "GStreamer elements",
        format!("not found: {}", names.join(", ")),
        format!("sudo apt-get install {}", packages.join(" ")),
    )
}
