//! What is written beside a face and in the strips at the edges.

use facialads_consent::{Basis, Stamp, WallClock};
use facialads_meta::{Audience, Class, Face, event::Running};
use std::fmt::Write;

/// Which attributes may be shown on this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub demographics: bool,
    pub emotion: bool,
}

/// The label of a face: its track id, then one line for each kind of attribute that is known and may be shown.
pub fn face(face: &Face, shown: Shown) -> String {
    let mut label = format!("#{}", face.id);
    if shown.demographics {
        if let Some(age) = &face.age {
            let _ = write!(label, "  {:.0}–{:.0} years", age.low.max(0.0), age.high.max(0.0));
        }
        if let Some(gender) = &face.gender {
            let _ = write!(label, "\n{}", class(gender.value.name(), gender.confidence));
        }
    }
    if shown.emotion
        && let Some(emotion) = &face.emotion
    {
        let _ = write!(label, "\n{}", class(emotion.value.name(), emotion.confidence));
    }
    label
}

fn class(name: &str, confidence: f64) -> String {
    format!("{name} {:.0} %", (confidence * 100.0).clamp(0.0, 100.0))
}

/// The state of consent, and of the audience as a whole.
pub fn status(stamp: Option<&Stamp>, valid: bool, audience: Option<&Audience>, now: WallClock) -> String {
    let mut line = match stamp {
        None => "consent: none on this picture".to_owned(),
        Some(stamp) if !valid => format!("consent withdrawn · epoch {}", stamp.epoch),
        Some(stamp) if stamp.max_faces == 0 || stamp.purposes.is_empty() => "consent closed".to_owned(),
        Some(stamp) if now >= stamp.expires => format!("consent expired · epoch {}", stamp.epoch),
        Some(stamp) => open(stamp, now),
    };
    if let Some(audience) = audience.filter(|_| valid) {
        let faces = if audience.faces == 1 { "face" } else { "faces" };
        let _ = write!(line, "\n{} {faces} · targeting: {}", audience.faces, audience.targeting.name());
    }
    line
}

fn open(stamp: &Stamp, now: WallClock) -> String {
    let purposes: Vec<_> = stamp.purposes.iter().map(facialads_consent::Purpose::name).collect();
    let basis = match stamp.basis {
        Basis::ViewerConsent => "consent open",
        Basis::PublishedContent => "published content",
    };
    let mut line = format!("{basis} · {} · epoch {}", purposes.join(" + "), stamp.epoch);
    if stamp.basis == Basis::ViewerConsent {
        let grants = if stamp.max_faces == 1 { "grant" } else { "grants" };
        let _ = write!(line, " · {} {grants}", stamp.max_faces);
    }
    // Years away means that it does not expire.
    if let Some(left) = time_left(stamp.expires.saturating_sub(now)) {
        let _ = write!(line, " · {left} left");
    }
    line
}

fn time_left(nanoseconds: u64) -> Option<String> {
    let seconds = nanoseconds.div_ceil(1_000_000_000);
    match seconds {
        0..3600 => Some(format!("{}:{:02}", seconds / 60, seconds % 60)),
        3600..86_400 => Some(format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60)),
        86_400..31_536_000 => Some(format!("{} days", seconds / 86_400)),
        _ => None,
    }
}

/// What is on air, what the programme is about, and why the last choice was made.
pub fn running(running: &Running) -> String {
    let mut lines = match (&running.campaign, &running.creative) {
        (None, None) => "programme".to_owned(),
        (campaign, creative) => {
            let names: Vec<_> = [campaign, creative].into_iter().flatten().map(String::as_str).collect();
            format!("on air: {}", names.join(" / "))
        }
    };
    if !running.subject.is_empty() {
        let _ = write!(lines, "\nsubject: {}", running.subject.join(", "));
    }
    // Most reasons begin with what they rest on.
    let why = if running.why.starts_with(&running.basis) {
        running.why.clone()
    } else {
        format!("{}: {}", running.basis, running.why)
    };
    if !why.is_empty() {
        let _ = write!(lines, "\nchosen {why}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_consent::{Policy, Purpose, Purposes, Site, Zone};
    use facialads_meta::{Age, Emotion, Gender, Label, Targeting};

    pub(super) fn stamp() -> Stamp {
        Stamp {
            purposes: [Purpose::Measurement, Purpose::Demographics].into_iter().collect(),
            epoch: 3,
            max_faces: 2,
            adult: true,
            zone: Zone::FULL,
            basis: Basis::ViewerConsent,
            site: Site::Public,
            policy: Policy::Strict,
            screen: "s".into(),
            expires: 1_000_000_000_000,
            receipts: vec![],
        }
    }

    fn somebody() -> Face {
        let label = |confidence| Label { value: Gender::Female, confidence, model: "m".into() };
        Face {
            id: 12,
            x: 0,
            y: 0,
            width: 10,
            height: 10,
            confidence: 0.9,
            model: "m".into(),
            age: Some(Age { years: 34.2, low: 28.7, high: 39.4, confidence: 0.8, model: "m".into() }),
            gender: Some(label(0.973)),
            emotion: Some(Label { value: Emotion::Happy, confidence: 0.81, model: "m".into() }),
            attention: None,
        }
    }

    #[test]
    fn a_face_says_what_is_known_and_may_be_shown() {
        let all = Shown { demographics: true, emotion: true };
        assert_eq!(face(&somebody(), all), "#12  29–39 years\nfemale 97 %\nhappy 81 %");
        assert_eq!(face(&somebody(), Shown { emotion: false, ..all }), "#12  29–39 years\nfemale 97 %");
        assert_eq!(face(&somebody(), Shown::default()), "#12");
        let bare = Face { age: None, gender: None, emotion: None, ..somebody() };
        assert_eq!(face(&bare, all), "#12");
    }

    #[test]
    fn the_status_says_what_was_agreed_and_for_how_long() {
        let audience = Audience { epoch: 3, faces: 1, targeting: Targeting::PossibleMinor };
        assert_eq!(
            status(Some(&stamp()), true, Some(&audience), 905_500_000_000),
            "consent open · measurement + demographics · epoch 3 · 2 grants · 1:35 left\n1 face · targeting: possible minor"
        );
        let closed = Stamp { purposes: Purposes::NONE, ..stamp() };
        assert_eq!(status(Some(&closed), true, None, 0), "consent closed");
        assert_eq!(status(Some(&stamp()), true, None, u64::MAX), "consent expired · epoch 3");
        assert_eq!(status(Some(&stamp()), false, Some(&audience), 0), "consent withdrawn · epoch 3");
        assert_eq!(status(None, true, None, 0), "consent: none on this picture");
    }

    #[test]
    fn published_content_has_no_grants_and_no_end() {
        let stamp = Stamp { basis: Basis::PublishedContent, expires: u64::MAX, ..stamp() };
        assert_eq!(
            status(Some(&stamp), true, None, 0),
            "published content · measurement + demographics · epoch 3"
        );
    }

    #[test]
    fn what_runs_is_said_with_its_reason() {
        let air = Running {
            campaign: Some("Spring".into()),
            creative: Some("spring-30s".into()),
            basis: "by subject".into(),
            why: "subject Automotive is wanted".into(),
            subject: vec!["Automotive".into(), "Travel".into()],
            since: None,
        };
        assert_eq!(
            running(&air),
            "on air: Spring / spring-30s\nsubject: Automotive, Travel\nchosen by subject: subject Automotive is wanted"
        );
        assert_eq!(running(&Running::default()), "programme");
    }
}
