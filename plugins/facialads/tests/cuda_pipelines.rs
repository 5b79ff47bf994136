//! Frames in CUDA memory through the analysing elements: GStreamer's own CUDA elements and our kernels on a stand-in for
//! NVIDIA's driver, networks on the CPU.

#![allow(clippy::unwrap_used, clippy::panic)]

mod looking;

use facialads_gstcuda::{Context, context_of};
use facialads_meta::Subject;
use facialads_testkit::gpu::{self, StandIn};
use facialads_vision::cuda::Gpu;
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use looking::{
    Seen, init,
    nets::{MIDDLE, Nets},
    onnx_runtime,
};
use std::sync::{Arc, Mutex};

fn start() -> Option<(StandIn, Nets)> {
    let stand_in = gpu::gstreamer()?;
    if gpu::nvrtc().is_none() {
        facialads_testkit::skip("no NVRTC to compile kernels with (run `make setup`)");
        return None;
    }
    init();
    onnx_runtime().then(|| (stand_in, Nets::new()))
}

fn path(path: std::path::PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

/// The three elements in a row; every frame is looked at, in step.
fn elements(nets: &Nets, more: &str) -> String {
    format!(
        "consentgate name=gate lawful-basis=published-content statement=test ! \
         faceanalyze name=faces model={} age-gender-model={} inference-interval=1 reclassify-interval=1 seed=1 async=false {more} ! \
         subjectclassify name=subject model={} map={} interval=0 async=false {more}",
        path(nets.detector(&[MIDDLE])),
        path(nets.age_gender()),
        path(nets.subject(0)),
        path(nets.subject_map()),
    )
}

/// The caps are needed: without them it passes system memory on to elements that take it too.
const UPLOAD: &str = "cudaupload ! video/x-raw(memory:CUDAMemory)";

/// A buffer that came out.
#[derive(Debug)]
struct Out {
    seen: Seen,
    subject: Option<Subject>,
    /// The memory is that which went into the first of the elements.
    same_memory: bool,
    context: Option<Context>,
}

struct Run {
    out: Vec<Out>,
    warnings: Vec<(String, String)>,
    error: Option<String>,
    /// Of `faceanalyze`.
    stats: gst::Structure,
}

impl Run {
    fn seen(&self) -> Vec<&Seen> {
        self.out.iter().map(|out| &out.seen).collect()
    }
    fn ages(&self) -> Vec<f64> {
        self.out
            .iter()
            .flat_map(|out| &out.seen.faces)
            .filter_map(|f| f.age.as_ref())
            .map(|age| age.years)
            .collect()
    }
}

fn launch(line: &str) -> gst::Pipeline {
    gst::parse::launch(line).unwrap().downcast().unwrap()
}

/// Plays `SOURCE ! the elements ! appsink` to its end.
fn play(line: &str) -> Run {
    play_in(&launch(&format!("{line} ! appsink name=out sync=false")))
}

fn play_in(pipeline: &gst::Pipeline) -> Run {
    let went_in: Arc<Mutex<Vec<usize>>> = Arc::default();
    let log = went_in.clone();
    let gate = pipeline.by_name("gate").unwrap().static_pad("sink").unwrap();
    gate.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
            log.lock().unwrap().push(buffer.peek_memory(0).as_ptr() as usize);
        }
        gst::PadProbeReturn::Ok
    });
    let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut out = Vec::new();
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        let buffer = sample.buffer().unwrap();
        let same_memory = went_in.lock().unwrap()[out.len()] == buffer.peek_memory(0).as_ptr() as usize;
        let (seen, subject) = (Seen::of(buffer), Subject::read(buffer));
        out.push(Out { seen, subject, same_memory, context: context_of(buffer) });
    }
    let (mut error, mut warnings) = (None, Vec::new());
    for message in std::iter::from_fn(|| pipeline.bus().unwrap().pop()) {
        match message.view() {
            gst::MessageView::Error(said) => error = error.or(Some(said.error().to_string())),
            gst::MessageView::Warning(said) => {
                let reason = said.details().and_then(|details| details.get::<String>("reason").ok());
                warnings.push((reason.unwrap_or_default(), said.error().to_string()));
            }
            _ => {}
        }
    }
    let stats = pipeline.by_name("faces").unwrap().property("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    Run { out, warnings, error, stats }
}

fn grey(caps: &str, frames: u32) -> String {
    format!(
        "videotestsrc pattern=solid-color foreground-color=0xffd0d0d0 num-buffers={frames} ! video/x-raw,{caps}"
    )
}

