//! What went wrong with a creative, in words that tell an operator what to do.

use gst::ClockTime;

/// Words for an error message of the private pipeline.
pub fn describe(source: &str, error: &gst::glib::Error, debug: Option<&str>) -> String {
    let network = is_network(source);
    let debug = debug.unwrap_or_default();
    let what = if error.matches(gst::ResourceError::NotFound) && network {
        "the server does not have it".to_owned()
    } else if error.matches(gst::ResourceError::NotFound) {
        "no such file; check its path".to_owned()
    } else if error.matches(gst::ResourceError::NotAuthorized) {
        "access denied; check user and password".to_owned()
    } else if error.matches(gst::StreamError::TypeNotFound) || error.matches(gst::StreamError::WrongType) {
        "not a media file that GStreamer can read".to_owned()
    } else if error.matches(gst::StreamError::CodecNotFound) || error.matches(gst::CoreError::MissingPlugin) {
        format!("a decoder is missing: {}", error.message())
    } else if error.matches(gst::StreamError::Demux) || error.matches(gst::StreamError::Decode) {
        format!("the file is damaged or incomplete: {}", error.message())
    } else if debug.contains("not-negotiated") {
        "its picture or sound cannot be converted to the programme's format".to_owned()
    } else if network {
        format!("cannot be read from the network: {}", error.message())
    } else {
        error.message().to_owned()
    };
    format!("{source}: {what}")
}

/// Words for a "missing-plugin" message: its `name` says which, e.g. "H.264 (High Profile) decoder".
pub fn missing_plugin(source: &str, structure: &gst::StructureRef) -> String {
    let name = structure.get::<&str>("name").unwrap_or("decoder of an unknown kind");
    format!(
        "{source}: no {name} is installed; add the GStreamer plugin that has it (`facialads doctor` lists them)"
    )
}

/// Words for a picture that could not be brought to the GPU, or not be converted there.
pub fn not_on_gpu(source: &str, message: &str) -> String {
    format!(
        "{source}: its pictures cannot be brought to the programme's GPU ({message}): its memory may be full, or the GPU lost; \
         `nvidia-smi` says which"
    )
}

/// Words for a picture that arrived in memory of another kind or of another GPU than the programme's.
pub fn elsewhere(source: &str) -> String {
    format!(
        "{source}: its pictures are in another CUDA context than the programme's, and cannot be handed over; \
         give the whole pipeline one context (elements on one GPU, the same cuda-device-id)"
    )
}

/// Words for a creative that was not ready in time.
pub fn too_late(source: &str, limit: ClockTime, found: bool) -> String {
    let seconds = limit.nseconds() as f64 / 1e9;
    let hint = match (found, is_network(source)) {
        (false, true) => "the server does not answer, or too slowly",
        (false, false) => "truncated, or neither pictures nor sound are in it",
        (true, true) => "the network is too slow, or the file is truncated",
        (true, false) => "the file is truncated, or this machine is too slow for it",
    };
    format!("{source}: not ready after {seconds} s: {hint}")
}

/// Words for a file with nothing in it that the programme has a place for.
pub fn nothing_inside(source: &str, video_wanted: bool, audio_wanted: bool) -> String {
    let wanted = match (video_wanted, audio_wanted) {
        (true, true) => "neither pictures nor sound are in it",
        (true, false) => "no pictures are in it, and the programme has no sound",
        _ => "no sound is in it, and the programme has no pictures",
    };
    format!("{source}: {wanted}")
}

fn is_network(source: &str) -> bool {
    source.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_says_what_to_do() {
        let words = |error: gst::glib::Error| describe("a.mp4", &error, None);
        let new = |kind: gst::StreamError| gst::glib::Error::new(kind, "moov missing");
        assert_eq!(
            words(new(gst::StreamError::TypeNotFound)),
            "a.mp4: not a media file that GStreamer can read"
        );
        assert!(words(new(gst::StreamError::Demux)).ends_with("damaged or incomplete: moov missing"));
        let gone = gst::glib::Error::new(gst::ResourceError::NotFound, "404");
        assert!(describe("https://x/a.mp4", &gone, None).ends_with("the server does not have it"));
    }
}
