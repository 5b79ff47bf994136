//! What operators and pipelines do in the middle of things.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::{
    double::{Behaviour, Doubles},
    *,
};
use gst::prelude::*;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn double(length: Duration) -> Arc<Doubles> {
    Arc::new(Doubles(Behaviour { length, ..Behaviour::default() }))
}
fn seconds(count: u64) -> Arc<Doubles> {
    double(Duration::from_secs(count))
}

#[test]
fn the_programme_may_end_in_the_middle_of_an_ad() {
    let settings = [("breaks", "3"), ("ads", "double")];
    let run = Bench::new(Programme::of(5.0), &settings).with_source(seconds(10)).run();
    assert_eq!(run.frames(), 150);
    assert_eq!(run.ad_span(), Some((90, 149, 60)));
    let states = run.ad_states();
    assert_eq!(states, ["started", "ended"], "two of ten seconds: no quartile but the start");
    let ended = run.ad_messages()[1];
    assert_eq!(ended.get::<u64>("frames"), Ok(60));
    assert_eq!(ended.get::<&str>("reason"), Ok("the programme ended"));
}

#[test]
fn a_break_after_the_end_of_the_programme_is_told_as_skipped() {
    for mode in ["replace", "insert"] {
        let settings = [("mode", mode), ("breaks", "20"), ("ads", "double")];
        let run = Bench::new(Programme::of(3.0), &settings).with_source(seconds(1)).run();
        run.assert_untouched(&Programme::of(3.0));
        assert_eq!(run.reasons(), ["the programme ended"]);
    }
}

/// A live run in which something happens while the ad is on air.
fn interrupted(during: impl Fn(&Bench)) -> Run {
    let settings = [("breaks", "2.5"), ("ads", "double")];
    let mut bench = Bench::new(Programme::live(6.0), &settings).with_source(seconds(3));
    bench.start();
    bench.wait_until("the ad", |b| b.frames_out() > 85);
    during(&bench);
    bench.wait_for_end();
    bench.stop()
}