#[test]
fn what_is_seen_in_cuda_memory_is_what_is_seen_in_system_memory() {
    let Some((stand_in, nets)) = start() else { return };
    let elements = elements(&nets, "fallback=false device=cpu");
    for (format, width, height) in [
        ("NV12", 160, 160),
        ("P010_10LE", 160, 160),
        ("I420", 160, 160),
        ("RGB", 160, 160),
        ("RGBA", 160, 160),
        ("RGBx", 160, 160),
        ("BGR", 160, 160),
        ("BGRA", 160, 160),
        ("BGRx", 160, 160),
        ("NV12", 161, 122),
        ("BGRx", 123, 161),
        ("NV12", 16, 16),
    ] {
        let caps = format!("format={format},width={width},height={height}");
        let source = grey(&caps, 4);
        let system = play(&format!("{source} ! {elements}"));
        for late in [false, true] {
            stand_in.run_late(late);
            let cuda = play(&format!("{source} ! {UPLOAD} ! {elements}"));
            assert_eq!(cuda.error, None, "{caps}");
            assert_eq!((cuda.out.len(), system.out.len()), (4, 4), "{caps}");
            for (cuda, system) in cuda.out.iter().zip(&system.out) {
                assert!(cuda.same_memory && system.same_memory, "{caps}");
                assert!(cuda.context.is_some() && system.context.is_none(), "{caps}");
                let places = |seen: &Seen| -> Vec<_> {
                    seen.faces.iter().map(|f| (f.x, f.y, f.width, f.height, f.id)).collect()
                };
                assert_eq!(places(&cuda.seen), places(&system.seen), "{caps}");
                // Each run has an epoch of its own.
                let verdict = |seen: &Seen| seen.audience.as_ref().map(|a| (a.faces, a.targeting));
                assert_eq!(verdict(&cuda.seen), verdict(&system.seen), "{caps}");
                let names = |subject: &Option<Subject>| -> Vec<String> {
                    subject.iter().flat_map(|s| &s.classes).map(|class| class.name.clone()).collect()
                };
                assert_eq!(names(&cuda.subject), names(&system.subject), "{caps}");
            }
            assert!(!cuda.out[3].seen.faces.is_empty(), "{caps}");
            assert_eq!(cuda.ages().len(), system.ages().len(), "{caps}");
            for (cuda, system) in cuda.ages().iter().zip(system.ages()) {
                assert!((cuda - system).abs() < 0.5, "{caps}: {cuda} {system}");
            }
            assert_eq!(cuda.stats.get::<u64>("errors"), Ok(0), "{caps}");
            assert_eq!(cuda.stats.get::<String>("memory"), Ok("CUDA".into()));
            assert_eq!(cuda.stats.get::<u64>("pixel-bytes-to-gpu"), Ok(0), "{caps}");
            // The network is on the CPU: its small picture comes down, the frame does not.
            assert!(cuda.stats.get::<u64>("pixel-bytes-from-gpu").unwrap() > 0, "{caps}");
            assert_eq!(system.stats.get::<u64>("pixel-bytes-from-gpu"), Ok(0), "{caps}");
            assert!(!cuda.stats.get::<String>("gpu").unwrap().is_empty());
        }
        stand_in.run_late(false);
    }
}

/// Every `gst.cuda.context` that elements of the pipeline hold or have met.
fn contexts(pipeline: &gst::Pipeline) -> Vec<Context> {
    let elements = pipeline.iterate_recurse().into_iter().flatten();
    let mut found: Vec<Context> = elements
        .filter_map(|element| element.context("gst.cuda.context"))
        .filter_map(|context| Context::from_gst(&context))
        .collect();
    found.dedup();
    found
}

