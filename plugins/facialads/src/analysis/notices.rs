//! What becomes known of a network while it runs, on the bus.

use super::report::{millis, warn};
use facialads_vision::runtime::{Notice, NoticeKind};
use gst::{glib, prelude::*};

/// Name of the element message that tells how something long goes on.
const PROGRESS: &str = "facialads-progress";

/// Warnings become warnings; that TensorRT builds an engine becomes element messages `facialads-progress`, with the fields
/// `model`, `what` ("tensorrt"), `state` ("building", "ready"), `ms` since it began, and `text`.
pub fn tell(element: &(impl IsA<gst::Element> + IsA<gst::Object> + IsA<glib::Object>), notices: Vec<Notice>) {
    for Notice { model, kind, text } in notices {
        let (state, so_far) = match kind {
            NoticeKind::Warning => {
                warn(element, gst::ResourceError::Settings, "device", &format!("{model}: {text}"));
                continue;
            }
            NoticeKind::Progress(so_far) => ("building", so_far),
            NoticeKind::Done(took) => ("ready", took),
        };
        let structure = gst::Structure::builder(PROGRESS)
            .field("model", &model)
            .field("what", "tensorrt")
            .field("state", state)
            .field("ms", millis(so_far))
            .field("text", &text)
            .build();
        let message = gst::message::Element::builder(structure).src(element).build();
        let _ = element.post_message(message);
    }
}