#[test]
fn end_break_cuts_and_returns_without_a_complete() {
    let run = interrupted(end_break);
    assert_eq!(run.frames(), 180);
    let (first, last, count) = run.ad_span().unwrap();
    assert_eq!((first, last - first + 1), (75, count));
    assert!(count < 80, "{count} frames of 90");
    assert_eq!(run.ad_sound(0).unwrap().2, count * 1600, "picture and sound return together");
    let states = run.ad_states();
    assert!(!states.contains(&"complete".to_owned()));
    assert_eq!(states.last().unwrap(), "ended");
    let ended = *run.ad_messages().last().unwrap();
    assert_eq!(ended.get::<&str>("reason"), Ok("end-break was called"));
    assert_eq!(ended.get::<u64>("frames"), Ok(count as u64));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn an_application_can_end_the_break_from_within_a_message() {
    let settings = [("breaks", "2.5"), ("ads", "double")];
    let mut bench = Bench::new(Programme::live(5.0), &settings).with_source(seconds(2));
    let ads = bench.ads.clone();
    bench.pipeline.bus().unwrap().unset_sync_handler();
    let messages = bench.messages.clone();
    bench.pipeline.bus().unwrap().set_sync_handler(move |_, message| {
        if let Some(s) = message.structure().filter(|s| s.name() == "facialads-ad") {
            messages.lock().unwrap().push(s.to_owned());
            if s.get("state") == Ok("first-quartile") {
                ads.emit_by_name::<()>("end-break", &[]);
            }
        }
        gst::BusSyncReply::Pass
    });
    bench.start();
    bench.wait_for_end();
    let run = bench.stop();
    assert_eq!(run.ad_states(), ["started", "first-quartile", "ended"]);
}

#[test]
fn start_break_begins_in_a_file_at_the_next_frame_of_all_pads() {
    let settings = [("ads", "double")];
    let mut bench = Bench::new(Programme::live(5.0), &[settings[0], ("live", "no")]).with_source(seconds(1));
    assert!(!start_break(&bench, 0), "not running yet");
    bench.start();
    bench.wait_until("a second of programme", |b| b.frames_out() > 30);
    assert!(start_break(&bench, 0));
    bench.wait_for_end();
    let run = bench.stop();
    assert_eq!(run.frames(), 150);
    let (first, last, count) = run.ad_span().expect("an ad");
    assert_eq!((last - first + 1, count), (30, 30));
    assert_eq!(run.ad_sound(0), Some((first * 1600, (first + 30) * 1600, 48_000)));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn start_break_without_anything_to_show_says_no() {
    let mut bench = Bench::new(Programme::live(1.0), &[]);
    bench.start();
    bench.wait_until("programme", |b| b.frames_out() > 5);
    assert!(!start_break(&bench, 0));
    bench.wait_for_end();
    bench.stop();
}

#[test]
fn new_caps_in_the_middle_of_an_ad_end_it_and_the_programme_goes_on() {
    let programme = Programme { new_caps: Some((100, (320, 240))), ..Programme::of(6.0) };
    let settings = [("breaks", "2"), ("ads", "double")];
    let run = Bench::new(programme, &settings).with_source(seconds(3)).run();
    assert_eq!(run.frames(), 180);
    assert!(
        run.programme_numbers().ends_with(&(100..180).collect::<Vec<_>>()),
        "every frame of the new size"
    );
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    let ended = *run.ad_messages().last().unwrap();
    assert_eq!(ended.get::<&str>("state"), Ok("ended"));
    assert_eq!(ended.get::<&str>("reason"), Ok("the programme's format changed"));
}

#[test]
fn new_caps_while_an_ad_is_prepared_only_prepare_it_again() {
    // Time to be prepared in, for the old caps; and no sound, which may be on air before the caps of the picture change.
    let pause = |_: &mut gst::BufferRef, index| {
        if index == 44 {
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let programme = Programme {
        new_caps: Some((45, (320, 240))),
        audio_pads: 0,
        on_frame: Some(Box::new(pause)),
        ..Programme::of(5.0)
    };
    let settings = [("breaks", "3"), ("ads", "double")];
    let run = Bench::new(programme, &settings).with_source(seconds(1)).run();
    assert_eq!(run.ad_span(), Some((90, 119, 30)), "{:?}", run.messages);
}

#[test]
fn caps_without_a_frame_rate_skip_the_break_and_say_what_to_do() {
    let programme = Programme { fps: (0, 1), ..Programme::of(0.0) };
    // Frames without a rate: fed by hand, 25 a second.
    let mut bench = Bench::new(programme, &[("breaks", "1"), ("ads", "double")]).with_source(seconds(1));
    let source = bench.pipeline.iterate_sources().into_iter().flatten().find_map(|e| {
        let source = e.downcast::<gst_app::AppSrc>().ok()?;
        source.caps().is_some_and(|c| c.to_string().starts_with("video")).then_some(source)
    });
    let source = source.unwrap();
    bench.start_without_feeding_video();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 160, 120).build().unwrap();
    for index in 0..50u64 {
        let number = common::numbered::Numbered { tag: PROGRAMME, index: index as u32 };
        let mut buffer = common::numbered::numbered_frame(&info, number);
        let inner = buffer.get_mut().unwrap();
        inner.set_pts(gst::ClockTime::from_mseconds(index * 40));
        inner.set_duration(gst::ClockTime::from_mseconds(40));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    bench.wait_for_end();
    let run = bench.stop();
    assert_eq!(run.programme_numbers(), (0..50).collect::<Vec<_>>());
    assert!(run.reasons()[0].contains("videorate"), "{:?}", run.reasons());
}

#[test]
fn stopping_in_the_middle_of_a_break_wakes_everybody() {
    for (what, behaviour) in [
        ("on air", Behaviour::default()),
        ("preparing", Behaviour { opens_in: Duration::from_secs(600), ..Behaviour::default() }),
    ] {
        let settings =
            [("breaks", "1"), ("ads", "double"), ("live", "no"), ("preroll-timeout", "60000000000")];
        let mut bench =
            Bench::new(Programme::live(10.0), &settings).with_source(Arc::new(Doubles(behaviour)));
        bench.start();
        bench.wait_until(what, |b| b.frames_out() >= 30);
        std::thread::sleep(Duration::from_millis(100));
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(bench.stop().frames()));
        let frames = receiver.recv_timeout(Duration::from_secs(20)).expect("it stops while it is waiting");
        assert!(frames >= 30, "{what}");
    }
}

#[test]
fn a_pipeline_can_be_stopped_and_started_again() {
    let settings = [("breaks", "1"), ("ads", "double")];
    let mut bench = Bench::new(Programme::live(0.5), &settings).with_source(seconds(1));
    bench.start();
    bench.wait_until("programme", |b| b.frames_out() > 5);
    for _ in 0..3 {
        bench.pipeline.set_state(gst::State::Null).unwrap();
        let stats = bench.ads.property::<gst::Structure>("stats");
        assert!(stats.get::<u64>("splices").is_ok(), "readable in every state");
        bench.pipeline.set_state(gst::State::Paused).unwrap();
        bench.pipeline.set_state(gst::State::Playing).unwrap();
    }
    bench.stop();
}

#[test]
fn breaks_that_cannot_be_read_are_an_error_with_a_place() {
    common::init();
    let pipeline = gst::Pipeline::new();
    let ads = gst::ElementFactory::make("adinsert").property("breaks", "10,2x").build().unwrap();
    pipeline.add(&ads).unwrap();
    assert!(pipeline.set_state(gst::State::Ready).is_err());
    let bus = pipeline.bus().unwrap();
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().to_string().contains("character 5"), "{}", error.error());
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn campaigns_that_cannot_be_read_are_a_warning_and_the_programme_runs_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("campaigns.toml");
    std::fs::write(&file, "[[campaign]\nid = 1\n").unwrap();
    let settings = [("breaks", "1"), ("campaigns", file.to_str().unwrap()), ("ads", "double")];
    let run = Bench::new(Programme::of(3.0), &settings).with_source(seconds(1)).run();
    assert_eq!(run.ad_span(), Some((30, 59, 30)), "the list given as ads is played");
    assert!(run.warnings.iter().any(|w| w.contains("campaigns.toml:1")), "{:?}", run.warnings);
}

type Placed = (u64, u64, Option<common::numbered::Numbered>);

/// A file pipeline that can be sought in, and the frames that came after each seek.
struct Seekable {
    pipeline: gst::Pipeline,
    /// Timestamp, stream time, number.
    frames: Arc<Mutex<Vec<Placed>>>,
    messages: Arc<Mutex<Vec<gst::Structure>>>,
}

fn seekable(breaks: &str) -> Seekable {
    use common::numbered::*;
    let mut spec = Spec::exact_mkv(12).tagged(PROGRAMME);
    spec.video[0].codec = VideoCodec::Jpeg;
    spec.video[0].fps = (25, 1);
    let programme = ad("programme.mkv", &spec);
    let pipeline = gst::parse::launch(&format!(
        "filesrc location={} ! matroskademux name=demux adinsert name=ads breaks={breaks} ads=double \
         demux. ! queue ! jpegdec ! videoconvert ! video/x-raw,format=I420 ! ads.sink_video \
         ads.src_video ! appsink name=video sync=false \
         demux. ! queue ! flacparse ! flacdec ! audioconvert ! audio/x-raw,format=S16LE ! ads.sink_audio_0 \
         ads.src_audio_0 ! fakesink name=audio sync=false",
        programme.display()
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let ads = pipeline.by_name("ads").unwrap().downcast::<gstfacialads::adinsert::AdInsert>().unwrap();
    ads.set_creative_source(seconds(2));
    let (frames, messages) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
    let seen = messages.clone();
    pipeline.bus().unwrap().set_sync_handler(move |_, message| {
        if let Some(s) = message.structure().filter(|s| s.name() == "facialads-ad") {
            seen.lock().unwrap().push(s.to_owned());
        }
        gst::BusSyncReply::Pass
    });
    let sink = pipeline.by_name("video").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let out = frames.clone();
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
                let buffer = sample.buffer().unwrap();
                let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
                let stream = segment.to_stream_time(buffer.pts()).unwrap().nseconds();
                out.lock().unwrap().push((
                    buffer.pts().unwrap().nseconds(),
                    stream,
                    read_index(buffer, &info),
                ));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    Seekable { pipeline, frames, messages }
}

impl Seekable {
    fn play_to_end(&self) {
        let end = self.pipeline.bus().unwrap().timed_pop_filtered(
            gst::ClockTime::from_seconds(60),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        assert!(
            matches!(end.as_ref().map(|m| m.view()), Some(gst::MessageView::Eos(_))),
            "{end:?} {:?}",
            self.messages.lock().unwrap()
        );
    }
    fn pause(&self) {
        self.pipeline.set_state(gst::State::Paused).unwrap();
        self.pipeline.state(gst::ClockTime::from_seconds(30)).0.unwrap();
    }
    fn seek(&self, seconds: u64) {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        self.frames.lock().unwrap().clear();
        self.pipeline.seek_simple(flags, gst::ClockTime::from_seconds(seconds)).unwrap();
        self.pipeline.state(gst::ClockTime::from_seconds(30)).0.unwrap();
    }
    /// Stream times of the ad's frames since the last seek, in frames of 40 ms.
    fn ad_frames(&self) -> Vec<u64> {
        let frames = self.frames.lock().unwrap();
        let ads = frames.iter().filter(|f| f.2.is_some_and(|n| n.tag == 1));
        ads.map(|f| (f.1 + 20_000_000) / 40_000_000).collect()
    }
}

#[test]
fn a_cue_in_a_file_stays_where_it_is_after_a_seek() {
    let run = seekable("6");
    run.pause();
    run.seek(4);
    run.pipeline.set_state(gst::State::Playing).unwrap();
    run.play_to_end();
    assert_eq!(run.ad_frames(), (150..200).collect::<Vec<_>>(), "{:?}", run.messages.lock().unwrap());
    run.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_seek_back_plays_the_break_again_and_one_behind_it_does_not() {
    let run = seekable("2");
    run.pipeline.set_state(gst::State::Playing).unwrap();
    run.play_to_end();
    assert_eq!(run.ad_frames(), (50..100).collect::<Vec<_>>());
    run.seek(1);
    run.play_to_end();
    assert_eq!(run.ad_frames(), (50..100).collect::<Vec<_>>(), "again");
    run.seek(3);
    run.play_to_end();
    assert_eq!(run.ad_frames(), Vec::<u64>::new(), "the seek landed behind its start");
    run.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn seeks_in_every_phase_of_a_break_end_in_a_whole_programme() {
    let run = seekable("5");
    run.pause();
    for (place, from) in [(4, 1), (6, 2), (7, 4), (5, 0), (1, 0)] {
        run.seek(place);
        run.seek(from);
    }
    run.pipeline.set_state(gst::State::Playing).unwrap();
    run.play_to_end();
    assert_eq!(run.ad_frames(), (125..175).collect::<Vec<_>>());
    let frames = run.frames.lock().unwrap();
    assert_eq!(frames.len(), 300);
    assert!(frames.windows(2).all(|p| p[0].0 < p[1].0));
    drop(frames);
    run.pipeline.set_state(gst::State::Null).unwrap();
}
