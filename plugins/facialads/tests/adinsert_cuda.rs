//! A programme in a GPU's memory, on GStreamer's own CUDA elements over a stand-in for NVIDIA's driver: what is spliced, where
//! it lies, and what becomes of the programme when the GPU has no room for an advertisement.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::{
    cuda::{Frames, Uploaded, watch_contexts},
    gpu_decoder::{DECODED, Installed, REFUSES},
    *,
};
use common::numbered::*;
use facialads_testkit::gpu::{self, LAUNCH_FAILED, OUT_OF_MEMORY, StandIn};
use gst::prelude::*;
use gstfacialads::adinsert::creative::finish_teardowns;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The driver's call behind every piece of memory that GStreamer allocates on a GPU.
const ALLOCATION: &str = "cuMemAllocPitch";

fn start() -> Option<StandIn> {
    let stand_in = gpu::gstreamer()?;
    common::init();
    Some(stand_in)
}

/// 25 fps, H.264; two seconds of it are 60 frames of the programme.
fn short_ad() -> String {
    path_text(&ad("short.mkv", &Spec::exact_mkv(2)))
}

fn uploaded(seconds: f64) -> Programme {
    let plain = Programme::of(seconds);
    let frames = Uploaded::new(0, plain.size, plain.fps, plain.frames());
    Programme { cuda: Some(Frames::Uploaded(frames)), ..plain }
}

/// What comes out is the same, to the pixel and the sample, as with a programme in system memory.
fn assert_same_in_both_memories(programme: fn() -> Programme, settings: &[(&str, &str)]) -> Run {
    let plain = Bench::new(programme(), settings).run();
    let cuda = Programme { cuda: Some(Frames::Uploading), ..programme() };
    let bench = Bench::new(cuda, settings);
    let contexts = watch_contexts(&bench);
    let run = bench.run();
    assert!(plain.ad_span().is_some(), "{:?}", plain.messages);
    assert_eq!(run.frames(), plain.frames(), "{:?}", run.messages);
    let different = (0..plain.frames())
        .find(|i| run.output.frames[*i] != plain.output.frames[*i])
        .map(|i| format!("frame {i}: {:?} instead of {:?}", run.output.frames[i], plain.output.frames[i]));
    assert_eq!(different, None);
    // How the samples are cut into buffers is a matter of who came first.
    let first = |a: &[i16], b: &[i16]| (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i));
    assert_eq!(first(&run.sound(0), &plain.sound(0)), None, "a sample differs");
    assert_eq!((run.video_gaps(), run.audio_gaps()), (plain.video_gaps(), plain.audio_gaps()));
    assert_eq!(run.output.key_units, plain.output.key_units);
    assert_eq!(run.ad_states(), plain.ad_states());
    let contexts = contexts.lock().unwrap().clone();
    assert!(contexts.len() == 1 && !contexts.contains(&None), "one context for all frames: {contexts:?}");
    run
}

