//! From the window to what a decision may know.

use super::{Window, seconds};
use facialads_campaign::{ConsentedAudience, NoProfile, Viewer};
use facialads_consent::{Personalisation, Refusal, WallClock, permit};
use facialads_meta::Targeting;
use facialads_splice::Time;
use std::collections::HashMap;

/// What the audience is at the time of a decision.
pub(in crate::adinsert) struct Judgement {
    /// How many different people were in view; `None` where nobody was looked at.
    pub people: Option<u32>,
    pub audience: Result<ConsentedAudience, NoProfile>,
    /// Digests of the receipts under which people are considered.
    pub receipts: Vec<String>,
    /// See [`Window::forgotten`].
    pub forgotten: u64,
}

impl Window {
    /// Judges what was seen in the `length` before running time `at`. The strictest verdict in it holds.
    pub fn judge(&self, at: Time, length: Time, now: WallClock) -> Judgement {
        let judged = |people, audience| Judgement {
            people,
            audience,
            receipts: Vec::new(),
            forgotten: self.forgotten,
        };
        if !self.linked {
            return judged(None, Err(NoProfile::NoCamera));
        }
        let from = at.saturating_sub(length);
        let seen: Vec<_> = self
            .observations
            .iter()
            .filter(|o| o.at <= at && o.at.saturating_add(o.duration) >= from)
            .collect();
        if self.closed || seen.is_empty() || self.stamp.is_none() {
            return judged(None, Err(NoProfile::NoConsent));
        }
        let mut people: HashMap<i32, (u64, Viewer)> = HashMap::new();
        for observation in &seen {
            for face in &observation.faces {
                let (area, viewer) = people.entry(face.track).or_insert_with(|| (0, Viewer::default()));
                let weight = viewer.weight + seconds(observation.duration);
                // The newest attributes that were known.
                *area = face.area;
                let newest = face.viewer.clone();
                *viewer = Viewer {
                    age: newest.age.or(viewer.age),
                    gender: newest.gender.or(viewer.gender),
                    emotion: newest.emotion.or(viewer.emotion),
                    weight,
                };
            }
        }
        let count = Some(u32::try_from(people.len()).unwrap_or(u32::MAX));
        let has = |targeting| seen.iter().any(|o| o.targeting == targeting);
        for (verdict, reason) in [
            (Targeting::PossibleMinor, NoProfile::PossibleMinor),
            (Targeting::NotPermitted, NoProfile::NotPermitted),
            (Targeting::Undecided, NoProfile::Undecided),
        ] {
            if has(verdict) {
                return judged(count, Err(reason));
            }
        }
        let most = seen.iter().map(|o| o.faces.len()).max().unwrap_or(0);
        let permit = match permit::<Personalisation>(self.stamp.as_ref(), most, now) {
            Ok(permit) => permit,
            Err(refusal) => return judged(count, Err(reason(refusal))),
        };
        if people.is_empty() {
            return judged(count, Err(NoProfile::Nobody));
        }
        let mut viewers: Vec<_> = people.into_values().collect();
        viewers.sort_by(|(a, va), (b, vb)| b.cmp(a).then(vb.weight.total_cmp(&va.weight)));
        let viewers = viewers.into_iter().map(|(_, viewer)| viewer).collect();
        Judgement {
            receipts: self.stamp.as_ref().map(|s| s.receipts.clone()).unwrap_or_default(),
            ..judged(count, Ok(ConsentedAudience::new(&permit, viewers)))
        }
    }
}

fn reason(refusal: Refusal) -> NoProfile {
    match refusal {
        Refusal::NoConsent => NoProfile::NoConsent,
        Refusal::Expired => NoProfile::Expired,
        Refusal::Purpose(_) | Refusal::Site(_) | Refusal::MoreFacesThanGrants => NoProfile::NotPermitted,
    }
}
