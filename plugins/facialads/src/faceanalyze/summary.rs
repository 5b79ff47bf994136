//! The `facialads-audience` message: once a second of running time, who is there in numbers.
//!
//! GST_DEBUG=9 prints every message whole, so this one says nothing from which a person could be made out: counts and
//! bands only, and only from three people up. With fewer it says that somebody is there, and no more.

use facialads_meta::{Age, Face, Gender};
use facialads_vision::face::WATCHED_MS;

pub const NAME: &str = "facialads-audience";
/// Fewest people about whom anything but their presence is said, and fewest described ones for any band.
pub const LEAST: usize = 3;
/// Attention of a watcher.
const WATCHED: gst::ClockTime = gst::ClockTime::from_mseconds(WATCHED_MS);
const EVERY: gst::ClockTime = gst::ClockTime::SECOND;

const AGE_UNKNOWN: &str = "age-unknown";

/// When the last message was sent.
#[derive(Debug, Default)]
pub struct Pace(Option<gst::ClockTime>);

impl Pace {
    /// Whether a message is due at this running time. Time that jumps back starts anew.
    pub fn due(&mut self, now: gst::ClockTime) -> bool {
        let due = self.0.is_none_or(|last| now < last || now - last >= EVERY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// The message's structure for the faces on one frame.
pub fn structure(faces: &[Face], epoch: u64, now: gst::ClockTime) -> gst::Structure {
    let message = gst::Structure::builder(NAME)
        .field("running-time", now)
        .field("epoch", epoch)
        .field("present", !faces.is_empty());
    if faces.len() < LEAST {
        return message.build();
    }
    let count = |test: &dyn Fn(&Face) -> bool| {
        u32::try_from(faces.iter().filter(|f| test(f)).count()).unwrap_or(u32::MAX)
    };
    let total = count(&|_| true);
    let mut message = message.field("faces", total);
    let dwells = faces.iter().filter_map(|f| Some(f.attention.as_ref()?.dwell));
    message = message.field_if_some("mean-dwell-s", mean_seconds(dwells));
    let looked = || faces.iter().filter_map(|f| f.attention.as_ref()?.attention);
    if looked().count() >= LEAST {
        let watchers = u32::try_from(looked().filter(|time| *time >= WATCHED).count()).unwrap_or(u32::MAX);
        message =
            message.field("watchers", watchers).field_if_some("mean-attention-s", mean_seconds(looked()));
    }
    // One described person among strangers must not be told apart either.
    let enough = |known: u32| usize::try_from(known).is_ok_and(|known| known >= LEAST);
    if enough(count(&|f| f.gender.is_some())) {
        let gender = |wanted: Gender| count(&|f| f.gender.as_ref().is_some_and(|g| g.value == wanted));
        let (female, male) = (gender(Gender::Female), gender(Gender::Male));
        message = message
            .field("female", female)
            .field("male", male)
            .field("gender-unknown", total - female - male);
    }
    if enough(count(&|f| f.age.is_some())) {
        for name in Age::BANDS.into_iter().chain([AGE_UNKNOWN]) {
            message = message.field(name, count(&|f| band(f) == name));
        }
    }
    message.build()
}

/// In whole seconds, so that two messages do not tell how long exactly the one who came between them has been there.
/// `None`: of fewer than [`LEAST`].
fn mean_seconds(times: impl Iterator<Item = gst::ClockTime>) -> Option<u64> {
    let (sum, count) =
        times.fold((0_u64, 0_u64), |(sum, count), time| (sum.saturating_add(time.mseconds()), count + 1));
    (usize::try_from(count).is_ok_and(|count| count >= LEAST))
        .then(|| (sum / count).saturating_add(500) / 1000)
}

fn band(face: &Face) -> &'static str {
    face.age.as_ref().and_then(Age::band).unwrap_or(AGE_UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facialads_meta::Label;

    fn face(years: Option<f64>, gender: Option<Gender>) -> Face {
        let model = String::new;
        Face {
            id: 1,
            x: 0,
            y: 0,
            width: 10,
            height: 10,
            confidence: 0.9,
            model: model(),
            age: years.map(|years| Age { years, low: years, high: years, confidence: 0.5, model: model() }),
            gender: gender.map(|value| Label { value, confidence: 0.9, model: model() }),
            emotion: None,
            attention: None,
        }
    }

    #[test]
    fn one_or_two_people_are_present_and_no_more() {
        gst::init().unwrap();
        for count in [1, 2] {
            let faces = vec![face(Some(31.0), Some(Gender::Female)); count];
            let message = structure(&faces, 4, gst::ClockTime::SECOND);
            let fields: Vec<_> = message.fields().map(|f| f.to_string()).collect();
            assert_eq!(fields, ["running-time", "epoch", "present"]);
            assert_eq!(message.get("present"), Ok(true));
        }
        assert_eq!(structure(&[], 4, gst::ClockTime::ZERO).get("present"), Ok(false));
    }

    #[test]
    fn three_people_are_counted_by_band() {
        gst::init().unwrap();
        let faces = [
            face(Some(24.9), Some(Gender::Female)),
            face(Some(25.0), Some(Gender::Male)),
            face(Some(80.0), Some(Gender::Unknown)),
            face(None, None),
        ];
        let message = structure(&faces, 4, gst::ClockTime::ZERO);
        let of = |name: &str| message.get::<u32>(name).unwrap();
        assert_eq!((of("faces"), of("female"), of("male"), of("gender-unknown")), (4, 1, 1, 2));
        assert_eq!((of("age-under-25"), of("age-25-34"), of("age-55-plus"), of("age-unknown")), (1, 1, 1, 1));
        assert_eq!((of("age-35-44"), of("age-45-54")), (0, 0));
    }

    #[test]
    fn one_described_person_among_strangers_is_not_told_apart() {
        gst::init().unwrap();
        let faces = [face(Some(31.0), Some(Gender::Female)), face(None, None), face(None, None)];
        let message = structure(&faces, 4, gst::ClockTime::ZERO);
        let fields: Vec<_> = message.fields().map(|f| f.to_string()).collect();
        assert_eq!(fields, ["running-time", "epoch", "present", "faces"]);
        assert_eq!(message.get("faces"), Ok(3u32));
    }

    #[test]
    fn watchers_and_times_are_told_of_three_people_and_more() {
        gst::init().unwrap();
        let at = gst::ClockTime::from_mseconds;
        let looking = |dwell: u64, attention: Option<u64>| Face {
            attention: Some(facialads_meta::Attention {
                facing: None,
                dwell: at(dwell),
                attention: attention.map(at),
                yaw: None,
                pitch: None,
            }),
            ..face(None, None)
        };
        let mut faces = vec![looking(1000, Some(0)), looking(2000, Some(499)), looking(3600, Some(1500))];
        let message = structure(&faces, 4, gst::ClockTime::ZERO);
        assert_eq!((message.get::<u64>("mean-dwell-s"), message.get::<u32>("watchers")), (Ok(2), Ok(1)));
        assert_eq!(message.get::<u64>("mean-attention-s"), Ok(1));
        faces[0] = looking(1000, None);
        let message = structure(&faces, 4, gst::ClockTime::ZERO);
        assert!(
            !message.has_field("watchers") && !message.has_field("mean-attention-s"),
            "known of two only"
        );
        assert!(!structure(&faces[..2], 4, gst::ClockTime::ZERO).has_field("mean-dwell-s"));
    }

    #[test]
    fn it_comes_once_a_second_also_after_a_seek_back() {
        let mut pace = Pace::default();
        let at = gst::ClockTime::from_mseconds;
        let due: Vec<_> = [0, 40, 999, 1000, 1500, 2400, 100, 1099, 1100].map(|t| pace.due(at(t))).into();
        assert_eq!(due, [true, false, false, true, false, true, true, false, true]);
    }
}
