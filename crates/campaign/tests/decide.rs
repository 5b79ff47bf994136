//! Who is chosen, and why.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Played, Scene, age, at, campaign, catalogue, consented, creative, happy, stamp, subject, viewer,
};
use facialads_campaign::{
    Basis, Catalogue, ConsentedAudience, Decision, Emotion, Gender, NoProfile, Outcome, Reason, Viewer,
    decide, explain,
};
use facialads_consent::{Personalisation, Policy, Purpose, Refusal, permit};
use std::time::Duration;

fn order(decision: &Decision) -> Vec<&str> {
    let mut campaigns: Vec<&str> = decision.choices.iter().map(|choice| choice.campaign.as_str()).collect();
    campaigns.dedup();
    campaigns
}

fn reasons<'d>(decision: &'d Decision, campaign: &str) -> Vec<&'d str> {
    let verdict = decision.verdicts.iter().find(|v| v.campaign == campaign).unwrap();
    match &verdict.outcome {
        Outcome::Refused(reasons) => reasons.iter().map(Reason::code).collect(),
        _ => Vec::new(),
    }
}

fn everything() -> Catalogue {
    catalogue(
        &[
            campaign("women", "target = { age = \"20-45\", gender = \"female\" }"),
            campaign("men", "target = { age = \"20-45\", gender = \"male\" }"),
            campaign("cars", "target = { subjects = [\"Automotive\"] }"),
            campaign("anyone", ""),
            campaign("slate", "house = true"),
        ]
        .concat(),
    )
}

#[test]
fn people_with_their_consent_come_before_the_subject_before_the_schedule_before_the_house() {
    let catalogue = everything();
    let mut scene = Scene::people(vec![viewer(Gender::Female, 25.0, 32.0)]);
    scene.subject = Some(subject(&[("Automotive", 0.8)], &[]));
    let decision = decide(&catalogue, &scene.situation());
    assert_eq!(order(&decision), ["women", "cars", "anyone", "slate"]);
    let bases: Vec<Basis> = decision.choices.iter().map(|choice| choice.basis).collect();
    assert_eq!(bases, [Basis::Profile, Basis::Subject, Basis::Schedule, Basis::House]);
    assert_eq!(decision.no_profile, None);
    assert_eq!(reasons(&decision, "men"), ["audience"]);
}

#[test]
fn without_consent_the_subject_decides_and_the_reason_is_said() {
    for reason in NoProfile::ALL {
        let scene = Scene { audience: Err(reason), ..Scene::about(&[("Automotive", 0.8)]) };
        let decision = decide(&everything(), &scene.situation());
        assert_eq!(order(&decision), ["cars", "anyone", "slate"]);
        assert_eq!(decision.no_profile, Some(reason));
        assert_eq!(decision.best().unwrap().why, format!("by subject: Automotive (no profile: {reason})"));
        assert_eq!(reasons(&decision, "women"), ["no-profile"]);
    }
}

#[test]
fn nobody_in_view_is_no_profile() {
    let decision = decide(&everything(), &Scene::people(Vec::new()).situation());
    assert_eq!(decision.no_profile, Some(NoProfile::Nobody));
    assert_eq!(order(&decision), ["anyone", "slate"]);
}

#[test]
fn a_permit_lets_only_as_many_people_in_as_agreed() {
    let people = || vec![viewer(Gender::Male, 30.0, 35.0), viewer(Gender::Female, 30.0, 35.0)];
    let strict = permit::<Personalisation>(Some(&stamp(1, Policy::Strict)), 2, 0);
    assert_eq!(strict.unwrap_err(), Refusal::MoreFacesThanGrants);
    let nearest = permit(Some(&stamp(1, Policy::Nearest)), 2, 0).unwrap();
    let audience = ConsentedAudience::new(&nearest, people());
    assert_eq!((audience.people(), audience.epoch()), (1, 7));
    let scene = Scene { audience: Ok(audience), ..Scene::default() };
    assert_eq!(reasons(&decide(&everything(), &scene.situation()), "women"), ["audience"]);

    let mut measured = stamp(2, Policy::Strict);
    measured.purposes = measured.purposes.without(Purpose::Personalisation);
    assert_eq!(
        permit::<Personalisation>(Some(&measured), 2, 0).unwrap_err(),
        Refusal::Purpose(Purpose::Personalisation)
    );
}

