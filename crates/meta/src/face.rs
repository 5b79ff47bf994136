//! Faces as `GstVideoRegionOfInterestMeta`, in the layout that Intel DL Streamer's tools read.
//!
//! Each attribute is one parameter of the region, a structure of its name; see [`crate::json`] for the text form.
//!
//! GStreamer 1.22 drops a region's parameters when it moves the region through `videoconvert` or `videoscale`, so a
//! second copy of them travels in a custom meta, `FacialAdsFacesMeta`, one structure field per face. [`Face::read`]
//! falls back on it; other software needs only the regions.

use crate::{analytics, custom, detection};
use gst_video::VideoRegionOfInterestMeta;
use std::ffi::CStr;

/// Name of the custom meta that keeps the parameters of the regions.
pub const NAME: &str = "FacialAdsFacesMeta";
const C_NAME: &CStr = c"FacialAdsFacesMeta";

pub fn register() {
    custom::register(C_NAME, None);
}

/// Type of the region: what `gvametaconvert` and `gvawatermark` look for.
pub const ROI_TYPE: &str = "face";

/// One face on one frame. What is not known is `None`, never a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Track id: random per run, never reused across consent grants.
    pub id: i32,
    /// Box in pixels of the frame that it is on.
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    /// Detector's confidence, 0..=1.
    pub confidence: f64,
    /// Name of the detection model.
    pub model: String,
    pub age: Option<Age>,
    pub gender: Option<Label<Gender>>,
    pub emotion: Option<Label<Emotion>>,
    pub attention: Option<Attention>,
}

/// Years, with the interval in which the estimate's owner believes the truth lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Age {
    pub years: f64,
    pub low: f64,
    pub high: f64,
    pub confidence: f64,
    pub model: String,
}

/// A class with its probability (0..=1) and the model that said so.
#[derive(Clone, Debug, PartialEq)]
pub struct Label<T> {
    pub value: T,
    pub confidence: f64,
    pub model: String,
}

/// A closed set of classes with the names under which they travel.
pub trait Class: Copy + PartialEq + 'static {
    /// In the order of `label_id`.
    const ALL: &'static [Self];
    fn name(self) -> &'static str;
    /// `label_id`: position in [`Self::ALL`].
    fn id(self) -> i32 {
        Self::ALL.iter().position(|c| *c == self).and_then(|i| i32::try_from(i).ok()).unwrap_or(-1)
    }
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Female,
    Male,
    Unknown,
}

impl Class for Gender {
    const ALL: &'static [Self] = &[Self::Female, Self::Male, Self::Unknown];
    fn name(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emotion {
    Neutral,
    Happy,
    Sad,
    Angry,
    Fearful,
    Disgusted,
    Surprised,
    Unknown,
}

impl Class for Emotion {
    const ALL: &'static [Self] = &[
        Self::Neutral,
        Self::Happy,
        Self::Sad,
        Self::Angry,
        Self::Fearful,
        Self::Disgusted,
        Self::Surprised,
        Self::Unknown,
    ];
    fn name(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Happy => "happy",
            Self::Sad => "sad",
            Self::Angry => "angry",
            Self::Fearful => "fearful",
            Self::Disgusted => "disgusted",
            Self::Surprised => "surprised",
            Self::Unknown => "unknown",
        }
    }
}

/// How long and how directly a face looked at the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// 0 (turned away) to 1 (straight at the camera), where known.
    pub facing: Option<f64>,
    /// Time since the face came into view.
    pub dwell: gst::ClockTime,
    /// Time of that spent facing the screen, where known.
    pub attention: Option<gst::ClockTime>,
    /// Degrees, positive to the viewer's own right (the left of the picture) and up, where known.
    pub yaw: Option<f64>,
    pub pitch: Option<f64>,
}

impl Face {
    /// Adds this face to a frame of `frame_width` x `frame_height` pixels.
    ///
    /// With the feature `v1_24` also to the buffer's `GstAnalyticsRelationMeta`; there the face was seen last at the
    /// buffer's own timestamp.
    pub fn attach(&self, buffer: &mut gst::BufferRef, frame_width: u32, frame_height: u32) {
        self.attach_at(buffer, frame_width, frame_height, buffer.pts());
    }

