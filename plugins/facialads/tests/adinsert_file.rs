//! The table of ADINSERT.md with files: frames, samples and gaps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::*;
use common::numbered::*;

/// The table's creative: H.264 with B-frames, 25 fps, 320x240; AAC, 44.1 kHz mono; five seconds.
fn table_ad() -> String {
    path_text(&ad("table.mp4", &Spec::h264_mp4(5)))
}
/// The same picture with sound that can be compared sample by sample.
fn exact_ad() -> String {
    path_text(&ad("exact.mkv", &Spec::exact_mkv(5)))
}

/// These are a creative's samples from its first on.
fn assert_ramp(sound: &[i16]) {
    let wrong: Vec<_> = (0..sound.len()).filter(|i| sound[*i] != ramp(*i as u64)).collect();
    let places = (wrong.first(), wrong.last(), wrong.len());
    let there = wrong.first().map(|i| (sound[*i], ramp(*i as u64)));
    assert!(
        wrong.is_empty(),
        "wrong samples (first, last, count) {places:?}, there (is, should be) {there:?}"
    );
}

/// Frame of a 25 fps creative that belongs at frame `n` of a 30 fps break: the last that starts before `n` and a half.
fn expected_25_in_30(count: u32) -> Vec<u32> {
    (0..count).map(|n| ((2 * n + 1) * 25 - 1) / 60).collect()
}

#[test]
fn replacing_in_a_file_exchanges_150_frames_and_their_samples() {
    let run = Bench::new(Programme::default(), &[("breaks", "10"), ("ads", &table_ad())]).run();
    assert_eq!(run.frames(), 900);
    assert_eq!(run.ad_span(), Some((300, 449, 150)), "{:?}", run.messages);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    let sound = run.sound(0);
    assert_eq!(sound.len(), 30 * 48_000);
    assert!(sound[..480_000].iter().enumerate().all(|(i, s)| *s == programme_sample(i as u64)));
    let tail = sound.iter().enumerate().skip(720_000);
    assert!(tail.into_iter().all(|(i, s)| *s == programme_sample(i as u64)));
    assert!(
        sound[480_000..720_000]
            .iter()
            .enumerate()
            .filter(|(i, s)| **s == programme_sample(480_000 + *i as u64))
            .count()
            < 50
    );
    assert!(
        run.output.frames.iter().all(|f| f.dts.is_none() || f.number.is_some_and(|n| n.tag == PROGRAMME))
    );
    println!("longest chain {} ns, waited {} ns", run.count("max-chain-time"), run.count("waited"));
}

#[test]
fn the_frames_of_a_break_are_the_creatives_frames() {
    let run = Bench::new(Programme::of(16.0), &[("breaks", "10"), ("ads", &exact_ad())]).run();
    let numbers = run.ad_numbers(1);
    assert_eq!(numbers.len(), 150, "{:?}", run.messages);
    let expected = expected_25_in_30(150);
    assert_eq!(numbers, expected);
    let around = run.programme_numbers();
    assert_eq!((around[299], around[300]), (299, 450));
    // Sample by sample, from the creative's first to its last.
    let sound = run.sound(0);
    assert_ramp(&sound[480_000..720_000]);
    assert_eq!(run.ad_sound(0), Some((480_000, 720_000, 240_000)));
    assert_eq!(run.output.key_units, [10 * SECOND, 15 * SECOND], "key frames are asked for at both splices");
}

#[test]
fn the_quartiles_come_once_and_in_order() {
    let run = Bench::new(Programme::of(16.0), &[("breaks", "10"), ("ads", &exact_ad())]).run();
    assert_eq!(
        run.ad_states(),
        ["started", "first-quartile", "midpoint", "third-quartile", "complete", "ended"]
    );
    let messages = run.ad_messages();
    let frames: Vec<u64> = messages.iter().map(|m| m.get("frames").unwrap()).collect();
    assert_eq!(frames, [1, 38, 75, 113, 150, 150]);
    assert_eq!(messages[0].get::<u64>("running-time"), Ok(10 * SECOND));
    assert_eq!(messages[5].get::<u64>("running-time"), Ok(15 * SECOND));
    assert_eq!(messages[0].get::<&str>("creative"), Ok("exact.mkv"));
    assert_eq!(run.decisions().len(), 1);
    assert_eq!(run.decisions()[0].get::<&str>("basis"), Ok("run of schedule"));
    assert_eq!((run.count("splices"), run.count("completed"), run.count("skipped")), (1, 1, 0));
}

#[test]
fn inserting_in_a_file_adds_150_frames_and_240_000_samples() {
    let settings = [("mode", "insert"), ("breaks", "10"), ("ads", &exact_ad())];
    let run = Bench::new(Programme::default(), &settings).run();
    assert_eq!(run.frames(), 1050);
    assert_eq!(run.ad_span(), Some((300, 449, 150)), "{:?}", run.messages);
    assert_eq!(run.programme_numbers(), (0..900).collect::<Vec<_>>());
    assert_eq!(run.ad_numbers(1), expected_25_in_30(150));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    assert_eq!(run.sound(0).len(), 30 * 48_000 + 240_000);
    assert_eq!(run.ad_sound(0), Some((480_000, 720_000, 240_000)));
    let last = run.output.frames.last().unwrap();
    assert_eq!(last.pts + last.duration, 35 * SECOND);
}

#[test]
fn the_tables_creative_can_be_inserted_too() {
    let settings = [("mode", "insert"), ("breaks", "2"), ("ads", &table_ad())];
    let run = Bench::new(Programme::of(4.0), &settings).run();
    assert_eq!(run.frames(), 120 + 150);
    assert_eq!(run.sound(0).len(), 4 * 48_000 + 240_000);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn a_cue_off_the_frame_grid_governs_picture_and_sound_alike() {
    let settings = [("breaks", "10.0078"), ("ads", &exact_ad())];
    let run = Bench::new(Programme::default(), &settings).run();
    assert_eq!(run.frames(), 900);
    assert_eq!(run.ad_span().unwrap().0, 300);
    assert_eq!(run.ad_sound(0).unwrap().0, 480_000, "no difference between picture and sound");
}

#[test]
fn ntsc_rates_do_not_drift() {
    let programme = Programme { fps: (30_000, 1001), ..Programme::of(16.016) };
    let run = Bench::new(programme, &[("breaks", "10.01"), ("ads", &exact_ad())]).run();
    assert_eq!(run.frames(), 480);
    // 300 frames of 1001/30000 s are 10.01 s, 480480 samples; 5 s are 150 frames (149.85).
    assert_eq!(run.ad_span(), Some((300, 449, 150)), "{:?}", run.messages);
    assert_eq!(run.ad_sound(0).unwrap().0, 480_480);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    // Half a millisecond of the break is longer than the creative: silence, and not the programme.
    let (first, last, count) = run.ad_sound(0).unwrap();
    assert_eq!((last - first, count), (240_240, 240_240));
}

#[test]
fn a_missing_ad_leaves_the_programme_alone() {
    let settings = [("breaks", "10"), ("ads", "/nowhere/to/be/found.mp4")];
    let run = Bench::new(Programme::default(), &settings).run();
    run.assert_untouched(&Programme::default());
    assert_eq!(run.ad_states(), ["skipped", "skipped"], "the creative, and with it the break");
    assert!(run.reasons()[0].contains("found.mp4"), "{:?}", run.reasons());
    assert_eq!((run.count("refused"), run.count("skipped")), (1, 1));
}