#[test]
fn ages_match_by_how_much_of_the_estimate_lies_in_the_range() {
    let catalogue = catalogue(&campaign("c", "target = { age = \"20-45\" }"));
    let mut fits = Vec::new();
    for (low, high) in [(25.0, 35.0), (40.0, 46.0), (40.0, 52.0), (40.0, 53.0), (46.0, 60.0), (30.0, 30.0)] {
        let scene = Scene::people(vec![viewer(Gender::Female, low, high)]);
        fits.push(!decide(&catalogue, &scene.situation()).choices.is_empty());
    }
    assert_eq!(fits, [true, true, true, false, false, true], "half of the interval must lie in 20 to 46");
}

#[test]
fn an_unknown_attribute_never_matches_a_wanted_one() {
    let unknown = Viewer { weight: 5.0, ..Viewer::default() };
    for target in ["gender = \"female\"", "gender = \"male\"", "age = \"18-120\"", "emotion = \"happy\""] {
        let catalogue = catalogue(&campaign("c", &format!("target = {{ {target} }}")));
        let decision = decide(&catalogue, &Scene::people(vec![unknown.clone()]).situation());
        assert_eq!(reasons(&decision, "c"), ["audience"], "{target}");
    }
}

#[test]
fn numbers_that_are_none_match_nobody_and_do_no_harm() {
    let catalogue = catalogue(&campaign("c", "target = { age = \"20-45\", gender = \"female\" }"));
    for (low, high, sure, weight) in [
        (f64::NAN, 30.0, 0.9, 5.0),
        (f64::NEG_INFINITY, f64::INFINITY, 0.9, 5.0),
        (40.0, 30.0, 0.9, 5.0),
        (25.0, 30.0, f64::NAN, 5.0),
        (25.0, 30.0, 0.9, f64::NAN),
        (25.0, 30.0, 0.9, -1.0),
        (25.0, 30.0, 0.9, 0.0),
    ] {
        let person =
            Viewer { age: age(low, high), gender: Some((Gender::Female, sure)), emotion: None, weight };
        let decision = decide(&catalogue, &Scene::people(vec![person]).situation());
        assert_eq!(reasons(&decision, "c"), ["audience"], "{low} {high} {sure} {weight}");
    }
}

#[test]
fn of_several_people_the_share_of_watched_time_counts() {
    let women = "target = { gender = \"female\" }";
    let men = "target = { gender = \"male\" }";
    let catalogue = catalogue(&(campaign("women", women) + &campaign("men", men)));
    let mut man = viewer(Gender::Male, 30.0, 35.0);
    let woman = viewer(Gender::Female, 30.0, 35.0);
    let decision = decide(&catalogue, &Scene::people(vec![woman.clone(), man.clone()]).situation());
    assert_eq!(order(&decision), ["men", "women"], "equal: by id");
    man.weight = 2.0;
    let decision = decide(&catalogue, &Scene::people(vec![woman.clone(), man.clone()]).situation());
    assert_eq!(order(&decision), ["women", "men"]);
    man.weight = 1.0;
    let decision = decide(&catalogue, &Scene::people(vec![woman, man]).situation());
    assert_eq!(order(&decision), ["women"], "less than a quarter of the time is too little");
}

#[test]
fn emotions_match_any_of_those_wanted() {
    let catalogue = catalogue(&campaign("c", "target = { emotion = [\"happy\", \"surprised\"] }"));
    let person = viewer(Gender::Male, 30.0, 35.0);
    let decision = decide(&catalogue, &Scene::people(vec![happy(person.clone())]).situation());
    assert_eq!(decision.best().unwrap().why, "by profile: wants happy or surprised");
    let sad = Viewer { emotion: Some((Emotion::Sad, 0.9)), ..person };
    assert_eq!(reasons(&decide(&catalogue, &Scene::people(vec![sad]).situation()), "c"), ["audience"]);
}

#[test]
fn subjects_match_by_id_or_by_name_in_any_case_and_the_main_one_fits_best() {
    let catalogue = catalogue(
        &(campaign("by-id", "target = { subjects = [\"id-1\"] }")
            + &campaign("by-name", "target = { subjects = [\"AUTOmotive\"] }")
            + &campaign("other", "target = { subjects = [\"Pets\"] }")),
    );
    let decision = decide(
        &catalogue,
        &Scene::about(&[("Automotive", 0.6), ("Travel", 0.3), ("Pets", 0.09)]).situation(),
    );
    assert_eq!(order(&decision), ["by-name", "by-id"]);
    assert_eq!(reasons(&decision, "other"), ["subject"], "9 % is not what the programme is about");
    let decision = decide(&catalogue, &Scene::default().situation());
    assert_eq!(reasons(&decision, "other"), ["subject-unknown"]);
}

