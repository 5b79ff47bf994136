//! Decisions on people, on the programme's subject, and what must not be told or kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adinsert;
mod common;

use adinsert::{
    double::{Behaviour, Doubles},
    *,
};
use facialads_consent::{Basis, Policy, Purpose, Purposes, Site, Zone, wall_clock};
use facialads_meta::{Age, Audience, Face, Gender, Label, Stamp, Subject, SubjectClass, Targeting};
use std::{sync::Arc, time::Duration};

const CAMPAIGNS: &str = r#"
[[campaign]]
id = "gloves"
advertiser = "A"
weight = 5
[campaign.target]
gender = "female"
age = { min = 25, max = 45 }
[[campaign.creative]]
id = "gloves-1"
uri = "http://ads.example/gloves"

[[campaign]]
id = "boots"
advertiser = "B"
[campaign.target]
subjects = ["Hiking"]
[[campaign.creative]]
id = "boots-1"
uri = "http://ads.example/boots"

[[campaign]]
id = "slate"
advertiser = "C"
house = true
[[campaign.creative]]
id = "slate-1"
uri = "http://ads.example/slate"
"#;

fn stamp(epoch: u64) -> Stamp {
    Stamp {
        purposes: Purposes::all().without(Purpose::Emotion),
        epoch,
        max_faces: 2,
        adult: true,
        zone: Zone::FULL,
        basis: Basis::ViewerConsent,
        site: Site::Public,
        policy: Policy::Strict,
        screen: "default".into(),
        expires: wall_clock() + 3_600_000_000_000,
        receipts: vec!["digest".into()],
    }
}

fn woman(id: i32) -> Face {
    Face {
        id,
        x: 2,
        y: 2,
        width: 8,
        height: 8,
        confidence: 0.9,
        model: "test".into(),
        age: Some(Age { years: 34.7, low: 30.0, high: 39.0, confidence: 0.9, model: "test".into() }),
        gender: Some(Label { value: Gender::Female, confidence: 0.95, model: "test".into() }),
        emotion: None,
        attention: None,
    }
}

fn seen(targeting: Targeting, faces: Vec<Face>) -> View {
    let verdict = Audience { epoch: 1, faces: faces.len() as u32, targeting };
    View::Picture { verdict: Some(verdict), stamp: Some(stamp(1)), faces }
}
fn one_woman(_: u64) -> View {
    seen(Targeting::Allowed, vec![woman(7)])
}

fn hiking(buffer: &mut gst::BufferRef, _: u64) {
    Subject {
        taxonomy: "iab-content-3.1".into(),
        classes: vec![SubjectClass { id: "496".into(), name: "Hiking".into(), confidence: 0.9 }],
        shot: 1,
        shot_start: gst::ClockTime::ZERO,
        safety: Vec::new(),
    }
    .attach(buffer);
}

/// Twelve seconds of a programme about hiking, with a break at eight.
struct Scene {
    dir: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("campaigns.toml");
        std::fs::write(&file, CAMPAIGNS).unwrap();
        let settings = vec![("breaks", "8".to_owned()), ("campaigns", path_text(&file))];
        Self { dir, settings }
    }
    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }
    fn bench(&self) -> Bench {
        let programme = Programme { on_frame: Some(Box::new(hiking)), fps: (25, 1), ..Programme::of(12.0) };
        let settings: Vec<_> = self.settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let behaviour = Behaviour { length: Duration::from_secs(2), ..Behaviour::default() };
        Bench::new(programme, &settings).with_source(Arc::new(Doubles(behaviour)))
    }
    fn run(&self, view: impl Fn(u64) -> View + Send + 'static) -> Run {
        self.bench().with_audience(12.0, Duration::ZERO, view).run()
    }
}

/// (campaign, basis, why people played no part)
fn decision(run: &Run) -> (String, String, Option<String>) {
    let decisions = run.decisions();
    assert_eq!(decisions.len(), 1, "{:?}", run.messages);
    let text = |name: &str| decisions[0].get::<String>(name).ok();
    (text("campaign").unwrap_or_default(), text("basis").unwrap(), text("no-profile"))
}
fn by_subject(reason: &str) -> (String, String, Option<String>) {
    ("boots".into(), "by subject".into(), Some(reason.into()))
}

#[test]
fn a_viewer_who_agreed_is_shown_what_fits() {
    let run = Scene::new().run(one_woman);
    assert_eq!(decision(&run), ("gloves".into(), "by profile".into(), None));
    assert_eq!(run.decisions()[0].get::<u32>("people"), Ok(1));
    let started = run.ad_messages()[0];
    assert_eq!(started.get::<&str>("campaign"), Ok("gloves"));
    assert_eq!(started.get::<&str>("creative"), Ok("gloves-1"));
}

