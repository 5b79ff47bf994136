//! Walkers without pictures: noise, misses and false alarms, at several rates, and how often ids are mixed up.

use super::*;
use crate::face::ids::Ids;
use proptest::prelude::*;
use std::collections::BTreeMap;

const WHOLE: Rect = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

/// SplitMix64: the same walk every time.
struct Random(u64);

impl Random {
    /// 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.next()
    }
    /// Near enough to normal with deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Somebody who walks to and fro with a pace of their own, in a row of their own.
struct Walker {
    centre: f64,
    reach: f64,
    hertz: f64,
    phase: f64,
    y: f64,
    side: f64,
}

impl Walker {
    fn at(&self, t: f64) -> Rect {
        let x = self.centre + self.reach * (std::f64::consts::TAU * self.hertz * t + self.phase).sin();
        let (w, h) = (self.side * 0.56, self.side);
        Rect::new((x - w / 2.0) as f32, (self.y - h / 2.0) as f32, w as f32, h as f32)
    }
}

/// Ids told per walker; seconds of 20 s; detection `rate` times a second.
fn run(seed: u64, rate: f64, missed: f64, walkers: usize) -> (usize, usize) {
    let mut random = Random(seed);
    let people: Vec<Walker> = (0..walkers)
        .map(|i| Walker {
            centre: random.between(0.4, 0.6),
            reach: random.between(0.15, 0.3),
            hertz: random.between(0.04, 0.1),
            phase: random.between(0.0, 6.3),
            y: 0.3 + 0.08 * i as f64,
            side: random.between(0.12, 0.2),
        })
        .collect();
    let mut tracker = Tracker::new(Ids::new(Some(seed)), Duration::from_millis(2500));
    let mut last: BTreeMap<usize, i32> = BTreeMap::new();
    let (mut switches, mut alarms) = (0, 0);
    for step in 0..(20.0 * rate) as u32 {
        let t = f64::from(step) / rate;
        let mut seen: Vec<(Option<usize>, Observation)> = Vec::new();
        for (index, person) in people.iter().enumerate() {
            let truth = person.at(t);
            // Who is nearer (later in the list) hides those behind.
            let hidden = people[index + 1..].iter().any(|other| other.at(t).iou(&truth) > 0.3);
            if hidden || random.next() < missed {
                continue;
            }
            let jitter = |random: &mut Random, size: f32| size * 0.03 * random.normal() as f32;
            let bounds = Rect::new(
                truth.x + jitter(&mut random, truth.width),
                truth.y + jitter(&mut random, truth.height),
                truth.width * (1.0 + jitter(&mut random, 1.0)),
                truth.height * (1.0 + jitter(&mut random, 1.0)),
            );
            seen.push((Some(index), Observation { bounds, confidence: 0.9, points: None }));
        }
        // One in two seconds.
        if random.next() < 0.5 / rate {
            let bounds = Rect::new(random.next() as f32 * 0.9, random.next() as f32 * 0.9, 0.08, 0.15);
            seen.push((None, Observation { bounds, confidence: 0.75, points: None }));
        }
        let now = Duration::from_secs_f64(t);
        let detections: Vec<Observation> = seen.iter().map(|(_, found)| *found).collect();
        tracker.update(&detections, 0.7, &WHOLE, now);
        for (person, found) in &seen {
            let owner = tracker.visible(now).find(|track| track.last_bounds() == found.bounds);
            match (person, owner) {
                (Some(person), Some(track)) => {
                    switches += usize::from(last.insert(*person, track.id).is_some_and(|id| id != track.id));
                }
                (None, Some(_)) => alarms += 1,
                _ => {}
            }
        }
    }
    (switches, alarms)
}

#[test]
fn ids_hold_through_noise_misses_and_false_alarms() {
    for (rate, missed, most) in [(30.0, 0.1, 8), (10.0, 0.1, 10), (10.0, 0.3, 24), (5.0, 0.1, 10)] {
        let runs: Vec<(usize, usize)> = (0..40).map(|seed| run(seed, rate, missed, 4)).collect();
        let switches: usize = runs.iter().map(|r| r.0).sum();
        let alarms: usize = runs.iter().map(|r| r.1).sum();
        println!(
            "| {rate} Hz | {:.0} % missed | {switches} switches in 160 walks of 20 s | {alarms} alarms told |",
            missed * 100.0
        );
        assert!(switches <= most, "{rate} Hz, {missed} missed: {switches}");
    }
}

proptest! {
    /// Whatever a detector says: no panic, ids are never used twice at once, places stay numbers.
    #[test]
    fn anything_may_come(
        frames in proptest::collection::vec(
            (0..4000_u64, proptest::collection::vec((-0.5..1.5_f32, -0.5..1.5_f32, 1e-4..2.0_f32, 1e-4..2.0_f32, 0.0..1.0_f32), 0..12)),
            0..20,
        ),
    ) {
        let mut tracker = Tracker::new(Ids::new(Some(3)), Duration::from_secs(2));
        for (ms, faces) in frames {
            let faces: Vec<Observation> = faces
                .into_iter()
                .map(|(x, y, w, h, confidence)| Observation { bounds: Rect::new(x, y, w, h), confidence, points: None })
                .collect();
            let now = Duration::from_millis(ms);
            tracker.update(&faces, 0.7, &WHOLE, now);
            let mut ids: Vec<i32> = tracker.alive(now).map(|track| track.id).collect();
            let told = tracker.visible(now).count();
            prop_assert!(told <= ids.len());
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), tracker.alive(now).count());
            for track in tracker.alive(now) {
                prop_assert!(track.at(now + Duration::from_secs(2)).is_proper());
            }
        }
    }
}