#[test]
fn excluded_subjects_and_safety_flags_keep_a_campaign_away() {
    let catalogue = catalogue(&campaign(
        "c",
        "target = { subjects = [\"Sports\"], exclude_subjects = [\"boxing\"], exclude_safety = [\"Weapons\"] }",
    ));
    let codes = |classes: &[(&str, f64)], safety: &[&str]| {
        let scene = Scene { subject: Some(subject(classes, safety)), ..Scene::default() };
        reasons(&decide(&catalogue, &scene.situation()), "c")
            .iter()
            .map(|c| (*c).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(codes(&[("Sports", 0.9)], &[]).is_empty());
    assert!(codes(&[("Sports", 0.9), ("Boxing", 0.01)], &[]).is_empty(), "hardly there");
    assert_eq!(codes(&[("Sports", 0.9), ("Boxing", 0.05)], &[]), ["excluded-subject"]);
    assert_eq!(codes(&[("Sports", 0.9), ("Boxing", f64::NAN)], &[]), ["excluded-subject"]);
    assert_eq!(codes(&[("Sports", 0.9)], &["weapons"]), ["brand-safety"]);
}

#[test]
fn dayparts_cross_midnight_on_the_day_they_began() {
    let catalogue =
        catalogue(&campaign("c", "daypart = { days = [\"fri\"], from = \"22:00\", to = \"02:00\" }"));
    for (time, plays) in [
        ("2026-11-27T21:59:59", false),
        ("2026-11-27T22:00:00", true),
        ("2026-11-28T01:59:59", true),
        ("2026-11-28T02:00:00", false),
        ("2026-11-28T23:00:00", false),
        ("2026-11-27T01:00:00", false),
    ] {
        let scene = Scene { now: at(&format!("{time}+01:00[+01:00]")), ..Scene::default() };
        assert_eq!(!decide(&catalogue, &scene.situation()).choices.is_empty(), plays, "{time}");
    }
}

#[test]
fn the_first_and_the_last_day_are_included() {
    let catalogue = catalogue(&campaign("c", "start = 2026-11-23\nend = 2026-11-24"));
    for (time, codes) in [
        ("2026-11-22T23:59:59", &["not-yet"][..]),
        ("2026-11-23T00:00:00", &[]),
        ("2026-11-24T23:59:59", &[]),
        ("2026-11-25T00:00:00", &["over"]),
    ] {
        let scene = Scene { now: at(&format!("{time}-05:00[-05:00]")), ..Scene::default() };
        assert_eq!(reasons(&decide(&catalogue, &scene.situation()), "c"), codes, "{time}");
    }
}

#[test]
fn a_frequency_cap_counts_plays_and_what_is_planned() {
    let catalogue = catalogue(&campaign("c", "frequency_cap = { plays = 2, per = \"1h\" }"));
    let mut scene = Scene::default();
    let now = scene.now.timestamp().as_second();
    let played = |seconds: &[i64]| Played(seconds.iter().map(|s| (creative("c", "a"), now - s)).collect());
    scene.history = played(&[3601, 1800]);
    assert!(reasons(&decide(&catalogue, &scene.situation()), "c").is_empty(), "one of them is too long ago");
    scene.planned = vec![creative("c", "a")];
    assert_eq!(reasons(&decide(&catalogue, &scene.situation()), "c"), ["frequency-cap"]);
    scene.planned.clear();
    scene.history = played(&[3600, 1800]);
    assert_eq!(reasons(&decide(&catalogue, &scene.situation()), "c"), ["frequency-cap"]);
}

#[test]
fn creatives_take_turns_and_those_that_failed_or_are_too_long_are_left_out() {
    let catalogue = catalogue(
        "[[campaign]]\nid = \"c\"\nadvertiser = \"A\"\n\
         creative = [{ id = \"x\", uri = \"http://h/x\", duration = \"30s\" },\n\
         { id = \"y\", uri = \"http://h/y\", duration = 10 }, { id = \"z\", uri = \"http://h/z\" }]\n",
    );
    let turn = |scene: &Scene| -> Vec<String> {
        decide(&catalogue, &scene.situation()).choices.iter().map(|c| c.creative.id.clone()).collect()
    };
    let mut scene = Scene::default();
    assert_eq!(turn(&scene), ["x", "y", "z"]);
    scene.history = Played(vec![(creative("c", "x"), 100), (creative("c", "y"), 50)]);
    assert_eq!(turn(&scene), ["z", "y", "x"]);
    scene.planned = vec![creative("c", "z")];
    assert_eq!(turn(&scene), ["y", "x", "z"]);
    scene.slot.remaining = Some(Duration::from_secs(10));
    assert_eq!(turn(&scene), ["y", "z"], "a length that is not known is tried");
    scene.excluded = vec![creative("c", "z"), creative("c", "y")];
    let decision = decide(&catalogue, &scene.situation());
    assert_eq!(reasons(&decision, "c"), ["too-long"]);
    scene.excluded.push(creative("c", "x"));
    let decision = decide(&catalogue, &scene.situation());
    assert_eq!(reasons(&decision, "c"), ["creatives-failed"]);
}

#[test]
fn an_advertiser_does_not_follow_itself_while_another_can() {
    let catalogue =
        catalogue(&(campaign("a", "weight = 9") + &campaign("b", "") + &campaign("h", "house = true")));
    let mut scene = Scene::default();
    scene.slot.position = 1;
    scene.slot.previous_advertiser = Some("of a".to_owned());
    assert_eq!(order(&decide(&catalogue, &scene.situation())), ["b", "a", "h"]);
}

#[test]
fn weight_scales_the_score_and_ties_go_by_id() {
    let catalogue = catalogue(&(campaign("b", "") + &campaign("a", "") + &campaign("heavy", "weight = 1.5")));
    assert_eq!(order(&decide(&catalogue, &Scene::default().situation())), ["heavy", "a", "b"]);
}

#[test]
fn every_reason_that_applies_is_given() {
    let catalogue = catalogue(&campaign(
        "c",
        "end = 2020-01-01\nstart = 2019-01-01\nfrequency_cap = { plays = 1, per = \"1d\" }\n\
         target = { gender = \"female\", subjects = [\"Pets\"] }",
    ));
    let scene = Scene { planned: vec![creative("c", "a")], ..Scene::default() };
    let decision = decide(&catalogue, &scene.situation());
    assert_eq!(reasons(&decision, "c"), ["over", "frequency-cap", "no-profile", "subject-unknown"]);
}

#[test]
fn nothing_that_is_printed_shows_an_attribute_of_a_person() {
    let catalogue = catalogue(&campaign("c", "target = { age = \"20-45\" }"));
    let person = happy(viewer(Gender::Female, 27.0, 31.0));
    let scene = Scene::people(vec![person.clone()]);
    let decision = decide(&catalogue, &scene.situation());
    let printed = format!("{person:?} {:?} {:?} {decision:?}", scene.audience, person.age);
    for attribute in ["emale", "appy", "27", "29", "31", "0.95", "0.8"] {
        assert!(!printed.contains(attribute), "{attribute} is in {printed}");
    }
    // Two audiences that fit alike, one of another gender: not told apart by anything public.
    let other = decide(&catalogue, &Scene::people(vec![viewer(Gender::Male, 27.0, 31.0)]).situation());
    assert_eq!(format!("{decision:?}"), format!("{other:?}"));
}

#[test]
fn an_explanation_says_how_each_viewer_fits() {
    let catalogue = everything();
    let people = vec![viewer(Gender::Female, 25.0, 32.0), viewer(Gender::Male, 60.0, 70.0)];
    let scene =
        Scene { audience: Ok(consented(people)), ..Scene::about(&[("Automotive", 0.5), ("Pets", 0.2)]) };
    let explanation = explain(&catalogue, &scene.situation());
    let women = explanation.campaigns.iter().find(|c| c.campaign == "women").unwrap();
    assert_eq!((women.outcome, women.wants.as_str()), ("eligible", "female, age 20–45"));
    let fits: Vec<_> = women.viewers.iter().map(|v| (v.age, v.gender, v.total, v.share)).collect();
    assert_eq!(fits, [(Some(1.0), Some(0.95), 0.95, 0.5), (Some(0.0), Some(0.0), 0.0, 0.5)]);
    let cars = explanation.campaigns.iter().find(|c| c.campaign == "cars").unwrap();
    assert_eq!((cars.outcome, cars.subject_fit, cars.score), ("chosen", Some(1.0), Some(2.0)));
}