#[test]
fn no_message_names_an_attribute_of_a_person() {
    let run = Scene::new().run(one_woman);
    for message in &run.messages {
        for (name, value) in message.iter() {
            let text = format!("{value:?}");
            // The estimate, its bounds; the campaign's own wish (25–45) may be named.
            for attribute in ["34.7", "30.0", "39.0", "0.95"] {
                assert!(!text.contains(attribute), "{name} of {message} says {attribute}");
            }
        }
    }
}

#[test]
fn one_frame_with_a_possible_minor_in_the_window_is_enough() {
    // The break is at 8 s, the decision at 6 s, the window from 1 s on.
    let run = Scene::new().run(|n| {
        if n == 60 { seen(Targeting::PossibleMinor, vec![woman(7), woman(8)]) } else { one_woman(n) }
    });
    assert_eq!(decision(&run), by_subject("possible minor"));
}

#[test]
fn what_lies_before_the_window_counts_no_more() {
    let run = Scene::new()
        .set("window", "1000000000")
        .run(|n| if n < 100 { seen(Targeting::PossibleMinor, vec![woman(7)]) } else { one_woman(n) });
    assert_eq!(decision(&run).0, "gloves");
}

#[test]
fn what_lies_behind_the_decision_does_not_count_yet() {
    let run = Scene::new()
        .run(|n| if n > 155 { seen(Targeting::PossibleMinor, vec![woman(7)]) } else { one_woman(n) });
    assert_eq!(decision(&run).0, "gloves");
}

#[test]
fn somebody_who_was_not_seen_long_enough_is_not_targeted() {
    let run = Scene::new().run(|n| {
        if n > 140 { seen(Targeting::Undecided, vec![woman(7)]) } else { seen(Targeting::Nobody, vec![]) }
    });
    assert_eq!(decision(&run), by_subject("not seen long enough"));
}

#[test]
fn more_faces_than_grants_are_not_targeted() {
    let run = Scene::new().run(|_| seen(Targeting::Allowed, vec![woman(7), woman(8), woman(9)]));
    assert_eq!(decision(&run), by_subject("profile use not permitted"));
}

#[test]
fn consent_without_personalisation_or_expired_is_none() {
    for (stamp, reason) in [
        (
            Stamp { purposes: stamp(1).purposes.without(Purpose::Personalisation), ..stamp(1) },
            "profile use not permitted",
        ),
        (Stamp { expires: 1, ..stamp(1) }, "consent expired"),
    ] {
        let run = Scene::new().run(move |_| View::Picture {
            verdict: Some(Audience { epoch: 1, faces: 1, targeting: Targeting::Allowed }),
            stamp: Some(stamp.clone()),
            faces: vec![woman(7)],
        });
        assert_eq!(decision(&run), by_subject(reason));
    }
}

#[test]
fn faces_without_consent_on_the_buffer_are_neither_used_nor_counted() {
    let run = Scene::new().run(|_| View::Picture { verdict: None, stamp: None, faces: vec![woman(7)] });
    assert_eq!(decision(&run), by_subject("no consent"));
    assert!(run.decisions()[0].get::<u32>("people").is_err());
}

#[test]
fn a_closed_gate_and_an_empty_room_leave_the_subject() {
    let run = Scene::new().run(|_| View::Gap);
    assert_eq!(decision(&run), by_subject("no consent"));
    let run = Scene::new().run(|_| seen(Targeting::Nobody, vec![]));
    assert_eq!(decision(&run), by_subject("nobody in view"));
    let run = Scene::new().bench().run();
    assert_eq!(decision(&run), by_subject("no camera"));
}

#[test]
fn a_gate_that_closes_in_the_window_makes_everything_seen_forgotten() {
    // The woman is still on the buffers that were on their way: of the epoch that is over.
    let run =
        Scene::new().run(|n| if n == 140 { View::Gate { epoch: 1, open: false } } else { one_woman(n) });
    assert_eq!(decision(&run), by_subject("no consent"));
    assert!(run.count("forgotten") >= 1);
    assert_eq!(run.count("observations"), 0);
}

#[test]
fn a_new_opening_of_the_gate_starts_from_nothing() {
    let run = Scene::new().run(|n| match n {
        100 => View::Gate { epoch: 2, open: true },
        0..100 => one_woman(n),
        _ => View::Picture {
            verdict: Some(Audience { epoch: 2, faces: 0, targeting: Targeting::Nobody }),
            stamp: Some(stamp(2)),
            faces: vec![],
        },
    });
    assert_eq!(decision(&run), by_subject("nobody in view"));
}