    /// The same, told the running time of the frame, which is what GStreamer's trackers write.
    pub fn attach_at(
        &self,
        buffer: &mut gst::BufferRef,
        frame_width: u32,
        frame_height: u32,
        now: Option<gst::ClockTime>,
    ) {
        let detection = analytics::attach_face(buffer, self, now);
        let params = self.params(frame_width, frame_height);
        let mut kept = gst::Structure::new_empty("face");
        for param in &params {
            kept.set(param.name().as_str(), param);
        }
        let rect = (self.x, self.y, self.width, self.height);
        let mut region = VideoRegionOfInterestMeta::add(buffer, ROI_TYPE, rect);
        // DL Streamer since 2025 knows by this number which region and which object detection are the same.
        let number = detection.unwrap_or(self.id);
        region.set_id(number);
        for param in params {
            region.add_param(param);
        }
        custom::update(buffer, NAME, |all| all.set(kept_as(number), kept));
    }

    fn params(&self, frame_width: u32, frame_height: u32) -> Vec<gst::Structure> {
        let mut params = vec![
            self.detection(frame_width, frame_height),
            gst::Structure::builder("object_id").field("id", self.id).build(),
        ];
        params.extend(self.age.as_ref().map(Age::to_structure));
        params.extend(self.gender.as_ref().map(|label| label.to_structure("gender")));
        params.extend(self.emotion.as_ref().map(|label| label.to_structure("emotion")));
        params.extend(self.attention.as_ref().map(Attention::to_structure));
        params
    }

    /// The box as fractions of the frame: `[x_min, y_min, x_max, y_max]`, each 0..=1.
    pub fn fractions(&self, frame_width: u32, frame_height: u32) -> [f64; 4] {
        let part = |pixels: u32, of: u32| (f64::from(pixels) / f64::from(of.max(1))).min(1.0);
        [
            part(self.x, frame_width),
            part(self.y, frame_height),
            part(self.x.saturating_add(self.width), frame_width),
            part(self.y.saturating_add(self.height), frame_height),
        ]
    }

    fn detection(&self, frame_width: u32, frame_height: u32) -> gst::Structure {
        let [x_min, y_min, x_max, y_max] = self.fractions(frame_width, frame_height);
        gst::Structure::builder("detection")
            .field("label_id", 0_i32)
            .field("confidence", self.confidence)
            .field("x_min", x_min)
            .field("x_max", x_max)
            .field("y_min", y_min)
            .field("y_max", y_max)
            .field("rotation", 0.0_f64)
            .field("label", ROI_TYPE)
            .field("model_name", &self.model)
            .build()
    }

    /// All faces on a buffer, in the order they were attached. Regions of other types are left alone, and so are
    /// regions of type "face" without a readable detection and id: they are somebody else's.
    pub fn read(buffer: &gst::BufferRef) -> Vec<Face> {
        read_numbered(buffer).into_iter().map(|(_, face)| face).collect()
    }

    fn parse(region: &VideoRegionOfInterestMeta, kept: Option<&gst::StructureRef>) -> Option<Self> {
        if region.roi_type() != ROI_TYPE {
            return None;
        }
        let kept = kept.and_then(|all| all.get::<gst::Structure>(kept_as(region.id())).ok());
        let kept = kept.filter(|kept| is_of(kept, region.rect()));
        let param = |name: &str| {
            let own = region.param(name).map(ToOwned::to_owned);
            own.or_else(|| kept.as_ref()?.get::<gst::Structure>(name).ok())
        };
        let detection = param("detection")?;
        let (x, y, width, height) = region.rect();
        Some(Self {
            id: param("object_id")?.get("id").ok()?,
            x,
            y,
            width,
            height,
            confidence: detection.get("confidence").ok()?,
            model: detection.get("model_name").ok()?,
            age: param("age").and_then(|s| Age::parse(&s)),
            gender: param("gender").and_then(|s| Label::parse(&s)),
            emotion: param("emotion").and_then(|s| Label::parse(&s)),
            attention: param("attention").and_then(|s| Attention::parse(&s)),
        })
    }
}

/// The faces on a buffer with the numbers of their regions.
pub(crate) fn read_numbered(buffer: &gst::BufferRef) -> Vec<(i32, Face)> {
    let kept = custom::find(buffer, NAME, |all, _| Some(all.to_owned()));
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    regions.filter_map(|region| Some((region.id(), Face::parse(&region, kept.as_deref())?))).collect()
}

