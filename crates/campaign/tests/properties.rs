//! What holds for every catalogue, audience, subject and history.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Played, Scene, catalogue, consented, creative, subject};
use facialads_campaign::{
    AgeEstimate, Catalogue, Emotion, Gender, History as _, NoProfile, Outcome, Viewer, decide,
};
use proptest::{prelude::*, sample::select};

const SUBJECTS: &[&str] = &["Sports", "Pets", "Automotive", "Travel"];
const FLAGS: &[&str] = &["weapons", "alcohol"];

fn target() -> impl Strategy<Value = String> {
    let word = |key: &'static str, words: &'static [&'static str]| {
        proptest::option::of(select(words)).prop_map(move |w| w.map(|w| format!("{key} = [\"{w}\"]")))
    };
    (
        proptest::option::of(
            (18u8..60, 0u8..50).prop_map(|(min, more)| format!("age = \"{min}-{}\"", min + more)),
        ),
        proptest::option::of(
            select(&["female", "male", "any"][..]).prop_map(|g| format!("gender = \"{g}\"")),
        ),
        word("emotion", Emotion::NAMES),
        // Wanted and excluded are drawn from different halves: both at once is refused by the loader.
        word("subjects", &SUBJECTS[..2]),
        word("exclude_subjects", &SUBJECTS[2..]),
        word("exclude_safety", FLAGS),
    )
        .prop_map(|(age, gender, emotion, wanted, excluded, safety)| {
            let parts: Vec<String> =
                [age, gender, emotion, wanted, excluded, safety].into_iter().flatten().collect();
            format!("target = {{ {} }}", parts.join(", "))
        })
}

fn catalogues() -> impl Strategy<Value = Catalogue> {
    let one = (
        prop_oneof![3 => target(), 1 => Just("house = true".to_owned()), 1 => Just(String::new())],
        1u32..5,
        proptest::option::of(1u32..4),
        prop_oneof![Just(""), Just("daypart = { days = \"mon-thu\", from = \"18:00\", to = \"03:00\" }")],
        1usize..3,
    );
    proptest::collection::vec(one, 0..8).prop_map(|campaigns| {
        let text: String = campaigns
            .into_iter()
            .enumerate()
            .map(|(index, (target, weight, cap, daypart, creatives))| {
                let cap = cap.map(|n| format!("frequency_cap = {{ plays = {n}, per = \"1h\" }}")).unwrap_or_default();
                let creatives: String = (0..creatives)
                    .map(|c| format!("[[campaign.creative]]\nid = \"{c}\"\nuri = \"http://h/{c}\"\nduration = {}\n", c * 20 + 10))
                    .collect();
                format!(
                    "[[campaign]]\nid = \"c{index}\"\nadvertiser = \"{}\"\nweight = {weight}\n{cap}\n{daypart}\n{target}\n{creatives}",
                    index % 3
                )
            })
            .collect();
        catalogue(&text)
    })
}

fn viewers() -> impl Strategy<Value = Vec<Viewer>> {
    let number = || prop_oneof![8 => 0.0..1.0f64, 1 => Just(f64::NAN)];
    let one = (
        proptest::option::of((15.0..80.0f64, -1.0..20.0f64)),
        proptest::option::of((select(Gender::ALL), number())),
        proptest::option::of((select(Emotion::ALL), number())),
        prop_oneof![5 => 0.0..30.0f64, 1 => Just(f64::INFINITY)],
    )
        .prop_map(|(age, gender, emotion, weight)| Viewer {
            age: age.map(|(low, width)| AgeEstimate { years: low, low, high: low + width, confidence: 0.5 }),
            gender,
            emotion,
            weight,
        });
    proptest::collection::vec(one, 0..5)
}

