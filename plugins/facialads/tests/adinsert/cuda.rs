//! A programme in a GPU's memory.

use super::*;
use facialads_gstcuda::Context;
use std::collections::HashSet;

pub enum Frames {
    /// Uploaded by `cudaupload` as they come.
    Uploading,
    /// In the GPU's memory before the pipeline starts.
    Uploaded(Uploaded),
}

/// All frames of a programme, uploaded: nothing is allocated for it while it plays.
pub struct Uploaded {
    pub context: Context,
    /// With caps wherever they change.
    frames: Vec<(Option<gst::Caps>, gst::Buffer)>,
}

pub fn in_cuda(caps: &gst::Caps) -> gst::Caps {
    let mut caps = caps.copy();
    caps.make_mut().set_features_simple(Some(gst::CapsFeatures::new(["memory:CUDAMemory"])));
    caps
}

impl Uploaded {
    /// A programme of so many frames, on device `device`.
    pub fn new(device: u32, size: (i32, i32), fps: (i32, i32), frames: u64) -> Self {
        let context = Context::new(device).unwrap();
        let plain = video_caps("I420", size.0, size.1, fps);
        let info = gst_video::VideoInfo::from_caps(&plain).unwrap();
        let caps = in_cuda(&plain);
        let pool = facialads_gstcuda::pool(&context, &caps, 1, None).unwrap();
        pool.set_active(true).unwrap();
        let uploaded = (0..frames).map(|index| {
            let frame = programme_frame(&info, index, fps);
            let mut buffer = facialads_gstcuda::upload(&pool, &frame, &info).unwrap();
            let inner = buffer.make_mut();
            inner.set_dts(frame.dts());
            inner.set_offset(index);
            // On the device now, not when it is first used there.
            drop(facialads_gstcuda::DeviceFrame::map_read(&buffer, &info).unwrap());
            ((index == 0).then(|| caps.clone()), buffer)
        });
        let frames = uploaded.collect();
        pool.set_active(false).unwrap();
        Self { context, frames }
    }

    /// From frame `at` on it is in system memory.
    pub fn until(mut self, at: u64, size: (i32, i32), fps: (i32, i32)) -> Self {
        let plain = video_caps("I420", size.0, size.1, fps);
        let info = gst_video::VideoInfo::from_caps(&plain).unwrap();
        for (index, frame) in self.frames.iter_mut().enumerate().skip(at as usize) {
            let caps = (index as u64 == at).then(|| plain.clone());
            *frame = (caps, programme_frame(&info, index as u64, fps));
        }
        self
    }

    /// `false`: the pipeline takes no more.
    pub fn push(&self, source: &gst_app::AppSrc, index: u64) -> bool {
        let (caps, buffer) = &self.frames[index as usize];
        if let Some(caps) = caps {
            source.set_caps(Some(caps));
        }
        // A copy with the same memory: the pipeline may write timestamps.
        source.push_buffer(buffer.copy()).is_ok()
    }
}

/// The contexts that frames on a pad were in; system memory is `None`.
pub type Seen = Arc<Mutex<HashSet<Option<usize>>>>;

/// Watches what leaves `src_video`.
pub fn watch_contexts(bench: &Bench) -> Seen {
    let seen = Seen::default();
    let theirs = seen.clone();
    bench.ads.static_pad("src_video").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let context = facialads_gstcuda::context_of(info.buffer().unwrap());
        theirs.lock().unwrap().insert(context.map(|context| context.handle() as usize));
        gst::PadProbeReturn::Ok
    });
    seen
}

impl Bench {
    /// source ! cudaupload ! adinsert ! cudadownload ! sink
    pub(super) fn through_cuda(&self, source: &gst_app::AppSrc, frames: &Frames) -> gst_app::AppSink {
        let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
        let head = match frames {
            Frames::Uploaded(_) => source.clone().upcast(),
            Frames::Uploading => {
                let (upload, filter) = (make("cudaupload"), make("capsfilter"));
                let caps = "video/x-raw(memory:CUDAMemory)".parse::<gst::Caps>().unwrap();
                filter.set_property("caps", caps);
                self.pipeline.add_many([&upload, &filter]).unwrap();
                gst::Element::link_many([source.upcast_ref(), &upload, &filter]).unwrap();
                filter
            }
        };
        let sink = self.through(&head, "sink_video", "src_video");
        let download = make("cudadownload");
        self.pipeline.add(&download).unwrap();
        self.ads.unlink_pads("src_video", sink.upcast_ref::<gst::Element>(), "sink");
        self.ads.link_pads(Some("src_video"), &download, Some("sink")).unwrap();
        sink.set_caps(Some(&gst::Caps::new_empty_simple("video/x-raw")));
        download.link(&sink).unwrap();
        sink
    }
}
