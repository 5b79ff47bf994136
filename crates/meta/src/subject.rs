//! What the programme is about, as IAB Content Taxonomy classes.
//!
//! Custom meta `FacialAdsSubjectMeta`, structure fields: `taxonomy` string, `classes` array of structures `class` with
//! `id` string, `name` string, `confidence` double; `shot` uint64, `shot-start` uint64 (running time in ns), `safety`
//! array of strings. It follows copies, conversion and scaling, and is left behind by everything else.

use crate::{analytics, custom};
use std::ffi::CStr;

/// Name of the custom meta.
pub const NAME: &str = "FacialAdsSubjectMeta";
const C_NAME: &CStr = c"FacialAdsSubjectMeta";

#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Always "iab-content-3.1" for now.
    pub taxonomy: String,
    /// Most probable first.
    pub classes: Vec<SubjectClass>,
    /// Number of the shot since the start of the stream.
    pub shot: u64,
    /// Running time at which the shot started.
    pub shot_start: gst::ClockTime,
    /// Brand-safety flags, e.g. "weapons".
    pub safety: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SubjectClass {
    /// IAB unique id: a string, 31 of the 704 are not numbers.
    pub id: String,
    pub name: String,
    /// 0..=1.
    pub confidence: f64,
}

pub fn register() {
    custom::register(C_NAME, None);
}

impl SubjectClass {
    fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder("class")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("confidence", self.confidence)
            .build()
    }

    fn parse(s: &gst::StructureRef) -> Option<Self> {
        Some(Self { id: s.get("id").ok()?, name: s.get("name").ok()?, confidence: s.get("confidence").ok()? })
    }
}

impl Subject {
    /// Writes the subject on a buffer, replacing any that is there.
    pub fn attach(&self, buffer: &mut gst::BufferRef) {
        analytics::attach_subject(buffer, self, Self::read(buffer).as_ref());
        custom::replace(buffer, NAME, |structure| {
            structure.set("taxonomy", &self.taxonomy);
            structure.set("classes", gst::Array::new(self.classes.iter().map(SubjectClass::to_structure)));
            structure.set("shot", self.shot);
            structure.set("shot-start", self.shot_start.nseconds());
            structure.set("safety", gst::Array::new(self.safety.iter().map(String::as_str)));
        });
    }

    /// `None` where there is no subject or where it cannot be read.
    pub fn read(buffer: &gst::BufferRef) -> Option<Self> {
        custom::find(buffer, NAME, |structure, _| Self::parse(structure))
    }

    fn parse(s: &gst::StructureRef) -> Option<Self> {
        let class = |v: &gst::glib::SendValue| SubjectClass::parse(v.get::<gst::Structure>().ok()?.as_ref());
        let classes = s.get::<gst::Array>("classes").ok()?;
        let safety = s.get::<gst::Array>("safety").ok()?;
        Some(Self {
            taxonomy: s.get("taxonomy").ok()?,
            classes: classes.iter().map(class).collect::<Option<_>>()?,
            shot: s.get("shot").ok()?,
            shot_start: crate::time(s.get("shot-start").ok()?)?,
            safety: safety.iter().map(|v| v.get::<String>().ok()).collect::<Option<_>>()?,
        })
    }
}

pub fn remove(buffer: &mut gst::BufferRef) {
    custom::remove(buffer, NAME);
}