/// Whether what was kept is about this region: regions of others may have the same number. However the picture was
/// scaled since, the box begins at the same part of the way to its end; a pixel is rounding.
fn is_of(kept: &gst::StructureRef, (x, y, width, height): (u32, u32, u32, u32)) -> bool {
    let Ok(detection) = kept.get::<gst::Structure>("detection") else { return false };
    let agrees = |least: &str, most: &str, start: u32, length: u32| {
        let (Ok(least), Ok(most)) = (detection.get::<f64>(least), detection.get::<f64>(most)) else {
            return false;
        };
        let end = f64::from(start) + f64::from(length);
        (least * end - f64::from(start) * most).abs() <= 1.5 * most
    };
    agrees("x_min", "x_max", x, width) && agrees("y_min", "y_max", y, height)
}

fn kept_as(id: i32) -> String {
    format!("face{id}")
}

/// Lower bounds in years, and the names under which bands of age travel. Below the first is "age-under-25".
const BANDS: [(f64, &str); 5] = [
    (55.0, "age-55-plus"),
    (45.0, "age-45-54"),
    (35.0, "age-35-44"),
    (25.0, "age-25-34"),
    (f64::NEG_INFINITY, "age-under-25"),
];

impl Age {
    /// All bands, youngest first.
    pub const BANDS: [&str; 5] = ["age-under-25", "age-25-34", "age-35-44", "age-45-54", "age-55-plus"];

    /// The band that this age falls in, one of [`Self::BANDS`]; `None` for an age that is no number.
    pub fn band(&self) -> Option<&'static str> {
        let years = self.years;
        let band = BANDS.iter().find(|(least, _)| years >= *least).map(|(_, name)| *name);
        band.filter(|_| years.is_finite())
    }

    /// Years as a label, the way DL Streamer writes an age.
    pub fn label(&self) -> String {
        format!("{:.0}", self.years)
    }

    /// The class that stands for this age: whole years.
    pub fn label_id(&self) -> i32 {
        // `as` saturates and turns NaN into 0, which is what a class id needs.
        self.years.round() as i32
    }

    fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder("age")
            .field("label", self.label())
            .field("confidence", self.confidence)
            .field("label_id", self.label_id())
            .field("model_name", &self.model)
            .field("years", self.years)
            .field("low", self.low)
            .field("high", self.high)
            .build()
    }

    fn parse(s: &gst::StructureRef) -> Option<Self> {
        Some(Self {
            years: s.get("years").ok()?,
            low: s.get("low").ok()?,
            high: s.get("high").ok()?,
            confidence: s.get("confidence").ok()?,
            model: s.get("model_name").ok()?,
        })
    }
}

impl<T: Class> Label<T> {
    fn to_structure(&self, attribute: &str) -> gst::Structure {
        gst::Structure::builder(attribute)
            .field("label", self.value.name())
            .field("confidence", self.confidence)
            .field("label_id", self.value.id())
            .field("model_name", &self.model)
            .build()
    }

    fn parse(s: &gst::StructureRef) -> Option<Self> {
        Some(Self {
            value: T::from_name(s.get("label").ok()?)?,
            confidence: s.get("confidence").ok()?,
            model: s.get("model_name").ok()?,
        })
    }
}

impl Attention {
    fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder("attention")
            .field_if_some("facing", self.facing)
            .field("dwell_ms", self.dwell.mseconds())
            .field_if_some("attention_ms", self.attention.map(gst::ClockTime::mseconds))
            .field_if_some("yaw", self.yaw)
            .field_if_some("pitch", self.pitch)
            .build()
    }

    fn parse(s: &gst::StructureRef) -> Option<Self> {
        // Saturates just below GST_CLOCK_TIME_NONE, which is no time.
        let time = |name: &str| {
            let ms = s.get::<u64>(name).ok()?.min(u64::MAX / 1_000_000 - 1);
            Some(gst::ClockTime::from_mseconds(ms))
        };
        Some(Self {
            facing: s.get("facing").ok(),
            dwell: time("dwell_ms")?,
            attention: time("attention_ms"),
            yaw: s.get("yaw").ok(),
            pitch: s.get("pitch").ok(),
        })
    }
}

/// Removes every region and every object detection of type "face", what is known about them, and nothing else.
pub fn remove_all(buffer: &mut gst::BufferRef) {
    detection::remove(buffer, ROI_TYPE);
    custom::remove(buffer, NAME);
}