#[test]
fn a_pipeline_with_networks_on_a_gpu_is_all_in_its_primary_context() {
    let Some((_stand_in, nets)) = start() else { return };
    let primary = Gpu::primary(0).unwrap();
    // The network itself falls back to the CPU here: this ONNX Runtime has no CUDA.
    let elements = elements(&nets, "device=cuda");
    let source = grey("format=NV12,width=160,height=160", 3);
    let pipeline =
        launch(&format!("{source} ! {UPLOAD} ! {elements} ! cudadownload ! appsink name=out sync=false"));
    // Before anything starts, and before the elements that would make contexts of their own.
    pipeline.set_state(gst::State::Ready).unwrap();
    let agreed = contexts(&pipeline);
    assert_eq!(agreed.len(), 1, "{agreed:?}");
    assert_eq!(agreed[0].handle(), primary.context());
    let seen: Arc<Mutex<Vec<Context>>> = Arc::default();
    let log = seen.clone();
    let pad = pipeline.by_name("subject").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
            log.lock().unwrap().extend(context_of(buffer));
        }
        gst::PadProbeReturn::Ok
    });
    let run = {
        // What comes out is in system memory again.
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        std::iter::from_fn(|| sink.try_pull_sample(gst::ClockTime::from_seconds(60))).count()
    };
    assert_eq!(run, 3);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|context| context.handle() == primary.context()));
    assert_eq!(contexts(&pipeline).len(), 1);
    // Whoever asks is answered by our elements too.
    for name in ["faces", "subject"] {
        let element = pipeline.by_name(name).unwrap();
        for pad in ["sink", "src"] {
            let mut query = gst::query::Context::new("gst.cuda.context");
            assert!(element.static_pad(pad).unwrap().query(&mut query), "{name}.{pad}");
            let context = Context::from_gst(&query.context_owned().unwrap()).unwrap();
            assert_eq!(context.handle(), primary.context());
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn an_applications_own_context_is_used_and_given_back() {
    let Some((stand_in, nets)) = start() else { return };
    let own = Context::new(0).unwrap();
    let elements = elements(&nets, "fallback=false device=cpu");
    let source = grey("format=NV12,width=160,height=160", 4);
    let pipeline = launch(&format!("{source} ! {UPLOAD} ! {elements} ! appsink name=out sync=false"));
    pipeline.set_context(&own.to_gst());
    let run = play_in(&pipeline);
    assert_eq!(run.error, None);
    assert!(run.out.iter().all(|out| out.context.as_ref() == Some(&own)));
    assert!(!run.out[3].seen.faces.is_empty());
    drop((run, pipeline));
    assert_eq!(own.object().ref_count(), 1, "nobody keeps it");
    let before = stand_in.count("call cuCtxDestroy_v2");
    drop(own);
    assert_eq!(stand_in.count("call cuCtxDestroy_v2"), before + 1);
}

#[test]
fn an_applications_context_stays_also_where_the_network_works_in_another() {
    let Some((_stand_in, nets)) = start() else { return };
    let own = Context::new(0).unwrap();
    let elements = elements(&nets, "device=cuda");
    let source = grey("format=NV12,width=160,height=160", 2);
    let pipeline = launch(&format!("{source} ! {UPLOAD} ! {elements} ! appsink name=out sync=false"));
    pipeline.set_context(&own.to_gst());
    let run = play_in(&pipeline);
    assert_eq!(run.error, None);
    assert!(run.out.iter().all(|out| out.context.as_ref() == Some(&own) && out.same_memory));
    assert!(!run.out[1].seen.faces.is_empty());
}

/// Frames of one grey for `appsrc`, in system memory or in CUDA memory.
struct Frames {
    info: VideoInfo,
    pool: gst::BufferPool,
}

impl Frames {
    fn new(context: &Context) -> Self {
        let info =
            VideoInfo::builder(VideoFormat::Nv12, 160, 160).fps(gst::Fraction::new(25, 1)).build().unwrap();
        let pool = facialads_gstcuda::pool(context, &Self::caps(&info, true), 2, None).unwrap();
        pool.set_active(true).unwrap();
        Self { info, pool }
    }
    fn caps(info: &VideoInfo, cuda: bool) -> gst::Caps {
        let mut caps = info.to_caps().unwrap();
        if cuda {
            caps.make_mut().set_features(0, Some(gst::CapsFeatures::new(["memory:CUDAMemory"])));
        }
        caps
    }
    fn sample(&self, number: u64, cuda: bool) -> gst::Sample {
        let mut bytes = vec![0xd0; 160 * 160];
        bytes.resize(self.info.size(), 0x80);
        let mut buffer = gst::Buffer::from_slice(bytes);
        buffer.make_mut().set_pts(gst::ClockTime::from_mseconds(40 * number));
        if cuda {
            buffer = facialads_gstcuda::upload(&self.pool, &buffer, &self.info).unwrap();
        }
        gst::Sample::builder().buffer(&buffer).caps(&Self::caps(&self.info, cuda)).build()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let _ = self.pool.set_active(false);
    }
}

#[test]
fn memory_may_change_in_mid_stream() {
    let Some((_stand_in, nets)) = start() else { return };
    let context = Context::new(0).unwrap();
    let frames = Frames::new(&context);
    let elements = elements(&nets, "fallback=false device=cpu");
    let pipeline = launch(&format!("appsrc name=in format=time ! {elements} ! appsink name=out sync=false"));
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let plan = [false, false, true, true, false, true, false, true];
    let feeder = std::thread::spawn(move || {
        for (number, cuda) in (0..).zip(plan) {
            source.push_sample(&frames.sample(number, cuda)).unwrap();
        }
        source.end_of_stream().unwrap();
    });
    let run = play_in(&pipeline);
    feeder.join().unwrap();
    assert_eq!(run.error, None);
    let came: Vec<bool> = run.out.iter().map(|out| out.context.is_some()).collect();
    assert_eq!(came, plan);
    assert!(run.out.iter().all(|out| out.same_memory && out.seen.faces.len() == 1), "{:?}", run.seen());
    let ids: std::collections::HashSet<_> = run.seen().iter().map(|seen| seen.faces[0].id).collect();
    assert_eq!(ids.len(), 1, "the same face");
}

#[test]
fn flushes_and_state_changes_leave_nothing_behind() {
    let Some((stand_in, nets)) = start() else { return };
    let elements = elements(&nets, "fallback=false device=cpu");
    let cycle = || {
        let pipeline = launch(&format!(
            "videotestsrc pattern=solid-color foreground-color=0xffd0d0d0 num-buffers=20 ! \
             video/x-raw,format=NV12,width=160,height=160 ! {UPLOAD} ! {elements} ! appsink name=out sync=false max-buffers=1"
        ));
        let sink = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        let mut frames = 0;
        for _ in 0..2 {
            pipeline.set_state(gst::State::Playing).unwrap();
            sink.pull_sample().unwrap();
            pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO).unwrap();
            frames += std::iter::from_fn(|| sink.try_pull_sample(gst::ClockTime::from_seconds(60)))
                .filter(|sample| Seen::of(sample.buffer().unwrap()).faces.len() == 1)
                .count();
            pipeline.set_state(gst::State::Ready).unwrap();
            pipeline.set_state(gst::State::Paused).unwrap();
            pipeline.set_state(gst::State::Null).unwrap();
        }
        let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "{error:?}");
        frames
    };
    assert!(cycle() >= 20, "some are flushed");
    let live = || {
        ["contexts", "allocations", "streams", "events"].map(|what| stand_in.count(&format!("live {what}")))
    };
    let before = live();
    cycle();
    assert_eq!(live(), before, "contexts, allocations, streams, events");
}