fn scenes() -> impl Strategy<Value = Scene> {
    let classes = proptest::collection::vec((select(SUBJECTS), 0.0..1.0f64), 0..4);
    let flags = proptest::collection::vec(select(FLAGS), 0..2);
    let plays = proptest::collection::vec((0usize..8, 0usize..2, 0i64..7200), 0..20);
    (
        prop_oneof![viewers().prop_map(Ok), select(&NoProfile::ALL[..]).prop_map(Err)],
        proptest::option::of((classes, flags)),
        plays,
        proptest::collection::vec((0usize..8, 0usize..2), 0..4),
        proptest::collection::vec((0usize..8, 0usize..2), 0..3),
        proptest::option::of(5u64..40),
        0i64..168,
    )
        .prop_map(|(people, about, plays, excluded, planned, remaining, hour)| {
            let named = |(c, v): (usize, usize)| creative(&format!("c{c}"), &v.to_string());
            let mut scene = Scene { audience: people.map(consented), ..Scene::default() };
            scene.now = scene.now.checked_add(jiff::SignedDuration::from_hours(hour)).unwrap();
            let now = scene.now.timestamp().as_second();
            scene.subject = about.map(|(classes, flags)| subject(&classes, &flags));
            scene.history = Played(plays.into_iter().map(|(c, v, ago)| (named((c, v)), now - ago)).collect());
            scene.excluded = excluded.into_iter().map(named).collect();
            scene.planned = planned.into_iter().map(named).collect();
            scene.slot.remaining = remaining.map(std::time::Duration::from_secs);
            scene
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn a_decision_keeps_its_promises(catalogue in catalogues(), scene in scenes()) {
        let situation = scene.situation();
        let decision = decide(&catalogue, &situation);

        // Pure: the same again.
        prop_assert_eq!(&decision, &decide(&catalogue, &situation));

        // Exactly one verdict for each campaign, one of them "chosen" unless there is no choice.
        let ids: Vec<&str> = catalogue.campaigns().iter().map(|c| c.id.as_str()).collect();
        let judged: Vec<&str> = decision.verdicts.iter().map(|v| v.campaign.as_str()).collect();
        prop_assert_eq!(ids, judged);
        let chosen: Vec<&str> = decision.verdicts.iter()
            .filter(|v| matches!(v.outcome, Outcome::Chosen { .. })).map(|v| v.campaign.as_str()).collect();
        prop_assert_eq!(chosen, decision.best().map(|best| best.campaign.as_str()).into_iter().collect::<Vec<_>>());

        for verdict in &decision.verdicts {
            let offered = decision.choices.iter().any(|choice| choice.campaign == verdict.campaign);
            match &verdict.outcome {
                Outcome::Refused(reasons) => prop_assert!(!offered && !reasons.is_empty()),
                _ => prop_assert!(offered),
            }
        }

        for choice in &decision.choices {
            let campaign = catalogue.campaign(&choice.campaign).unwrap();
            let profile = situation.audience.is_ok_and(|audience| audience.people() > 0);
            prop_assert!(profile || !campaign.target.wants_people(), "people were targeted without an audience");
            if let Some(view) = &scene.subject {
                for class in view.classes.iter().filter(|class| class.confidence >= 0.05) {
                    let excluded = campaign.target.exclude_subjects.iter().any(|s| s.matches(&class.id, &class.name));
                    prop_assert!(!excluded, "beside an excluded subject");
                }
                prop_assert!(!campaign.target.exclude_safety.iter().any(|flag| view.safety.contains(flag)));
            }
            if let Some(cap) = campaign.frequency_cap {
                let since = scene.now.timestamp().checked_sub(jiff::SignedDuration::try_from(cap.per).unwrap()).unwrap();
                let planned = scene.planned.iter().filter(|p| p.campaign == campaign.id).count() as u32;
                prop_assert!(scene.history.plays(&campaign.id, since) + planned < cap.plays, "over its cap");
            }
            prop_assert!(!scene.excluded.contains(&choice.creative_ref()), "a creative that failed");
            if let (Some(remaining), Some(duration)) = (scene.slot.remaining, choice.creative.duration) {
                prop_assert!(duration <= remaining, "longer than the break");
            }
        }

        // House campaigns come last.
        let houses: Vec<bool> =
            decision.choices.iter().map(|c| catalogue.campaign(&c.campaign).unwrap().house).collect();
        prop_assert!(houses.is_sorted());
    }

    #[test]
    fn reading_campaigns_never_panics_and_places_lie_in_the_file(text in "(\\[\\[campaign\\]\\]|\\[campaign.target\\]|id|age|weight|daypart|creative|=|\"|'|[0-9]|\\{|\\}|\\[|\\]|,|\n| |\t|é|\u{1F600}|mon-fri|\\\\u00e9|true){0,40}") {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, &text).unwrap();
        let loaded = Catalogue::inspect(&[&file]);
        let lines = text.split('\n').count();
        for found in &loaded.diagnostics {
            prop_assert!((1..=lines).contains(&found.line), "{found}");
            let line = text.split('\n').nth(found.line - 1).unwrap();
            prop_assert!((1..=line.chars().count() + 1).contains(&found.column), "{found} in {line:?}");
        }
    }
}
