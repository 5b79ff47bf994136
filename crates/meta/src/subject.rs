//! What the programme is about, as IAB Content Taxonomy classes.

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

pub fn register() {}

impl Subject {
    pub fn attach(&self, _buffer: &mut gst::BufferRef) {}
    pub fn read(_buffer: &gst::BufferRef) -> Option<Self> {
        None
    }
}

pub fn remove(_buffer: &mut gst::BufferRef) {}
