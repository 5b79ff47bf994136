//! A machine without a card: nothing panics, and what is said helps.

#![allow(clippy::unwrap_used, clippy::panic)]

use facialads_gstcuda::{
    Context, DeviceFrame, ElementContext, Error, GstCuda, download, is_cuda, is_cuda_buffer, video_caps,
};

/// `false`, said out loud, on a machine that has a card.
fn no_cuda() -> bool {
    gst::init().unwrap();
    let none = GstCuda::get().is_err();
    if !none {
        facialads_testkit::skip("this machine has CUDA");
    }
    none
}

#[test]
fn what_is_missing_is_named_and_what_to_do() {
    if !no_cuda() {
        return;
    }
    let error = GstCuda::get().unwrap_err();
    let text = error.to_string();
    match &error {
        Error::Library { .. } => assert!(text.contains("gstreamer1.0-plugins-bad"), "{text}"),
        Error::Driver { .. } => assert!(text.contains("nvidia-smi"), "{text}"),
        other => panic!("{other}"),
    }
    assert_eq!(GstCuda::get().unwrap_err(), error, "the same every time");
    assert_eq!(Context::new(0).unwrap_err(), error);
    // SAFETY: no context is looked at where there is no CUDA.
    assert_eq!(unsafe { Context::wrap(std::ptr::dangling_mut(), 0, ()) }.unwrap_err(), error);
}

#[test]
fn caps_are_understood_and_buffers_are_system_memory() {
    if !no_cuda() {
        return;
    }
    let caps = video_caps([gst_video::VideoFormat::Nv12]);
    assert!(is_cuda(&caps) && !is_cuda(&gst_video::VideoCapsBuilder::new().build()));
    assert!(!is_cuda(&gst::Caps::new_empty()) && !is_cuda(&gst::Caps::new_any()));
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Nv12, 16, 16).build().unwrap();
    let buffer = gst::Buffer::with_size(info.size()).unwrap();
    assert!(!is_cuda_buffer(&buffer));
    assert!(DeviceFrame::map_read(&buffer, &info).is_err());
    assert!(download(&buffer, &info).is_err());
}

#[test]
fn an_element_without_a_context_answers_nothing_and_takes_nothing() {
    if !no_cuda() {
        return;
    }
    let element = gst::ElementFactory::make("identity").build().unwrap();
    let own = ElementContext::default();
    let mut query = gst::query::Context::new("gst.cuda.context");
    assert!(!own.answer(&element, &mut query));
    own.set_context(&element, &gst::Context::new("gst.cuda.context", true), None);
    own.set_context(&element, &gst::Context::new("gst.gl.GLDisplay", true), None);
    assert_eq!(own.get(), None);
    assert!(own.ensure(&element, None, || Context::new(0)).is_err());
    assert_eq!(own.find(&element), None);
}