#[test]
fn a_live_stream_in_cuda_memory_never_waits_for_a_slow_network() {
    let Some((_stand_in, nets)) = start() else { return };
    let detector = nets.slow_detector(&[MIDDLE], 2);
    let pipeline = launch(&format!(
        "videotestsrc is-live=true pattern=solid-color foreground-color=0xffd0d0d0 num-buffers=60 ! \
         video/x-raw,format=NV12,width=160,height=160,framerate=60/1 ! {UPLOAD} ! \
         consentgate name=gate lawful-basis=published-content statement=test ! \
         faceanalyze name=faces model={} age-gender-model={} inference-interval=1 seed=1 fallback=false device=cpu ! \
         appsink name=out sync=false",
        path(detector),
        path(nets.age_gender()),
    ));
    let run = play_in(&pipeline);
    assert_eq!((run.error, run.out.len()), (None, 60));
    assert_eq!(run.stats.get::<bool>("async"), Ok(true));
    assert!(run.stats.get::<u64>("skipped").unwrap() > 0, "{:?}", run.stats);
    assert!(run.out.iter().any(|out| !out.seen.faces.is_empty()), "results are attached later");
}

#[test]
fn a_gpu_that_fails_is_counted_and_the_picture_goes_on() {
    let Some((stand_in, nets)) = start() else { return };
    let elements = elements(&nets, "device=cpu");
    let source = grey("format=NV12,width=160,height=160", 6);
    let pipeline = launch(&format!("{source} ! {UPLOAD} ! {elements} ! appsink name=out sync=false"));
    stand_in.fail("cuLaunchKernel", gpu::LAUNCH_FAILED, 4, None);
    let run = play_in(&pipeline);
    assert_eq!(run.error, None, "fallback: the picture goes on");
    assert_eq!(run.out.len(), 6);
    assert!(run.stats.get::<u64>("errors").unwrap() > 0, "{:?}", run.stats);
    let failed: Vec<_> = run.warnings.iter().filter(|(reason, _)| reason == "failed").collect();
    assert!(!failed.is_empty() && failed.len() <= 2, "said once by each element: {:?}", run.warnings);
}

