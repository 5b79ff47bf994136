//! What is told of people, and what is not: consent, the limit, the minors' rule, forgetting (PRIVACY.md rows 1 to 3, 6).
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Picture, ask,
    nets::{EMPTY, LARGE, Nets, SMALL, color},
    onnx_runtime, stamp,
};
use facialads_consent::{Policy, Purpose, Purposes, Stamp, Zone};
use facialads_vision::{
    Allowed, Error, FaceAnalyzer, TrackedFace, Verdict,
    face::{Emotion, Gender},
};
use std::time::Duration;

const SIDE: u32 = 320;

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
fn picture(color: [u8; 3]) -> Picture {
    Picture::plain(SIDE, SIDE, color)
}

/// One frame, as an element in step with the stream treats it.
fn show(
    analyzer: &FaceAnalyzer,
    stamp: &Stamp,
    picture: &Picture,
    now: Duration,
) -> (Vec<TrackedFace>, Verdict) {
    let measure = ask(stamp, 0).unwrap();
    let input = analyzer.shrink(&picture.frame());
    let count = analyzer.detect(&measure, &input, stamp.zone, now).unwrap();
    let (demographics, emotion) = (ask(stamp, count), ask(stamp, count));
    let allowed = Allowed {
        demographics: demographics.as_ref(),
        emotion: emotion.as_ref(),
        adult_declared: stamp.adult,
    };
    // Once for age, and again for emotion, which waits for the verdict on age.
    for _ in 0..2 {
        let requests = analyzer.crops_due(&allowed, now);
        let crops = analyzer.cut(&picture.frame(), &requests);
        analyzer.describe(&allowed, &crops, now).unwrap();
    }
    let faces = analyzer.faces(&measure, &allowed, now);
    (faces, analyzer.targeting(ask(stamp, count).as_ref(), stamp.adult, now))
}

/// Several frames, 100 ms apart. Returns what the last one gave.
fn watch(
    analyzer: &FaceAnalyzer,
    stamp: &Stamp,
    color: [u8; 3],
    from: u64,
    frames: u64,
) -> (Vec<TrackedFace>, Verdict) {
    let picture = picture(color);
    (0..frames).map(|i| show(analyzer, stamp, &picture, at(from + 100 * i))).last().unwrap()
}

fn knows_nothing(face: &TrackedFace) -> bool {
    face.age.is_none() && face.gender.is_none() && face.emotion.is_none()
}

#[test]
fn adults_who_agreed_are_described_and_may_be_targeted() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE, SMALL]);
    let (faces, verdict) = watch(&analyzer, &stamp(), color(40, 0.9), 0, 10);
    assert_eq!(verdict, Verdict::Allowed);
    assert_eq!(faces.len(), 2);
    let face = &faces[0];
    assert!(face.bounds.area() > faces[1].bounds.area(), "largest first");
    assert!(
        (face.bounds.x - 0.1).abs() < 1e-4 && (face.bounds.width - 0.4).abs() < 1e-4,
        "{:?}",
        face.bounds
    );
    assert_eq!(face.attention.dwell, at(900));
    let age = face.age.unwrap();
    assert!((age.years - 40.0).abs() < 0.5 && age.low < age.years && age.high > age.years);
    let gender = face.gender.unwrap();
    // One look says 0.9; many looks at the same face are worth a little more, never much.
    assert!(gender.value == Gender::Female && (0.9..0.925).contains(&gender.confidence));
    // exp(18 / 4.5) against six times 1.
    let emotion = face.emotion.unwrap();
    assert!(emotion.value == Emotion::Happy && (emotion.confidence - 0.9010).abs() < 0.001);
}

#[test]
fn what_is_not_sure_enough_is_called_unknown() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let (faces, _) = watch(&nets.analyzer(&[LARGE]), &stamp(), color(40, 0.4), 0, 5);
    let gender = faces[0].gender.unwrap();
    assert!(gender.value == Gender::Unknown && (gender.confidence - 0.6).abs() < 0.01);
}

#[test]
fn with_measurement_alone_faces_are_counted_and_nothing_is_described() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE, SMALL]);
    let counting = Stamp { purposes: [Purpose::Measurement].into_iter().collect::<Purposes>(), ..stamp() };
    let (faces, verdict) = watch(&analyzer, &counting, color(40, 0.9), 0, 5);
    assert_eq!((faces.len(), verdict), (2, Verdict::NotPermitted));
    assert!(faces.iter().all(knows_nothing));
    assert_eq!(analyzer.stats().descriptions, 0);
    assert_eq!(analyzer.stats().inference_calls, 5, "the detector, once a frame");
}

