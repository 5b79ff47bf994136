//! Live: nothing ever waits, and what is not ready is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::{
    double::{Behaviour, Doubles},
    *,
};
use gst::prelude::*;
use std::{sync::Arc, time::Duration};

fn double(behaviour: Behaviour) -> Arc<Doubles> {
    Arc::new(Doubles(behaviour))
}

fn one_second() -> Behaviour {
    Behaviour { length: Duration::from_secs(1), ..Behaviour::default() }
}

#[test]
fn an_ad_that_is_ready_in_time_is_shown_whole() {
    let settings = [("breaks", "2.5"), ("ads", "double")];
    let run = Bench::new(Programme::live(4.5), &settings).with_source(double(one_second())).run();
    assert_eq!(run.frames(), 135);
    assert_eq!(run.ad_span(), Some((75, 104, 30)), "{:?}", run.messages);
    assert_eq!(run.ad_sound(0), Some((120_000, 168_000, 48_000)));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    assert_eq!(run.ad_states().last().unwrap(), "ended");
    assert!(run.stats.get::<bool>("live").unwrap());
    assert_eq!(run.count("waited"), 0, "nothing ever waits");
    println!("longest chain {} ns", run.count("max-chain-time"));
}

#[test]
fn a_real_creative_plays_live() {
    let ad = path_text(&ad("live.mp4", &common::numbered::Spec::h264_mp4(1)));
    let run = Bench::new(Programme::live(4.5), &[("breaks", "2.5"), ("ads", &ad)]).run();
    assert_eq!(run.frames(), 135);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    // On a machine that is busy with other tests the decoder may not be ready: then it is skipped, and said.
    match run.ad_span() {
        Some(span) => assert_eq!(span, (75, 104, 30)),
        None => assert!(!run.reasons().is_empty(), "{:?}", run.messages),
    }
}

#[test]
fn a_slow_decoder_holds_frames_and_not_the_programme() {
    // 100 ms a frame: of 30 frames in a second, 10 are made.
    let behaviour = Behaviour { frame_in: Duration::from_millis(100), ..one_second() };
    let settings = [("breaks", "2.5"), ("ads", "double"), ("hold-limit", "5000000000")];
    let run = Bench::new(Programme::live(4.5), &settings).with_source(double(behaviour)).run();
    assert_eq!(run.frames(), 135);
    assert_eq!(run.ad_span(), Some((75, 104, 30)));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    assert!(run.count("held-frames") >= 10, "{}", run.stats);
    println!("held {}, longest chain {} ns", run.count("held-frames"), run.count("max-chain-time"));
}

#[test]
fn a_picture_that_stands_still_too_long_gives_way_to_the_programme() {
    let behaviour = Behaviour {
        frame_in: Duration::from_secs(60),
        length: Duration::from_secs(4),
        ..Behaviour::default()
    };
    let settings = [("breaks", "2.5"), ("ads", "double"), ("hold-limit", "500000000")];
    let run = Bench::new(Programme::live(5.0), &settings).with_source(double(behaviour)).run();
    assert_eq!(run.frames(), 150);
    let (first, _, count) = run.ad_span().unwrap();
    assert_eq!(first, 75);
    // The first frame is made, fifteen are held; sound that is ahead may ask for a few more.
    assert!((15..40).contains(&count), "{count} frames");
    assert!(run.programme_numbers().ends_with(&[148, 149]), "the programme is back");
    assert!(!run.ad_states().contains(&"complete".to_owned()));
    let ended = run.ad_messages().into_iter().find(|m| m.get("state") == Ok("ended")).unwrap();
    assert!(ended.get::<String>("reason").unwrap().contains("stood still"), "{ended}");
    let (start, end, samples) = run.ad_sound(0).unwrap();
    assert_eq!((start, end - start), (120_000, samples), "sound in one piece");
    assert_eq!(samples, count * 1600, "picture and sound return together");
}

#[test]
fn an_ad_that_is_not_ready_is_skipped() {
    let behaviour = Behaviour { opens_in: Duration::from_secs(30), ..one_second() };
    let settings = [("breaks", "2"), ("ads", "double")];
    let run = Bench::new(Programme::live(3.0), &settings).with_source(double(behaviour)).run();
    run.assert_untouched(&Programme::live(3.0));
    assert!(!run.reasons().is_empty());
    assert_eq!(run.count("waited"), 0);
}

#[test]
fn without_lead_the_break_is_skipped() {
    let settings = [("breaks", "0"), ("ads", "double")];
    let run = Bench::new(Programme::live(1.5), &settings).with_source(double(one_second())).run();
    run.assert_untouched(&Programme::live(1.5));
    assert_eq!(run.count("skipped"), 1, "{:?}", run.messages);
}

#[test]
fn without_lead_the_house_ad_is_there() {
    let settings = [("house-ad", "double"), ("mode", "replace")];
    let mut bench = Bench::new(Programme::live(4.0), &settings).with_source(double(one_second()));
    bench.start();
    bench.wait_until("a second of programme", |b| b.frames_out() > 30);
    assert!(start_break(&bench, 0));
    bench.wait_for_end();
    let run = bench.stop();
    assert_eq!(run.frames(), 120);
    let (first, last, count) = run.ad_span().expect("the house ad");
    assert_eq!((count, last - first + 1), (30, 30));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    let started = run.ad_messages()[0];
    assert_eq!(started.get::<&str>("campaign"), Ok("house"));
    assert_eq!(started.get::<u64>("break"), Ok(1));
}

#[test]
fn inserting_into_a_live_programme_is_refused() {
    let settings = [("mode", "insert"), ("breaks", "1"), ("ads", "double")];
    let mut bench = Bench::new(Programme::live(2.0), &settings).with_source(double(one_second()));
    bench.start();
    let error = bench
        .pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(30), &[gst::MessageType::Error])
        .expect("an error");
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(error.error().to_string().contains("mode=replace"), "{}", error.error());
    bench.stop();
}
