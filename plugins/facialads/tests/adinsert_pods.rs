//! Several creatives, several breaks, creatives that do not fit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::*;
use common::numbered::*;

fn spot(tag: u8, seconds: u32) -> String {
    path_text(&ad(&format!("spot-{tag}-{seconds}.mkv"), &Spec::exact_mkv(seconds).tagged(tag)))
}

/// Lengths of the stretches of the output by tag.
fn stretches(run: &Run) -> Vec<(u8, usize)> {
    let mut stretches: Vec<(u8, usize)> = Vec::new();
    for frame in &run.output.frames {
        let tag = frame.number.map_or(0, |n| n.tag);
        match stretches.last_mut() {
            Some((last, count)) if *last == tag => *count += 1,
            _ => stretches.push((tag, 1)),
        }
    }
    stretches
}

#[test]
fn a_break_with_a_duration_is_filled_by_several_creatives_without_a_seam() {
    let ads = [spot(1, 2), spot(2, 2), spot(3, 2)].join(",");
    let run = Bench::new(Programme::of(12.0), &[("breaks", "4+6"), ("ads", &ads)]).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 120), (1, 60), (2, 60), (3, 60), (PROGRAMME, 60)]);
    assert_eq!(run.ad_sound(0), Some((192_000, 480_000, 288_000)));
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    assert_eq!((run.count("splices"), run.count("completed"), run.count("skipped")), (3, 3, 0));
    let positions: Vec<u32> = run.decisions().iter().map(|d| d.get("position").unwrap()).collect();
    assert_eq!(positions, [0, 1, 2]);
    let one: Vec<_> = ["started", "first-quartile", "midpoint", "third-quartile", "complete", "ended"].into();
    assert_eq!(run.ad_states(), [one.clone(), one.clone(), one].concat(), "one after the other");
}

#[test]
fn a_pod_can_be_inserted() {
    let ads = [spot(1, 2), spot(2, 2)].join(",");
    let settings = [("mode", "insert"), ("breaks", "1+4"), ("ads", &ads)];
    let run = Bench::new(Programme::of(2.0), &settings).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 30), (1, 60), (2, 60), (PROGRAMME, 30)]);
    assert_eq!(run.sound(0).len(), 96_000 + 192_000);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn what_a_short_creative_leaves_of_a_break_is_the_programmes() {
    let run = Bench::new(Programme::of(8.0), &[("breaks", "2+5"), ("ads", &spot(1, 2))]).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 60), (1, 60), (PROGRAMME, 120)]);
    assert_eq!(run.count("skipped"), 0, "{:?}", run.messages);
}

#[test]
fn a_creative_that_is_too_long_is_refused_before_air_and_the_next_is_taken() {
    let ads = [spot(1, 5), spot(2, 2)].join(",");
    let run = Bench::new(Programme::of(8.0), &[("breaks", "2+3"), ("ads", &ads)]).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 60), (2, 60), (PROGRAMME, 120)]);
    assert!(run.reasons()[0].contains("5000 ms long"), "{:?}", run.reasons());
    assert_eq!(run.ad_states()[0], "skipped");
}

#[test]
fn breaks_can_follow_each_other_without_a_frame_between() {
    let ads = [spot(1, 2), spot(2, 2)].join(",");
    let run = Bench::new(Programme::of(9.0), &[("breaks", "3+2,5+2"), ("ads", &ads)]).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 90), (1, 60), (2, 60), (PROGRAMME, 60)]);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    let numbers: Vec<u64> = run.decisions().iter().map(|d| d.get("break").unwrap()).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn the_list_goes_on_in_the_next_break_where_it_was_left() {
    let ads = [spot(1, 2), spot(2, 2)].join(",");
    let settings = [("mode", "insert"), ("breaks", "1,2,3"), ("ads", &ads)];
    let run = Bench::new(Programme::of(4.0), &settings).run();
    let expected =
        [(PROGRAMME, 30), (1, 60), (PROGRAMME, 30), (2, 60), (PROGRAMME, 30), (1, 60), (PROGRAMME, 30)];
    assert_eq!(stretches(&run), expected);
    assert_eq!(run.sound(0).len(), 4 * 48_000 + 3 * 96_000);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn a_broken_creative_gives_way_to_the_next_of_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.mp4");
    std::fs::write(&broken, b"this is no film at all").unwrap();
    let ads = format!("{},{}", broken.display(), spot(2, 2));
    let run = Bench::new(Programme::of(6.0), &[("breaks", "3"), ("ads", &ads)]).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 90), (2, 60), (PROGRAMME, 30)]);
    assert!(run.reasons()[0].contains("broken.mp4"), "{:?}", run.reasons());
}

