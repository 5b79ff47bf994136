//! What is known of the people in view.

use super::{Allowed, FaceAnalyzer};
use crate::face::{
    TrackedFace, Verdict,
    fusion::{Demographics as FusedDemographics, Feelings},
    tracker::Track,
};
use facialads_consent::{Measurement, Permit, Personalisation};
use std::time::Duration;

impl FaceAnalyzer {
    /// Faces in the zone now (as of the last detection, less those gone missing): what `permit` wants to know.
    pub fn count(&self, now: Duration) -> usize {
        self.people().tracker.alive(now).count()
    }

    /// The faces in the zone, where they are expected to be at `now`, largest first. Attributes only of as many of the
    /// largest faces as the permits allow, and never of one that may be a minor's.
    pub fn faces(&self, permit: &Permit<Measurement>, allowed: &Allowed, now: Duration) -> Vec<TrackedFace> {
        let people = self.people();
        if !people.is_current(permit.epoch()) {
            return Vec::new();
        }
        let (for_demographics, for_emotion) = people.limits(allowed);
        let shown: Vec<i32> = people.tracker.visible(now).map(|track| track.id).collect();
        let tell = |(rank, track): (usize, Track)| {
            let bounds = track.at(now).clipped(1.0, 1.0);
            if !bounds.is_proper() || !shown.contains(&track.id) {
                return None;
            }
            let person = people.known(track.id).filter(|person| person.may_be_described(allowed));
            let demographics = person.filter(|_| rank < for_demographics).map(|p| &p.demographics);
            let feelings = person.filter(|_| rank < for_emotion).map(|p| &p.feelings);
            Some(TrackedFace {
                id: track.id,
                bounds,
                confidence: track.confidence,
                age: demographics.and_then(|d| d.age(&self.describer.calibration)),
                gender: demographics.and_then(FusedDemographics::gender),
                emotion: feelings.and_then(Feelings::emotion),
                points: track.points_at(now),
                attention: track.attention(now),
            })
        };
        people.by_size(now).into_iter().enumerate().filter_map(tell).collect()
    }

    /// Whether these people may be targeted by profile at `now`: as many of the largest faces as the permit allows must all
    /// have passed the minors' rule, and no face in the zone may have failed it in the last 30 s.
    pub fn targeting(
        &self,
        permit: Option<&Permit<Personalisation>>,
        adult_declared: bool,
        now: Duration,
    ) -> Verdict {
        let mut people = self.people();
        people.renew_hold(now);
        let Some(permit) = permit.filter(|p| people.is_current(p.epoch())) else {
            return Verdict::NotPermitted;
        };
        if people.hold.active(now) {
            return Verdict::PossibleMinor;
        }
        let ranked = people.ranked(now);
        let passed = |id: i32| people.known(id).is_some_and(|p| p.standing.passes(adult_declared));
        // A face that was never seen well enough to be assessed has not passed.
        let verdict = if ranked.is_empty() {
            Verdict::Nobody
        } else if ranked.iter().take(permit.limit()).all(|face| passed(face.id)) {
            Verdict::Allowed
        } else {
            Verdict::Undecided
        };
        people.done_ranking(ranked);
        verdict
    }
}