#[test]
fn a_withdrawal_before_air_voids_what_was_chosen_on_people() {
    // Live speed in the programme, so that the withdrawal comes between decision (1 s) and break (3 s).
    let scene = Scene::new();
    let programme = Programme { on_frame: Some(Box::new(hiking)), fps: (25, 1), ..Programme::live(5.0) };
    let campaigns = scene.settings[1].1.clone();
    let settings = [("breaks", "3"), ("campaigns", campaigns.as_str())];
    let behaviour = Behaviour { length: Duration::from_secs(1), ..Behaviour::default() };
    let run = Bench::new(programme, &settings)
        .with_source(Arc::new(Doubles(behaviour)))
        .with_audience(5.0, Duration::from_millis(40), |n| match n {
            38 => View::Gate { epoch: 1, open: false },
            0..38 => one_woman(n),
            _ => View::Gap,
        })
        .run();
    let bases: Vec<String> = run.decisions().iter().map(|d| d.get("basis").unwrap()).collect();
    assert_eq!(bases, ["by profile", "by subject"]);
    let started = run.ad_messages().into_iter().find(|m| m.get("state") == Ok("started"));
    assert_eq!(started.map(|m| m.get::<String>("campaign").unwrap()).as_deref(), Some("boots"));
}

#[test]
fn a_decision_in_a_file_waits_for_a_slow_camera() {
    let run = Scene::new()
        .bench()
        .with_audience(12.0, Duration::from_millis(5), |n| {
            // Only what lies just before the decision tells her from nobody.
            if n > 130 { one_woman(n) } else { seen(Targeting::Nobody, vec![]) }
        })
        .run();
    assert_eq!(decision(&run).0, "gloves");
    assert!(run.count("audience-waited") > 0);
    assert_eq!(run.frames(), 300);
}

#[test]
fn a_camera_that_never_delivers_does_not_hold_the_programme_for_ever() {
    let run = Scene::new()
        .set("audience-timeout", "300000000")
        .bench()
        .with_audience(12.0, Duration::from_millis(40), |_| View::Gap)
        .run();
    assert_eq!(decision(&run), by_subject("no consent"));
    assert_eq!(run.frames(), 300);
}

#[test]
fn nothing_of_the_programme_is_written_on_an_ads_frames() {
    let run = Scene::new().run(one_woman);
    for frame in &run.output.frames {
        let own = frame.number.is_some_and(|n| n.tag == PROGRAMME);
        assert_eq!((frame.subject, frame.faces), (own, 0), "frame at {}", frame.pts);
    }
}

#[test]
fn upstream_hears_what_plays_and_why() {
    let run = Scene::new().run(one_woman);
    let on_air: Vec<_> = run.running.iter().map(|r| r.campaign.as_deref()).collect();
    assert_eq!(on_air, [None, Some("gloves"), None], "{:?}", run.running);
    let playing = &run.running[1];
    assert_eq!((playing.basis.as_str(), playing.creative.as_deref()), ("by profile", Some("gloves-1")));
    assert_eq!(playing.subject, ["Hiking"]);
    assert_eq!(playing.since, Some(gst::ClockTime::from_seconds(8)));
}

#[test]
fn the_ledger_gets_decisions_impressions_and_counts_of_people() {
    let scene = Scene::new();
    let path = scene.dir.path().join("ledger.db");
    let scene = scene.set("ledger", path.to_str().unwrap()).set("screen", "lobby");
    // Three different women while the ad is on air: a bucket is written at three people.
    let run = scene.run(|n| seen(Targeting::Allowed, vec![woman((n / 20) as i32 + 1)]));
    assert_eq!(decision(&run).1, "by profile");
    let ledger = facialads_ledger::Ledger::shared(&path);
    assert!(ledger.flush(Duration::from_secs(30)));
    let records = facialads_ledger::Records::read(&path, &facialads_ledger::Filter::default()).unwrap();
    let decided = &records.decisions[0];
    assert_eq!((decided.screen.as_str(), decided.campaign.as_deref()), ("lobby", Some("gloves")));
    let shown = &records.impressions[0];
    assert_eq!((shown.frames, shown.quartile, shown.complete), (50, 100, true));
    assert_eq!((shown.start, shown.end), (Duration::from_secs(8), Duration::from_secs(10)));
    assert_eq!(shown.samples, 96_000);
    assert_eq!(shown.decision, decided.id);
    let people: u64 = records.people.iter().filter(|c| c.dimension == "people").map(|c| c.people).sum();
    assert_eq!(people, 3, "tracks 11, 12 and 13 were in view from 8 s to 10 s");
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_and_the_ads_go_on() {
    let scene = Scene::new().set("ledger", "/proc/nowhere/ledger.db");
    let run = scene.run(one_woman);
    assert_eq!(decision(&run).0, "gloves");
    assert_eq!(run.ad_states().last().unwrap(), "ended");
    assert!(run.warnings.iter().any(|w| w.contains("ledger")), "{:?}", run.warnings);
}
