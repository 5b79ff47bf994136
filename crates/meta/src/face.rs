//! Faces as `GstVideoRegionOfInterestMeta`, in the layout that Intel DL Streamer's tools read.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Female,
    Male,
    Unknown,
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

/// How long and how directly a face looked at the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// 0 (turned away) to 1 (straight at the camera), where known.
    pub facing: Option<f64>,
    /// Time since the face came into view.
    pub dwell: gst::ClockTime,
    /// Degrees, positive to the viewer's right and up, where known.
    pub yaw: Option<f64>,
    pub pitch: Option<f64>,
}

impl Face {
    /// Adds this face to a frame of `frame_width` x `frame_height` pixels.
    pub fn attach(&self, _buffer: &mut gst::BufferRef, _frame_width: u32, _frame_height: u32) {}

    /// All faces on a buffer, in the order they were attached. Regions of other types are left alone.
    pub fn read(_buffer: &gst::BufferRef) -> Vec<Face> {
        Vec::new()
    }
}

/// Removes our faces and nothing else.
pub fn remove_all(_buffer: &mut gst::BufferRef) {}