#[test]
fn replacing_is_exact_and_shows_the_pixels_that_it_shows_in_system_memory() {
    let Some(_gpu) = start() else { return };
    let ad = path_text(&ad("exact.mkv", &Spec::exact_mkv(5)));
    let run = assert_same_in_both_memories(|| Programme::of(16.0), &[("breaks", "10"), ("ads", &ad)]);
    assert_eq!((run.frames(), run.ad_span()), (480, Some((300, 449, 150))));
    let expected: Vec<_> = (0..150).map(|n| ((2 * n + 1) * 25 - 1) / 60).collect();
    assert_eq!(run.ad_numbers(1), expected);
    assert_eq!(run.ad_sound(0), Some((480_000, 720_000, 240_000)));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn inserting_is_exact_and_shows_the_pixels_that_it_shows_in_system_memory() {
    let Some(_gpu) = start() else { return };
    let settings = [("mode", "insert"), ("breaks", "2"), ("ads", &short_ad())];
    let run = assert_same_in_both_memories(|| Programme::of(4.0), &settings);
    assert_eq!((run.frames(), run.ad_span()), (180, Some((60, 119, 60))));
    assert_eq!(run.programme_numbers(), (0..120).collect::<Vec<_>>());
}

#[test]
fn what_the_gpu_decodes_stays_on_it() {
    let Some(_gpu) = start() else { return };
    let _decoder = Installed::new();
    // The advertisement's own size: nothing is to be converted, and NVRTC not needed.
    let programme = || Programme { size: (320, 240), ..Programme::of(4.0) };
    assert_same_in_both_memories(programme, &[("breaks", "1"), ("ads", &short_ad())]);
    // Its frames count twice only if the programme in system memory had them decoded there, too: that leaves it to rank.
    assert_eq!(DECODED.load(Ordering::SeqCst), 50);
}

#[test]
fn what_the_gpu_decodes_uses_its_memory_again() {
    let Some(gpu) = start() else { return };
    let _decoder = Installed::new();
    let plain = Programme { size: (320, 240), ..Programme::of(4.0) };
    let frames = Uploaded::new(0, plain.size, plain.fps, plain.frames());
    let programme = Programme { cuda: Some(Frames::Uploaded(frames)), ..plain };
    let bench = Bench::new(programme, &[("breaks", "1"), ("ads", &short_ad())]);
    let before = (gpu.count(&format!("call {ALLOCATION}_v2")), gpu.bytes_to_device());
    let run = bench.run();
    let allocated = gpu.count(&format!("call {ALLOCATION}_v2")) - before.0;
    let uploaded = (gpu.bytes_to_device() - before.1) / (320 * 240 * 3 / 2);
    println!("{allocated} allocations, {uploaded} frames uploaded");
    assert_eq!(run.ad_span(), Some((30, 89, 60)), "{:?}", run.messages);
    assert_eq!(DECODED.load(Ordering::SeqCst), 50);
    assert!(uploaded < 80, "the stand-in for the decoder uploads 50; {uploaded}");
    // Those of the decoder's pool: as many as may be waiting, on air and on their way.
    assert!(allocated < 30, "{allocated} allocations for 50 frames");
}

#[test]
fn what_the_gpu_does_not_decode_the_cpu_does() {
    let Some(_gpu) = start() else { return };
    let _decoder = Installed::new();
    REFUSES.store(true, Ordering::SeqCst);
    assert_same_in_both_memories(|| Programme::of(4.0), &[("breaks", "1"), ("ads", &short_ad())]);
    assert_eq!(DECODED.load(Ordering::SeqCst), 0);
}

#[test]
fn what_the_gpu_does_not_decode_the_cpu_does_for_a_programme_in_system_memory_too() {
    let Some(_gpu) = start() else { return };
    let decoder = Installed::new();
    REFUSES.store(true, Ordering::SeqCst);
    decoder.first();
    let run = Bench::new(Programme::of(4.0), &[("breaks", "1"), ("ads", &short_ad())]).run();
    assert_eq!(run.ad_span(), Some((30, 89, 60)), "{:?}", run.messages);
    assert_eq!((DECODED.load(Ordering::SeqCst), run.count("refused")), (0, 0));
}

#[test]
fn work_that_the_gpu_does_late_changes_nothing() {
    let Some(gpu) = start() else { return };
    gpu.run_late(true);
    assert_same_in_both_memories(|| Programme::of(4.0), &[("breaks", "1"), ("ads", &short_ad())]);
}

#[test]
fn several_creatives_and_breaks_share_the_programmes_context() {
    let Some(_gpu) = start() else { return };
    let spot = |tag| path_text(&ad(&format!("spot-{tag}.mkv"), &Spec::exact_mkv(1).tagged(tag)));
    let ads = [spot(1), spot(2), spot(3)].join(",");
    let run = assert_same_in_both_memories(|| Programme::of(7.0), &[("breaks", "2+2,5+1"), ("ads", &ads)]);
    assert_eq!([1, 2, 3].map(|tag| run.ad_numbers(tag).len()), [30, 30, 30], "{:?}", run.messages);
}

#[test]
fn live_nothing_waits_for_the_gpu() {
    let Some(_gpu) = start() else { return };
    let programme = Programme { cuda: Some(Frames::Uploading), ..Programme::live(4.5) };
    let run = Bench::new(programme, &[("breaks", "2.5"), ("ads", &short_ad())]).run();
    assert_eq!((run.frames(), run.video_gaps() + run.audio_gaps()), (135, 0));
    assert_eq!(run.count("waited"), 0);
    println!("shown at {:?}; longest chain {} ns", run.ad_span(), run.count("max-chain-time"));
    // On a machine that is busy with other tests the decoder may not be ready: then it is skipped, and said.
    match run.ad_span() {
        Some(span) => assert_eq!(span, (75, 134, 60)),
        None => assert!(!run.reasons().is_empty(), "{:?}", run.messages),
    }
}

#[test]
fn live_a_house_ad_is_kept_ready_on_the_gpu() {
    let Some(_gpu) = start() else { return };
    let programme = Programme { cuda: Some(Frames::Uploading), ..Programme::live(6.0) };
    let mut bench = Bench::new(programme, &[("house-ad", &short_ad())]);
    let contexts = watch_contexts(&bench);
    bench.start();
    bench.wait_until("two seconds of programme", |b| b.frames_out() > 60);
    assert!(start_break(&bench, 0));
    bench.wait_for_end();
    let run = bench.stop();
    assert_eq!((run.frames(), run.video_gaps()), (180, 0));
    println!("shown at {:?}", run.ad_span());
    match run.ad_span() {
        Some((first, last, count)) => assert_eq!((count, last - first + 1), (60, 60)),
        // As above.
        None => assert!(!run.reasons().is_empty(), "{:?}", run.messages),
    }
    assert_eq!(contexts.lock().unwrap().len(), 1);
}

#[test]
fn advertisements_go_where_the_programme_is_also_on_a_second_gpu() {
    let Some(gpu) = start() else { return };
    gpu.devices(2);
    let plain = Programme::of(4.0);
    let frames = Uploaded::new(1, plain.size, plain.fps, plain.frames());
    let context = frames.context.clone();
    assert_eq!(context.device(), 1);
    let programme = Programme { cuda: Some(Frames::Uploaded(frames)), ..plain };
    // Nobody upstream tells of it: the first frame does.
    let bench = Bench::new(programme, &[("breaks", "1"), ("ads", &short_ad())]);
    let contexts = watch_contexts(&bench);
    let run = bench.run();
    assert_eq!((run.frames(), run.ad_span()), (120, Some((30, 89, 60))), "{:?}", run.messages);
    assert_eq!(*contexts.lock().unwrap(), [Some(context.handle() as usize)].into());
}

#[test]
fn a_break_leaves_nothing_in_the_gpus_memory_and_holds_few_frames_in_it() {
    let Some(gpu) = start() else { return };
    let mut bench = Bench::new(uploaded(6.0), &[("breaks", "1"), ("ads", &short_ad())]);
    let before = (gpu.count("live bytes"), gpu.count("live allocations"));
    let (mut most, began) = (0, Instant::now());
    bench.start();
    // Looked at more often than a break of a few milliseconds could hide from.
    while bench.frames_out() < 180 {
        most = most.max(gpu.count("live allocations").saturating_sub(before.1));
        assert!(began.elapsed() < Duration::from_secs(60), "the programme did not come to its end");
        std::thread::sleep(Duration::from_micros(200));
    }
    assert!(finish_teardowns(Duration::from_secs(20)));
    // The programme is still there, the advertisement is over.
    bench.wait_until("the advertisement's memory to be freed", |_| gpu.count("live bytes") <= before.0);
    // Four ahead, one on air, one being handed over, one being uploaded, and those on their way to the sink.
    assert!((1..=12).contains(&most), "{most} pieces of memory at once");
    let allocated = gpu.count(&format!("call {ALLOCATION}_v2"));
    assert!(allocated < 120 + 180, "{allocated} allocations: the uploader's pool is not used again");
    let run = bench.stop();
    println!(
        "at most {most} pieces of memory, {allocated} allocations for 180 frames of programme and 60 of the advertisement"
    );
    assert_eq!(run.ad_span(), Some((30, 89, 60)), "{:?}", run.messages);
}

#[test]
fn without_cuda_elements_the_advertisement_is_refused_before_air() {
    let Some(_gpu) = start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let settings = [("breaks", "1"), ("ads", &short_ad()), ("ledger", path.to_str().unwrap())];
    let programme = uploaded(4.0);
    let bench = Bench::new(programme, &settings);
    let registry = gst::Registry::get();
    let upload = gst::ElementFactory::find("cudaupload").unwrap().upcast::<gst::PluginFeature>();
    registry.remove_feature(&upload);
    let run = bench.run();
    registry.add_feature(&upload).unwrap();
    run.assert_untouched(&Programme::of(4.0));
    assert!(run.reasons()[0].contains("cudaupload"), "{:?}", run.reasons());
    assert!(run.warnings.iter().any(|w| w.contains("nvcodec")), "{:?}", run.warnings);
    assert_eq!((run.count("refused"), run.count("skipped")), (1, 1));
    let ledger = facialads_ledger::Ledger::shared(&path);
    assert!(ledger.flush(Duration::from_secs(30)));
    let records = facialads_ledger::Records::read(&path, &facialads_ledger::Filter::default()).unwrap();
    assert!(records.impressions.is_empty());
    assert!(
        records.skipped.iter().any(|skipped| skipped.reason.contains("cudaupload")),
        "{:?}",
        records.skipped
    );
}

#[test]
fn wherever_the_gpu_runs_out_of_memory_the_programme_goes_on() {
    let Some(gpu) = start() else { return };
    let (mut refused, mut cut) = (0, 0);
    for after in 0..10 {
        gpu.reset();
        let bench = Bench::new(uploaded(4.0), &[("breaks", "1"), ("ads", &short_ad())]);
        gpu.fail(ALLOCATION, OUT_OF_MEMORY, after, None);
        let run = bench.run();
        assert_eq!((run.frames(), run.video_gaps() + run.audio_gaps()), (120, 0), "{after} allocations");
        let states = run.ad_states();
        let Some((first, last, count)) = run.ad_span() else {
            refused += 1;
            run.assert_untouched(&Programme::of(4.0));
            assert!(run.reasons()[0].contains("nvidia-smi"), "{:?}", run.reasons());
            continue;
        };
        assert_eq!((first, count), (30, last - first + 1), "{after} allocations: in one piece");
        if states.contains(&"complete".to_owned()) {
            assert_eq!(count, 60);
            continue;
        }
        cut += 1;
        assert!(count < 60, "{after} allocations: {count} frames");
        let ended = run.ad_messages().into_iter().find(|m| m.get("state") == Ok("ended")).unwrap();
        assert!(ended.get::<String>("reason").unwrap().contains("nvidia-smi"), "{ended}");
    }
    // How often it is cut depends on how soon the uploader's first buffers come back to it.
    println!("refused {refused} times before air, cut {cut} times on air");
    assert!(refused > 0);
}

#[test]
fn a_gpu_that_takes_no_more_pictures_on_air_gives_the_programme_back() {
    let Some(gpu) = start() else { return };
    // No sound, which would be ahead of a picture that is held up, and picture and sound return together.
    let programme = Programme { audio_pads: 0, ..uploaded(4.0) };
    let mut bench = Bench::new(programme, &[("breaks", "1"), ("ads", &short_ad())]);
    // What leaves is kept and goes no further, so that nothing but the advertisement is copied while the GPU is ill.
    let kept = Arc::new(Mutex::new(Vec::new()));
    let ill = Arc::new(AtomicBool::new(false));
    let (theirs, is_ill) = (kept.clone(), ill.clone());
    bench.ads.static_pad("src_video").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let count = {
            let mut kept = theirs.lock().unwrap();
            kept.push(info.buffer().unwrap().clone());
            kept.len()
        };
        while count == 40 && !is_ill.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        gst::PadProbeReturn::Drop
    });
    bench.start();
    bench.wait_until("ten frames of the advertisement", |_| kept.lock().unwrap().len() == 40);
    gpu.fail("cuMemcpy", LAUNCH_FAILED, 0, None);
    ill.store(true, Ordering::SeqCst);
    bench.wait_for_end();
    let run = bench.stop();
    gpu.reset();
    let info = gst_video::VideoInfo::from_caps(&video_caps("I420", 160, 120, FPS)).unwrap();
    let number = |buffer: &gst::Buffer| {
        read_index(&facialads_gstcuda::download(buffer, &info).unwrap(), &info).unwrap().tag
    };
    let tags: Vec<_> = kept.lock().unwrap().iter().map(number).collect();
    assert_eq!(tags.len(), 120);
    let ads = tags.iter().filter(|tag| **tag != PROGRAMME).count();
    // Ten had left; what was uploaded by then is still shown.
    assert!((10..=20).contains(&ads), "{ads} frames");
    assert!(tags[30..30 + ads].iter().all(|tag| *tag == 1), "in one piece: {tags:?}");
    let ended = run.ad_messages().into_iter().find(|m| m.get("state") == Ok("ended")).unwrap();
    assert!(ended.get::<String>("reason").unwrap().contains("nvidia-smi"), "{ended}");
    assert!(!run.ad_states().contains(&"complete".to_owned()));
}

#[test]
fn a_programme_that_leaves_the_gpu_in_mid_advertisement_goes_on() {
    let Some(_gpu) = start() else { return };
    let plain = Programme::of(5.0);
    let frames = Uploaded::new(0, plain.size, plain.fps, plain.frames()).until(60, plain.size, plain.fps);
    let programme = Programme { cuda: Some(Frames::Uploaded(frames)), ..plain };
    let bench = Bench::new(programme, &[("breaks", "1"), ("ads", &short_ad())]);
    let contexts = watch_contexts(&bench);
    let run = bench.run();
    assert_eq!((run.frames(), run.video_gaps() + run.audio_gaps()), (150, 0));
    assert_eq!(run.ad_span(), Some((30, 59, 30)), "{:?}", run.messages);
    let programme: Vec<_> = (0..30).chain(60..150).collect();
    assert_eq!(run.programme_numbers(), programme);
    let contexts = contexts.lock().unwrap();
    assert!(contexts.len() == 2 && contexts.contains(&None), "frames on the GPU, then none: {contexts:?}");
}
