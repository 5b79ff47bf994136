//! Faces as JSON, with the field names of DL Streamer's `gvametaconvert`, for applications that ask for it.

use crate::{
    Age, Attention, Face, Label,
    face::{Class, ROI_TYPE},
};
use serde_json::{Map, Value, json};

/// The faces of one frame of `width` x `height` pixels. `timestamp` is left out where the frame has none.
///
/// Lengths are pixels, `timestamp` nanoseconds; `age` carries our `years`, `low` and `high` beside DL Streamer's
/// fields, and `attention` is ours. What is not known is left out.
pub fn to_json(faces: &[Face], width: u32, height: u32, timestamp: Option<gst::ClockTime>) -> Value {
    let mut frame = Map::new();
    frame.insert("resolution".into(), json!({ "width": width, "height": height }));
    if let Some(timestamp) = timestamp {
        frame.insert("timestamp".into(), json!(timestamp.nseconds()));
    }
    let objects = faces.iter().map(|face| object(face, width, height)).collect();
    frame.insert("objects".into(), Value::Array(objects));
    Value::Object(frame)
}

fn object(face: &Face, width: u32, height: u32) -> Value {
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
    Value::Object(object)
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
    Value::Object(object)
}