#[test]
fn emotion_needs_a_consent_of_its_own() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let without = Stamp { purposes: Purposes::all().without(Purpose::Emotion), ..stamp() };
    let (faces, _) = watch(&nets.analyzer(&[LARGE]), &without, color(40, 0.9), 0, 10);
    assert!(faces[0].age.is_some() && faces[0].emotion.is_none());
}

#[test]
fn a_second_face_under_the_strict_policy_takes_the_attributes_of_the_first() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE, SMALL]);
    let left = Zone { width: 0.5, ..Zone::FULL };
    let one = Stamp { max_faces: 1, zone: left, ..stamp() };
    let (faces, verdict) = watch(&analyzer, &one, color(40, 0.9), 0, 5);
    assert_eq!((faces.len(), verdict), (1, Verdict::Allowed));
    assert!(faces[0].age.is_some());
    let (faces, verdict) =
        watch(&analyzer, &Stamp { zone: Zone::FULL, ..one.clone() }, color(40, 0.9), 500, 1);
    assert_eq!((faces.len(), verdict), (2, Verdict::NotPermitted));
    assert!(faces.iter().all(knows_nothing));
    // The zone ends before the other: for a moment it counts as one that is only hidden.
    let (_, verdict) = watch(&analyzer, &one, color(40, 0.9), 600, 3);
    assert_eq!(verdict, Verdict::NotPermitted);
    // Alone again: what was known is gone, not hidden. The same face has to be looked at anew.
    let (faces, verdict) = watch(&analyzer, &one, color(40, 0.9), 900, 1);
    assert_eq!((faces.len(), verdict), (1, Verdict::Undecided));
    assert!(knows_nothing(&faces[0]));
    assert_eq!(watch(&analyzer, &one, color(40, 0.9), 1000, 4).1, Verdict::Allowed);
}

#[test]
fn under_the_nearest_policy_only_the_largest_face_is_described() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[SMALL, LARGE]);
    let nearest = Stamp { max_faces: 1, policy: Policy::Nearest, ..stamp() };
    let (faces, verdict) = watch(&analyzer, &nearest, color(40, 0.9), 0, 8);
    assert_eq!((faces.len(), verdict), (2, Verdict::Allowed));
    assert!(faces[0].age.is_some() && faces[0].emotion.is_some());
    assert!(knows_nothing(&faces[1]));
}

#[test]
fn only_faces_whose_centre_lies_in_the_zone_are_kept() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE, SMALL]);
    let bottom = Stamp { zone: Zone { y: 0.5, height: 0.5, ..Zone::FULL }, ..stamp() };
    let (faces, _) = watch(&analyzer, &bottom, color(40, 0.9), 0, 1);
    assert_eq!(faces.len(), 1);
    assert!((faces[0].bounds.x - 0.6).abs() < 1e-4);
    let (faces, verdict) =
        watch(&analyzer, &Stamp { zone: Zone::NOTHING, ..stamp() }, color(40, 0.9), 5000, 1);
    assert_eq!((faces.len(), verdict), (0, Verdict::Nobody));
}

#[test]
fn a_declared_adult_who_looks_younger_than_21_is_counted_only_and_stops_targeting() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let (faces, verdict) = watch(&analyzer, &stamp(), color(20, 0.9), 0, 2);
    assert_eq!(verdict, Verdict::Undecided, "two looks are too few");
    assert!(knows_nothing(&faces[0]), "nothing is told before the rule was applied");
    let (faces, verdict) = watch(&analyzer, &stamp(), color(20, 0.9), 200, 1);
    assert_eq!((faces.len(), verdict), (1, Verdict::PossibleMinor));
    assert!(knows_nothing(&faces[0]));
    let described = analyzer.stats().descriptions;
    let (faces, verdict) = watch(&analyzer, &stamp(), color(60, 0.9), 300, 50);
    assert_eq!(verdict, Verdict::PossibleMinor, "a later frame never lifts the veto");
    assert!(knows_nothing(&faces[0]));
    assert_eq!(analyzer.stats().descriptions, described, "and the face is not looked at again");
}