#[test]
fn a_truncated_creative_never_holds_the_programme_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(spot(1, 5)).unwrap();
    let cut = dir.path().join("cut.mkv");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let run = Bench::new(Programme::of(9.0), &[("breaks", "2"), ("ads", cut.to_str().unwrap())]).run();
    assert_eq!(run.frames(), 270);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    assert!(run.programme_numbers().ends_with(&[268, 269]), "the programme is back");
    // What was shown of it is the creative's beginning.
    let shown = run.ad_numbers(1);
    assert!(shown.windows(2).all(|p| p[0] <= p[1]));
}

#[test]
fn the_house_ad_fills_in_when_everything_else_fails() {
    let settings = [("breaks", "3"), ("ads", "/nowhere/ad.mp4"), ("house-ad", &spot(4, 2))];
    let run = Bench::new(Programme::of(6.0), &settings).run();
    assert_eq!(stretches(&run), [(PROGRAMME, 90), (4, 60), (PROGRAMME, 30)], "{:?}", run.messages);
    let started = run.ad_messages().into_iter().find(|m| m.get("state") == Ok("started")).unwrap();
    assert_eq!(started.get::<&str>("campaign"), Ok("house"));
}

#[test]
fn a_video_only_creative_is_silent_and_leaves_no_programme_sound_under_it() {
    let silent = path_text(&ad("silent.mkv", &Spec::exact_mkv(2).without_audio()));
    let run = Bench::new(Programme::of(5.0), &[("breaks", "2"), ("ads", &silent)]).run();
    assert_eq!(run.ad_span(), Some((60, 119, 60)));
    assert!(run.sound(0)[96_000..192_000].iter().all(|s| *s == 0));
    assert_eq!(run.ad_sound(0), Some((96_000, 192_000, 96_000)));
    assert_eq!(run.count("silence-samples"), 96_000);
}

#[test]
fn an_audio_only_creative_plays_under_the_programmes_picture() {
    let radio = path_text(&ad("radio.mkv", &Spec::exact_mkv(2).without_video()));
    let run = Bench::new(Programme::of(5.0), &[("breaks", "2"), ("ads", &radio)]).run();
    assert_eq!(run.programme_numbers(), (0..150).collect::<Vec<_>>());
    assert!(run.sound(0)[96_000..192_000].iter().enumerate().all(|(i, s)| *s == ramp(i as u64)));
    assert_eq!(run.ad_states().last().unwrap(), "ended");

    let settings = [("mode", "insert"), ("breaks", "2"), ("ads", &radio)];
    let run = Bench::new(Programme::of(5.0), &settings).run();
    assert_eq!(run.frames(), 210, "the picture stands still while the sound is inserted");
    assert_eq!(run.sound(0).len(), 7 * 48_000);
    assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
}

#[test]
fn a_programme_without_sound_gets_the_picture() {
    for (mode, frames) in [("replace", 150), ("insert", 210)] {
        let programme = Programme { audio_pads: 0, ..Programme::of(5.0) };
        let settings = [("mode", mode), ("breaks", "2"), ("ads", &spot(1, 2))];
        let run = Bench::new(programme, &settings).run();
        assert_eq!(run.frames(), frames);
        assert_eq!(run.ad_span(), Some((60, 119, 60)));
        assert_eq!(run.video_gaps(), 0);
    }
}

#[test]
fn every_pad_with_sound_gets_the_creatives() {
    for mode in ["replace", "insert"] {
        let programme = Programme { audio_pads: 2, ..Programme::of(5.0) };
        let settings = [("mode", mode), ("breaks", "2"), ("ads", &spot(1, 2))];
        let run = Bench::new(programme, &settings).run();
        for pad in 0..2 {
            let sound = run.sound(pad);
            assert!(
                sound[96_000..192_000].iter().enumerate().all(|(i, s)| *s == ramp(i as u64)),
                "{mode} {pad}"
            );
            assert_eq!(run.ad_sound(pad), Some((96_000, 192_000, 96_000)));
        }
        assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    }
}

#[test]
fn a_break_at_the_very_beginning() {
    for (mode, frames) in [("replace", 90), ("insert", 150)] {
        let settings = [("mode", mode), ("breaks", "0"), ("ads", &spot(1, 2))];
        let run = Bench::new(Programme::of(3.0), &settings).run();
        assert_eq!(run.frames(), frames, "{:?}", run.messages);
        assert_eq!(run.ad_span(), Some((0, 59, 60)));
        assert_eq!(run.ad_sound(0), Some((0, 96_000, 96_000)));
        assert_eq!(run.video_gaps() + run.audio_gaps(), 0);
    }
}