#[test]
fn where_no_kernel_can_be_loaded_frames_are_copied_to_the_host_and_that_is_said() {
    let Some((stand_in, nets)) = start() else { return };
    // In a context of its own, in which no kernel is yet.
    let own = Context::new(0).unwrap();
    let source = grey("format=NV12,width=160,height=160", 4);
    let run = |more: &str| {
        let elements = elements(&nets, more);
        let pipeline = launch(&format!("{source} ! {UPLOAD} ! {elements} ! appsink name=out sync=false"));
        pipeline.set_context(&own.to_gst());
        stand_in.fail("cuModuleLoadData", 218, 0, None);
        play_in(&pipeline)
    };
    let fallen_back = run("device=cpu");
    assert_eq!((fallen_back.error.clone(), fallen_back.out.len()), (None, 4));
    assert!(fallen_back.out.iter().all(|out| out.same_memory && out.context.is_some()));
    assert_eq!(fallen_back.out[3].seen.faces.len(), 1);
    assert!(
        fallen_back
            .warnings
            .iter()
            .any(|(reason, text)| reason == "note" && text.contains("copied to system memory")),
        "{:?}",
        fallen_back.warnings
    );
    let frame = 160 * 160 * 3 / 2;
    assert!(fallen_back.stats.get::<u64>("pixel-bytes-from-gpu").unwrap() >= 4 * frame);
    assert!(run("device=cpu fallback=false").error.is_some());
}

#[test]
fn without_fallback_a_gpu_that_fails_is_an_error() {
    let Some((stand_in, nets)) = start() else { return };
    let elements = elements(&nets, "device=cpu fallback=false");
    let source = grey("format=NV12,width=160,height=160", 6);
    stand_in.fail("cuLaunchKernel", gpu::LAUNCH_FAILED, 0, None);
    let run = play(&format!("{source} ! {UPLOAD} ! {elements}"));
    assert!(run.error.is_some());
}

#[test]
fn a_decoder_is_told_what_downstream_needs_and_no_more() {
    let Some((_stand_in, nets)) = start() else { return };
    let caps = Frames::caps(&VideoInfo::builder(VideoFormat::Nv12, 160, 160).build().unwrap(), true);
    for element in [
        format!(
            "faceanalyze model={} age-gender-model={} device=cuda",
            path(nets.detector(&[MIDDLE])),
            path(nets.age_gender())
        ),
        format!(
            "subjectclassify model={} map={} device=cuda",
            path(nets.subject(0)),
            path(nets.subject_map())
        ),
        "audienceoverlay".to_owned(),
    ] {
        let pipeline = launch(&format!("appsrc ! {element} name=it ! fakesink name=out"));
        pipeline.set_state(gst::State::Paused).unwrap();
        let pad = pipeline.by_name("it").unwrap().static_pad("sink").unwrap();
        pad.send_event(gst::event::StreamStart::new("test"));
        pad.send_event(gst::event::Caps::new(&caps));
        let needed = || {
            let mut query = gst::query::Allocation::new(Some(&caps), true);
            pad.query(&mut query);
            query.allocation_pools().map(|(pool, _, least, _)| (pool.is_some(), least)).collect::<Vec<_>>()
        };
        // A pool of ours would make NVIDIA's decoder wait whenever two of its surfaces are in use; without one it copies then.
        assert_eq!(needed(), [], "{element}");
        let sink = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
        sink.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
            if let Some(gst::PadProbeData::Query(query)) = &mut info.data
                && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
            {
                allocation.add_allocation_pool(gst::BufferPool::NONE, 160 * 160 * 3 / 2, 5, 0);
                return gst::PadProbeReturn::Handled;
            }
            gst::PadProbeReturn::Ok
        });
        assert_eq!(needed(), [(false, 5)], "{element}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_buffer_in_system_memory_under_cuda_caps_is_counted_and_passes() {
    let Some((_stand_in, nets)) = start() else { return };
    let context = Context::new(0).unwrap();
    let frames = Frames::new(&context);
    let elements = elements(&nets, "device=cpu");
    let pipeline = launch(&format!("appsrc name=in format=time ! {elements} ! appsink name=out sync=false"));
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let system = frames.sample(0, false);
    let caps = Frames::caps(&frames.info, true);
    let wrong = gst::Sample::builder().buffer(&system.buffer_owned().unwrap()).caps(&caps).build();
    source.push_sample(&wrong).unwrap();
    source.push_sample(&frames.sample(1, true)).unwrap();
    source.end_of_stream().unwrap();
    let run = play_in(&pipeline);
    assert_eq!((run.error, run.out.len()), (None, 2));
    assert!(run.warnings.iter().any(|(_, text)| text.contains("system memory")), "{:?}", run.warnings);
    assert_eq!(run.stats.get::<u64>("errors"), Ok(1));
    assert_eq!(run.out[1].seen.faces.len(), 1);
}