#[test]
fn without_a_declaration_thirty_is_asked_of_every_crop() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let undeclared = Stamp { adult: false, ..stamp() };
    let (faces, verdict) = watch(&nets.analyzer(&[LARGE]), &undeclared, color(31, 0.9), 0, 1);
    assert_eq!(verdict, Verdict::Allowed);
    assert!(faces[0].age.is_some());
    let (faces, verdict) = watch(&nets.analyzer(&[LARGE]), &undeclared, color(29, 0.9), 0, 1);
    assert_eq!(verdict, Verdict::PossibleMinor);
    assert!(knows_nothing(&faces[0]));
    // One crop of eight sees more of what lies around the face.
    let mut surrounded = picture(color(20, 0.9));
    for y in 22..170_u32 {
        for x in 22..170_u32 {
            surrounded.2[((y * SIDE + x) * 3) as usize] = 2 * 31;
        }
    }
    let (_, verdict) = show(&nets.analyzer(&[LARGE]), &undeclared, &surrounded, at(0));
    assert_eq!(verdict, Verdict::PossibleMinor);
}

#[test]
fn a_declaration_that_is_withdrawn_asks_for_the_stricter_rule() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    assert_eq!(watch(&analyzer, &stamp(), color(25, 0.9), 0, 5).1, Verdict::Allowed);
    let undeclared = Stamp { adult: false, ..stamp() };
    let allowed = Allowed::default();
    assert_eq!(analyzer.targeting(ask(&undeclared, 1).as_ref(), false, at(450)), Verdict::Undecided);
    assert!(analyzer.faces(&ask(&undeclared, 0).unwrap(), &allowed, at(450)).iter().all(knows_nothing));
    assert_eq!(watch(&analyzer, &undeclared, color(25, 0.9), 1000, 2).1, Verdict::PossibleMinor);
}

#[test]
fn the_hold_lasts_thirty_seconds_after_the_face_left_whoever_comes() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let minor = watch(&analyzer, &stamp(), color(18, 0.9), 0, 10);
    assert_eq!(minor.1, Verdict::PossibleMinor);
    // Gone at 1 s; the track ends two and a half seconds later, and only then do the thirty begin.
    let (faces, verdict) = watch(&analyzer, &stamp(), EMPTY, 1000, 40);
    assert_eq!((faces.len(), verdict), (0, Verdict::PossibleMinor));
    // Somebody else, with a new id, in a new opening of the gate and after a jump in time.
    let reopened = Stamp { epoch: 2, ..stamp() };
    let (faces, verdict) = watch(&analyzer, &reopened, color(40, 0.9), 5000, 40);
    assert_eq!(verdict, Verdict::PossibleMinor);
    assert_ne!(faces[0].id, minor.0[0].id);
    assert!(faces[0].age.is_some(), "the other person agreed and is described");
    analyzer.reset();
    let (_, verdict) = watch(&analyzer, &reopened, color(40, 0.9), 100, 200);
    assert_eq!(verdict, Verdict::PossibleMinor);
    let (_, verdict) = watch(&analyzer, &reopened, color(40, 0.9), 20_100, 50);
    assert_eq!(verdict, Verdict::Allowed);
}

#[test]
fn when_consent_ends_everything_is_forgotten_and_the_old_epoch_is_refused() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let first = watch(&analyzer, &stamp(), color(40, 0.9), 0, 5).0[0].id;
    let picture = picture(color(40, 0.9));
    let waiting = analyzer.shrink(&picture.frame());
    analyzer.forget(2);
    assert_eq!(analyzer.count(at(500)), 0);
    let old = ask(&stamp(), 0).unwrap();
    assert!(analyzer.faces(&old, &Allowed::default(), at(500)).is_empty());
    assert!(matches!(analyzer.detect(&old, &waiting, Zone::FULL, at(500)), Err(Error::Stale { .. })));
    let reopened = Stamp { epoch: 2, ..stamp() };
    let new = ask(&reopened, 0).unwrap();
    let calls = analyzer.stats().inference_calls;
    assert!(
        matches!(analyzer.detect(&new, &waiting, Zone::FULL, at(500)), Err(Error::Stale { .. })),
        "a picture taken under the old consent is not looked at under the new one"
    );
    assert_eq!(analyzer.stats().inference_calls, calls);
    assert_eq!(analyzer.stats().discarded, 1);
    let (faces, verdict) = watch(&analyzer, &reopened, color(40, 0.9), 600, 1);
    assert_ne!(faces[0].id, first);
    assert_eq!(verdict, Verdict::Undecided);
}

