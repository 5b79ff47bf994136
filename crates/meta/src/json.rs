//! Faces as JSON, in the layout of DL Streamer's `gvametaconvert`, for applications that ask for it.
//!
//! One object a frame, keys in alphabetical order as there: `resolution`, `timestamp`, and `objects` unless there are
//! none. `age` carries our `years`, `low` and `high` beside DL Streamer's fields, and `attention` is ours. What is not
//! known is left out. Lengths are pixels, `timestamp` is stream time in nanoseconds.

use crate::{
    Age, Attention, Face, Label,
    face::{self, Class, ROI_TYPE},
};
use serde_json::{Map, Value, json};

/// The faces of one frame of `width` x `height` pixels. `timestamp` is left out where the frame has none.
pub fn to_json(faces: &[Face], width: u32, height: u32, timestamp: Option<gst::ClockTime>) -> Value {
    frame(faces.iter().map(|face| object(face, width, height)).collect(), width, height, timestamp)
}

/// What `gvametaconvert` says of a buffer with a picture of `width` x `height` pixels: [`to_json`] with the numbers of the
/// regions (`region_id`, which its newer versions have). `None` where there is no face: then `gvametaconvert` says nothing.
pub fn of_buffer(
    buffer: &gst::BufferRef,
    width: u32,
    height: u32,
    timestamp: Option<gst::ClockTime>,
) -> Option<Value> {
    let numbered = |(number, face): (i32, Face)| {
        let mut object = object(&face, width, height);
        object.insert("region_id".into(), json!(number));
        object
    };
    let objects: Vec<_> = face::read_numbered(buffer).into_iter().map(numbered).collect();
    (!objects.is_empty()).then(|| frame(objects, width, height, timestamp))
}

fn frame(
    objects: Vec<Map<String, Value>>,
    width: u32,
    height: u32,
    timestamp: Option<gst::ClockTime>,
) -> Value {
    let mut frame = Map::new();
    frame.insert("resolution".into(), json!({ "width": width, "height": height }));
    if let Some(timestamp) = timestamp {
        frame.insert("timestamp".into(), json!(timestamp.nseconds()));
    }
    if !objects.is_empty() {
        frame.insert("objects".into(), objects.into());
    }
    Value::Object(frame)
}

fn object(face: &Face, width: u32, height: u32) -> Map<String, Value> {
    let [x_min, y_min, x_max, y_max] = face.fractions(width, height);
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("x", json!(face.x));
    put("y", json!(face.y));
    put("w", json!(face.width));
    put("h", json!(face.height));
    put("id", json!(face.id));
    put("roi_type", json!(ROI_TYPE));
    put(
        "detection",
        json!({
            "bounding_box": { "x_min": x_min, "x_max": x_max, "y_min": y_min, "y_max": y_max },
            "confidence": face.confidence,
            "label_id": 0,
            "label": ROI_TYPE,
        }),
    );
    if let Some(value) = face.age.as_ref().map(age) {
        put("age", value);
    }
    if let Some(value) = face.gender.as_ref().map(label) {
        put("gender", value);
    }
    if let Some(value) = face.emotion.as_ref().map(label) {
        put("emotion", value);
    }
    if let Some(value) = face.attention.as_ref().map(attention) {
        put("attention", value);
    }
    object
}

fn age(age: &Age) -> Value {
    json!({
        "label": age.label(),
        "label_id": age.label_id(),
        "confidence": age.confidence,
        "model": { "name": age.model },
        "years": age.years,
        "low": age.low,
        "high": age.high,
    })
}

fn label<T: Class>(label: &Label<T>) -> Value {
    json!({
        "label": label.value.name(),
        "label_id": label.value.id(),
        "confidence": label.confidence,
        "model": { "name": label.model },
    })
}

fn attention(attention: &Attention) -> Value {
    let known =
        [("facing", attention.facing), ("yaw", attention.yaw), ("pitch", attention.pitch)].into_iter();
    let mut object: Map<_, _> =
        known.filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect();
    object.insert("dwell_ms".into(), json!(attention.dwell.mseconds()));
    if let Some(time) = attention.attention {
        object.insert("attention_ms".into(), json!(time.mseconds()));
    }
    Value::Object(object)
}
