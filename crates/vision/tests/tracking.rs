//! One id per person: photographs that are moved, hidden and shaken, through the real detector. Run with `--nocapture` for
//! the table in docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    onnx_runtime,
    scene::{Followed, HEIGHT, Path, Rate, Scene, WIDTH, analyzer, follow, path, photographs},
};

const FILM: Rate = Rate { fps: 25.0, every: 1, dropped: 0.0 };
const USUAL: Rate = Rate { fps: 30.0, every: 3, dropped: 0.0 };

/// Walks along a line: where from, how fast, how large.
fn walks(x: f64, y: f64, speed: f64, side: f64) -> Path {
    path(move |t| Some((x + speed * t, y, side)))
}

fn stands(x: f64, y: f64, side: f64) -> Path {
    walks(x, y, 0.0, side)
}

fn run(name: &str, scene: &Scene, rates: &[Rate]) -> Option<Vec<Followed>> {
    if !onnx_runtime() {
        return None;
    }
    let analyzer = analyzer()?;
    let photographs = photographs(&analyzer, scene.people.len())?;
    let result: Vec<Followed> =
        rates.iter().map(|rate| follow(&analyzer, &photographs, scene, *rate)).collect();
    for (rate, followed) in rates.iter().zip(&result) {
        println!("| {name} | {} | {} | {:.0} % | {followed:?} |", rate.fps, rate.every, rate.dropped * 100.0);
    }
    Some(result)
}

/// Everybody keeps one id, nobody is lost in full view, and everybody is told of within five frames.
fn all_followed(name: &str, scene: &Scene, rates: &[Rate]) {
    for followed in run(name, scene, rates).unwrap_or_default() {
        let people = scene.people.len();
        assert_eq!((followed.ids, followed.switches, followed.swaps), (people, 0, 0), "{followed:?}");
        assert_eq!(followed.fragments, 0, "{followed:?}");
        assert!(followed.latest <= 5, "{followed:?}");
    }
}

#[test]
fn two_people_who_cross_keep_their_ids_at_any_rate() {
    let scene = Scene::of(vec![walks(120.0, 180.0, 130.0, 110.0), walks(520.0, 176.0, -130.0, 110.0)], 3.0);
    let rates: Vec<Rate> = [(10.0, 1), (15.0, 1), (25.0, 1), (25.0, 3), (30.0, 3), (60.0, 3), (60.0, 6)]
        .map(|(fps, every)| Rate { fps, every, dropped: 0.0 })
        .into();
    all_followed("crossing", &scene, &rates);
}

#[test]
fn frames_that_are_dropped_or_come_unevenly_change_nothing() {
    let scene = Scene::of(vec![walks(120.0, 180.0, 130.0, 110.0), walks(520.0, 176.0, -130.0, 110.0)], 3.0);
    let rates = [Rate { fps: 30.0, every: 1, dropped: 0.4 }, Rate { fps: 30.0, every: 2, dropped: 0.3 }];
    all_followed("crossing, frames dropped", &scene, &rates);
}

#[test]
fn two_people_of_different_size_and_speed_cross() {
    let scene = Scene::of(vec![walks(80.0, 170.0, 200.0, 90.0), walks(480.0, 190.0, -70.0, 170.0)], 2.6);
    all_followed("crossing, sizes and speeds", &scene, &[FILM, USUAL]);
}

#[test]
fn one_who_is_wholly_hidden_behind_another_for_two_seconds_comes_out_with_the_same_id() {
    let scene = Scene::of(vec![walks(60.0, 170.0, 110.0, 80.0), walks(230.0, 180.0, 15.0, 175.0)], 5.0);
    all_followed("hidden behind a person", &scene, &[FILM, USUAL]);
}

#[test]
fn one_who_passes_behind_a_pillar_for_two_seconds_keeps_the_id() {
    let mut scene = Scene::of(vec![walks(80.0, 180.0, 85.0, 110.0)], 6.0);
    // 170 px and a face of 66: out of full view for 2.8 s, out of sight for 2.
    scene.bar = Some((220.0, 390.0));
    all_followed("hidden behind a pillar", &scene, &[FILM, USUAL]);
}

#[test]
fn two_people_who_pass_behind_a_pillar_from_both_sides_keep_their_ids() {
    let people = vec![walks(100.0, 180.0, 110.0, 110.0), walks(540.0, 172.0, -110.0, 110.0)];
    let mut scene = Scene::of(people, 4.0);
    scene.bar = Some((250.0, 390.0));
    all_followed("crossing behind a pillar", &scene, &[FILM, USUAL]);
}

#[test]
fn one_who_waits_behind_a_pillar_and_turns_back_keeps_the_id() {
    let there_and_back = |t: f64| {
        let x = if t < 2.0 { 80.0 + 110.0 * t } else { (300.0 - 110.0 * (t - 2.9).max(0.0)).max(80.0) };
        Some((x, 180.0, 110.0))
    };
    let mut scene = Scene::of(vec![path(there_and_back)], 5.0);
    scene.bar = Some((250.0, 390.0));
    all_followed("turning back behind a pillar", &scene, &[FILM, USUAL]);
}

#[test]
fn a_shaking_camera_mixes_nobody_up() {
    let mut scene = Scene::of(
        vec![stands(160.0, 170.0, 100.0), stands(320.0, 190.0, 100.0), stands(480.0, 170.0, 100.0)],
        3.0,
    );
    scene.shake = |t| {
        let swing = |hertz: f64, phase: f64| (t * hertz * std::f64::consts::TAU + phase).sin();
        (14.0 * swing(3.1, 0.0) + 8.0 * swing(7.3, 1.0), 12.0 * swing(4.3, 2.0) + 6.0 * swing(8.9, 0.5))
    };
    all_followed("shaking camera", &scene, &[FILM, USUAL]);
}

#[test]
fn a_group_that_walks_through_another_keeps_its_ids() {
    let people = vec![
        walks(90.0, 110.0, 120.0, 90.0),
        walks(40.0, 250.0, 120.0, 100.0),
        walks(560.0, 140.0, -110.0, 95.0),
        walks(600.0, 230.0, -125.0, 110.0),
    ];
    all_followed("two groups", &Scene::of(people, 4.0), &[FILM, USUAL]);
}

#[test]
fn people_come_and_go_each_with_an_id_of_their_own() {
    let width = f64::from(WIDTH);
    let during = move |from: f64, to: f64, x: f64, speed: f64| {
        path(move |t| (t >= from && t < to).then_some((x + speed * (t - from), 180.0, 110.0)))
    };
    let people = vec![
        during(0.0, 2.4, 320.0, 180.0),
        // Enters where the first left, half a second later.
        during(2.6, 6.0, width + 50.0, -150.0),
        during(1.0, 6.0, -60.0, 40.0),
    ];
    all_followed("coming and going", &Scene::of(people, 5.0), &[FILM, USUAL]);
}

#[test]
fn one_who_comes_back_after_three_seconds_is_somebody_new() {
    let height = f64::from(HEIGHT);
    let there = move |t: f64| (!(1.0..4.2).contains(&t)).then_some((320.0, height / 2.0, 120.0));
    for followed in run("coming back", &Scene::of(vec![path(there)], 5.2), &[FILM, USUAL]).unwrap_or_default()
    {
        assert_eq!((followed.ids, followed.switches, followed.fragments), (2, 1, 0), "{followed:?}");
    }
}