#[test]
fn pictures_that_waited_for_the_first_look_are_looked_at() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let picture = picture(color(40, 0.9));
    let inputs = [analyzer.shrink(&picture.frame()), analyzer.shrink(&picture.frame())];
    for (input, ms) in inputs.iter().zip([0, 100]) {
        assert_eq!(analyzer.detect(&ask(&stamp(), 0).unwrap(), input, Zone::FULL, at(ms)).unwrap(), 1);
    }
    // A pipeline that starts anew counts its openings from 1 again.
    analyzer.forget(7);
    analyzer.restart();
    let input = analyzer.shrink(&picture.frame());
    assert!(analyzer.detect(&ask(&stamp(), 0).unwrap(), &input, Zone::FULL, at(0)).is_ok());
}

#[test]
fn crops_of_a_consent_that_ended_are_not_described() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let picture = picture(color(40, 0.9));
    let stamp = stamp();
    let input = analyzer.shrink(&picture.frame());
    analyzer.detect(&ask(&stamp, 0).unwrap(), &input, Zone::FULL, at(0)).unwrap();
    let demographics = ask(&stamp, 1);
    let allowed = Allowed { demographics: demographics.as_ref(), emotion: None, adult_declared: true };
    let crops = analyzer.cut(&picture.frame(), &analyzer.crops_due(&allowed, at(0)));
    assert_eq!(crops.len(), 1);
    analyzer.forget(2);
    let calls = analyzer.stats().inference_calls;
    assert!(matches!(analyzer.describe(&allowed, &crops, at(0)), Err(Error::Stale { .. })));
    assert_eq!(analyzer.stats().inference_calls, calls);
}

#[test]
fn a_face_is_looked_at_again_when_the_interval_has_passed_and_not_before() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = facialads_vision::FaceOptions {
        expression: None,
        reclassify_interval: Duration::from_secs(1),
        ..nets.options(&[LARGE])
    };
    let analyzer = FaceAnalyzer::new(&options).unwrap();
    watch(&analyzer, &stamp(), color(40, 0.9), 0, 31);
    // Three looks to settle at 0, 100 and 200 ms, then at 1200 and 2200.
    assert_eq!(analyzer.stats().descriptions, 5);
}

#[test]
fn nothing_about_a_person_is_in_debug_output() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let (faces, _) = watch(&analyzer, &stamp(), color(43, 0.9), 0, 10);
    let face = &faces[0];
    let text = format!("{face:?} {:?} {:?} {:?} {:#?}", face.age, face.gender, face.emotion, face);
    assert!(face.age.is_some() && face.emotion.is_some());
    for word in ["43", "emale", "appy"] {
        assert!(!text.contains(word), "{text}");
    }
}

#[test]
fn a_face_that_is_too_small_to_be_assessed_is_undecided_for_ever_and_never_allowed() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    // 0.06 of 320 pixels are 19: found, and less than the 24 that a description needs.
    let analyzer = nets.analyzer(&[[0.1, 0.1, 0.16, 0.16]]);
    for adult in [true, false] {
        let (faces, verdict) = watch(&analyzer, &Stamp { adult, ..stamp() }, color(60, 0.9), 0, 50);
        assert_eq!((faces.len(), verdict), (1, Verdict::Undecided));
        assert!(knows_nothing(&faces[0]));
        assert_eq!(analyzer.stats().descriptions, 0, "no network saw it");
        analyzer.reset();
    }
    // And one of several does not go by unnoticed.
    let analyzer = nets.analyzer(&[LARGE, [0.8, 0.8, 0.86, 0.86]]);
    let (faces, verdict) = watch(&analyzer, &stamp(), color(60, 0.9), 0, 50);
    assert_eq!((faces.len(), verdict), (2, Verdict::Undecided));
    assert!(faces[0].age.is_some() && knows_nothing(&faces[1]));
}

#[test]
fn the_longer_looks_agree_the_rarer_they_get() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let options = facialads_vision::FaceOptions { expression: None, ..nets.options(&[LARGE]) };
    let analyzer = FaceAnalyzer::new(&options).unwrap();
    let looks = |from: u64, frames: u64| {
        let before = analyzer.stats().descriptions;
        watch(&analyzer, &stamp(), color(40, 0.9), from, frames);
        analyzer.stats().descriptions - before
    };
    let begun = looks(0, 50);
    looks(5000, 300);
    let settled = looks(35_000, 120);
    assert!((5..=8).contains(&begun), "{begun} in the first five seconds");
    assert!(
        (2..=4).contains(&settled),
        "{settled} in twelve seconds: every eighth interval of half a second"
    );
}
